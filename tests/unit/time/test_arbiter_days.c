/* test_arbiter_days.c - what must hold for every case: the promises of arbiter.h over random days, with outputs that
 * end, fail and hang, restarts, power cuts, steps of the clock, times without time, and documents that change. LOA_SEED
 * for another first day. */
#include "seed.h"
#include "time/random_day.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS = 2500, STEPS = 120, TWINS = 250, TWIN_SPAN_MS = 90000, TICK_MS = 50 };

static uint64_t first_seed;

/* The outputs take as long as the day's seed says, whoever asks. */
static void put_on(void)
{
    const struct decision *d = &day->d;
    int64_t length_ms = d->on == ON_ITEM ? day->items[d->index].length_ms : day->orders[d->index].length_ms;
    uint64_t luck = mixed(day->seed ^ mixed(d->key ^ mixed(++day->begins)));
    int64_t span_ms = length_ms - d->offset_ms;
    day->done_failed = luck % 10 == 0;
    if (day->done_failed)
        span_ms = (int64_t)(luck >> 8) % (length_ms + 1000) - ARBITER_LEAD_MS;
    else
        span_ms += (int64_t)(luck >> 8) % 2000;
    bool hangs = luck % 10 == 1 || (length_ms == 0 && !day->done_failed);
    int64_t done_ms = day->from_elapsed_ms + span_ms;
    day->done_elapsed_ms = hangs ? NEVER : done_ms > day->in.elapsed_ms ? done_ms : day->in.elapsed_ms + 1;
}

static bool same_decision(const struct decision *a, const struct decision *b)
{
    for (size_t i = 0; i < a->n_ended && i < b->n_ended; i++) {
        const struct ended *x = &a->ended[i], *y = &b->ended[i];
        if (x->kind != y->kind || x->key != y->key || x->planned_ms != y->planned_ms ||
            x->started_ms != y->started_ms || x->heard_ms != y->heard_ms || x->reason != y->reason ||
            x->passed_quiet != y->passed_quiet)
            return false;
    }
    return a->on == b->on && a->key == b->key && a->index == b->index && a->reason == b->reason &&
           a->begins == b->begins && a->store == b->store && a->at_ms == b->at_ms && a->offset_ms == b->offset_ms &&
           a->gain_mb == b->gain_mb && a->zones == b->zones && a->muted_zones == b->muted_zones &&
           a->n_ended == b->n_ended && a->limit_ms == b->limit_ms && a->next_ms == b->next_ms &&
           a->next_key == b->next_key && a->next_start_ms == b->next_start_ms;
}

static void step_once(void)
{
    static struct ledger again;
    static struct decision d;
    bool twice = day->in.restarted || day->in.elapsed_ms % 8 == 0;
    if (twice)
        arbiter_step(&day->in, &day->ledger, &d, &again);
    arbiter_step(&day->in, &day->ledger, &day->d, &day->ledger);
    if (twice)
        HOLDS(same_decision(&d, &day->d) && memcmp(&again, &day->ledger, sizeof(again)) == 0);
}

/* At the most, up to this question. */
static void count_heard(void)
{
    int64_t heard_ms = day->offset_ms + day->in.elapsed_ms - day->from_elapsed_ms;
    for (size_t i = 0; i < day->n_pool; i++)
        if (day->items_fate[i].on && !day->in.restarted && heard_ms > day->items_fate[i].heard_ms)
            day->items_fate[i].heard_ms = heard_ms;
}

static void ask_once(void)
{
    count_heard();
    day->in.finished = day->in.elapsed_ms >= day->done_elapsed_ms && !day->done_failed;
    day->in.failed = day->in.elapsed_ms >= day->done_elapsed_ms && day->done_failed;
    if (day->in.finished || day->in.failed)
        day->done_elapsed_ms = NEVER;
    step_once();
    if (day->d.store)
        day->stored = day->ledger;
    bool restarted = day->in.restarted;
    day->in.restarted = false;
    judge_answer(restarted);
    if (day->d.begins)
        put_on();
    if (day->d.on == ON_NOTHING)
        day->done_elapsed_ms = NEVER;
}

