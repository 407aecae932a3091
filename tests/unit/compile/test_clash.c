/* test_clash.c - what stands in a rule's way, and the ways out. */
#include "compile/scene.h"

#include "playlists/clash.h"

static struct clash_report report;

static void find(const struct rule *rule, const struct rule *others, size_t n)
{
    clash_find(rule, others, n, scene.bulletins, SCENE_BULLETINS, &scene.device, 1, july_ms(1, 0), july_ms(29, 0),
               scene.arena, &report);
}

static void each_overlap_is_told_once(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 5 * 60 + 10), others[2];
    others[0] = scene_rule("huyen", 20, 5 * 60);
    others[0].class = CLASS_PRIORITY;
    others[0].recur.when = WHEN_WEEKLY;
    others[0].recur.weekdays = 1; /* Mondays: 6, 13, 20, 27 July 2026 */
    others[1] = scene_rule("xa", 5, 6 * 60);
    find(&rule, others, 2);
    assert_int_equal(report.n, 1);
    const struct clash *clash = &report.clashes[0];
    assert_ptr_equal(clash->other, &others[0]);
    assert_int_equal(clash->from_ms, july_ms(6, 5 * 60 + 10));
    assert_int_equal(clash->to_ms, july_ms(6, 5 * 60 + 20));
    assert_int_equal(clash->weekdays, 1);
    assert_true(clash->every_week);
    assert_true(clash->other_whole);
    assert_int_equal(clash->n_days, 4);
    assert_int_equal(clash->days[1], civil_days(2026, 7, 13));
    assert_int_equal(clash->n_devices, 1);
    assert_int_equal(report.n_devices, 1);
}

/* A rule that is saved in the evening is past its time of that day, and is daily all the same. */
static void what_is_daily_is_so_from_tomorrow_on(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 5 * 60 + 10), other = scene_rule("huyen", 20, 5 * 60);
    clash_find(&rule, &other, 1, scene.bulletins, SCENE_BULLETINS, &scene.device, 1, july_ms(1, 21 * 60),
               july_ms(29, 3 * 60), scene.arena, &report);
    assert_int_equal(report.n, 1);
    assert_int_equal(report.clashes[0].weekdays, 0x7f);
    assert_true(report.clashes[0].every_week);
    other.recur.except = (const int64_t[]){civil_days(2026, 7, 9)};
    other.recur.n_except = 1;
    find(&rule, &other, 1);
    assert_false(report.clashes[0].every_week);
}

static void three_ways_out(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 5 * 60 + 10), others[2];
    others[0] = scene_rule("huyen", 20, 5 * 60);
    others[1] = scene_rule("xa", 5, 5 * 60 + 30);
    find(&rule, others, 2);
    assert_int_equal(report.n, 1); /* 05:25 is the end of it */
    assert_true(report.after.possible && report.shift.possible);
    assert_int_equal(report.after.times[0], (5 * 60 + 35) * 60); /* 05:20 is free for ten minutes only */
    assert_int_equal(report.shift.times[0], (5 * 60 + 35) * 60); /* as far as 04:45: behind goes first */
    others[1] = scene_rule("xa", 5, 5 * 60 + 36);
    find(&rule, others, 2);
    assert_int_equal(report.shift.times[0], (5 * 60 + 20) * 60);
    /* Each of the two is a way: compiled again, nothing is dropped. */
    struct rule all[3] = {rule, others[0], others[1]};
    all[0].recur.times[0] = report.shift.times[0];
    scene_compile(all, 3, 1, 28);
    assert_int_equal(scene.result.n_problems, 0);
    assert_int_equal(scene.result.n_items, 3 * 28);
}

static void nothing_clashes(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 5 * 60), others[3];
    others[0] = scene_rule("nen", 20, 5 * 60); /* filler gives way */
    others[0].class = CLASS_FILLER;
    others[1] = scene_rule("noi-khac", 20, 5 * 60);
    others[1].areas = LIST("xa-2");
    others[2] = scene_rule("moi", 20, 5 * 60); /* itself, as it was before */
    find(&rule, others, 3);
    assert_int_equal(report.n, 0);
    assert_true(report.shift.possible);
    assert_int_equal(report.shift.times[0], 5 * 3600);
    rule.areas = LIST("xa-9");
    find(&rule, others, 3);
    assert_int_equal(report.n + report.n_devices, 0);
}

static void a_full_day_has_no_way(void **state)
{
    (void)state;
    static const struct session whole = {.length_ms = DAY_MS};
    static const struct day_window night = {.from_min = 21 * 60, .to_min = 5 * 60};
    static const struct limit_line line = {.action = LIMIT_REFUSE, .windows = &night, .n_windows = 1};
    struct rule rule = scene_rule("moi", 15, 5 * 60), other = scene_rule("ca-ngay", SCENE_BULLETINS, 0);
    other.session = &whole;
    find(&rule, &other, 1);
    assert_int_equal(report.n, 1);
    assert_false(report.after.possible || report.shift.possible);
    /* Quiet hours are no way out. */
    static const struct session day = {.length_ms = 16 * 60 * MINUTE_MS - 15 * MINUTE_MS};
    other.session = &day;
    other.recur.times[0] = 5 * 3600;
    scene.device.limits = (struct limits){.zone = scene.home, .lines = &line, .n_lines = 1};
    find(&rule, &other, 1);
    assert_int_equal(report.shift.times[0], 20 * 3600 + 45 * 60);
}

static void devices_are_counted(void **state)
{
    (void)state;
    enum { N = 30 };
    static const struct membership first[] = {{"xa-1", INT64_MIN, INT64_MAX}, {"tinh", INT64_MIN, INT64_MAX}};
    static const struct membership second[] = {{"xa-2", INT64_MIN, INT64_MAX}, {"tinh", INT64_MIN, INT64_MAX}};
    struct compile_device devices[N];
    char ids[N][8];
    struct rule rule = scene_rule("moi", 15, 5 * 60), other = scene_rule("xa", 15, 5 * 60 + 5);
    other.areas = LIST("xa-1");
    for (size_t i = 0; i < N; i++) {
        snprintf(ids[i], sizeof(ids[i]), "d%zu", i);
        devices[i] = scene.device;
        devices[i].id = ids[i];
        devices[i].areas = i % 3 ? second : first;
    }
    clash_find(&rule, &other, 1, scene.bulletins, SCENE_BULLETINS, devices, N, july_ms(1, 0), july_ms(29, 0),
               scene.arena, &report);
    assert_int_equal(report.n_devices, N);
    assert_int_equal(report.n, 1);
    assert_int_equal(report.clashes[0].n_devices, N / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(each_overlap_is_told_once),
        SCENE_TEST(what_is_daily_is_so_from_tomorrow_on),
        SCENE_TEST(three_ways_out),
        SCENE_TEST(nothing_clashes),
        SCENE_TEST(a_full_day_has_no_way),
        SCENE_TEST(devices_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
