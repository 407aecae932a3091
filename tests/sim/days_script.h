/* days_script.h - what a real agent was told, and when, as the script from which simulate() is to foretell its
 * receipts: its playlist, what of it was being hashed, whether its time is trusted and how far it is off, its starts.
 */
#ifndef LOA_SIM_DAYS_SCRIPT_H
#define LOA_SIM_DAYS_SCRIPT_H

#include "tests/sim/days.h"

struct days_script {
    struct world *world;    /* borrowed */
    struct days_plan *plan; /* borrowed; gains the lists that were asked with while sounds were being checked */
    struct sim_turn turns[DAYS_TURNS_MAX];
    size_t n_turns;
    int64_t ahead_ms, ver;
    int64_t asked_ms; /* of the latest questions that were seen: */
    size_t n_asked;   /* as many, at one moment and not yet in the script */
    bool known;
    bool strange; /* the agent had a playlist that was not published */
};

/* Now; behind the questions that were asked at this very moment. */
void days_script_add(struct days_script *script, struct sim_turn turn);
/* The agent has asked its arbiter: with which playlist, and by which time? */
void days_script_observe(struct days_script *script);

#endif
