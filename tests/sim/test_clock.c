/* Clocks that boots, people and networks set wrongly: what is put out, and what its receipts say (DESIGN, Time). */
#include "unit.h"

#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define NOON   INT64_C(1783054800000) /* 2026-07-03 12:00 in Viet Nam */
#define MINUTE INT64_C(60000)
#define HOUR   INT64_C(3600000)
#define WEEK   INT64_C(604800000)

enum { SOUND_MS = 20000, EVERY_MIN = 5, ITEMS = 24, NEAR_MS = 100 };

/* One item every five minutes: item i is due at start + 5 (i + 1) minutes. */
static struct world *make_site(int64_t start_ms, bool synced)
{
    struct world *world =
        world_new(&(struct world_options){.seed = 7, .true_ms = start_ms, .kind = KIND_CLUSTER, .synced = synced});
    size_t b = centre_bulletin(world->centre, "b1", "Xin chào", SOUND_MS);
    for (int i = 0; i < ITEMS; i++)
        centre_item(world->centre, "r", b, start_ms + (i + 1) * EVERY_MIN * MINUTE);
    return world;
}

static const struct playlist_item *item(const struct world *world, int i)
{
    return &world->centre->items[i];
}

static const struct centre_row *receipt(const struct world *world, int i)
{
    const struct centre_row *row = centre_receipt(world->centre, item(world, i)->id);
    if (!row)
        fail_msg("item %d has no receipt", i);
    return row;
}

/* Put out once, at its instant, to its end. */
static void assert_played(const struct world *world, int i, const char *grade)
{
    const struct centre_row *row = receipt(world, i);
    if (row->reason != REASON_ON_TIME)
        fail_msg("item %d: %s", i, reason_names[row->reason]);
    assert_string_equal(row->grade, grade);
    assert_int_equal(row->planned_ms, item(world, i)->start_ms);
    assert_in_range(row->started_ms, row->planned_ms - NEAR_MS, row->planned_ms + NEAR_MS);
    assert_in_range(row->ended_ms - row->started_ms, SOUND_MS - NEAR_MS, SOUND_MS + NEAR_MS);
    assert_int_equal(row->frames, SOUND_MS * 48);
    assert_int_equal(world_begun(world, item(world, i)->id), 1);
}

/* Not put out, and its receipt says why. */
static void assert_missed(const struct world *world, int i, enum reason reason)
{
    const struct centre_row *row = receipt(world, i);
    if (row->reason != reason)
        fail_msg("item %d: %s instead of %s", i, reason_names[row->reason], reason_names[reason]);
    assert_int_equal(row->planned_ms, item(world, i)->start_ms);
    assert_int_equal(row->started_ms, 0);
    assert_int_equal(row->ended_ms, 0);
    assert_false(row->proven);
    assert_int_equal(world_begun(world, item(world, i)->id), 0);
}

