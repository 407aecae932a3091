/* Instants as people type them. */
#include "unit.h"

#include "tools/loa/when.h"

#include <string.h>

static int64_t parse(const struct zone *zone, const char *text, bool day_end)
{
    int64_t ms = -1;
    struct complaint why = {0};
    if (when_parse(text, zone, day_end, "--from", &ms, &why) < 0) {
        assert_non_null(strstr(why.text, "--from"));
        assert_non_null(strstr(why.text, "right would be"));
        return -1;
    }
    return ms;
}

static void test_parse(void **state)
{
    (void)state;
    struct zone *zone = NULL;
    assert_int_equal(zone_load(NULL, WHEN_ZONE, &zone, NULL), 0);
    const int64_t five = INT64_C(1782856800000); /* 2026-06-30T22:00:00Z */
    assert_true(parse(zone, "2026-07-01T05:00", false) == five);
    assert_true(parse(zone, "2026-07-01T05:00:00", false) == five);
    assert_true(parse(zone, "2026-07-01 05:00:00", false) == five);
    assert_true(parse(zone, "2026-07-01T05:00:00+07:00", false) == five);
    assert_true(parse(zone, "2026-06-30T22:00:00Z", false) == five);
    assert_true(parse(zone, "2026-06-30T22:00:00.250Z", false) == five + 250);
    assert_true(parse(zone, "2026-06-30T16:30:00-05:30", false) == five);
    assert_true(parse(zone, "2026-07-01", false) == five - 5 * 3600 * 1000);
    assert_true(parse(zone, "2026-07-01", true) == five + 19 * 3600 * 1000);
    zone_free(zone);
}

static void test_on_the_clock(void **state)
{
    (void)state;
    char text[32] = "2026-06-30T22:00:00.250Z";
    assert_true(when_on_the_clock(text, text));
    assert_string_equal(text, "2026-07-01 05:00:00");
    assert_false(when_on_the_clock(text, text));
    assert_false(when_on_the_clock("2026-06-30T25:00:00Z", text));
    assert_false(when_on_the_clock("Họp thôn lúc 19 giờT, xã Z", text));
    assert_string_equal(text, "2026-07-01 05:00:00");
}

static void test_refuse(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-02-30",
                                      "2026-7-1",
                                      "2026-07-01T24:00",
                                      "2026-07-01T5:00",
                                      "2026-07-01T05:00:61",
                                      "2026-07-01T05:00Z+1",
                                      "2026-07-01T05:00:00+7",
                                      "2026-07-01T05:00:00+99:00",
                                      "2026-07-01T05:00:00.Z",
                                      "2026-07-01X05:00",
                                      "2026-07-01T05:00:00 ",
                                      "2026-07-01T",
                                      "9999999-01-01",
                                      "2026-07-01T05:00:00.1234567890Z"};
    struct zone *zone = NULL;
    assert_int_equal(zone_load(NULL, WHEN_ZONE, &zone, NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(zone, bad[i], false) != -1)
            fail_msg("'%s' was taken", bad[i]);
    zone_free(zone);
}

static void test_relative(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_s;
    } good[] = {{"now", 101}, {"+0s", 101}, {"+10s", 111}, {"+5m", 401}, {"+2h", 7301}, {"+168h", 604901}};
    static const char *const bad[] = {"", "+", "+s", "+10", "10s", "-1s", "+1d", "+1ss", "+169h", "+9999999s", "now "};
    int64_t at_s;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(when_relative(good[i].text, 100001, &at_s));
        assert_true(at_s == good[i].unix_s);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (when_relative(bad[i], 100001, &at_s))
            fail_msg("'%s' was taken", bad[i]);
}

static void test_format(void **state)
{
    (void)state;
    char text[32];
    when_format_utc(INT64_C(1782856800250), text);
    assert_string_equal(text, "2026-06-30T22:00:00.250Z");
    when_format_utc(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    when_format_utc(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void test_time(void **state)
{
    (void)state;
    static const char *const good[][2] = {{"5:00", "05:00"},  {"05:00", "05:00"}, {"5h00", "05:00"},
                                          {"17H30", "17:30"}, {"5h", "05:00"},    {"05:00:30", "05:00:30"},
                                          {"0:00", "00:00"}};
    static const char *const bad[] = {"",      "5",    "h",      ":30",        "25:00", "5:60",   "5:0",
                                      "05.00", "sáng", "005:00", "5h30:00:00", "-1:00", "5:00pm", "5h3"};
    char text[16];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(when_time(good[i][0], text));
        assert_string_equal(text, good[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (when_time(bad[i], text))
            fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse),  cmocka_unit_test(test_on_the_clock),
                                       cmocka_unit_test(test_refuse), cmocka_unit_test(test_relative),
                                       cmocka_unit_test(test_format), cmocka_unit_test(test_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
