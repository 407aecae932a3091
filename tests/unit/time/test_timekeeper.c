/* test_timekeeper.c - time that was signed: held, carried over restarts, never turned back, forgotten. */
#include "time/boots.h"

#include <string.h>

static void never_trusted(void **state)
{
    (void)state;
    timekeeper_restore(&tk, &clocks);
    struct time_now now = look();
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.now_ms, T0);
    assert_int_equal(now.lower_ms, BUILD);
    assert_int_equal(now.step_ms, 0);
    assert_false(tk.dirty);
    pass(10 * DAY_MS);
    assert_time(GRADE_UNKNOWN, T0 + 10 * DAY_MS);
    timekeeper_session_ended(&tk);
    assert_time(GRADE_UNKNOWN, T0 + 10 * DAY_MS);
}

static void an_agreeing_wall_clock_is_finer(void **state)
{
    (void)state;
    static const int64_t off[] = {0, 1, -1, 1500, -1500, 2000, -2000};
    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        set_up(NULL);
        welcome(T0 + off[i]);
        assert_true(tk.dirty);
        assert_time(GRADE_SIGNED, T0);
        pass(HOUR_MS);
        assert_time(GRADE_SIGNED, T0 + HOUR_MS);
        assert_int_equal(tk.newest_ms, T0 + off[i]);
        assert_string_equal(tk.newest_kid, KID);
    }
}

static void a_wrong_wall_clock_is_replaced_by_the_source(void **state)
{
    (void)state;
    static const int64_t off[] = {2001, -2001, HOUR_MS, -HOUR_MS, 14 * DAY_MS, -14 * DAY_MS};
    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        set_up(NULL);
        welcome(T0 + off[i]);
        assert_time(GRADE_SIGNED, T0 + off[i]);
        pass(HOUR_MS);
        assert_time(GRADE_SIGNED, T0 + off[i] + HOUR_MS);
    }
}

static void a_board_that_boots_in_1970(void **state)
{
    (void)state;
    boot("first-boot", 7000, 7000);
    struct time_now now = look();
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.now_ms, 7000);
    assert_int_equal(now.lower_ms, BUILD);
    welcome(T0);
    pass(60000);
    assert_time(GRADE_SIGNED, T0 + 60000);
    assert_int_equal(look().step_ms, 0);
    clocks.wall_ms = T0 + 60000; /* and then somebody sets it */
    assert_int_equal(look().step_ms, T0 - 7000);
    assert_time(GRADE_SIGNED, T0 + 60000);
}

static void past_the_limit_nothing_changes(void **state)
{
    (void)state;
    struct timekeeper before = tk;
    welcome(LIMIT + 1);
    welcome(0);
    welcome(-5);
    welcome(INT64_MAX);
    welcome(INT64_MIN);
    assert_memory_equal(&tk, &before, sizeof(tk));
    assert_time(GRADE_UNKNOWN, T0);
    welcome(LIMIT);
    assert_time(GRADE_SIGNED, LIMIT);
    set_up(NULL);
    welcome(T0 + 5000);
    timekeeper_session_ended(&tk);
    welcome(LIMIT + 1);
    assert_time(GRADE_HELD, T0 + 5000);
    assert_int_equal(tk.newest_ms, T0 + 5000);
}

static void held_for_72_hours(void **state)
{
    (void)state;
    welcome(T0 - HOUR_MS);
    timekeeper_session_ended(&tk);
    assert_time(GRADE_HELD, T0 - HOUR_MS);
    pass(TIMEKEEPER_HELD_MS);
    assert_int_equal(TIMEKEEPER_HELD_MS, 72 * HOUR_MS);
    assert_time(GRADE_HELD, T0 - HOUR_MS + 72 * HOUR_MS);
    pass(1);
    struct time_now now = look();
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.now_ms, clocks.wall_ms);
    assert_int_equal(now.lower_ms, T0 - HOUR_MS); /* the newest signed time */
    welcome(T0 + 73 * HOUR_MS);
    assert_time(GRADE_SIGNED, T0 + 73 * HOUR_MS);
    timekeeper_session_ended(&tk);
    pass(TIMEKEEPER_HELD_MS);
    assert_time(GRADE_HELD, T0 + 145 * HOUR_MS);
}

/* A session that goes on without a further welcome vouches no longer than a held clock. */
static void signed_runs_out_too(void **state)
{
    (void)state;
    welcome(T0);
    pass(TIMEKEEPER_HELD_MS);
    assert_time(GRADE_SIGNED, T0 + TIMEKEEPER_HELD_MS);
    pass(1);
    assert_int_equal(look().grade, GRADE_UNKNOWN);
}

static void held_over_restarts_of_the_agent(void **state)
{
    (void)state;
    welcome(T0 + 5000);
    pass(HOUR_MS);
    restart();
    assert_time(GRADE_HELD, T0 + 5000 + HOUR_MS);
    assert_int_equal(look().step_ms, 0);
    pass(71 * HOUR_MS);
    restart();
    assert_time(GRADE_HELD, T0 + 5000 + 72 * HOUR_MS);
    pass(1);
    assert_int_equal(look().grade, GRADE_UNKNOWN);
}

static void another_boot_is_unknown_but_not_the_past(void **state)
{
    (void)state;
    welcome(T0 + 5000);
    boot("second-boot", T0 + 60000, 500000);
    restart();
    assert_false(tk.has_offset);
    assert_int_equal(tk.newest_ms, T0 + 5000);
    assert_string_equal(tk.newest_kid, KID);
    struct time_now now = look();
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.lower_ms, T0 + 5000);
    /* The way back: the first boot's name does not bring its offset back. */
    boot("first-boot", T0 + 90000, 900000);
    restart();
    assert_int_equal(look().grade, GRADE_UNKNOWN);
    welcome(T0 + 90000);
    assert_time(GRADE_SIGNED, T0 + 90000);
}

