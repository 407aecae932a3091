/* civil.c - the calendar, and instants of a zone. See civil.h; zones are read by civil_tzif.c. */
#include "playlists/base/civil_zone.h"

#include <stdio.h>
#include <string.h>

#define DAYS_MAX INT64_C(700000000)

enum { DAY_S = 86400, ERA_DAYS = 146097 }; /* 400 Gregorian years */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

static bool leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap_year(year) ? 29 : days[month - 1];
}

/* Years are counted from March, so that the leap day is the last of its year: the months before it then have a fixed
 * number of days, (153 m + 2) / 5. */
int64_t civil_days(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t m = (month + 9) % 12;
    int64_t in_era = y - floor_div(y, 400) * 400;
    int64_t days =
        floor_div(y, 400) * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + (153 * m + 2) / 5 + day - 1;
    return clamp(days - 719468, -DAYS_MAX, DAYS_MAX); /* 0000-03-01 to 1970-01-01 */
}

void civil_date(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t n = clamp(days, -DAYS_MAX, DAYS_MAX) + 719468;
    int64_t era = floor_div(n, ERA_DAYS);
    int64_t in_era = n - era * ERA_DAYS;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / (ERA_DAYS - 1)) / 365;
    int64_t in_year = in_era - (y * 365 + y / 4 - y / 100);
    int64_t m = (5 * in_year + 2) / 153;
    *ret_day = (int)(in_year - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = (int)(era * 400 + y + (*ret_month <= 2));
}

bool civil_date_valid(int year, int month, int day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= month_days(year, month);
}

int civil_weekday(int64_t days)
{
    int64_t n = clamp(days, -DAYS_MAX, DAYS_MAX) + 3; /* 1970-01-01 was a Thursday */
    return (int)(n - floor_div(n, 7) * 7) + 1;
}

/* The number in `digits` characters; -1 when one of them is no digit. */
static int fixed_number(const char *text, int digits)
{
    int n = 0;
    for (int i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        n = n * 10 + (text[i] - '0');
    }
    return n;
}

