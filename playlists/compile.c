/* compile.c - see compile.h. Occurrences are gathered as pairs of instant and rule, sorted, and only those that fit are
 * written out. */
#include "playlists/compile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const rule_carry_names[] = {"direct", "offer", "must", NULL};
const char *const problem_names[] = {
    [PROBLEM_NO_BULLETIN] = "no such bulletin",
    [PROBLEM_NOTHING_HERE] = "nothing in it for this device",
    [PROBLEM_EMERGENCY] = "emergency needs an order",
    [PROBLEM_HORIZON] = "horizon shortened",
    [PROBLEM_CLASH] = "clash",
    [PROBLEM_SLOT_FULL] = "slot full",
    [PROBLEM_CUT] = "cut",
    [PROBLEM_LANGUAGE_DROPPED] = "language dropped",
    [PROBLEM_QUIET_HOURS] = "quiet hours",
    [PROBLEM_LIMIT_SESSIONS] = "limit: sessions",
    [PROBLEM_LIMIT_SESSION_MINUTES] = "limit: session minutes",
    [PROBLEM_LIMIT_MINUTES] = "limit: minutes",
    [PROBLEM_LIMIT_DAYS] = "limit: days",
    [PROBLEM_NOT_TAKEN] = "not taken",
    [PROBLEM_DECLINED] = "declined",
    NULL,
};

/* An occurrence that began this long ago is over: limits of the wire are 7 days each for lateness and length. */
#define SPAN_MAX_MS (60 * INT64_C(86400000))

enum { BULLETINS_MAX = 500 }; /* of one playlist (WIRE.md) */

/* A rule that has something for this device. */
struct plan {
    const struct rule *rule;
    const struct compile_bulletin *bulletin;
    struct texts zones; /* in the arena */
    int64_t late_ms, show_ms, span_ms;
    int64_t index; /* of its bulletin in the result; -1: not used yet */
};

struct found {
    int64_t start_s;
    size_t plan;
};

struct work {
    const struct compile_bulletin **bulletins; /* by hash */
    size_t n_bulletins;
    struct plan *plans;
    size_t n_plans;
    struct found *found;
    size_t n_found, cap_found;
    int64_t from_ms, until_ms;
    struct arena *arena;
    struct compile_result *ret;
};

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

int64_t item_length_ms(const struct bulletin_use *use, int64_t show_ms)
{
    int64_t sound_ms = use->sound ? use->sound_ms : 0;
    return show_ms > sound_ms ? show_ms : sound_ms;
}

static bool within(const struct texts *areas, const struct compile_device *device, int64_t at_ms)
{
    for (size_t i = 0; i < device->n_areas; i++) {
        const struct membership *m = &device->areas[i];
        if (at_ms >= m->from_ms && at_ms < m->until_ms && texts_have(areas, m->area))
            return true;
    }
    return false;
}

bool rule_targets(const struct rule *rule, const struct compile_device *device, int64_t at_ms)
{
    if (rule->kinds.n && !texts_have(&rule->kinds, device_kind_names[device->kind]))
        return false;
    if (rule->tags.n && !texts_meet(&rule->tags, &device->tags))
        return false;
    if (texts_have(&rule->except_devices, device->id) || texts_meet(&rule->except_groups, &device->groups) ||
        within(&rule->except_areas, device, at_ms))
        return false;
    return texts_have(&rule->devices, device->id) || texts_meet(&rule->groups, &device->groups) ||
           within(&rule->areas, device, at_ms);
}

/* As whole occurrence ids compare: the id of the rule with a dot behind it. */
static int rule_id_cmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    unsigned char x = *a ? (unsigned char)*a : '.', y = *b ? (unsigned char)*b : '.';
    return (x > y) - (x < y);
}

static int plan_cmp(const void *a, const void *b)
{
    const struct plan *x = a, *y = b;
    int order = rule_id_cmp(x->rule->id, y->rule->id);
    return order ? order : strcmp(x->rule->bulletin, y->rule->bulletin);
}

/* Plans stand in the order of their rules' ids, so their numbers compare like ids. */
static int found_cmp(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->start_s != y->start_s)
        return x->start_s < y->start_s ? -1 : 1;
    return (x->plan > y->plan) - (x->plan < y->plan);
}

static int bulletin_cmp(const void *a, const void *b)
{
    const struct compile_bulletin *const *x = a, *const *y = b;
    return strcmp((*x)->hash, (*y)->hash);
}

static int blob_cmp(const void *a, const void *b)
{
    const struct blob_ref *x = a, *y = b;
    return strcmp(x->hash, y->hash);
}

