/* test_civil.c - the calendar against known dates, zones against the C library's reading of the same files, and files
 * that are not zones. */
#include "unit.h"

#include "playlists/base/civil.h"
#include "playlists/base/file.h"
#include "seed.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ZONEINFO "/usr/share/zoneinfo"
#define END_2199 INT64_C(7258118400) /* 2200-01-01T00:00:00Z */

static struct zone *load(const char *name)
{
    struct zone *zone = NULL;
    struct complaint why = {{0}};
    if (zone_load(NULL, name, &zone, &why) < 0)
        fail_msg("%s", why.text);
    return zone;
}

static void known_dates(void **state)
{
    (void)state;
    static const struct {
        int year, month, day, weekday;
        int64_t days;
    } known[] = {
        {1970, 1, 1, 4, 0},         {1969, 12, 31, 3, -1},      {1900, 1, 1, 1, -25567}, {1900, 3, 1, 4, -25508},
        {2000, 2, 29, 2, 11016},    {2000, 3, 1, 3, 11017},     {2026, 7, 1, 3, 20635},  {2038, 1, 19, 2, 24855},
        {2100, 2, 28, 7, 47540},    {2100, 3, 1, 1, 47541},     {1, 1, 1, 1, -719162},   {0, 3, 1, 3, -719468},
        {1582, 10, 15, 5, -141427}, {9999, 12, 31, 5, 2932896},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        int year, month, day;
        assert_int_equal(civil_days(known[i].year, known[i].month, known[i].day), known[i].days);
        assert_int_equal(civil_weekday(known[i].days), known[i].weekday);
        civil_date(known[i].days, &year, &month, &day);
        assert_int_equal(year, known[i].year);
        assert_int_equal(month, known[i].month);
        assert_int_equal(day, known[i].day);
    }
    assert_int_equal(civil_days(2026, 1, 32), civil_days(2026, 2, 1));
    assert_int_equal(civil_days(2026, 3, 0), civil_days(2026, 2, 28));
}

/* Day by day over three centuries, counted here by hand. */
static void every_day_follows_the_last(void **state)
{
    (void)state;
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = -25567;
    int weekday = 1;
    for (int year = 1900; year < 2200; year++) {
        bool leap = year == 2000 || (year % 4 == 0 && year % 100 != 0);
        for (int month = 1; month <= 12; month++) {
            int last = length[month - 1] + (month == 2 && leap);
            assert_true(!civil_date_valid(year, month, 0) && !civil_date_valid(year, month, last + 1));
            for (int day = 1; day <= last; day++, days++, weekday = weekday % 7 + 1) {
                int y, m, d;
                civil_date(days, &y, &m, &d);
                assert_true(y == year && m == month && d == day && civil_date_valid(y, m, d));
                assert_int_equal(civil_days(year, month, day), days);
                assert_int_equal(civil_weekday(days), weekday);
            }
        }
    }
    assert_int_equal(days, 84006);
    assert_false(civil_date_valid(2026, 0, 1));
    assert_false(civil_date_valid(2026, 13, 1));
}

static void far_days_are_the_nearer_end(void **state)
{
    (void)state;
    static const int64_t far[] = {INT64_MIN, -700000001, 700000001, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        int year, month, day, end_year;
        civil_date(far[i], &year, &month, &day);
        civil_date(i < 2 ? -700000000 : 700000000, &end_year, &month, &day);
        assert_int_equal(year, end_year);
        assert_int_equal(civil_weekday(far[i]), civil_weekday(i < 2 ? -700000000 : 700000000));
    }
    assert_int_equal(civil_days(INT32_MAX, 12, 31), 700000000);
    assert_int_equal(civil_days(INT32_MIN, 1, 1), -700000000);
}

static void texts_of_dates(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "2026-02-30", "2026-02-29",  "2100-02-29",  "2026-00-10",
                                      "2026-13-01", "2026-01-00", "2026-01-32",  "2026-04-31",  "2026-7-01",
                                      "2026-07-1",  "26-07-01",   "2026/07/01",  "2026-07-01 ", " 2026-07-01",
                                      "2026-07-0a", "+026-07-01", "2026-07-01T", "2026--1-01",  "20260701",
                                      "2026-07- 1", "-026-07-01", "2026-07-010", "2026-07:01"};
    int64_t days = 77;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (civil_parse_date(bad[i], &days) != ERR_FORMAT)
            fail_msg("\"%s\" was taken for a date", bad[i]);
        assert_int_equal(days, 77);
    }
    assert_int_equal(civil_parse_date(NULL, &days), ERR_FORMAT);
    assert_int_equal(civil_parse_date("2026-07-01", &days), 0);
    assert_int_equal(days, 20635);
    assert_int_equal(civil_parse_date("2024-02-29", &days), 0);
    assert_int_equal(days, civil_days(2024, 2, 29));
    assert_int_equal(civil_parse_date("1969-12-31", &days), 0);
    assert_int_equal(days, -1);
}

