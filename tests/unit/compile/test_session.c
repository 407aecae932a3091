/* test_session.c - what is said when inside a slot. Bulletin n of the scene is n minutes long in each language. */
#include "compile/scene.h"

#include <stdarg.h>

static struct rule rule;
static struct session session;
static struct session_part parts[8];

/* A session at 05:00 of these parts. */
static void make(int64_t length_min, size_t n, ...)
{
    va_list list;
    va_start(list, n);
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct session_part){.bulletin = scene.bulletins[va_arg(list, int)].hash, .class = -1};
    va_end(list);
    session = (struct session){.length_ms = length_min * MINUTE_MS, .parts = parts, .n_parts = n};
    rule = scene_rule("phien", SCENE_BULLETINS, 5 * 60);
    rule.session = &session;
}

/* Items of the day as "minute:number of the bulletin", in order. */
static const char *said(void)
{
    static char text[2000];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < scene.result.n_items; i++) {
        const struct playlist_item *item = &scene.result.items[i];
        double minute = (double)(item->start_ms - july_ms(1, 5 * 60)) / (double)MINUTE_MS;
        unsigned number = 0;
        if (item->bulletin >= 0)
            sscanf(scene.result.bulletins[item->bulletin].hash, "%8x", &number);
        int n = snprintf(text + len, sizeof(text) - len, "%s%g:%s%u", i ? " " : "", minute,
                         item->bulletin < 0 ? "relay" : "", number);
        len += (size_t)n;
    }
    return text;
}

static const char *day_said(void)
{
    scene_compile(&rule, 1, 1, 1);
    return said();
}

static void parts_one_after_the_other(void **state)
{
    (void)state;
    make(30, 3, 5, 3, 4);
    session.opening = session.closing = scene.bulletins[1].hash;
    assert_string_equal(day_said(), "0:1 1:5 6:3 9:4 13:1");
    assert_int_equal(scene.result.n_problems, 0);
    assert_string_equal(scene.result.items[0].id, "phien.1782856800.00000001");
    assert_string_equal(scene.result.items[1].id, "phien.1782856800.00000005");
    assert_string_equal(scene.result.items[4].id, "phien.1782856800.000000012");
    assert_int_equal(scene.result.items[1].end_ms,
                     scene.result.items[1].start_ms + LATE_DEFAULT_MS + 5 * MINUTE_MS + END_MARGIN_MS);
}

static void a_part_put_in_renames_none(void **state)
{
    (void)state;
    make(60, 3, 5, 3, 4);
    day_said();
    const char *last = scene.result.items[2].id;
    make(60, 4, 5, 7, 3, 4);
    day_said();
    assert_string_equal(scene.result.items[3].id, last);
}

static void plays_with_a_gap(void **state)
{
    (void)state;
    make(60, 2, 5, 3);
    session.plays = 3;
    session.gap_ms = 2 * MINUTE_MS;
    session.opening = scene.bulletins[1].hash;
    assert_string_equal(day_said(), "0:1 1:5 6:3 11:5 16:3 21:5 26:3");
    assert_string_equal(scene.result.items[5].id, "phien.1782856800.000000053");
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    make(12, 3, 5, 3, 6);
    assert_string_equal(day_said(), "0:5 5:3"); /* from the end */
    assert_int_equal(problem("phien", PROBLEM_CUT)->count, 1);
    parts[1].class = CLASS_FILLER;
    assert_string_equal(day_said(), "0:5 5:6"); /* the lowest class first */
    parts[1].class = -1;
    session.overrun = OVERRUN_MID_SENTENCE;
    assert_string_equal(day_said(), "0:5 5:3 8:6");
    assert_int_equal(scene.result.items[2].end_ms, july_ms(1, 5 * 60 + 12));
    assert_non_null(problem("phien", PROBLEM_CUT));
    session.overrun = OVERRUN_CUT;
    session.length_ms = 4 * MINUTE_MS;
    assert_string_equal(day_said(), "");
    assert_int_equal(problem("phien", PROBLEM_SLOT_FULL)->start_ms, july_ms(1, 5 * 60));
    session.length_ms = 0; /* as long as it takes */
    assert_string_equal(day_said(), "0:5 5:3 8:6");
}

static void languages_of_a_slot(void **state)
{
    (void)state;
    static const char *three[] = {"vi", "zh", "en"};
    scene.device.languages = (struct texts){three, 3};
    make(26, 3, 5, 3, 10);
    assert_string_equal(day_said(), "0:5 10:3 16:10");
    assert_int_equal(scene.result.items[0].languages.n, 2);
    assert_string_equal(scene.result.items[0].languages.at[1], "zh");
    assert_non_null(problem("phien", PROBLEM_LANGUAGE_DROPPED));
    assert_null(problem("phien", PROBLEM_CUT));
    session.length_ms = 17 * MINUTE_MS; /* one language is left, and it does not do */
    assert_string_equal(day_said(), "0:5 5:3");
    assert_int_equal(scene.result.items[0].languages.n, 1);
    session.languages = LANGUAGES_COMPLETE;
    session.length_ms = 26 * MINUTE_MS;
    assert_string_equal(day_said(), "0:5 15:3");
    assert_int_equal(scene.result.items[0].languages.n, 0);
    assert_null(problem("phien", PROBLEM_LANGUAGE_DROPPED));
    assert_null(problem("phien", PROBLEM_CUT)); /* what speaks one language only is not said at all, and told */
    assert_int_equal(problem("phien", PROBLEM_LANGUAGE_MISSING)->start_ms, july_ms(1, 5 * 60));
    assert_null(problem("phien", PROBLEM_NOTHING_HERE));
}

