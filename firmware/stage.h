/* stage.h - card, amplifiers and signs together: one airing put out, and what was proven of it.
 *
 * Nothing is heard or shown but between stage_begin() and its end. The stage powers amplifiers up ahead, unmutes just
 * before the sound and mutes after it, turns the pages, and gathers evidence. Loop thread. */
#ifndef LOA_STAGE_H
#define LOA_STAGE_H

#include "firmware/evidence.h"
#include "firmware/site.h"

#include <uv.h>

enum { STAGE_SOUNDS_MAX = 16, STAGE_PAGES_MAX = 48 };

struct stage_sound {
    char *path;
    int64_t frames; /* at 48 kHz */
};

struct stage_page {
    char *text;
    int64_t from_ms, to_ms; /* since the beginning */
};

/* One airing. stage_begin() consumes what it points to. */
struct stage_airing {
    uint64_t key;
    int64_t start_elapsed_ns; /* when the first frame is to be heard */
    int64_t late_ms;          /* its sound may begin this much later, when it has to wait for a card */
    int64_t offset_ms;        /* resume here */
    int64_t length_ms;
    struct stage_sound sounds[STAGE_SOUNDS_MAX];
    size_t n_sounds;
    struct stage_page pages[STAGE_PAGES_MAX];
    size_t n_pages;
    int32_t gain_mb;
    uint32_t zones, muted_zones;
    int32_t heard_level_mb;
};
void stage_airing_done(struct stage_airing *airing); /* free what it points to */

struct stage_events {
    /* What is on has ended by itself, or (failed) cannot go on. */
    void (*finished)(void *arg, uint64_t key, bool failed);
    /* Evidence of an airing that stage_end() ended is complete. Comes once for each such airing, also for the last one
     * before stage_free(). */
    void (*gathered)(void *arg, uint64_t key, const struct airing_evidence *evidence, int64_t ended_elapsed_ns);
    void (*card)(void *arg, bool healthy, int error);
};

struct stage;

MUST_USE int stage_new(uv_loop_t *loop, const struct site *site, const struct stage_events *events, void *arg,
                       struct stage **ret_stage, struct complaint *why);
/* Ends what is on without a word on the bus: stage_close() before, until stage_closed(). */
void stage_free(struct stage *stage);

/* An airing begins; what was on must have been ended before. */
void stage_begin(struct stage *stage, struct stage_airing *airing);
uint64_t stage_on(const struct stage *stage); /* key of what is on; 0: nothing */
/* True when the airing on has ended by itself and its evidence is whole already. */
bool stage_evidence(struct stage *stage, uint64_t key, struct airing_evidence *ret, int64_t *ret_ended_elapsed_ns);
/* End what is on: fade, mute, blank. `gathered` follows, unless `told` (the evidence was taken already). `keep`: the
 * next airing begins right after this call, so amplifiers stay open; if it does not after all, stage_hush(). */
void stage_end(struct stage *stage, bool told, bool keep);
void stage_hush(struct stage *stage); /* nothing is on: mute and blank */
/* Other gain or zones for what is on. */
void stage_adjust(struct stage *stage, int32_t gain_mb, uint32_t muted_zones);
/* Silence at once: card first, then amplifiers and signs. What was on ends; `gathered` follows. */
void stage_silence(struct stage *stage);

/* When the next airing is due (elapsed ms; INT64_MAX: none), so that amplifiers and card are ready. */
void stage_next(struct stage *stage, int64_t start_elapsed_ms, uint32_t zones);

/* Orderly end: fade, mute, power off, blank. */
void stage_close(struct stage *stage);
bool stage_closed(const struct stage *stage); /* all of that is in place, or cannot be reached */

size_t stage_parts(const struct stage *stage); /* amplifiers, then signs */
void stage_report(const struct stage *stage, size_t index, bool *ret_is_sign, struct part_report *ret);
/* Card: wired, healthy, last error. */
void stage_card(const struct stage *stage, bool *ret_wired, bool *ret_healthy, int *ret_error);
/* Name of a thread of the sound that did not come back when it should have; NULL: none. */
const char *stage_stuck(const struct stage *stage);
/* Name of a bus whose thread did not come back; NULL: none. Sound goes on without it. */
const char *stage_stuck_bus(const struct stage *stage);
/* Nothing is on, nor due within `ms`. */
bool stage_quiet(const struct stage *stage, int64_t ms);

#endif
