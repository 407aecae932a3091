/* api_rules.c - rules: what plays when and where. Ended ones stay on record and can come back. */
#include "controller/api.h"
#include "controller/blobs.h"
#include "controller/mandate.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "controller/publisher.h"
#include "controller/rules.h"
#include "playlists/base/file.h"
#include "playlists/judge.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNINGS_MAX = 8 };

#define SQL_RULE                                                                                                       \
    "SELECT r.n AS cursor__text, r.id, r.unit, r.body AS body__json, r.created_ms AS created__at,"                     \
    " r.ended_ms AS ended__at FROM rules r "

/* Made in this unit or below, or meant for it from here, below or above. */
#define IN_SIGHT                                                                                                       \
    "(r.unit IN (SELECT id FROM scope) OR EXISTS (SELECT 1 FROM json_each(r.body, '$.areas') j WHERE j.value IN"       \
    " (SELECT id FROM scope) OR j.value IN (SELECT id FROM over)) OR EXISTS (SELECT 1 FROM json_each(r.body,"          \
    " '$.devices') j JOIN devices d ON d.id = j.value WHERE d.area IN (SELECT id FROM scope))) "

static json_t *spread(json_t *row)
{
    if (!row)
        return NULL;
    json_object_update(row, json_object_get(row, "body"));
    json_object_del(row, "body");
    return row;
}

int api_rules_list(struct request *r)
{
    struct page page;
    json_t *row;
    size_t i;
    const char *ended = request_query(r, "ended");
    if (ended && strcmp(ended, "true") != 0 && strcmp(ended, "false") != 0)
        return refuse(&r->problem, 400, "query", NULL, WORD_QUERY_VALUE, "ended");
    if (request_page(r, true, &page) < 0)
        return -1;
    json_t *rows = store_list(
        r->c->store,
        SQL_SCOPE SQL_RULE "WHERE r.n > ?2 AND (?4 OR r.ended_ms IS NULL) AND " IN_SIGHT "ORDER BY r.n LIMIT ?3",
        "siii", r->token.unit, page.after_n, page.limit + 1, (int64_t)(ended && strcmp(ended, "true") == 0));
    json_array_foreach(rows, i, row) spread(row);
    return request_reply_page(r, &page, rows);
}

static json_t *find(struct request *r, const char *id)
{
    return spread(store_one(r->c->store, SQL_SCOPE SQL_RULE "WHERE r.id = ?2 AND " IN_SIGHT, "ss", r->token.unit, id));
}

int api_rule(struct request *r)
{
    json_t *row = find(r, r->param[0]);
    return row ? request_reply(r, 200, row) : request_missing(r, "rule", r->param[0]);
}

static int check_bulletin(struct request *r, const json_t *rule)
{
    const char *hash = json_string_value(json_object_get(rule, "bulletin"));
    const char *class = json_string_value(json_object_get(rule, "class"));
    int64_t limit = store_number(r->c->store, -1, "SELECT class FROM bulletins WHERE hash = ?", "s", hash);
    if (limit < 0)
        return refuse(&r->problem, 422, "value", "bulletin", WORD_MISSING, "bulletin", hash);
    for (int i = 0; air_class_names[i]; i++)
        if (strcmp(air_class_names[i], class) == 0 && i > limit)
            return refuse(&r->problem, 422, "value", "class", WORD_RULE_CLASS, class, air_class_names[limit]);
    return 0;
}

static int check_targets(struct request *r, const json_t *rule)
{
    json_t *value;
    size_t i;
    char name[32];
    json_array_foreach(json_object_get(rule, "areas"), i, value)
    {
        const char *area = json_string_value(value);
        snprintf(name, sizeof(name), "areas[%zu]", i);
        if (!area_exists(r->c->store, area))
            return refuse(&r->problem, 422, "value", name, WORD_NO_AREA, name, area);
        if (!area_in_unit(r->c->store, area, r->token.unit))
            return refuse(&r->problem, 403, "scope", name, WORD_SCOPE, area, r->token.unit);
    }
    json_array_foreach(json_object_get(rule, "devices"), i, value)
    {
        const char *device = json_string_value(value);
        snprintf(name, sizeof(name), "devices[%zu]", i);
        if (store_number(r->c->store, 0, "SELECT 1 FROM devices WHERE id = ?", "s", device) != 1)
            return refuse(&r->problem, 422, "value", name, WORD_MISSING, "device", device);
        if (!device_in_unit(r->c->store, device, r->token.unit))
            return refuse(&r->problem, 403, "scope", name, WORD_SCOPE, device, r->token.unit);
    }
    return 0;
}

