/* test_holidays.c - the calendar that is shipped, year by year, and files that are refused with their line. */
#include "unit.h"

#include "playlists/base/civil.h"
#include "playlists/holidays.h"
#include "playlists/lunar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct holidays *vietnam;

static int64_t day_of(const char *date)
{
    int64_t day = 0;
    assert_int_equal(civil_parse_date(date, &day), 0);
    return day;
}

static void the_days_of_vietnam(void **state)
{
    static const struct {
        const char *date, *id;
    } known[] = {{"2021-02-10", "tet"},        {"2021-02-14", "tet"},        {"2021-04-21", "hung-kings"},
                 {"2022-01-31", "tet"},        {"2022-04-10", "hung-kings"}, {"2023-04-29", "hung-kings"},
                 {"2024-04-18", "hung-kings"}, {"2025-04-07", "hung-kings"}, {"2021-09-03", "national"},
                 {"2025-09-01", "national"},   {"2026-02-20", "tet"},        {"2026-01-01", "new-year"},
                 {"2023-01-20", "tet"},        {"2025-01-31", "tet"},        {"2026-02-16", "tet"},
                 {"2026-04-26", "hung-kings"}, {"2027-04-16", "hung-kings"}, {"2026-04-30", "victory"},
                 {"2026-05-01", "labour"},     {"2024-09-03", "national"},   {"2026-09-01", "national"},
                 {"2031-09-01", "national"}};
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_int_equal(holidays_on(vietnam, day_of(known[i].date)), holidays_bit(vietnam, known[i].id));
    assert_int_equal(holidays_on(vietnam, day_of("2024-09-01")), 0); /* the day behind was chosen that year */
    assert_int_equal(holidays_on(vietnam, day_of("2026-02-15")), 0);
    assert_int_equal(holidays_on(vietnam, INT64_MIN), 0);
    assert_int_equal(holidays_on(vietnam, INT64_MAX), 0);
    assert_string_equal(holidays_id(vietnam), "vietnam");
    assert_int_equal(holidays_bit(vietnam, "easter"), 0);
    for (size_t i = 0; i < holidays_count(vietnam); i++)
        assert_non_null(strstr(holidays_at(vietnam, i)->source,
                               strcmp(holidays_at(vietnam, i)->id, "in-lieu") == 0 ? "111" : "112"));
}

/* As they were announced: two behind Tết in 2021, 2023 and 2024; one behind Hùng Kings' day of 2022; 2025 had none. */
static void days_in_lieu(void **state)
{
    static const char *const known[] = {
        "2021-02-15", "2021-02-16", "2021-05-03", "2022-01-03", "2022-04-11", "2022-05-02", "2022-05-03", "2023-01-02",
        "2023-01-25", "2023-01-26", "2023-05-02", "2023-05-03", "2023-09-04", "2024-02-13", "2024-02-14", "2026-04-27"};
    uint64_t bit = holidays_bit(vietnam, "in-lieu");
    size_t found = 0;
    (void)state;
    assert_true(bit);
    for (int64_t day = day_of("2021-01-01"); day <= day_of("2026-12-31"); day++) {
        if (!(holidays_on(vietnam, day) & bit))
            continue;
        assert_true(found < sizeof(known) / sizeof(known[0]));
        assert_int_equal(day, day_of(known[found++]));
    }
    assert_int_equal(found, sizeof(known) / sizeof(known[0]));
}

/* As many as there are holidays on a Saturday or Sunday, each a working day of its own behind its holiday. */
static void each_weekend_is_made_good_once(void **state)
{
    uint64_t bit = holidays_bit(vietnam, "in-lieu");
    int owed = 0;
    (void)state;
    for (int64_t day = civil_days(LUNAR_FIRST_YEAR, 1, 1); day < civil_days(LUNAR_LAST_YEAR + 1, 2, 1); day++) {
        uint64_t bits = holidays_on(vietnam, day);
        bool weekend = civil_weekday(day) >= 6;
        assert_true(bits == (bits & bit) || !(bits & bit));
        owed += weekend && bits != 0;
        if (bits & bit) {
            assert_false(weekend);
            assert_true(owed-- > 0);
        } else if (!weekend && !bits) {
            assert_int_equal(owed, 0); /* no working day goes by while one is owed */
        }
    }
}