static void ask(void)
{
    int again = 0;
    do {
        HOLDS(again++ < 10);
        ask_once();
        HOLDS(day->d.next_ms >= day->in.now_ms);
    } while (day->d.next_ms == day->in.now_ms);
}

static void pass(int64_t span_ms)
{
    day->in.elapsed_ms += span_ms;
    day->in.now_ms += span_ms;
}

static void change_documents(void)
{
    for (int64_t n = between(1, 4); n > 0; n--) {
        size_t i = (size_t)between(0, (int64_t)day->n_pool - 1);
        if (one_in(3))
            day->item_named[i] = !day->item_named[i];
        else
            day->pool[i].blocked = one_in(2)   ? REASON_ON_TIME
                                   : one_in(2) ? REASON_NO_MEDIA
                                   : one_in(2) ? REASON_NOT_APPROVED
                                               : REASON_RECALLED;
        if (day->n_order_pool == 0)
            continue;
        i = (size_t)between(0, (int64_t)day->n_order_pool - 1);
        day->order_named[i] = !day->order_named[i];
    }
    if (one_in(8))
        for (size_t i = 0; i < day->n_pool; i++)
            day->item_named[i] = !one_in(4);
    name_documents();
}

/* The program comes back with what was stored last, in the same boot or in a new one. */
static void restart(void)
{
    day->ledger = day->stored;
    day->in.restarted = true;
    day->done_elapsed_ms = NEVER;
    int64_t span_ms = between(0, 30000);
    day->in.now_ms += span_ms;
    day->in.elapsed_ms = one_in(2) ? between(0, 40000) : day->in.elapsed_ms + span_ms;
}

static void step_clock(void)
{
    static const int64_t steps[] = {HOUR_MS, -HOUR_MS, 14 * 24 * HOUR_MS, -14 * 24 * HOUR_MS, 700, -700};
    if (one_in(2))
        day->in.now_ms += steps[between(0, 5)];
    else
        day->in.now_ms = T0 + between(0, 300000);
}

/* Without trusted time the clock may say anything, 1970 too. */
static void change_grade(void)
{
    static int64_t true_ms, true_elapsed_ms;
    if (known()) {
        true_ms = day->in.now_ms;
        true_elapsed_ms = day->in.elapsed_ms;
        day->in.grade = GRADE_UNKNOWN;
        if (one_in(2))
            day->in.now_ms = between(0, 100000);
    } else {
        int64_t dark_ms = day->in.elapsed_ms - true_elapsed_ms;
        day->in.grade = (enum time_grade)between(GRADE_HELD, GRADE_SYNCED);
        day->in.now_ms = true_ms > T0 - HOUR_MS && dark_ms > 0 ? true_ms + dark_ms : T0 + between(0, 300000);
    }
}

static void happen(bool steps)
{
    int64_t what = between(1, steps ? 40 : 24);
    if (what <= 8)
        change_documents();
    else if (what == 9)
        day->in.local_silence = !day->in.local_silence;
    else if (what == 10 && known())
        make_quiet(300000);
    else if (what == 25)
        step_clock();
    else if (what == 26)
        change_grade();
    else if (what <= 29 && what >= 27)
        restart();
}

/* To the next question: when it was asked for, when the outputs are done, when something changes, or earlier or later.
 */
static int64_t next_span(void)
{
    int64_t span_ms = one_in(3) ? between(1, 400) : one_in(12) ? between(1, 60000) : between(1, 5000);
    if (!one_in(4) && day->d.next_ms != NEVER)
        span_ms = day->d.next_ms - day->in.now_ms;
    if (!one_in(12) && day->done_elapsed_ms != NEVER && day->done_elapsed_ms - day->in.elapsed_ms < span_ms)
        span_ms = day->done_elapsed_ms - day->in.elapsed_ms;
    return span_ms > HOUR_MS ? HOUR_MS : span_ms > 0 ? span_ms : 1;
}

