/* test_recur.c - days and instants of recurrences: by hand where people know them, and what holds of all of them. */
#include "unit.h"

#include "playlists/lunar.h"
#include "playlists/recur.h"
#include "recur/random_rule.h"

#include <string.h>

enum { CAP = 5000 };

static struct zone *saigon, *paris, *havana, *apia, *lord_howe;
static struct holidays *vietnam;

static int64_t day_of(const char *date)
{
    int64_t day = 0;
    assert_int_equal(civil_parse_date(date, &day), 0);
    return day;
}

static struct recurrence at(enum recur_when when, const struct zone *zone, const char *time)
{
    struct recurrence recur = {
        .when = when, .zone = zone, .n_times = 1, .from_date = INT64_MIN, .until_date = INT64_MAX};
    assert_int_equal(civil_parse_time(time, &recur.times[0]), 0);
    return recur;
}

/* The days of [from, until] on which it holds, as "MM-DD MM-DD ...". */
static const char *days_of(const struct recurrence *recur, const char *from, const char *until)
{
    static char text[4000];
    int year, month, day;
    text[0] = '\0';
    for (int64_t d = day_of(from); d <= day_of(until); d++) {
        if (!recur_on(recur, d))
            continue;
        civil_date(d, &year, &month, &day);
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%02d-%02d", len ? " " : "", month, day);
    }
    return text;
}

/* The instants of the UTC days [from, until), in local time of `zone`. */
static const char *instants_of(const struct recurrence *recur, const char *from, const char *until)
{
    static char text[4000];
    char one[32];
    int64_t at_s[CAP];
    size_t n = recur_expand(recur, day_of(from) * 86400000, day_of(until) * 86400000, at_s, CAP);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        zone_format(recur->zone, at_s[i] * 1000, one);
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%.19s%s", len ? " " : "", one, one + 23);
    }
    return text;
}

static void weekdays_and_months(void **state)
{
    (void)state;
    struct recurrence recur = at(WHEN_WEEKLY, saigon, "05:00");
    recur.weekdays = 1 << 0 | 1 << 6; /* Monday, Sunday */
    assert_string_equal(days_of(&recur, "2026-07-01", "2026-07-14"), "07-05 07-06 07-12 07-13");
    recur.when = WHEN_MONTHLY;
    recur.month_days = 1 << 15 | 1U << 31 | RECUR_LAST;
    assert_string_equal(days_of(&recur, "2028-01-01", "2028-04-30"), "01-15 01-31 02-15 02-29 03-15 03-31 04-15 04-30");
    recur.when = WHEN_MONTHLY_NTH;
    recur.weekdays = 1 << 1; /* Tuesday */
    recur.nths = 1 << 1 | 1 << 5;
    assert_string_equal(days_of(&recur, "2026-06-01", "2026-09-30"), "06-02 06-30 07-07 08-04 09-01 09-29");
    recur.nths = RECUR_LAST;
    assert_string_equal(days_of(&recur, "2026-06-01", "2026-09-30"), "06-30 07-28 08-25 09-29");
}

static void every_so_many_days(void **state)
{
    (void)state;
    struct recurrence recur = at(WHEN_EVERY, saigon, "05:00");
    recur.every_days = 5;
    recur.anchor = day_of("2026-07-03");
    assert_string_equal(days_of(&recur, "2026-06-21", "2026-07-14"), "06-23 06-28 07-03 07-08 07-13");
    assert_string_equal(instants_of(&recur, "2026-06-27", "2026-07-04"),
                        "2026-06-28T05:00:00+07:00 2026-07-03T05:00:00+07:00");
    recur.anchor = day_of("2030-01-01");
    assert_true(recur_on(&recur, day_of("2030-01-01") - 5 * 300));
    assert_false(recur_on(&recur, day_of("2030-01-01") - 5 * 300 - 1));
}

