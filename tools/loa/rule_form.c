/* rule_form.c - see rule_form.h. */
#include "tools/loa/rule_form.h"

#include "playlists/base/clock.h"
#include "tools/loa/answer.h"
#include "tools/loa/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --once +10s: the civil time then, in the rule's zone, which the rule then names itself. */
static int put_soon(const struct call *call, int64_t at_s, json_t *rule)
{
    const char *name = call_option(call, "zone") ? call_option(call, "zone") : WHEN_ZONE;
    struct complaint why = {0};
    struct zone *zone = NULL;
    char text[32];
    if (zone_load(NULL, name, &zone, &why) < 0)
        return misused(call, "%s", why.text);
    zone_format(zone, at_s * 1000, text);
    zone_free(zone);
    json_object_set_new(rule, "when", json_string("once"));
    json_object_set_new(rule, "date", json_stringn(text, 10));
    json_object_set_new(rule, "times", json_pack("[s%]", text + 11, (size_t)8));
    json_object_set_new(rule, "zone", json_string(name));
    return EXIT_OK;
}

/* --once 2026-07-01T05:00:00 -> when, date, times */
static int put_once(const struct call *call, const char *once, json_t *rule)
{
    size_t len = strlen(once);
    int64_t at_s;
    if (when_relative(once, clock_wall_ms(), &at_s))
        return put_soon(call, at_s, rule);
    if (len < 16 || len > 19 || (once[10] != 'T' && once[10] != ' '))
        return misused(call,
                       "--once is '%s'; right would be now, +10s, +5m, +2h or 2026-07-01T05:00:00, in the rule's zone",
                       once);
    json_object_set_new(rule, "when", json_string("once"));
    json_object_set_new(rule, "date", json_stringn(once, 10));
    json_object_set_new(rule, "times", json_pack("[s]", once + 11));
    return EXIT_OK;
}

static int put_texts(const struct call *call, const char *option, const char *member, json_t *rule)
{
    json_t *list = option_list(call, option);
    if (list)
        json_object_set_new(rule, member, list);
    return EXIT_OK;
}

int put_times(const struct call *call, const char *option, json_t *rule)
{
    json_t *list = option_list(call, option), *times = json_array(), *value;
    size_t i;
    int r = EXIT_OK;
    json_array_foreach(list, i, value)
    {
        char text[16];
        if (r == EXIT_OK && !when_time(json_string_value(value), text))
            r = misused(call, "--%s has '%s'; right would be times such as 05:00 or 17:30, separated by commas", option,
                        json_string_value(value));
        if (r == EXIT_OK)
            json_array_append_new(times, json_string(text));
    }
    if (list && r == EXIT_OK)
        json_object_set(rule, "times", times);
    json_decref(times);
    json_decref(list);
    return r;
}

/* "1,15,-1" as numbers */
static int put_numbers(const struct call *call, const char *option, const char *member, json_t *rule)
{
    json_t *list = option_list(call, option), *numbers = json_array(), *value;
    size_t i;
    int r = EXIT_OK;
    json_array_foreach(list, i, value)
    {
        char *end;
        const char *text = json_string_value(value);
        long n = strtol(text, &end, 10);
        if (*end || end == text || labs(n) > 100)
            r = misused(call, "--%s has '%s'; right would be numbers such as 1,15,-1", option, text);
        json_array_append_new(numbers, json_integer(n));
    }
    if (list && r == EXIT_OK)
        json_object_set(rule, member, numbers);
    json_decref(numbers);
    json_decref(list);
    return r;
}

static int put_number(const struct call *call, json_t *rule, const char *option, const char *member, int64_t unit,
                      int64_t min, int64_t max)
{
    int64_t value = 0;
    if (!call_option(call, option))
        return EXIT_OK;
    int r = call_number(call, option, min, max, &value);
    if (r == EXIT_OK)
        json_object_set_new(rule, member, json_integer(value * unit));
    return r;
}

/* Days of the year, "MM-DD" or "MM-DD..MM-DD", appended to the member's list. */
static void add_ranges(const struct call *call, const char *option, const char *member, bool lunar, const char *leap,
                       json_t *rule)
{
    json_t *texts = option_list(call, option), *list = json_object_get(rule, member), *value;
    size_t i;
    if (!texts)
        return;
    if (!list)
        json_object_set_new(rule, member, list = json_array());
    json_array_foreach(texts, i, value)
    {
        const char *text = json_string_value(value), *dots = strstr(text, "..");
        json_t *range = json_pack("{s:s%, s:s, s:b}", "from", text, dots ? (size_t)(dots - text) : strlen(text), "to",
                                  dots ? dots + 2 : text, "lunar", lunar);
        if (leap)
            json_object_set_new(range, "leap", json_string(leap));
        json_array_append_new(list, range);
    }
    json_decref(texts);
}

/* The options that say on which days, and the `when` of each. */
static const struct {
    const char *option, *when;
} kinds[] = {
    {"once", "once"},           {"daily", "daily"}, {"nth", "monthly_nth"},       {"weekdays", "weekly"},
    {"month-days", "monthly"},  {"every", "every"}, {"lunar-days", "lunar_days"}, {"lunar-dates", "lunar_dates"},
    {"on-holidays", "holidays"}};

