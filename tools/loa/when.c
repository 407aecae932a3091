/* when.c - see when.h. */
#include "tools/loa/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400 };

static bool digits(const char *text, size_t n, int *ret)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *ret = value;
    return true;
}

/* "Z", "+07:00", "-05:30" -> seconds east. */
static bool parse_offset(const char *text, int32_t *ret_s)
{
    int hours, minutes;
    if (strcmp(text, "Z") == 0) {
        *ret_s = 0;
        return true;
    }
    if (strlen(text) != 6 || (*text != '+' && *text != '-') || text[3] != ':' || !digits(text + 1, 2, &hours) ||
        !digits(text + 4, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_s = (hours * 60 + minutes) * 60 * (*text == '-' ? -1 : 1);
    return true;
}

/* ".5" to ".999999999" -> milliseconds; moves *text behind it. */
static bool parse_fraction(const char **text, int *ret_ms)
{
    const char *p = *text;
    *ret_ms = 0;
    if (*p != '.')
        return true;
    int scale = 100;
    size_t n = 0;
    for (p++; *p >= '0' && *p <= '9'; p++, n++) {
        *ret_ms += (*p - '0') * scale;
        scale /= 10;
    }
    *text = p;
    return n > 0 && n <= 9;
}

static bool parse(const char *text, const struct zone *zone, bool day_end, int64_t *ret_unix_ms)
{
    char date[11] = "", time[9] = "";
    int64_t days;
    int32_t second, offset_s;
    int ms = 0;
    size_t len = strlen(text);
    if (len < 10)
        return false;
    memcpy(date, text, 10);
    if (civil_parse_date(date, &days) < 0)
        return false;
    if (len == 10) {
        *ret_unix_ms = zone_instant_s(zone, days + (day_end ? 1 : 0), 0, NULL) * 1000;
        return true;
    }
    if (text[10] != 'T' && text[10] != ' ')
        return false;
    const char *rest = text + 11;
    size_t time_len = strspn(rest, "0123456789:");
    if (time_len >= sizeof(time))
        return false;
    memcpy(time, rest, time_len);
    rest += time_len;
    if (civil_parse_time(time, &second) < 0 || !parse_fraction(&rest, &ms))
        return false;
    if (!*rest)
        *ret_unix_ms = zone_instant_s(zone, days, second, NULL) * 1000 + ms;
    else if (parse_offset(rest, &offset_s))
        *ret_unix_ms = (days * DAY_S + second - offset_s) * 1000 + ms;
    else
        return false;
    return true;
}

int when_parse(const char *text, const struct zone *zone, bool day_end, const char *what, int64_t *ret_unix_ms,
               struct complaint *why)
{
    if (!parse(text, zone, day_end, ret_unix_ms))
        return complain(
            why, ERR_FORMAT,
            "%s is '%s'; right would be 2026-07-01T05:00:00 (in %s), 2026-07-01T05:00:00+07:00 or 2026-07-01", what,
            text, zone_name(zone));
    return 0;
}

bool when_relative(const char *text, int64_t now_ms, int64_t *ret_unix_s)
{
    static const char units[] = "smh";
    static const int seconds[] = {1, 60, 3600};
    int64_t later_s = 0;
    if (strcmp(text, "now") != 0) {
        size_t n = *text == '+' ? strspn(text + 1, "0123456789") : 0;
        const char *unit = n > 0 && n <= 6 && text[n + 1] ? strchr(units, text[n + 1]) : NULL;
        int amount;
        if (!unit || text[n + 2] || !digits(text + 1, n, &amount))
            return false;
        later_s = (int64_t)amount * seconds[unit - units];
        if (later_s > 7 * (int64_t)DAY_S)
            return false;
    }
    *ret_unix_s = (now_ms + 999) / 1000 + later_s;
    return true;
}

void when_format_utc(int64_t unix_ms, char ret[32])
{
    int64_t seconds = unix_ms / 1000 - (unix_ms % 1000 < 0);
    int64_t days = seconds / DAY_S - (seconds % DAY_S < 0);
    int second = (int)(seconds - days * DAY_S);
    int year, month, day;
    civil_date(days, &year, &month, &day);
    snprintf(ret, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day, second / 3600, second / 60 % 60,
             second % 60, (int)(unix_ms - seconds * 1000));
}

bool when_on_the_clock(const char *utc, char ret[32])
{
    static struct zone *zone; /* loaded once, kept to the end */
    int64_t at_ms;
    size_t len = strlen(utc);
    if (len < 20 || utc[10] != 'T' || utc[len - 1] != 'Z' || !parse(utc, NULL, false, &at_ms) ||
        (!zone && zone_load(NULL, WHEN_ZONE, &zone, NULL) < 0))
        return false;
    zone_format(zone, at_ms, ret);
    ret[10] = ' ';
    ret[19] = '\0';
    return true;
}

bool when_time(const char *text, char ret[16])
{
    int32_t second;
    size_t hour = strspn(text, "0123456789");
    const char *rest = text + hour;
    bool h = *rest == 'h' || *rest == 'H';
    if (hour < 1 || hour > 2 || strlen(rest) > 6 || (!h && *rest != ':'))
        return false;
    snprintf(ret, 16, "%s%.*s:%s", hour == 1 ? "0" : "", (int)hour, text, h && !rest[1] ? "00" : rest + 1);
    return civil_parse_time(ret, &second) == 0;
}
