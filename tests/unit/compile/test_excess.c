/* test_excess.c - what rules together want of a day, held against its limits. */
#include "compile/scene.h"

#include "playlists/clash.h"
#include "seed.h"

static struct clash_report report;
static struct limit_line lines[2];

static void limit(enum limit_what what, enum limit_action action, int64_t number)
{
    size_t n = scene.device.limits.n_lines;
    lines[n] = (struct limit_line){
        .what = what, .action = action, .number = number, .area = "xa-1", .authority = "Lạng Sơn 2026"};
    scene.device.limits = (struct limits){.zone = scene.home, .lines = lines, .n_lines = n + 1};
}

static void find(const struct rule *rule, const struct rule *others, size_t n)
{
    clash_find(rule, others, n, scene.bulletins, SCENE_BULLETINS, &scene.device, 1, july_ms(1, 0),
               july_ms(1 + EXCESS_DAYS, 0), scene.arena, &report);
}

static void sessions_of_all_are_counted(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 17 * 60), others[3];
    others[0] = scene_rule("huyen", 20, 6 * 60);
    others[1] = scene_rule("xa", 5, 12 * 60);
    others[1].class = CLASS_PRIORITY;
    others[2] = scene_rule("noi-khac", 5, 13 * 60);
    others[2].areas = LIST("xa-2");
    limit(LIMIT_SESSIONS_PER_DAY, LIMIT_REFUSE, 3);
    find(&rule, others, 3);
    assert_int_equal(report.excess.n, 0);
    lines[0].number = 2;
    find(&rule, others, 3);
    assert_int_equal(report.excess.n, 1);
    const struct excess *excess = &report.excess.at[0];
    assert_ptr_equal(excess->line, &lines[0]);
    assert_true(excess->worse);
    assert_int_equal(excess->wanted, 3);
    assert_int_equal(excess->start_ms, july_ms(1, 17 * 60));
    assert_int_equal(excess_days(excess), EXCESS_DAYS);
    assert_int_equal(excess->n_devices, 1);
    assert_int_equal(excess->n_others, 2);
    assert_string_equal(excess->others[0]->id, "xa"); /* to whom the day is given first */
    /* By itself it may not either: that is told without the others. */
    lines[0].number = 0;
    find(&rule, others, 3);
    assert_int_equal(report.excess.n, 0);
}

static void minutes_and_what_lifts_them(void **state)
{
    (void)state;
    static const struct exemption tet = {.order = "12/CV", .from_date = 20636, .until_date = 20636, .limits = 16};
    struct rule rule = scene_rule("moi", 15, 17 * 60), other = scene_rule("huyen", 20, 6 * 60);
    limit(LIMIT_MINUTES_PER_DAY, LIMIT_WARN, 34);
    limit(LIMIT_SESSIONS_PER_DAY, LIMIT_REFUSE, 2);
    rule.recur.when = WHEN_ONCE;
    rule.recur.date = civil_days(2026, 7, 2);
    assert_int_equal(tet.from_date, civil_days(2026, 7, 2));
    find(&rule, &other, 1);
    assert_int_equal(report.excess.n, 1);
    assert_int_equal(report.excess.at[0].line->action, LIMIT_WARN);
    assert_int_equal(report.excess.at[0].wanted, 35);
    scene.device.limits.exemptions = &tet;
    scene.device.limits.n_exemptions = 1;
    assert_int_equal(tet.limits, 1U << LIMIT_MINUTES_PER_DAY);
    find(&rule, &other, 1);
    assert_int_equal(report.excess.n, 0);
    /* Emergencies are no rules' to say. */
    scene.device.limits.n_exemptions = 0;
    other.class = CLASS_EMERGENCY;
    find(&rule, &other, 1);
    assert_int_equal(report.excess.n, 0);
}

/* Where it was too much already, what asks for no more is told, and not called worse. */
static void only_more_is_worse(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 17 * 60), all[2];
    all[0] = scene_rule("huyen", 20, 6 * 60);
    all[1] = rule; /* as it was */
    limit(LIMIT_MINUTES_PER_DAY, LIMIT_REFUSE, 30);
    find(&rule, all, 2);
    assert_int_equal(report.excess.n, 1);
    assert_false(report.excess.at[0].worse);
    rule.bulletin = scene.bulletins[16].hash;
    find(&rule, all, 2);
    assert_true(report.excess.at[0].worse);
    assert_int_equal(report.excess.at[0].wanted, 36);
    rule.bulletin = scene.bulletins[10].hash;
    find(&rule, all, 2);
    assert_int_equal(report.excess.n, 0);
}

static void replaced_ones_want_nothing(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 6 * 60 + 5), other = scene_rule("huyen", 20, 6 * 60);
    limit(LIMIT_MINUTES_PER_DAY, LIMIT_REFUSE, 30);
    find(&rule, &other, 1);
    assert_int_equal(report.n, 1);
    assert_int_equal(report.excess.n, 1);
    assert_int_equal(report.excess_replaced.n, 0);
}

