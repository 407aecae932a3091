/* compile_place.c - one after the other: what overlaps within a class is moved or left out, what falls into quiet hours
 * is left out; and the list of what was left out. */
#include "playlists/compile_set.h"

#include <stdlib.h>
#include <string.h>

/* What is on in one class. */
struct busy {
    int64_t end_ms;
    const struct rule *rule;  /* whose it is */
    const struct rule *cause; /* and by whom it is where it is */
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

/* Behind what is on in its class; false when that is too late. */
static bool place(struct timeline *timeline, struct busy *busy, struct spot *spot)
{
    const struct rule *rule = timeline->plans[spot->plan].rule;
    const struct rule *cause = rule;
    if (spot->start_ms < busy->end_ms) {
        int64_t moved_ms = busy->end_ms - spot->start_ms;
        cause = busy->rule == rule ? busy->cause : busy->rule;
        if (moved_ms > spot_late_ms(spot, rule)) {
            timeline_problem(timeline, rule, PROBLEM_CLASH, cause, spot->occurrence_s * 1000, false);
            return false;
        }
        spot->moved_ms = moved_ms;
        spot->start_ms = busy->end_ms;
    }
    *busy = (struct busy){.end_ms = busy->end_ms, .rule = rule, .cause = cause};
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

static void place_all(struct timeline *timeline, struct spot *spots, size_t n)
{
    struct busy busy[CLASS_EMERGENCY + 1] = {{INT64_MIN, NULL, NULL}};
    size_t kept = 0;
    for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
        busy[i].end_ms = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        struct spot spot = spots[i];
        struct busy mine = busy[spot.class];
        if (!place(timeline, &mine, &spot) || !quiet_allows(timeline, &spot))
            continue;
        mine.end_ms = spot.start_ms + spot.length_ms;
        busy[spot.class] = mine;
        spots[kept++] = spot;
    }
    if (kept > 0)
        qsort(spots, kept, sizeof(spots[0]), spot_cmp);
    timeline->spots = kept > 0 ? realloc(spots, kept * sizeof(spots[0])) : NULL;
    timeline->n_spots = kept;
    if (kept == 0)
        free(spots);
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
    if (timeline->n_problems > 0)
        qsort(timeline->problems, timeline->n_problems, sizeof(timeline->problems[0]), problem_cmp);
}
