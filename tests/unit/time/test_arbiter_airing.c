/* test_arbiter_airing.c - the same airing under another start, what passes quiet hours, what is caught up. */
#include "time/scene.h"

/* Catches up within three hours. */
static struct air_item *add_long(uint64_t key, int64_t at_ms)
{
    struct air_item *item = add_item(key, at_ms);
    item->end_ms = item->start_ms + 4 * HOUR_MS;
    item->catch_up_ms = 3 * HOUR_MS;
    return item;
}

static void move(struct air_item *item, int64_t by_ms)
{
    item->start_ms += by_ms;
    item->end_ms += by_ms;
}

/* Off from now to T0 + at_ms; what was not stored is forgotten. */
static void power_cut(int64_t at_ms)
{
    day->ledger = day->stored;
    day->in.now_ms = T0 + at_ms;
    day->in.elapsed_ms = 20000;
    day->in.restarted = true;
    ask(at_ms);
}

static void a_moved_one_is_the_same_airing(void **state)
{
    (void)state;
    struct air_item *item = add_long(1, 0);
    ask(0);
    assert_int_equal(day->d.key, 1);
    move(item, 30000); /* while it is on: it goes on */
    ask(5000);
    assert_true(day->d.on == ON_ITEM && !day->d.begins && day->d.n_ended == 0);
    finish(10000);
    assert_ended(1, REASON_ON_TIME);
    assert_int_equal(day->d.ended[0].planned_ms, T0);
    move(item, HOUR_MS);
    ask(20000);
    assert_int_equal(day->d.next_key, 0); /* nothing is to come */
    ask(HOUR_MS + 30000);
    assert_int_equal(day->d.on, ON_NOTHING);
    move(item, -HOUR_MS);
    ask(HOUR_MS + 40000);
    assert_true(day->d.on == ON_NOTHING && day->d.n_ended == 0);
}

static void a_missed_one_that_moves_has_its_receipt(void **state)
{
    (void)state;
    struct air_item *item = add_long(1, 0);
    item->blocked = REASON_NO_MEDIA;
    ask(0);
    ask(MIN_MS + 1);
    assert_ended(1, REASON_NO_MEDIA);
    item->blocked = REASON_ON_TIME;
    move(item, 10 * MIN_MS);
    ask(10 * MIN_MS);
    assert_true(day->d.on == ON_NOTHING && day->d.n_ended == 0);
}

static void one_that_moves_before_its_start_moves(void **state)
{
    (void)state;
    struct air_item *item = add_long(1, MIN_MS);
    ask(0);
    move(item, MIN_MS);
    ask(MIN_MS);
    assert_int_equal(day->d.on, ON_NOTHING);
    ask(2 * MIN_MS);
    assert_int_equal(day->d.key, 1);
    move(item, MIN_MS); /* a cut one resumes under its new start, not before it */
    item->policy = CUT_RESUME;
    day->orders[0] = (struct air_order){.key = 50,
                                        .kind = ORDER_ALERT,
                                        .start_ms = T0 + 2 * MIN_MS + 5000,
                                        .end_ms = T0 + 2 * MIN_MS + 9000,
                                        .length_ms = 4000};
    day->in.n_orders = 1;
    ask(2 * MIN_MS + 5000);
    assert_int_equal(day->d.key, 50);
    finish(2 * MIN_MS + 9000);
    assert_int_equal(day->d.on, ON_NOTHING);
    ask(3 * MIN_MS);
    assert_true(day->d.key == 1 && day->d.offset_ms == 5000);
    finish(3 * MIN_MS + 5000);
    assert_ended(1, REASON_ON_TIME);
}

/* An item of 10 s at T0 + 1 s that is put on ahead of it, in an account that begins at T0. */
static struct air_item *put_on_ahead(void)
{
    struct air_item *item = add_long(1, 1000);
    item->end_ms = item->start_ms + 20000;
    ask(0);
    assert_int_equal(day->ledger.since_ms, T0);
    ask(1000 - ARBITER_LEAD_MS);
    assert_true(day->d.begins && day->d.key == 1 && day->d.at_ms == T0 + 1000);
    return item;
}