static const char *keep(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

static void add_found(struct work *work, int64_t start_s, size_t plan)
{
    if (work->n_found == work->cap_found) {
        work->cap_found = work->cap_found ? work->cap_found * 2 : 256;
        work->found = realloc(work->found, work->cap_found * sizeof(work->found[0]));
        if (!work->found)
            abort();
    }
    work->found[work->n_found++] = (struct found){start_s, plan};
}

/* The occurrences of one civil day. */
static void gather_day(struct work *work, size_t index, int64_t days)
{
    const struct plan *plan = &work->plans[index];
    const struct rule *rule = plan->rule;
    for (size_t i = 0; i < rule->recur.n_times && i < RECUR_TIMES_MAX; i++) {
        int64_t start_s = zone_instant_s(rule->recur.zone, days, rule->recur.times[i], NULL);
        int64_t start_ms = start_s * 1000;
        if (start_s >= 0 && start_ms < work->until_ms && add_saturated(start_ms, plan->span_ms) > work->from_ms)
            add_found(work, start_s, index);
    }
}

static void gather_daily(struct work *work, size_t index)
{
    const struct plan *plan = &work->plans[index];
    const struct rule *rule = plan->rule;
    int64_t first = 0, last = 0;
    int32_t second;
    int64_t span_ms = plan->span_ms < SPAN_MAX_MS ? plan->span_ms : SPAN_MAX_MS;
    zone_civil(rule->recur.zone, (work->from_ms - span_ms) / 1000, &first, &second);
    zone_civil(rule->recur.zone, work->until_ms / 1000, &last, &second);
    first--; /* a change of offset moves a time over midnight */
    last++;
    if (first < rule->recur.from_date)
        first = rule->recur.from_date;
    if (last > rule->recur.until_date)
        last = rule->recur.until_date;
    for (int64_t days = first; days <= last; days++)
        gather_day(work, index, days);
}

static void gather(struct work *work, size_t index)
{
    switch (work->plans[index].rule->recur.when) {
    case WHEN_ONCE:
        gather_day(work, index, work->plans[index].rule->recur.date);
        break;
    default:
        gather_daily(work, index);
        break;
    }
}

static const struct compile_bulletin *find_bulletin(const struct work *work, const char *hash)
{
    struct compile_bulletin wanted = {.hash = hash};
    const struct compile_bulletin *key = &wanted;
    const struct compile_bulletin **at =
        work->n_bulletins ? bsearch(&key, work->bulletins, work->n_bulletins, sizeof(work->bulletins[0]), bulletin_cmp)
                          : NULL;
    return at ? *at : NULL;
}

/* What keeps the rule from being used here, or PROBLEMS; then the plan is complete. */
static enum problem_what fill_plan(const struct work *work, const struct compile_device *device, struct plan *plan)
{
    const struct rule *rule = plan->rule;
    plan->late_ms = rule->late_ms < 0 ? LATE_DEFAULT_MS : rule->late_ms;
    plan->span_ms = add_saturated(plan->late_ms, END_MARGIN_MS);
    plan->index = -1;
    plan->bulletin = find_bulletin(work, rule->bulletin);
    if (rule->class == CLASS_EMERGENCY)
        return PROBLEM_EMERGENCY;
    if (!plan->bulletin)
        return PROBLEM_NO_BULLETIN;
    struct bulletin_use use = bulletin_use(plan->bulletin->bulletin, &device->languages, device->kind);
    if (!use.sound && !use.text)
        return PROBLEM_NOTHING_HERE;
    plan->show_ms = use.text ? rule->show_ms : 0;
    if (use.text && !use.sound && plan->show_ms == 0)
        plan->show_ms = SHOW_DEFAULT_MS;
    plan->span_ms = add_saturated(plan->span_ms, item_length_ms(&use, plan->show_ms));
    return PROBLEMS;
}

static void add_problem(struct work *work, const char *rule, int64_t start_ms, enum problem_what what)
{
    struct compile_problem *p = &work->ret->problems[work->ret->n_problems++];
    *p = (struct compile_problem){
        .rule = keep(work->arena, rule), .what = what, .why = problem_names[what], .start_ms = start_ms, .count = 1};
}

/* Plans of all rules that target the device, in the order of their ids. */
static void make_plans(struct work *work, const struct rule *rules, size_t n_rules, const struct compile_device *device)
{
    work->plans = xcalloc(n_rules ? n_rules : 1, sizeof(work->plans[0]));
    for (size_t i = 0; i < n_rules; i++)
        if (rule_targets(&rules[i], device, work->from_ms) && rules[i].bulletin)
            work->plans[work->n_plans++] = (struct plan){.rule = &rules[i]};
    qsort(work->plans, work->n_plans, sizeof(work->plans[0]), plan_cmp);
    work->ret->problems = arena_alloc(work->arena, (work->n_plans + 1) * sizeof(work->ret->problems[0]));
    for (size_t i = 0; i < work->n_plans; i++) {
        struct plan *plan = &work->plans[i];
        enum problem_what why = fill_plan(work, device, plan);
        size_t before = work->n_found;
        gather(work, i);
        if (why != PROBLEMS && work->n_found > before) {
            qsort(work->found + before, work->n_found - before, sizeof(work->found[0]), found_cmp);
            add_problem(work, plan->rule->id, work->found[before].start_s * 1000, why);
        }
        if (why != PROBLEMS)
            work->n_found = before;
    }
}

static struct texts keep_texts(struct arena *arena, const struct texts *from)
{
    struct texts to = {.n = from->n};
    if (from->n)
        to.at = arena_alloc(arena, from->n * sizeof(to.at[0]));
    for (size_t i = 0; i < from->n; i++)
        to.at[i] = keep(arena, from->at[i]);
    return to;
}

/* False when the playlist holds no further bulletin. */
static bool use_bulletin(struct work *work, struct plan *plan)
{
    struct compile_result *ret = work->ret;
    const struct compile_bulletin *from = plan->bulletin;
    for (size_t i = 0; i < ret->n_bulletins && plan->index < 0; i++)
        if (strcmp(ret->bulletins[i].hash, from->hash) == 0)
            plan->index = (int64_t)i;
    if (plan->index < 0 && ret->n_bulletins == BULLETINS_MAX)
        return false;
    plan->zones = keep_texts(work->arena, &plan->rule->zones);
    if (plan->index >= 0)
        return true;
    plan->index = (int64_t)ret->n_bulletins;
    struct playlist_bulletin *to = &ret->bulletins[ret->n_bulletins++];
    *to = (struct playlist_bulletin){.hash = keep(work->arena, from->hash), .size = from->size};
    to->n_approvals = from->n_approvals;
    to->approvals = arena_alloc(work->arena, (from->n_approvals + 1) * sizeof(to->approvals[0]));
    for (size_t i = 0; i < from->n_approvals; i++)
        to->approvals[i] = (struct blob_ref){keep(work->arena, from->approvals[i].hash), from->approvals[i].size};
    qsort(to->approvals, to->n_approvals, sizeof(to->approvals[0]), blob_cmp);
    return true;
}

static void write_item(struct work *work, const struct found *found)
{
    const struct plan *plan = &work->plans[found->plan];
    const struct rule *rule = plan->rule;
    char id[128];
    snprintf(id, sizeof(id), "%s.%" PRId64, rule->id, found->start_s);
    work->ret->items[work->ret->n_items++] = (struct playlist_item){
        .id = keep(work->arena, id),
        .bulletin = plan->index,
        .start_ms = found->start_s * 1000,
        .end_ms = add_saturated(found->start_s * 1000, plan->span_ms),
        .class = (int)rule->class,
        .policy = (int)rule->policy,
        .late_ms = plan->late_ms,
        .wait_ms = rule->wait_ms,
        .gain_mb = rule->gain_mb,
        .show_ms = plan->show_ms,
        .catch_up_ms = rule->catch_up_ms,
        .zones = plan->zones,
    };
}

static bool same_occurrence(const struct work *work, const struct found *a, const struct found *b)
{
    return a->start_s == b->start_s && strcmp(work->plans[a->plan].rule->id, work->plans[b->plan].rule->id) == 0;
}

static void write_items(struct work *work, size_t max_items)
{
    if (work->n_found)
        qsort(work->found, work->n_found, sizeof(work->found[0]), found_cmp);
    size_t cap = work->n_found < max_items ? work->n_found : max_items;
    work->ret->items = arena_alloc(work->arena, (cap + 1) * sizeof(work->ret->items[0]));
    work->ret->bulletins = arena_alloc(work->arena, (work->n_plans + 1) * sizeof(work->ret->bulletins[0]));
    for (size_t i = 0; i < work->n_found; i++) {
        if (i > 0 && same_occurrence(work, &work->found[i - 1], &work->found[i]))
            continue;
        struct plan *plan = &work->plans[work->found[i].plan];
        if (work->ret->n_items == cap || (plan->index < 0 && !use_bulletin(work, plan))) {
            int64_t start_ms = work->found[i].start_s * 1000;
            work->ret->until_ms = start_ms > work->from_ms ? start_ms : work->from_ms;
            add_problem(work, plan->rule->id, start_ms, PROBLEM_HORIZON);
            return;
        }
        write_item(work, &work->found[i]);
    }
}

void compile(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins, size_t n_bulletins,
             const struct compile_device *device, int64_t from_ms, int64_t until_ms, size_t max_items,
             struct arena *arena, struct compile_result *ret)
{
    *ret = (struct compile_result){.until_ms = until_ms};
    struct work work = {
        .n_bulletins = n_bulletins, .from_ms = from_ms, .until_ms = until_ms, .arena = arena, .ret = ret};
    work.bulletins = xcalloc(n_bulletins ? n_bulletins : 1, sizeof(work.bulletins[0]));
    for (size_t i = 0; i < n_bulletins; i++)
        work.bulletins[i] = &bulletins[i];
    qsort(work.bulletins, n_bulletins, sizeof(work.bulletins[0]), bulletin_cmp);
    make_plans(&work, rules, n_rules, device);
    write_items(&work, max_items);
    free(work.bulletins);
    free(work.plans);
    free(work.found);
}
