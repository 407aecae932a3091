/* timekeeper.h - how far the time may be trusted, and what time it is (DESIGN, Time). Pure: every clock is an argument.
 *
 * Trusted time is carried by the boot-time clock: now = elapsed + offset. When a trusted source confirms the wall clock
 * to within TIMEKEEPER_AGREE_MS, the offset is taken from the wall clock, which is finer than a message's journey;
 * otherwise from the source. Under GRADE_SYNCED the wall clock itself counts; when the kernel does not vouch for it any
 * more and it led away from what a welcome of this session said, the welcome's time is carried on, not that one. Where
 * it led away while no session stood it is carried on, until the next welcome: that is not refused as expired by it
 * (firmware/nonce.h), and sets it right when it led further than the session is old. Wall steps are found by comparing
 * its offset against elapsed time. */
#ifndef LOA_TIMEKEEPER_H
#define LOA_TIMEKEEPER_H

#include "playlists/documents.h"

enum {
    TIMEKEEPER_AGREE_MS = 2000,
    TIMEKEEPER_STEP_MS = 500,
    TIMEKEEPER_STORE_MS = 600000, /* a disciplined clock is written down this often */
    TIMEKEEPER_DRIFT = 5000,      /* a box's oscillator runs fast by less than one part in so many */
};
#define TIMEKEEPER_HELD_MS INT64_C(259200000) /* 72 h */

struct clocks {
    int64_t wall_ms;
    int64_t elapsed_ms;
    bool kernel_synced;
    char boot[37];
};

/* Small value, stored in the vault (as it is, field by field) whenever `dirty` is set. Zero: never trusted. */
struct timekeeper {
    int64_t offset_ms;     /* trusted now = elapsed + offset, in the boot named below */
    int64_t trusted_at_ms; /* elapsed time of the last trusted moment, same boot; under a disciplined clock up to
                              TIMEKEEPER_STORE_MS before it */
    int64_t newest_ms;     /* newest signed time ever seen; lower bound for expiry and TLS */
    char newest_kid[44];   /* who signed it: forgotten when that key is no longer trusted */
    char boot[37];
    bool has_offset;
    bool signed_session;        /* a welcome of this session vouches; not stored */
    int64_t session_elapsed_ms; /* when this session was named; 0: none was; not stored */
    int64_t signed_offset_ms;   /* as this session's latest welcome had it; not stored */
    int64_t signed_at_ms;       /* elapsed time of that; not stored */
    int64_t wall_offset_ms;     /* wall - elapsed at the last look, for steps; not stored */
    bool has_wall_offset;       /* not stored */
    bool dirty;                 /* not stored */
};

/* Adopt a stored value at start: keeps it only within the same boot; newest_ms stays. */
void timekeeper_restore(struct timekeeper *tk, const struct clocks *clocks);

/* A session has its name from here on: no welcome that quotes it is older than this. */
void timekeeper_session_began(struct timekeeper *tk, int64_t elapsed_ms);
/* A welcome of this session said `time_ms` (already verified). A time past `limit_ms`, the exp of the trust in force,
 * is not believed: nothing changes. Who carries a welcome can keep it back for as long as the session lasts, but never
 * bring it early: so within the session's age it does not set trusted time back, but for what an oscillator drifts. */
void timekeeper_welcome(struct timekeeper *tk, const struct clocks *clocks, int64_t time_ms, int64_t limit_ms,
                        const char *kid);
void timekeeper_session_ended(struct timekeeper *tk); /* signed falls back to held */
void timekeeper_forget(
    struct timekeeper *tk); /* its key is no longer trusted: the newest time and what was carried on from it */

/* A clock that the kernel calls disciplined but that is before `build_ms` (the moment of this build) is not believed.
 */
struct time_now {
    enum time_grade grade;
    int64_t now_ms; /* trusted now; the wall clock when the grade is unknown (for stamps only) */
    int64_t
        lower_ms; /* certainly not before this: for expiry; trusted now, or without it the newest signed or build time
                   */
    int64_t step_ms; /* the wall clock stepped by this since the last look; 0: no */
};
struct time_now timekeeper_look(struct timekeeper *tk, const struct clocks *clocks, int64_t build_ms);

#endif