/* Markets meet on lunar days that end in 2 and 7; in leap months too. */
static void lunar_markets(void **state)
{
    (void)state;
    struct recurrence recur = at(WHEN_LUNAR_DAYS, saigon, "05:00");
    recur.lunar_days = 1 << 2 | 1 << 7 | 1 << 12 | 1 << 17 | 1 << 22 | 1 << 27;
    /* The leap sixth month of 2025 began on 25 July. */
    assert_string_equal(days_of(&recur, "2025-07-20", "2025-08-10"), "07-21 07-26 07-31 08-05 08-10");
    recur.lunar_days = RECUR_LAST;
    assert_string_equal(days_of(&recur, "2026-01-01", "2026-04-30"), "01-18 02-16 03-18 04-16");
    recur.lunar_days = 1 << 30;
    assert_string_equal(days_of(&recur, "2026-01-01", "2026-04-30"), "01-18 03-18");
    /* Nothing is known behind the last year. */
    recur.lunar_days = UINT32_MAX;
    int64_t at_s[3];
    assert_true(recur_on(&recur, lunar_last_day()));
    assert_false(recur_on(&recur, lunar_last_day() + 1));
    assert_int_equal(recur_expand(&recur, (lunar_last_day() - 2) * 86400000, INT64_MAX, at_s, 3), 2);
}

static void lunar_dates(void **state)
{
    (void)state;
    struct recur_range range[] = {{3, 10, 3, 10, true, LEAP_NO}, {8, 14, 8, 16, true, LEAP_NO}};
    struct recurrence recur = at(WHEN_LUNAR_DATES, saigon, "05:00");
    recur.lunar_dates = range;
    recur.n_lunar_dates = 2;
    assert_string_equal(days_of(&recur, "2026-01-01", "2026-12-31"), "04-26 09-24 09-25 09-26");
    /* 2023 had a second month twice, 2020 a fourth: which of the two is meant, the rule says. */
    range[0] = (struct recur_range){2, 15, 2, 15, true, LEAP_NO};
    recur.n_lunar_dates = 1;
    assert_string_equal(days_of(&recur, "2023-01-22", "2024-02-09"), "03-06");
    range[0].leap = LEAP_ONLY;
    assert_string_equal(days_of(&recur, "2023-01-22", "2024-02-09"), "04-05");
    assert_string_equal(days_of(&recur, "2024-02-10", "2025-01-28"), "");
    range[0].leap = LEAP_BOTH;
    assert_string_equal(days_of(&recur, "2023-01-22", "2024-02-09"), "03-06 04-05");
    /* Over the new year, with the month's own end where it has 29 days. */
    range[0] = (struct recur_range){12, 28, 1, 2, true, LEAP_NO};
    assert_string_equal(days_of(&recur, "2025-01-01", "2026-03-31"), "01-27 01-28 01-29 01-30 02-15 02-16 02-17 02-18");
    range[0] = (struct recur_range){12, 28, 12, 30, true, LEAP_NO};
    assert_string_equal(days_of(&recur, "2025-01-01", "2025-12-31"), "01-27 01-28");
    /* A range over several months holds in the leap month between, not in one behind its last. */
    range[0] = (struct recur_range){2, 29, 3, 1, true, LEAP_NO};
    recur.from_date = day_of("2023-03-18");
    assert_string_equal(days_of(&recur, "2023-01-22", "2023-03-24"), "03-20 03-21 03-22 03-23 03-24");
    assert_string_equal(days_of(&recur, "2023-04-15", "2023-12-31"), "04-15 04-16 04-17 04-18 04-19 04-20");
    range[0] = (struct recur_range){1, 29, 2, 2, true, LEAP_NO};
    assert_string_equal(days_of(&recur, "2023-03-18", "2023-12-31"), "");
}

static void seasons(void **state)
{
    (void)state;
    struct recur_range season[] = {{10, 30, 1, 2, false, LEAP_NO}, {2, 28, 3, 1, false, LEAP_NO}};
    struct recurrence recur = at(WHEN_WEEKLY, saigon, "05:00");
    recur.weekdays = 1 << 4;
    recur.seasons = season;
    recur.n_seasons = 1;
    assert_string_equal(days_of(&recur, "2026-10-20", "2027-01-20"),
                        "10-30 11-06 11-13 11-20 11-27 12-04 12-11 12-18 12-25 01-01");
    recur.when = WHEN_DAILY;
    recur.n_seasons = 2;
    assert_string_equal(days_of(&recur, "2028-01-01", "2028-04-01"), "01-01 01-02 02-28 02-29 03-01");
    season[0] = (struct recur_range){12, 23, 1, 3, true, LEAP_NO};
    recur.n_seasons = 1;
    assert_string_equal(days_of(&recur, "2026-01-01", "2026-03-31"),
                        "02-10 02-11 02-12 02-13 02-14 02-15 02-16 02-17 02-18 02-19");
}

