/* days.h - seeded days: rules of a site, compiled as the planner does it, edited while they play; and the script that
 * simulate() needs to foretell what a real agent makes of them. */
#ifndef LOA_SIM_DAYS_H
#define LOA_SIM_DAYS_H

#include "playlists/compile.h"
#include "playlists/simulate.h"
#include "tests/sim/sim.h"

enum { DAYS_RULES_MAX = 16, DAYS_LISTS_MAX = 400, DAYS_BULLETINS = 5, DAYS_TURNS_MAX = 4000 };

enum days_edit {
    EDIT_ADD,
    EDIT_CHANGE, /* another bulletin, class, policy or lateness */
    EDIT_MOVE,   /* other times */
    EDIT_DELETE,
    EDIT_RENAME, /* what is heard stays: a new version with the same items */
    EDIT_EXCEPT, /* not today */
    EDIT_UNDO,   /* as it was before the last edit */
    EDITS,
};
extern const char *const days_edit_names[];

/* What is on the timetable, and every version of it that was published. */
struct days_plan {
    struct chance chance;
    struct arena *arena;
    struct centre *centre;
    struct zone *zone;
    enum device_kind kind;
    int64_t from_ms, until_ms; /* nothing is planned outside */
    struct compile_bulletin bulletins[DAYS_BULLETINS];
    struct rule rules[DAYS_RULES_MAX], before[DAYS_RULES_MAX];
    size_t n_rules, n_before;
    unsigned made;
    struct sim_list lists[DAYS_LISTS_MAX];
    int64_t vers[DAYS_LISTS_MAX];
    size_t n_lists;
};

/* Rules by chance, and their first timetable; nothing is published yet. */
void days_plan_make(struct days_plan *plan);
void days_plan_edit(struct days_plan *plan, enum days_edit edit);
/* What the rules say now becomes the centre's timetable. Then publish, and: */
void days_plan_compile(struct days_plan *plan);
void days_plan_published(struct days_plan *plan); /* the centre's newest playlist says that */
/* A moment while something is on, or near its start; INT64_MAX: nothing comes in [from_ms, until_ms). */
int64_t days_plan_moment(struct days_plan *plan, int64_t from_ms, int64_t until_ms);

#endif
