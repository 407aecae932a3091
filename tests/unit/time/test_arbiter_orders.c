/* test_arbiter_orders.c - silences, emergencies, orders that take turns, pauses and quiet hours. */
#include "time/scene.h"

static void a_silence_outlives_everything_but_its_lift(void **state)
{
    (void)state;
    add_item(1, 0);
    add_item(2, MIN_MS)->end_ms += 10 * HOUR_MS;
    ask(0);
    assert_on(1);
    add_order(ORDER_SILENCE, 70, 2000, 5000);
    assert_int_equal(ask(1000)->next_ms, T0 + 2000);
    ask(2000);
    assert_on(0);
    assert_ended(1, REASON_SILENCED);
    assert_int_equal(day->d.muted_zones, UINT32_MAX);
    day->in.n_orders = 0; /* expired, and its document replaced */
    day->in.restarted = true;
    ask(MIN_MS);
    assert_on(0);
    assert_int_equal(day->d.reason, REASON_SILENCED);
    add_order(ORDER_LIFT, 71, 0, 1)->target = 69; /* names another */
    ask(MIN_MS + 1000);
    assert_on(0);
    day->orders[0].target = 70;
    add_order(ORDER_SILENCE, 70, 2000, 10 * HOUR_MS);
    ask(MIN_MS + 2000);
    assert_on(2);
    day->orders[0] = day->orders[1];
    day->in.n_orders = 1;
    ask(MIN_MS + 3000); /* the lift is gone, the silence still named: it stays lifted */
    assert_on(2);
}

static void silence_stops_an_emergency(void **state)
{
    (void)state;
    add_order(ORDER_ALERT, 60, 0, HOUR_MS);
    ask(0);
    assert_on(60);
    day->in.local_silence = true;
    ask(1000);
    assert_on(0);
    assert_int_equal(day->d.reason, REASON_SILENCED);
    day->in.local_silence = false;
    ask(2000);
    assert_on(60);
}

static void zones_are_silenced_by_themselves(void **state)
{
    (void)state;
    add_order(ORDER_SILENCE, 70, 0, HOUR_MS)->zones = 2;
    add_item(1, 0)->zones = 2;
    add_item(2, 1000)->zones = 3;
    ask(0);
    assert_on(0);
    ask(1000);
    assert_on(2);
    assert_int_equal(day->d.muted_zones, 2);
    finish(11000);
    assert_ended(2, REASON_ON_TIME);
    ask(MIN_MS + 1);
    assert_ended(1, REASON_SILENCED);
}

static void emergency_cuts_at_once_and_owns_its_gaps(void **state)
{
    (void)state;
    add_item(1, 0)->policy = CUT_RESUME;
    ask(0);
    struct air_order *alert = add_order(ORDER_ALERT, 60, 3000, 50000);
    alert->gap_ms = 5000;
    alert->plays = 2;
    ask(3000);
    assert_on(60);
    finish(13000);
    assert_on(0);
    assert_int_equal(day->d.reason, REASON_PREEMPTED);
    assert_int_equal(day->d.next_ms, T0 + 18000);
    ask(18000);
    assert_on(60);
    finish(28000);
    assert_ended(60, REASON_ON_TIME);
    assert_int_equal(day->d.ended[0].kind, ON_ORDER);
    assert_int_equal(day->d.ended[0].heard_ms, 20000);
    assert_on(1);
    assert_int_equal(day->d.offset_ms, 3000);
}

static void equal_orders_take_turns(void **state)
{
    (void)state;
    add_order(ORDER_ALERT, 60, 0, HOUR_MS);
    add_order(ORDER_ALERT, 61, 0, HOUR_MS);
    ask(0);
    assert_on(60);
    ask(5000);
    assert_on(60);
    finish(10000);
    assert_on(61);
    finish(20000);
    assert_on(60);
    add_order(ORDER_CANCEL, 80, 0, HOUR_MS)->target = 60;
    ask(21000);
    assert_ended(60, REASON_CANCELLED);
    assert_on(61);
    day->in.n_orders = 2; /* the cancel is gone: the order stays cancelled */
    finish(31000);
    assert_on(61);
}

static void order_goes_before_the_timetable(void **state)
{
    (void)state;
    add_item(1, 0);
    add_order(ORDER_NOTICE, 60, 0, 30000)->plays = 1;
    ask(0);
    assert_on(60);
    finish(10000);
    assert_on(1);
}

static void pause_holds_below_emergency(void **state)
{
    (void)state;
    add_item(1, 0)->policy = CUT_RESUME;
    add_item(2, 20000)->late_ms = 5000;
    ask(0);
    add_order(ORDER_PAUSE, 65, 2000, 30000);
    ask(2000);
    assert_on(0);
    assert_int_equal(day->d.reason, REASON_PAUSED);
    ask(25001);
    assert_ended(2, REASON_PAUSED);
    add_order(ORDER_ALERT, 60, 26000, 29000);
    ask(26000);
    assert_on(60);
    ask(29000);
    assert_on(0);
    assert_ended(60, REASON_ON_TIME);
    ask(30000);
    assert_on(1);
    assert_int_equal(day->d.offset_ms, 2000);
}

static void quiet_hours_end_what_is_on(void **state)
{
    (void)state;
    day->quiet[0] = (struct quiet_span){T0 + 5000, T0 + HOUR_MS};
    day->in.n_quiet = 1;
    add_item(1, 0)->policy = CUT_RESUME;
    add_item(2, 5000);
    add_item(3, HOUR_MS);
    ask(0);
    assert_int_equal(ask(4600)->next_ms, T0 + 5000);
    ask(5000);
    assert_on(0);
    assert_ended(1, REASON_QUIET_HOURS);
    ask(5000 + MIN_MS + 1);
    assert_ended(2, REASON_QUIET_HOURS);
    add_order(ORDER_ALERT, 60, 0, 100000);
    ask(80000);
    assert_on(60); /* only an emergency passes */
    ask(HOUR_MS - ARBITER_LEAD_MS);
    assert_on(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_silence_outlives_everything_but_its_lift, set_up),
        cmocka_unit_test_setup(silence_stops_an_emergency, set_up),
        cmocka_unit_test_setup(zones_are_silenced_by_themselves, set_up),
        cmocka_unit_test_setup(emergency_cuts_at_once_and_owns_its_gaps, set_up),
        cmocka_unit_test_setup(equal_orders_take_turns, set_up),
        cmocka_unit_test_setup(order_goes_before_the_timetable, set_up),
        cmocka_unit_test_setup(pause_holds_below_emergency, set_up),
        cmocka_unit_test_setup(quiet_hours_end_what_is_on, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
