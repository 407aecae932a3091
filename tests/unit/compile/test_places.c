/* test_places.c - for whom rules hold: targets and exceptions, areas over time, what communes say to rules from above,
 * and the limits of places. */
#include "compile/scene.h"

static size_t n_from(const char *rule)
{
    size_t n = 0, len = strlen(rule);
    for (size_t i = 0; i < scene.result.n_items; i++)
        n += strncmp(scene.result.items[i].id, rule, len) == 0 && scene.result.items[i].id[len] == '.';
    return n;
}

static int64_t minute_of(size_t item, int day)
{
    return (scene.result.items[item].start_ms - july_ms(day, 0)) / MINUTE_MS;
}

static void targets_and_exceptions(void **state)
{
    (void)state;
    struct rule rule = scene_rule("r", 5, 5 * 60);
    rule.areas = (struct texts){0};
    scene.device.groups = LIST("cho", "cua-khau");
    scene.device.tags = LIST("ngoai-troi");
    rule.groups = LIST("cho");
    scene_compile(&rule, 1, 1, 1);
    assert_int_equal(scene.result.n_items, 1);
    assert_true(rule_targets(&rule, &scene.device, 0));
    rule.tags = LIST("trong-nha");
    scene_compile(&rule, 1, 1, 1);
    assert_int_equal(scene.result.n_items + scene.result.n_problems, 0);
    rule.tags = LIST("trong-nha", "ngoai-troi");
    rule.except_groups = LIST("cua-khau");
    assert_false(rule_targets(&rule, &scene.device, 0));
    scene_compile(&rule, 1, 1, 1);
    assert_int_equal(scene.result.n_items, 0);
    rule.except_groups = (struct texts){0};
    rule.except_devices = LIST("loa-1");
    scene_compile(&rule, 1, 1, 1);
    assert_int_equal(scene.result.n_items, 0);
    rule.except_devices = LIST("loa-2");
    rule.except_areas = LIST("tinh");
    scene_compile(&rule, 1, 1, 1);
    assert_int_equal(scene.result.n_items, 0);
    rule.except_areas = LIST("xa-7");
    scene_compile(&rule, 1, 1, 1);
    assert_int_equal(scene.result.n_items, 1);
}

/* Commune 1 goes into commune 2 at the midnight before 10 July, and leaves its old district. */
static void the_midnight_of_a_merger(void **state)
{
    (void)state;
    int64_t midnight_ms = july_ms(10, 0);
    struct membership areas[] = {{"xa-1", INT64_MIN, INT64_MAX},
                                 {"xa-2", midnight_ms, INT64_MAX},
                                 {"huyen", INT64_MIN, midnight_ms},
                                 {"tinh", INT64_MIN, INT64_MAX}};
    struct rule rules[] = {scene_rule("cu", 5, 5 * 60), scene_rule("moi", 5, 6 * 60), scene_rule("huyen", 5, 7 * 60),
                           scene_rule("tru", 5, 8 * 60)};
    scene.device.areas = areas;
    scene.device.n_areas = 4;
    rules[0].areas = LIST("xa-1");
    rules[1].areas = LIST("xa-2");
    rules[2].areas = LIST("huyen");
    rules[3].except_areas = LIST("xa-2");
    rules[2].recur.times[1] = 23 * 3600 + 59 * 60 + 59; /* one second before */
    rules[2].recur.n_times = 2;
    scene_compile(rules, 4, 1, 20);
    assert_int_equal(n_from("cu"), 20);
    assert_int_equal(n_from("moi"), 11);
    assert_int_equal(n_from("huyen"), 19); /* and the one that began on 30 June is still on */
    assert_int_equal(n_from("tru"), 9);
    for (size_t i = 0; i < scene.result.n_items; i++) {
        bool before = scene.result.items[i].start_ms < midnight_ms;
        assert_false(before && strncmp(scene.result.items[i].id, "moi", 3) == 0);
        assert_false(!before && strncmp(scene.result.items[i].id, "huyen", 5) == 0);
    }
}

