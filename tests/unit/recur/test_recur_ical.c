/* test_recur_ical.c - random recurrences against libical's, wherever RFC 5545 can say them.
 *
 * libical 3.0.16 iterates here in floating time and turns each result into an instant afterwards: given a zone, its
 * iterator stays an hour late for one day more after a gap. Of a time that a zone has twice it takes the second, where
 * RFC 5545 (3.3.5) says the first: in gaps and overlaps the zone is asked instead. */
#include "unit.h"

#include "recur/random_rule.h"

#include <libical/ical.h>
#include <stdio.h>

enum { RULES = 10000, CAP = 4000, RULE_MAX = 1000 };

static const char *const zone_names[] = {"Asia/Ho_Chi_Minh", "Europe/Paris", "America/New_York", "Australia/Sydney",
                                         "Asia/Shanghai"};
enum { ZONES = sizeof(zone_names) / sizeof(zone_names[0]) };
static struct zone *zones[ZONES];
static icaltimezone *ical_zones[ZONES];

/* "BYMONTH=1,2;" of the months that the season holds whole. */
static struct recur_range random_season(char *ret_part)
{
    static const uint8_t last[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int first = (int)seed_between(1, 13), n = (int)seed_between(1, 12), end = (first + n - 2) % 12 + 1;
    size_t len = (size_t)sprintf(ret_part, ";BYMONTH=");
    for (int i = 0; i < n; i++)
        len += (size_t)sprintf(ret_part + len, "%s%d", i ? "," : "", (first - 1 + i) % 12 + 1);
    return (struct recur_range){(uint8_t)first, 1, (uint8_t)end, last[end - 1], false, LEAP_NO};
}

/* A random recurrence that RFC 5545 can say, and how it says it. */
static void random_pair(struct random_rule *rule, const struct zone *zone, char *text)
{
    static const enum recur_when sayable[] = {WHEN_DAILY, WHEN_WEEKLY, WHEN_MONTHLY, WHEN_MONTHLY_NTH, WHEN_EVERY};
    static const char *const days[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
    char months[60] = "";
    random_rule(rule, NULL, zone);
    struct recurrence *recur = &rule->recur;
    size_t len = 0;
    int listed = 0;
    recur->when = sayable[seed_between(0, 5)];
    recur->holidays = ON_HOLIDAYS_USUAL;
    recur->from_date = seed_between(10000, 25000);
    recur->until_date = seed_between(0, 2) ? INT64_MAX : recur->from_date + seed_between(0, 300);
    recur->every_days = (int32_t)seed_between(1, 40);
    recur->anchor = recur->from_date; /* INTERVAL counts from DTSTART */
    recur->n_seasons = seed_between(0, 3) == 0 && recur->when != WHEN_EVERY;
    if (recur->n_seasons)
        rule->seasons[0] = random_season(months);
    switch (recur->when) {
    case WHEN_WEEKLY:
        len = (size_t)sprintf(text, "FREQ=WEEKLY;BYDAY=");
        for (int i = 0; i < 7; i++)
            if (recur->weekdays >> i & 1)
                len += (size_t)sprintf(text + len, "%s%s", listed++ ? "," : "", days[i]);
        break;
    case WHEN_MONTHLY:
        len = (size_t)sprintf(text, "FREQ=MONTHLY;BYMONTHDAY=");
        for (int i = 0; i < 32; i++)
            if (recur->month_days >> i & 1)
                len += (size_t)sprintf(text + len, "%s%d", listed++ ? "," : "", i ? i : -1);
        break;
    case WHEN_MONTHLY_NTH:
        len = (size_t)sprintf(text, "FREQ=MONTHLY;BYDAY=");
        for (int i = 0; i < 7 * 6; i++)
            if ((recur->weekdays >> i / 6 & 1) && (recur->nths >> i % 6 & 1))
                len += (size_t)sprintf(text + len, "%s%d%s", listed++ ? "," : "", i % 6 ? i % 6 : -1, days[i / 6]);
        break;
    case WHEN_EVERY:
        len = (size_t)sprintf(text, "FREQ=DAILY;INTERVAL=%d", recur->every_days);
        break;
    default:
        len = (size_t)sprintf(text, "FREQ=DAILY");
        break;
    }
    sprintf(text + len, "%s", months);
}

static int64_t instant_of(struct icaltimetype local, const struct zone *zone, icaltimezone *ical_zone)
{
    int fold;
    int64_t at_s = zone_instant_s(zone, civil_days(local.year, local.month, local.day),
                                  local.hour * 3600 + local.minute * 60 + local.second, &fold);
    return fold ? at_s : icaltime_as_timet_with_zone(local, ical_zone);
}

static bool is_exception(const struct recurrence *recur, int64_t day)
{
    for (size_t i = 0; i < recur->n_except; i++)
        if (recur->except[i] == day)
            return true;
    return false;
}

/* All instants of the days [from_date, until_day) by libical: one recurrence for each time of day. */
static size_t by_ical(const struct recurrence *recur, const char *text, icaltimezone *zone, int64_t until_day,
                      int64_t *ret)
{
    size_t n = 0, once = 0;
    for (size_t i = 0; i < recur->n_times; i++) {
        struct icalrecurrencetype rule = icalrecurrencetype_from_string(text);
        struct icaltimetype start = icaltime_null_time(), next;
        assert_int_not_equal(rule.freq, ICAL_NO_RECURRENCE);
        civil_date(recur->from_date, &start.year, &start.month, &start.day);
        start.hour = recur->times[i] / 3600;
        start.minute = recur->times[i] / 60 % 60;
        start.second = recur->times[i] % 60;
        icalrecur_iterator *iterator = icalrecur_iterator_new(rule, start);
        if (!iterator) /* no such day ever: 31 February */
            continue;
        while (next = icalrecur_iterator_next(iterator), !icaltime_is_null_time(next)) {
            int64_t on = civil_days(next.year, next.month, next.day);
            if (on >= until_day || on > recur->until_date)
                break;
            if (!is_exception(recur, on) && n < CAP)
                ret[n++] = instant_of(next, recur->zone, zone);
        }
        icalrecur_iterator_free(iterator);
    }
    qsort(ret, n, sizeof(ret[0]), random_rule_cmp);
    for (size_t i = 0; i < n; i++)
        if (once == 0 || ret[once - 1] != ret[i])
            ret[once++] = ret[i];
    return once;
}

static void as_libical_says(void **state)
{
    (void)state;
    static int64_t ours[CAP], theirs[CAP];
    size_t all = 0;
    seed_begin();
    for (int i = 0; i < RULES; i++) {
        struct random_rule rule;
        char text[RULE_MAX];
        int64_t z = seed_between(0, ZONES);
        random_pair(&rule, zones[z], text);
        bool dense = rule.recur.when == WHEN_DAILY || rule.recur.when == WHEN_WEEKLY;
        int64_t until = rule.recur.from_date + seed_between(1, dense ? 60 : 300);
        size_t n = by_ical(&rule.recur, text, ical_zones[z], until, theirs);
        /* The same days: their times end with the last second of the day before. */
        struct recurrence until_then = rule.recur;
        if (until_then.until_date >= until)
            until_then.until_date = until - 1;
        size_t m = recur_expand(&until_then, 0, (until + 5) * 86400000, ours, CAP);
        for (size_t j = 0; j < n || j < m; j++)
            if (j >= n || j >= m || ours[j] != theirs[j])
                fail_msg("rule %d, %s, %s, occurrence %zu: ours %lld, libical's %lld", i, text, zone_names[z], j,
                         j < m ? (long long)ours[j] : -1, j < n ? (long long)theirs[j] : -1);
        all += n;
    }
    print_message("%d rules, %zu occurrences\n", RULES, all);
}

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < ZONES; i++) {
        if (zone_load(NULL, zone_names[i], &zones[i], NULL) < 0)
            return -1;
        ical_zones[i] = icaltimezone_get_builtin_timezone(zone_names[i]);
        if (!ical_zones[i])
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < ZONES; i++)
        zone_free(zones[i]);
    icaltimezone_free_builtin_timezones();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_libical_says)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
