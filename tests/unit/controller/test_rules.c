/* Rules as people write them, and the planner's comparison of playlists. */
#include "unit.h"

#include "controller/planner.h"
#include "controller/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static json_t *check(const char *text, struct problem *problem)
{
    struct zones *zones = zones_new(NULL, NULL);
    json_t *body = json_loads(text, 0, NULL), *rule = NULL;
    memset(problem, 0, sizeof(*problem));
    assert_non_null(body);
    if (rule_check(body, zones, "Asia/Ho_Chi_Minh", problem, &rule) < 0)
        assert_int_equal(problem->status, 422);
    json_decref(body);
    zones_free(zones);
    return rule;
}

static void the_canonical_body_is_complete(void **state)
{
    struct problem problem;
    (void)state;
    json_t *rule =
        check("{\"times\":[\"05:00\"],\"when\":\"daily\",\"bulletin\":\"" HASH "\",\"areas\":[\"a\"]}", &problem);
    char *text = json_dumps(rule, JSON_COMPACT);
    assert_string_equal(text,
                        "{\"bulletin\":\"" HASH "\",\"when\":\"daily\",\"date\":null,\"from\":null,\"until\":null,"
                        "\"times\":[\"05:00\"],\"zone\":\"Asia/Ho_Chi_Minh\",\"areas\":[\"a\"],\"devices\":[],"
                        "\"kinds\":[],\"zones\":[],\"class\":\"normal\",\"policy\":\"drop\",\"late_ms\":60000,"
                        "\"wait_ms\":0,\"gain_mb\":0,\"show_ms\":0}");
    free(text);
    json_decref(rule);
}

static void each_refusal_names_its_member(void **state)
{
    static const struct {
        const char *more, *member;
    } cases[] = {{"\"when\":\"never\"", "when"},
                 {"\"when\":\"once\"", "date"},
                 {"\"when\":\"daily\",\"date\":\"2026-01-01\"", "date"},
                 {"\"when\":\"daily\",\"class\":\"emergency\"", "class"},
                 {"\"when\":\"daily\",\"gain_mb\":1", "gain_mb"},
                 {"\"when\":\"daily\",\"extra\":1", "extra"},
                 {"\"when\":\"daily\",\"from\":\"2026-02-02\",\"until\":\"2026-02-01\"", "until"},
                 {"\"when\":\"daily\",\"zone\":\"../etc/passwd\"", "zone"},
                 {"\"when\":\"daily\",\"kinds\":[\"board\",\"board\"]", "kinds[1]"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct problem problem;
        char text[400];
        snprintf(text, sizeof(text), "{\"bulletin\":\"" HASH "\",\"times\":[\"05:00\"],\"areas\":[\"a\"],%s}",
                 cases[i].more);
        assert_null(check(text, &problem));
        assert_string_equal(problem.member, cases[i].member);
        assert_true(strlen(problem.vi) > 10 && strlen(problem.en) > 10);
    }
}

static void a_once_rule_knows_its_last_instant(void **state)
{
    struct problem problem;
    struct rule rule;
    struct zones *zones = zones_new(NULL, NULL);
    struct arena *arena = arena_new();
    (void)state;
    json_t *body =
        check("{\"times\":[\"05:00\",\"17:00:30\"],\"when\":\"once\",\"date\":\"2026-07-01\",\"bulletin\":\"" HASH
              "\",\"devices\":[\"a\"],\"zones\":[\"zone_1\"]}",
              &problem);
    assert_int_equal(rule_build("r", body, zones, arena, &rule), 0);
    assert_int_equal(recur_last_s(&rule.recur), INT64_C(1782900030)); /* 10:00:30 UTC */
    assert_int_equal(rule.recur.n_times, 2);
    assert_string_equal(rule.zones.at[0], "zone_1");
    json_decref(body);
    arena_free(arena);
    zones_free(zones);
}

static json_t *playlist(int64_t until_ms, const char *items)
{
    json_t *list = json_loads(items, 0, NULL);
    return json_pack("{s:I, s:[{s:s}, {s:s}], s:o}", "until_ms", (json_int_t)until_ms, "bulletins", "hash", "x", "hash",
                     "y", "items", list);
}

static bool same(const char *a_items, int64_t a_until, const char *b_items, int64_t b_until, int64_t now_ms)
{
    json_t *a = playlist(a_until, a_items), *b = playlist(b_until, b_items);
    bool is = planner_same(a, b, now_ms);
    json_decref(a);
    json_decref(b);
    return is;
}

static void what_is_over_or_beyond_the_horizon_makes_no_difference(void **state)
{
    const char *old = "[{\"id\":\"a\",\"start_ms\":10,\"end_ms\":20,\"bulletin\":0},"
                      "{\"id\":\"b\",\"start_ms\":50,\"end_ms\":60,\"bulletin\":1}]";
    const char *later = "[{\"id\":\"b\",\"start_ms\":50,\"end_ms\":60,\"bulletin\":1},"
                        "{\"id\":\"c\",\"start_ms\":105,\"end_ms\":110,\"bulletin\":0}]";
    const char *other = "[{\"id\":\"b\",\"start_ms\":50,\"end_ms\":60,\"bulletin\":0}]";
    (void)state;
    assert_true(same(old, 100, later, 200, 20));
    assert_false(same(old, 100, later, 200, 19)); /* a is still on */
    assert_false(same(old, 200, later, 200, 20)); /* c was missing */
    assert_false(same(old, 100, other, 100, 20)); /* another bulletin */
    assert_false(same(old, 100, "[]", 100, 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_body_is_complete),
        cmocka_unit_test(each_refusal_names_its_member),
        cmocka_unit_test(a_once_rule_knows_its_last_instant),
        cmocka_unit_test(what_is_over_or_beyond_the_horizon_makes_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
