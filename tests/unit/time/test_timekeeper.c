/* test_timekeeper.c - grades of trusted time and the ways from one to another, over the clocks of boots made by hand.
 */
#include "unit.h"

#include "playlists/timekeeper.h"

#include <stdio.h>
#include <string.h>

#define T0      INT64_C(1782882000000) /* 2026-07-01T05:00:00Z */
#define BUILD   INT64_C(1780000000000)
#define LIMIT   (T0 + 30 * DAY_MS)
#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define KID     "0123456789abcdefghijABCDEFGHIJ0123456789xyz"

static struct timekeeper tk;
static struct clocks clocks;

static void boot(const char *name, int64_t wall_ms, int64_t elapsed_ms)
{
    clocks = (struct clocks){.wall_ms = wall_ms, .elapsed_ms = elapsed_ms};
    snprintf(clocks.boot, sizeof(clocks.boot), "%s", name);
}

static int set_up(void **state)
{
    (void)state;
    memset(&tk, 0, sizeof(tk));
    boot("first-boot", T0, 50000);
    return 0;
}

static void pass(int64_t ms)
{
    clocks.wall_ms += ms;
    clocks.elapsed_ms += ms;
}

static struct time_now look(void)
{
    return timekeeper_look(&tk, &clocks, BUILD);
}

static void welcome(int64_t time_ms)
{
    timekeeper_welcome(&tk, &clocks, time_ms, LIMIT, KID);
}

static void assert_time(enum time_grade grade, int64_t now_ms)
{
    struct time_now now = look();
    assert_string_equal(time_grade_names[now.grade], time_grade_names[grade]);
    assert_int_equal(now.now_ms, now_ms);
    if (grade != GRADE_UNKNOWN)
        assert_int_equal(now.lower_ms, now_ms);
}

/* What is kept over a restart: the stored fields only. */
static void restart(void)
{
    struct timekeeper stored = {.offset_ms = tk.offset_ms,
                                .trusted_at_ms = tk.trusted_at_ms,
                                .newest_ms = tk.newest_ms,
                                .has_offset = tk.has_offset,
                                .signed_session = true, /* rubbish in what is not stored must not count */
                                .wall_offset_ms = 12345,
                                .has_wall_offset = true,
                                .dirty = true};
    memcpy(stored.newest_kid, tk.newest_kid, sizeof(stored.newest_kid));
    memcpy(stored.boot, tk.boot, sizeof(stored.boot));
    tk = stored;
    timekeeper_restore(&tk, &clocks);
    assert_false(tk.dirty);
    assert_false(tk.signed_session);
}

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
#define CASE(f) cmocka_unit_test_setup(f, set_up)
    const struct CMUnitTest tests[] = {
        CASE(never_trusted),
        CASE(an_agreeing_wall_clock_is_finer),
        CASE(a_wrong_wall_clock_is_replaced_by_the_source),
        CASE(a_board_that_boots_in_1970),
        CASE(past_the_limit_nothing_changes),
        CASE(held_for_72_hours),
        CASE(signed_runs_out_too),
        CASE(held_over_restarts_of_the_agent),
        CASE(another_boot_is_unknown_but_not_the_past),
        CASE(a_boot_without_a_name_is_never_the_same),
        CASE(elapsed_time_does_not_run_back),
        CASE(a_stored_value_without_ends_of_text),
        CASE(a_welcome_kept_back_does_not_turn_time_back),
        CASE(a_fast_oscillator_is_held_back),
        CASE(newest_only_grows),
        CASE(forgotten_with_its_key),
        CASE(the_kernel_disciplines_the_clock),
        CASE(a_disciplined_clock_before_the_build_is_not_believed),
        CASE(writes_of_a_disciplined_clock_are_few),
        CASE(steps_of_the_wall_clock),
        CASE(a_disciplined_clock_led_astray_is_not_carried_on),
        CASE(a_disciplined_clock_that_agrees_is_carried_on),
        CASE(steps_of_other_grades),
        CASE(the_floor_of_an_unknown_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
