/* test_lunar.c - the Vietnamese lunar calendar against an ephemeris' months and against dates that people know. */
#include "unit.h"

#include "playlists/base/civil.h"
#include "playlists/lunar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t day_of(const char *date)
{
    int64_t day = 0;
    assert_int_equal(civil_parse_date(date, &day), 0);
    return day;
}

/* Every month of 1976-2100 by an ephemeris (lunar-months-vn.csv). */
static void months_of_an_ephemeris(void **state)
{
    (void)state;
    FILE *file = fopen(LOA_SOURCE_DIR "/tests/unit/recur/lunar-months-vn.csv", "r");
    char line[100], date[11];
    int year, month, leap, days, months = 0;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file)); /* the names of the columns */
    while (fgets(line, sizeof(line), file)) {
        assert_int_equal(sscanf(line, "%d,%d,%d,%10[0-9-],%d", &year, &month, &leap, date, &days), 5);
        int64_t first = day_of(date), asked = 0;
        for (int i = 0; i < days; i++) {
            struct lunar_date is;
            assert_int_equal(lunar_date(first + i, &is), 0);
            assert_int_equal(is.year, year);
            assert_int_equal(is.month, month);
            assert_int_equal(is.leap, leap);
            assert_int_equal(is.day, i + 1);
            assert_int_equal(is.month_days, days);
        }
        assert_int_equal(lunar_day(year, month, leap, 1, &asked), 0);
        assert_int_equal(asked, first);
        assert_int_equal(lunar_day(year, month, leap, days, &asked), 0);
        assert_int_equal(asked, first + days - 1);
        assert_int_equal(lunar_day(year, month, leap, days + 1, &asked), -ENOENT);
        if (leap)
            assert_int_equal(lunar_leap_month(year), month);
        months++;
    }
    fclose(file);
    assert_int_equal(months, 1546);
}

static void new_years(void **state)
{
    (void)state;
    /* 1985, 2007 and 2030 are not China's. */
    static const char *const tet[] = {"1976-01-31", "1985-01-21", "2000-02-05", "2007-02-17", "2023-01-22",
                                      "2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06", "2030-02-02"};
    for (size_t i = 0; i < sizeof(tet) / sizeof(tet[0]); i++) {
        int64_t day = 0;
        assert_int_equal(lunar_day(atoi(tet[i]), 1, false, 1, &day), 0);
        assert_int_equal(day, day_of(tet[i]));
    }
}

static void leap_months(void **state)
{
    (void)state;
    static const int known[][2] = {{1976, 8}, {1984, 0}, {1985, 2},  {1987, 7}, {2004, 2}, {2006, 7},
                                   {2017, 6}, {2020, 4}, {2023, 2},  {2024, 0}, {2025, 6}, {2026, 0},
                                   {2028, 5}, {2031, 3}, {2033, 11}, {2034, 0}, {2052, 8}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        int64_t day;
        assert_int_equal(lunar_leap_month(known[i][0]), known[i][1]);
        for (int month = 1; month <= 12; month++)
            assert_int_equal(lunar_day(known[i][0], month, true, 1, &day), month == known[i][1] ? 0 : -ENOENT);
    }
}

/* From the first day known to the last, one month follows the other and one year the other. */
static void without_a_break(void **state)
{
    (void)state;
    struct lunar_date before = {0}, now;
    int years = 0;
    for (int64_t day = lunar_first_day(); day <= lunar_last_day(); day++, before = now) {
        int64_t back = 0;
        assert_int_equal(lunar_date(day, &now), 0);
        assert_int_equal(lunar_day(now.year, now.month, now.leap, now.day, &back), 0);
        assert_int_equal(back, day);
        assert_in_range(now.month_days, 29, 30);
        if (now.day > 1) {
            assert_int_equal(now.day, before.day + 1);
            continue;
        }
        years += now.month == 1 && !now.leap;
        if (before.day == 0)
            continue;
        assert_int_equal(before.day, before.month_days);
        assert_int_equal(now.month, now.leap ? before.month : before.month % 12 + 1);
        assert_int_equal(now.year, before.year + (before.month == 12 && !now.leap));
    }
    assert_int_equal(years, LUNAR_LAST_YEAR - LUNAR_FIRST_YEAR + 1);
}

static void outside(void **state)
{
    (void)state;
    struct lunar_date date = {.year = 7};
    int64_t day = 7;
    assert_int_equal(lunar_first_day(), day_of("1976-01-31"));
    assert_int_equal(lunar_last_day(), day_of("2200-02-14"));
    assert_int_equal(lunar_date(lunar_first_day() - 1, &date), -ERANGE);
    assert_int_equal(lunar_date(lunar_last_day() + 1, &date), -ERANGE);
    assert_int_equal(lunar_date(INT64_MIN, &date), -ERANGE);
    assert_int_equal(lunar_date(INT64_MAX, &date), -ERANGE);
    assert_int_equal(lunar_day(1975, 1, false, 1, &day), -ERANGE);
    assert_int_equal(lunar_day(2200, 1, false, 1, &day), -ERANGE);
    assert_int_equal(lunar_leap_month(1975), -ERANGE);
    assert_int_equal(lunar_leap_month(2200), -ERANGE);
    assert_int_equal(lunar_day(2026, 0, false, 1, &day), -ENOENT);
    assert_int_equal(lunar_day(2026, 13, false, 1, &day), -ENOENT);
    assert_int_equal(lunar_day(2026, 1, false, 0, &day), -ENOENT);
    assert_int_equal(date.year, 7);
    assert_int_equal(day, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_of_an_ephemeris), cmocka_unit_test(new_years), cmocka_unit_test(leap_months),
        cmocka_unit_test(without_a_break),        cmocka_unit_test(outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
