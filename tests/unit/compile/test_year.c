/* test_year.c - a commune's year, compiled as its controller does it; and who is touched by a change. */
#include "compile/scene.h"

#include "playlists/base/clock.h"

enum { RULES = 12, YEAR_ITEMS = 40000, YEAR_DAYS = 365, STEP_DAYS = 30, PROVINCE = 260, WITH = 200 };

static struct rule rules[RULES];

static void make_rules(void)
{
    static struct session_part parts[3];
    static struct session morning;
    static const struct session_topic topics[] = {{"music", 2}, {"news", 1}};
    static char ids[RULES][8];
    for (size_t i = 0; i < 3; i++)
        parts[i] = (struct session_part){.bulletin = scene.bulletins[2 + i].hash, .class = -1};
    morning = (struct session){.length_ms = 30 * MINUTE_MS,
                               .opening = scene.bulletins[1].hash,
                               .parts = parts,
                               .n_parts = 3,
                               .topics = topics,
                               .n_topics = 2};
    for (size_t i = 0; i < RULES; i++) {
        snprintf(ids[i], sizeof(ids[i]), "r%zu", i);
        rules[i] = scene_rule(ids[i], 5 + i % 5, 6 * 60 + (int32_t)i * 25);
    }
    rules[0] = scene_rule("sang", SCENE_BULLETINS, 5 * 60);
    rules[0].session = &morning;
    rules[0].recur.times[1] = 17 * 3600;
    rules[0].recur.n_times = 2;
    rules[1].recur.when = WHEN_LUNAR_DAYS; /* market days */
    rules[1].recur.lunar_days = 1U << 2 | 1U << 7 | 1U << 12 | 1U << 17 | 1U << 22 | 1U << 27;
    rules[2].recur.when = WHEN_WEEKLY;
    rules[2].recur.weekdays = 0x21;
    rules[3].recur.when = WHEN_MONTHLY;
    rules[3].recur.month_days = 1U << 15 | RECUR_LAST;
    rules[4].recur.when = WHEN_EVERY;
    rules[4].recur.every_days = 3;
    rules[4].recur.anchor = civil_days(2026, 1, 1);
    rules[5].recur.times[0] = 5 * 3600 + 10 * 60; /* within the session: it waits, or is left out */
    rules[5].late_ms = 25 * MINUTE_MS;
    rules[6].carry = CARRY_OFFER;
}

static int text_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What begins in the year is there once, however the months are cut. */
static void a_year_month_by_month(void **state)
{
    (void)state;
    make_rules();
    int64_t from_ms = july_ms(1, 0), until_ms = from_ms + YEAR_DAYS * DAY_MS, began_ms = clock_elapsed_ms();
    const char **ids = arena_alloc(scene.arena, YEAR_ITEMS * sizeof(*ids));
    size_t n = 0, dropped = 0;
    for (int64_t at_ms = from_ms; at_ms < until_ms; at_ms += STEP_DAYS * DAY_MS) {
        struct compile_result *result = &scene.result;
        int64_t to_ms = at_ms + STEP_DAYS * DAY_MS < until_ms ? at_ms + STEP_DAYS * DAY_MS : until_ms;
        compile(rules, RULES, scene.bulletins, SCENE_BULLETINS, &scene.device, at_ms, to_ms, PLAYLIST_ITEMS_MAX,
                scene.arena, result);
        assert_int_equal(result->until_ms, to_ms);
        for (size_t i = 0; i < result->n_items; i++)
            if (result->items[i].start_ms >= at_ms) /* what began before is still on */
                ids[n++] = result->items[i].id;
        assert_true(n < YEAR_ITEMS);
        for (size_t i = 0; i < result->n_problems; i++)
            dropped += result->problems[i].what == PROBLEM_CLASH;
    }
    print_message("%zu airings of a year in %d ms\n", n, (int)(clock_elapsed_ms() - began_ms));
    qsort(ids, n, sizeof(*ids), text_cmp);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(ids[i], ids[i - 1]);
    assert_int_equal(dropped, 0);
    /* The same rules over the year at once, rule by rule. */
    size_t singles = 0, expected = 0;
    int64_t at_s[800];
    for (size_t i = 0; i < n; i++)
        singles += ids[i][0] == 'r';
    for (size_t i = 1; i < RULES; i++)
        if (rules[i].carry == CARRY_DIRECT)
            expected += recur_expand(&rules[i].recur, from_ms, until_ms, at_s, 800);
    assert_int_equal(singles, expected);
}

