/* ical.c - see ical.h. Lines are made whole in a scratch buffer and folded when they are appended. */
#include "playlists/ical.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, LINE_OCTETS = 75, LAST_DAY = 2932896 /* 9999-12-31 */ };

/* Append the line, folded: each further piece begins with a blank (3.1). */
static void put_line(struct buf *ret, struct buf *line)
{
    size_t at = 0, room = LINE_OCTETS;
    while (line->len - at > room) {
        size_t end = at + room;
        while (end > at + 1 && (line->data[end] & 0xc0) == 0x80) /* inside a character */
            end--;
        buf_put(ret, line->data + at, end - at);
        buf_put(ret, "\r\n ", 3);
        at = end;
        room = LINE_OCTETS - 1;
    }
    buf_put(ret, line->data + at, line->len - at);
    buf_put(ret, "\r\n", 2);
    line->len = 0;
}

static void put_plain(struct buf *ret, const char *text)
{
    struct buf line = {0};
    buf_put(&line, text, strlen(text));
    put_line(ret, &line);
    buf_done(&line);
}

/* NAME:text, escaped (3.3.11); control characters are left out. */
static void put_text(struct buf *ret, const char *name, const char *text)
{
    struct buf line = {0};
    if (!text)
        return;
    buf_putf(&line, "%s:", name);
    for (const char *at = text; *at; at++) {
        if (*at == '\n')
            buf_put(&line, "\\n", 2);
        else if ((unsigned char)*at < ' ' || *at == 0x7f)
            continue;
        else if (strchr("\\;,", *at))
            buf_putf(&line, "\\%c", *at);
        else
            buf_put(&line, at, 1);
    }
    put_line(ret, &line);
    buf_done(&line);
}

/* "20260701T050000" */
static void put_stamp(struct buf *line, int64_t day, int32_t second)
{
    int year, month, month_day;
    civil_date(day, &year, &month, &month_day);
    buf_putf(line, "%04d%02d%02dT%02d%02d%02d", year, month, month_day, second / 3600, second / 60 % 60, second % 60);
}

static void put_stamp_s(struct buf *line, int64_t local_s)
{
    int64_t day = local_s / DAY_S - (local_s % DAY_S < 0);
    put_stamp(line, day, (int32_t)(local_s - day * DAY_S));
}

static void put_offset(struct buf *ret, const char *name, int32_t offset_s)
{
    struct buf line = {0};
    int32_t size = offset_s < 0 ? -offset_s : offset_s;
    buf_putf(&line, "%s:%c%02d%02d", name, offset_s < 0 ? '-' : '+', size / 3600, size / 60 % 60);
    if (size % 60)
        buf_putf(&line, "%02d", size % 60);
    put_line(ret, &line);
    buf_done(&line);
}

static void put_observance(struct buf *ret, int64_t local_s, int32_t before_s, int32_t after_s)
{
    struct buf line = {0};
    const char *kind = after_s > before_s ? "DAYLIGHT" : "STANDARD";
    buf_putf(&line, "BEGIN:%s", kind);
    put_line(ret, &line);
    buf_putf(&line, "DTSTART:");
    put_stamp_s(&line, local_s);
    put_line(ret, &line);
    put_offset(ret, "TZOFFSETFROM", before_s);
    put_offset(ret, "TZOFFSETTO", after_s);
    buf_putf(&line, "END:%s", kind);
    put_line(ret, &line);
    buf_done(&line);
}

/* The offset at the beginning, and each change until the end. */
static void put_zone(struct buf *ret, const struct zone *zone, int64_t from_s, int64_t until_s)
{
    int64_t at_s = from_s;
    int32_t before_s = zone_offset_s(zone, from_s);
    put_plain(ret, "BEGIN:VTIMEZONE");
    put_text(ret, "TZID", zone_name(zone));
    put_observance(ret, from_s + before_s, before_s, before_s);
    while (zone_next_change(zone, at_s, &at_s) && at_s < until_s) {
        int32_t after_s = zone_offset_s(zone, at_s);
        put_observance(ret, at_s + before_s, before_s, after_s);
        before_s = after_s;
    }
    put_plain(ret, "END:VTIMEZONE");
}