static void from_until_exceptions(void **state)
{
    (void)state;
    int64_t except[] = {day_of("2026-07-03"), day_of("2026-07-05")};
    struct recurrence recur = at(WHEN_DAILY, saigon, "23:59:59");
    recur.from_date = day_of("2026-07-02");
    recur.until_date = day_of("2026-07-06");
    recur.except = except;
    recur.n_except = 2;
    assert_string_equal(instants_of(&recur, "2026-01-01", "2027-01-01"),
                        "2026-07-02T23:59:59+07:00 2026-07-04T23:59:59+07:00 2026-07-06T23:59:59+07:00");
    assert_int_equal(recur_last_s(&recur), day_of("2026-07-06") * 86400 + 86399 - 7 * 3600);
    recur.when = WHEN_ONCE;
    recur.date = day_of("2026-07-04");
    assert_string_equal(days_of(&recur, "2026-01-01", "2026-12-31"), "07-04");
    recur.date = except[1];
    assert_string_equal(days_of(&recur, "2026-01-01", "2026-12-31"), "");
    assert_int_equal(recur_last_s(&recur), INT64_MIN);
    recur = at(WHEN_DAILY, saigon, "05:00");
    assert_int_equal(recur_last_s(&recur), INT64_MAX);
}

/* At UTC+7 every slot before 07:00 is yesterday in UTC. */
static void days_are_the_zones(void **state)
{
    (void)state;
    struct recurrence recur = at(WHEN_WEEKLY, saigon, "00:00");
    recur.weekdays = 1 << 0;
    recur.times[recur.n_times++] = 86399;
    recur.times[recur.n_times++] = 5 * 3600;
    assert_string_equal(instants_of(&recur, "2026-07-01", "2026-07-08"),
                        "2026-07-06T00:00:00+07:00 2026-07-06T05:00:00+07:00 2026-07-06T23:59:59+07:00");
    int64_t at_s[2], start_ms = (day_of("2026-07-06") * 86400 - 7 * 3600) * 1000;
    assert_int_equal(recur_expand(&recur, start_ms, start_ms + 1, at_s, 2), 1);
    assert_int_equal(recur_expand(&recur, start_ms + 1, start_ms + 1000, at_s, 2), 0);
    assert_int_equal(recur_expand(&recur, start_ms - 1, start_ms, at_s, 2), 0);
    assert_int_equal(recur_expand(&recur, start_ms, start_ms, at_s, 2), 0);
    assert_int_equal(recur_expand(&recur, start_ms, start_ms - 1, at_s, 2), 0);
    assert_int_equal(recur_expand(&recur, INT64_MIN, INT64_MAX, at_s, 2), 2);
    assert_int_equal(at_s[0], (day_of("1970-01-05") - 0) * 86400 - 8 * 3600); /* Saigon stood at UTC+8 then */
    assert_int_equal(recur_expand(&recur, INT64_MIN, INT64_MAX, at_s, 0), 0);
}