static int check_past(struct request *r, const json_t *body)
{
    struct arena *arena = arena_new();
    struct rule rule;
    int result = 0;
    if (rule_build("x", body, r->c->zones, arena, &rule) == 0 && rule_last_ms(&rule) < r->now_ms - rule.late_ms)
        result = refuse(&r->problem, 422, "value", "times", WORD_RULE_PAST);
    arena_free(arena);
    return result;
}

static void warn(json_t *warnings, const struct request *r, enum word word, const char *what, const char *more)
{
    struct problem said = {0};
    if (json_array_size(warnings) >= WARNINGS_MAX)
        return;
    refuse(&said, 200, "", NULL, word, what, more);
    json_array_append_new(warnings, json_string(r->english ? said.en : said.vi));
}

/* Open the approvals of a bulletin; returns how many. All in `arena`. */
static size_t open_approvals(struct request *r, const char *hash, struct arena *arena, struct opened_approval *ret,
                             size_t cap)
{
    json_t *rows = store_list(r->c->store, "SELECT hash FROM approvals WHERE bulletin = ?", "s", hash), *row;
    size_t i, n = 0;
    json_array_foreach(rows, i, row)
    {
        struct buf text = {0};
        struct seal_header header;
        char path[440];
        void *doc = NULL;
        blob_path(r->c->settings, json_string_value(json_object_get(row, "hash")), path);
        if (n < cap && file_read_whole(path, BLOB_DOC_MAX, &text) >= 0 &&
            judge_open(mandate_authority(r->c->mandate), DOC_APPROVAL, (const char *)text.data, text.len, arena, &doc,
                       &header, NULL) == REFUSAL_NONE)
            ret[n++] = (struct opened_approval){.approval = doc, .kid = arena_strndup(arena, header.kid, 43)};
        buf_done(&text);
    }
    json_decref(rows);
    return n;
}

static int64_t next_start(const json_t *body, int64_t now_ms, struct zones *zones, struct arena *arena)
{
    struct rule rule;
    if (rule_build("x", body, zones, arena, &rule) < 0)
        return now_ms;
    int64_t last_ms = rule_last_ms(&rule);
    return last_ms == INT64_MAX ? now_ms : last_ms;
}

/* Would the agents there let it on air? Asked of the very code that they run. */
static json_t *warnings_of(struct request *r, const json_t *body)
{
    struct arena *arena = arena_new();
    struct opened_approval approvals[64];
    struct bulletin *bulletin = NULL;
    struct complaint why;
    const char *hash = json_string_value(json_object_get(body, "bulletin")), *word;
    char *bytes = store_text(r->c->store, "SELECT body FROM bulletins WHERE hash = ?", "s", hash);
    json_t *warnings = json_array(), *devices = planner_devices_of(r->c->store, body), *device;
    size_t n = open_approvals(r, hash, arena, approvals, 64), i;
    int class = 0;
    word = json_string_value(json_object_get(body, "class"));
    while (air_class_names[class + 1] && strcmp(air_class_names[class], word) != 0)
        class ++;
    int64_t at_ms = next_start(body, r->now_ms, r->c->zones, arena);
    if (json_array_size(devices) == 0)
        warn(warnings, r, WORD_WARN_NOBODY, "", "");
    if (bytes && bulletin_decode(bytes, strlen(bytes), arena, &bulletin, NULL) >= 0)
        json_array_foreach(devices, i, device)
        {
            json_t *facts = device_facts(r->c->store, json_string_value(device));
            struct texts areas = texts_of_json(json_object_get(facts, "areas"), arena);
            why = (struct complaint){0};
            if (judge_item(mandate_authority(r->c->mandate), bulletin, hash, approvals, n, &areas,
                           (enum air_class) class, at_ms, &why) != ITEM_APPROVED)
                warn(warnings, r, WORD_WARN_UNAPPROVED, json_string_value(device), why.text);
            json_decref(facts);
        }
    json_decref(devices);
    free(bytes);
    arena_free(arena);
    return warnings;
}

