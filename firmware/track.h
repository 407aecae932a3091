/* track.h - one item on its way through the player's three threads.
 *
 * Made and freed by the loop thread; freed when both the decoder and the sound thread have let go. Each member says who
 * writes it; what is not atomic is handed over with the atomic or the queue named beside it. */
#ifndef LOA_TRACK_H
#define LOA_TRACK_H

#include "firmware/player.h"
#include "firmware/ring.h"
#include "firmware/shape.h"

#include <stdatomic.h>

enum track_source {
    TRACK_DECODING,
    TRACK_WHOLE,  /* the last sample is in the ring */
    TRACK_BROKEN, /* PLAYER_DECODE_ERROR; what is in the ring is the last of it */
    TRACK_ODD,    /* PLAYER_LENGTH_MISMATCH; the same */
};

enum track_state {
    TRACK_WAITING, /* for its start, its first samples, or the card */
    TRACK_PLAYING, /* being written */
    TRACK_WRITTEN, /* all with the card, being heard */
};

struct track {
    /* loop thread, before it is handed on */
    char path[PLAYER_PATH_MAX];
    uint64_t id;
    int64_t start_ns;
    int64_t latest_ns; /* INT64_MAX: none */
    uint64_t offset_frames;
    uint64_t expected_frames;
    struct track *after; /* loop's list */
    bool finished;       /* the sound thread has let go */

    _Atomic int32_t gain_mb;    /* loop */
    _Atomic bool cancelled;     /* loop: the decoder lets go */
    _Atomic uint32_t wanted_hz; /* sound thread: the card's rate; when it is another, it does not touch the ring */
    _Atomic uint32_t ring_hz;   /* decoder: rate of what is in the ring; 0 before */
    struct ring ring;           /* decoder -> sound thread */
    _Atomic int source;         /* decoder: enum track_source */
    int error;                  /* decoder, before `source` */
    struct complaint why;       /* decoder, before `source` */
    _Atomic bool decoder_gone;  /* decoder: has let go */
    _Atomic uint64_t played;    /* sound thread: frames heard so far, at the card's rate */
    _Atomic int phase;          /* sound thread: enum player_phase */

    /* sound thread */
    enum track_state state;
    bool fading;
    bool starving;
    enum player_end end; /* once written */
    int32_t gain_now_mb;
    struct ramp gain;
    struct ramp envelope;
    uint32_t fade_left; /* frames until the envelope is at 0, when it is going there */
    uint32_t xruns;
    uint32_t losses;             /* cards lost under it */
    uint32_t starvings;          /* times the decoder was late */
    int64_t heard_ns;            /* when the first frame was heard; 0: not yet */
    int card_error;              /* behind PLAYER_CARD_LOST */
    int64_t begin_pos;           /* stream position of its first frame */
    int64_t sound_pos;           /* behind the last one so far; only zeros were written since */
    int64_t end_pos;             /* behind its last one, once written */
    int64_t starved;             /* zeros between */
    int64_t lost;                /* went down with a card, or in a stop of one */
    int64_t skipped;             /* lost before its first frame was heard: it began later in the file */
    int64_t lost_last;           /* with the last card */
    int64_t missing_ns;          /* since when it is due and has no card; 0: it is not */
    uint32_t rate_hz;            /* of the card that plays it */
    struct player_result result; /* handed over with the report */
};

#endif
