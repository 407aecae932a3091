/* What people may say of a rule's days, sessions and targets: what it comes to, and how what cannot be is refused. */
#include "unit.h"

#include "controller/rules.h"
#include "playlists/lunar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct zones *zones;

static json_t *check_whole(const char *text, struct problem *problem)
{
    json_t *body = json_loads(text, 0, NULL), *rule = NULL;
    memset(problem, 0, sizeof(*problem));
    if (!body)
        fail_msg("no JSON: %s", text);
    if (rule_check(body, zones, "Asia/Ho_Chi_Minh", problem, &rule) < 0)
        assert_int_equal(problem->status, 422);
    json_decref(body);
    return rule;
}

/* The members beside the bulletin, the place and the time. */
static json_t *check(const char *more, struct problem *problem)
{
    char *text = xasprintf("{\"bulletin\":\"" HASH "\",\"times\":[\"05:00\"],\"areas\":[\"a\"],%s}", more);
    json_t *rule = check_whole(text, problem);
    free(text);
    return rule;
}

/* The days of 2026 on which it holds, "MM-DD MM-DD ...". */
static const char *days_of(const char *more)
{
    static char text[4000];
    struct problem problem;
    struct recurrence recur;
    struct arena *arena = arena_new();
    json_t *rule = check(more, &problem), *again = NULL;
    if (!rule)
        fail_msg("%s: %s", more, problem.en);
    assert_int_equal(rule_recur(rule, zones, arena, &recur), 0);
    text[0] = '\0';
    for (int64_t day = civil_days(2026, 1, 1); day < civil_days(2027, 1, 1); day++) {
        int year, month, month_day;
        civil_date(day, &year, &month, &month_day);
        size_t len = strlen(text);
        if (recur_on(&recur, day) && len + 8 < sizeof(text))
            snprintf(text + len, sizeof(text) - len, "%s%02d-%02d", len ? " " : "", month, month_day);
    }
    /* What is canonical stays as it is. */
    assert_int_equal(rule_check(rule, zones, "Asia/Ho_Chi_Minh", &problem, &again), 0);
    assert_true(json_equal(rule, again));
    json_decref(again);
    json_decref(rule);
    arena_free(arena);
    return text;
}

static void each_kind_of_days(void **state)
{
    (void)state;
    assert_string_equal(days_of("\"when\":\"weekly\",\"weekdays\":[\"sun\",\"mon\"],\"from\":\"2026-07-01\",\"until\":"
                                "\"2026-07-12\""),
                        "07-05 07-06 07-12");
    assert_string_equal(days_of("\"when\":\"monthly\",\"month_days\":[1,31,-1],\"until\":\"2026-03-31\""),
                        "01-01 01-31 02-01 02-28 03-01 03-31");
    assert_string_equal(
        days_of("\"when\":\"monthly_nth\",\"weekdays\":[\"thu\"],\"nths\":[1,-1],\"until\":\"2026-02-28\""),
        "01-01 01-29 02-05 02-26");
    assert_string_equal(days_of("\"when\":\"every\",\"every_days\":100,\"anchor\":\"2026-01-11\""),
                        "01-11 04-21 07-30 11-07");
    assert_string_equal(days_of("\"when\":\"lunar_days\",\"lunar_days\":[1,-1],\"until\":\"2026-03-31\""),
                        "01-18 01-19 02-16 02-17 03-18 03-19");
    assert_string_equal(days_of("\"when\":\"lunar_dates\",\"lunar_dates\":[\"03-10\",\"12-29..01-02\"]"),
                        "02-16 02-17 02-18 04-26");
    assert_string_equal(days_of("\"when\":\"lunar_dates\",\"lunar_dates\":[{\"from\":\"01-15\",\"leap\":\"both\"}]"),
                        "03-03");
    assert_string_equal(days_of("\"when\":\"holidays\",\"calendar_days\":[\"tet\",\"victory\"]"),
                        "02-16 02-17 02-18 02-19 02-20 04-30");
}

