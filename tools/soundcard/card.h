/* card.h - the card itself: a clock, a recording, a meter, and at most one stream that feeds it.
 *
 * Frame n is put out at start + n / rate, whatever the process's own lateness: frames are taken from the stream's ring
 * a little ahead of their time, and zeros stand where there are none, also while the card is gone or stands still. One
 * thread. */
#ifndef LOA_CARD_H
#define LOA_CARD_H

#include "tools/soundcard/card_wire.h"
#include "tools/soundcard/faults.h"
#include "tools/soundcard/meter.h"
#include "tools/soundcard/wav_out.h"

#include <stdbool.h>
#include <stddef.h>

enum { CARD_TICK_MS = 5, CARD_IDLE_TICK_MS = 50, CARD_BLOCK_FRAMES = 4800 };

struct card_config {
    const char *recording;
    const char *meter_socket; /* NULL: none */
    uint32_t rate_hz;
    uint32_t channels;
    enum card_format format;
    int32_t ppm; /* how much faster than its nominal rate it runs */
};

/* One player's stream; no player: socket is -1. */
struct card_stream {
    int socket;                 /* owned */
    int tick;                   /* owned eventfd; -1 before CARD_SETUP */
    struct card_shared *shared; /* owned mapping; NULL before CARD_SETUP */
    size_t shared_len;
    const uint8_t *ring; /* in the mapping */
    uint32_t buffer_frames;
    uint64_t anchor; /* the card's frame that is frame 0 of the stream */
    uint64_t taken;  /* our own count: what is in the mapping is only told */
    bool running;
};

struct card {
    struct card_config config;
    struct faults faults;
    uint64_t still_frame;  /* CARD_MOVES, or where it stands */
    int64_t start_mono_ns; /* frame 0, as if it had always run at its present rate */
    uint64_t rate_mhz;
    uint64_t head;         /* frames put out, or about to be */
    uint64_t committed_at; /* head when the recording's header was last made true */
    struct wav_out *wav;   /* owned; NULL after a write error */
    struct meter meter;
    struct card_stream stream;
    uint32_t underruns;
    uint32_t streams;
    int16_t block[CARD_BLOCK_FRAMES * CARD_CHANNELS_MAX];
};

/* Starts the card's clock. */
MUST_USE int card_init(struct card *card, const struct card_config *config, struct complaint *why);
void card_done(struct card *card);

/* Put out all that is due. */
void card_advance(struct card *card);
/* When card_advance() is due again, CLOCK_MONOTONIC. */
int64_t card_next_tick_ns(const struct card *card);

/* Something goes wrong, or right again. */
void card_obey(struct card *card, const struct fault *fault);

/* A player connected (descriptor consumed): taken, or answered -EBUSY or -ENODEV. */
void card_attach(struct card *card, int fd);
/* Its socket has something to say, or has ended. */
void card_serve(struct card *card);

#endif
