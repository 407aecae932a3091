/* api_groups.c - named groups of devices. A group may have ten thousand: they are read aside, and written as what
 * changes. */
#include "controller/api.h"
#include "controller/groups.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/quotas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_AT_ONCE = 2000, MEMBERS_MAX = 10000 };

#define SQL_GROUP                                                                                                      \
    "SELECT g.id AS cursor, g.id, g.unit, g.name, g.created_ms AS created__at FROM groups g JOIN scope ON"             \
    " scope.id = g.unit "

static json_t *with_devices(struct request *r, json_t *row)
{
    if (row)
        json_object_set_new(row, "devices", group_devices(r->c->store, json_string_value(json_object_get(row, "id"))));
    return row;
}

static json_t *find(struct request *r, const char *id)
{
    return with_devices(r, store_one(r->c->store, SQL_SCOPE SQL_GROUP "WHERE g.id = ?2", "ss", r->token.unit, id));
}

static int reply(struct request *r, unsigned status, const char *id)
{
    json_t *row = find(r, id);
    return row ? request_reply(r, status, row) : request_missing(r, "group", id);
}

int api_groups_list(struct request *r)
{
    struct page page;
    json_t *row;
    size_t i;
    if (request_page(r, false, &page) < 0)
        return -1;
    json_t *rows = store_list(r->c->store, SQL_SCOPE SQL_GROUP "WHERE g.id > ?2 ORDER BY g.id LIMIT ?3", "ssi",
                              r->token.unit, page.after ? page.after : "", page.limit + 1);
    json_array_foreach(rows, i, row) with_devices(r, row);
    return request_reply_page(r, &page, rows);
}

int api_group(struct request *r)
{
    return reply(r, 200, r->param[0]);
}

/* Each is a device of the unit. */
static int check_members(struct request *r, const json_t *devices, const char *unit)
{
    char *stray = store_text(r->c->store,
                             SQL_SCOPE "SELECT value FROM json_each(?2) WHERE value NOT IN (SELECT d.id FROM devices d"
                                       " JOIN scope ON scope.id = d.area) LIMIT 1",
                             "sj", unit, devices);
    int result = 0;
    if (stray)
        result = device_in_unit(r->c->store, stray, r->token.unit)
                     ? refuse(&r->problem, 422, "value", "devices", WORD_GROUP_STRAY, stray, unit)
                     : refuse_missing(&r->problem, 422, "value", "devices", "device", stray);
    free(stray);
    return result;
}

static const char *about(const struct request *r, const char *name)
{
    return json_string_value(json_object_get(r->about, name));
}

static int told_new(struct request *r)
{
    return reply(r, 201, about(r, "id"));
}