static int put_kind(const struct call *call, const char *when, json_t *rule)
{
    json_object_set_new(rule, "when", json_string(when));
    put_texts(call, "weekdays", "weekdays", rule);
    add_ranges(call, "lunar-dates", "lunar_dates", true, call_option(call, "leap"), rule);
    if (call_option(call, "on-holidays") && strcmp(call_option(call, "on-holidays"), "all") != 0)
        put_texts(call, "on-holidays", "calendar_days", rule);
    if (call_option(call, "anchor"))
        json_object_set_new(rule, "anchor", json_string(call_option(call, "anchor")));
    int r = put_times(call, "daily", rule);
    if (r == EXIT_OK)
        r = put_times(call, "at", rule);
    if (r == EXIT_OK)
        r = put_numbers(call, "nth", "nths", rule);
    if (r == EXIT_OK)
        r = put_numbers(call, "month-days", "month_days", rule);
    if (r == EXIT_OK)
        r = put_numbers(call, "lunar-days", "lunar_days", rule);
    return r == EXIT_OK ? put_number(call, rule, "every", "every_days", 1, 1, 3660) : r;
}

static int put_when(const struct call *call, bool whole, json_t *rule)
{
    const char *when = NULL;
    int n = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (call_option(call, kinds[i].option) && !(when && strcmp(when, "monthly_nth") == 0 && i == 3)) {
            when = kinds[i].when;
            n++;
        }
    if (n > 1 || (whole && n == 0))
        return misused(call, "one of --once, --daily, --weekdays, --month-days, --every, --lunar-days, --lunar-dates "
                             "and --on-holidays would be right");
    if (!when)
        return put_times(call, "at", rule);
    if (strcmp(when, "once") == 0) {
        if (call_option(call, "from") || call_option(call, "until"))
            return misused(call, "--from and --until belong to --daily and all that comes again");
        return put_once(call, call_option(call, "once"), rule);
    }
    if (strcmp(when, "daily") != 0 && whole && !call_option(call, "at"))
        return misused(call, "at what time? --at HH:MM,... would be right");
    return put_kind(call, when, rule);
}

/* --gain -6.5 in dB, as the API's hundredths */
static int put_gain(const struct call *call, json_t *rule)
{
    const char *text = call_option(call, "gain");
    char *end;
    if (!text)
        return EXIT_OK;
    double gain_db = strtod(text, &end);
    if (!*text || *end || !(gain_db >= -60 && gain_db <= 0))
        return misused(call, "--gain is '%s'; right would be decibels from -60 to 0", text);
    json_object_set_new(rule, "gain_mb", json_integer((json_int_t)(gain_db * 100 - 0.5)));
    return EXIT_OK;
}

/* --window 05:00-19:00 */
static int put_window(const struct call *call, json_t *rule)
{
    const char *text = call_option(call, "window"), *dash = text ? strchr(text, '-') : NULL;
    char first[16] = "", from[16], to[16] = "";
    if (!text)
        return EXIT_OK;
    snprintf(first, sizeof(first), "%.*s", dash ? (int)(dash - text) : 0, text);
    if (!dash || !when_time(first, from) || (!when_time(dash + 1, to) && strcmp(dash + 1, "24:00") != 0))
        return misused(call, "--window is '%s'; right would be 05:00-19:00", text);
    json_object_set_new(rule, "window", json_pack("{s:s, s:s}", "from", from, "to", *to ? to : dash + 1));
    return EXIT_OK;
}

/* --session FILE: the member as JSON (API.md) */
static int put_session(const struct call *call, json_t *rule)
{
    json_error_t error;
    const char *path = call_option(call, "session");
    if (!path)
        return EXIT_OK;
    json_t *session = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!session)
        return refuse(call, "%s: not JSON: line %d: %s", path, error.line, error.text);
    json_object_set_new(rule, "session", session);
    return EXIT_OK;
}

static int put_numbers_of_time(const struct call *call, json_t *rule)
{
    int r = put_number(call, rule, "late-s", "late_ms", 1000, 0, 86400);
    if (r == EXIT_OK)
        r = put_number(call, rule, "wait-s", "wait_ms", 1000, 0, 600);
    if (r == EXIT_OK)
        r = put_number(call, rule, "catch-up-s", "catch_up_ms", 1000, 0, 604800);
    if (r == EXIT_OK)
        r = put_number(call, rule, "show-s", "show_ms", 1000, 0, 86400);
    return r == EXIT_OK ? put_gain(call, rule) : r;
}

int rule_form(const struct call *call, bool whole, json_t *rule)
{
    static const char *const texts[][2] = {
        {"bulletin", "bulletin"}, {"id", "id"},       {"class", "class"},       {"policy", "policy"},
        {"zone", "zone"},         {"start", "start"}, {"holidays", "holidays"}, {"calendar", "calendar"},
        {"from", "from"},         {"until", "until"}, {"on-clash", "on_clash"}, {"carry", "carry"}};
    static const char *const lists[][2] = {{"area", "areas"},
                                           {"group", "groups"},
                                           {"device", "devices"},
                                           {"kind", "kinds"},
                                           {"tag", "tags"},
                                           {"except-area", "except_areas"},
                                           {"except-group", "except_groups"},
                                           {"except-device", "except_devices"},
                                           {"except", "except"},
                                           {"loudspeaker-zone", "zones"}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (call_option(call, texts[i][0]))
            json_object_set_new(rule, texts[i][1], json_string(call_option(call, texts[i][0])));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        put_texts(call, lists[i][0], lists[i][1], rule);
    add_ranges(call, "season", "seasons", false, NULL, rule);
    add_ranges(call, "lunar-season", "seasons", true, NULL, rule);
    if (whole && !call_option(call, "bulletin") == !call_option(call, "session"))
        return misused(call, "one of --bulletin HASH and --session FILE would be right");
    if (whole && !call_option(call, "area") && !call_option(call, "device") && !call_option(call, "group"))
        return misused(call, "where? --area AREA or --device DEVICE would be right");
    int r = put_when(call, whole, rule);
    if (r == EXIT_OK)
        r = put_session(call, rule);
    if (r == EXIT_OK)
        r = put_window(call, rule);
    return r == EXIT_OK ? put_numbers_of_time(call, rule) : r;
}
