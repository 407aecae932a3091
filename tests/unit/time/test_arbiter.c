/* test_arbiter.c - what the arbiter decides, case by case. test_arbiter_random.c has what must hold for every case. */
#include "unit.h"

#include "playlists/arbiter.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* 2026-07-01T05:00:00Z */
#define T0      INT64_C(1782882000000)
#define MIN_MS  INT64_C(60000)
#define HOUR_MS INT64_C(3600000)

static size_t allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size)
{
    allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

/* One device's day, asked by hand. */
struct day {
    struct air_item items[2048];
    uint64_t bulletins[2048];
    struct air_order orders[80];
    struct quiet_span quiet[4];
    struct arbiter_inputs in;
    struct ledger ledger;
    struct decision d;
};

static struct day *day;

static int set_up(void **state)
{
    (void)state;
    static struct day fresh;
    memset(&fresh, 0, sizeof(fresh));
    day = &fresh;
    day->in = (struct arbiter_inputs){.now_ms = T0,
                                      .elapsed_ms = HOUR_MS,
                                      .grade = GRADE_SYNCED,
                                      .items = day->items,
                                      .item_bulletins = day->bulletins,
                                      .orders = day->orders,
                                      .quiet = day->quiet};
    return 0;
}

/* An item of 10 s at T0 + at_ms, may be a minute late. */
static struct air_item *add_item(uint64_t key, int64_t at_ms)
{
    struct air_item *item = &day->items[day->in.n_items];
    day->bulletins[day->in.n_items++] = key + 1000;
    *item = (struct air_item){.key = key,
                              .start_ms = T0 + at_ms,
                              .end_ms = T0 + at_ms + 72000,
                              .late_ms = MIN_MS,
                              .length_ms = 10000,
                              .class = CLASS_NORMAL};
    return item;
}

static struct air_order *add_order(enum order_kind kind, uint64_t key, int64_t from_ms, int64_t to_ms)
{
    struct air_order *order = &day->orders[day->in.n_orders++];
    *order = (struct air_order){.key = key,
                                .kind = kind,
                                .class = CLASS_NORMAL,
                                .start_ms = T0 + from_ms,
                                .end_ms = T0 + to_ms,
                                .length_ms = kind == ORDER_ALERT || kind == ORDER_NOTICE ? 10000 : 0};
    return order;
}

/* Ask at T0 + at_ms; elapsed time goes along. */
static const struct decision *ask(int64_t at_ms)
{
    day->in.elapsed_ms += T0 + at_ms - day->in.now_ms;
    day->in.now_ms = T0 + at_ms;
    size_t before = allocations;
    arbiter_step(&day->in, &day->ledger, &day->d, &day->ledger);
    assert_int_equal(allocations, before);
    day->in.finished = day->in.failed = day->in.restarted = false;
    return &day->d;
}

static const struct decision *finish(int64_t at_ms)
{
    day->in.finished = true;
    return ask(at_ms);
}

static void assert_on(uint64_t key)
{
    assert_int_equal(day->d.on != ON_NOTHING ? day->d.key : 0, key);
}

static void assert_ended(uint64_t key, enum reason reason)
{
    assert_int_equal(day->d.n_ended, 1);
    assert_int_equal(day->d.ended[0].key, key);
    assert_string_equal(reason_names[day->d.ended[0].reason], reason_names[reason]);
    assert_true(day->d.store);
}

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
        cmocka_unit_test_setup(a_silence_outlives_everything_but_its_lift, set_up),
        cmocka_unit_test_setup(silence_stops_an_emergency, set_up),
        cmocka_unit_test_setup(zones_are_silenced_by_themselves, set_up),
        cmocka_unit_test_setup(emergency_cuts_at_once_and_owns_its_gaps, set_up),
        cmocka_unit_test_setup(equal_orders_take_turns, set_up),
        cmocka_unit_test_setup(order_goes_before_the_timetable, set_up),
        cmocka_unit_test_setup(pause_holds_below_emergency, set_up),
        cmocka_unit_test_setup(quiet_hours_end_what_is_on, set_up),
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
