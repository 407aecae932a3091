/* card_wire.h - what the ALSA plugin (in the player's process) and the card process share.
 *
 * A Unix SOCK_SEQPACKET socket: on connecting, the card sends one answer (CARD_HELLO: status 0 and what it takes, or
 * -EBUSY and the end). Then the plugin asks and the card answers, one by one. The answer to CARD_SETUP carries two
 * descriptors: the shared memory (header, then the ring of frames at CARD_RING_OFFSET) and an eventfd that the card
 * raises at each tick. The socket's end is the end of the stream.
 *
 * Frame n of the card is put out at start_mono_ns + n / rate, exactly; frame 0 of a stream is the card's `anchor`. A
 * card that has vanished greets with -ENODEV. */
#ifndef LOA_CARD_WIRE_H
#define LOA_CARD_WIRE_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    CARD_MAGIC = 0x4c6f4131,
    CARD_RING_OFFSET = 4096,
    CARD_CHANNELS_MAX = 2,
    CARD_RATE_MIN_HZ = 8000,
    CARD_RATE_MAX_HZ = 192000,
    CARD_PERIOD_MIN_FRAMES = 64,
    CARD_BUFFER_MS_MAX = 2000,
    CARD_LATE_MS = 100, /* the plugin believes in the card's clock this long without a tick */
};

enum card_op { CARD_HELLO = 1, CARD_SETUP, CARD_PREPARE, CARD_START, CARD_STOP };
enum card_format { CARD_S16, CARD_S32, CARD_FLOAT };

struct card_request {
    uint32_t magic;
    uint32_t op;
    uint32_t buffer_frames; /* CARD_SETUP; at most CARD_BUFFER_MS_MAX of sound */
};

struct card_answer {
    uint32_t magic;
    uint32_t op;
    int32_t status; /* 0 or -errno */
    uint32_t rate_hz;
    uint32_t channels;
    uint32_t format; /* enum card_format */
};

#define CARD_NO_ANCHOR UINT64_MAX

#define CARD_MOVES UINT64_MAX

/* What tells where the stream is at any moment. */
struct card_pace {
    int64_t start_mono_ns; /* the card's frame 0, CLOCK_MONOTONIC */
    uint64_t rate_mhz;     /* true rate in thousandths of a hertz */
    uint64_t anchor_frame; /* the card's frame that is frame 0 of this stream; CARD_NO_ANCHOR before CARD_START */
    uint64_t still_frame;  /* a card that stands still has come as far as this frame; CARD_MOVES else */
};

/* Head of the shared memory. Each member has one writer; the card checks what the plugin writes. */
struct card_shared {
    struct card_pace pace[2];        /* card: it writes the one that is not told, then tells it */
    _Atomic uint32_t pace_told;      /* card: 0 or 1 */
    _Atomic uint64_t taken_frames;   /* card: taken from the ring since CARD_PREPARE; final with `underrun` */
    _Atomic uint32_t underrun;       /* card: the ring ran dry, the stream has stopped */
    _Atomic uint64_t written_frames; /* plugin: put into the ring since CARD_PREPARE */
};

static inline uint32_t card_sample_bytes(uint32_t format)
{
    return format == CARD_S16 ? 2 : 4;
}

/* The card's frame that is put out at `mono_ns`; exact for centuries of mHz. Before the start: 0. */
static inline uint64_t card_frame_at(int64_t start_mono_ns, uint64_t rate_mhz, int64_t mono_ns)
{
    if (mono_ns <= start_mono_ns) {
        return 0;
    }
    uint64_t ns = (uint64_t)(mono_ns - start_mono_ns);
    uint64_t whole = ns / 1000000000u * rate_mhz;
    uint64_t part = whole % 1000 * 1000000000u + ns % 1000000000u * rate_mhz;
    return whole / 1000 + part / 1000000000000u;
}

/* Frames of the stream that have been put out at `mono_ns`; negative while its first one lies ahead. */
static inline int64_t card_heard_at(const struct card_pace *pace, int64_t mono_ns)
{
    uint64_t now = card_frame_at(pace->start_mono_ns, pace->rate_mhz, mono_ns);
    now = now < pace->still_frame ? now : pace->still_frame;
    return (int64_t)(now - pace->anchor_frame);
}

/* When the card's frame is put out. */
static inline int64_t card_time_of(int64_t start_mono_ns, uint64_t rate_mhz, uint64_t frame)
{
    uint64_t seconds = frame / rate_mhz * 1000;
    uint64_t rest = frame % rate_mhz * 1000; /* in mHz seconds; below 1000 s of frames */
    return start_mono_ns +
           (int64_t)(seconds * 1000000000u + rest / rate_mhz * 1000000000u + rest % rate_mhz * 1000000000u / rate_mhz);
}

#endif
