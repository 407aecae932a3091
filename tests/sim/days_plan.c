/* days_plan.c - see days.h: the timetable of a seeded day, and its edits. */
#include "tests/sim/days.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400, MINUTE_MS = 60000, NIGHT_S = 7200 };

const char *const days_edit_names[] = {"added", "changed", "moved", "deleted", "renamed", "excepted", "undone"};

static const char *here[] = {"a001"}, *spoken[] = {"vi"};
static const struct membership home = {"a001", INT64_MIN, INT64_MAX};
static const int64_t lengths_ms[DAYS_BULLETINS] = {7300, 19900, 41700, 83300, 12100};
static const char *const order_number = "12/QĐ-UBND";

static int64_t among(struct days_plan *plan, const int64_t *values, uint32_t n)
{
    return values[chance_below(&plan->chance, n)];
}

/* --- bulletins --- */

static void make_bulletin(struct days_plan *plan, size_t i)
{
    char id[8];
    snprintf(id, sizeof(id), "b%zu", i);
    size_t at = centre_bulletin(plan->centre, id, "Thông báo", lengths_ms[i]);
    const struct playlist_bulletin *ref = &plan->centre->bulletins[at].ref;
    const struct centre_blob *blob = centre_blob(plan->centre, ref->hash);
    struct bulletin *bulletin = NULL;
    if (bulletin_decode(blob->data, blob->len, plan->arena, &bulletin, NULL) < 0)
        abort();
    plan->bulletins[i] = (struct compile_bulletin){.hash = ref->hash,
                                                   .size = ref->size,
                                                   .bulletin = bulletin,
                                                   .approvals = ref->approvals,
                                                   .n_approvals = ref->n_approvals};
}

static const char *some_bulletin(struct days_plan *plan)
{
    return plan->bulletins[chance_below(&plan->chance, DAYS_BULLETINS)].hash;
}

/* --- rules --- */

/* Near midnight, in the night in which clocks change, on the minute of another rule, or anywhere. */
static int32_t some_time(struct days_plan *plan)
{
    static const int64_t edges[] = {DAY_S - 1, 0, DAY_S - 60, 1};
    uint32_t luck = chance_below(&plan->chance, 8);
    if (luck == 0)
        return (int32_t)among(plan, edges, 4);
    if (luck == 1)
        return NIGHT_S + (int32_t)chance_below(&plan->chance, 3600);
    if (luck <= 3 && plan->n_rules > 0) {
        const struct recurrence *recur = &plan->rules[chance_below(&plan->chance, (uint32_t)plan->n_rules)].recur;
        return recur->times[0] + (int32_t)chance_below(&plan->chance, 2) * 10;
    }
    return (int32_t)chance_below(&plan->chance, DAY_S);
}

static void set_times(struct days_plan *plan, struct rule *rule)
{
    rule->recur.n_times = 1 + chance_below(&plan->chance, 7);
    for (size_t i = 0; i < rule->recur.n_times; i++)
        rule->recur.times[i] = some_time(plan) % DAY_S;
}

static const struct session *some_session(struct days_plan *plan)
{
    struct session *session = arena_alloc(plan->arena, sizeof(*session));
    struct session_part *parts = arena_alloc(plan->arena, 4 * sizeof(*parts));
    *session = (struct session){.parts = parts,
                                .n_parts = 1 + chance_below(&plan->chance, 3),
                                .plays = 1 + chance_below(&plan->chance, 2),
                                .gap_ms = chance_hit(&plan->chance, 50) ? 0 : 7000,
                                .length_ms = chance_hit(&plan->chance, 50) ? 0 : 2 * MINUTE_MS,
                                .overrun = chance_hit(&plan->chance, 50) ? OVERRUN_CUT : OVERRUN_MID_SENTENCE};
    for (size_t i = 0; i < session->n_parts; i++)
        parts[i] = (struct session_part){.bulletin = some_bulletin(plan), .class = -1};
    if (chance_hit(&plan->chance, 25))
        parts[session->n_parts++] = (struct session_part){.source = "VOV1", .length_ms = 30000, .class = -1};
    if (chance_hit(&plan->chance, 50))
        session->opening = session->closing = plan->bulletins[0].hash;
    return session;
}