static void texts_of_times(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "5:00",  "24:00",     "24:00:00", "23:60",    "12:00:60", "05:00 ",
                                      " 5:00", "-1:00", "05:0",      "05:00:",   "05:00:0",  "05-00",    "0500",
                                      "05:0a", "a5:00", "05:00:00Z", "05:00.00", "+5:00",    "05:000",   "005:00",
                                      "99:99", "::",    "05:00:-1",  "0x:00",    "12:00:99", "05::00"};
    static const struct {
        const char *text;
        int32_t second;
    } good[] = {{"00:00", 0},        {"05:00", 18000}, {"23:59", 86340},
                {"23:59:59", 86399}, {"00:00:01", 1},  {"16:45:30", 60330}};
    int32_t second = 77;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (civil_parse_time(bad[i], &second) != ERR_FORMAT)
            fail_msg("\"%s\" was taken for a time", bad[i]);
        assert_int_equal(second, 77);
    }
    assert_int_equal(civil_parse_time(NULL, &second), ERR_FORMAT);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(civil_parse_time(good[i].text, &second), 0);
        assert_int_equal(second, good[i].second);
    }
}

static const char *const zones[] = {"Asia/Ho_Chi_Minh",    "Europe/Berlin",     "America/New_York",
                                    "Australia/Lord_Howe", "Africa/Casablanca", "UTC"};
enum { ZONES = 6 };

/* The C library's word, under the TZ that is set: seconds since 1970 of the wall's date and time. */
static int64_t libc_local(int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    assert_non_null(localtime_r(&t, &tm));
    return unix_s + tm.tm_gmtoff;
}

static void use_libc_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

/* The first instant of another offset between the two; they must differ in it. */
static int64_t libc_change(int64_t low, int64_t high)
{
    int64_t offset = libc_local(low) - low;
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (libc_local(mid) - mid == offset)
            low = mid;
        else
            high = mid;
    }
    return high;
}

/* A random instant; every second one within three hours of a change, where there is one near. */
static int64_t random_instant(void)
{
    int64_t t = seed_between(0, END_2199);
    int64_t later = t + seed_between(1, 200) * 86400;
    if (seed_between(0, 2) && later < END_2199 && libc_local(t) - t != libc_local(later) - later)
        t = libc_change(t, later) + seed_between(-10800, 10800);
    return t < 0 ? 0 : t;
}

static void check_instant(const struct zone *zone, int64_t t)
{
    int64_t local = libc_local(t), days;
    int32_t second;
    int fold;
    zone_civil(zone, t, &days, &second);
    if (days * 86400 + second != local || zone_offset_s(zone, t) != local - t || second < 0 || second >= 86400)
        fail_msg("%s at %lld: %lld+%d, but the C library says %lld", zone_name(zone), (long long)t, (long long)days,
                 (int)second, (long long)local);
    int64_t back = zone_instant_s(zone, days, second, &fold);
    bool again = false; /* the same wall time later, or earlier */
    for (int64_t by = 900; by <= 10800; by += 900) {
        again = again || libc_local(t + by) == local;
        if (libc_local(t - by) == local) {
            again = true;
            assert_int_equal(back, t - by);
        }
    }
    if (libc_local(back) != local || back > t || (back < t && !again) || fold != again)
        fail_msg("%s at %lld: back at %lld, fold %d", zone_name(zone), (long long)t, (long long)back, fold);
}

static void zones_agree_with_the_c_library(void **state)
{
    (void)state;
    for (size_t z = 0; z < ZONES; z++) {
        struct zone *zone = load(zones[z]);
        assert_string_equal(zone_name(zone), zones[z]);
        use_libc_zone(zones[z]);
        for (int i = 0; i < 100000 / ZONES + 1; i++)
            check_instant(zone, random_instant());
        zone_free(zone);
    }
}

