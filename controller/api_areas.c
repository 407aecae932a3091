/* api_areas.c - the tree of areas. */
#include "controller/api.h"
#include "controller/areas.h"
#include "controller/places.h"
#include "controller/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AREAS_AT_ONCE = 2000, DEPTH_MAX = 16 };

#define SQL_AREA                                                                                                       \
    "SELECT a.id AS cursor, a.id, a.parent, a.kind, a.name, e.ended_ms AS ended__at, e.into_area AS ended_into FROM"   \
    " areas a LEFT JOIN area_ends e ON e.area = a.id "

static json_t *with_path(struct request *r, json_t *row)
{
    if (row)
        json_object_set_new(row, "path", area_path(r->c->store, json_string_value(json_object_get(row, "id"))));
    return row;
}

int api_areas_list(struct request *r)
{
    struct page page;
    json_t *rows, *row;
    size_t i;
    if (request_page(r, false, &page) < 0)
        return -1;
    rows = store_list(r->c->store,
                      SQL_SCOPE SQL_AREA "JOIN scope ON scope.id = a.id WHERE a.id > ?2 ORDER BY a.id LIMIT ?3", "ssi",
                      r->token.unit, page.after ? page.after : "", page.limit + 1);
    json_array_foreach(rows, i, row) with_path(r, row);
    return request_reply_page(r, &page, rows);
}

int api_area(struct request *r)
{
    json_t *row =
        with_path(r, store_one(r->c->store, SQL_SCOPE SQL_AREA "JOIN scope ON scope.id = a.id WHERE a.id = ?2", "ss",
                               r->token.unit, r->param[0]));
    return row ? request_reply(r, 200, row) : request_missing(r, "area", r->param[0]);
}

/* One line of CSV into four fields, in place; "" within quotes is a quote. */
static int split_line(char *line, char *field[4])
{
    int n = 0;
    char *in = line;
    for (;;) {
        char *out = in;
        if (n == 4)
            return 5;
        field[n++] = out;
        bool quoted = *in == '"';
        in += quoted;
        while (*in && (quoted || *in != ',')) {
            if (quoted && *in == '"') {
                if (in[1] != '"') {
                    in++;
                    break;
                }
                in++;
            }
            *out++ = *in++;
        }
        bool more = *in == ',';
        bool stray = *in && !more;
        *out = '\0';
        if (stray)
            return -1;
        if (!more)
            return n;
        in++;
    }
}

static int parse_csv(struct request *r, json_t **ret)
{
    char *text = xstrdup(buf_text(&r->body)), *save = NULL;
    json_t *items = json_array();
    int line_number = 0, bad = 0;
    if (strlen(text) != r->body.len || !utf8_valid(text, r->body.len))
        bad = 1;
    for (char *line = strtok_r(text, "\n", &save); line && !bad; line = strtok_r(NULL, "\n", &save)) {
        char *field[4];
        line[strcspn(line, "\r")] = '\0';
        line_number++;
        if (line_number == 1) {
            bad = strcmp(line, "id,parent,kind,name") != 0;
            continue;
        }
        if (!*line)
            continue;
        if (split_line(line, field) != 4) {
            bad = line_number;
            break;
        }
        json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:s}", "id", field[0], "parent", field[1], "kind",
                                               field[2], "name", field[3]));
    }
    free(text);
    if (bad || line_number == 0) {
        json_decref(items);
        return refuse(&r->problem, 400, "body", NULL, WORD_CSV, bad ? bad : 1);
    }
    *ret = json_pack("{s:o}", "items", items);
    return 0;
}

static const char *parent_of(const json_t *item)
{
    const char *parent = json_string_value(json_object_get(item, "parent"));
    return parent && *parent ? parent : NULL;
}

static int check_item(struct request *r, const json_t *items, size_t i)
{
    struct form form;
    const char *id, *parent = "", *name;
    int kind;
    if (form_item(&(struct form){.problem = &r->problem}, "items", items, i, &form) < 0 ||
        form_known(&form, "id parent kind name") < 0 || form_id(&form, "id", true, &id) < 0 ||
        form_text(&form, "parent", false, 0, 40, &parent) < 0 ||
        form_choice(&form, "kind", true, area_kind_names, &kind) < 0 ||
        form_text(&form, "name", true, 1, 200, &name) < 0)
        return -1;
    if (*parent && !id_valid(parent))
        return refuse(&r->problem, 422, "value", "parent", WORD_VALUE_ID, "parent", parent);
    return 0;
}