int civil_parse_date(const char *text, int64_t *ret_days)
{
    if (!text || strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return ERR_FORMAT;
    int year = fixed_number(text, 4), month = fixed_number(text + 5, 2), day = fixed_number(text + 8, 2);
    if (year < 0 || month < 0 || day < 0 || !civil_date_valid(year, month, day))
        return ERR_FORMAT;
    *ret_days = civil_days(year, month, day);
    return 0;
}

int civil_parse_time(const char *text, int32_t *ret_second_of_day)
{
    size_t len = text ? strlen(text) : 0;
    if ((len != 5 && len != 8) || text[2] != ':' || (len == 8 && text[5] != ':'))
        return ERR_FORMAT;
    int hour = fixed_number(text, 2), minute = fixed_number(text + 3, 2);
    int second = len == 8 ? fixed_number(text + 6, 2) : 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return ERR_FORMAT;
    *ret_second_of_day = hour * 3600 + minute * 60 + second;
    return 0;
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* From `at` on this offset holds. */
struct change {
    int64_t at;
    int32_t offset;
};

static int64_t rule_days(const struct change_rule *rule, int year)
{
    int64_t january = civil_days(year, 1, 1);
    switch (rule->form) {
    case DAY_JULIAN:
        return january + rule->day - 1 + (leap_year(year) && rule->day >= 60);
    case DAY_OF_YEAR:
        return january + rule->day;
    case DAY_OF_MONTH_WEEK:
        break;
    }
    int64_t first = civil_days(year, rule->month, 1);
    int day = 1 + (rule->day - civil_weekday(first) % 7 + 7) % 7 + (rule->week - 1) * 7;
    while (day > month_days(year, rule->month))
        day -= 7;
    return first + day - 1;
}

/* The footer's changes of the years around `unix_s`, in order. Where one year's summer ends in the moment in which the
 * next begins (summer time all year), the beginning comes last and so holds. */
enum { FOOTER_CHANGES = 6 };
static void footer_changes(const struct zone *zone, int64_t unix_s, struct change ret[FOOTER_CHANGES])
{
    int year, month, day;
    civil_date(floor_div(unix_s, DAY_S), &year, &month, &day);
    for (int i = 0; i < FOOTER_CHANGES; i++) {
        bool dst = i % 2 == 0;
        const struct change_rule *rule = dst ? &zone->to_dst : &zone->to_std;
        int64_t local = rule_days(rule, year - 1 + i / 2) * DAY_S + rule->second;
        struct change c = {local - (dst ? zone->std_offset : zone->dst_offset),
                           dst ? zone->dst_offset : zone->std_offset};
        int at = i;
        for (; at > 0 && (ret[at - 1].at > c.at || (ret[at - 1].at == c.at && !dst)); at--)
            ret[at] = ret[at - 1];
        ret[at] = c;
    }
}

static bool past_table(const struct zone *zone, int64_t unix_s)
{
    return zone->n == 0 || unix_s >= zone->at[zone->n - 1];
}

int32_t zone_offset_s(const struct zone *zone, int64_t unix_s)
{
    if (past_table(zone, unix_s) && zone->has_footer) {
        int32_t offset = zone->std_offset;
        if (zone->footer_dst) {
            struct change c[FOOTER_CHANGES];
            footer_changes(zone, unix_s, c);
            for (int i = 0; i < FOOTER_CHANGES && c[i].at <= unix_s; i++)
                offset = c[i].offset;
        }
        return offset;
    }
    size_t low = 0, high = zone->n; /* the number of transitions at or before unix_s */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (zone->at[mid] <= unix_s)
            low = mid + 1;
        else
            high = mid;
    }
    return zone->offset[low ? zone->type[low - 1] : 0]; /* RFC 8536, 3.2: before the first, type 0 */
}

/* Index of the table's first transition after `from`. */
static size_t transition_after(const struct zone *zone, int64_t from)
{
    size_t i = 0;
    for (size_t high = zone->n; i < high;) {
        size_t mid = i + (high - i) / 2;
        if (zone->at[mid] <= from)
            i = mid + 1;
        else
            high = mid;
    }
    return i;
}

bool zone_next_change(const struct zone *zone, int64_t after_s, int64_t *ret_at_s)
{
    int64_t from = clamp(after_s, -DAYS_MAX * DAY_S, DAYS_MAX * DAY_S);
    int32_t offset = zone_offset_s(zone, from);
    for (size_t i = transition_after(zone, from); i < zone->n; i++)
        if (zone_offset_s(zone, zone->at[i]) != offset) {
            *ret_at_s = zone->at[i];
            return true;
        }
    if (!zone->footer_dst)
        return false;
    if (zone->n && from < zone->at[zone->n - 1])
        from = zone->at[zone->n - 1];
    struct change c[FOOTER_CHANGES];
    footer_changes(zone, from, c);
    for (size_t i = 0; i < FOOTER_CHANGES; i++)
        if (c[i].at > from && zone_offset_s(zone, c[i].at) != offset) {
            *ret_at_s = c[i].at;
            return true;
        }
    return false;
}

/* All changes after `from` and up to `to`, at most `cap`, in order. */
static size_t changes_between(const struct zone *zone, int64_t from, int64_t to, struct change *ret, size_t cap)
{
    size_t n = 0, i = transition_after(zone, from);
    for (; i < zone->n && zone->at[i] <= to && n < cap; i++)
        ret[n++] = (struct change){zone->at[i], zone_offset_s(zone, zone->at[i])};
    if (!zone->footer_dst)
        return n;
    struct change c[FOOTER_CHANGES];
    footer_changes(zone, from, c);
    for (i = 0; i < FOOTER_CHANGES && n < cap; i++)
        if (c[i].at > from && c[i].at <= to && (zone->n == 0 || c[i].at > zone->at[zone->n - 1]))
            ret[n++] = (struct change){c[i].at, zone_offset_s(zone, c[i].at)};
    return n;
}

int64_t zone_instant_s(const struct zone *zone, int64_t days, int32_t second_of_day, int *ret_fold)
{
    enum { AROUND_S = 2 * DAY_S, NEAR = 14 }; /* offsets are below 26 hours */
    int64_t local = clamp(days, -DAYS_MAX, DAYS_MAX) * DAY_S + second_of_day;
    struct change c[NEAR];
    size_t n = changes_between(zone, local - AROUND_S, local + AROUND_S, c, NEAR);
    int32_t before = zone_offset_s(zone, local - AROUND_S);
    int64_t found = 0, gap = local - before;
    int n_found = 0;
    /* In each span between two changes the local time may exist once. */
    for (size_t i = 0; i <= n; i++) {
        int32_t offset = i ? c[i - 1].offset : before;
        int64_t t = local - offset;
        bool after_begin = i == 0 || t >= c[i - 1].at;
        bool before_end = i == n || t < c[i].at;
        if (after_begin && before_end && n_found++ == 0)
            found = t;
        if (after_begin && !before_end && i < n && local < c[i].at + c[i].offset)
            gap = t;
    }
    if (ret_fold)
        *ret_fold = n_found == 0 ? -1 : n_found > 1;
    return n_found ? found : gap;
}

void zone_civil(const struct zone *zone, int64_t unix_s, int64_t *ret_days, int32_t *ret_second_of_day)
{
    int64_t local = clamp(unix_s, -DAYS_MAX * DAY_S, DAYS_MAX * DAY_S);
    local += zone_offset_s(zone, local);
    *ret_days = floor_div(local, DAY_S);
    *ret_second_of_day = (int32_t)(local - *ret_days * DAY_S);
}

void zone_format(const struct zone *zone, int64_t unix_ms, char ret[32])
{
    /* RFC 3339 knows years 0000 to 9999, and offsets in whole minutes. */
    int64_t ms = clamp(unix_ms, -INT64_C(62167132800000), INT64_C(253402214399999));
    int64_t unix_s = floor_div(ms, 1000);
    int32_t offset_min = zone_offset_s(zone, unix_s) / 60;
    int64_t local = unix_s + offset_min * 60;
    int64_t days = floor_div(local, DAY_S);
    int32_t second = (int32_t)(local - days * DAY_S);
    int32_t shown = offset_min < 0 ? -offset_min : offset_min;
    int year, month, day;
    civil_date(days, &year, &month, &day);
    snprintf(ret, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03u%c%02u:%02u", (unsigned)year % 10000, (unsigned)month % 100,
             (unsigned)day % 100, (unsigned)(second / 3600) % 100, (unsigned)(second / 60 % 60) % 100,
             (unsigned)(second % 60) % 100, (unsigned)(ms - unix_s * 1000) % 1000, offset_min < 0 ? '-' : '+',
             (unsigned)(shown / 60) % 100, (unsigned)(shown % 60) % 100);
}
