/* simulate.h - a device's days ahead of time: the agent's own arbiter on a simulated clock, beside perfect outputs.
 *
 * Yields the receipts that the device will write if nothing else happens than what the script says. Threads one ledger
 * through all of it, asks when the arbiter said so, ends what is on when its length is over, stores the ledger as the
 * agent does, and after a power cut goes on with what was stored. Not in it: a place's delay, outputs that are late or
 * fail, sounds that have not arrived. Pure; any thread. */
#ifndef LOA_SIMULATE_H
#define LOA_SIMULATE_H

#include "playlists/arbiter.h"
#include "playlists/base/civil.h"

/* How often the agent stores the ledger while something is on: so much may be heard again after a power cut. */
enum { SIMULATE_STORE_MS = 5000 };

struct sim_item {
    const char *occurrence;
    const char *bulletin; /* hash; NULL: a relay */
    const char *exempt;   /* number of the order; NULL: none */
    struct air_item air;
};

/* One playlist, in any order. */
struct sim_list {
    const struct sim_item *items;
    size_t n;
};

enum sim_turn_kind {
    SIM_LIST,  /* lists[list] is in force from here on; before the first one nothing is */
    SIM_OFF,   /* the agent is gone, as by a power cut */
    SIM_ON,    /* the agent starts */
    SIM_CLOCK, /* the device's trusted time is `ahead_ms` ahead of true time */
    SIM_GRADE, /* the device's time is of this grade */
    SIM_ASK,   /* it asks its arbiter once, before what follows at the same moment; else only after all of that */
};

/* Something that happens, in true time. Of several at one moment the order counts. */
struct sim_turn {
    int64_t at_ms;
    enum sim_turn_kind kind;
    size_t list;
    int64_t ahead_ms;
    enum time_grade grade;
    bool same_boot; /* SIM_ON: the box itself was never off */
};

struct sim_case {
    int64_t from_ms, until_ms; /* true time; the agent starts at from_ms, with a vault that knows nothing */
    enum time_grade grade;     /* at from_ms */
    const struct sim_list *lists;
    size_t n_lists;
    const struct sim_turn *turns; /* by time */
    size_t n_turns;
    const struct config *config; /* for its quiet hours; NULL: `quiet` */
    const struct zone *zone;     /* of the configuration */
    const struct quiet_span *quiet;
    size_t n_quiet;
};

struct sim_receipt {
    const struct sim_item *item; /* as it was when it began, or when it was given up */
    int64_t planned_ms, started_ms, ended_ms;
    int64_t heard_ms;
    enum reason reason;
    const char *exempt; /* what let it pass quiet hours: its item's order, or "emergency"; NULL: nothing had to */
};

/* In the order in which they come; in `arena`, with pointers into the case. What is still on at until_ms has none. */
void simulate(const struct sim_case *wanted, struct arena *arena, struct sim_receipt **ret_receipts, size_t *ret_n);

/* The same as a list: every item may be played. `length_ms` of each item is what the device makes of it
 * (item_length_ms); texts are borrowed. */
struct sim_item sim_item_of(const struct playlist *playlist, const struct playlist_item *item, int64_t length_ms);

#endif