static void what_the_commune_says(void **state)
{
    (void)state;
    static const int32_t later[] = {18 * 3600, 19 * 3600};
    struct rule_placement placements[] = {{.area = "xa-1"}, {.area = "xa-2", .taken = true}};
    struct rule rule = scene_rule("tinh", 5, 5 * 60);
    rule.carry = CARRY_OFFER;
    scene_compile(&rule, 1, 1, 3);
    assert_int_equal(problem("tinh", PROBLEM_NOT_TAKEN)->count, 3);
    rule.placements = placements;
    rule.n_placements = 2;
    scene_compile(&rule, 1, 1, 3);
    assert_int_equal(scene.result.n_items, 0); /* another commune's word */
    placements[0].declined = true;
    scene_compile(&rule, 1, 1, 3);
    assert_non_null(problem("tinh", PROBLEM_DECLINED));
    placements[0] = (struct rule_placement){.area = "xa-1", .taken = true};
    scene_compile(&rule, 1, 1, 3);
    assert_int_equal(scene.result.n_items, 3);
    assert_int_equal(minute_of(0, 1), 5 * 60);
    placements[0].times = later;
    placements[0].n_times = 2;
    scene_compile(&rule, 1, 1, 3);
    assert_int_equal(scene.result.n_items, 6);
    assert_int_equal(minute_of(0, 1), 18 * 60);
    assert_int_equal(minute_of(1, 1), 19 * 60);
    /* What must be carried may be moved, not dropped. */
    rule.carry = CARRY_MUST;
    placements[0].taken = false;
    placements[0].declined = true;
    scene_compile(&rule, 1, 1, 3);
    assert_int_equal(scene.result.n_items, 6);
    placements[0].n_times = 0;
    scene_compile(&rule, 1, 1, 3);
    assert_int_equal(scene.result.n_items, 3);
    assert_int_equal(scene.result.n_problems, 0);
}

/* What a commune has of the same class goes round it, whichever of the two begins first and whatever they are called:
 * behind it when that is not too late, else away, and told. */
static void what_must_be_carried_keeps_its_place(void **state)
{
    (void)state;
    struct rule rules[] = {scene_rule("a", 10, 5 * 60),     /* 05:00-05:10 */
                           scene_rule("m", 10, 5 * 60 + 5), /* 05:05-05:15 */
                           scene_rule("z", 2, 5 * 60 + 5)}; /* 05:05-05:07 */
    for (int must = 0; must <= 1; must++) {
        rules[1].carry = must ? CARRY_MUST : CARRY_DIRECT;
        scene_compile(rules, 3, 1, 3);
        assert_int_equal(n_from("m"), must ? 3 : 0);
        assert_int_equal(n_from("a"), must ? 0 : 3);
        assert_string_equal(problem(must ? "a" : "m", PROBLEM_CLASH)->other, must ? "m" : "a");
        assert_string_equal(problem("z", PROBLEM_CLASH)->other, must ? "m" : "a");
        assert_null(problem(must ? "m" : "a", PROBLEM_CLASH));
    }
    rules[0].late_ms = rules[2].late_ms = 20 * MINUTE_MS;
    scene_compile(rules, 3, 1, 1);
    assert_int_equal(scene.result.n_problems, 0);
    assert_int_equal(minute_of(0, 1), 5 * 60 + 5);
    assert_int_equal(minute_of(1, 1), 5 * 60 + 15); /* behind it, in the order that they had */
    assert_int_equal(minute_of(2, 1), 5 * 60 + 25);
    /* Of what is too much for a day it is the last to go. */
    static struct limit_line sessions = {.what = LIMIT_SESSIONS_PER_DAY, .action = LIMIT_REFUSE, .number = 1};
    scene.device.limits = (struct limits){.zone = scene.home, .lines = &sessions, .n_lines = 1};
    scene_compile(rules, 3, 1, 3);
    assert_int_equal(n_from("m"), 3);
    assert_int_equal(problem("a", PROBLEM_LIMIT_SESSIONS)->count, 3);
    /* Where it may not be at all, its place is the others'. */
    static const struct day_window early = {.from_min = 5 * 60 + 14, .to_min = 5 * 60 + 15};
    static struct limit_line quiet = {.what = LIMIT_QUIET_HOURS, .action = LIMIT_REFUSE, .windows = &early};
    quiet.n_windows = 1;
    scene.device.limits.lines = &quiet;
    rules[0].late_ms = 0;
    scene_compile(rules, 1, 1, 3);
    assert_int_equal(n_from("a"), 3);
    scene_compile(rules, 2, 1, 3);
    assert_int_equal(problem("m", PROBLEM_QUIET_HOURS)->count, 3);
    assert_int_equal(n_from("a"), 3);
}

static struct limit_line lines[4];
static void limit(size_t n)
{
    scene.device.limits = (struct limits){.zone = scene.home, .lines = lines, .n_lines = n};
}