static void seasons_exceptions_and_holidays(void **state)
{
    (void)state;
    assert_string_equal(days_of("\"when\":\"monthly\",\"month_days\":[15],\"seasons\":[\"11-01..02-28\"]"),
                        "01-15 02-15 11-15 12-15");
    assert_string_equal(days_of("\"when\":\"weekly\",\"weekdays\":[\"tue\"],\"seasons\":[{\"from\":\"12-23\",\"to\":"
                                "\"01-07\",\"lunar\":true}]"),
                        "02-10 02-17");
    assert_string_equal(days_of("\"when\":\"monthly\",\"month_days\":[1],\"except\":[\"2026-03-01\",\"2026-02-01\","
                                "\"2026-03-01\"],\"until\":\"2026-05-31\",\"holidays\":\"skip\""),
                        "04-01");
    assert_string_equal(days_of("\"when\":\"weekly\",\"weekdays\":[\"thu\"],\"holidays\":\"only\""),
                        "01-01 02-19 04-30");
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *more, *member, *says;
    } cases[] = {
        {"\"when\":\"weekly\"", "weekdays", "missing"},
        {"\"when\":\"weekly\",\"weekdays\":[]", "weekdays", "missing"},
        {"\"when\":\"weekly\",\"weekdays\":[\"monday\"]", "weekdays[0]", "mon"},
        {"\"when\":\"daily\",\"weekdays\":[\"mon\"]", "weekdays", "daily"},
        {"\"when\":\"monthly\",\"month_days\":[32]", "month_days[0]", "32"},
        {"\"when\":\"monthly\",\"month_days\":[0]", "month_days[0]", "0"},
        {"\"when\":\"monthly\",\"month_days\":[1,1]", "month_days[1]", "once"},
        {"\"when\":\"monthly\",\"month_days\":[\"1\"]", "month_days[0]", "-1"},
        {"\"when\":\"monthly_nth\",\"weekdays\":[\"mon\"],\"nths\":[6]", "nths[0]", "6"},
        {"\"when\":\"every\",\"every_days\":0,\"anchor\":\"2026-01-01\"", "every_days", "3660"},
        {"\"when\":\"every\",\"every_days\":2", "anchor", "missing"},
        {"\"when\":\"every\",\"every_days\":2,\"anchor\":\"2026-02-30\"", "anchor", "2026-02-30"},
        {"\"when\":\"lunar_days\",\"lunar_days\":[31]", "lunar_days[0]", "31"},
        {"\"when\":\"lunar_dates\",\"lunar_dates\":[\"03-31\"]", "lunar_dates[0]", "03-31"},
        {"\"when\":\"lunar_dates\",\"lunar_dates\":[\"13-01\"]", "lunar_dates[0]", "13-01"},
        {"\"when\":\"lunar_dates\",\"lunar_dates\":[\"3-10\"]", "lunar_dates[0]", "3-10"},
        {"\"when\":\"lunar_dates\",\"lunar_dates\":[]", "lunar_dates", "1"},
        {"\"when\":\"lunar_dates\",\"lunar_dates\":[{\"from\":\"02-10\",\"to\":\"03-10\",\"leap\":\"only\"}]",
         "lunar_dates[0]", "one month"},
        {"\"when\":\"lunar_dates\",\"lunar_dates\":[{\"to\":\"03-10\"}]", "lunar_dates[0]", "03-10"},
        {"\"when\":\"daily\",\"seasons\":[\"02-30\"]", "seasons[0]", "02-30"},
        {"\"when\":\"daily\",\"seasons\":[{\"from\":\"02-10\",\"leap\":\"both\"}]", "seasons[0]", "lunar"},
        {"\"when\":\"daily\",\"seasons\":[{\"from\":\"02-10\",\"untill\":\"03-10\"}]", "seasons[0].untill", "untill"},
        {"\"when\":\"daily\",\"except\":[\"2026-13-01\"]", "except[0]", "2026-13-01"},
        {"\"when\":\"once\",\"date\":\"2026-01-01\",\"except\":[\"2026-01-01\"]", "except", "once"},
        {"\"when\":\"daily\",\"holidays\":\"never\"", "holidays", "usual"},
        {"\"when\":\"daily\",\"calendar\":\"vietnam\"", "calendar", "holidays"},
        {"\"when\":\"daily\",\"holidays\":\"skip\",\"calendar\":\"mars\"", "calendar", "mars"},
        {"\"when\":\"daily\",\"holidays\":\"skip\",\"calendar\":\"../vietnam\"", "calendar", "../vietnam"},
        {"\"when\":\"holidays\",\"calendar_days\":[\"easter\"]", "calendar_days[0]", "tet"},
        {"\"when\":\"daily\",\"times\":[\"25:00\"]", "times[0]", "25:00"},
        {"\"when\":\"daily\",\"times\":[\"24:00\"]", "times[0]", "24:00"},
        {"\"when\":\"daily\",\"zone\":\"Asia/Nowhere\"", "zone", "Asia/Nowhere"},
        /* Days that never come: a lunar 30 between two days of a month that has 29. */
        {"\"when\":\"lunar_dates\",\"lunar_dates\":[\"12-30\"],\"from\":\"2026-02-01\",\"until\":\"2026-02-28\"",
         "when", "No day"},
        {"\"when\":\"weekly\",\"weekdays\":[\"mon\"],\"from\":\"2026-07-07\",\"until\":\"2026-07-09\"", "when",
         "No day"},
        {"\"when\":\"monthly\",\"month_days\":[30],\"seasons\":[\"02-01..02-29\"]", "when", "No day"},
        {"\"when\":\"daily\",\"start\":\"wait\"", "wait_ms", "wait"},
        {"\"when\":\"daily\",\"start\":\"boundary\",\"wait_ms\":5", "wait_ms", "boundary"},
        {"\"when\":\"daily\",\"catch_up_ms\":-1", "catch_up_ms", "0"},
        {"\"when\":\"daily\",\"session\":{\"parts\":[]}", "session", "one of"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct problem problem;
        char *text = xasprintf("{\"bulletin\":\"" HASH "\",\"areas\":[\"a\"],%s%s}", cases[i].more,
                               strstr(cases[i].more, "times") ? "" : ",\"times\":[\"05:00\"]");
        json_t *rule = check_whole(text, &problem);
        if (rule || strcmp(problem.member, cases[i].member) != 0 || !strstr(problem.en, cases[i].says))
            fail_msg("%s: %s \"%s\"", cases[i].more, problem.member, problem.en);
        assert_true(strlen(problem.vi) > 10);
        free(text);
    }
}