/* Wall times that a change leaps over, all changes from 1970 to 2199: the offset before still holds. */
static void gaps_keep_the_offset_before(void **state)
{
    (void)state;
    int gaps = 0;
    for (size_t z = 0; z < ZONES; z++) {
        struct zone *zone = load(zones[z]);
        use_libc_zone(zones[z]);
        for (int64_t t = 0; t < END_2199; t += 7 * 86400) {
            int64_t before = libc_local(t) - t, after = libc_local(t + 7 * 86400) - t - 7 * 86400;
            if (after <= before)
                continue;
            int64_t at = libc_change(t, t + 7 * 86400);
            after = libc_local(at) - at;
            const int64_t locals[] = {at + before, at + seed_between(before, after), at + after - 1};
            for (size_t i = 0; i < 3; i++, gaps++) {
                int fold;
                int64_t r = zone_instant_s(zone, locals[i] / 86400, (int32_t)(locals[i] % 86400), &fold);
                assert_int_equal(fold, -1);
                assert_int_equal(r, locals[i] - before);
            }
        }
        zone_free(zone);
    }
    assert_true(gaps > 3 * 600); /* three zones with a summer time every year, at least */
}

static int64_t instant(const struct zone *zone, const char *date, const char *time, int *ret_fold)
{
    int64_t days = 0;
    int32_t second = 0;
    assert_int_equal(civil_parse_date(date, &days), 0);
    assert_int_equal(civil_parse_time(time, &second), 0);
    return zone_instant_s(zone, days, second, ret_fold);
}

static void gaps_and_overlaps_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *date, *time;
        const char *printed; /* of the instant */
        int fold;
    } cases[] = {
        {"Asia/Ho_Chi_Minh", "2026-07-01", "05:00", "2026-07-01T05:00:00.000+07:00", 0},
        {"Europe/Berlin", "2026-03-29", "01:59:59", "2026-03-29T01:59:59.000+01:00", 0},
        {"Europe/Berlin", "2026-03-29", "02:00", "2026-03-29T03:00:00.000+02:00", -1},
        {"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T03:30:00.000+02:00", -1},
        {"Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T03:00:00.000+02:00", 0},
        {"Europe/Berlin", "2026-10-25", "01:59:59", "2026-10-25T01:59:59.000+02:00", 0},
        {"Europe/Berlin", "2026-10-25", "02:00", "2026-10-25T02:00:00.000+02:00", 1},
        {"Europe/Berlin", "2026-10-25", "02:59:59", "2026-10-25T02:59:59.000+02:00", 1},
        {"Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T03:00:00.000+01:00", 0},
        {"Europe/Berlin", "2190-03-28", "02:30", "2190-03-28T03:30:00.000+02:00", -1},
        {"America/New_York", "2026-03-08", "02:30", "2026-03-08T03:30:00.000-04:00", -1},
        {"America/New_York", "2026-11-01", "01:30", "2026-11-01T01:30:00.000-04:00", 1},
        {"America/New_York", "2026-11-01", "02:00", "2026-11-01T02:00:00.000-05:00", 0},
        {"Australia/Lord_Howe", "2026-10-04", "02:00", "2026-10-04T02:30:00.000+11:00", -1},
        {"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-04T02:45:00.000+11:00", -1},
        {"Australia/Lord_Howe", "2026-10-04", "02:30", "2026-10-04T02:30:00.000+11:00", 0},
        {"Australia/Lord_Howe", "2026-04-05", "01:29:59", "2026-04-05T01:29:59.000+11:00", 0},
        {"Australia/Lord_Howe", "2026-04-05", "01:30", "2026-04-05T01:30:00.000+11:00", 1},
        {"Australia/Lord_Howe", "2026-04-05", "01:59:59", "2026-04-05T01:59:59.000+11:00", 1},
        {"Australia/Lord_Howe", "2026-04-05", "02:00", "2026-04-05T02:00:00.000+10:30", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = load(cases[i].zone);
        char text[32];
        int fold = 9;
        zone_format(zone, instant(zone, cases[i].date, cases[i].time, &fold) * 1000, text);
        assert_string_equal(text, cases[i].printed);
        assert_int_equal(fold, cases[i].fold);
        assert_int_equal(instant(zone, cases[i].date, cases[i].time, NULL),
                         instant(zone, cases[i].date, cases[i].time, &fold));
        zone_free(zone);
    }
}

static void printed(const struct zone *zone, int64_t unix_ms, const char *wanted)
{
    char text[32];
    zone_format(zone, unix_ms, text);
    assert_string_equal(text, wanted);
    assert_int_equal(strlen(text), 29);
}