static void assert_nothing_told(int64_t at_ms)
{
    ask(at_ms);
    assert_true(day->d.on == ON_NOTHING && day->d.n_ended == 0);
}

static void one_taken_off_ahead_that_moves_out_of_account_never_began(void **state)
{
    (void)state;
    struct air_item *item = put_on_ahead();
    day->in.n_items = 0;
    assert_nothing_told(999);
    day->in.n_items = 1;
    move(item, -MIN_MS); /* now it ends before the account begins */
    assert_nothing_told(2000);
    assert_nothing_told(HOUR_MS);
    move(item, 2 * HOUR_MS + MIN_MS - 1000); /* and now it does not: it can begin, and is told */
    ask(2 * HOUR_MS);
    assert_true(day->d.begins && day->d.key == 1);
    finish(2 * HOUR_MS + 10000);
    assert_ended(1, REASON_ON_TIME);
}

static void a_heard_one_that_moves_out_of_account_has_its_receipt(void **state)
{
    (void)state;
    struct air_item *item = put_on_ahead();
    day->in.n_items = 0;
    ask(1000); /* taken off at its instant: the first of it was heard */
    assert_ended(1, REASON_CANCELLED);
    assert_int_equal(day->d.ended[0].started_ms, T0 + 1000);
    day->in.n_items = 1;
    move(item, -MIN_MS);
    assert_nothing_told(2000);

    day->in.n_items = 0;
    set_up(state);
    item = put_on_ahead();
    move(item, -MIN_MS); /* while it is on */
    ask(2000);
    assert_ended(1, REASON_EXPIRED);
    assert_int_equal(day->d.ended[0].started_ms, T0 + 1000);
    assert_nothing_told(HOUR_MS);
}

static void an_exempt_one_passes_quiet_hours(void **state)
{
    (void)state;
    add_long(1, 0)->exempt = true;
    add_long(2, 30000);
    add_long(3, 2 * MIN_MS)->exempt = true;
    day->quiet[0] = (struct quiet_span){T0 + 5000, T0 + 90000};
    day->in.n_quiet = 1;
    ask(0);
    ask(5000);
    assert_int_equal(day->d.key, 1);
    finish(10000);
    assert_ended(1, REASON_ON_TIME);
    assert_true(day->d.ended[0].passed_quiet);
    ask(30000);
    assert_true(day->d.on == ON_NOTHING && day->d.reason == REASON_QUIET_HOURS);
    ask(90000);
    assert_int_equal(day->d.key, 2);
    finish(100000);
    assert_false(day->d.ended[0].passed_quiet);
    ask(2 * MIN_MS);
    finish(2 * MIN_MS + 10000);
    assert_ended(3, REASON_ON_TIME);
    assert_false(day->d.ended[0].passed_quiet); /* it had nothing to pass */
}

static void what_it_passed_survives_a_cut(void **state)
{
    (void)state;
    struct air_item *item = add_long(1, 0);
    item->exempt = true;
    item->policy = CUT_RESUME;
    day->quiet[0] = (struct quiet_span){T0 - HOUR_MS, T0 + 4000};
    day->in.n_quiet = 1;
    ask(0);
    day->orders[0] = (struct air_order){
        .key = 50, .kind = ORDER_ALERT, .start_ms = T0 + 3000, .end_ms = T0 + 8000, .length_ms = 4000, .plays = 1};
    day->in.n_orders = 1;
    ask(3000);
    assert_int_equal(day->d.key, 50);
    finish(7000);
    assert_ended(50, REASON_ON_TIME);
    assert_true(day->d.ended[0].passed_quiet); /* an emergency: its receipt says so */
    assert_int_equal(day->d.key, 1);
    power_cut(9000);
    assert_true(day->d.key == 1 && day->d.begins);
    finish(9000 + 10000);
    assert_ended(1, REASON_ON_TIME);
    assert_true(day->d.ended[0].passed_quiet);
}

static void a_pause_holds_an_exempt_one(void **state)
{
    (void)state;
    add_long(1, 1000)->exempt = true;
    day->orders[0] = (struct air_order){.key = 50, .kind = ORDER_PAUSE, .start_ms = T0, .end_ms = T0 + HOUR_MS};
    day->in.n_orders = 1;
    ask(1000);
    assert_true(day->d.on == ON_NOTHING && day->d.reason == REASON_PAUSED);
}

