/* test_timekeeper_wall.c - the wall clock: disciplined by the kernel, led astray, stepped. */
#include "time/boots.h"

#include <string.h>

static void the_kernel_disciplines_the_clock(void **state)
{
    (void)state;
    clocks.kernel_synced = true;
    assert_time(GRADE_SYNCED, T0);
    assert_true(tk.dirty);
    assert_int_equal(tk.newest_ms, 0); /* nobody signed it */
    /* It outranks a source, and a wrong offset from before. */
    welcome(T0 + HOUR_MS);
    assert_time(GRADE_SYNCED, T0);
    /* When it loses its peers the time is carried on, whatever the wall clock then does. */
    pass(HOUR_MS);
    assert_time(GRADE_SYNCED, T0 + HOUR_MS);
    timekeeper_session_ended(&tk);
    clocks.kernel_synced = false;
    clocks.wall_ms -= DAY_MS;
    assert_time(GRADE_HELD, T0 + HOUR_MS);
    pass(TIMEKEEPER_HELD_MS + 1);
    assert_int_equal(look().grade, GRADE_UNKNOWN);
}

static void a_disciplined_clock_before_the_build_is_not_believed(void **state)
{
    (void)state;
    clocks.kernel_synced = true;
    clocks.wall_ms = BUILD - 1;
    struct time_now now = look();
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.lower_ms, BUILD);
    assert_false(tk.has_offset);
    welcome(T0);
    assert_time(GRADE_SIGNED, T0);
    clocks.wall_ms = BUILD;
    assert_time(GRADE_SYNCED, BUILD);
}

/* A disciplined clock asks for a write now and then, not at each look. */
static void writes_of_a_disciplined_clock_are_few(void **state)
{
    (void)state;
    int writes = 0;
    clocks.kernel_synced = true;
    for (int i = 0; i < 6 * 3600; i++, pass(1000)) {
        assert_int_equal(look().grade, GRADE_SYNCED);
        writes += tk.dirty;
        tk.dirty = false;
    }
    assert_int_equal(writes, 36);
    pass(600000);
    clocks.wall_ms += 150; /* an offset that moved is worth one at once */
    look();
    tk.dirty = false;
    clocks.wall_ms += 99;
    look();
    assert_false(tk.dirty);
    clocks.wall_ms += 1;
    look();
    assert_true(tk.dirty);
}

/* Reported once, and nothing that is trusted moves. */
static void check_step(int64_t step_ms, bool session)
{
    set_up(NULL);
    look();
    welcome(T0 + 700);
    if (!session)
        timekeeper_session_ended(&tk);
    pass(5000);
    assert_int_equal(look().step_ms, 0);
    clocks.wall_ms += step_ms;
    pass(20);
    struct time_now now = look();
    assert_int_equal(now.step_ms, step_ms);
    assert_int_equal(now.now_ms, T0 + 5020);
    assert_int_equal(now.lower_ms, T0 + 5020);
    assert_int_equal(now.grade, session ? GRADE_SIGNED : GRADE_HELD);
    pass(20);
    assert_int_equal(look().step_ms, 0);
    assert_time(session ? GRADE_SIGNED : GRADE_HELD, T0 + 5040);
}

static void steps_of_the_wall_clock(void **state)
{
    (void)state;
    static const int64_t steps[] = {HOUR_MS, -HOUR_MS, 14 * DAY_MS, -14 * DAY_MS, 500, -500, -T0 + 1000};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        check_step(steps[i], true);
        check_step(steps[i], false);
    }
    set_up(NULL);
    look();
    clocks.wall_ms += 499;
    assert_int_equal(look().step_ms, 0);
    clocks.wall_ms -= 499;
    assert_int_equal(look().step_ms, 0);
}

/* A clock that the kernel called disciplined steps, and then the kernel takes its word back. */
static void a_disciplined_clock_led_astray_is_not_carried_on(void **state)
{
    (void)state;
    static const int64_t steps[] = {HOUR_MS, -HOUR_MS, 14 * DAY_MS, -14 * DAY_MS};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        set_up(NULL);
        clocks.kernel_synced = true;
        timekeeper_session_began(&tk, clocks.elapsed_ms - 10000);
        look();
        welcome(T0);
        pass(60000);
        clocks.wall_ms += steps[i];
        assert_time(GRADE_SYNCED, T0 + 60000 + steps[i]);
        pass(3000);
        clocks.kernel_synced = false;
        assert_time(GRADE_SIGNED, T0 + 63000);
        assert_true(tk.dirty);
        restart();
        assert_time(GRADE_HELD, T0 + 63000);
    }
}

/* What the session said is older and coarser: a clock that agrees with it to within its doubt is carried on. */
static void a_disciplined_clock_that_agrees_is_carried_on(void **state)
{
    (void)state;
    int64_t apart_ms = TIMEKEEPER_AGREE_MS + HOUR_MS / TIMEKEEPER_DRIFT;
    clocks.kernel_synced = true;
    timekeeper_session_began(&tk, clocks.elapsed_ms - 10000);
    look();
    welcome(T0);
    pass(HOUR_MS);
    clocks.wall_ms += apart_ms;
    look();
    clocks.kernel_synced = false;
    assert_time(GRADE_SIGNED, T0 + HOUR_MS + apart_ms);
    timekeeper_session_ended(&tk);
    assert_time(GRADE_HELD, T0 + HOUR_MS + apart_ms);
}

static void steps_of_other_grades(void **state)
{
    (void)state;
    look();
    clocks.wall_ms += HOUR_MS;
    struct time_now now = look();
    assert_int_equal(now.step_ms, HOUR_MS);
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.now_ms, T0 + HOUR_MS);
    assert_int_equal(now.lower_ms, BUILD);
    clocks.kernel_synced = true;
    assert_time(GRADE_SYNCED, T0 + HOUR_MS);
    clocks.wall_ms -= HOUR_MS;
    now = look();
    assert_int_equal(now.step_ms, -HOUR_MS);
    assert_int_equal(now.grade, GRADE_SYNCED);
    assert_int_equal(now.now_ms, T0);
    /* A step while the agent was down is not seen: it has no earlier look. */
    clocks.wall_ms += DAY_MS;
    restart();
    assert_int_equal(look().step_ms, 0);
}

/* Without trust the floor is the newest signed time or the build, whichever is later. */
static void the_floor_of_an_unknown_time(void **state)
{
    (void)state;
    static const int64_t signed_ms[] = {BUILD - DAY_MS, BUILD, BUILD + DAY_MS};
    for (size_t i = 0; i < 3; i++) {
        set_up(NULL);
        welcome(signed_ms[i]);
        boot("second-boot", 1000, 1000);
        restart();
        struct time_now now = look();
        assert_int_equal(now.grade, GRADE_UNKNOWN);
        assert_int_equal(now.now_ms, 1000);
        assert_int_equal(now.lower_ms, signed_ms[i] > BUILD ? signed_ms[i] : BUILD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_kernel_disciplines_the_clock, set_up),
        cmocka_unit_test_setup(a_disciplined_clock_before_the_build_is_not_believed, set_up),
        cmocka_unit_test_setup(writes_of_a_disciplined_clock_are_few, set_up),
        cmocka_unit_test_setup(steps_of_the_wall_clock, set_up),
        cmocka_unit_test_setup(a_disciplined_clock_led_astray_is_not_carried_on, set_up),
        cmocka_unit_test_setup(a_disciplined_clock_that_agrees_is_carried_on, set_up),
        cmocka_unit_test_setup(steps_of_other_grades, set_up),
        cmocka_unit_test_setup(the_floor_of_an_unknown_time, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
