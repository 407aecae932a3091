/* test_arbiter_airing.c - the same airing under another start, what passes quiet hours, what is caught up. */
#include "unit.h"

#include "playlists/arbiter.h"

#include <string.h>

/* 2026-07-01T05:00:00Z */
#define T0      INT64_C(1782882000000)
#define MIN_MS  INT64_C(60000)
#define HOUR_MS INT64_C(3600000)

static struct air_item items[16];
static struct air_order orders[4];
static struct quiet_span quiet;
static struct arbiter_inputs in;
static struct ledger ledger, stored;
static struct decision d;

static int set_up(void **state)
{
    (void)state;
    memset(&ledger, 0, sizeof(ledger));
    memset(&stored, 0, sizeof(stored));
    in = (struct arbiter_inputs){
        .now_ms = T0, .elapsed_ms = HOUR_MS, .grade = GRADE_SYNCED, .items = items, .orders = orders, .quiet = &quiet};
    return 0;
}

/* An item of 10 s at T0 + at_ms, may be a minute late, and three hours when it is caught up. */
static struct air_item *add_item(uint64_t key, int64_t at_ms)
{
    struct air_item *item = &items[in.n_items++];
    *item = (struct air_item){.key = key,
                              .start_ms = T0 + at_ms,
                              .end_ms = T0 + at_ms + 4 * HOUR_MS,
                              .late_ms = MIN_MS,
                              .length_ms = 10000,
                              .catch_up_ms = 3 * HOUR_MS,
                              .class = CLASS_NORMAL};
    return item;
}

static void move(struct air_item *item, int64_t by_ms)
{
    item->start_ms += by_ms;
    item->end_ms += by_ms;
}

static void ask(int64_t at_ms)
{
    in.elapsed_ms += T0 + at_ms - in.now_ms;
    in.now_ms = T0 + at_ms;
    arbiter_step(&in, &ledger, &d, &ledger);
    in.finished = in.restarted = false;
    if (d.store)
        stored = ledger;
}

static void finish(int64_t at_ms)
{
    in.finished = true;
    ask(at_ms);
}

/* Off from now to T0 + at_ms; what was not stored is forgotten. */
static void power_cut(int64_t at_ms)
{
    ledger = stored;
    in.now_ms = T0 + at_ms;
    in.elapsed_ms = 20000;
    in.restarted = true;
    ask(at_ms);
}

static void assert_ended(uint64_t key, enum reason reason)
{
    assert_int_equal(d.n_ended, 1);
    assert_int_equal(d.ended[0].key, key);
    assert_string_equal(reason_names[d.ended[0].reason], reason_names[reason]);
}

static void a_moved_one_is_the_same_airing(void **state)
{
    (void)state;
    struct air_item *item = add_item(1, 0);
    ask(0);
    assert_int_equal(d.key, 1);
    move(item, 30000); /* while it is on: it goes on */
    ask(5000);
    assert_true(d.on == ON_ITEM && !d.begins && d.n_ended == 0);
    finish(10000);
    assert_ended(1, REASON_ON_TIME);
    assert_int_equal(d.ended[0].planned_ms, T0);
    move(item, HOUR_MS);
    ask(20000);
    assert_int_equal(d.next_key, 0); /* nothing is to come */
    ask(HOUR_MS + 30000);
    assert_int_equal(d.on, ON_NOTHING);
    move(item, -HOUR_MS);
    ask(HOUR_MS + 40000);
    assert_true(d.on == ON_NOTHING && d.n_ended == 0);
}

static void a_missed_one_that_moves_has_its_receipt(void **state)
{
    (void)state;
    struct air_item *item = add_item(1, 0);
    item->blocked = REASON_NO_MEDIA;
    ask(0);
    ask(MIN_MS + 1);
    assert_ended(1, REASON_NO_MEDIA);
    item->blocked = REASON_ON_TIME;
    move(item, 10 * MIN_MS);
    ask(10 * MIN_MS);
    assert_true(d.on == ON_NOTHING && d.n_ended == 0);
}