/* All is well, told and known; and no occurrence has a second receipt. */
static void finish(struct world *world)
{
    const char *why;
    world_network(world, true);
    world_run_ms(world, 20000);
    for (int i = 0; i < 60 && !world_settled(world, &why); i++)
        world_run_ms(world, 1000);
    if (!world_settled(world, &why))
        fail_msg("%s", why);
    if (world_fault(world))
        fail_msg("%s", world_fault(world));
    const struct centre_lane *lane = &world->centre->lanes[CENTRE_RECEIPT];
    for (size_t i = 0; i < lane->n; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(lane->rows[i].occurrence, lane->rows[k].occurrence);
    world_free(world);
}

/* Minutes since the start of the site. */
static void run_to(struct world *world, int64_t start_ms, int64_t minutes)
{
    world_run_until(world, start_ms + minutes * MINUTE);
}

static void in_1970_at_boot(void **state)
{
    (void)state;
    struct world *world = make_site(NOON, false);
    world_begin(world);
    run_to(world, NOON, 12);
    world_network(world, false);
    world_kill(world);
    world_run_ms(world, MINUTE);
    sim_reboot();
    sim_wall_set(7000);
    world_boot(world);
    run_to(world, NOON, 22);
    assert_int_equal(world_begun(world, item(world, 2)->id), 0);
    world_network(world, true);
    run_to(world, NOON, 27);
    assert_played(world, 0, "signed");
    assert_played(world, 1, "signed");
    assert_missed(world, 2, REASON_NO_TIME);
    assert_missed(world, 3, REASON_NO_TIME);
    assert_played(world, 4, "signed");
    const struct centre_row *started = centre_event(world->centre, "started");
    assert_non_null(started);
    assert_string_equal(started->detail, "time is unknown");
    finish(world);
}

/* The wall clock is in 1970 from the first day, and is never set. */
static void in_1970_for_ever(void **state)
{
    (void)state;
    struct world *world = make_site(NOON, false);
    sim_wall_set(7000);
    world_begin(world);
    run_to(world, NOON, 21);
    for (int i = 0; i < 4; i++)
        assert_played(world, i, "signed");
    finish(world);
}

static void step(int64_t by_ms, bool welcomed)
{
    struct world *world = make_site(NOON, false);
    char detail[80];
    world_begin(world);
    run_to(world, NOON, 7);
    if (!welcomed) { /* the same boot, and nobody to ask */
        world_network(world, false);
        world_kill(world);
        world_boot(world);
        run_to(world, NOON, 8);
    }
    sim_wall_step(by_ms);
    run_to(world, NOON, 12);
    sim_wall_step(-by_ms);
    run_to(world, NOON, 17);
    world_network(world, true);
    run_to(world, NOON, 18);
    assert_played(world, 0, "signed");
    assert_played(world, 1, welcomed ? "signed" : "held");
    assert_played(world, 2, welcomed ? "signed" : "held");
    const struct centre_row *event = centre_event(world->centre, "clock_step");
    assert_non_null(event);
    snprintf(detail, sizeof(detail), "the wall clock stepped by %lld ms", (long long)-by_ms);
    assert_string_equal(event->detail, detail);
    assert_in_range(event->at_ms, NOON + 12 * MINUTE, NOON + 12 * MINUTE + 2000); /* of trusted time */
    finish(world);
}

static void steps_after_a_welcome(void **state)
{
    (void)state;
    static const int64_t by_ms[] = {HOUR, -HOUR, 2 * WEEK, -2 * WEEK};
    for (size_t i = 0; i < 4; i++)
        step(by_ms[i], true);
}

static void steps_before_a_welcome(void **state)
{
    (void)state;
    static const int64_t by_ms[] = {HOUR, -HOUR, 2 * WEEK, -2 * WEEK};
    for (size_t i = 0; i < 4; i++)
        step(by_ms[i], false);
}

static void a_step_during_an_item(void **state)
{
    (void)state;
    static const int64_t by_ms[] = {HOUR, -HOUR, 2 * WEEK, -2 * WEEK};
    struct world *world = make_site(NOON, false);
    world_begin(world);
    for (int i = 0; i < 4; i++) {
        world_run_until(world, item(world, i)->start_ms + 10000);
        sim_wall_step(by_ms[i]);
        world_run_ms(world, MINUTE);
        assert_played(world, i, "signed");
    }
    finish(world);
}

/* A clock that the kernel calls disciplined, and that jumps all the same, is followed: what it jumped over is told, and
 * what it comes back to is not put out again. */
static void a_disciplined_clock_that_jumps(void **state)
{
    (void)state;
    struct world *world = make_site(NOON, true);
    world_begin(world);
    run_to(world, NOON, 7);
    sim_wall_step(HOUR); /* over items 1 to 12 */
    world_run_ms(world, 30000);
    assert_played(world, 0, "synced");
    for (int i = 1; i <= 11; i++)
        assert_missed(world, i, REASON_EXPIRED);
    sim_wall_step(-HOUR);
    run_to(world, NOON, 63);
    for (int i = 1; i <= 11; i++)
        assert_missed(world, i, REASON_EXPIRED);
    run_to(world, NOON, 82);
    assert_int_equal(world_begun(world, item(world, 14)->id), 1);
    assert_string_equal(receipt(world, 14)->grade, "synced");
    finish(world);
}

/* Nobody vouches any more for where it led: the first welcome sets time right, and what was put out of force as expired
 * comes back. */
static void a_disciplined_clock_led_astray(void **state)
{
    (void)state;
    static const int64_t by_ms[] = {HOUR, -HOUR, 9 * WEEK, -9 * WEEK};
    for (size_t i = 0; i < 4; i++) {
        struct world *world = make_site(NOON, true);
        world_begin(world);
        run_to(world, NOON, 7);
        world_network(world, false);
        sim_wall_step(by_ms[i]);
        world_run_ms(world, 30000);
        sim_synced(false);
        run_to(world, NOON, 10);
        world_network(world, true);
        run_to(world, NOON, 77);
        assert_played(world, 0, "synced");
        if (by_ms[i] > 0 && by_ms[i] < WEEK) /* it led over items 1 to 12 */
            assert_missed(world, 1, REASON_EXPIRED);
        if (by_ms[i] < WEEK)
            assert_played(world, 14, "signed"); /* 13 was put on astray */
        finish(world);
    }
}

static void from_unknown_to_signed_to_synced(void **state)
{
    (void)state;
    struct world *world = make_site(NOON, false);
    world_begin(world);
    run_to(world, NOON, 2);
    world_network(world, false);
    world_power_cut(world, 1000);
    run_to(world, NOON, 7); /* item 0 without any trusted time */
    world_network(world, true);
    run_to(world, NOON, 12); /* item 1 by the centre's word */
    sim_synced(true);
    run_to(world, NOON, 17); /* item 2 */
    assert_string_equal(world->centre->grade, "synced");
    sim_synced(false);
    run_to(world, NOON, 22); /* item 3: the session still vouches */
    world_network(world, false);
    run_to(world, NOON, 27); /* item 4: nobody vouches any more */
    world_network(world, true);
    run_to(world, NOON, 28);
    assert_missed(world, 0, REASON_NO_TIME);
    assert_played(world, 1, "signed");
    assert_played(world, 2, "synced");
    assert_played(world, 3, "signed");
    assert_played(world, 4, "held");
    finish(world);
}

static void the_same_boot_holds_time(void **state)
{
    (void)state;
    struct world *world = make_site(NOON, false);
    world_begin(world);
    run_to(world, NOON, 2);
    world_network(world, false);
    sim_wall_set(0);
    world_kill(world);
    world_run_ms(world, 30000);
    world_boot(world);
    run_to(world, NOON, 7);
    world_stop(world);
    world_boot(world);
    run_to(world, NOON, 12);
    world_network(world, true);
    run_to(world, NOON, 13);
    assert_played(world, 0, "held");
    assert_played(world, 1, "held");
    finish(world);
}

static void another_boot_does_not(void **state)
{
    (void)state;
    struct world *world = make_site(NOON, false);
    world_begin(world);
    run_to(world, NOON, 2);
    world_network(world, false);
    world_power_cut(world, 30000); /* the wall clock is even right: nobody says so */
    run_to(world, NOON, 7);
    assert_int_equal(world_begun(world, item(world, 0)->id), 0);
    world_network(world, true);
    run_to(world, NOON, 8);
    assert_missed(world, 0, REASON_NO_TIME);
    finish(world);
}

static void a_second_before_midnight(void **state)
{
    (void)state;
    const int64_t midnight = NOON + 12 * HOUR, start = midnight - 1000 - EVERY_MIN * MINUTE;
    struct world *world = make_site(start, false); /* item 0 at 23:59:59 */
    world_begin(world);
    run_to(world, start, 7);
    assert_int_equal(item(world, 0)->start_ms, midnight - 1000);
    assert_played(world, 0, "signed");
    assert_true(receipt(world, 0)->ended_ms > midnight);
    finish(world);
}

static void midnight_and_a_power_cut(void **state)
{
    (void)state;
    const int64_t midnight = NOON + 12 * HOUR, start = midnight - 1000 - EVERY_MIN * MINUTE;
    struct world *world = make_site(start, true);
    world_begin(world);
    world_run_until(world, midnight + 4000);
    world_power_cut(world, 5000);
    run_to(world, start, 12);
    const struct centre_row *row = receipt(world, 0);
    assert_int_equal(row->reason, REASON_RESTARTED);
    assert_in_range(row->started_ms, midnight - 1000, midnight - 1000 + NEAR_MS);
    assert_int_equal(world_begun(world, item(world, 0)->id), 1);
    assert_played(world, 1, "synced");
    finish(world);
}

/* The device knows beforehand that others hold from midnight on. */
static void quiet_hours_that_change_without_a_network(void **state)
{
    (void)state;
    const int64_t midnight = NOON + 12 * HOUR, start = midnight - 12 * MINUTE; /* items at 23:53, :58, 0:03, :08, :13 */
    struct world *world = make_site(start, false);
    struct day_window evening = {.from_min = 1435, .to_min = 420}, night = {.from_min = 5, .to_min = 10};
    struct config_hours later = {.from_ms = midnight, .quiet_hours = &night, .n_quiet_hours = 1};
    world->centre->config.quiet_hours = &evening;
    world->centre->config.n_quiet_hours = 1;
    world->centre->config.later = &later;
    world->centre->config.n_later = 1;
    world_begin(world);
    run_to(world, start, 2);
    world_network(world, false);
    run_to(world, start, 27);
    world_network(world, true);
    run_to(world, start, 29);
    assert_played(world, 0, "held");
    assert_missed(world, 1, REASON_QUIET_HOURS);
    assert_played(world, 2, "held");
    assert_missed(world, 3, REASON_QUIET_HOURS);
    assert_played(world, 4, "held");
    finish(world);
}

/* The centre's word counts, whatever the box's own clock says. */
static void a_welcome_of_another_time(void **state)
{
    (void)state;
    struct world *world = make_site(NOON, false);
    sim_wall_step(-HOUR);
    world_begin(world);
    run_to(world, NOON, 7);
    assert_played(world, 0, "signed");
    assert_null(centre_event(world->centre, "clock_step"));
    finish(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_1970_at_boot),
        cmocka_unit_test(in_1970_for_ever),
        cmocka_unit_test(steps_after_a_welcome),
        cmocka_unit_test(steps_before_a_welcome),
        cmocka_unit_test(a_step_during_an_item),
        cmocka_unit_test(a_disciplined_clock_that_jumps),
        cmocka_unit_test(a_disciplined_clock_led_astray),
        cmocka_unit_test(from_unknown_to_signed_to_synced),
        cmocka_unit_test(the_same_boot_holds_time),
        cmocka_unit_test(another_boot_does_not),
        cmocka_unit_test(a_second_before_midnight),
        cmocka_unit_test(midnight_and_a_power_cut),
        cmocka_unit_test(quiet_hours_that_change_without_a_network),
        cmocka_unit_test(a_welcome_of_another_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
