/* stage_run.h - inside of the stage: one airing on its way through the outputs. Plain values and what follows from
 * them.
 */
#ifndef LOA_STAGE_RUN_H
#define LOA_STAGE_RUN_H

#include "firmware/player.h"
#include "firmware/stage.h"

enum {
    RUN_FRAMES_PER_MS = 48,   /* sound is counted at 48 kHz */
    RUN_LATE_LEAST_MS = 1000, /* a card may take this long, however strict the item is */
};

struct run {
    struct run *next;
    struct stage_airing airing;
    struct airing_evidence evidence;
    uint64_t first_id;  /* player's id of sound 0; sound i is first_id + i */
    size_t next_sound;  /* to be handed to the player */
    size_t outstanding; /* with the player */
    size_t page;        /* next to be shown */
    bool sound_failed, pages_over;
    bool over;    /* ended by itself, told by `finished` */
    bool leaving; /* ended by stage_end() */
    bool told;    /* its evidence was taken already */
    int64_t ended_elapsed_ns;
};

void run_free(struct run *run);                          /* with all that its airing points to */
bool run_has(const struct run *run, uint64_t player_id); /* NULL has none */
/* Where sound i begins, in frames since the beginning. */
int64_t run_frames_before(const struct run *run, size_t i);
bool run_sound_over(const struct run *run); /* nothing is with the player, and nothing is left for it */
/* What the player is to play next; false: nothing is left for it. `amplified`: the amplifiers make the gain. The path
 * is borrowed. */
bool run_next_item(struct run *run, bool amplified, struct player_item *ret);
/* One sound ended: what of it was heard goes into the evidence. False: it failed, the evidence's problem says how. */
bool run_heard(struct run *run, const struct player_result *result);
/* Turn to the page that is due; returns its text when another is to be shown, else NULL. *ret_next_ms: when the next
 * one is (elapsed ms), INT64_MAX: none. */
const char *run_turn(struct run *run, int64_t now_elapsed_ms, int64_t *ret_next_ms);

#endif