static void quiet_hours(void **state)
{
    (void)state;
    static const struct exemption exemption = {
        .order = "12/QD-UBND", .limits = 1U << LIMIT_QUIET_HOURS, .from_date = 20638, .until_date = 20638};
    struct rule rules[] = {scene_rule("toi", 10, 20 * 60 + 50), scene_rule("qua", 11, 20 * 60 + 50),
                           scene_rule("sang", 5, 5 * 60), scene_rule("som", 5, 4 * 60 + 50)};
    rules[1].class = CLASS_PRIORITY; /* that does not help */
    lines[0] = (struct limit_line){.what = LIMIT_QUIET_HOURS,
                                   .action = LIMIT_REFUSE,
                                   .windows = &limits_quiet_default,
                                   .n_windows = 1,
                                   .from_ms = INT64_MIN};
    limit(1);
    scene_compile(rules, 4, 1, 10);
    assert_int_equal(n_from("toi"), 10);
    assert_int_equal(n_from("sang"), 10);
    assert_int_equal(n_from("qua") + n_from("som"), 0);
    assert_int_equal(problem("qua", PROBLEM_QUIET_HOURS)->count, 10);
    assert_int_equal(problem("som", PROBLEM_QUIET_HOURS)->start_ms, july_ms(1, 4 * 60 + 50));
    /* An order lifts them on 4 July. */
    assert_int_equal(civil_days(2026, 7, 4), 20638);
    scene.device.limits.exemptions = &exemption;
    scene.device.limits.n_exemptions = 1;
    scene_compile(rules, 4, 1, 10);
    assert_int_equal(n_from("qua"), 1);
    assert_int_equal(n_from("som"), 1);
    assert_int_equal(problem("qua", PROBLEM_QUIET_HOURS)->count, 9);
    for (size_t i = 0; i < scene.result.n_items; i++)
        if (strncmp(scene.result.items[i].id, "qua", 3) == 0)
            assert_string_equal(scene.result.items[i].exempt, "12/QD-UBND");
    /* Who only warns lets it be. */
    lines[0].action = LIMIT_WARN;
    limit(1);
    scene_compile(rules, 4, 1, 10);
    assert_int_equal(scene.result.n_items, 40);
    assert_true(problem("qua", PROBLEM_QUIET_HOURS)->warning);
}

static void a_session_ends_before_the_quiet_hours(void **state)
{
    (void)state;
    struct session_part parts[] = {{.bulletin = scene.bulletins[5].hash, .class = -1},
                                   {.bulletin = scene.bulletins[6].hash, .class = -1},
                                   {.bulletin = scene.bulletins[7].hash, .class = -1}};
    struct session session = {
        .length_ms = 30 * MINUTE_MS, .parts = parts, .n_parts = 3, .closing = scene.bulletins[1].hash};
    struct rule rule = scene_rule("phien", SCENE_BULLETINS, 20 * 60 + 45);
    rule.session = &session;
    lines[0] = (struct limit_line){
        .what = LIMIT_QUIET_HOURS, .action = LIMIT_REFUSE, .windows = &limits_quiet_default, .n_windows = 1};
    limit(1);
    scene_compile(&rule, 1, 1, 2);
    assert_int_equal(scene.result.n_items, 6); /* 5 + 6 and the closing of 1: till 20:57 */
    assert_int_equal(minute_of(2, 1), 20 * 60 + 56);
    assert_int_equal(problem("phien", PROBLEM_QUIET_HOURS)->count, 2);
}

