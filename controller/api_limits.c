/* api_limits.c - limits of areas: what may be heard when, by whose word. Each belongs to the unit that laid it down. */
#include "controller/api.h"
#include "controller/areas.h"
#include "controller/limits_store.h"
#include "controller/places.h"
#include "controller/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMITS_AT_ONCE = 200, LIMITS_OF_AREA = 64 };

#define SQL_LIMIT                                                                                                      \
    "SELECT l.n AS cursor__text, l.id, l.area, l.body AS body__json, l.created_ms AS created__at FROM limits l "

static json_t *spread(json_t *row)
{
    if (row)
        json_object_update(row, json_object_get(row, "body"));
    json_object_del(row, "body");
    return row;
}

/* Those that hold for `area`, by its path; or all in the unit and above it. */
int api_limits_list(struct request *r)
{
    struct page page;
    json_t *row;
    size_t i;
    const char *area = request_query(r, "area");
    if (request_page(r, true, &page) < 0)
        return -1;
    if (area && !area_in_unit(r->c->store, area, r->token.unit))
        return request_missing(r, "area", area);
    json_t *rows =
        store_list(r->c->store,
                   SQL_SCOPE SQL_LIMIT "WHERE l.n > ?2 AND (l.area IN (SELECT id FROM over) OR (?4 AND"
                                       " l.area IN (SELECT id FROM scope))) ORDER BY l.n LIMIT ?3",
                   "siii", area ? area : r->token.unit, page.after_n, page.limit + 1, (int64_t)(area == NULL));
    json_array_foreach(rows, i, row) spread(row);
    return request_reply_page(r, &page, rows);
}

/* One line: its area, id and canonical body, as [area, id, body]; a new reference in *ret. */
static int read_line(struct request *r, const struct form *form, json_t **ret)
{
    const char *area, *id = NULL;
    char made[24];
    json_t *body;
    if (form_known(form, "id area " LIMIT_MEMBERS) < 0 || form_id(form, "id", false, &id) < 0 ||
        form_id(form, "area", true, &area) < 0 || limit_check(form, &body) < 0)
        return -1;
    int result = 0;
    if (!area_exists(r->c->store, area))
        result = refuse(&r->problem, 422, "value", "area", WORD_NO_AREA, "area", area);
    else if (!area_in_unit(r->c->store, area, r->token.unit))
        result = refuse(&r->problem, 403, "scope", "area", WORD_SCOPE, area, r->token.unit);
    json_object_set_new(body, "unit", json_string(r->token.unit));
    id_make("l-", made);
    if (result == 0)
        *ret = json_pack("[s, s, O]", area, id ? id : made, body);
    json_decref(body);
    return result;
}

static int read_lines(struct request *r, json_t **ret)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    const json_t *items;
    json_t *line = NULL;
    *ret = json_array();
    if (!json_object_get(r->json, "items")) {
        if (read_line(r, &form, &line) < 0)
            return -1;
        json_array_append_new(*ret, line);
        return 0;
    }
    if (form_known(&form, "items") < 0 || form_list(&form, "items", true, 1, LIMITS_AT_ONCE, &items) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct form item;
        if (form_item(&form, "items", items, i, &item) < 0 || read_line(r, &item, &line) < 0)
            return -1;
        json_array_append_new(*ret, line);
    }
    return 0;
}

/* 1: written, 0: the very line is there already; *ret_id which. In a transaction of the caller. */
static int write_line(struct request *r, const json_t *line, char **ret_id)
{
    const char *area = json_string_value(json_array_get(line, 0)), *id = json_string_value(json_array_get(line, 1));
    const json_t *body = json_array_get(line, 2);
    *ret_id = store_text(r->c->store, "SELECT id FROM limits WHERE area = ? AND body = ?", "sj", area, body);
    if (*ret_id)
        return 0;
    if (store_number(r->c->store, 0, "SELECT 1 FROM limits WHERE id = ?", "s", id) == 1)
        return refuse_taken(&r->problem, "limit", id);
    if (store_number(r->c->store, 0, "SELECT count(*) FROM limits WHERE area = ?", "s", area) >= LIMITS_OF_AREA)
        return refuse(&r->problem, 409, "conflict", "area", WORD_LIMIT_MANY, area, (int)LIMITS_OF_AREA);
    *ret_id = xstrdup(id);
    return store_run(r->c->store, "INSERT INTO limits (id, area, body, created_ms) VALUES (?, ?, ?, ?)", "ssji", id,
                     area, body, r->now_ms) < 0
               ? request_store_failed(r)
               : 1;
}

static void touch_area(struct request *r, const char *area)
{
    json_t *devices = areas_devices(r->c->store, area);
    publisher_touch_list(r->c->publisher, devices);
    json_decref(devices);
}

static json_t *told(struct request *r, const char *id)
{
    return spread(store_one(r->c->store, SQL_LIMIT "WHERE l.id = ?", "s", id));
}

/* All of them or none. */
static int write_lines(struct request *r, const json_t *lines, json_t *ret_ids)
{
    const json_t *line;
    size_t i;
    int result = 0, made = 0;
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    json_array_foreach(lines, i, line)
    {
        char *id = NULL;
        int n = result < 0 ? -1 : write_line(r, line, &id);
        result = n < 0 ? -1 : 0;
        made += n > 0;
        if (id)
            json_array_append_new(ret_ids, json_string(id));
        free(id);
    }
    if (result < 0) {
        store_rollback(r->c->store);
        return -1;
    }
    return store_commit(r->c->store) < 0 ? request_store_failed(r) : made;
}

int api_limits_new(struct request *r)
{
    json_t *lines = NULL, *ids = json_array(), *items = json_array(), *value;
    size_t i;
    int made = read_lines(r, &lines);
    if (made == 0)
        made = write_lines(r, lines, ids);
    if (made >= 0) {
        json_array_foreach(lines, i, value) touch_area(r, json_string_value(json_array_get(value, 0)));
        json_array_foreach(ids, i, value) json_array_append_new(items, told(r, json_string_value(value)));
    }
    int result = -1;
    if (made >= 0 && json_object_get(r->json, "items"))
        result = request_reply(r, made > 0 ? 201 : 200, json_pack("{s:O}", "items", items));
    else if (made >= 0)
        result = request_reply(r, made > 0 ? 201 : 200, json_incref(json_array_get(items, 0)));
    json_decref(items);
    json_decref(ids);
    json_decref(lines);
    return result;
}

/* Only the unit that laid it down, or one above that, takes it back. */
int api_limit_end(struct request *r)
{
    json_t *row = spread(store_one(r->c->store, SQL_SCOPE SQL_LIMIT "JOIN scope ON scope.id = l.area WHERE l.id = ?2",
                                   "ss", r->token.unit, r->param[0]));
    if (!row)
        return request_missing(r, "limit", r->param[0]);
    const char *unit = json_string_value(json_object_get(row, "unit"));
    int result = 0;
    if (!area_in_unit(r->c->store, unit, r->token.unit))
        result = refuse(&r->problem, 403, "scope", NULL, WORD_LIMIT_OF_OTHERS, r->param[0], unit);
    else if (store_run(r->c->store, "DELETE FROM limits WHERE id = ?", "s", r->param[0]) < 0)
        result = request_store_failed(r);
    if (result == 0) {
        touch_area(r, json_string_value(json_object_get(row, "area")));
        result = request_reply(r, 200, json_incref(row));
    }
    json_decref(row);
    return result;
}
