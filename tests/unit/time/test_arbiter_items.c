/* test_arbiter_items.c - the timetable: what begins when, what is cut, what is refused, case by case. What must hold
 * for every case is in test_arbiter_random.c and test_arbiter_days.c. */
#include "time/scene.h"

static void begins_ahead_and_ends_once(void **state)
{
    (void)state;
    add_item(1, 5000);
    ask(0);
    assert_on(0);
    assert_int_equal(day->d.next_ms, T0 + 5000 - ARBITER_LEAD_MS);
    assert_int_equal(day->d.next_key, 1);
    ask(5000 - ARBITER_LEAD_MS);
    assert_on(1);
    assert_true(day->d.begins && day->d.store);
    assert_int_equal(day->d.at_ms, T0 + 5000);
    assert_int_equal(day->d.reason, REASON_ON_TIME);
    ask(6000);
    assert_true(!day->d.begins && day->d.n_ended == 0);
    finish(15010);
    assert_on(0);
    assert_ended(1, REASON_ON_TIME);
    assert_int_equal(day->d.ended[0].started_ms, T0 + 5000);
    assert_int_equal(day->d.ended[0].heard_ms, 10000);
    assert_int_equal(ask(15020)->n_ended, 0);
    assert_int_equal(day->d.next_ms, INT64_MAX);
}

static void late_ones_are_late_or_skipped(void **state)
{
    (void)state;
    add_item(1, 0);
    add_item(2, 1000);
    add_item(3, 2000)->late_ms = 3000;
    ask(0);
    assert_on(1);
    ask(5001);
    assert_ended(3, REASON_LATE);
    assert_int_equal(day->d.ended[0].started_ms, 0);
    finish(10000);
    assert_on(2);
    assert_int_equal(day->d.reason, REASON_LATE);
    finish(20000);
    assert_ended(2, REASON_LATE);
    assert_int_equal(day->d.ended[0].started_ms, T0 + 10000);
}

static void earlier_start_then_key_goes_first(void **state)
{
    (void)state;
    add_item(9, -2000);
    add_item(4, -1000);
    add_item(5, -1000);
    ask(0);
    assert_on(9);
    finish(10000);
    assert_on(4);
    finish(20000);
    assert_on(5);
}

static void missing_media_blocks_nobody(void **state)
{
    (void)state;
    add_item(1, 0)->blocked = REASON_NO_MEDIA;
    add_item(2, 1000);
    ask(0);
    assert_on(0);
    assert_int_equal(day->d.reason, REASON_NO_MEDIA);
    ask(1000 - ARBITER_LEAD_MS);
    assert_on(2);
    day->items[0].blocked = REASON_ON_TIME;
    ask(5000);
    assert_on(2);
    finish(11000);
    assert_on(1);
    assert_int_equal(day->d.reason, REASON_LATE);
}

/* Its sound is being checked: what comes after it in the order waits, but for nothing else. */
static void one_that_is_ready_soon_keeps_its_place(void **state)
{
    (void)state;
    struct air_item *first = add_item(1, -2000);
    first->blocked = REASON_NO_MEDIA;
    first->unsure = first->soon = true;
    add_item(2, -1000);
    ask(0);
    assert_on(0);
    assert_int_equal(day->d.reason, REASON_NO_MEDIA);
    assert_int_equal(day->d.next_ms, T0 - 2000 + MIN_MS + 1);
    first->blocked = REASON_ON_TIME;
    first->unsure = first->soon = false;
    ask(10);
    assert_on(1);
    finish(10010);
    assert_on(2);
}

static void one_that_is_not_ready_in_time_waits_alone(void **state)
{
    (void)state;
    struct air_item *first = add_item(1, -2000);
    first->blocked = REASON_NO_MEDIA;
    first->unsure = first->soon = true;
    add_item(2, -1000);
    add_order(ORDER_NOTICE, 3, 0, 60000)->plays = 1; /* of its class, and before it */
    ask(0);
    assert_on(3);
    finish(10000);
    first->soon = false;
    ask(10010);
    assert_on(2);
}

/* Nothing is cut for one that cannot begin yet. */
static void one_that_is_ready_soon_cuts_when_it_is(void **state)
{
    (void)state;
    add_item(1, 0);
    ask(0);
    assert_on(1);
    struct air_item *soon = add_item(2, 1000), *ready = add_item(3, 1500);
    soon->class = ready->class = CLASS_PRIORITY;
    soon->blocked = REASON_NO_MEDIA;
    soon->unsure = soon->soon = true;
    ask(2000);
    assert_on(1);
    soon->blocked = REASON_ON_TIME;
    soon->unsure = soon->soon = false;
    ask(2010);
    assert_on(2);
}

/* Neither the alert nor its next repetition waits for it. */
static void one_that_is_ready_soon_does_not_hold_an_emergency(void **state)
{
    (void)state;
    struct air_order *alert = add_order(ORDER_ALERT, 9, 0, 600000);
    alert->class = CLASS_EMERGENCY;
    alert->confirmed = true;
    alert->plays = 2;
    alert->gap_ms = 5000;
    struct air_item *soon = add_item(1, 0);
    soon->late_ms = HOUR_MS;
    soon->end_ms = T0 + 2 * HOUR_MS;
    soon->blocked = REASON_NO_MEDIA;
    soon->unsure = soon->soon = true;
    ask(0);
    assert_on(9);
    finish(10000);
    assert_on(0);
    ask(15000);
    assert_on(9);
    finish(25000);
    assert_on(0);
    soon->blocked = REASON_ON_TIME;
    soon->unsure = soon->soon = false;
    ask(25010);
    assert_on(1);
}

