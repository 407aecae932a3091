/* compile_place.c - one after the other, what must be carried first: what overlaps within a class is moved or left out,
 * what falls into quiet hours is left out; and the list of what was left out. */
#include "playlists/compile_set.h"

#include <stdlib.h>
#include <string.h>

/* What is on in one class. */
struct busy {
    int64_t end_ms;
    const struct rule *rule;  /* whose it is */
    const struct rule *cause; /* and by whom it is where it is */
};

/* Spots find their places in two rounds, each in the order of time. Those that must be carried are firm: in the second
 * round the others go round them. */
struct placing {
    struct timeline *timeline;
    struct spot *spots; /* those with a place; the firm ones first, by start */
    size_t n, n_firm;
    struct busy busy[CLASS_EMERGENCY + 1];
    size_t firm[CLASS_EMERGENCY + 1]; /* the first firm one that is not over */
};

int64_t rule_late_ms(const struct rule *rule)
{
    return rule->late_ms < 0 ? LATE_DEFAULT_MS : rule->late_ms;
}

int64_t rule_begin_ms(const struct rule *rule)
{
    int64_t late_ms = rule_late_ms(rule);
    return rule->catch_up_ms > late_ms ? rule->catch_up_ms : late_ms;
}

static struct compile_problem *told(struct timeline *timeline, const struct compile_problem *wanted)
{
    for (size_t i = timeline->n_problems; i > 0; i--) {
        struct compile_problem *p = &timeline->problems[i - 1];
        if (p->what == wanted->what && p->warning == wanted->warning && strcmp(p->rule, wanted->rule) == 0 &&
            strcmp(p->other ? p->other : "", wanted->other ? wanted->other : "") == 0)
            return p;
    }
    return NULL;
}

void timeline_problem(struct timeline *timeline, const struct rule *rule, enum problem_what what,
                      const struct rule *other, int64_t start_ms, bool warning)
{
    struct compile_problem problem = {.rule = rule->id,
                                      .what = what,
                                      .why = problem_names[what],
                                      .other = other ? other->id : NULL,
                                      .start_ms = start_ms,
                                      .count = 1,
                                      .warning = warning};
    if (add_saturated(start_ms, rule_begin_ms(rule)) < timeline->set->from_ms)
        return;
    struct compile_problem *known = told(timeline, &problem);
    if (known) {
        known->start_ms = start_ms < known->start_ms ? start_ms : known->start_ms;
        known->count++;
        return;
    }
    if (timeline->n_problems == timeline->cap_problems) {
        timeline->cap_problems = timeline->cap_problems ? timeline->cap_problems * 2 : 8;
        timeline->problems = realloc(timeline->problems, timeline->cap_problems * sizeof(timeline->problems[0]));
        if (!timeline->problems)
            abort();
    }
    timeline->problems[timeline->n_problems++] = problem;
}

int64_t timeline_quiet_from(const struct timeline *timeline, enum limit_action action, int64_t from_ms, int64_t to_ms)
{
    return limits_span_from(timeline->quiet[action].at, timeline->quiet[action].n, from_ms, to_ms);
}

static void find_quiet(struct timeline *timeline)
{
    const struct compile_set *set = timeline->set;
    for (int action = LIMIT_WARN; action <= LIMIT_REFUSE; action++)
        timeline->quiet[action].n =
            limits_quiet_spans(&timeline->profile.limits, (enum limit_action)action, set->back_ms,
                               set->until_ms + SET_DAY_MS, &timeline->quiet[action].at);
}