static struct hash result_mark(struct compile_set *set, const struct compile_device *device)
{
    struct compile_result result;
    struct arena *arena = arena_new();
    timeline_write(compile_set_timeline(set, device), july_ms(1, 0), july_ms(31, 0), PLAYLIST_ITEMS_MAX, arena,
                   &result);
    struct buf text = {0};
    for (size_t i = 0; i < result.n_items; i++)
        buf_putf(&text, "%s %" PRId64 " %s\n", result.items[i].id, result.items[i].start_ms,
                 result.bulletins[result.items[i].bulletin].hash);
    struct hash hash = hash_of(text.data ? (const void *)text.data : "", text.len);
    buf_done(&text);
    arena_free(arena);
    return hash;
}

/* Of 260 devices 200 have a rule of their own with one bulletin; it is withdrawn. */
static void a_bulletin_of_200_playlists_is_withdrawn(void **state)
{
    (void)state;
    static struct rule all[WITH + 1];
    static struct compile_device devices[PROVINCE];
    static char rule_ids[WITH][8], device_ids[PROVINCE][8];
    struct hash before[PROVINCE], now;
    all[WITH] = scene_rule("chung", 6, 6 * 60);
    for (size_t i = 0; i < PROVINCE; i++) {
        snprintf(device_ids[i], sizeof(device_ids[i]), "d%zu", i);
        devices[i] = scene.device;
        devices[i].id = device_ids[i];
    }
    for (size_t i = 0; i < WITH; i++) {
        snprintf(rule_ids[i], sizeof(rule_ids[i]), "r%zu", i);
        all[i] = scene_rule(rule_ids[i], 7, 7 * 60);
        const char **device = arena_alloc(scene.arena, sizeof(*device));
        device[0] = device_ids[i];
        all[i].areas = (struct texts){0};
        all[i].devices = (struct texts){device, 1};
    }
    struct compile_set *set =
        compile_set_new(all, WITH + 1, scene.bulletins, SCENE_BULLETINS, july_ms(1, 0), july_ms(31, 0));
    for (size_t i = 0; i < PROVINCE; i++)
        before[i] = result_mark(set, &devices[i]);
    assert_int_equal(compile_set_timelines(set), WITH + 1); /* those that are alike share one */
    const struct timeline *other = compile_set_timeline(set, &devices[WITH]);
    compile_set_bulletin(set, scene.bulletins[7].hash, NULL);
    assert_ptr_equal(compile_set_timeline(set, &devices[WITH]), other); /* not made again */
    assert_int_equal(compile_set_timelines(set), 1);
    for (size_t i = 0; i < PROVINCE; i++) {
        now = result_mark(set, &devices[i]);
        assert_int_equal(!hash_equal(&now, &before[i]), i < WITH);
    }
    compile_set_bulletin(set, scene.bulletins[7].hash, &scene.bulletins[7]);
    for (size_t i = 0; i < PROVINCE; i++) {
        now = result_mark(set, &devices[i]);
        assert_true(hash_equal(&now, &before[i]));
    }
    /* A rule of one device touches that one. */
    struct rule late = all[5];
    late.recur.times[0] += 3600;
    compile_set_rule(set, late.id, &late);
    assert_int_equal(compile_set_timelines(set), WITH);
    for (size_t i = 0; i < PROVINCE; i++) {
        now = result_mark(set, &devices[i]);
        assert_int_equal(!hash_equal(&now, &before[i]), i == 5);
    }
    compile_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_year_month_by_month),
        SCENE_TEST(a_bulletin_of_200_playlists_is_withdrawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
