/* test_arbiter_ledger.c - what is remembered: over ends, restarts, steps of the clock, times without time, new
 * playlists. */
#include "time/scene.h"

#include <time.h>

static void nothing_passes_its_end(void **state)
{
    (void)state;
    add_item(1, 0)->end_ms = T0 + 6000;
    assert_int_equal(ask(0)->next_ms, T0 + 6000);
    ask(6000);
    assert_ended(1, REASON_EXPIRED);
    assert_on(0);
    add_item(2, 10000)->end_ms = T0 + HOUR_MS;
    ask(10000);
    assert_int_equal(day->d.next_ms, T0 + 20000 + ARBITER_MARGIN_MS + 1);
    ask(20000 + ARBITER_MARGIN_MS + 1); /* the outputs never said that they came to the end */
    assert_ended(2, REASON_FAULT);
    assert_on(0);
}

static void restart_drops_or_resumes(void **state)
{
    (void)state;
    add_item(1, 0);
    add_item(2, 20000)->policy = CUT_RESUME;
    ask(0);
    day->in.restarted = true;
    day->in.elapsed_ms = -19000; /* another boot */
    ask(4000);
    assert_ended(1, REASON_RESTARTED);
    assert_on(0);
    ask(20000);
    ask(23000);
    day->in.restarted = true;
    ask(25000);
    assert_on(2);
    assert_true(day->d.begins);
    assert_int_equal(day->d.offset_ms, 3000);
    finish(32000);
    assert_ended(2, REASON_ON_TIME);
}

static void what_was_missed_while_off_is_told_once(void **state)
{
    (void)state;
    add_item(1, -3 * HOUR_MS); /* before the first step ever: not answered for */
    add_item(2, HOUR_MS);
    add_item(3, 2 * HOUR_MS - 65000);
    ask(0);
    assert_int_equal(day->d.n_ended, 0);
    day->in.restarted = true;
    ask(2 * HOUR_MS);
    assert_int_equal(day->d.n_ended, 2);
    assert_int_equal(day->d.ended[0].reason, REASON_EXPIRED);
    assert_int_equal(day->d.ended[1].reason, REASON_LATE);
    assert_int_equal(ask(2 * HOUR_MS + 1)->n_ended, 0);
}

static void steps_of_the_clock_repeat_nothing(void **state)
{
    (void)state;
    add_item(1, 0);
    add_item(2, HOUR_MS);
    ask(0);
    finish(10000);
    assert_ended(1, REASON_ON_TIME);
    day->in.now_ms += -2 * HOUR_MS; /* back */
    ask(-2 * HOUR_MS);
    ask(0);
    assert_on(0);
    assert_int_equal(day->d.n_ended, 0);
    day->in.now_ms += 3 * HOUR_MS; /* forward, over an item */
    ask(3 * HOUR_MS);
    assert_ended(2, REASON_EXPIRED);
    day->in.now_ms -= 3 * HOUR_MS;
    ask(HOUR_MS);
    assert_on(0);
    assert_int_equal(day->d.n_ended, 0);
}

static void without_time_nothing_begins(void **state)
{
    (void)state;
    add_item(1, 0);
    add_item(2, 5000)->late_ms = 2000;
    add_item(3, 30000);
    ask(0);
    assert_on(1);
    day->in.grade = GRADE_UNKNOWN;
    ask(4000);
    assert_on(1);
    day->in.now_ms = 1000; /* what a clock without a battery says */
    ask(1000 - T0);
    assert_on(1);
    day->in.finished = true;
    ask(7000 - T0);
    assert_ended(1, REASON_ON_TIME);
    assert_on(0);
    assert_int_equal(day->d.reason, REASON_NO_TIME);
    day->in.grade = GRADE_SIGNED;
    day->in.now_ms = T0 + 40000;
    day->in.elapsed_ms += 30000;
    ask(40000);
    assert_ended(2, REASON_NO_TIME);
    assert_on(3);
    assert_int_equal(day->d.reason, REASON_LATE);
}

static void without_time_only_a_confirmed_alert(void **state)
{
    (void)state;
    day->in.grade = GRADE_UNKNOWN;
    struct air_order *alert = add_order(ORDER_ALERT, 60, 0, 20000);
    ask(0);
    assert_on(0);
    alert->confirmed = true;
    ask(1000);
    assert_on(60);
    finish(11000);
    assert_on(60);
    ask(21000);
    assert_on(0);
}

static void an_alert_goes_on_after_a_power_cut_once(void **state)
{
    (void)state;
    struct air_order *alert = add_order(ORDER_ALERT, 60, 0, 5 * HOUR_MS);
    alert->length_ms = 10 * HOUR_MS;
    ask(0);
    assert_on(60);
    day->in.grade = GRADE_UNKNOWN;
    day->in.restarted = true;
    day->in.elapsed_ms = 0;
    day->in.now_ms = 1000;
    ask(1000 - T0);
    assert_on(60);
    ask(1000 - T0 + ARBITER_REMNANT_MS - 1);
    assert_on(60);
    ask(1000 - T0 + ARBITER_REMNANT_MS);
    assert_on(0);
    day->in.restarted = true;
    ask(2000 - T0);
    assert_on(0);
}

