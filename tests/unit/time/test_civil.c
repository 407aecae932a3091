/* test_civil.c - the calendar against itself and the C library, zones against the C library's, which reads the same
 * files with other code. LOA_SEED=<number> repeats a run. */
#include "unit.h"

#include "playlists/base/bytes.h"
#include "playlists/base/civil.h"
#include "playlists/base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INSTANTS = 25000 };

static struct zone *load(const char *name)
{
    struct zone *zone = NULL;
    struct complaint why = {{0}};
    if (zone_load(NULL, name, &zone, &why) < 0)
        fail_msg("%s", why.text);
    assert_string_equal(zone_name(zone), name);
    return zone;
}

static int64_t instant_of(const struct zone *zone, const char *date, const char *time_of_day, int *ret_fold)
{
    int64_t days = 0;
    int32_t second = 0;
    assert_int_equal(civil_parse_date(date, &days), 0);
    assert_int_equal(civil_parse_time(time_of_day, &second), 0);
    return zone_instant_s(zone, days, second, ret_fold);
}

static void days_and_dates_agree(void **state)
{
    (void)state;
    assert_int_equal(civil_days(1970, 1, 1), 0);
    assert_int_equal(civil_days(2000, 3, 1), 11017);
    assert_int_equal(civil_days(2026, 7, 1), 20635);
    assert_int_equal(civil_days(2026, 1, 32), civil_days(2026, 2, 1)); /* the day may overflow */
    assert_int_equal(civil_weekday(civil_days(2026, 7, 1)), 3);
    assert_int_equal(civil_weekday(civil_days(1969, 12, 28)), 7);
    int64_t expected = civil_days(-401, 1, 1);
    for (int year = -401; year <= 2801; year++)
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= 31; day++) {
                if (!civil_date_valid(year, month, day))
                    continue;
                int y, m, d;
                assert_int_equal(civil_days(year, month, day), expected);
                civil_date(expected, &y, &m, &d);
                assert_true(y == year && m == month && d == day);
                expected++;
            }
    int y, m, d;
    civil_date(INT64_MAX, &y, &m, &d);
    civil_date(INT64_MIN, &y, &m, &d);
    assert_true(civil_weekday(INT64_MIN) >= 1 && civil_weekday(INT64_MAX) <= 7);
}

static void dates_and_times_are_read_strictly(void **state)
{
    (void)state;
    static const char *const bad_dates[] = {"",           "2026-7-01",  "2026-07-1",   "2026-02-29", "2026-13-01",
                                            "2026-00-10", "2026-04-31", "2026/07/01",  "20260701",   "2026-07-01 ",
                                            "+026-07-01", "2026-07-0x", "2026-07-01Z", "1900-02-29", NULL};
    static const char *const bad_times[] = {"",      "24:00",   "5:00",      "05:60", "05:00:60", "05:0",
                                            "05-00", "05:00:0", "05:00:00Z", " 5:00", "05:00:-1", NULL};
    int64_t days = 77;
    int32_t second = 77;
    for (size_t i = 0; bad_dates[i]; i++)
        assert_int_equal(civil_parse_date(bad_dates[i], &days), ERR_FORMAT);
    for (size_t i = 0; bad_times[i]; i++)
        assert_int_equal(civil_parse_time(bad_times[i], &second), ERR_FORMAT);
    assert_int_equal(civil_parse_date(NULL, &days), ERR_FORMAT);
    assert_int_equal(civil_parse_time(NULL, &second), ERR_FORMAT);
    assert_true(days == 77 && second == 77);
    assert_int_equal(civil_parse_date("2024-02-29", &days), 0);
    assert_int_equal(days, civil_days(2024, 2, 29));
    assert_int_equal(civil_parse_time("23:59", &second), 0);
    assert_int_equal(second, 86340);
    assert_int_equal(civil_parse_time("00:00:01", &second), 0);
    assert_int_equal(second, 1);
}

static uint64_t rng;
static int64_t random_instant(int64_t low, int64_t high)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return low + (int64_t)(rng % (uint64_t)(high - low));
}