static void set_manner(struct days_plan *plan, struct rule *rule)
{
    static const int64_t lates[] = {-1, 0, 30000, 300000}, waits[] = {0, 10000, 700000};
    static const int64_t catch_ups[] = {0, 0, 7200000};
    rule->class = (enum air_class)chance_below(&plan->chance, CLASS_EMERGENCY);
    rule->policy = (enum cut_policy)chance_below(&plan->chance, 3);
    rule->late_ms = among(plan, lates, 4);
    rule->wait_ms = among(plan, waits, 3);
    rule->catch_up_ms = among(plan, catch_ups, 3);
}

static void add_rule(struct days_plan *plan)
{
    if (plan->n_rules == DAYS_RULES_MAX)
        return;
    struct rule *rule = &plan->rules[plan->n_rules];
    char id[16];
    snprintf(id, sizeof(id), "%s%u", chance_hit(&plan->chance, 25) ? "x" : "r", ++plan->made);
    *rule = (struct rule){
        .id = arena_strndup(plan->arena, id, strlen(id)),
        .recur = {.when = WHEN_DAILY, .zone = plan->zone, .from_date = INT64_MIN, .until_date = INT64_MAX},
        .areas = {here, 1}};
    set_times(plan, rule);
    set_manner(plan, rule);
    if (chance_hit(&plan->chance, 20))
        rule->session = some_session(plan);
    else
        rule->bulletin = some_bulletin(plan);
    plan->n_rules++;
}

void days_plan_make(struct days_plan *plan)
{
    for (size_t i = 0; i < DAYS_BULLETINS; i++)
        make_bulletin(plan, i);
    for (size_t n = 3 + chance_below(&plan->chance, 6); plan->n_rules < n;)
        add_rule(plan);
    memcpy(plan->before, plan->rules, sizeof(plan->rules));
    plan->n_before = plan->n_rules;
    days_plan_compile(plan);
}

/* --- edits --- */

static void except_today(struct days_plan *plan, struct rule *rule)
{
    int64_t *days = arena_alloc(plan->arena, 2 * sizeof(*days));
    int32_t second;
    zone_civil(plan->zone, sim_true_ms() / 1000, &days[0], &second);
    days[1] = days[0] + 1;
    rule->recur.except = days;
    rule->recur.n_except = 1 + chance_below(&plan->chance, 2);
}

static void change(struct days_plan *plan, struct rule *rule)
{
    if (rule->bulletin && chance_hit(&plan->chance, 50))
        rule->bulletin = some_bulletin(plan);
    else
        set_manner(plan, rule);
}

static void undo(struct days_plan *plan)
{
    struct rule now[DAYS_RULES_MAX];
    size_t n_now = plan->n_rules;
    memcpy(now, plan->rules, sizeof(now));
    memcpy(plan->rules, plan->before, sizeof(now));
    memcpy(plan->before, now, sizeof(now));
    plan->n_rules = plan->n_before;
    plan->n_before = n_now;
}

void days_plan_edit(struct days_plan *plan, enum days_edit edit)
{
    if (edit == EDIT_UNDO) {
        undo(plan);
        return;
    }
    memcpy(plan->before, plan->rules, sizeof(plan->rules));
    plan->n_before = plan->n_rules;
    size_t at = plan->n_rules ? chance_below(&plan->chance, (uint32_t)plan->n_rules) : 0;
    struct rule *rule = &plan->rules[at];
    if (edit == EDIT_ADD || plan->n_rules == 0)
        add_rule(plan);
    else if (edit == EDIT_CHANGE)
        change(plan, rule);
    else if (edit == EDIT_MOVE)
        set_times(plan, rule);
    else if (edit == EDIT_EXCEPT)
        except_today(plan, rule);
    else if (edit == EDIT_DELETE)
        *rule = plan->rules[--plan->n_rules];
}

/* --- the timetable --- */