static void ten_thousand_exceptions(void **state)
{
    struct problem problem;
    json_t *body = json_pack("{s:s, s:s, s:[s], s:[s], s:[]}", "bulletin", HASH, "when", "daily", "times", "05:00",
                             "areas", "a", "except"),
           *rule = NULL;
    (void)state;
    memset(&problem, 0, sizeof(problem));
    for (int i = 0; i < 10000; i++) {
        char date[32];
        int year, month, day;
        civil_date(20000 + i, &year, &month, &day);
        snprintf(date, sizeof(date), "%04d-%02d-%02d", year % 10000, month, day);
        json_array_append_new(json_object_get(body, "except"), json_string(date));
    }
    assert_int_equal(rule_check(body, zones, "Asia/Ho_Chi_Minh", &problem, &rule), -1);
    assert_string_equal(problem.member, "except");
    assert_non_null(strstr(problem.en, "10000"));
    assert_non_null(strstr(problem.en, "1000."));
    json_array_clear(json_object_get(body, "except"));
    json_array_append_new(json_object_get(body, "except"), json_string("2026-07-01"));
    assert_int_equal(rule_check(body, zones, "Asia/Ho_Chi_Minh", &problem, &rule), 0);
    json_decref(rule);
    json_decref(body);
}

static struct rule built(struct arena *arena, json_t *body)
{
    struct rule rule;
    assert_non_null(body);
    assert_int_equal(rule_build("r", body, zones, arena, &rule), 0);
    json_decref(body);
    return rule;
}

static void sessions_and_targets(void **state)
{
    struct problem problem;
    struct arena *arena = arena_new();
    (void)state;
    struct rule rule =
        built(arena,
              check_whole(
                  "{\"when\":\"daily\",\"times\":[\"05:00\"],\"groups\":[\"g\"],\"tags\":[\"cho\"],\"except_areas\":"
                  "[\"x\"],\"except_devices\":[\"d\"],\"start\":\"boundary\",\"late_ms\":120000,\"catch_up_ms\":600000,"
                  "\"session\":{\"length_ms\":1800000,\"opening\":\"" HASH "\",\"parts\":[{\"bulletin\":\"" HASH
                  "\",\"class\":\"priority\"},{\"source\":\"VOV1\",\"length_ms\":600000}],\"plays\":2,\"gap_ms\":5000,"
                  "\"topics\":[{\"topic\":\"y-te\",\"weight\":3}],\"overrun\":\"mid_sentence\",\"languages\":"
                  "\"complete\"}}",
                  &problem));
    assert_null(rule.bulletin);
    assert_int_equal(rule.session->length_ms, 1800000);
    assert_string_equal(rule.session->opening, HASH);
    assert_null(rule.session->closing);
    assert_int_equal(rule.session->n_parts, 2);
    assert_int_equal(rule.session->parts[0].class, CLASS_PRIORITY);
    assert_int_equal(rule.session->parts[1].class, -1);
    assert_string_equal(rule.session->parts[1].source, "VOV1");
    assert_int_equal(rule.session->plays, 2);
    assert_int_equal(rule.session->overrun, OVERRUN_MID_SENTENCE);
    assert_int_equal(rule.session->languages, LANGUAGES_COMPLETE);
    assert_int_equal(rule.session->topics[0].weight, 3);
    assert_string_equal(rule.groups.at[0], "g");
    assert_string_equal(rule.tags.at[0], "cho");
    assert_string_equal(rule.except_areas.at[0], "x");
    assert_string_equal(rule.except_devices.at[0], "d");
    assert_true(rule.wait_ms > rule.late_ms);
    assert_int_equal(rule.catch_up_ms, 600000);
    arena_free(arena);
}

