/* rules_when.c - when a rule holds: the members of its body that become a struct recurrence. */
#include "controller/rules_part.h"

#include "playlists/lunar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const weekday_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};
static const char default_calendar[] = "vietnam";

enum { EVER_DAY = 84100 }; /* in April of 2200, behind all that is known of the lunar calendar */

/* Which kinds of rule a member belongs to, beside those that all have. */
#define KIND(when) (1U << (when))
#define REPEATED   (~KIND(WHEN_ONCE))
static const struct {
    const char *name;
    unsigned kinds;
} belongs[] = {
    {"date", KIND(WHEN_ONCE)},
    {"weekdays", KIND(WHEN_WEEKLY) | KIND(WHEN_MONTHLY_NTH)},
    {"nths", KIND(WHEN_MONTHLY_NTH)},
    {"month_days", KIND(WHEN_MONTHLY)},
    {"every_days", KIND(WHEN_EVERY)},
    {"anchor", KIND(WHEN_EVERY)},
    {"lunar_days", KIND(WHEN_LUNAR_DAYS)},
    {"lunar_dates", KIND(WHEN_LUNAR_DATES)},
    {"from", REPEATED},
    {"until", REPEATED},
    {"seasons", REPEATED},
    {"except", REPEATED},
    {"holidays", REPEATED & ~KIND(WHEN_HOLIDAYS)},
    {"calendar", REPEATED},
    {"calendar_days", REPEATED},
};
enum { BELONGS = sizeof(belongs) / sizeof(belongs[0]) };

static bool given(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value);
}

static int put_date(const struct form *form, const char *name, bool required, json_t *ret)
{
    const char *text = NULL;
    int64_t days;
    if (form_date(form, name, required, &text, &days) < 0)
        return -1;
    json_object_set_new(ret, name, text ? json_string(text) : json_null());
    return 0;
}

static int put_times(const struct form *form, json_t *ret)
{
    const json_t *list, *value;
    int32_t second[RECUR_TIMES_MAX];
    size_t i;
    if (form_list(form, "times", true, 1, RECUR_TIMES_MAX, &list) < 0)
        return -1;
    json_array_foreach(list, i, value)
    {
        char name[32];
        snprintf(name, sizeof(name), "times[%zu]", i);
        const char *text = json_string_value(value);
        if (!text || civil_parse_time(text, &second[i]) < 0)
            return refuse(form->problem, 422, "value", name, WORD_VALUE_TIME, name, text ? text : "?");
        for (size_t j = 0; j < i; j++)
            if (second[j] == second[i])
                return refuse(form->problem, 422, "value", name, WORD_VALUE_TWICE, name, text);
    }
    json_object_set(ret, "times", (json_t *)list);
    return 0;
}

int put_when(const struct form *form, json_t *ret)
{
    int when = 0;
    if (form_choice(form, "when", true, recur_when_names, &when) < 0)
        return -1;
    json_object_set_new(ret, "when", json_string(recur_when_names[when]));
    for (size_t i = 0; i < BELONGS; i++)
        if (!(belongs[i].kinds & KIND(when)) && given(form->object, belongs[i].name))
            return refuse(form->problem, 422, "member", belongs[i].name, WORD_RULE_STRAY, belongs[i].name,
                          recur_when_names[when]);
    if (put_date(form, "date", when == WHEN_ONCE, ret) < 0 || put_date(form, "from", false, ret) < 0 ||
        put_date(form, "until", false, ret) < 0)
        return -1;
    const char *from = json_string_value(json_object_get(ret, "from"));
    const char *until = json_string_value(json_object_get(ret, "until"));
    if (from && until && strcmp(from, until) > 0)
        return refuse(form->problem, 422, "value", "until", WORD_RULE_ORDER, until, from);
    return put_times(form, ret);
}

int put_zone(const struct form *form, struct zones *zones, const char *zone, json_t *ret)
{
    if (form_text(form, "zone", false, 1, 60, &zone) < 0)
        return -1;
    if (!zones_get(zones, zone))
        return refuse(form->problem, 422, "value", "zone", WORD_VALUE_ZONE, zone);
    json_object_set_new(ret, "zone", json_string(zone));
    return 0;
}