/* The area above `id` once the list is written: the list's word, else the store's. "": none; NULL: no such area. */
static char *parent_then(struct request *r, const json_t *listed, const char *id)
{
    const json_t *item = json_object_get(listed, id);
    const char *parent = item ? parent_of(item) : NULL;
    return item ? xstrdup(parent ? parent : "")
                : store_text(r->c->store, "SELECT coalesce(parent, '') FROM areas WHERE id = ?", "s", id);
}

/* All the way up: each area is there, and nothing goes round in circles. */
static int check_way_up(struct request *r, const json_t *listed, const char *id)
{
    char *at = xstrdup(id);
    int result = 0;
    for (int depth = 0; result == 0 && *at; depth++) {
        char *above = parent_then(r, listed, at);
        if (!above)
            result = refuse(&r->problem, 422, "value", "parent", WORD_NO_AREA, id, at);
        else if (depth == DEPTH_MAX || strcmp(above, id) == 0)
            result = refuse(&r->problem, 422, "value", "parent", WORD_AREA_LOOP, id);
        free(at);
        at = above ? above : xstrdup("");
    }
    free(at);
    return result;
}

/* Who has a unit does not decide where the unit lies: that is for those above. A unit that is not there yet begins at
 * the top. */
static int check_own_unit(struct request *r, const json_t *item)
{
    const char *parent = parent_of(item);
    char *stored = store_text(r->c->store, "SELECT coalesce(parent, '') FROM areas WHERE id = ?", "s", r->token.unit);
    bool same = strcmp(stored ? stored : "", parent ? parent : "") == 0;
    free(stored);
    return same ? 0 : refuse(&r->problem, 403, "scope", "parent", WORD_OWN_UNIT, r->token.unit);
}

/* What has ended stays where it is, and nothing new comes below it. */
static int check_living(struct request *r, const json_t *item)
{
    const char *id = json_string_value(json_object_get(item, "id")), *parent = parent_of(item);
    char *stored = store_text(r->c->store, "SELECT coalesce(parent, '') FROM areas WHERE id = ?", "s", id);
    bool moved = !stored || strcmp(stored, parent ? parent : "") != 0;
    free(stored);
    const char *ended = moved && area_ended(r->c->store, id, NULL)                 ? id
                        : moved && parent && area_ended(r->c->store, parent, NULL) ? parent
                                                                                   : NULL;
    return ended ? refuse(&r->problem, 409, "conflict", "parent", WORD_AREA_ENDED, ended) : 0;
}

/* An area that is there lies in the caller's unit by the stored tree, and each area will: its first ancestor that is
 * not in the list lies there by the stored tree, or an ancestor is the unit itself. Areas of the list on the way are
 * judged by the same rule, so none of them can lead out. */
static int check_place(struct request *r, const json_t *listed, const json_t *item)
{
    const char *id = json_string_value(json_object_get(item, "id")), *unit = r->token.unit, *at;
    if (check_way_up(r, listed, id) < 0)
        return -1;
    if (strcmp(id, unit) == 0)
        return check_own_unit(r, item);
    bool inside = !area_exists(r->c->store, id) || area_in_unit(r->c->store, id, unit);
    for (at = parent_of(item); at && strcmp(at, unit) != 0 && json_object_get(listed, at);)
        at = parent_of(json_object_get(listed, at));
    inside = inside && at && area_in_unit(r->c->store, at, unit);
    return inside ? check_living(r, item) : refuse(&r->problem, 403, "scope", NULL, WORD_SCOPE, id, unit);
}

static int write_areas(struct request *r, const json_t *items, int count[3])
{
    json_t *item;
    size_t i;
    json_array_foreach(items, i, item)
    {
        const char *id = json_string_value(json_object_get(item, "id"));
        const char *kind = json_string_value(json_object_get(item, "kind"));
        const char *name = json_string_value(json_object_get(item, "name")), *parent = parent_of(item);
        bool there = area_exists(r->c->store, id);
        int n = store_run(r->c->store,
                          "INSERT INTO areas VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET parent ="
                          " excluded.parent, kind = excluded.kind, name = excluded.name WHERE parent IS NOT"
                          " excluded.parent OR kind <> excluded.kind OR name <> excluded.name",
                          "ssss", id, parent, kind, name);
        if (n < 0)
            return n;
        count[!there ? 0 : n > 0 ? 1 : 2]++;
    }
    return 0;
}

