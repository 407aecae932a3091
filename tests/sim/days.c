/* sim-days FIRST COUNT [FIRST COUNT]...: seeded days of one site. A real agent (loa_firmware) lives through each on the
 * simulated clock, with edits of the timetable, power cuts, steps of the clock, boots in 1970 and times without time.
 * What it was told, and when, becomes a script; simulate() must foretell its receipts from that: the same occurrences,
 * and of each planned, started and ended to the millisecond, reason, bulletin, class and exemption. Not compared: grade
 * and evidence, which are the box's and not the timetable's. */
#include "tests/sim/days_script.h"

#include "firmware/agent_parts.h"
#include "tools/fleet-agents/outputs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

enum { EVENTS_MAX = 24, SETTLE_S = 120, QUIET_MS = 600000, MINUTE = 60000 };

/* Nights in which clocks change, and one in which none does. */
static const struct place {
    const char *zone;
    int year, month, day;
} places[] = {{"Asia/Ho_Chi_Minh", 2026, 7, 3},    {"Europe/Berlin", 2026, 10, 25},
              {"America/New_York", 2026, 3, 8},    {"Asia/Ho_Chi_Minh", 2026, 12, 31},
              {"Australia/Lord_Howe", 2026, 4, 5}, {"Asia/Ho_Chi_Minh", 2028, 2, 29}};

enum happening { EDITED, POWER_CUT, KILLED, NO_NETWORK, STEPPED, BOOT_1970, SYNC_LOST };

struct moment {
    int64_t at_ms;
    enum happening what;
};

struct days {
    uint64_t seed;
    struct world *world;
    struct days_plan plan;
    struct days_script script;
    int64_t network_back_ms, wall_back_ms;
    int64_t stepped_ms;
    size_t counts[SYNC_LOST + 1];
    struct days_why {
        char text[400];
    } why;
};

struct totals {
    size_t days, receipts, edits, cuts, steps, reasons[REASONS];
};

static void fail(struct days *days, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct days *days, const char *fmt, ...)
{
    va_list ap;
    if (days->why.text[0])
        return;
    va_start(ap, fmt);
    vsnprintf(days->why.text, sizeof(days->why.text), fmt, ap);
    va_end(ap);
}

static void on_decided(void *arg, const struct site *site)
{
    struct days *days = arg;
    (void)site;
    if (days->world->agent) /* else it is its very first question: come_back() */
        days_script_observe(&days->script);
}

/* --- a day --- */

static void publish(struct days *days)
{
    centre_playlist(days->world->centre);
    days_plan_published(&days->plan);
}

static void go_off(struct days *days)
{
    days_script_add(&days->script, (struct sim_turn){.kind = SIM_OFF});
    world_kill(days->world);
}

static void come_back(struct days *days, bool same_boot)
{
    days_script_add(&days->script, (struct sim_turn){.kind = SIM_ON, .same_boot = same_boot});
    world_boot(days->world);
    days_script_observe(&days->script);
}

static void cut_power(struct days *days, bool to_1970)
{
    struct chance *chance = &days->plan.chance;
    int64_t for_ms =
        chance_hit(chance, 70) ? 3000 + chance_below(chance, 200000) : chance_below(chance, 3 * (uint32_t)HOUR);
    if (to_1970 && !days->network_back_ms) {
        world_network(days->world, false);
        days->network_back_ms = sim_true_ms() + for_ms + 30000 + chance_below(chance, (uint32_t)HOUR);
    }
    go_off(days);
    world_run_ms(days->world, for_ms);
    sim_reboot();
    if (to_1970) {
        sim_synced(false);
        sim_wall_set(7000);
    }
    come_back(days, false);
}

static void step_clock(struct days *days)
{
    static const int64_t steps_ms[] = {HOUR, -HOUR, 14 * DAY, -14 * DAY};
    if (days->stepped_ms) {
        sim_wall_step(-days->stepped_ms);
        days->stepped_ms = 0;
        return;
    }
    days->stepped_ms = steps_ms[chance_below(&days->plan.chance, 4)];
    sim_wall_step(days->stepped_ms);
    days->wall_back_ms = sim_true_ms() + 5000 + chance_below(&days->plan.chance, (uint32_t)HOUR);
}