static void assert_like_library(const struct zone *zone, int64_t at)
{
    time_t t = (time_t)at;
    struct tm tm;
    assert_non_null(localtime_r(&t, &tm));
    int64_t days;
    int32_t second;
    zone_civil(zone, at, &days, &second);
    if (zone_offset_s(zone, at) != tm.tm_gmtoff)
        fail_msg("%s at %" PRId64 ": %d, the library says %ld", zone_name(zone), at, zone_offset_s(zone, at),
                 tm.tm_gmtoff);
    int year, month, day;
    civil_date(days, &year, &month, &day);
    assert_true(year == tm.tm_year + 1900 && month == tm.tm_mon + 1 && day == tm.tm_mday);
    assert_int_equal(second, tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
    assert_int_equal(civil_weekday(days) % 7, tm.tm_wday);
    int fold;
    int64_t back = zone_instant_s(zone, days, second, &fold);
    assert_true(fold == 0 ? back == at : fold == 1 && back <= at);
}

static void zones_are_what_the_library_says(void **state)
{
    (void)state;
    static const char *const names[] = {"Asia/Ho_Chi_Minh",     "Europe/Berlin", "America/New_York",
                                        "Australia/Lord_Howe",  "Asia/Gaza",     "Africa/Casablanca",
                                        "America/Scoresbysund", "UTC",           "Pacific/Apia",
                                        "Asia/Kathmandu"};
    const char *given = getenv("LOA_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    rng = seed ? seed * UINT64_C(0x9E3779B97F4A7C15) | 1 : 1;
    print_message("LOA_SEED=%" PRIu64 "\n", seed);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone *zone = load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (int k = 0; k < INSTANTS; k++)
            assert_like_library(zone, random_instant(civil_days(1890, 1, 1) * 86400, civil_days(2200, 1, 1) * 86400));
        for (int64_t day = civil_days(2024, 1, 1); day < civil_days(2028, 1, 1); day++)
            for (int64_t s = 0; s < 86400; s += 1800) {
                assert_like_library(zone, day * 86400 + s - 1);
                assert_like_library(zone, day * 86400 + s);
            }
        zone_free(zone);
    }
    unsetenv("TZ");
    tzset();
}

static void gaps_and_overlaps(void **state)
{
    (void)state;
    int fold = 7;
    struct zone *berlin = load("Europe/Berlin");
    assert_int_equal(instant_of(berlin, "2026-03-29", "01:59:59", &fold), 1774745999);
    assert_int_equal(fold, 0);
    assert_int_equal(instant_of(berlin, "2026-03-29", "02:30", &fold), 1774746000 + 1800); /* reads 03:30 */
    assert_int_equal(fold, -1);
    assert_int_equal(instant_of(berlin, "2026-03-29", "03:00", &fold), 1774746000);
    assert_int_equal(fold, 0);
    assert_int_equal(instant_of(berlin, "2026-10-25", "02:30", &fold), 1792888200); /* still summer time */
    assert_int_equal(fold, 1);
    assert_int_equal(zone_offset_s(berlin, 1792888200), 7200);
    assert_int_equal(instant_of(berlin, "2026-10-25", "03:00", NULL), 1792893600);
    /* Past the table, by the footer's rule. */
    assert_int_equal(instant_of(berlin, "2150-07-01", "12:00", &fold), civil_days(2150, 7, 1) * 86400 + 10 * 3600);
    zone_free(berlin);

    struct zone *howe = load("Australia/Lord_Howe"); /* half an hour */
    instant_of(howe, "2026-10-04", "02:15", &fold);
    assert_int_equal(fold, -1);
    instant_of(howe, "2026-10-04", "02:30", &fold);
    assert_int_equal(fold, 0);
    instant_of(howe, "2026-04-05", "01:45", &fold);
    assert_int_equal(fold, 1);
    zone_free(howe);

    struct zone *apia = load("Pacific/Apia"); /* a whole day that never was */
    int64_t skipped = instant_of(apia, "2011-12-30", "12:00", &fold);
    assert_int_equal(fold, -1);
    assert_int_equal(skipped, instant_of(apia, "2011-12-31", "12:00", &fold));
    zone_free(apia);

    struct zone *home = load("Asia/Ho_Chi_Minh");
    assert_int_equal(instant_of(home, "2026-07-01", "05:00", &fold), civil_days(2026, 6, 30) * 86400 + 22 * 3600);
    assert_int_equal(fold, 0);
    zone_free(home);
}

static void instants_are_written_with_their_offset(void **state)
{
    (void)state;
    char text[32];
    struct zone *zone = load("Asia/Ho_Chi_Minh");
    zone_format(zone, INT64_C(1782856800000), text);
    assert_string_equal(text, "2026-07-01T05:00:00.000+07:00");
    zone_format(zone, INT64_C(1782856799999), text);
    assert_string_equal(text, "2026-07-01T04:59:59.999+07:00");
    zone_format(zone, INT64_MAX, text);
    assert_int_equal(strlen(text), 29);
    zone_format(zone, INT64_MIN, text);
    assert_int_equal(strlen(text), 29);
    zone_free(zone);
    zone = load("America/St_Johns");
    zone_format(zone, INT64_C(1767225600001), text);
    assert_string_equal(text, "2025-12-31T20:30:00.001-03:30");
    zone_free(zone);
}

static void names_cannot_leave_the_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "/etc/passwd", "../zoneinfo/UTC", "Asia/../UTC", "Asia Ho", "Asia/Nowhere", "Asia", "A\xc3\xa9", NULL};
    for (size_t i = 0; bad[i]; i++) {
        struct zone *zone = NULL;
        struct complaint why = {{0}};
        assert_true(zone_load(NULL, bad[i], &zone, &why) < 0);
        assert_null(zone);
        assert_true(why.text[0]);
    }
}

