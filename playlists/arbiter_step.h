/* arbiter_step.h - inside of the arbiter: one step in the making, shared by arbiter.c (the order of things),
 * arbiter_items.c, arbiter_orders.c, arbiter_holds.c (silences, pauses, quiet hours) and arbiter_marks.c (what the
 * ledger remembers). */
#ifndef LOA_ARBITER_STEP_H
#define LOA_ARBITER_STEP_H

#include "playlists/arbiter.h"

#define NONE SIZE_MAX

/* Something that could be on from now, or from its instant a little ahead. */
struct candidate {
    enum on_kind kind; /* ON_NOTHING: no candidate */
    size_t index;      /* into items or orders */
    enum air_class class;
    uint64_t key;
    int64_t planned_ms;
    uint64_t turn; /* orders */
    int64_t at_ms; /* when it can begin: now, or up to ARBITER_LEAD_MS ahead */
    bool soon;     /* keeps its place, but cannot begin yet */
};

struct step {
    const struct arbiter_inputs *in;
    struct ledger *ledger;
    struct decision *decision;
    bool known;      /* there is trusted time */
    bool was_silent; /* a silence of all zones was adopted before this step */
    bool silent;     /* all zones are muted */
    uint32_t muted_zones;
    bool emergency_gap; /* an emergency is between two repetitions */
    bool cut_now;       /* a candidate may cut what is on */
    struct candidate best;
    enum reason held; /* why what is due is not on; ON_TIME: nothing is due */
    enum air_class on_class;
    size_t on_index;
};

/* The step is to be repeated at `at_ms`, or earlier. */
void step_wake(struct step *step, int64_t at_ms);
/* The same after a span of elapsed time. */
void step_wake_in(struct step *step, int64_t span_ms);
/* Tell an end. False when no more fit into this step: nothing was told then, the step is repeated at once. `keep`
 * places stay free. */
bool step_end(struct step *step, const struct ended *ended, size_t keep);
void step_offer(struct step *step, const struct candidate *candidate, bool may_cut);
/* What is due cannot be on, for this reason. */
void step_held(struct step *step, enum reason reason);
enum reason step_begun_reason(int64_t planned_ms, int64_t started_ms);

/* How far the one that is on has come; length_ms 0: no limit. */
void step_count_heard(struct step *step, int64_t length_ms);
int64_t step_add_capped(int64_t a, int64_t b);

/* arbiter_items.c */
void items_check_on(struct step *step);                   /* may the one that is on go on? */
void items_cut_on(struct step *step, enum reason reason); /* the one that is on stops before its end */
void items_sweep(struct step *step);                      /* ends and candidates */
void items_begin(struct step *step, size_t index);

/* arbiter_holds.c */
void holds_adopt(struct step *step); /* silences and lifts into the ledger; what is muted */
bool holds_in_force(const struct step *step, const struct air_order *order);
bool holds_cancelled(const struct step *step, uint64_t key);
bool holds_recalled(const struct step *step, uint64_t bulletin);
bool holds_silenced(const struct step *step, uint32_t zones);
/* Whom a hold is asked about. */
struct held_one {
    bool below_pause, below_quiet; /* pauses, quiet hours hold it */
    uint32_t zones;
};
struct held_one holds_item(const struct air_item *item);
struct held_one holds_order(const struct air_order *order);
/* What holds it at this instant; ON_TIME: nothing does. */
enum reason holds_at(const struct step *step, struct held_one one, int64_t at_ms);
bool holds_quiet(const struct step *step, int64_t at_ms); /* quiet hours, whomever they hold */
/* The first instant from *at_ms on, and not more than ARBITER_LEAD_MS from now, at which nothing holds it; else what
 * does. */
enum reason holds_free_at(const struct step *step, struct held_one one, int64_t *at_ms);
void holds_wake(struct step *step);

/* arbiter_marks.c */
bool marks_done(const struct ledger *ledger, uint64_t key);
void marks_add_done(struct step *step, int64_t start_ms, uint64_t key);
int marks_order(int64_t start_a, uint64_t key_a, int64_t start_b, uint64_t key_b);
struct order_mark *marks_find_order(struct ledger *ledger, uint64_t key);
bool marks_have_room(struct step *step, uint64_t order); /* it has a mark, or could have one */
/* The order's mark, made when it has none; NULL when all places hold orders that count. */
struct order_mark *marks_take_order(struct step *step, const struct air_order *order);
struct cut_mark *marks_find_cut(struct ledger *ledger, uint64_t key);
void marks_drop_cut(struct ledger *ledger, uint64_t key);
size_t marks_find_item(const struct arbiter_inputs *in, int64_t planned_ms, uint64_t key); /* NONE: not there */
size_t marks_find_input_order(const struct arbiter_inputs *in, uint64_t key);

/* arbiter_orders.c */
enum air_class orders_class(const struct air_order *order);
void orders_restarted(struct step *step);                /* the one that was on is not on any more */
void orders_check_on(struct step *step);                 /* may the one that is on go on? */
void orders_stop(struct step *step, enum reason reason); /* the one that is on stops before its end */
void orders_sweep(struct step *step);                    /* ends and candidates */
void orders_begin(struct step *step, size_t index);

#endif