/* By start, then rule, then place in the session; plans stand in the order of their rules. */
static int spot_cmp(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    if (x->plan != y->plan)
        return x->plan < y->plan ? -1 : 1;
    if (x->occurrence_s != y->occurrence_s)
        return x->occurrence_s < y->occurrence_s ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

int64_t spot_late_ms(const struct spot *spot, const struct rule *rule)
{
    int64_t late_ms = rule_late_ms(rule);
    return spot->seq > 0 && late_ms < PART_LATE_MS ? PART_LATE_MS : late_ms;
}

/* Behind the firm ones that it would overlap from *at_ms on. Spots come by start: what is over stays over. */
static void go_round_firm(struct placing *p, const struct spot *spot, int64_t *at_ms, const struct rule **cause)
{
    size_t *first = &p->firm[spot->class];
    for (size_t i = *first; i < p->n_firm && p->spots[i].start_ms < *at_ms + spot->length_ms; i++) {
        const struct spot *firm = &p->spots[i];
        int64_t end_ms = firm->start_ms + firm->length_ms;
        if (i == *first && (firm->class != spot->class || end_ms <= spot->start_ms))
            ++*first;
        if (firm->class != spot->class || end_ms <= *at_ms)
            continue;
        *at_ms = end_ms;
        *cause = p->timeline->plans[firm->plan].rule;
    }
}

/* Behind what is on in its class; false when that is too late. */
static bool place(struct placing *p, struct busy *busy, struct spot *spot)
{
    const struct rule *rule = p->timeline->plans[spot->plan].rule, *cause = rule;
    int64_t at_ms = spot->start_ms;
    if (at_ms < busy->end_ms) {
        at_ms = busy->end_ms;
        cause = busy->rule == rule ? busy->cause : busy->rule;
    }
    go_round_firm(p, spot, &at_ms, &cause);
    if (at_ms - spot->start_ms > spot_late_ms(spot, rule)) {
        timeline_problem(p->timeline, rule, PROBLEM_CLASH, cause, spot->occurrence_s * 1000, false);
        return false;
    }
    spot->moved_ms = at_ms - spot->start_ms;
    spot->start_ms = at_ms;
    busy->rule = rule;
    busy->cause = cause;
    return true;
}

/* False when it is refused. What may begin late enough to come into quiet hours needs the exemption too. */
static bool quiet_allows(struct timeline *timeline, struct spot *spot)
{
    const struct plan *plan = &timeline->plans[spot->plan];
    int64_t from_ms = spot->start_ms, to_ms = from_ms + spot->length_ms;
    int64_t last_ms = add_saturated(to_ms, rule_begin_ms(plan->rule));
    int64_t at_ms = timeline_quiet_from(timeline, LIMIT_REFUSE, from_ms, last_ms);
    if (at_ms < last_ms)
        spot->exempt = limits_exempt(&timeline->profile.limits, LIMIT_QUIET_HOURS, spot->occurrence_s * 1000);
    if (at_ms < to_ms && !spot->exempt) {
        timeline_problem(timeline, plan->rule, PROBLEM_QUIET_HOURS, NULL, spot->occurrence_s * 1000, false);
        return false;
    }
    if (timeline_quiet_from(timeline, LIMIT_WARN, from_ms, to_ms) < to_ms)
        timeline_problem(timeline, plan->rule, PROBLEM_QUIET_HOURS, NULL, spot->occurrence_s * 1000, true);
    return true;
}

static bool is_firm(const struct timeline *timeline, const struct spot *spot)
{
    return timeline->plans[spot->plan].rule->carry == CARRY_MUST;
}

/* Those of one round among `n` spots by start. */
static void place_round(struct placing *p, const struct spot *spots, size_t n, bool firm)
{
    for (size_t i = 0; i < sizeof(p->busy) / sizeof(p->busy[0]); i++)
        p->busy[i] = (struct busy){.end_ms = INT64_MIN};
    for (size_t i = 0; i < n; i++) {
        struct spot spot = spots[i];
        struct busy mine = p->busy[spot.class];
        if (is_firm(p->timeline, &spot) != firm || !place(p, &mine, &spot) || !quiet_allows(p->timeline, &spot))
            continue;
        mine.end_ms = spot.start_ms + spot.length_ms;
        p->busy[spot.class] = mine;
        p->spots[p->n++] = spot;
    }
}

static void place_all(struct timeline *timeline, const struct spot *spots, size_t n)
{
    struct placing p = {.timeline = timeline};
    if (n == 0)
        return;
    p.spots = xcalloc(n, sizeof(p.spots[0]));
    place_round(&p, spots, n, true);
    qsort(p.spots, p.n, sizeof(p.spots[0]), spot_cmp);
    p.n_firm = p.n;
    place_round(&p, spots, n, false);
    qsort(p.spots, p.n, sizeof(p.spots[0]), spot_cmp);
    timeline->n_spots = p.n;
    timeline->spots = p.n > 0 ? realloc(p.spots, p.n * sizeof(p.spots[0])) : NULL;
    if (p.n == 0)
        free(p.spots);
    else if (!timeline->spots)
        abort();
}

static int problem_cmp(const void *a, const void *b)
{
    const struct compile_problem *x = a, *y = b;
    int order = rule_id_cmp(x->rule, y->rule);
    if (order == 0)
        order = (int)x->what - (int)y->what;
    if (order == 0)
        order = strcmp(x->other ? x->other : "", y->other ? y->other : "");
    return order ? order : (int)x->warning - (int)y->warning;
}

void timeline_make(struct compile_set *set, struct timeline *timeline)
{
    struct spot *spots;
    size_t n;
    find_quiet(timeline);
    timeline_plan(set, timeline);
    timeline_lay(timeline, &spots, &n);
    if (n > 0)
        qsort(spots, n, sizeof(spots[0]), spot_cmp);
    place_all(timeline, spots, n);
    free(spots);
    if (timeline->n_problems > 0)
        qsort(timeline->problems, timeline->n_problems, sizeof(timeline->problems[0]), problem_cmp);
}