static void a_bulletin_is_complete_or_refused(void **state)
{
    (void)state;
    static const char *two[] = {"vi", "zh"};
    struct rule rules[2] = {scene_rule("du", 5, 5 * 60), scene_rule("thieu", 10, 6 * 60)};
    scene.device.languages = (struct texts){two, 2};
    for (int complete = 0; complete < 2; complete++) {
        rules[0].complete = rules[1].complete = complete;
        scene_compile(rules, 2, 1, 3);
        assert_null(problem("du", PROBLEM_LANGUAGE_MISSING));
        assert_int_equal(scene.result.n_items, complete ? 3 : 6);
        assert_int_equal(scene.result.n_problems, complete);
    }
    assert_int_equal(problem("thieu", PROBLEM_LANGUAGE_MISSING)->count, 3);
    /* A board has text of it, but not in Chinese. */
    scene.device.kind = KIND_BOARD;
    scene_compile(rules, 2, 1, 3);
    assert_int_equal(scene.result.n_items, 3);
}

static void a_relay_has_its_place(void **state)
{
    (void)state;
    make(30, 2, 5, 3);
    parts[2] = parts[1];
    parts[1] = (struct session_part){.source = "vov1", .length_ms = 10 * MINUTE_MS, .class = -1};
    session.n_parts = 3;
    assert_string_equal(day_said(), "0:5 5:relay0 15:3");
    assert_string_equal(scene.result.items[1].source, "vov1");
    struct hash hash = hash_of("vov1", 4);
    char id[80];
    snprintf(id, sizeof(id), "phien.1782856800.r%.8s", hash.hex);
    assert_string_equal(scene.result.items[1].id, id);
}

static void fillers_fill(void **state)
{
    (void)state;
    static const struct session_topic topics[] = {{"music", 9}, {"news", 1}};
    make(200, 1, 5);
    session.topics = topics;
    session.n_topics = 2;
    session.closing = scene.bulletins[1].hash;
    scene_compile(&rule, 1, 1, 20);
    size_t music = 0, news = 0;
    for (size_t i = 0; i < scene.result.n_items; i++) {
        unsigned number = 0;
        sscanf(scene.result.bulletins[scene.result.items[i].bulletin].hash, "%8x", &number);
        music += number >= 30 && number % 2 == 0;
        news += number >= 30 && number % 2 == 1;
        assert_int_equal(scene.result.items[i].class, number >= 30 ? CLASS_FILLER : CLASS_NORMAL);
    }
    assert_true(music > 2 * news && news > 0);
    /* The same again, and at another device with the same pool. */
    char *first = xstrdup(day_said());
    scene.device.id = "loa-2";
    assert_string_equal(day_said(), first);
    free(first);
    /* No slot is as the one before. */
    scene_compile(&rule, 1, 2, 1);
    size_t n = scene.result.n_items;
    assert_true(n > 4);
    assert_true(scene.result.items[n - 1].start_ms + MINUTE_MS <= july_ms(2, 5 * 60 + 200));
}

static void another_unit_s_filler_stays_there(void **state)
{
    (void)state;
    static const struct session_topic topics[] = {{"music", 1}};
    make(60, 1, 5);
    session.topics = topics;
    session.n_topics = 1;
    for (size_t i = 30; i < SCENE_BULLETINS; i++)
        ((struct bulletin *)scene.bulletins[i].bulletin)->unit = "xa-2";
    assert_string_equal(day_said(), "0:5");
    ((struct bulletin *)scene.bulletins[32].bulletin)->unit = "xa-1";
    assert_string_equal(day_said(), "0:5 5:32");
}

static void parts_that_say_nothing_here(void **state)
{
    (void)state;
    make(30, 3, 5, 3, 4);
    scene.bulletins[3].bulletin->contents[0].audio = NULL; /* a text only, for a loudspeaker */
    assert_string_equal(day_said(), "0:5 5:4");
    assert_non_null(problem("phien", PROBLEM_NOTHING_HERE));
    parts[0].bulletin = hash_number(900);
    assert_string_equal(day_said(), "0:4");
    assert_non_null(problem("phien", PROBLEM_NO_BULLETIN));
}

static void two_slots_do_not_overlap(void **state)
{
    (void)state;
    make(30, 3, 5, 3, 4);
    rule.recur.times[1] = 5 * 3600 + 10 * 60; /* the first one has 12 minutes to say */
    rule.recur.n_times = 2;
    rule.late_ms = 5 * MINUTE_MS;
    assert_string_equal(day_said(), "0:5 5:3 8:4 12:5 17:3 20:4");
    rule.late_ms = 0; /* what is first of the second would be late; the others fit by then */
    assert_string_equal(day_said(), "0:5 5:3 8:4 15:3 18:4");
    const struct compile_problem *clash = problem("phien", PROBLEM_CLASH);
    assert_int_equal(clash->start_ms, july_ms(1, 5 * 60 + 10));
    assert_string_equal(clash->other, "phien");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(parts_one_after_the_other),
        SCENE_TEST(a_part_put_in_renames_none),
        SCENE_TEST(plays_with_a_gap),
        SCENE_TEST(what_is_too_long_is_cut),
        SCENE_TEST(a_bulletin_is_complete_or_refused),
        SCENE_TEST(languages_of_a_slot),
        SCENE_TEST(a_relay_has_its_place),
        SCENE_TEST(fillers_fill),
        SCENE_TEST(another_unit_s_filler_stays_there),
        SCENE_TEST(parts_that_say_nothing_here),
        SCENE_TEST(two_slots_do_not_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