static void gaps_and_overlaps(void **state)
{
    (void)state;
    /* Paris: 2026-03-29 02:00 +1 becomes 03:00 +2; 2026-10-25 03:00 +2 becomes 02:00 +1. */
    struct recurrence recur = at(WHEN_DAILY, paris, "02:30");
    recur.times[recur.n_times++] = 3 * 3600 + 1800;
    assert_string_equal(instants_of(&recur, "2026-03-28", "2026-03-31"),
                        "2026-03-28T02:30:00+01:00 2026-03-28T03:30:00+01:00 2026-03-29T03:30:00+02:00 "
                        "2026-03-30T02:30:00+02:00 2026-03-30T03:30:00+02:00");
    assert_string_equal(instants_of(&recur, "2026-10-25", "2026-10-26"),
                        "2026-10-25T02:30:00+02:00 2026-10-25T03:30:00+01:00");
    /* Havana changes at midnight: 2026-03-08 00:00 becomes 01:00. */
    recur = at(WHEN_DAILY, havana, "00:00");
    recur.times[recur.n_times++] = 86399;
    assert_string_equal(instants_of(&recur, "2026-03-08", "2026-03-09"),
                        "2026-03-07T23:59:59-05:00 2026-03-08T01:00:00-04:00");
    /* Half an hour. */
    recur = at(WHEN_DAILY, lord_howe, "02:15");
    assert_string_equal(instants_of(&recur, "2026-10-03", "2026-10-05"),
                        "2026-10-04T02:45:00+11:00 2026-10-05T02:15:00+11:00");
    /* Apia had no 30 December 2011: what was meant for it falls on the next day's instants, once. */
    recur = at(WHEN_DAILY, apia, "05:00");
    assert_string_equal(instants_of(&recur, "2011-12-29", "2012-01-01"),
                        "2011-12-29T05:00:00-10:00 2011-12-31T05:00:00+14:00 2012-01-01T05:00:00+14:00");
}

static void public_holidays(void **state)
{
    (void)state;
    struct recurrence recur = at(WHEN_HOLIDAYS, saigon, "05:00");
    recur.calendar = vietnam;
    assert_string_equal(days_of(&recur, "2026-01-01", "2026-12-31"),
                        "01-01 02-16 02-17 02-18 02-19 02-20 04-26 04-27 04-30 05-01 09-01 09-02");
    recur.calendar_days = holidays_bit(vietnam, "tet");
    assert_string_equal(days_of(&recur, "2025-01-01", "2025-12-31"), "01-27 01-28 01-29 01-30 01-31");
    /* Nothing has been chosen for 2030 yet: the eve and four days. */
    assert_string_equal(days_of(&recur, "2030-01-01", "2030-12-31"), "02-01 02-02 02-03 02-04 02-05");
    recur.when = WHEN_WEEKLY;
    recur.weekdays = 1 << 3;
    recur.calendar_days = 0;
    recur.holidays = ON_HOLIDAYS_SKIP;
    assert_string_equal(days_of(&recur, "2026-04-20", "2026-05-08"), "04-23 05-07");
    recur.holidays = ON_HOLIDAYS_ONLY;
    assert_string_equal(days_of(&recur, "2026-04-20", "2026-05-08"), "04-30");
    recur.calendar = NULL;
    assert_string_equal(days_of(&recur, "2026-04-20", "2026-05-08"), "");
}

/* [a, b) and [b, c) together are [a, c); each instant once, in order, and its day is one that holds. */
static void expansion_is_of_one_piece(void **state)
{
    (void)state;
    static int64_t whole[CAP], parts[CAP];
    seed_begin();
    for (int i = 0; i < 2000; i++) {
        struct random_rule rule;
        random_rule(&rule, vietnam, i % 5 == 0 ? paris : i % 7 == 0 ? havana : i % 11 == 0 ? apia : saigon);
        int64_t from_ms = seed_between(0, INT64_C(5000000000)) * 1000 + seed_between(0, 1000);
        if (i % 11 == 0)
            from_ms = INT64_C(1324800000000); /* Christmas of 2011 */
        int64_t until_ms = from_ms + seed_between(1, 60 * INT64_C(86400000));
        int64_t middle_ms = seed_between(from_ms, until_ms);
        size_t n = recur_expand(&rule.recur, from_ms, until_ms, whole, CAP);
        size_t first = recur_expand(&rule.recur, from_ms, middle_ms, parts, CAP);
        size_t both = first + recur_expand(&rule.recur, middle_ms, until_ms, parts + first, CAP - first);
        assert_true(n < CAP);
        assert_int_equal(both, n);
        assert_memory_equal(whole, parts, n * sizeof(whole[0]));
        for (size_t j = 0; j < n; j++) {
            assert_true(whole[j] * 1000 >= from_ms && whole[j] * 1000 < until_ms);
            assert_true(j == 0 || whole[j - 1] < whole[j]);
        }
        /* In small helpings it is the same. */
        size_t cap = (size_t)seed_between(1, 9), got = 0, more;
        do {
            more = recur_expand(&rule.recur, got ? parts[got - 1] * 1000 + 1 : from_ms, until_ms, parts + got,
                                got + cap < CAP ? cap : CAP - got);
            got += more;
        } while (more == cap);
        assert_int_equal(got, n);
        assert_memory_equal(whole, parts, n * sizeof(whole[0]));
    }
}