static void so_much_a_day(void **state)
{
    (void)state;
    struct rule rules[] = {scene_rule("a", 10, 6 * 60), scene_rule("b", 10, 7 * 60), scene_rule("c", 10, 8 * 60),
                           scene_rule("d", 10, 9 * 60)};
    rules[3].class = CLASS_PRIORITY;
    lines[0] = (struct limit_line){.what = LIMIT_SESSIONS_PER_DAY, .action = LIMIT_REFUSE, .number = 3};
    lines[1] = (struct limit_line){.what = LIMIT_SESSIONS_PER_DAY, .action = LIMIT_REFUSE, .number = 2};
    limit(2); /* the stricter one counts; the lower class goes first, then what is later */
    scene_compile(rules, 4, 1, 5);
    assert_int_equal(n_from("a"), 5);
    assert_int_equal(n_from("d"), 5);
    assert_int_equal(scene.result.n_items, 10);
    assert_int_equal(problem("b", PROBLEM_LIMIT_SESSIONS)->count, 5);
    lines[0] = (struct limit_line){.what = LIMIT_MINUTES_PER_DAY, .action = LIMIT_REFUSE, .number = 30};
    limit(1);
    scene_compile(rules, 4, 1, 5);
    assert_int_equal(scene.result.n_items, 15);
    assert_int_equal(problem("c", PROBLEM_LIMIT_MINUTES)->count, 5);
    lines[0] = (struct limit_line){.what = LIMIT_MINUTES_PER_SESSION, .action = LIMIT_REFUSE, .number = 9};
    limit(1);
    scene_compile(rules, 4, 1, 5);
    assert_int_equal(scene.result.n_items, 0);
    assert_int_equal(problem("d", PROBLEM_LIMIT_SESSION_MINUTES)->count, 5);
    /* Monday to Friday; 1 July 2026 is a Wednesday. */
    lines[0] = (struct limit_line){.what = LIMIT_WEEKDAYS, .action = LIMIT_REFUSE, .weekdays = 0x1f};
    limit(1);
    scene_compile(rules, 1, 1, 7);
    assert_int_equal(scene.result.n_items, 5);
    assert_int_equal(problem("a", PROBLEM_LIMIT_DAYS)->start_ms, july_ms(4, 6 * 60));
    lines[0].from_ms = july_ms(5, 0); /* a line holds from its day on */
    scene_compile(rules, 1, 1, 7);
    assert_int_equal(scene.result.n_items, 6);
    scene.device.kind = KIND_BOARD; /* makes no noise */
    lines[0] = (struct limit_line){.what = LIMIT_SESSIONS_PER_DAY, .action = LIMIT_REFUSE, .number = 0};
    scene_compile(rules, 4, 1, 5);
    assert_int_equal(scene.result.n_items, 20);
}

static void a_session_is_cut_to_its_minutes(void **state)
{
    (void)state;
    struct session_part parts[] = {{.bulletin = scene.bulletins[5].hash, .class = -1},
                                   {.bulletin = scene.bulletins[6].hash, .class = -1}};
    struct session session = {.parts = parts, .n_parts = 2}; /* as long as it takes */
    struct rule rule = scene_rule("phien", SCENE_BULLETINS, 5 * 60);
    rule.session = &session;
    lines[0] = (struct limit_line){.what = LIMIT_MINUTES_PER_SESSION, .action = LIMIT_REFUSE, .number = 10};
    limit(1);
    scene_compile(&rule, 1, 1, 1);
    assert_int_equal(scene.result.n_items, 1);
    assert_non_null(problem("phien", PROBLEM_LIMIT_SESSION_MINUTES));
}

static void the_later_one_gives_way(void **state)
{
    (void)state;
    struct rule rules[] = {scene_rule("a", 10, 5 * 60), scene_rule("b", 10, 5 * 60 + 4), scene_rule("c", 10, 5 * 60)};
    rules[1].late_ms = 6 * MINUTE_MS;
    rules[1].catch_up_ms = 60 * MINUTE_MS;
    scene_compile(rules, 3, 1, 2);
    assert_int_equal(n_from("a"), 2);
    assert_int_equal(n_from("c"), 0);
    assert_string_equal(problem("c", PROBLEM_CLASH)->other, "a");
    const struct playlist_item *b = &scene.result.items[1];
    assert_int_equal(b->start_ms, july_ms(1, 5 * 60 + 10));
    char id[40];
    snprintf(id, sizeof(id), "b.%" PRId64, july_ms(1, 5 * 60 + 4) / 1000); /* its name stays */
    assert_string_equal(b->id, id);
    assert_int_equal(b->late_ms, 5000);
    assert_int_equal(b->catch_up_ms, 54 * MINUTE_MS);
    assert_int_equal(b->end_ms, b->start_ms + 54 * MINUTE_MS + 10 * MINUTE_MS + END_MARGIN_MS);
    rules[2].class = CLASS_PRIORITY; /* classes do not meet here */
    scene_compile(rules, 3, 1, 2);
    assert_int_equal(scene.result.n_items, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(targets_and_exceptions),
        SCENE_TEST(the_midnight_of_a_merger),
        SCENE_TEST(what_the_commune_says),
        SCENE_TEST(what_must_be_carried_keeps_its_place),
        SCENE_TEST(quiet_hours),
        SCENE_TEST(a_session_ends_before_the_quiet_hours),
        SCENE_TEST(so_much_a_day),
        SCENE_TEST(a_session_is_cut_to_its_minutes),
        SCENE_TEST(the_later_one_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