static int told(struct request *r)
{
    return reply(r, 200, r->param[0]);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The same list by id; new reference. */
static json_t *sorted(const json_t *list)
{
    size_t n = json_array_size(list);
    json_t **at = xcalloc(n ? n : 1, sizeof(*at)), *ret = json_array();
    for (size_t i = 0; i < n; i++)
        at[i] = json_array_get(list, i);
    qsort(at, n, sizeof(*at), compare_ids);
    for (size_t i = 0; i < n; i++)
        json_array_append(ret, at[i]);
    free(at);
    return ret;
}

/* The id exists: the same again is fine, anything else a conflict. */
static int there_already(struct request *r)
{
    const char *id = about(r, "id");
    json_t *row = find(r, id), *want = sorted(json_object_get(r->about, "devices"));
    bool same = row && strcmp(json_string_value(json_object_get(row, "unit")), about(r, "unit")) == 0 &&
                json_equal(json_object_get(row, "name"), json_object_get(r->json, "name")) &&
                json_equal(json_object_get(row, "devices"), want);
    json_decref(want);
    json_decref(row);
    return same ? reply(r, 200, id) : refuse_taken(&r->problem, "group", id);
}

static int make(struct request *r)
{
    const char *id = about(r, "id");
    if (group_exists(r->c->store, id))
        return request_aside(r, there_already, json_incref(r->about));
    if (quota_check(r, QUOTA_GROUPS, about(r, "unit")) < 0)
        return -1;
    if (store_begin(r->c->store) < 0 ||
        store_run(r->c->store, "INSERT INTO groups VALUES (?, ?, ?, ?)", "sssi", id, about(r, "unit"),
                  json_string_value(json_object_get(r->json, "name")), r->now_ms) < 0 ||
        store_run(r->c->store, "INSERT INTO group_members SELECT ?, value FROM json_each(?)", "sj", id,
                  json_object_get(r->about, "devices")) < 0 ||
        store_commit(r->c->store) < 0) {
        store_rollback(r->c->store);
        return request_store_failed(r);
    }
    return request_aside(r, told_new, json_incref(r->about));
}

int api_groups_new(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    char made[24];
    const char *id = made, *unit = r->token.unit, *name;
    const json_t *devices;
    id_make("g-", made);
    if (form_known(&form, "id unit name devices") < 0 || form_id(&form, "id", false, &id) < 0 ||
        form_id(&form, "unit", false, &unit) < 0 || form_text(&form, "name", true, 1, 200, &name) < 0 ||
        form_ids(&form, "devices", false, MEMBERS_AT_ONCE, &devices) < 0)
        return -1;
    if (!area_exists(r->c->store, unit))
        return refuse(&r->problem, 422, "value", "unit", WORD_NO_AREA, "unit", unit);
    if (!area_in_unit(r->c->store, unit, r->token.unit))
        return refuse(&r->problem, 403, "scope", "unit", WORD_SCOPE, unit, r->token.unit);
    if (check_members(r, devices, unit) < 0)
        return -1;
    return request_on_loop(r, make,
                           json_pack("{s:s, s:s, s:o}", "id", id, "unit", unit, "devices",
                                     devices ? json_incref((json_t *)(uintptr_t)devices) : json_array()));
}

static json_t *set_of(const json_t *ids)
{
    json_t *set = json_object(), *id;
    size_t i;
    json_array_foreach(ids, i, id) json_object_set(set, json_string_value(id), id);
    return set;
}

/* What is in one set and not in the other, as a list; new reference. */
static json_t *without(json_t *set, json_t *other)
{
    json_t *list = json_array(), *value;
    const char *id;
    json_object_foreach(set, id, value) if (!json_object_get(other, id)) json_array_append(list, value);
    return list;
}

/* {"added", "removed", "members": how many there will be} by `devices`, or by what is there with `add` and without
 * `gone`. New reference. */
static json_t *difference(const json_t *now, const json_t *devices, const json_t *add, const json_t *gone)
{
    json_t *before = set_of(now), *after = set_of(devices ? devices : now), *value;
    size_t i;
    json_array_foreach(add, i, value) json_object_set(after, json_string_value(value), value);
    json_array_foreach(gone, i, value) json_object_del(after, json_string_value(value));
    json_t *made = json_pack("{s:o, s:o, s:I}", "added", without(after, before), "removed", without(before, after),
                             "members", (json_int_t)json_object_size(after));
    json_decref(before);
    json_decref(after);
    return made;
}

/* What names the group follows where something changes, and nowhere else. */
static int change(struct request *r)
{
    const json_t *added = json_object_get(r->about, "added"), *removed = json_object_get(r->about, "removed");
    const char *id = r->param[0];
    int n = store_begin(r->c->store);
    if (n == 0)
        n = store_run(r->c->store, "UPDATE groups SET name = coalesce(?, name) WHERE id = ?", "ss",
                      json_string_value(json_object_get(r->json, "name")), id);
    if (n == 0) { /* it ended meanwhile */
        store_rollback(r->c->store);
        return request_missing(r, "group", id);
    }
    if (n < 0 ||
        store_run(r->c->store, "DELETE FROM group_members WHERE grp = ? AND device IN (SELECT value FROM json_each(?))",
                  "sj", id, removed) < 0 ||
        store_run(r->c->store, "INSERT OR IGNORE INTO group_members SELECT ?, value FROM json_each(?)", "sj", id,
                  added) < 0 ||
        store_commit(r->c->store) < 0) {
        store_rollback(r->c->store);
        return request_store_failed(r);
    }
    publisher_touch_list(r->c->publisher, added);
    publisher_touch_list(r->c->publisher, removed);
    return request_aside(r, told, NULL);
}

int api_group_change(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    const char *name = NULL;
    const json_t *devices, *add, *gone;
    if (form_known(&form, "name devices add remove") < 0 || form_text(&form, "name", false, 1, 200, &name) < 0 ||
        form_ids(&form, "devices", false, MEMBERS_AT_ONCE, &devices) < 0 ||
        form_ids(&form, "add", false, MEMBERS_AT_ONCE, &add) < 0 ||
        form_ids(&form, "remove", false, MEMBERS_AT_ONCE, &gone) < 0)
        return -1;
    json_t *group = find(r, r->param[0]);
    if (!group)
        return request_missing(r, "group", r->param[0]);
    const char *unit = json_string_value(json_object_get(group, "unit"));
    json_t *made = difference(json_object_get(group, "devices"), devices, add, gone);
    int result = check_members(r, devices, unit);
    if (result == 0)
        result = check_members(r, add, unit);
    if (result == 0 && json_integer_value(json_object_get(made, "members")) > MEMBERS_MAX)
        result = refuse(&r->problem, 422, "value", "add", WORD_VALUE_LIST, "devices", (size_t)0, (size_t)MEMBERS_MAX);
    json_decref(group);
    if (result == 0)
        return request_on_loop(r, change, made);
    json_decref(made);
    return result;
}

/* A rule in force is never left without its place by that. */
int api_group_end(struct request *r)
{
    json_t *group = find(r, r->param[0]);
    if (!group)
        return request_missing(r, "group", r->param[0]);
    char *rule =
        store_text(r->c->store,
                   "SELECT id FROM rules, json_each(json_array('$.groups', '$.except_groups')) m WHERE ended_ms"
                   " IS NULL AND EXISTS (SELECT 1 FROM json_each(body, m.value) j WHERE j.value = ?) LIMIT 1",
                   "s", r->param[0]);
    int result = 0;
    if (rule)
        result = refuse(&r->problem, 409, "conflict", NULL, WORD_GROUP_USED, r->param[0], rule);
    else if (store_run(r->c->store, "DELETE FROM groups WHERE id = ?", "s", r->param[0]) < 0)
        result = request_store_failed(r);
    else
        result = request_reply(r, 200, json_incref(group));
    free(rule);
    json_decref(group);
    return result;
}