static void one_that_moves_before_its_start_moves(void **state)
{
    (void)state;
    struct air_item *item = add_item(1, MIN_MS);
    ask(0);
    move(item, MIN_MS);
    ask(MIN_MS);
    assert_int_equal(d.on, ON_NOTHING);
    ask(2 * MIN_MS);
    assert_int_equal(d.key, 1);
    move(item, MIN_MS); /* a cut one resumes under its new start, not before it */
    item->policy = CUT_RESUME;
    orders[0] = (struct air_order){.key = 50,
                                   .kind = ORDER_ALERT,
                                   .start_ms = T0 + 2 * MIN_MS + 5000,
                                   .end_ms = T0 + 2 * MIN_MS + 9000,
                                   .length_ms = 4000};
    in.n_orders = 1;
    ask(2 * MIN_MS + 5000);
    assert_int_equal(d.key, 50);
    finish(2 * MIN_MS + 9000);
    assert_int_equal(d.on, ON_NOTHING);
    ask(3 * MIN_MS);
    assert_true(d.key == 1 && d.offset_ms == 5000);
    finish(3 * MIN_MS + 5000);
    assert_ended(1, REASON_ON_TIME);
}

/* An item of 10 s at T0 + 1 s that is put on ahead of it, in an account that begins at T0. */
static struct air_item *put_on_ahead(void)
{
    struct air_item *item = add_item(1, 1000);
    item->end_ms = item->start_ms + 20000;
    ask(0);
    assert_int_equal(ledger.since_ms, T0);
    ask(1000 - ARBITER_LEAD_MS);
    assert_true(d.begins && d.key == 1 && d.at_ms == T0 + 1000);
    return item;
}

static void assert_nothing_told(int64_t at_ms)
{
    ask(at_ms);
    assert_true(d.on == ON_NOTHING && d.n_ended == 0);
}

static void one_taken_off_ahead_that_moves_out_of_account_never_began(void **state)
{
    (void)state;
    struct air_item *item = put_on_ahead();
    in.n_items = 0;
    assert_nothing_told(999);
    in.n_items = 1;
    move(item, -MIN_MS); /* now it ends before the account begins */
    assert_nothing_told(2000);
    assert_nothing_told(HOUR_MS);
    move(item, 2 * HOUR_MS + MIN_MS - 1000); /* and now it does not: it can begin, and is told */
    ask(2 * HOUR_MS);
    assert_true(d.begins && d.key == 1);
    finish(2 * HOUR_MS + 10000);
    assert_ended(1, REASON_ON_TIME);
}

static void a_heard_one_that_moves_out_of_account_has_its_receipt(void **state)
{
    (void)state;
    struct air_item *item = put_on_ahead();
    in.n_items = 0;
    ask(1000); /* taken off at its instant: the first of it was heard */
    assert_ended(1, REASON_CANCELLED);
    assert_int_equal(d.ended[0].started_ms, T0 + 1000);
    in.n_items = 1;
    move(item, -MIN_MS);
    assert_nothing_told(2000);

    in.n_items = 0;
    set_up(state);
    item = put_on_ahead();
    move(item, -MIN_MS); /* while it is on */
    ask(2000);
    assert_ended(1, REASON_EXPIRED);
    assert_int_equal(d.ended[0].started_ms, T0 + 1000);
    assert_nothing_told(HOUR_MS);
}

static void an_exempt_one_passes_quiet_hours(void **state)
{
    (void)state;
    add_item(1, 0)->exempt = true;
    add_item(2, 30000);
    add_item(3, 2 * MIN_MS)->exempt = true;
    quiet = (struct quiet_span){T0 + 5000, T0 + 90000};
    in.n_quiet = 1;
    ask(0);
    ask(5000);
    assert_int_equal(d.key, 1);
    finish(10000);
    assert_ended(1, REASON_ON_TIME);
    assert_true(d.ended[0].passed_quiet);
    ask(30000);
    assert_true(d.on == ON_NOTHING && d.reason == REASON_QUIET_HOURS);
    ask(90000);
    assert_int_equal(d.key, 2);
    finish(100000);
    assert_false(d.ended[0].passed_quiet);
    ask(2 * MIN_MS);
    finish(2 * MIN_MS + 10000);
    assert_ended(3, REASON_ON_TIME);
    assert_false(d.ended[0].passed_quiet); /* it had nothing to pass */
}