/* A list of different numbers from `min` to `max`, or -1 for the last. */
static int put_numbers(const struct form *form, const char *name, int64_t min, int64_t max, json_t *ret)
{
    const json_t *list, *value;
    char full[48], want[80];
    size_t i;
    snprintf(want, sizeof(want), "%lld..%lld, -1 (ngày/lần cuối; the last)", (long long)min, (long long)max);
    if (form_list(form, name, true, 1, (size_t)max + 1, &list) < 0)
        return -1;
    json_array_foreach(list, i, value)
    {
        char text[32];
        int64_t n = json_integer_value(value);
        snprintf(full, sizeof(full), "%s[%zu]", name, i);
        snprintf(text, sizeof(text), json_is_integer(value) ? "%lld" : "?", (long long)n);
        if (!json_is_integer(value) || (n != -1 && (n < min || n > max)))
            return refuse(form->problem, 422, "value", full, WORD_VALUE_ITEM, full, text, want);
        for (size_t j = 0; j < i; j++)
            if (json_integer_value(json_array_get(list, j)) == n)
                return refuse(form->problem, 422, "value", full, WORD_VALUE_TWICE, full, text);
    }
    return put_list(ret, name, list);
}

static int put_weekdays(const struct form *form, json_t *ret)
{
    const json_t *list;
    if (form_choices(form, "weekdays", weekday_names, &list) < 0)
        return -1;
    if (json_array_size(list) == 0)
        return refuse(form->problem, 422, "member", "weekdays", WORD_MEMBER_MISSING, "weekdays");
    return put_list(ret, "weekdays", list);
}

static int put_every(const struct form *form, json_t *ret)
{
    int64_t days = 0;
    if (form_int(form, "every_days", true, 1, RECUR_EVERY_MAX, &days) < 0)
        return -1;
    json_object_set_new(ret, "every_days", json_integer(days));
    return put_date(form, "anchor", true, ret);
}

/* "03-10", "12-23..01-03" or {"from", "to", "lunar", "leap"} as the latter. */
static json_t *range_object(const json_t *value, bool lunar)
{
    const char *text = json_string_value(value);
    size_t len = text ? strlen(text) : 0;
    if (json_is_object(value))
        return json_copy((json_t *)value);
    if (len != 5 && (len != 12 || strncmp(text + 5, "..", 2) != 0))
        return NULL;
    return json_pack("{s:s%, s:s, s:b}", "from", text, (size_t)5, "to", len == 5 ? text : text + 7, "lunar", lunar);
}

static int read_ends(const struct form *form, const json_t *object, bool lunar, const char *name,
                     struct recur_range *ret)
{
    const char *from = json_string_value(json_object_get(object, "from"));
    const char *to = given(object, "to") ? json_string_value(json_object_get(object, "to")) : from;
    if (recur_parse_day(from, lunar, &ret->from_month, &ret->from_day) < 0)
        return refuse(form->problem, 422, "value", name, WORD_VALUE_MONTH_DAY, name, from ? from : "?");
    if (recur_parse_day(to, lunar, &ret->to_month, &ret->to_day) < 0)
        return refuse(form->problem, 422, "value", name, WORD_VALUE_MONTH_DAY, name, to ? to : "?");
    return 0;
}

