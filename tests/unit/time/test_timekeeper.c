/* test_timekeeper.c - how far the time is trusted, over welcomes, steps, restarts and power cuts. */
#include "unit.h"

#include "playlists/timekeeper.h"

#include <stdio.h>
#include <string.h>

#define NOW     INT64_C(1782882000000)
#define BUILD   INT64_C(1780000000000)
#define LIMIT   INT64_C(1900000000000)
#define HOUR_MS INT64_C(3600000)

static struct clocks at(const char *boot, int64_t wall_ms, int64_t elapsed_ms)
{
    struct clocks clocks = {.wall_ms = wall_ms, .elapsed_ms = elapsed_ms};
    snprintf(clocks.boot, sizeof(clocks.boot), "%s", boot);
    return clocks;
}

static void assert_now(const struct time_now *now, enum time_grade grade, int64_t now_ms)
{
    assert_string_equal(time_grade_names[now->grade], time_grade_names[grade]);
    assert_int_equal(now->now_ms, now_ms);
}

static void nothing_is_guessed(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", 5000, 1000); /* a board without a battery, in 1970 */
    struct time_now now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_UNKNOWN, 5000);
    assert_int_equal(now.lower_ms, BUILD);
    clocks = at("a", NOW, 2000); /* a plausible wall clock proves nothing */
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_UNKNOWN, NOW);
}

static void a_disciplined_clock_counts(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", NOW, 1000);
    clocks.kernel_synced = true;
    struct time_now now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_SYNCED, NOW);
    assert_int_equal(now.lower_ms, NOW);
    assert_true(tk.dirty);
    tk.dirty = false;
    clocks.wall_ms += 1000;
    clocks.elapsed_ms += 1000;
    timekeeper_look(&tk, &clocks, BUILD);
    assert_false(tk.dirty);
    clocks = at("a", NOW + 5000 + HOUR_MS, 6000); /* discipline is lost and the wall clock runs away */
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_HELD, NOW + 5000);
    assert_int_equal(now.step_ms, HOUR_MS);
    clocks = at("a", BUILD - 1, 7000); /* disciplined towards a time before we were built */
    clocks.kernel_synced = true;
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_HELD, NOW + 6000);
}

static void a_welcome_vouches_for_its_session(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", 5000, 1000);
    timekeeper_welcome(&tk, &clocks, NOW, LIMIT, "kid");
    assert_true(tk.dirty);
    clocks = at("a", 6000, 2000);
    struct time_now now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_SIGNED, NOW + 1000);
    timekeeper_session_ended(&tk);
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_HELD, NOW + 1000);
    clocks.elapsed_ms = 1000 + TIMEKEEPER_HELD_MS;
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_HELD, NOW + TIMEKEEPER_HELD_MS);
    clocks.elapsed_ms++;
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.lower_ms, NOW);
}

static void an_agreeing_wall_clock_is_finer(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", NOW + 300, 1000); /* the message took 300 ms */
    timekeeper_welcome(&tk, &clocks, NOW, LIMIT, "kid");
    struct time_now now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_SIGNED, NOW + 300);
    clocks.wall_ms = NOW + TIMEKEEPER_AGREE_MS + 1;
    timekeeper_welcome(&tk, &clocks, NOW, LIMIT, "kid");
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_SIGNED, NOW);
}

static void time_past_the_trust_is_not_believed(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", 5000, 1000);
    timekeeper_welcome(&tk, &clocks, LIMIT + 1, LIMIT, "thief");
    struct time_now now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_UNKNOWN, 5000);
    assert_int_equal(tk.newest_ms, 0);
    timekeeper_welcome(&tk, &clocks, LIMIT, LIMIT, "thief");
    assert_string_equal(tk.newest_kid, "thief");
    timekeeper_forget(&tk);
    now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_UNKNOWN, 5000);
    assert_int_equal(now.lower_ms, BUILD);
}

static void the_newest_time_stays_the_lower_bound(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", 5000, 1000);
    timekeeper_welcome(&tk, &clocks, NOW, LIMIT, "first");
    timekeeper_welcome(&tk, &clocks, NOW - HOUR_MS, LIMIT, "second"); /* a centre that went back */
    assert_int_equal(tk.newest_ms, NOW);
    assert_string_equal(tk.newest_kid, "first");
    struct time_now now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_SIGNED, NOW - HOUR_MS);
}

static void it_is_carried_over_restarts_not_over_boots(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", 5000, 1000);
    timekeeper_welcome(&tk, &clocks, NOW, LIMIT, "kid");
    struct timekeeper stored = tk;
    clocks = at("a", 9000, 61000);
    timekeeper_restore(&stored, &clocks);
    struct time_now now = timekeeper_look(&stored, &clocks, BUILD);
    assert_now(&now, GRADE_HELD, NOW + 60000);
    assert_int_equal(now.step_ms, 0);

    stored = tk;
    clocks = at("b", 9000, 61000);
    timekeeper_restore(&stored, &clocks);
    now = timekeeper_look(&stored, &clocks, BUILD);
    assert_now(&now, GRADE_UNKNOWN, 9000);
    assert_int_equal(now.lower_ms, NOW);

    clocks = at("unknown", 5000, 1000); /* a boot without a name is never the same boot */
    timekeeper_welcome(&tk, &clocks, NOW, LIMIT, "kid");
    stored = tk;
    clocks.elapsed_ms = 70000;
    timekeeper_restore(&stored, &clocks);
    now = timekeeper_look(&stored, &clocks, BUILD);
    assert_int_equal(now.grade, GRADE_UNKNOWN);
}

static void a_session_in_a_boot_without_a_name_is_signed(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("unknown", 5000, 1000);
    timekeeper_welcome(&tk, &clocks, NOW, LIMIT, "kid");
    clocks.elapsed_ms = 2000;
    struct time_now now = timekeeper_look(&tk, &clocks, BUILD);
    assert_now(&now, GRADE_SIGNED, NOW + 1000);
}

static void steps_of_the_wall_clock_are_seen(void **state)
{
    (void)state;
    struct timekeeper tk = {0};
    struct clocks clocks = at("a", NOW, 1000);
    assert_int_equal(timekeeper_look(&tk, &clocks, BUILD).step_ms, 0);
    clocks = at("a", NOW + 1000, 2000);
    assert_int_equal(timekeeper_look(&tk, &clocks, BUILD).step_ms, 0);
    clocks = at("a", NOW + 2000 + TIMEKEEPER_STEP_MS - 1, 3000);
    assert_int_equal(timekeeper_look(&tk, &clocks, BUILD).step_ms, 0);
    clocks = at("a", NOW + 3000 - HOUR_MS, 4000);
    assert_true(timekeeper_look(&tk, &clocks, BUILD).step_ms <= -HOUR_MS);
    clocks = at("a", NOW + 4000 - HOUR_MS, 5000);
    assert_int_equal(timekeeper_look(&tk, &clocks, BUILD).step_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_guessed),
        cmocka_unit_test(a_disciplined_clock_counts),
        cmocka_unit_test(a_welcome_vouches_for_its_session),
        cmocka_unit_test(an_agreeing_wall_clock_is_finer),
        cmocka_unit_test(time_past_the_trust_is_not_believed),
        cmocka_unit_test(the_newest_time_stays_the_lower_bound),
        cmocka_unit_test(it_is_carried_over_restarts_not_over_boots),
        cmocka_unit_test(a_session_in_a_boot_without_a_name_is_signed),
        cmocka_unit_test(steps_of_the_wall_clock_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