static void what_it_passed_survives_a_cut(void **state)
{
    (void)state;
    struct air_item *item = add_item(1, 0);
    item->exempt = true;
    item->policy = CUT_RESUME;
    quiet = (struct quiet_span){T0 - HOUR_MS, T0 + 4000};
    in.n_quiet = 1;
    ask(0);
    orders[0] = (struct air_order){
        .key = 50, .kind = ORDER_ALERT, .start_ms = T0 + 3000, .end_ms = T0 + 8000, .length_ms = 4000, .plays = 1};
    in.n_orders = 1;
    ask(3000);
    assert_int_equal(d.key, 50);
    finish(7000);
    assert_ended(50, REASON_ON_TIME);
    assert_true(d.ended[0].passed_quiet); /* an emergency: its receipt says so */
    assert_int_equal(d.key, 1);
    power_cut(9000);
    assert_true(d.key == 1 && d.begins);
    finish(9000 + 10000);
    assert_ended(1, REASON_ON_TIME);
    assert_true(d.ended[0].passed_quiet);
}

static void a_pause_holds_an_exempt_one(void **state)
{
    (void)state;
    add_item(1, 1000)->exempt = true;
    orders[0] = (struct air_order){.key = 50, .kind = ORDER_PAUSE, .start_ms = T0, .end_ms = T0 + HOUR_MS};
    in.n_orders = 1;
    ask(1000);
    assert_true(d.on == ON_NOTHING && d.reason == REASON_PAUSED);
}

static void what_a_power_cut_took_is_caught_up(void **state)
{
    (void)state;
    add_item(1, 10 * MIN_MS);
    add_item(2, 20 * MIN_MS)->catch_up_ms = 0;
    add_item(3, 30 * MIN_MS);
    ask(0);
    power_cut(2 * HOUR_MS);
    assert_ended(2, REASON_LATE);
    assert_true(d.key == 1 && d.begins);
    assert_int_equal(d.reason, REASON_LATE);
    assert_int_equal(d.limit_ms, T0 + 10 * MIN_MS + 3 * HOUR_MS);
    power_cut(2 * HOUR_MS + 30 * MIN_MS); /* once more: the first is broken off, the other one is still caught up */
    assert_ended(1, REASON_RESTARTED);
    assert_int_equal(d.key, 3);
    finish(2 * HOUR_MS + 31 * MIN_MS);
    assert_ended(3, REASON_LATE);
}

static void what_was_held_while_it_was_on_is_not(void **state)
{
    (void)state;
    add_item(1, MIN_MS)->blocked = REASON_NO_MEDIA;
    ask(0);
    ask(MIN_MS);
    assert_true(d.store); /* its instant was seen */
    power_cut(MIN_MS + 30000);
    items[0].blocked = REASON_ON_TIME;
    ask(3 * MIN_MS);
    assert_ended(1, REASON_LATE);
}

static void a_step_of_the_clock_is_no_power_cut(void **state)
{
    (void)state;
    add_item(1, MIN_MS);
    ask(0);
    ask(2 * HOUR_MS);
    assert_ended(1, REASON_LATE);
    assert_int_equal(d.on, ON_NOTHING);
}

static void too_late_to_catch_up(void **state)
{
    (void)state;
    add_item(1, MIN_MS);
    add_item(2, 2 * MIN_MS)->end_ms = T0 + HOUR_MS;
    ask(0);
    power_cut(3 * HOUR_MS + 30000 + MIN_MS);
    assert_int_equal(d.n_ended, 2);
    assert_int_equal(d.ended[0].started_ms, 0);
    assert_int_equal(d.ended[1].reason, REASON_EXPIRED);
}

static void a_span_ahead_is_forgotten_when_the_clock_steps_back(void **state)
{
    (void)state;
    add_item(1, 90 * MIN_MS);
    ask(0);
    power_cut(2 * HOUR_MS); /* the clock is two hours ahead */
    in.now_ms = T0 + MIN_MS;
    in.elapsed_ms += 1000;
    assert_int_equal(d.key, 1); /* caught up, as far as anybody knew */
    finish(MIN_MS);
    in.n_items = 0;
    add_item(4, 95 * MIN_MS)->blocked = REASON_NO_MEDIA;
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