static void happen(struct days *days, enum happening what)
{
    struct chance *chance = &days->plan.chance;
    days->counts[what]++;
    switch (what) {
    case EDITED:
        days_plan_edit(&days->plan, (enum days_edit)chance_below(chance, EDITS));
        days_plan_compile(&days->plan);
        publish(days);
        break;
    case POWER_CUT:
    case BOOT_1970:
        cut_power(days, what == BOOT_1970);
        break;
    case KILLED:
        go_off(days);
        world_run_ms(days->world, 1000 + chance_below(chance, 5000));
        come_back(days, true);
        break;
    case NO_NETWORK:
        if (days->network_back_ms)
            break;
        world_network(days->world, false);
        days->network_back_ms = sim_true_ms() + 10000 + chance_below(chance, 2 * (uint32_t)HOUR);
        break;
    case STEPPED:
        step_clock(days);
        break;
    case SYNC_LOST:
        sim_synced(chance_hit(chance, 50));
        break;
    }
}

/* Runs to the moment, with what was promised for the time in between. */
static void run_until(struct days *days, int64_t until_ms)
{
    for (;;) {
        int64_t *next = NULL;
        if (days->network_back_ms && days->network_back_ms <= until_ms)
            next = &days->network_back_ms;
        if (days->wall_back_ms && days->wall_back_ms <= until_ms && (!next || days->wall_back_ms < *next))
            next = &days->wall_back_ms;
        int64_t at_ms = next ? *next : until_ms;
        if (at_ms > sim_true_ms())
            world_run_until(days->world, at_ms);
        if (!next)
            return;
        if (next == &days->network_back_ms)
            world_network(days->world, true);
        else if (days->stepped_ms)
            step_clock(days);
        *next = 0;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static size_t make_events(struct days *days, int64_t from_ms, int64_t until_ms, struct moment *ret)
{
    static const enum happening whats[] = {EDITED,    EDITED, EDITED,     EDITED,    EDITED,  POWER_CUT,
                                           POWER_CUT, KILLED, NO_NETWORK, BOOT_1970, STEPPED, SYNC_LOST};
    struct chance *chance = &days->plan.chance;
    size_t n = chance_below(chance, EVENTS_MAX);
    for (size_t i = 0; i < n; i++) {
        int64_t moment_ms = chance_hit(chance, 70) ? days_plan_moment(&days->plan, from_ms, until_ms) : INT64_MAX;
        if (moment_ms == INT64_MAX || moment_ms < from_ms)
            moment_ms = from_ms + (int64_t)(chance_next(chance) % (uint64_t)(until_ms - from_ms));
        ret[i] = (struct moment){moment_ms, whats[chance_below(chance, sizeof(whats) / sizeof(whats[0]))]};
    }
    qsort(ret, n, sizeof(*ret), by_time);
    return n;
}

static void make_world(struct days *days)
{
    struct days_plan *plan = &days->plan;
    plan->chance = (struct chance){days->seed * UINT64_C(2654435761) + 1};
    const struct place *place = &places[chance_below(&plan->chance, sizeof(places) / sizeof(places[0]))];
    struct complaint why = {0};
    if (zone_load(NULL, place->zone, &plan->zone, &why) < 0) {
        fprintf(stderr, "%s\n", why.text);
        exit(2);
    }
    int64_t day = civil_days(place->year, place->month, place->day);
    int64_t start_ms = zone_instant_s(plan->zone, day - 1, 82800, NULL) * 1000; /* an hour before midnight */
    plan->arena = arena_new();
    plan->kind = chance_hit(&plan->chance, 50) ? KIND_LOUDSPEAKER : KIND_CLUSTER;
    plan->from_ms = start_ms + 2 * MINUTE;
    plan->until_ms = start_ms + 26 * HOUR;
    days->world = world_new(&(struct world_options){
        .seed = days->seed, .true_ms = start_ms, .kind = plan->kind, .synced = chance_hit(&plan->chance, 60)});
    days->script.world = days->world;
    days->script.plan = plan;
    plan->centre = days->world->centre;
    plan->centre->config.zone = place->zone;
    if (chance_hit(&plan->chance, 60)) {
        static struct day_window quiet[2];
        quiet[0] = (struct day_window){.from_min = 1260 + chance_below(&plan->chance, 120),
                                       .to_min = 60 + chance_below(&plan->chance, 240)};
        quiet[1] = (struct day_window){.from_min = 720, .to_min = 780};
        plan->centre->config.quiet_hours = quiet;
        plan->centre->config.n_quiet_hours = 2;
    }
    days_plan_make(plan);
}

static void live(struct days *days)
{
    struct moment events[EVENTS_MAX];
    int64_t start_ms = sim_true_ms();
    outputs_watch_decisions(on_decided, days);
    world_begin(days->world);
    days_plan_published(&days->plan);
    size_t n = make_events(days, start_ms + 3 * MINUTE, start_ms + 24 * HOUR, events);
    for (size_t i = 0; i < n && !days->why.text[0]; i++) {
        if (events[i].at_ms < sim_true_ms())
            continue; /* it fell into a power cut */
        run_until(days, events[i].at_ms);
        happen(days, events[i].what);
    }
    run_until(days, start_ms + 25 * HOUR);
    days->network_back_ms = 0;
    world_network(days->world, true);
    const char *why = "";
    world_run_ms(days->world, QUIET_MS); /* a welcome, and the documents that it brings */
    for (int i = 0; i < SETTLE_S && !world_settled(days->world, &why); i++)
        world_run_ms(days->world, 1000);
    if (!world_settled(days->world, &why))
        fail(days, "%s", why);
    if (days->script.strange)
        fail(days, "the agent has a playlist that was not published");
    if (world_fault(days->world))
        fail(days, "%s", world_fault(days->world));
    outputs_watch_decisions(NULL, NULL);
}

/* --- compared --- */

static const char *const_or(const char *text)
{
    return text ? text : "";
}

static void compare(struct days *days, const struct sim_receipt *expected, const struct centre_row *row)
{
    const char *id = expected->item->occurrence;
    if (!row)
        fail(days, "%s: foretold %s at %" PRId64 ", but there is no receipt", id, reason_names[expected->reason],
             expected->started_ms);
    else if (row->planned_ms != expected->planned_ms || row->started_ms != expected->started_ms ||
             row->ended_ms != expected->ended_ms || row->reason != expected->reason)
        fail(days,
             "%s: foretold planned %" PRId64 " started +%" PRId64 " ended +%" PRId64 " %s, the receipt says %" PRId64
             " +%" PRId64 " +%" PRId64 " %s",
             id, expected->planned_ms, expected->started_ms - expected->planned_ms,
             expected->ended_ms - expected->planned_ms, reason_names[expected->reason], row->planned_ms,
             row->started_ms - row->planned_ms, row->ended_ms - row->planned_ms, reason_names[row->reason]);
    else if (strcmp(row->bulletin, const_or(expected->item->bulletin)) != 0 ||
             row->class != expected->item->air.class || strcmp(row->exempt, const_or(expected->exempt)) != 0)
        fail(days, "%s: foretold %.8s %s \"%s\", the receipt says %.8s %s \"%s\"", id,
             const_or(expected->item->bulletin), air_class_names[expected->item->air.class], const_or(expected->exempt),
             row->bulletin, air_class_names[row->class], row->exempt);
}

static const struct sim_receipt *foretold(const struct sim_receipt *receipts, size_t n, const char *occurrence)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(receipts[i].item->occurrence, occurrence) == 0)
            return &receipts[i];
    return NULL;
}