static void wrong_sessions(void **state)
{
    static const struct {
        const char *session, *member;
    } cases[] = {
        {"7", "session"},
        {"{}", "session.parts"},
        {"{\"parts\":[]}", "session.parts"},
        {"{\"parts\":[7]}", "parts[0]"},
        {"{\"parts\":[{}]}", "session.parts[0].source"},
        {"{\"parts\":[{\"bulletin\":\"x\"}]}", "session.parts[0].bulletin"},
        {"{\"parts\":[{\"source\":\"VOV1\"}]}", "session.parts[0].length_ms"},
        {"{\"parts\":[{\"source\":\"VOV1\",\"length_ms\":10}]}", "session.parts[0].length_ms"},
        {"{\"parts\":[{\"bulletin\":\"" HASH "\",\"source\":\"VOV1\",\"length_ms\":1000}]}", "session.parts[0].source"},
        {"{\"parts\":[{\"bulletin\":\"" HASH "\",\"class\":\"emergency\"}]}", "session.parts[0].class"},
        {"{\"parts\":[{\"bulletin\":\"" HASH "\"}],\"plays\":0}", "session.plays"},
        {"{\"parts\":[{\"bulletin\":\"" HASH "\"}],\"plays\":21}", "session.plays"},
        {"{\"parts\":[{\"bulletin\":\"" HASH "\"}],\"topics\":[{\"topic\":\"y-te\"}]}", "session.topics"},
        {"{\"parts\":[{\"bulletin\":\"" HASH "\"}],\"length_ms\":-1}", "session.length_ms"},
        {"{\"parts\":[{\"bulletin\":\"" HASH "\"}],\"jingle\":1}", "session.jingle"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct problem problem;
        char *text =
            xasprintf("{\"when\":\"daily\",\"times\":[\"05:00\"],\"areas\":[\"a\"],\"session\":%s}", cases[i].session);
        json_t *rule = check_whole(text, &problem);
        if (rule || strcmp(problem.member, cases[i].member) != 0)
            fail_msg("%s: %s \"%s\"", cases[i].session, problem.member, problem.en);
        free(text);
    }
}

/* A change says only what is other; members that belong to other kinds of days go with them. */
static void changes_are_merged(void **state)
{
    struct problem problem;
    json_t *body = check("\"when\":\"weekly\",\"weekdays\":[\"mon\"],\"from\":\"2026-01-01\",\"late_ms\":5", &problem);
    json_t *patch = json_loads("{\"when\":\"once\",\"date\":\"2026-07-01\",\"late_ms\":null}", 0, NULL), *fresh = NULL;
    (void)state;
    json_t *merged = rule_merge(body, patch);
    assert_int_equal(rule_check(merged, zones, "Asia/Ho_Chi_Minh", &problem, &fresh), 0);
    assert_null(json_object_get(fresh, "weekdays"));
    assert_true(json_is_null(json_object_get(fresh, "from")));
    assert_int_equal(json_integer_value(json_object_get(fresh, "late_ms")), 60000);
    assert_string_equal(json_string_value(json_object_get(fresh, "bulletin")), HASH);
    json_decref(fresh);
    json_decref(merged);
    json_decref(patch);
    patch = json_loads("{\"session\":{\"parts\":[{\"source\":\"VOV1\",\"length_ms\":60000}]}}", 0, NULL);
    merged = rule_merge(body, patch);
    assert_int_equal(rule_check(merged, zones, "Asia/Ho_Chi_Minh", &problem, &fresh), 0);
    assert_true(json_is_null(json_object_get(fresh, "bulletin")));
    json_decref(fresh);
    json_decref(merged);
    json_decref(patch);
    json_decref(body);
}

static int set_up(void **state)
{
    (void)state;
    zones = zones_new(NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    zones_free(zones);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_days),    cmocka_unit_test(seasons_exceptions_and_holidays),
        cmocka_unit_test(what_is_refused),      cmocka_unit_test(ten_thousand_exceptions),
        cmocka_unit_test(sessions_and_targets), cmocka_unit_test(wrong_sessions),
        cmocka_unit_test(changes_are_merged),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