static void what_a_power_cut_took_is_caught_up(void **state)
{
    (void)state;
    add_long(1, 10 * MIN_MS);
    add_long(2, 20 * MIN_MS)->catch_up_ms = 0;
    add_long(3, 30 * MIN_MS);
    ask(0);
    power_cut(2 * HOUR_MS);
    assert_ended(2, REASON_LATE);
    assert_true(day->d.key == 1 && day->d.begins);
    assert_int_equal(day->d.reason, REASON_LATE);
    assert_int_equal(day->d.limit_ms, T0 + 10 * MIN_MS + 3 * HOUR_MS);
    power_cut(2 * HOUR_MS + 30 * MIN_MS); /* once more: the first is broken off, the other one is still caught up */
    assert_ended(1, REASON_RESTARTED);
    assert_int_equal(day->d.key, 3);
    finish(2 * HOUR_MS + 31 * MIN_MS);
    assert_ended(3, REASON_LATE);
}

static void what_was_held_while_it_was_on_is_not(void **state)
{
    (void)state;
    add_long(1, MIN_MS)->blocked = REASON_NO_MEDIA;
    ask(0);
    ask(MIN_MS);
    assert_true(day->d.store); /* its instant was seen */
    power_cut(MIN_MS + 30000);
    day->items[0].blocked = REASON_ON_TIME;
    ask(3 * MIN_MS);
    assert_ended(1, REASON_LATE);
}

static void a_step_of_the_clock_is_no_power_cut(void **state)
{
    (void)state;
    add_long(1, MIN_MS);
    ask(0);
    ask(2 * HOUR_MS);
    assert_ended(1, REASON_LATE);
    assert_int_equal(day->d.on, ON_NOTHING);
}

static void too_late_to_catch_up(void **state)
{
    (void)state;
    add_long(1, MIN_MS);
    add_long(2, 2 * MIN_MS)->end_ms = T0 + HOUR_MS;
    ask(0);
    power_cut(3 * HOUR_MS + 30000 + MIN_MS);
    assert_int_equal(day->d.n_ended, 2);
    assert_int_equal(day->d.ended[0].started_ms, 0);
    assert_int_equal(day->d.ended[1].reason, REASON_EXPIRED);
}

static void a_span_ahead_is_forgotten_when_the_clock_steps_back(void **state)
{
    (void)state;
    add_long(1, 90 * MIN_MS);
    ask(0);
    power_cut(2 * HOUR_MS); /* the clock is two hours ahead */
    day->in.now_ms = T0 + MIN_MS;
    day->in.elapsed_ms += 1000;
    assert_int_equal(day->d.key, 1); /* caught up, as far as anybody knew */
    finish(MIN_MS);
    day->in.n_items = 0;
    add_long(4, 95 * MIN_MS)->blocked = REASON_NO_MEDIA;
    ask(95 * MIN_MS);
    ask(97 * MIN_MS);
    assert_ended(4, REASON_NO_MEDIA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_moved_one_is_the_same_airing, set_up),
        cmocka_unit_test_setup(a_missed_one_that_moves_has_its_receipt, set_up),
        cmocka_unit_test_setup(one_that_moves_before_its_start_moves, set_up),
        cmocka_unit_test_setup(one_taken_off_ahead_that_moves_out_of_account_never_began, set_up),
        cmocka_unit_test_setup(a_heard_one_that_moves_out_of_account_has_its_receipt, set_up),
        cmocka_unit_test_setup(an_exempt_one_passes_quiet_hours, set_up),
        cmocka_unit_test_setup(what_it_passed_survives_a_cut, set_up),
        cmocka_unit_test_setup(a_pause_holds_an_exempt_one, set_up),
        cmocka_unit_test_setup(what_a_power_cut_took_is_caught_up, set_up),
        cmocka_unit_test_setup(what_was_held_while_it_was_on_is_not, set_up),
        cmocka_unit_test_setup(a_step_of_the_clock_is_no_power_cut, set_up),
        cmocka_unit_test_setup(too_late_to_catch_up, set_up),
        cmocka_unit_test_setup(a_span_ahead_is_forgotten_when_the_clock_steps_back, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