/* Far past everything, in trusted time: whatever began has its end, and so has all that is still planned. */
static void settle(void)
{
    day->in.grade = GRADE_SYNCED;
    day->in.now_ms = T0 + 40 * 24 * HOUR_MS;
    day->in.elapsed_ms += 10;
    for (int i = 0; i < 3; i++, pass(60000))
        ask();
    HOLDS(day->d.on == ON_NOTHING && day->ledger.n_cut == 0);
    for (size_t i = 0; i < day->n_pool; i++) {
        const struct fate *fate = &day->items_fate[i];
        HOLDS(fate->ended || !fate->begun);
        HOLDS(fate->ended || !day->item_named[i] || day->pool[i].end_ms < day->ledger.since_ms);
    }
    for (size_t i = 0; i < day->n_order_pool; i++)
        HOLDS(day->orders_fate[i].ended || !day->orders_fate[i].begun);
}

static void promises_hold(void **state)
{
    (void)state;
    static struct day fresh;
    size_t began = 0, ended = 0;
    for (uint64_t n = 0; n < DAYS; n++) {
        make_day(&fresh, first_seed + n, 300000);
        bool steps = !one_in(3);
        if (steps && one_in(4)) { /* a boot in 1970 */
            day->in.grade = GRADE_UNKNOWN;
            day->in.now_ms = between(0, 60000);
        }
        for (int i = 0; i < STEPS; i++) {
            ask();
            pass(next_span());
            happen(steps);
        }
        settle();
        for (size_t i = 0; i < day->n_pool; i++) {
            began += day->items_fate[i].begun;
            ended += day->items_fate[i].ended;
        }
    }
    print_message("%zu occurrences began, %zu ended\n", began, ended);
    assert_true(began > DAYS && ended > began);
}

/* Without steps of the clock: the same day for both callers. One asks when it was told to, and at each change; the
 * other at each tick too. */
static void live(bool ticks)
{
    int64_t begin_ms = day->in.elapsed_ms, change_ms = begin_ms + between(1, 6000);
    for (;;) {
        ask();
        int64_t next_ms = day->d.next_ms == NEVER ? NEVER : day->in.elapsed_ms + day->d.next_ms - day->in.now_ms;
        int64_t tick_ms = day->in.elapsed_ms + TICK_MS - (day->in.elapsed_ms - begin_ms) % TICK_MS;
        if (ticks && tick_ms < next_ms)
            next_ms = tick_ms;
        if (day->done_elapsed_ms < next_ms)
            next_ms = day->done_elapsed_ms;
        if (change_ms < next_ms)
            next_ms = change_ms;
        if (next_ms > begin_ms + TWIN_SPAN_MS)
            return;
        pass(next_ms - day->in.elapsed_ms);
        if (next_ms < change_ms)
            continue;
        if (one_in(12))
            day->in.grade = known() ? GRADE_UNKNOWN : GRADE_SYNCED;
        happen(false);
        change_ms += between(1, 6000);
    }
}

static void next_ms_is_enough(void **state)
{
    (void)state;
    static struct day often, told;
    for (uint64_t n = 0; n < TWINS; n++) {
        make_day(&often, first_seed + n, TWIN_SPAN_MS);
        live(true);
        make_day(&told, first_seed + n, TWIN_SPAN_MS);
        live(false);
        for (size_t i = 0; i < often.n_log || i < told.n_log; i++) {
            struct told none = {0}, a = i < often.n_log ? often.log[i] : none, b = i < told.n_log ? told.log[i] : none;
            if (a.asked_ms != b.asked_ms || a.at_ms != b.at_ms || a.key != b.key || a.what != b.what)
                fail_msg("LOA_SEED=%" PRIu64 " asked often: %+" PRId64 " what %d key %" PRIu64 " at %+" PRId64
                         ", when told: %+" PRId64 " what %d key %" PRIu64 " at %+" PRId64,
                         day->seed, a.asked_ms - T0, a.what, a.key, a.at_ms - T0, b.asked_ms - T0, b.what, b.key,
                         b.at_ms - T0);
        }
    }
}

int main(void)
{
    first_seed = seed_of_run();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_hold),
        cmocka_unit_test(next_ms_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