static void instants_are_printed(void **state)
{
    (void)state;
    struct zone *vn = load("Asia/Ho_Chi_Minh"), *utc = load("UTC"), *ny = load("America/New_York");
    printed(vn, INT64_C(1782856800000), "2026-07-01T05:00:00.000+07:00");
    printed(vn, INT64_C(1782856800007), "2026-07-01T05:00:00.007+07:00");
    printed(utc, 0, "1970-01-01T00:00:00.000+00:00");
    printed(utc, -1, "1969-12-31T23:59:59.999+00:00");
    printed(ny, INT64_C(1767225599999), "2025-12-31T18:59:59.999-05:00");
    printed(utc, INT64_MAX, "9999-12-30T23:59:59.999+00:00");
    char text[32];
    zone_format(vn, INT64_MIN, text);
    assert_int_equal(strlen(text), 29);
    zone_free(vn);
    zone_free(utc);
    zone_free(ny);
}

static void names_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"../etc/passwd",
                                      "/etc/localtime",
                                      "",
                                      "A B",
                                      "Europe/../Europe/Berlin",
                                      "..",
                                      "Asia/Hà_Nội",
                                      "a\\b",
                                      "a.b",
                                      "Europe/Berlin\n",
                                      "No/Such",
                                      "Europe",
                                      "a%s%n",
                                      "Europe/"};
    char longer[300];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct zone *zone = NULL;
    for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
        struct complaint why = {{0}};
        const char *name = i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : longer;
        if (zone_load(NULL, name, &zone, &why) >= 0)
            fail_msg("\"%s\" was loaded", name);
        assert_true(why.text[0] && !zone);
        assert_true(zone_load(NULL, name, &zone, NULL) < 0);
    }
    assert_true(zone_load(NULL, NULL, &zone, NULL) < 0);
    zone_free(NULL);
}

static void write_file(const char *path, const uint8_t *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/loa-civil-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *path = xasprintf("%s/Cut", dir);
    static const char *const files[] = {ZONEINFO "/Australia/Lord_Howe", ZONEINFO "/UTC"};
    for (size_t i = 0; i < 2; i++) {
        struct buf file = {0};
        struct zone *zone = NULL;
        assert_int_equal(file_read_whole(files[i], 1 << 20, &file), 0);
        for (size_t len = 0; len < file.len; len++) {
            struct complaint why = {{0}};
            write_file(path, file.data, len);
            if (zone_load(dir, "Cut", &zone, &why) >= 0)
                fail_msg("%s cut to %zu bytes was loaded", files[i], len);
            assert_true(why.text[0] && !zone);
        }
        write_file(path, file.data, file.len);
        assert_int_equal(zone_load(dir, "Cut", &zone, NULL), 0);
        zone_free(zone);
        buf_put(&file, "x", 1);
        assert_int_equal(zone_parse("Cut", file.data, file.len, &zone, NULL), ERR_FORMAT);
        buf_done(&file);
    }
    unlink(path);
    rmdir(dir);
    free(path);
}

/* A few bytes changed: refused, or a zone that agrees with itself. */
static void damaged_files_are_refused_or_sane(void **state)
{
    (void)state;
    struct buf file = {0};
    assert_int_equal(file_read_whole(ZONEINFO "/Europe/Berlin", 1 << 20, &file), 0);
    uint8_t *copy = xcalloc(file.len, 1);
    int refused = 0;
    for (int i = 0; i < 20000; i++) {
        memcpy(copy, file.data, file.len);
        for (int64_t n = seed_between(1, 4); n > 0; n--)
            copy[seed_between(0, (int64_t)file.len)] = (uint8_t)seed_between(0, 256);
        struct zone *zone = NULL;
        struct complaint why = {{0}};
        if (zone_parse("Damaged", copy, file.len, &zone, &why) < 0) {
            assert_true(why.text[0] && !zone);
            refused++;
            continue;
        }
        for (int k = 0; k < 8; k++) {
            int64_t t = seed_between(-4000000000, 2 * END_2199), days;
            int32_t second;
            int fold;
            zone_civil(zone, t, &days, &second);
            assert_true(second >= 0 && second < 86400 && labs(zone_offset_s(zone, t)) < 26 * 3600);
            int64_t back = zone_instant_s(zone, days, second, &fold);
            assert_true(back == t || fold == 1);
        }
        zone_free(zone);
    }
    assert_true(refused > 0 && refused < 20000);
    free(copy);
    buf_done(&file);
}

int main(void)
{
    seed_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_dates),
        cmocka_unit_test(every_day_follows_the_last),
        cmocka_unit_test(far_days_are_the_nearer_end),
        cmocka_unit_test(texts_of_dates),
        cmocka_unit_test(texts_of_times),
        cmocka_unit_test(zones_agree_with_the_c_library),
        cmocka_unit_test(gaps_keep_the_offset_before),
        cmocka_unit_test(gaps_and_overlaps_by_hand),
        cmocka_unit_test(instants_are_printed),
        cmocka_unit_test(names_that_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(damaged_files_are_refused_or_sane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