static size_t bulletin_at(const struct days_plan *plan, const char *hash)
{
    for (size_t i = 0; i < DAYS_BULLETINS; i++)
        if (strcmp(plan->bulletins[i].hash, hash) == 0)
            return i;
    abort();
}

static void put_item(struct days_plan *plan, const struct compile_result *result, const struct playlist_item *from)
{
    struct centre *centre = plan->centre;
    if (from->start_ms < plan->from_ms)
        return;
    if (centre->n_items == CENTRE_ITEMS_MAX)
        abort();
    struct playlist_item *item = &centre->items[centre->n_items++];
    *item = *from;
    if (from->bulletin >= 0) /* the centre's bulletins stand in the order in which they were made */
        item->bulletin = (int64_t)bulletin_at(plan, result->bulletins[from->bulletin].hash);
    if (item->id[0] == 'x')
        item->exempt = order_number;
}

void days_plan_compile(struct days_plan *plan)
{
    struct compile_result result;
    struct compile_device device = {
        .id = "loa-thu", .kind = plan->kind, .languages = {spoken, 1}, .areas = &home, .n_areas = 1};
    int64_t now_ms = sim_true_ms();
    compile(plan->rules, plan->n_rules, plan->bulletins, DAYS_BULLETINS, &device, now_ms, plan->until_ms,
            PLAYLIST_ITEMS_MAX, plan->arena, &result);
    memset(plan->centre->gone, 1, plan->centre->n_items);
    for (size_t i = 0; i < result.n_items; i++)
        put_item(plan, &result, &result.items[i]);
    for (size_t i = 0; i < DAYS_BULLETINS; i++) /* each sound has a use, and is fetched beforehand */
        centre_item(plan->centre, "f", i, plan->until_ms + (int64_t)i * 10 * MINUTE_MS)->end_ms =
            plan->until_ms + (int64_t)(i + 1) * 10 * MINUTE_MS;
}

static int64_t length_of(const struct days_plan *plan, const struct playlist_item *item)
{
    const char *room[DEVICE_LANGUAGES_MAX];
    if (item->bulletin < 0)
        return item->end_ms - item->start_ms;
    const struct bulletin *bulletin = plan->bulletins[item->bulletin].bulletin;
    struct texts device = {spoken, 1}, languages = item_languages(bulletin, &device, &item->languages, room);
    struct bulletin_use use = bulletin_use(bulletin, &languages, plan->kind);
    return item_length_ms(&use, item->show_ms);
}

void days_plan_published(struct days_plan *plan)
{
    const struct centre *centre = plan->centre;
    int64_t now_ms = sim_true_ms();
    struct playlist_bulletin refs[DAYS_BULLETINS];
    struct playlist playlist = {.bulletins = refs, .n_bulletins = DAYS_BULLETINS};
    for (size_t i = 0; i < DAYS_BULLETINS; i++)
        refs[i] = centre->bulletins[i].ref;
    struct sim_item *items = arena_alloc(plan->arena, (centre->n_items + 1) * sizeof(*items));
    size_t n = 0;
    for (size_t i = 0; i < centre->n_items; i++)
        if (!centre->gone[i] && centre->items[i].end_ms > now_ms)
            items[n++] = sim_item_of(&playlist, &centre->items[i], length_of(plan, &centre->items[i]));
    if (plan->n_lists == DAYS_LISTS_MAX)
        abort();
    plan->vers[plan->n_lists] = centre->docs[DOC_PLAYLIST].ver;
    plan->lists[plan->n_lists++] = (struct sim_list){.items = items, .n = n};
}

int64_t days_plan_moment(struct days_plan *plan, int64_t from_ms, int64_t until_ms)
{
    const struct centre *centre = plan->centre;
    const struct playlist_item *found = NULL;
    uint32_t seen = 0;
    for (size_t i = 0; i < centre->n_items; i++)
        if (!centre->gone[i] && centre->items[i].start_ms >= from_ms && centre->items[i].start_ms < until_ms &&
            chance_below(&plan->chance, ++seen) == 0)
            found = &centre->items[i];
    return found ? found->start_ms - 600 + chance_below(&plan->chance, 60000) : INT64_MAX;
}