/* The months of all seasons; false: they are not whole months of the solar year. */
static bool whole_months(const struct recurrence *recur, unsigned *ret_months)
{
    static const uint8_t last[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    *ret_months = 0;
    for (size_t i = 0; i < recur->n_seasons; i++) {
        const struct recur_range *season = &recur->seasons[i];
        if (season->lunar || season->from_day != 1 || season->to_day != last[season->to_month - 1])
            return false;
        for (int month = season->from_month;; month = month % 12 + 1) {
            *ret_months |= 1U << month;
            if (month == season->to_month)
                break;
        }
    }
    return true;
}

/* Appends "1,2,-1" of the bits; -1 is bit 0. */
static void put_bits(struct buf *line, uint32_t bits, const char *behind)
{
    const char *comma = "";
    for (int i = 0; i < 32; i++)
        if (bits >> i & 1) {
            buf_putf(line, "%s%d%s", comma, i ? i : -1, behind);
            comma = ",";
        }
}

static void put_weekdays(struct buf *line, const struct recurrence *recur, bool nth)
{
    static const char *const names[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
    const char *comma = "";
    buf_putf(line, ";BYDAY=");
    for (int i = 0; i < 7; i++) {
        if (!(recur->weekdays >> i & 1))
            continue;
        buf_putf(line, "%s", comma);
        if (nth)
            put_bits(line, recur->nths, names[i]);
        else
            buf_putf(line, "%s", names[i]);
        comma = ",";
    }
}

/* The rule in RFC 5545's words, without its end; false: they cannot say it. */
static bool say_rule(const struct recurrence *recur, struct buf *line)
{
    unsigned months;
    if ((recur->holidays != ON_HOLIDAYS_USUAL && recur->when != WHEN_HOLIDAYS) || !whole_months(recur, &months))
        return false;
    switch (recur->when) {
    case WHEN_DAILY:
        buf_putf(line, "RRULE:FREQ=DAILY");
        break;
    case WHEN_EVERY:
        buf_putf(line, "RRULE:FREQ=DAILY;INTERVAL=%d", (int)recur->every_days);
        break;
    case WHEN_WEEKLY:
        buf_putf(line, "RRULE:FREQ=WEEKLY");
        put_weekdays(line, recur, false);
        break;
    case WHEN_MONTHLY:
        buf_putf(line, "RRULE:FREQ=MONTHLY;BYMONTHDAY=");
        put_bits(line, recur->month_days, "");
        break;
    case WHEN_MONTHLY_NTH:
        buf_putf(line, "RRULE:FREQ=MONTHLY");
        put_weekdays(line, recur, true);
        break;
    case WHEN_ONCE:
    case WHEN_LUNAR_DAYS:
    case WHEN_LUNAR_DATES:
    case WHEN_HOLIDAYS:
        return false;
    }
    if (months) {
        buf_putf(line, ";BYMONTH=");
        put_bits(line, months, "");
    }
    return true;
}

static void put_time(struct buf *ret, const char *name, const struct recurrence *recur, int64_t day, int32_t second)
{
    struct buf line = {0};
    buf_putf(&line, "%s;TZID=%s:", name, zone_name(recur->zone));
    put_stamp(&line, day, second);
    put_line(ret, &line);
    buf_done(&line);
}

static void put_head(struct buf *ret, const struct ical_event *event, int64_t day, int32_t second, int64_t stamp_ms)
{
    struct buf line = {0};
    put_plain(ret, "BEGIN:VEVENT");
    buf_putf(&line, "UID:%s-%02d%02d%02d", event->uid, second / 3600, second / 60 % 60, second % 60);
    put_line(ret, &line);
    buf_putf(&line, "DTSTAMP:");
    put_stamp_s(&line, stamp_ms / 1000);
    buf_putf(&line, "Z");
    put_line(ret, &line);
    buf_done(&line);
    put_time(ret, "DTSTART", event->recur, day, second);
    if (event->length_s > 0) {
        buf_putf(&line, "DURATION:PT%lldS", (long long)event->length_s);
        put_line(ret, &line);
    }
    buf_done(&line);
    put_text(ret, "SUMMARY", event->summary);
    put_text(ret, "DESCRIPTION", event->description);
    put_text(ret, "LOCATION", event->location);
    put_text(ret, "CATEGORIES", event->category);
}

/* The further days in [first, last] on which it holds, in UTC: not every reader minds the TZID of an RDATE. */
static void put_days(struct buf *ret, const struct recurrence *recur, int64_t first, int64_t last, int32_t second)
{
    struct buf line = {0};
    for (int64_t day = first; day <= last; day++) {
        if (!recur_on(recur, day))
            continue;
        buf_putf(&line, "%s", line.len ? "," : "RDATE:");
        put_stamp_s(&line, zone_instant_s(recur->zone, day, second, NULL));
        buf_putf(&line, "Z");
    }
    if (line.len)
        put_line(ret, &line);
    buf_done(&line);
}

static int64_t first_on(const struct recurrence *recur, int64_t first, int64_t last)
{
    while (first <= last && !recur_on(recur, first))
        first++;
    return first <= last ? first : INT64_MAX;
}

/* The days that are left out and would be on otherwise. */
static void put_exceptions(struct buf *ret, const struct recurrence *always, const struct recurrence *recur,
                           int64_t first, int32_t second)
{
    struct buf line = {0};
    for (size_t i = 0; i < recur->n_except; i++) {
        int64_t day = recur->except[i];
        if (day < first || !recur_on(always, day) || (i > 0 && recur->except[i - 1] == day))
            continue;
        if (line.len)
            buf_putf(&line, ",");
        else
            buf_putf(&line, "EXDATE;TZID=%s:", zone_name(recur->zone));
        put_stamp(&line, day, second);
    }
    if (line.len)
        put_line(ret, &line);
    buf_done(&line);
}

/* With an RRULE: DTSTART is the first day that it gives from `first` on (3.8.5.3), whether left out or not. */
static void put_repeated(struct buf *ret, const struct ical_event *event, struct buf *rule, int64_t first,
                         int32_t second, int64_t stamp_ms)
{
    struct recurrence always = *event->recur;
    always.n_except = 0;
    int64_t last = always.until_date < LAST_DAY ? always.until_date : LAST_DAY;
    int64_t start = first_on(&always, first > always.from_date ? first : always.from_date, last);
    if (start == INT64_MAX)
        return;
    put_head(ret, event, start, second, stamp_ms);
    if (always.until_date < LAST_DAY) {
        buf_putf(rule, ";UNTIL=");
        put_stamp_s(rule, zone_instant_s(always.zone, always.until_date, second, NULL));
        buf_putf(rule, "Z");
    }
    put_line(ret, rule);
    put_exceptions(ret, &always, event->recur, start, second);
    put_plain(ret, "END:VEVENT");
}

static void put_event(struct buf *ret, const struct ical_event *event, int64_t from_ms, int64_t until_ms,
                      int32_t second, int64_t stamp_ms)
{
    const struct recurrence *recur = event->recur;
    struct buf rule = {0};
    int64_t first = 0, last = 0;
    int32_t at;
    zone_civil(recur->zone, from_ms / 1000, &first, &at);
    zone_civil(recur->zone, (until_ms - 1) / 1000, &last, &at);
    if (say_rule(recur, &rule)) {
        put_repeated(ret, event, &rule, first, second, stamp_ms);
    } else {
        int64_t start = first_on(recur, first, last);
        if (start != INT64_MAX) {
            put_head(ret, event, start, second, stamp_ms);
            put_days(ret, recur, start + 1, last, second);
            put_plain(ret, "END:VEVENT");
        }
    }
    buf_done(&rule);
}

int ical_write(const char *name, const struct ical_event *events, size_t n_events, int64_t from_ms, int64_t until_ms,
               int64_t stamp_ms, size_t max_len, struct buf *ret)
{
    size_t before = ret->len;
    put_plain(ret, "BEGIN:VCALENDAR");
    put_plain(ret, "VERSION:2.0");
    put_plain(ret, "PRODID:-//Loa//Loa//VI");
    put_plain(ret, "CALSCALE:GREGORIAN");
    put_text(ret, "X-WR-CALNAME", name);
    for (size_t i = 0; i < n_events; i++) {
        bool there = false;
        for (size_t j = 0; j < i && !there; j++)
            there = strcmp(zone_name(events[j].recur->zone), zone_name(events[i].recur->zone)) == 0;
        if (!there)
            put_zone(ret, events[i].recur->zone, from_ms / 1000 - 370 * DAY_S,
                     until_ms / 1000 + ICAL_ZONE_YEARS * 366 * DAY_S);
    }
    for (size_t i = 0; i < n_events; i++)
        for (size_t j = 0; j < events[i].recur->n_times; j++) {
            put_event(ret, &events[i], from_ms, until_ms, events[i].recur->times[j], stamp_ms);
            if (ret->len - before > max_len)
                return -EFBIG;
        }
    put_plain(ret, "END:VCALENDAR");
    return 0;
}