static void compare_all(struct days *days, int64_t from_ms, struct totals *totals)
{
    struct sim_case script = {.from_ms = from_ms,
                              .until_ms = sim_true_ms(),
                              .lists = days->plan.lists,
                              .n_lists = days->plan.n_lists,
                              .turns = days->script.turns,
                              .n_turns = days->script.n_turns,
                              .config = &days->world->centre->config,
                              .zone = days->plan.zone};
    struct sim_receipt *receipts;
    size_t n;
    simulate(&script, days->plan.arena, &receipts, &n);
    const struct centre_lane *lane = &days->world->centre->lanes[CENTRE_RECEIPT];
    for (size_t i = 0; i < n; i++) {
        compare(days, &receipts[i], centre_receipt(days->world->centre, receipts[i].item->occurrence));
        totals->reasons[receipts[i].reason]++;
    }
    for (size_t i = 0; i < lane->n; i++) {
        if (!foretold(receipts, n, lane->rows[i].occurrence))
            fail(days, "%s: a receipt (%s) that was not foretold", lane->rows[i].occurrence,
                 reason_names[lane->rows[i].reason]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(lane->rows[i].occurrence, lane->rows[k].occurrence) == 0)
                fail(days, "%s has two receipts", lane->rows[i].occurrence);
    }
    totals->receipts += n;
}

