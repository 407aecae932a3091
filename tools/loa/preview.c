/* preview.c - `loa preview`: what a device will do on a day, by its rules or with drafts of some. */
#include "playlists/base/civil.h"
#include "tools/loa/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "05:00:00" in the zone; UTC as it came when the zone is not known here. */
static json_t *clock_of(const struct zone *zone, const char *instant)
{
    struct tm tm = {0};
    char text[32];
    if (!instant)
        return json_string("-");
    if (!zone || !strptime(instant, "%Y-%m-%dT%H:%M:%S", &tm))
        return json_string(instant);
    zone_format(zone, timegm(&tm) * 1000, text);
    return json_stringn(text + 11, 8);
}

static const char *meaning_of(const struct call *call, const json_t *row, const char *otherwise)
{
    const char *meaning = answer_text(row, strcmp(call->lang, "en") == 0 ? "meaning.en" : "meaning.vi", NULL);
    return meaning ? meaning : answer_text(row, otherwise, "");
}

static void print_entries(const struct call *call, const json_t *answer)
{
    static const struct column columns[] = {
        {"planned", "at"},    {"on", "on"},         {"off", "off"},   {"class", "class"},   {"item", "item"},
        {"reason", "reason"}, {"exempt", "exempt"}, {"rule", "rule"}, {"detail", "detail"}, {NULL, NULL}};
    struct zone *zone = NULL;
    json_t *rows = json_array(), *entry;
    size_t i;
    if (zone_load(NULL, answer_text(answer, "zone", ""), &zone, NULL) < 0)
        zone = NULL;
    json_array_foreach(json_object_get(answer, "entries"), i, entry)
    {
        json_t *row = json_copy(entry);
        json_object_set_new(row, "at", clock_of(zone, answer_text(entry, "planned", NULL)));
        json_object_set_new(row, "on", clock_of(zone, answer_text(entry, "started", NULL)));
        json_object_set_new(row, "off", clock_of(zone, answer_text(entry, "ended", NULL)));
        json_object_set_new(row, "item", json_string(answer_text(entry, "title", answer_text(entry, "source", "?"))));
        json_object_set_new(row, "detail", json_string(meaning_of(call, entry, "detail")));
        json_array_append_new(rows, row);
    }
    print_columns(call, rows, columns);
    json_decref(rows);
    zone_free(zone);
}

static void print_preview(const struct call *call, const json_t *answer)
{
    static const struct column columns[] = {
        {"rule", "rule"}, {"left out", "left"}, {"other", "other"}, {"count", "count"}, {NULL, NULL}};
    json_t *problem;
    size_t i;
    if (call->json) {
        print_value(call, answer);
        return;
    }
    print_entries(call, answer);
    json_array_foreach(json_object_get(answer, "problems"), i, problem)
        json_object_set_new(problem, "left", json_string(meaning_of(call, problem, "why")));
    if (i > 0) {
        puts("");
        print_columns(call, json_object_get(answer, "problems"), columns);
    }
}

/* Each --draft: a file with one rule as `POST /rules` takes it, or a list of them. */
static int read_drafts(const struct call *call, json_t *body)
{
    json_t *rules = json_array();
    json_object_set_new(body, "rules", rules);
    const char *path;
    for (size_t i = 0; (path = call_option_at(call, "draft", i)) != NULL; i++) {
        json_error_t error;
        json_t *draft = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
        if (!draft)
            return refuse(call, "%s: not JSON: line %d: %s", path, error.line, error.text);
        if (json_is_array(draft))
            json_array_extend(rules, draft);
        else
            json_array_append(rules, draft);
        json_decref(draft);
    }
    return EXIT_OK;
}

static int send(struct call *call, const char *method, const char *path, const json_t *body)
{
    struct client *client;
    struct complaint why = {0};
    json_t *answer = NULL;
    int r = client_new(call, &client);
    if (r != EXIT_OK)
        return r;
    if (client_send(client, method, path, body, &answer, &why) < 0)
        r = refuse(call, "%s", why.text);
    else
        print_preview(call, answer);
    json_decref(answer);
    client_free(client);
    return r;
}

static int preview(struct call *call)
{
    const char *day = call_option(call, "day");
    bool drafts = call_option(call, "draft") || call_option(call, "without");
    struct buf path = {0};
    json_t *body = json_object();
    int r = EXIT_OK;
    buf_putf(&path, "/api/v1/preview");
    if (drafts) {
        json_object_set_new(body, "device", json_string(call->args[0]));
        if (day)
            json_object_set_new(body, "day", json_string(day));
        json_t *without = option_list(call, "without");
        if (without)
            json_object_set_new(body, "without", without);
        r = read_drafts(call, body);
    } else {
        query_add(&path, "device", call->args[0]);
        query_add(&path, "day", day);
    }
    if (r == EXIT_OK)
        r = send(call, drafts ? "POST" : "GET", buf_text(&path), drafts ? body : NULL);
    json_decref(body);
    buf_done(&path);
    return r;
}

static const struct option_spec preview_options[] = {
    {"day", "DATE", "this day in the device's zone (else today)", false, false},
    {"draft", "FILE",
     "as if this rule stood (JSON as POST /rules takes it, or a list); with the id of a rule: in its place", false,
     true},
    {"without", "RULE,...", "as if these rules did not", false, true},
    {0},
};

const struct cli_command preview_commands[] = {
    {"preview", NULL, "DEVICE", 1, 1, "Xem trước một ngày của thiết bị, đúng như sẽ phát",
     "Show a day of a device ahead of time, exactly as it will play", preview_options, preview},
    {0},
};