/* A stored parent changed by this list could still close a circle through areas that stay. */
static bool circle(struct request *r)
{
    return store_number(r->c->store, 0,
                        "WITH RECURSIVE down(id, depth) AS (SELECT id, 0 FROM areas WHERE parent IS NULL UNION ALL"
                        " SELECT a.id, depth + 1 FROM areas a JOIN down ON a.parent = down.id WHERE depth < 16)"
                        " SELECT (SELECT count(*) FROM areas) - (SELECT count(*) FROM down)",
                        "") != 0;
}

/* Where those listed belong that are there already and get another parent, by their ids. New reference. */
static json_t *moves_of(struct request *r, const json_t *items)
{
    json_t *moves = json_object(), *item;
    size_t i;
    json_array_foreach(items, i, item)
    {
        const char *id = json_string_value(json_object_get(item, "id"));
        if (store_number(r->c->store, 0, "SELECT 1 FROM areas WHERE id = ? AND parent IS NOT ?", "ss", id,
                         parent_of(item)) == 1)
            json_object_set_new(moves, id, areas_until_now(r->c->store, id));
    }
    return moves;
}

/* What moved now, with no midnight: noted all the same. */
static int note_moves(struct request *r, const json_t *moves)
{
    const char *id;
    json_t *before;
    int result = 0;
    json_object_foreach((json_t *)(uintptr_t)moves, id, before) if (result == 0) result =
        areas_note(r->c->store, id, before, r->now_ms);
    return result;
}

static int write_all(struct request *r, const json_t *items, int count[3])
{
    json_t *before = moves_of(r, items);
    int result = write_areas(r, items, count);
    if (result >= 0)
        result = note_moves(r, before);
    json_decref(before);
    return result;
}

static int put_all(struct request *r, const json_t *items)
{
    int count[3] = {0};
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    if (write_all(r, items, count) < 0) {
        store_rollback(r->c->store);
        return request_store_failed(r);
    }
    if (circle(r)) {
        store_rollback(r->c->store);
        return refuse(&r->problem, 422, "value", "parent", WORD_AREA_LOOP,
                      json_string_value(json_object_get(json_array_get(items, 0), "id")));
    }
    if (areas_check(r->c->store, &r->problem) < 0) {
        store_rollback(r->c->store);
        return -1;
    }
    if (store_commit(r->c->store) < 0)
        return request_store_failed(r);
    if (count[1] > 0)
        publisher_touch_all(r->c->publisher);
    return request_reply(r, 200,
                         json_pack("{s:i, s:i, s:i}", "created", count[0], "changed", count[1], "same", count[2]));
}

/* The items by their ids, each of which stands there once; put into ret_listed. */
static int check_items(struct request *r, const json_t *items, json_t *ret_listed)
{
    json_t *item;
    size_t i;
    json_array_foreach(items, i, item)
    {
        if (check_item(r, items, i) < 0)
            return -1;
        const char *id = json_string_value(json_object_get(item, "id"));
        if (json_object_get(ret_listed, id))
            return refuse(&r->problem, 422, "value", "id", WORD_VALUE_TWICE, "id", id);
        json_object_set(ret_listed, id, item);
    }
    json_array_foreach(items, i, item) if (check_place(r, ret_listed, item) < 0) return -1;
    return 0;
}

int api_areas_put(struct request *r)
{
    struct form form = {.problem = &r->problem};
    const json_t *items;
    if (r->csv && parse_csv(r, &r->json) < 0)
        return -1;
    form.object = r->json;
    if (form_known(&form, "items") < 0 || form_list(&form, "items", true, 1, AREAS_AT_ONCE, &items) < 0)
        return -1;
    json_t *listed = json_object();
    int result = check_items(r, items, listed);
    json_decref(listed);
    return result < 0 ? -1 : put_all(r, items);
}