static void the_playlist_changes_under_it(void **state)
{
    (void)state;
    add_item(1, 0);
    add_item(2, 20000);
    ask(0);
    day->items[0].gain_mb = -300;
    day->items[0].end_ms += 1000;
    assert_int_equal(ask(1000)->gain_mb, -300);
    assert_true(!day->d.begins && day->d.n_ended == 0);
    day->in.items = &day->items[1];
    day->in.item_bulletins = &day->bulletins[1];
    day->in.n_items = 1;
    ask(3000);
    assert_ended(1, REASON_CANCELLED);
    day->in.items = day->items;
    day->in.n_items = 2;
    ask(4000);
    assert_on(0); /* it does not come back */
    day->in.n_items = 1;
    assert_int_equal(ask(30 * MIN_MS)->n_ended, 0); /* the second vanished before it began: no end */
}

static void ahead_of_its_instant_nothing_was_heard(void **state)
{
    (void)state;
    add_item(1, 1000);
    ask(1000 - ARBITER_LEAD_MS);
    assert_on(1);
    add_order(ORDER_ALERT, 60, 800, 5000);
    ask(800);
    assert_on(60);
    assert_int_equal(day->d.n_ended, 0);
    ask(5000);
    assert_on(1);
    assert_int_equal(day->d.offset_ms, 0);
    assert_int_equal(day->d.reason, REASON_LATE);
}

static void a_fault_ends_it(void **state)
{
    (void)state;
    add_item(1, 0)->policy = CUT_RESUME;
    add_order(ORDER_NOTICE, 60, 20000, 60000);
    ask(0);
    day->in.failed = true;
    ask(2000);
    assert_ended(1, REASON_FAULT);
    ask(20000);
    day->in.failed = true;
    ask(21000);
    assert_on(0);
    assert_int_equal(day->d.next_ms, T0 + 21000 + ARBITER_RETRY_MS);
}

static void many_ends_take_several_steps(void **state)
{
    (void)state;
    ask(0);
    for (uint64_t key = 1; key <= 100; key++)
        add_item(key, (int64_t)key * 1000);
    ask(1);
    size_t told = 0, steps = 0;
    do {
        ask(HOUR_MS);
        told += day->d.n_ended;
        steps++;
    } while (day->d.next_ms <= day->in.now_ms && steps < 50);
    assert_int_equal(told, 100);
    assert_true(steps < 10);
}

/* 2,000 items, all of them decided or in the past, and 2,048 marks: marks of items that are still named stay. */
static void the_ledger_is_full_and_still_knows(void **state)
{
    (void)state;
    day->ledger.since_ms = T0 - 1;
    for (uint64_t key = 1; key <= 200; key++)
        add_item(key, -HOUR_MS * 24 * 40 + (int64_t)key * 1000);
    day->ledger.since_ms = 1;
    day->in.restarted = true;
    do
        ask(0);
    while (day->d.next_ms <= day->in.now_ms);
    assert_int_equal(day->ledger.n_done, 200);
    day->in.n_items = 0;
    for (uint64_t key = 1; key <= 2000; key++)
        add_item(1000 + key, -HOUR_MS * 24 * 30 + (int64_t)key * 1000);
    do
        ask(1);
    while (day->d.next_ms <= day->in.now_ms);
    assert_int_equal(day->ledger.n_done, ARBITER_DONE_MAX);
    size_t told = 0;
    for (int i = 0; i < 5; i++)
        told += ask(2 + i)->n_ended;
    assert_int_equal(told, 0);

    struct timespec from, to;
    enum { STEPS = 2000 };
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < STEPS; i++)
        ask(10 + i);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    print_message("%.0f steps/s with 2,000 items and 2,048 marks\n", STEPS / s);
}

static void keys_are_stable(void **state)
{
    (void)state;
    assert_int_equal(arbiter_key("abc"), UINT64_C(0xba7816bf8f01cfea)); /* FIPS 180-4 example */
    struct air_item items[] = {{.key = 2, .start_ms = 5}, {.key = 1, .start_ms = 5}, {.key = 9, .start_ms = 1}};
    uint64_t bulletins[] = {20, 10, 90};
    arbiter_sort(items, bulletins, 3);
    assert_int_equal(items[0].key, 9);
    assert_int_equal(items[1].key, 1);
    assert_int_equal(bulletins[0], 90);
    assert_int_equal(bulletins[2], 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_passes_its_end, set_up),
        cmocka_unit_test_setup(restart_drops_or_resumes, set_up),
        cmocka_unit_test_setup(what_was_missed_while_off_is_told_once, set_up),
        cmocka_unit_test_setup(steps_of_the_clock_repeat_nothing, set_up),
        cmocka_unit_test_setup(without_time_nothing_begins, set_up),
        cmocka_unit_test_setup(without_time_only_a_confirmed_alert, set_up),
        cmocka_unit_test_setup(an_alert_goes_on_after_a_power_cut_once, set_up),
        cmocka_unit_test_setup(the_playlist_changes_under_it, set_up),
        cmocka_unit_test_setup(ahead_of_its_instant_nothing_was_heard, set_up),
        cmocka_unit_test_setup(a_fault_ends_it, set_up),
        cmocka_unit_test_setup(many_ends_take_several_steps, set_up),
        cmocka_unit_test_setup(the_ledger_is_full_and_still_knows, set_up),
        cmocka_unit_test_setup(keys_are_stable, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