static void missing_media_is_given_up_at_its_limit(void **state)
{
    (void)state;
    add_item(1, 0)->blocked = REASON_NO_MEDIA;
    assert_int_equal(ask(0)->next_ms, T0 + MIN_MS + 1);
    assert_int_equal(ask(MIN_MS)->n_ended, 0);
    ask(MIN_MS + 1);
    assert_ended(1, REASON_NO_MEDIA);
    assert_int_equal(ask(MIN_MS + 2)->n_ended, 0);
}

static void refused_ones_end_at_their_instant(void **state)
{
    (void)state;
    add_item(1, 1000)->blocked = REASON_NOT_APPROVED;
    add_item(2, 2000)->class = CLASS_EMERGENCY; /* an emergency needs an order */
    add_item(3, 3000);
    add_order(ORDER_RECALL, 50, 0, HOUR_MS)->target = 1003;
    assert_int_equal(ask(0)->n_ended, 0);
    ask(1000);
    assert_ended(1, REASON_NOT_APPROVED);
    ask(2000);
    assert_ended(2, REASON_NOT_APPROVED);
    ask(3000);
    assert_ended(3, REASON_RECALLED);
    assert_on(0);
}

static void recall_cuts_what_is_on(void **state)
{
    (void)state;
    add_item(1, 0)->policy = CUT_RESUME;
    ask(0);
    add_order(ORDER_RECALL, 50, 3000, HOUR_MS)->target = 1001;
    assert_int_equal(ask(2000)->next_ms, T0 + 3000);
    ask(3000);
    assert_ended(1, REASON_RECALLED);
    assert_int_equal(day->d.ended[0].heard_ms, 3000);
    assert_on(0);
}

static void priority_waits_for_a_boundary_or_cuts(void **state)
{
    (void)state;
    add_item(1, 0)->policy = CUT_RESUME;
    add_item(2, 1000)->class = CLASS_PRIORITY;
    day->items[1].wait_ms = 3000;
    ask(0);
    assert_int_equal(ask(2000)->next_ms, T0 + 4000);
    assert_on(1);
    ask(4000);
    assert_on(2);
    assert_true(day->d.begins && day->d.n_ended == 0);
    finish(14000);
    assert_ended(2, REASON_LATE);
    assert_on(1);
    assert_true(day->d.begins);
    assert_int_equal(day->d.offset_ms, 4000);
    assert_int_equal(day->d.reason, REASON_ON_TIME); /* it began on time */
    finish(20000);
    assert_ended(1, REASON_ON_TIME);
    assert_int_equal(day->d.ended[0].heard_ms, 10000);
}

static void cut_ones_restart_or_drop(void **state)
{
    (void)state;
    add_item(1, 0)->policy = CUT_RESTART;
    add_item(2, 4000)->class = CLASS_PRIORITY;
    ask(0);
    ask(4000);
    finish(14000);
    assert_on(1);
    assert_int_equal(day->d.offset_ms, 0);
    day->items[0].policy = CUT_DROP;
    add_item(3, 15000)->class = CLASS_PRIORITY;
    ask(15000);
    assert_ended(1, REASON_PREEMPTED);
    assert_on(3);
    assert_int_equal(ask(16000)->n_ended, 0);
}

static void cut_ones_end_at_their_end(void **state)
{
    (void)state;
    add_item(1, 0)->policy = CUT_RESUME;
    add_item(2, 4000)->class = CLASS_PRIORITY;
    day->items[1].length_ms = 100000;
    day->items[1].end_ms += 100000;
    ask(0);
    ask(4000);
    assert_in_range(day->d.next_ms, T0 + 4001, T0 + 72000);
    assert_int_equal(ask(71999)->n_ended, 0);
    assert_int_equal(day->d.next_ms, T0 + 72000);
    ask(72000);
    assert_ended(1, REASON_PREEMPTED);
    assert_int_equal(day->d.ended[0].heard_ms, 4000);
    assert_on(2);
}

static void normal_waits_for_a_filler(void **state)
{
    (void)state;
    add_item(1, 0)->class = CLASS_FILLER;
    add_item(2, 1000);
    ask(0);
    ask(5000);
    assert_on(1);
    finish(10000);
    assert_on(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(begins_ahead_and_ends_once, set_up),
        cmocka_unit_test_setup(late_ones_are_late_or_skipped, set_up),
        cmocka_unit_test_setup(earlier_start_then_key_goes_first, set_up),
        cmocka_unit_test_setup(missing_media_blocks_nobody, set_up),
        cmocka_unit_test_setup(one_that_is_ready_soon_keeps_its_place, set_up),
        cmocka_unit_test_setup(one_that_is_not_ready_in_time_waits_alone, set_up),
        cmocka_unit_test_setup(one_that_is_ready_soon_cuts_when_it_is, set_up),
        cmocka_unit_test_setup(one_that_is_ready_soon_does_not_hold_an_emergency, set_up),
        cmocka_unit_test_setup(missing_media_is_given_up_at_its_limit, set_up),
        cmocka_unit_test_setup(refused_ones_end_at_their_instant, set_up),
        cmocka_unit_test_setup(recall_cuts_what_is_on, set_up),
        cmocka_unit_test_setup(priority_waits_for_a_boundary_or_cuts, set_up),
        cmocka_unit_test_setup(cut_ones_restart_or_drop, set_up),
        cmocka_unit_test_setup(cut_ones_end_at_their_end, set_up),
        cmocka_unit_test_setup(normal_waits_for_a_filler, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
