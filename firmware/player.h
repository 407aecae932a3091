/* player.h - sound from a media file to the card, its first frame at a planned instant.
 *
 * One decoder thread (libsndfile, libsamplerate only when rates differ) fills a ring; one real-time thread owns the
 * ALSA card and takes from it. Every function here belongs to the loop thread and returns at once; what happens is told
 * on the same thread through `struct player_events`.
 *
 * What always holds:
 * - Muted unless an item is on: the card is closed, or zeros are written to it.
 * - Each item that player_play() took ends with exactly one `finished`, also at player_free().
 * - Begin, end, cut and change of gain are ramps of PLAYER_RAMP_MS, so that nothing clicks; only player_silence() cuts
 *   without a ramp, because it must not wait.
 * - A card that is busy, missing, frozen or that vanishes is closed, waited for and opened again; the player never
 *   gives up on it, only on the item (PLAYER_CARD_LOST after card_wait_ms, or when its latest start has passed). A card
 *   is there once it is open and moves. What is lost is told within 1.1 s; a card that is back is used within 2.2 s.
 * - An item goes on where it was cut, not where it would be by now: a bulletin is heard late rather than with a hole.
 *   What the card had in hand (about PLAYER_FILL_MS) is not said again; it counts as lost, never as played.
 * - A frame counts as played when the card has both taken it and, by its delay, put it out.
 *
 * Times are elapsed time (clock_elapsed_ns(), CLOCK_BOOTTIME): a step of the wall clock moves nothing. "Heard" is when
 * the card's DAC takes the frame, as snd_pcm_delay() tells it. */
#ifndef LOA_PLAYER_H
#define LOA_PLAYER_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    PLAYER_MEDIA_RATE_HZ = 48000, /* offsets and lengths of items are counted at this rate, whatever the card's is */
    PLAYER_RAMP_MS = 10,          /* every change of gain takes this long */
    PLAYER_FILL_MS = 100,         /* sound handed to the card ahead: what a stop or a new gain waits for */
    PLAYER_AHEAD_MS = 2000,       /* the card is opened this long before a planned start */
    PLAYER_LINGER_MS = 3000,      /* it stays open, putting out zeros, this long after the last item or prepare */
    PLAYER_ITEM_MAX_S = 4 * 3600, /* longer media are refused */
    PLAYER_GAIN_MIN_MB = -12000,  /* hundredths of a decibel; the minimum is digital silence */
    PLAYER_GAIN_MAX_MB = 1200,    /* above 0 samples may clip (they saturate) */
    PLAYER_PATH_MAX = 512,
};

struct player; /* defined in player.c */

struct player_config {
    const char *device; /* ALSA PCM name ("default", "hw:0", "loa"); copied */
    unsigned rate_hz;   /* wish, 8000 to 192000; 0: 48000. The card's nearest is taken and media are resampled to it */
    unsigned channels;  /* wish, 1 or 2; 0: 1. Media are mixed to mono, or spread; the card may insist on the other */
    unsigned card_wait_ms; /* an item on air, or due, waits this long for a missing card; 0: 10000 */
};

struct player_item {
    const char *path;          /* media file; copied; opened in the decoder thread at once */
    uint64_t id;               /* the caller's own number for it, handed back in events; not 0 */
    int64_t start_elapsed_ns;  /* when the first frame is to be heard; now, past or 0: as soon as possible */
    int64_t latest_elapsed_ns; /* without a card it waits no longer than this to begin; 0: as long as card_wait_ms */
    uint64_t offset_frames;    /* begin here (resume); at PLAYER_MEDIA_RATE_HZ */
    uint64_t expected_frames;  /* sealed length of the whole file at PLAYER_MEDIA_RATE_HZ; 0: not known, not checked */
    int32_t gain_mb;           /* PLAYER_GAIN_MIN_MB to PLAYER_GAIN_MAX_MB */
};

enum player_end {
    PLAYER_DRAINED,      /* the card has put out the last frame */
    PLAYER_STOPPED,      /* player_stop(), player_silence(), player_drop_next() or player_free() */
    PLAYER_CARD_LOST,    /* no card for card_wait_ms; `played_frames` says where to resume */
    PLAYER_DECODE_ERROR, /* the file cannot be opened or read, or is not sound we take; nothing, or a part, was heard */
    PLAYER_LENGTH_MISMATCH, /* its length is not the sealed one; found before the first frame where the file's own
                               header shows it, else when the decoder comes to the end */
};

/* Stable lower-case name ("drained", "stopped", "card_lost", "decode_error", "length_mismatch"). Any thread. */
const char *player_end_name(enum player_end end);