/* Eleven days a year by law: five of Tết with the new year's day in them. */
static void every_year_has_eleven(void **state)
{
    (void)state;
    for (int year = LUNAR_FIRST_YEAR; year <= LUNAR_LAST_YEAR; year++) {
        int days = 0, tet = 0;
        int64_t new_year = 0;
        assert_int_equal(lunar_day(year, 1, false, 1, &new_year), 0);
        assert_true(holidays_on(vietnam, new_year) & holidays_bit(vietnam, "tet"));
        int64_t kings = 0;
        assert_int_equal(lunar_day(year, 3, false, 10, &kings), 0);
        assert_true(holidays_on(vietnam, kings) & holidays_bit(vietnam, "hung-kings"));
        for (int64_t day = civil_days(year, 1, 1); day < civil_days(year + 1, 1, 1); day++) {
            uint64_t bits = holidays_on(vietnam, day) & ~holidays_bit(vietnam, "in-lieu");
            days += __builtin_popcountll(bits);
            tet += (bits & holidays_bit(vietnam, "tet")) != 0;
        }
        assert_int_equal(tet, 5);
        assert_int_equal(days, 11);
    }
}

static void refused(const char *text, const char *says)
{
    char path[] = "/tmp/loa-holidays-XXXXXX";
    struct complaint why = {{0}};
    struct holidays *holidays = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    int r = holidays_load(path, &holidays, &why);
    unlink(path);
    if (r >= 0 || !strstr(why.text, says) || strncmp(why.text, "/tmp/loa-holidays-", 18) != 0)
        fail_msg("%s: %d \"%s\", not \"%s\"", text, r, why.text, says);
}

#define ONE(more) "id = \"x\"; holidays = ( { id = \"a\"; vi = \"A\"; en = \"A\"; source = \"s\"; " more " } );"

static void wrong_files(void **state)
{
    struct complaint why = {{0}};
    struct holidays *holidays = NULL;
    (void)state;
    assert_true(holidays_load("/tmp/loa-no-such-calendar.cfg", &holidays, &why) < 0);
    refused("", "id");
    refused("id = \"x\";", "holidays");
    refused("id = \"X\"; holidays = ();", "\"X\" is no id");
    refused("id = \"x\"; holidays = ( 7 );", "group");
    refused("id = \"x\"; holidays = ( { } );", "id");
    refused(ONE(""), "one of solar and lunar");
    refused(ONE("solar = \"01-01\"; lunar = \"01-01\";"), "one of solar and lunar");
    refused(ONE("solar = \"02-30\";"), "02-30");
    refused(ONE("lunar = \"02-31\";"), "02-31");
    refused(ONE("solar = \"1-1\";"), "1-1");
    refused(ONE("solar = \"01-01\"; before = 16;"), "before");
    refused(ONE("solar = \"01-01\"; color = \"red\";"), "color");
    refused(ONE("solar = \"01-01\"; chosen = ( { year = 2026; from = \"2026-01-02\"; until = \"2026-01-01\"; } );"),
            "until");
    refused(ONE("solar = \"01-01\"; chosen = ( { year = 2026; from = \"2026-01-00\"; until = \"2026-01-01\"; } );"),
            "2026-01-00");
    refused(ONE("solar = \"01-01\"; chosen = ( { year = 1900; from = \"1900-01-01\"; until = \"1900-01-01\"; } );"),
            "year");
    refused(ONE("solar = \"01-01\"; chosen = ( { year = 2026; from = \"2026-01-01\"; until = \"2026-01-01\"; },"
                " { year = 2026; from = \"2026-01-02\"; until = \"2026-01-02\"; } );"),
            "2026 has been chosen");
    refused("id = \"x\"; holidays = ( { id = \"a\"; vi = \"A\"; en = \"A\"; source = \"s\"; solar = \"01-01\"; },"
            " { id = \"a\"; vi = \"A\"; en = \"A\"; source = \"s\"; solar = \"01-02\"; } );",
            "there already");
    refused(ONE("solar = \"01-01\";") " lieu = { id = \"b\"; vi = \"B\"; en = \"B\"; source = \"s\"; };", "weekly");
    refused(ONE("solar = \"01-01\";") " lieu = { id = \"b\"; vi = \"B\"; en = \"B\"; source = \"s\"; weekly = "
                                      "(\"day\"); };",
            "\"day\" is no day");
    refused(ONE("solar = \"01-01\";") " lieu = { id = \"a\"; vi = \"B\"; en = \"B\"; source = \"s\"; weekly = "
                                      "(\"sun\"); };",
            "there already");
}

static int set_up(void **state)
{
    struct complaint why = {{0}};
    (void)state;
    if (holidays_load(LOA_SOURCE_DIR "/playlists/calendars/vietnam.cfg", &vietnam, &why) < 0)
        fail_msg("%s", why.text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    holidays_free(vietnam);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_days_of_vietnam),
        cmocka_unit_test(days_in_lieu),
        cmocka_unit_test(each_weekend_is_made_good_once),
        cmocka_unit_test(every_year_has_eleven),
        cmocka_unit_test(wrong_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