static int put_range(const struct form *form, const char *name, const json_t *value, bool lunar, json_t *list)
{
    struct form item = {.object = range_object(value, lunar), .problem = form->problem};
    struct recur_range range = {0};
    const json_t *said = json_object_get(item.object, "lunar");
    int leap = LEAP_NO, r = -1;
    if (!item.object)
        return refuse(form->problem, 422, "value", name, WORD_VALUE_MONTH_DAY, name,
                      json_is_string(value) ? json_string_value(value) : "?");
    snprintf(item.path, sizeof(item.path), "%.46s.", name);
    lunar = lunar || json_is_true(said);
    if (said && !json_is_boolean(said))
        r = refuse(form->problem, 422, "value", name, WORD_VALUE_ITEM, name, "lunar", "true, false");
    else if (form_known(&item, "from to lunar leap") == 0 &&
             form_choice(&item, "leap", false, recur_leap_names, &leap) == 0)
        r = read_ends(form, item.object, lunar, name, &range);
    bool months = range.from_month != range.to_month || range.from_day > range.to_day;
    if (r == 0 && leap != LEAP_NO && (!lunar || months))
        r = refuse(form->problem, 422, "value", name, WORD_RULE_LEAP, name);
    if (r == 0) {
        char from[8], to[8];
        snprintf(from, sizeof(from), "%02u-%02u", range.from_month % 100U, range.from_day % 100U);
        snprintf(to, sizeof(to), "%02u-%02u", range.to_month % 100U, range.to_day % 100U);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s}", "from", from, "to", to, "lunar", lunar, "leap",
                                              recur_leap_names[leap]));
    }
    json_decref((json_t *)item.object);
    return r;
}

static int put_ranges(const struct form *form, const char *name, bool required, bool lunar, size_t max, json_t *ret)
{
    const json_t *list, *value;
    size_t i;
    if (form_list(form, name, required, required, max, &list) < 0)
        return -1;
    json_t *ranges = json_array();
    json_array_foreach(list, i, value)
    {
        char full[48];
        snprintf(full, sizeof(full), "%.20s[%zu]", name, i);
        if (put_range(form, full, value, lunar, ranges) < 0) {
            json_decref(ranges);
            return -1;
        }
    }
    if (i > 0 && json_array_size(ranges))
        json_object_set(ret, name, ranges);
    json_decref(ranges);
    return 0;
}