struct player_result {
    uint64_t id;
    enum player_end end;
    int error;                /* code behind the end (-ENODEV, ERR_FORMAT, ...); 0 when drained or stopped */
    bool heard;               /* at least one frame was put out */
    int64_t start_elapsed_ns; /* when the first frame was heard (0: none was) */
    int64_t end_elapsed_ns;   /* when the last frame was heard, or when the item ended without any */
    uint64_t
        played_frames; /* consumed by the DAC, at PLAYER_MEDIA_RATE_HZ, without the offset; lost ones not counted */
    uint64_t resume_frames;  /* offset for going on where this ended; at PLAYER_MEDIA_RATE_HZ */
    uint64_t lost_frames;    /* with the card when it stopped or went, and never put out; at PLAYER_MEDIA_RATE_HZ */
    uint32_t xruns;          /* times the card ran dry, or stopped as if it had, under this item */
    uint32_t losses;         /* times the card was lost under this item */
    uint32_t starvings;      /* times the decoder was late */
    uint64_t starved_frames; /* zeros put in because the decoder was late; at the card's rate */
    struct complaint why;    /* one sentence for the technician; empty when drained or stopped */
};

/* Members may be NULL. Called on the loop thread, never from inside a player_ function but player_free(). A call-back
 * may call any player_ function but player_free(). */
struct player_events {
    /* The first frame has been heard, then. */
    void (*started)(void *arg, uint64_t id, int64_t start_elapsed_ns);
    /* The item is over. Order: as the items were played; a next item may be on air already. */
    void (*finished)(void *arg, const struct player_result *result);
    /* The card came (healthy, 0), or was lost or refused (not healthy, -errno). Only changes are told; the first
     * opening counts as a change. Closing it when there is nothing to play is none. */
    void (*card)(void *arg, bool healthy, int error);
};

/* Makes both threads; opens no card yet. Says once, by log, when real-time scheduling is refused (it then plays at
 * normal priority). -EINVAL: configuration out of range; -errno when a thread or descriptor cannot be had. */
MUST_USE int player_new(uv_loop_t *loop, const struct player_config *config, const struct player_events *events,
                        void *arg, struct player **ret_player);

/* Cuts the sound, ends the items (each `finished` comes from inside this call), joins the threads (at most about 1 s,
 * usually a few ms) and releases everything once the loop has let go. NULL is fine. */
void player_free(struct player *player);

/* Open and warm the card, without an item: it puts out zeros for PLAYER_LINGER_MS. Harmless when it is open. An item
 * handed to player_play() ahead of its start warms the card by itself; this is for starts known before their item. */
void player_prepare(struct player *player);

/* Play an item: the one on, when there is none, else the one next, which begins when the one on has ended (back to
 * back, without a gap) or at its own start if that is later. Hand it over 1 to 2 s ahead for an exact start. -EBUSY:
 * there is a next one already; -EINVAL: no id or path, id already in use; -ENAMETOOLONG; -ERANGE: gain, offset or
 * length out of range. What is wrong with the file itself comes by `finished`. */
MUST_USE int player_play(struct player *player, const struct player_item *item);

/* Fade the item on out over PLAYER_RAMP_MS and end it and the next one as PLAYER_STOPPED; one whose last frame is with
 * the card already ends as PLAYER_DRAINED. An item handed over right after this call begins when the fade is over:
 * pre-emption is player_stop() and player_play(). Nothing on: harmless. */
void player_stop(struct player *player);

/* End the next item, if any, as PLAYER_STOPPED; the one on goes on. */
void player_drop_next(struct player *player);

/* Silence at once: the card's buffer is dropped without a fade, both items end as PLAYER_STOPPED. Sound ends within
 * some 10 ms of the call, whatever the card had buffered. */
void player_silence(struct player *player);

/* New gain for the item on (one waiting for its start included); reached within PLAYER_FILL_MS + PLAYER_RAMP_MS. The
 * next item keeps its own. -ERANGE; ERR_STATE: nothing is on. */
MUST_USE int player_set_gain(struct player *player, int32_t gain_mb);

enum player_phase {
    PLAYER_IDLE,    /* no item; the card is closed, or open and putting out zeros */
    PLAYER_WAITING, /* an item is on, its start not yet heard */
    PLAYER_PLAYING, /* heard */
    PLAYER_ENDING,  /* all of it is with the card, or it is being faded out */
};

struct player_status {
    enum player_phase phase;
    uint64_t id;            /* of the item on; 0: none */
    uint64_t next_id;       /* 0: none */
    uint64_t played_frames; /* of the item on, consumed by the DAC, at PLAYER_MEDIA_RATE_HZ, without the offset */
    bool card_open;
    bool card_healthy; /* the last opening succeeded and nothing is wrong since; true before the first */
    int card_error;    /* -errno while not healthy */
    unsigned rate_hz;  /* the card's; 0 before the first opening */
    unsigned channels;
    uint32_t xruns;    /* since player_new() */
    uint32_t reopened; /* openings after a loss, since player_new() */
    bool realtime;     /* the sound thread runs under SCHED_FIFO */
};

/* A snapshot, about 10 ms old at most. */
void player_status(const struct player *player, struct player_status *ret_status);
/* Name of a thread that did not come back when it should have; NULL: none. */
const char *player_stuck(const struct player *player);

#endif