/* The quick way over days gives what asking the zone for each day and time gives. */
static void expansion_is_each_day_asked(void **state)
{
    (void)state;
    static int64_t quick[CAP], plain[CAP];
    const struct zone *zones[] = {saigon, paris, havana, apia, lord_howe};
    seed_begin();
    for (int i = 0; i < 2000; i++) {
        struct random_rule rule;
        random_rule(&rule, vietnam, zones[i % 5]);
        int64_t day = seed_between(10, 60000), until = day + seed_between(1, 200);
        size_t n = recur_expand(&rule.recur, day * 86400000, until * 86400000, quick, CAP), m = 0;
        for (int64_t d = day - 4; d < until + 4; d++)
            for (size_t j = 0; recur_on(&rule.recur, d) && j < rule.recur.n_times; j++) {
                int64_t at_s = zone_instant_s(rule.recur.zone, d, rule.recur.times[j], NULL);
                if (at_s >= day * 86400 && at_s < until * 86400)
                    plain[m++] = at_s;
            }
        qsort(plain, m, sizeof(plain[0]), random_rule_cmp);
        size_t once = 0;
        for (size_t j = 0; j < m; j++)
            if (once == 0 || plain[once - 1] != plain[j])
                plain[once++] = plain[j];
        assert_int_equal(n, once);
        assert_memory_equal(quick, plain, n * sizeof(quick[0]));
    }
}

static void last_is_the_last(void **state)
{
    (void)state;
    static int64_t at_s[CAP];
    seed_begin();
    for (int i = 0; i < 500; i++) {
        struct random_rule rule;
        random_rule(&rule, vietnam, i % 2 ? paris : saigon);
        rule.recur.from_date = seed_between(18000, 22000);
        rule.recur.until_date = rule.recur.from_date + seed_between(0, 100);
        size_t n = recur_expand(&rule.recur, 0, INT64_MAX, at_s, CAP);
        assert_int_equal(recur_last_s(&rule.recur), n ? at_s[n - 1] : INT64_MIN);
    }
}

static struct zone *load(const char *name)
{
    struct zone *zone = NULL;
    assert_int_equal(zone_load(NULL, name, &zone, NULL), 0);
    return zone;
}

static int set_up(void **state)
{
    (void)state;
    struct complaint why = {{0}};
    saigon = load("Asia/Ho_Chi_Minh");
    paris = load("Europe/Paris");
    havana = load("America/Havana");
    apia = load("Pacific/Apia");
    lord_howe = load("Australia/Lord_Howe");
    if (holidays_load(LOA_SOURCE_DIR "/playlists/calendars/vietnam.cfg", &vietnam, &why) < 0)
        fail_msg("%s", why.text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    zone_free(saigon);
    zone_free(paris);
    zone_free(havana);
    zone_free(apia);
    zone_free(lord_howe);
    holidays_free(vietnam);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weekdays_and_months),
        cmocka_unit_test(every_so_many_days),
        cmocka_unit_test(lunar_markets),
        cmocka_unit_test(lunar_dates),
        cmocka_unit_test(seasons),
        cmocka_unit_test(from_until_exceptions),
        cmocka_unit_test(days_are_the_zones),
        cmocka_unit_test(gaps_and_overlaps),
        cmocka_unit_test(public_holidays),
        cmocka_unit_test(expansion_is_of_one_piece),
        cmocka_unit_test(expansion_is_each_day_asked),
        cmocka_unit_test(last_is_the_last),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