/* Half a year ahead another rule holds for a week, and for a month the line does not. */
static void what_comes_later_in_the_year(void **state)
{
    (void)state;
    struct rule rule = scene_rule("moi", 15, 17 * 60), other = scene_rule("tet", 20, 6 * 60);
    other.recur.from_date = civil_days(2027, 2, 4);
    other.recur.until_date = civil_days(2027, 2, 10);
    limit(LIMIT_SESSIONS_PER_DAY, LIMIT_REFUSE, 1);
    find(&rule, &other, 1);
    assert_int_equal(report.excess.n, 1);
    assert_int_equal(excess_days(&report.excess.at[0]), 7);
    assert_int_equal(report.excess.at[0].start_ms,
                     zone_instant_s(scene.home, civil_days(2027, 2, 4), 17 * 3600, NULL) * 1000);
    lines[0].until_ms = zone_instant_s(scene.home, civil_days(2027, 2, 6), 0, NULL) * 1000;
    find(&rule, &other, 1);
    assert_int_equal(excess_days(&report.excess.at[0]), 2);
    /* A rule that asked for as much on each of these days asks for no more. */
    struct rule all[] = {other, rule};
    rule.late_ms = 1000;
    find(&rule, all, 2);
    assert_false(report.excess.at[0].worse);
    all[1].recur.until_date = civil_days(2027, 2, 3);
    find(&rule, all, 2);
    assert_true(report.excess.at[0].worse);
}

static struct rule random_rule(const char *id)
{
    static const struct session_part parts[] = {
        {.bulletin = NULL, .source = "vov1", .class = -1, .length_ms = 12 * MINUTE_MS}};
    static const struct session relay = {.length_ms = 20 * MINUTE_MS, .parts = parts, .n_parts = 1, .plays = 1};
    struct rule rule = scene_rule(id, (size_t)seed_between(1, 30), (int32_t)seed_between(0, 1440));
    rule.class = (enum air_class)seed_between(CLASS_FILLER, CLASS_EMERGENCY);
    if (seed_between(0, 4) == 0) {
        rule.bulletin = NULL;
        rule.session = &relay;
    }
    if (seed_between(0, 3) == 0) {
        rule.recur.when = WHEN_WEEKLY;
        rule.recur.weekdays = (uint8_t)seed_between(1, 128);
    }
    if (seed_between(0, 3) == 0)
        rule.recur.from_date = civil_days(2026, 7, (int)seed_between(1, 28)) + seed_between(0, 300);
    if (seed_between(0, 3) == 0)
        rule.recur.until_date = civil_days(2026, 7, (int)seed_between(1, 28)) + seed_between(0, 300);
    return rule;
}

/* Whatever there is: on the days of a rule compile() leaves something out for a limit exactly when it is told of it. */
static void it_never_disagrees_with_compile(void **state)
{
    (void)state;
    enum { ROUNDS = 300, RULES = 6 };
    static const char *const ids[] = {"a", "b", "c", "d", "e", "moi"};
    size_t n_told = 0;
    seed_begin();
    for (int round = 0; round < ROUNDS; round++) {
        struct rule rules[RULES];
        size_t n = (size_t)seed_between(1, RULES), i = 0;
        for (; i < n; i++)
            rules[i] = random_rule(ids[i]);
        rules[n] = random_rule("moi");
        rules[n].recur.when = WHEN_DAILY;
        rules[n].recur.from_date = INT64_MIN;
        rules[n].recur.until_date = INT64_MAX;
        scene.device.limits.n_lines = 0;
        limit(LIMIT_SESSIONS_PER_DAY, LIMIT_REFUSE, seed_between(1, 7));
        limit(LIMIT_MINUTES_PER_DAY, LIMIT_REFUSE, seed_between(30, 120)); /* more than one of them alone takes */
        for (i = 0; i < 2; i++)
            lines[i].until_ms = seed_between(0, 2) ? 0 : july_ms(1, 0) + seed_between(1, 300) * DAY_MS;
        find(&rules[n], rules, n);
        scene_compile(rules, n + 1, 1, EXCESS_DAYS);
        bool left_out = false;
        for (i = 0; i < scene.result.n_problems; i++)
            left_out = left_out || scene.result.problems[i].what == PROBLEM_LIMIT_SESSIONS ||
                       scene.result.problems[i].what == PROBLEM_LIMIT_MINUTES;
        assert_int_equal(report.excess.n > 0, left_out);
        n_told += left_out;
    }
    assert_in_range(n_told, ROUNDS / 10, ROUNDS * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(sessions_of_all_are_counted),  SCENE_TEST(minutes_and_what_lifts_them),
        SCENE_TEST(only_more_is_worse),           SCENE_TEST(replaced_ones_want_nothing),
        SCENE_TEST(what_comes_later_in_the_year), SCENE_TEST(it_never_disagrees_with_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
