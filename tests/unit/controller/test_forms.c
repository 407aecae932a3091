/* Bodies, instants, routes, ranges, the throttle and the catalogue. */
#include "unit.h"

#include "controller/blobs.h"
#include "controller/request.h"
#include "controller/throttle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bodies_are_bounded(void **state)
{
    static const struct {
        const char *text, *code;
    } cases[] = {{"", "body"},
                 {"{", "json"},
                 {"1", "json"},
                 {"{\"a\":1,\"a\":2}", "json"},
                 {"{} {}", "json"},
                 {"{\"a\":NaN}", "json"},
                 {"{\"a\":\"\\ud800\"}", "json"},
                 {"{\"a\":[[[[[[[[1]]]]]]]]}", "json"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct problem problem;
        json_t *json = NULL;
        assert_int_equal(form_parse(cases[i].text, strlen(cases[i].text), &problem, &json), -1);
        assert_null(json);
        assert_int_equal(problem.status, 400);
        assert_string_equal(problem.code, cases[i].code);
    }
}

static void known_members_are_whole_words(void **state)
{
    struct problem problem;
    json_t *json = json_loads("{\"late\":1}", 0, NULL);
    struct form form = {.object = json, .problem = &problem};
    (void)state;
    assert_int_equal(form_known(&form, "late_ms wait"), -1);
    assert_string_equal(problem.member, "late");
    assert_int_equal(form_known(&form, "wait late"), 0);
    json_decref(json);
    form.object = json = json_loads("{\"\":1}", 0, NULL);
    assert_int_equal(form_known(&form, "wait late"), -1);
    json_decref(json);
}

static void instants_are_read(void **state)
{
    int64_t ms = -1;
    (void)state;
    assert_int_equal(instant_parse("2026-07-01T05:00:00.250+07:00", &ms), 0);
    assert_int_equal(ms, INT64_C(1782856800250));
    assert_int_equal(instant_parse("2026-06-30T22:00:00Z", &ms), 0);
    assert_int_equal(ms, INT64_C(1782856800000));
    static const char *const bad[] = {"",
                                      "2026-07-01",
                                      "2026-02-30T00:00:00Z",
                                      "2026-07-01T24:00:00Z",
                                      "2026-07-01T05:00:00",
                                      "2026-07-01T05:00:00+7:00",
                                      "2026-07-01T05:00:00Zx",
                                      "2026-07-01T05:00:00.Z7"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(instant_parse(bad[i], &ms), -1);
}

static void routes_are_found(void **state)
{
    struct request r;
    (void)state;
    memset(&r, 0, sizeof(r));
    assert_int_equal(route_find(&r, "GET", "/api/v1/devices/box-1/playlist"), 0);
    assert_string_equal(r.param[0], "box-1");
    assert_int_equal(route_find(&r, "HEAD", "/api/v1/rules"), 0);
    assert_int_equal(route_find(&r, "PUT", "/api/v1/rules"), -1);
    assert_int_equal(r.problem.status, 405);
    assert_string_equal(r.problem.allow, "GET, POST");
    static const char *const none[] = {
        "/", "/api/v1", "/api/v1/", "/api/v1/rules/", "/api/v1//rules", "/api/v1/devices//box", "/api/v1/rulesx"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(route_find(&r, "GET", none[i]), -1);
        assert_int_equal(r.problem.status, 404);
    }
}

static void every_change_needs_more_than_a_viewer(void **state)
{
    (void)state;
    for (const struct route *route = routes; route->method; route++)
        if (strcmp(route->method, "GET") != 0)
            assert_int_equal(route->roles & ROLE_VIEWER, 0);
}

static void ranges_follow_rfc_9110(void **state)
{
    uint64_t from = 0, len = 0;
    (void)state;
    assert_int_equal(range_parse("bytes=2-5", 10, &from, &len), 1);
    assert_true(from == 2 && len == 4);
    assert_int_equal(range_parse("bytes=7-", 10, &from, &len), 1);
    assert_true(from == 7 && len == 3);
    assert_int_equal(range_parse("bytes=-4", 10, &from, &len), 1);
    assert_true(from == 6 && len == 4);
    assert_int_equal(range_parse("bytes=-40", 10, &from, &len), 1);
    assert_true(from == 0 && len == 10);
    assert_int_equal(range_parse("bytes=9-99", 10, &from, &len), 1);
    assert_true(from == 9 && len == 1);
    assert_int_equal(range_parse("bytes=10-", 10, &from, &len), -1);
    assert_int_equal(range_parse("bytes=-0", 10, &from, &len), -1);
    static const char *const ignored[] = {"bytes=5-2", "bytes=",    "bytes=-",   "bytes=1-2,4-5",
                                          "items=1-2", "bytes=a-b", "bytes=1-2x"};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        assert_int_equal(range_parse(ignored[i], 10, &from, &len), 0);
    assert_int_equal(range_parse(NULL, 10, &from, &len), 0);
}

static void guessing_is_throttled_for_a_while(void **state)
{
    struct throttle *t = calloc(1, sizeof(*t));
    char address[48];
    (void)state;
    for (int i = 0; i < THROTTLE_FAILURES; i++) {
        assert_int_equal(throttle_wait_s(t, "a", 1000), 0);
        throttle_failed(t, "a", 1000);
    }
    assert_int_equal(throttle_wait_s(t, "a", 2000), 60);
    assert_int_equal(throttle_wait_s(t, "b", 2000), 0);
    assert_int_equal(throttle_wait_s(t, "a", 1000 + THROTTLE_WINDOW_MS), 0);
    for (int i = 0; i < 2 * THROTTLE_ENTRIES; i++) { /* bounded, whoever comes */
        snprintf(address, sizeof(address), "10.0.%d.%d", i / 256, i % 256);
        throttle_failed(t, address, 3000 + i);
    }
    free(t);
}

enum { ARGUMENTS_MAX = 16 };
typedef char conversion[4]; /* "s", "d", "lld" */

/* What a format takes: the conversion of each argument, by its position where the format says so. */
static void conversions(const char *format, conversion ret[ARGUMENTS_MAX])
{
    memset(ret, 0, ARGUMENTS_MAX * sizeof(conversion));
    size_t n = 0;
    for (const char *at = format; (at = strchr(at, '%')) != NULL; at++) {
        at++;
        if (*at == '%')
            continue;
        size_t digits = strspn(at, "0123456789"), place = n++;
        if (at[digits] == '$') {
            place = strtoul(at, NULL, 10) - 1;
            at += digits + 1;
        }
        at += strspn(at, "0123456789.");
        size_t length = strspn(at, "lzh");
        assert_true(place < ARGUMENTS_MAX && length + 1 < sizeof(conversion));
        memcpy(ret[place], at, length + 1);
        at += length;
    }
}

static void both_languages_take_the_same_arguments(void **state)
{
    (void)state;
    for (int w = 0; w < WORDS; w++) {
        conversion vi[ARGUMENTS_MAX], en[ARGUMENTS_MAX];
        assert_non_null(word_text((enum word)w, true));
        assert_non_null(word_text((enum word)w, false));
        conversions(word_text((enum word)w, true), vi);
        conversions(word_text((enum word)w, false), en);
        for (int i = 0; i < ARGUMENTS_MAX; i++)
            assert_string_equal(vi[i], en[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(known_members_are_whole_words),
        cmocka_unit_test(instants_are_read),
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(every_change_needs_more_than_a_viewer),
        cmocka_unit_test(ranges_follow_rfc_9110),
        cmocka_unit_test(guessing_is_throttled_for_a_while),
        cmocka_unit_test(both_languages_take_the_same_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