/* What the last timetable names and is over has been answered for. */
static void nothing_is_skipped(struct days *days)
{
    const struct centre *centre = days->world->centre;
    const struct agent *agent = days->world->agent;
    for (size_t i = 0; i < centre->n_items; i++)
        if (!centre->gone[i] && centre->items[i].end_ms < agent->time.now_ms &&
            centre->items[i].end_ms >= agent->ledger.since_ms && !centre_receipt(centre, centre->items[i].id))
            fail(days, "%s was skipped without a word", centre->items[i].id);
}

static bool one_day(uint64_t seed, struct totals *totals)
{
    struct days *days = xcalloc(1, sizeof(*days));
    days->seed = seed;
    make_world(days);
    int64_t from_ms = sim_true_ms();
    live(days);
    if (!days->why.text[0])
        compare_all(days, from_ms, totals);
    if (!days->why.text[0])
        nothing_is_skipped(days);
    bool good = !days->why.text[0];
    if (!good)
        printf("seed %" PRIu64 ": %s\n", seed, days->why.text);
    totals->days++;
    totals->edits += days->counts[EDITED];
    totals->cuts += days->counts[POWER_CUT] + days->counts[BOOT_1970] + days->counts[KILLED];
    totals->steps += days->counts[STEPPED];
    world_free(days->world);
    arena_free(days->plan.arena);
    zone_free(days->plan.zone);
    free(days);
    return good;
}

/* True when all days of this run are foretold. */
static bool run(uint64_t first, uint64_t count)
{
    struct totals totals = {0};
    uint64_t failed = 0;
    int64_t since_ms = sim_real_ms();
    for (uint64_t seed = first; seed < first + count; seed++)
        failed += !one_day(seed, &totals);
    printf("days %" PRIu64 " to %" PRIu64 ": %" PRIu64 " failed; %zu receipts foretold, %zu edits, %zu power cuts and "
           "restarts, %zu steps of the clock; took %.1f s\n",
           first, first + count - 1, failed, totals.receipts, totals.edits, totals.cuts, totals.steps,
           (double)(sim_real_ms() - since_ms) / 1000);
    for (int reason = 0; reason < REASONS; reason++)
        if (totals.reasons[reason])
            printf("  %s %zu\n", reason_names[reason], totals.reasons[reason]);
    return failed == 0;
}

int main(int argc, char **argv)
{
    bool good = true;
    if (argc < 3 || argc % 2 == 0) {
        fprintf(stderr, "usage: sim-days FIRST COUNT [FIRST COUNT]...\n");
        return 2;
    }
    for (int i = 1; i < argc; i += 2)
        good = run(strtoull(argv[i], NULL, 10), strtoull(argv[i + 1], NULL, 10)) && good;
    return !good;
}