static int date_cmp(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Ascending, each once: the order in which they were said does not matter. */
static int put_except(const struct form *form, json_t *ret)
{
    const json_t *list = json_object_get(form->object, "except"), *value;
    const char *dates[RECUR_EXCEPT_MAX];
    size_t n = 0, i;
    if (json_is_array(list) && json_array_size(list) > RECUR_EXCEPT_MAX)
        return refuse(form->problem, 422, "value", "except", WORD_RULE_EXCEPT_MANY, json_array_size(list),
                      (size_t)RECUR_EXCEPT_MAX);
    if (form_list(form, "except", false, 0, RECUR_EXCEPT_MAX, &list) < 0)
        return -1;
    json_array_foreach(list, i, value)
    {
        char full[32];
        int64_t day;
        const char *text = json_string_value(value);
        snprintf(full, sizeof(full), "except[%zu]", i);
        if (!text || civil_parse_date(text, &day) < 0)
            return refuse(form->problem, 422, "value", full, WORD_VALUE_DATE, full, text ? text : "?");
        dates[n++] = text;
    }
    if (n == 0)
        return 0;
    qsort(dates, n, sizeof(dates[0]), date_cmp);
    json_t *sorted = json_array();
    for (i = 0; i < n; i++)
        if (i == 0 || strcmp(dates[i - 1], dates[i]) != 0)
            json_array_append_new(sorted, json_string(dates[i]));
    json_object_set_new(ret, "except", sorted);
    return 0;
}

static int put_holidays(const struct form *form, struct zones *zones, bool all, json_t *ret)
{
    const char *id = default_calendar;
    const json_t *days, *value;
    size_t i;
    if (put_choice(form, "holidays", recur_holidays_names, ret) < 0 || form_id(form, "calendar", false, &id) < 0 ||
        form_ids(form, "calendar_days", false, HOLIDAYS_MAX, &days) < 0)
        return -1;
    if (!all && !json_object_get(ret, "holidays")) {
        const char *stray = given(form->object, "calendar") ? "calendar" : days ? "calendar_days" : NULL;
        return stray ? refuse(form->problem, 422, "member", stray, WORD_RULE_NO_HOLIDAYS, stray) : 0;
    }
    const struct holidays *calendar = zones_calendar(zones, id);
    if (!calendar)
        return refuse(form->problem, 422, "value", "calendar", WORD_RULE_CALENDAR, id);
    json_object_set_new(ret, "calendar", json_string(id));
    json_array_foreach(days, i, value) if (!holidays_bit(calendar, json_string_value(value)))
    {
        char full[40], known[320] = "";
        snprintf(full, sizeof(full), "calendar_days[%zu]", i);
        for (size_t j = 0, len = 0; j < holidays_count(calendar) && len < sizeof(known); j++)
            len +=
                (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", j ? ", " : "", holidays_at(calendar, j)->id);
        return refuse(form->problem, 422, "value", full, WORD_VALUE_ITEM, full, json_string_value(value), known);
    }
    return json_array_size(days) ? put_list(ret, "calendar_days", days) : 0;
}

/* What holds on no day at all was not meant so. */
static int check_ever(const struct form *form, struct zones *zones, const json_t *body)
{
    struct arena *arena = arena_new();
    struct recurrence recur;
    int64_t at_s;
    int r = 0;
    if (rule_recur(body, zones, arena, &recur) == 0 && recur.when != WHEN_ONCE &&
        recur_expand(&recur, 0, EVER_DAY * INT64_C(86400000), &at_s, 1) == 0)
        r = refuse(form->problem, 422, "value", "when", WORD_RULE_NEVER);
    arena_free(arena);
    return r;
}

int put_more_when(const struct form *form, struct zones *zones, json_t *ret)
{
    int r = 0, when = rule_index_of(recur_when_names, json_object_get(ret, "when"));
    if (when == WHEN_WEEKLY || when == WHEN_MONTHLY_NTH)
        r = put_weekdays(form, ret);
    if (r == 0 && when == WHEN_MONTHLY_NTH)
        r = put_numbers(form, "nths", 1, 5, ret);
    if (r == 0 && when == WHEN_MONTHLY)
        r = put_numbers(form, "month_days", 1, 31, ret);
    if (r == 0 && when == WHEN_EVERY)
        r = put_every(form, ret);
    if (r == 0 && when == WHEN_LUNAR_DAYS)
        r = put_numbers(form, "lunar_days", 1, 30, ret);
    if (r == 0 && when == WHEN_LUNAR_DATES)
        r = put_ranges(form, "lunar_dates", true, true, RECUR_DATES_MAX, ret);
    if (r < 0 || put_ranges(form, "seasons", false, false, RECUR_SEASONS_MAX, ret) < 0 || put_except(form, ret) < 0 ||
        put_holidays(form, zones, when == WHEN_HOLIDAYS, ret) < 0)
        return -1;
    return check_ever(form, zones, ret);
}

static int64_t date_of(const json_t *body, const char *name, int64_t open)
{
    const char *text = json_string_value(json_object_get(body, name));
    int64_t days;
    return text && civil_parse_date(text, &days) >= 0 ? days : open;
}

/* Numbers as bits; -1 is the last, bit 0. */
static uint32_t bits_of(const json_t *list)
{
    uint32_t bits = 0;
    const json_t *value;
    size_t i;
    json_array_foreach(list, i, value)
    {
        int64_t n = json_integer_value(value);
        bits |= n == -1 ? RECUR_LAST : n >= 1 && n <= 31 ? 1U << n : 0;
    }
    return bits;
}

static uint8_t weekdays_of(const json_t *list)
{
    unsigned bits = 0;
    const json_t *value;
    size_t i;
    json_array_foreach(list, i, value) bits |= 1U << rule_index_of(weekday_names, value);
    return (uint8_t)bits;
}

static const struct recur_range *ranges_of(const json_t *list, struct arena *arena, size_t *ret_n)
{
    size_t n = json_array_size(list);
    struct recur_range *ranges = n ? arena_alloc(arena, n * sizeof(*ranges)) : NULL;
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *object = json_array_get(list, i);
        struct recur_range *range = &ranges[*ret_n];
        range->lunar = json_is_true(json_object_get(object, "lunar"));
        range->leap = (enum recur_leap)rule_index_of(recur_leap_names, json_object_get(object, "leap"));
        if (recur_parse_day(json_string_value(json_object_get(object, "from")), range->lunar, &range->from_month,
                            &range->from_day) == 0 &&
            recur_parse_day(json_string_value(json_object_get(object, "to")), range->lunar, &range->to_month,
                            &range->to_day) == 0)
            (*ret_n)++;
    }
    return ranges;
}

static const int64_t *except_of(const json_t *list, struct arena *arena, size_t *ret_n)
{
    size_t n = json_array_size(list);
    int64_t *days = n ? arena_alloc(arena, n * sizeof(*days)) : NULL;
    *ret_n = 0;
    for (size_t i = 0; i < n && *ret_n < RECUR_EXCEPT_MAX; i++)
        if (civil_parse_date(json_string_value(json_array_get(list, i)), &days[*ret_n]) == 0)
            (*ret_n)++;
    return days;
}

static int put_calendar(const json_t *body, struct zones *zones, struct recurrence *recur)
{
    const char *id = json_string_value(json_object_get(body, "calendar"));
    const json_t *value;
    size_t i;
    if (!id)
        return 0;
    recur->calendar = zones_calendar(zones, id);
    if (!recur->calendar)
        return ERR_FORMAT;
    json_array_foreach(json_object_get(body, "calendar_days"), i, value) recur->calendar_days |=
        holidays_bit(recur->calendar, json_string_value(value));
    return 0;
}

int rule_recur(const json_t *body, struct zones *zones, struct arena *arena, struct recurrence *ret)
{
    const char *zone = json_string_value(json_object_get(body, "zone"));
    struct recurrence recur = {
        .when = (enum recur_when)rule_index_of(recur_when_names, json_object_get(body, "when")),
        .zone = zone ? zones_get(zones, zone) : NULL,
        .date = date_of(body, "date", 0),
        .from_date = date_of(body, "from", INT64_MIN),
        .until_date = date_of(body, "until", INT64_MAX),
        .weekdays = weekdays_of(json_object_get(body, "weekdays")),
        .nths = (uint8_t)bits_of(json_object_get(body, "nths")),
        .month_days = bits_of(json_object_get(body, "month_days")),
        .lunar_days = bits_of(json_object_get(body, "lunar_days")),
        .every_days = (int32_t)json_integer_value(json_object_get(body, "every_days")),
        .anchor = date_of(body, "anchor", 0),
        .holidays = (enum recur_holidays)rule_index_of(recur_holidays_names, json_object_get(body, "holidays")),
    };
    const json_t *times = json_object_get(body, "times"), *value;
    size_t i;
    json_array_foreach(times, i, value) if (recur.n_times < RECUR_TIMES_MAX &&
                                            civil_parse_time(json_string_value(value), &recur.times[recur.n_times]) >=
                                                0) recur.n_times++;
    recur.lunar_dates = ranges_of(json_object_get(body, "lunar_dates"), arena, &recur.n_lunar_dates);
    recur.seasons = ranges_of(json_object_get(body, "seasons"), arena, &recur.n_seasons);
    recur.except = except_of(json_object_get(body, "except"), arena, &recur.n_except);
    if (!recur.zone || put_calendar(body, zones, &recur) < 0)
        return ERR_FORMAT;
    *ret = recur;
    return 0;
}

json_t *rule_merge(const json_t *body, const json_t *patch)
{
    json_t *merged = json_copy((json_t *)body), *value;
    const char *key;
    int when = rule_index_of(recur_when_names, json_object_get(patch, "when"));
    if (given(patch, "when"))
        for (size_t i = 0; i < BELONGS; i++)
            if (!(belongs[i].kinds & KIND(when)))
                json_object_del(merged, belongs[i].name);
    if (given(patch, "session") && !json_object_get(patch, "bulletin"))
        json_object_del(merged, "bulletin");
    if (given(patch, "bulletin") && !json_object_get(patch, "session"))
        json_object_del(merged, "session");
    json_object_foreach((json_t *)patch, key, value)
    {
        if (json_is_null(value))
            json_object_del(merged, key);
        else
            json_object_set(merged, key, value);
    }
    return merged;
}