static void a_boot_without_a_name_is_never_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {"", "unknown"};
    for (size_t i = 0; i < 2; i++) {
        set_up(NULL);
        boot(names[i], T0, 50000);
        welcome(T0);
        pass(1000);
        restart();
        assert_int_equal(look().grade, GRADE_UNKNOWN);
    }
}

/* The name says the same boot, but less time has passed in it than when the time was trusted. */
static void elapsed_time_does_not_run_back(void **state)
{
    (void)state;
    pass(HOUR_MS);
    welcome(T0 + HOUR_MS);
    clocks.elapsed_ms -= HOUR_MS;
    restart();
    assert_int_equal(look().grade, GRADE_UNKNOWN);
}

static void a_stored_value_without_ends_of_text(void **state)
{
    (void)state;
    memset(tk.boot, 'x', sizeof(tk.boot));
    memset(tk.newest_kid, 'x', sizeof(tk.newest_kid));
    tk.has_offset = true;
    timekeeper_restore(&tk, &clocks);
    assert_int_equal(strlen(tk.newest_kid), sizeof(tk.newest_kid) - 1);
    assert_int_equal(look().grade, GRADE_UNKNOWN);
}

static void a_welcome_kept_back_does_not_turn_time_back(void **state)
{
    (void)state;
    boot("first-boot", 7000, 50000);
    welcome(T0);
    pass(HOUR_MS);
    timekeeper_session_ended(&tk);
    timekeeper_session_began(&tk, clocks.elapsed_ms);
    pass(600000);
    welcome(T0 + HOUR_MS + 1000); /* made 599 s ago */
    assert_time(GRADE_SIGNED, T0 + HOUR_MS + 600000 - (HOUR_MS + 600000) / TIMEKEEPER_DRIFT);
    pass(60000);
    welcome(T0 + HOUR_MS + 660000); /* this one came at once */
    assert_time(GRADE_SIGNED, T0 + HOUR_MS + 660000);
    welcome(T0 - 1000); /* older than the session: the time that was carried was wrong */
    assert_time(GRADE_SIGNED, T0 - 1000);
}

static void a_fast_oscillator_is_held_back(void **state)
{
    (void)state;
    boot("first-boot", 7000, 50000);
    timekeeper_session_began(&tk, clocks.elapsed_ms);
    for (int64_t i = 0; i < 1000; i++) {
        welcome(T0 + i * 600000);
        pass(600000 + 60); /* 100 ppm */
    }
    struct time_now now = look();
    assert_in_range(now.now_ms - (T0 + 1000 * INT64_C(600000)), 0, 100);
}

static void newest_only_grows(void **state)
{
    (void)state;
    welcome(T0 + HOUR_MS);
    timekeeper_welcome(&tk, &clocks, T0 - HOUR_MS, LIMIT, "another");
    assert_time(GRADE_SIGNED, T0 - HOUR_MS);
    assert_int_equal(tk.newest_ms, T0 + HOUR_MS);
    assert_string_equal(tk.newest_kid, KID);
    timekeeper_welcome(&tk, &clocks, T0 + 2 * HOUR_MS, LIMIT, "another");
    assert_int_equal(tk.newest_ms, T0 + 2 * HOUR_MS);
    assert_string_equal(tk.newest_kid, "another");
}

static void forgotten_with_its_key(void **state)
{
    (void)state;
    welcome(T0 + 20 * DAY_MS);
    assert_int_equal(look().grade, GRADE_SIGNED);
    tk.dirty = false;
    timekeeper_forget(&tk);
    assert_true(tk.dirty);
    assert_int_equal(tk.newest_ms, 0);
    assert_string_equal(tk.newest_kid, "");
    struct time_now now = look();
    assert_int_equal(now.grade, GRADE_UNKNOWN);
    assert_int_equal(now.now_ms, T0);
    assert_int_equal(now.lower_ms, BUILD);
    assert_int_equal(now.step_ms, 0);
    restart();
    assert_int_equal(look().grade, GRADE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(never_trusted, set_up),
        cmocka_unit_test_setup(an_agreeing_wall_clock_is_finer, set_up),
        cmocka_unit_test_setup(a_wrong_wall_clock_is_replaced_by_the_source, set_up),
        cmocka_unit_test_setup(a_board_that_boots_in_1970, set_up),
        cmocka_unit_test_setup(past_the_limit_nothing_changes, set_up),
        cmocka_unit_test_setup(held_for_72_hours, set_up),
        cmocka_unit_test_setup(signed_runs_out_too, set_up),
        cmocka_unit_test_setup(held_over_restarts_of_the_agent, set_up),
        cmocka_unit_test_setup(another_boot_is_unknown_but_not_the_past, set_up),
        cmocka_unit_test_setup(a_boot_without_a_name_is_never_the_same, set_up),
        cmocka_unit_test_setup(elapsed_time_does_not_run_back, set_up),
        cmocka_unit_test_setup(a_stored_value_without_ends_of_text, set_up),
        cmocka_unit_test_setup(a_welcome_kept_back_does_not_turn_time_back, set_up),
        cmocka_unit_test_setup(a_fast_oscillator_is_held_back, set_up),
        cmocka_unit_test_setup(newest_only_grows, set_up),
        cmocka_unit_test_setup(forgotten_with_its_key, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