/* A file of one zone with the given footer: no transitions, UTC+7, version 3. */
static int parse_footer(const char *footer, char version, struct zone **ret)
{
    static const uint8_t counts[24] = {[19] = 1, [23] = 4}; /* one type, four characters */
    static const uint8_t body[] = {0, 0, 0x62, 0x70, 0, 0, '+', '0', '7', 0};
    struct buf file = {0};
    for (int block = 0; block < 2; block++) {
        uint8_t head[20] = "TZif";
        head[4] = (uint8_t)version;
        buf_put(&file, head, sizeof(head));
        buf_put(&file, counts, sizeof(counts));
        buf_put(&file, body, sizeof(body));
    }
    buf_putf(&file, "\n%s\n", footer);
    int r = zone_parse("Made/Up", file.data, file.len, ret, NULL);
    buf_done(&file);
    return r;
}

static void footers_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"X3",
                                      "ABC",
                                      "ABC25",
                                      "ABC+3DEF",
                                      "ABC3DEF,M3.2.0",
                                      "ABC3DEF,M13.1.0,M11.1.0",
                                      "ABC3DEF,M3.6.0,M11.1.0",
                                      "<AB>3",
                                      "ABC3DEF,J0,J365",
                                      "ABC3DEF,366,0",
                                      "ABC3DEF,M3.2.7,M11.1.0",
                                      "ABC3 ",
                                      "<+07-7",
                                      "ABC3DEF,M3.2.0/168,M11.1.0",
                                      NULL};
    struct zone *zone = NULL;
    for (size_t i = 0; bad[i]; i++) {
        if (parse_footer(bad[i], '3', &zone) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_int_equal(parse_footer("ABC3DEF,M3.2.0/-2,M11.1.0", '2', &zone), ERR_FORMAT); /* hours of version 3 */
    assert_int_equal(parse_footer("ABC3DEF,M3.2.0/-2,M11.1.0", '3', &zone), 0);
    zone_free(zone);
    assert_int_equal(parse_footer("", '2', &zone), 0); /* no rule: the last type goes on */
    assert_int_equal(zone_offset_s(zone, 0), 7 * 3600);
    zone_free(zone);
    assert_int_equal(parse_footer("XXX3EDT4,0/0,J365/23", '3', &zone), 0); /* summer time all year */
    for (int64_t at = 0; at < INT64_C(4000000000); at += 1234567)
        assert_int_equal(zone_offset_s(zone, at), -4 * 3600);
    for (int year = 1999; year < 2009; year++)
        for (int64_t s = -7200; s <= 7200; s += 600)
            assert_int_equal(zone_offset_s(zone, civil_days(year, 1, 1) * 86400 + 4 * 3600 + s), -4 * 3600);
    zone_free(zone);
}

/* No cut and no changed byte of a real file may do harm. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    struct buf file = {0};
    assert_int_equal(file_read_whole("/usr/share/zoneinfo/Europe/Berlin", 65536, &file), 0);
    for (size_t len = 0; len < file.len; len++) {
        struct zone *zone = NULL;
        assert_int_equal(zone_parse("Europe/Berlin", file.data, len, &zone, NULL), ERR_FORMAT);
    }
    for (size_t i = 0; i < file.len; i++) {
        static const uint8_t flips[] = {1, 0x80, 0xff};
        for (size_t k = 0; k < sizeof(flips); k++) {
            struct zone *zone = NULL;
            file.data[i] ^= flips[k];
            if (zone_parse("Europe/Berlin", file.data, file.len, &zone, NULL) == 0) {
                zone_instant_s(zone, 20635, 18000, NULL);
                zone_instant_s(zone, 50000, 18000, NULL);
                zone_free(zone);
            }
            file.data[i] ^= flips[k];
        }
    }
    buf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_and_dates_agree),
        cmocka_unit_test(dates_and_times_are_read_strictly),
        cmocka_unit_test(zones_are_what_the_library_says),
        cmocka_unit_test(gaps_and_overlaps),
        cmocka_unit_test(instants_are_written_with_their_offset),
        cmocka_unit_test(names_cannot_leave_the_folder),
        cmocka_unit_test(footers_are_checked),
        cmocka_unit_test(damaged_files_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