static void touch(struct request *r, const json_t *body)
{
    json_t *devices = planner_devices_of(r->c->store, body);
    publisher_touch_list(r->c->publisher, devices);
    json_decref(devices);
}

static int tell(struct request *r, unsigned status, const char *id, const json_t *body)
{
    json_t *row = spread(store_one(r->c->store, SQL_RULE "WHERE r.id = ?", "s", id));
    json_object_set_new(row, "warnings", warnings_of(r, body));
    return request_reply(r, status, row);
}

static int add(struct request *r, const char *id, const json_t *body)
{
    json_t *there = store_one(r->c->store, SQL_RULE "WHERE r.id = ?", "s", id);
    if (there) {
        bool same = json_equal(json_object_get(there, "body"), body) && json_is_null(json_object_get(there, "ended")) &&
                    area_in_unit(r->c->store, json_string_value(json_object_get(there, "unit")), r->token.unit);
        json_decref(there);
        return same ? tell(r, 200, id, body) : refuse(&r->problem, 409, "conflict", "id", WORD_TAKEN, "rule", id);
    }
    if (check_past(r, body) < 0)
        return -1;
    if (store_run(r->c->store, "INSERT INTO rules (id, unit, bulletin, body, created_ms) VALUES (?, ?, ?, ?, ?)",
                  "sssji", id, r->token.unit, json_string_value(json_object_get(body, "bulletin")), body,
                  r->now_ms) < 0)
        return request_store_failed(r);
    touch(r, body);
    return tell(r, 201, id, body);
}

int api_rules_new(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    unsigned char bytes[6];
    char made[24] = "r-";
    const char *id = made;
    json_t *body;
    random_bytes(bytes, sizeof(bytes));
    sodium_bin2hex(made + 2, sizeof(made) - 2, bytes, sizeof(bytes));
    if (rule_check(r->json, r->c->zones, r->c->settings->zone, &r->problem, &body) < 0)
        return -1;
    int result = form_id(&form, "id", false, &id) < 0 || check_bulletin(r, body) < 0 || check_targets(r, body) < 0
                     ? -1
                     : add(r, id, body);
    json_decref(body);
    return result;
}

/* Only who reaches all that the rule reaches may end it or bring it back. */
static int set_ended(struct request *r, bool ended)
{
    json_t *row =
        store_one(r->c->store, SQL_SCOPE SQL_RULE "WHERE r.id = ?2 AND " IN_SIGHT, "ss", r->token.unit, r->param[0]);
    if (!row)
        return request_missing(r, "rule", r->param[0]);
    const char *unit = json_string_value(json_object_get(row, "unit"));
    const json_t *body = json_object_get(row, "body");
    int result = 0;
    if (!area_in_unit(r->c->store, unit, r->token.unit))
        result = refuse(&r->problem, 403, "scope", NULL, WORD_SCOPE, r->param[0], r->token.unit);
    if (result == 0)
        result = check_targets(r, body);
    if (result == 0 && store_run(r->c->store,
                                 ended ? "UPDATE rules SET ended_ms = coalesce(ended_ms, ?) WHERE id = ?"
                                       : "UPDATE rules SET ended_ms = ?1 * NULL WHERE id = ?2",
                                 "is", r->now_ms, r->param[0]) < 0)
        result = request_store_failed(r);
    if (result == 0) {
        touch(r, body);
        result = tell(r, 200, r->param[0], body);
    }
    json_decref(row);
    return result;
}

int api_rule_end(struct request *r)
{
    return set_ended(r, true);
}

int api_rule_restore(struct request *r)
{
    return set_ended(r, false);
}
