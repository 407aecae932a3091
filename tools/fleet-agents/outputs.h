/* outputs.h - the outputs of a perfect box, behind firmware/stage.h: nothing is put out, all of it is proven.
 *
 * Linked beside loa_firmware in place of loa_stage. Every airing begins when it is due, is heard and seen in full while
 * it is on, and ends by itself when its sounds and pages are over; one that is cut proves what was on until then. What
 * the site file wires is what takes part: a sound without a card fails as it would there. Time comes from
 * playlists/base/clock.h and timers from the loop that stage_new() is given, nothing else, so that a simulated clock
 * and a simulated loop are enough to run days of it. A stage without an airing has no timer and costs nothing. */
#ifndef LOA_OUTPUTS_H
#define LOA_OUTPUTS_H

#include "firmware/stage.h"

struct outputs_change {
    const struct site *site;           /* tells the boxes of one process apart */
    const struct stage_airing *airing; /* borrowed for the call */
    bool begins;                       /* false: it ended, by itself or cut */
    bool cut;                          /* with an end: before its own */
    int64_t at_elapsed_ms;
};
typedef void (*outputs_seen_fn)(void *arg, const struct outputs_change *change);

/* Be told of whatever any stage of this process puts on and takes off; NULL: nobody. Set before the first stage is
 * made; called on the loop thread of the stage. An airing whose end nobody asked for before stage_free() ends there. */
void outputs_watch(outputs_seen_fn seen, void *arg);

/* Be told whenever an agent has asked its arbiter and told its stage what comes next: the playlist that it holds then
 * is the one that it acts on. The same rules as above. */
typedef void (*outputs_decided_fn)(void *arg, const struct site *site);
void outputs_watch_decisions(outputs_decided_fn decided, void *arg);

#endif
