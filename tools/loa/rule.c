/* rule.c - `loa rule`: when and where a bulletin goes on air. */
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

static int put_when(const struct call *call, json_t *rule)
{
    const char *once = call_option(call, "once");
    json_t *times = option_list(call, "daily");
    const char *from = call_option(call, "from"), *until = call_option(call, "until");
    if (!once == !times) {
        json_decref(times);
        return misused(call, "one of --once INSTANT and --daily HH:MM,... would be right");
    }
    if (once)
        return from || until ? misused(call, "--from and --until belong to --daily") : put_once(call, once, rule);
    json_object_set_new(rule, "when", json_string("daily"));
    json_object_set_new(rule, "times", times);
    if (from)
        json_object_set_new(rule, "from", json_string(from));
    if (until)
        json_object_set_new(rule, "until", json_string(until));
    return EXIT_OK;
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

static int rule_body(const struct call *call, json_t *rule)
{
    static const char *const texts[] = {"bulletin", "id", "class", "policy", "zone"};
    static const char *const lists[][2] = {
        {"area", "areas"}, {"device", "devices"}, {"kind", "kinds"}, {"loudspeaker-zone", "zones"}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (call_option(call, texts[i]))
            json_object_set_new(rule, texts[i], json_string(call_option(call, texts[i])));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        json_t *list = option_list(call, lists[i][0]);
        if (list)
            json_object_set_new(rule, lists[i][1], list);
    }
    if (!call_option(call, "area") && !call_option(call, "device"))
        return misused(call, "where? --area AREA or --device DEVICE would be right");
    int r = put_when(call, rule);
    if (r == EXIT_OK)
        r = put_number(call, rule, "late-s", "late_ms", 1000, 0, 86400);
    if (r == EXIT_OK)
        r = put_number(call, rule, "wait-s", "wait_ms", 1000, 0, 600);
    if (r == EXIT_OK)
        r = put_number(call, rule, "show-s", "show_ms", 1000, 0, 86400);
    if (r == EXIT_OK)
        r = put_gain(call, rule);
    return r;
}

static int rule_add(struct call *call)
{
    json_t *rule = json_object();
    struct client *client = NULL;
    struct complaint why = {0};
    json_t *answer = NULL;
    int r = rule_body(call, rule);
    if (r == EXIT_OK)
        r = client_new(call, &client);
    if (r == EXIT_OK && client_send(client, "POST", "/api/v1/rules", rule, &answer, &why) < 0)
        r = refuse(call, "%s", why.text);
    if (r == EXIT_OK && call->json)
        print_value(call, answer);
    if (r == EXIT_OK && !call->json) {
        size_t i;
        const json_t *warning;
        printf("%s\n", answer_text(answer, "id", "?"));
        json_array_foreach((json_t *)(uintptr_t)answer_at(answer, "warnings"), i, warning)
            warn(call, json_string_value(warning));
    }
    json_decref(answer);
    json_decref(rule);
    client_free(client);
    return r;
}

static const struct column rule_columns[] = {
    {"id", "id"},           {"when", "when"},   {"date", "date"},   {"times", "times"},       {"areas", "areas"},
    {"devices", "devices"}, {"class", "class"}, {"ended", "ended"}, {"bulletin", "bulletin"}, {NULL, NULL},
};

static int rule_list(struct call *call)
{
    return ask_list(call, call_option(call, "ended") ? "/api/v1/rules?ended=true" : "/api/v1/rules", rule_columns);
}

static int one_rule(const struct call *call, const char *method, const char *behind)
{
    char *id = client_escape(call->args[0]);
    char *path = xasprintf("/api/v1/rules/%s%s", id, behind);
    int r = ask(call, method, path, NULL);
    free(path);
    free(id);
    return r;
}

static int rule_show(struct call *call)
{
    return one_rule(call, "GET", "");
}

static int rule_delete(struct call *call)
{
    return one_rule(call, "DELETE", "");
}

static int rule_restore(struct call *call)
{
    return one_rule(call, "POST", "/restore");
}

static const struct option_spec add_options[] = {
    {"bulletin", "HASH", "what", true, false},
    {"once", "INSTANT", "at this civil time, such as 2026-07-01T05:00:00; or now, +10s, +5m, +2h", false, false},
    {"daily", "HH:MM,...", "each day at these times", false, true},
    {"from", "DATE", "daily: first day", false, false},
    {"until", "DATE", "daily: last day", false, false},
    {"area", "AREA,...", "on the devices of these areas", false, true},
    {"device", "DEVICE,...", "and on these devices", false, true},
    {"kind", "KIND,...", "only loudspeaker, board, cluster, gateway, mobile", false, true},
    {"loudspeaker-zone", "ZONE,...", "only these loudspeaker zones (else all)", false, true},
    {"class", "CLASS", "filler, normal, priority (else normal)", false, false},
    {"policy", "POLICY", "when cut: drop, resume, restart (else drop)", false, false},
    {"late-s", "N", "not begun when later than this (else 60)", false, false},
    {"wait-s", "N", "priority: waits so long for the end of another (else 0)", false, false},
    {"show-s", "N", "a text stays at least so long (else as long as the sound)", false, false},
    {"gain", "DB", "louder or softer, -60 to 0 dB (else 0)", false, false},
    {"zone", "TZ", "time zone of the times (else the controller's)", false, false},
    {"id", "ID", "id (else one is made)", false, false},
    {0},
};

static const struct option_spec list_options[] = {
    {"ended", NULL, "also those that are ended", false, false},
    {"limit", "N", "at most so many (else 100; 0: all)", false, false},
    {0},
};

const struct cli_command rule_commands[] = {
    {"rule", "add", "", 0, 0, "Đặt lịch phát cho một bản tin", "Schedule a bulletin", add_options, rule_add},
    {"rule", "list", "", 0, 0, "Danh sách lịch phát", "List rules", list_options, rule_list},
    {"rule", "show", "ID", 1, 1, "Xem một lịch phát", "Show one rule", NULL, rule_show},
    {"rule", "delete", "ID", 1, 1, "Kết thúc một lịch phát", "End a rule: nothing of it plays any more", NULL,
     rule_delete},
    {"rule", "restore", "ID", 1, 1, "Khôi phục lịch phát đã kết thúc", "Undo the end of a rule", NULL, rule_restore},
    {0},
};
