/* areas.c - see areas.h. */
#include "controller/areas.h"

#include "controller/places.h"
#include "playlists/base/bytes.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

static int64_t number_of(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

json_t *areas_planned(struct store *store)
{
    return store_list(store,
                      "SELECT n, what, area, into_area, name, effective_ms FROM area_changes WHERE done_ms IS NULL AND"
                      " undone_ms IS NULL ORDER BY effective_ms, n",
                      "");
}

int64_t areas_next_ms(struct store *store)
{
    return store_number(store, INT64_MAX,
                        "SELECT effective_ms FROM area_changes WHERE done_ms IS NULL AND undone_ms IS NULL"
                        " ORDER BY effective_ms LIMIT 1",
                        "");
}

/* --- where an area lies at a moment --- */

static bool lifts(const json_t *change)
{
    const char *what = text_of(change, "what");
    return strcmp(what, "merge") == 0 || strcmp(what, "move") == 0;
}

/* The parent after the first `n` of the planned changes, to be freed; NULL: none. */
static char *parent_after(struct store *store, const json_t *planned, size_t n, const char *area)
{
    for (size_t i = n; i-- > 0;) {
        const json_t *change = json_array_get(planned, i);
        if (lifts(change) && strcmp(text_of(change, "area"), area) == 0)
            return xstrdup(text_of(change, "into_area"));
    }
    return store_text(store, "SELECT parent FROM areas WHERE id = ?", "s", area);
}

/* Own first; cut where it would be too deep. New reference. */
static json_t *path_after(struct store *store, const json_t *planned, size_t n, const char *area)
{
    json_t *path = json_array();
    char *at = xstrdup(area);
    while (at && json_array_size(path) <= AREA_DEPTH_MAX) {
        json_array_append_new(path, json_string(at));
        char *above = parent_after(store, planned, n, at);
        free(at);
        at = above;
    }
    free(at);
    return path;
}

/* --- memberships --- */

static json_t *find_open(json_t *list, const json_t *area)
{
    json_t *row, *found = NULL;
    size_t i;
    json_array_foreach(list, i, row) if (json_equal(json_object_get(row, "area"), area) &&
                                         number_of(row, "until_ms") == INT64_MAX) found = row;
    return found;
}

static bool on_path(const json_t *path, const json_t *area)
{
    const json_t *own;
    size_t i;
    json_array_foreach(path, i, own) if (json_equal(own, area)) return true;
    return false;
}

static void begin(json_t *list, const json_t *area, int64_t from_ms, int64_t until_ms)
{
    json_array_append_new(list, json_pack("{s:O, s:I, s:I}", "area", area, "from_ms", (json_int_t)from_ms, "until_ms",
                                          (json_int_t)until_ms));
}

/* From at_ms on the path is this one. */
static void turn(json_t *list, const json_t *path, int64_t at_ms)
{
    json_t *row, *area;
    size_t i;
    json_array_foreach(list, i,
                       row) if (number_of(row, "until_ms") == INT64_MAX && !on_path(path, json_object_get(row, "area")))
        json_object_set_new(row, "until_ms", json_integer(at_ms));
    json_array_foreach(path, i, area) if (!find_open(list, area)) begin(list, area, at_ms, INT64_MAX);
}

/* Put in [from_ms, until_ms) of `area`: one with what it touches. */
static void join(json_t *list, const json_t *area, int64_t from_ms, int64_t until_ms)
{
    json_t *row;
    size_t i;
    if (from_ms >= until_ms)
        return;
    json_array_foreach(list, i, row)
    {
        if (!json_equal(json_object_get(row, "area"), area) || number_of(row, "from_ms") > until_ms ||
            number_of(row, "until_ms") < from_ms)
            continue;
        if (from_ms < number_of(row, "from_ms"))
            json_object_set_new(row, "from_ms", json_integer(from_ms));
        if (until_ms > number_of(row, "until_ms"))
            json_object_set_new(row, "until_ms", json_integer(until_ms));
        return;
    }
    begin(list, area, from_ms, until_ms);
}

/* One step down: what the area above has belonged to since ours came below it, and what ours belonged to before. A row
 * of the area about itself says when it came below. Consumes the list of the area above; new reference. */
static json_t *below(json_t *over, const json_t *area, const json_t *spans)
{
    json_t *list = json_array(), *row;
    int64_t since_ms = INT64_MIN;
    size_t i;
    json_array_foreach(spans, i, row) if (json_equal(json_object_get(row, "area"), area) &&
                                          json_equal(json_object_get(row, "above"), area)) since_ms =
        number_of(row, "from_ms");
    begin(list, area, INT64_MIN, INT64_MAX);
    json_array_foreach(over, i, row)
    {
        int64_t from_ms = number_of(row, "from_ms");
        join(list, json_object_get(row, "area"), from_ms > since_ms ? from_ms : since_ms, number_of(row, "until_ms"));
    }
    json_array_foreach(spans, i, row) if (json_equal(json_object_get(row, "area"), area) &&
                                          !json_equal(json_object_get(row, "above"), area))
        join(list, json_object_get(row, "above"), number_of(row, "from_ms"), number_of(row, "until_ms"));
    json_decref(over);
    return list;
}

/* As the tree is, and was. `path`: own first. */
static json_t *memberships_now(struct store *store, const json_t *path)
{
    json_t *spans = store_list(store,
                               "SELECT area, above, from_ms, until_ms FROM area_spans WHERE area IN (SELECT value FROM"
                               " json_each(?)) ORDER BY area, above, from_ms",
                               "j", path);
    json_t *list = json_array();
    for (size_t i = json_array_size(path); i-- > 0;)
        list = below(list, json_array_get(path, i), spans);
    json_decref(spans);
    return list;
}

json_t *areas_until_now(struct store *store, const char *area)
{
    json_t *path = area_path(store, area), *list = memberships_now(store, path);
    json_decref(path);
    return list;
}

json_t *areas_memberships(struct store *store, const char *area)
{
    json_t *planned = areas_planned(store);
    json_t *path = path_after(store, planned, 0, area), *list = memberships_now(store, path);
    size_t n = json_array_size(planned);
    for (size_t i = 0; i < n; i++) {
        int64_t at_ms = number_of(json_array_get(planned, i), "effective_ms");
        if (i + 1 < n && number_of(json_array_get(planned, i + 1), "effective_ms") == at_ms)
            continue;
        json_t *then = path_after(store, planned, i + 1, area);
        turn(list, then, at_ms);
        json_decref(then);
    }
    json_decref(path);
    json_decref(planned);
    return list;
}

/* An approval that still holds names it. */
static bool approved(struct store *store, const json_t *area, int64_t now_ms)
{
    return store_number(store, 0,
                        "SELECT 1 FROM approvals WHERE until_ms > ? AND EXISTS (SELECT 1 FROM json_each(areas) j WHERE"
                        " j.value = ?) LIMIT 1",
                        "is", now_ms, json_string_value(area)) == 1;
}

static void add_once(json_t *list, json_t *area)
{
    if (json_array_size(list) < AREAS_OF_CONFIG_MAX && !on_path(list, area))
        json_array_append(list, area);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The device's own area first, the others by their ids: what only changes places at a midnight is the same
 * configuration. Consumes the list; new reference. */
static json_t *own_first(json_t *list, json_t *own)
{
    size_t n = json_array_size(list);
    json_t **at = xcalloc(n + 1, sizeof(*at)), *ret = json_array();
    for (size_t i = 0; i < n; i++)
        at[i] = json_array_get(list, i);
    qsort(at, n, sizeof(*at), by_id);
    if (own && on_path(list, own))
        json_array_append(ret, own);
    for (size_t i = 0; i < n; i++)
        add_once(ret, at[i]);
    free(at);
    json_decref(list);
    return ret;
}

json_t *areas_of_config(struct store *store, const json_t *memberships, const json_t *former, int64_t now_ms)
{
    json_t *list = json_array(), *row, *area;
    size_t i;
    for (int past = 0; past < 2; past++)
        json_array_foreach(memberships, i, row)
        {
            area = json_object_get(row, "area");
            bool over = number_of(row, "until_ms") <= now_ms || area_ended(store, json_string_value(area), NULL);
            bool wanted = past ? over && approved(store, area, now_ms)
                               : !over && number_of(row, "from_ms") < now_ms + AREAS_AHEAD_MS;
            if (wanted)
                add_once(list, area);
        }
    json_array_foreach(former, i, area) add_once(list, area);
    return own_first(list, json_object_get(json_array_get(memberships, 0), "area"));
}

bool area_ended(struct store *store, const char *area, char **ret_into)
{
    json_t *row = store_one(store, "SELECT into_area FROM area_ends WHERE area = ?", "s", area);
    if (!row)
        return false;
    const char *into = text_of(row, "into_area");
    if (ret_into)
        *ret_into = into ? xstrdup(into) : NULL;
    json_decref(row);
    return true;
}

char *area_commune(struct store *store, const char *area)
{
    return store_text(
        store,
        "WITH RECURSIVE up(id, parent, kind, depth) AS (SELECT id, parent, kind, 0 FROM areas WHERE id = ?"
        " UNION SELECT a.id, a.parent, a.kind, depth + 1 FROM areas a JOIN up ON a.id = up.parent"
        " WHERE depth < 16) SELECT id FROM up WHERE kind IN ('commune', 'ward') AND id NOT IN (SELECT"
        " area FROM area_ends) ORDER BY depth LIMIT 1",
        "s", area);
}

json_t *areas_devices(struct store *store, const char *area)
{
    json_t *rows =
        store_list(store,
                   "WITH RECURSIVE planned(area, into_area) AS (SELECT area, into_area FROM area_changes"
                   " WHERE done_ms IS NULL AND undone_ms IS NULL AND into_area IS NOT NULL),"
                   " scope(id) AS (SELECT ?1 UNION SELECT a.id FROM areas a JOIN scope ON a.parent = scope.id"
                   " UNION SELECT p.area FROM planned p JOIN scope ON p.into_area = scope.id)"
                   " SELECT d.id FROM devices d JOIN scope ON scope.id = d.area ORDER BY d.id",
                   "s", area);
    json_t *ids = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row) json_array_append(ids, json_object_get(row, "id"));
    json_decref(rows);
    return ids;
}

/* --- may it be? --- */

/* The area has ended before the n-th planned change, in the tree or by one of those before it. */
static bool ended_before(struct store *store, const json_t *planned, size_t n, const char *area)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *change = json_array_get(planned, i);
        const char *what = text_of(change, "what");
        if (strcmp(text_of(change, "area"), area) == 0 && (strcmp(what, "merge") == 0 || strcmp(what, "end") == 0))
            return true;
    }
    return area_ended(store, area, NULL);
}

/* The way up closes a circle or is too long. */
static bool too_deep(struct store *store, const json_t *planned, size_t n, const char *area)
{
    json_t *path = path_after(store, planned, n, area);
    bool deep = json_array_size(path) > AREA_DEPTH_MAX;
    json_decref(path);
    return deep;
}

/* The longest way down from `area` after n changes would make it too deep: asked of all areas, since few change. */
static char *any_too_deep(struct store *store, const json_t *planned, size_t n)
{
    json_t *rows = store_list(store,
                              "SELECT id FROM areas WHERE id NOT IN (SELECT parent FROM areas WHERE parent IS NOT"
                              " NULL) OR id IN (SELECT area FROM area_changes WHERE done_ms IS NULL AND"
                              " undone_ms IS NULL)",
                              ""),
           *row;
    char *found = NULL;
    size_t i;
    json_array_foreach(rows, i, row) if (!found && too_deep(store, planned, n, text_of(row, "id"))) found =
        xstrdup(text_of(row, "id"));
    json_decref(rows);
    return found;
}

static int check_one(struct store *store, const json_t *planned, size_t i, struct problem *problem)
{
    const json_t *change = json_array_get(planned, i);
    const char *area = text_of(change, "area"), *into = text_of(change, "into_area");
    if (!area_exists(store, area) || (into && !area_exists(store, into)))
        return refuse(problem, 422, "value", "area", WORD_NO_AREA, "area", area_exists(store, area) ? into : area);
    if (ended_before(store, planned, i, area))
        return refuse(problem, 409, "conflict", "area", WORD_AREA_ENDED, area);
    if (into && ended_before(store, planned, i, into))
        return refuse(problem, 409, "conflict", "into", WORD_AREA_ENDED, into);
    if (too_deep(store, planned, i + 1, area))
        return refuse(problem, 422, "value", "into", WORD_AREA_LOOP, area);
    return 0;
}

int areas_check(struct store *store, struct problem *problem)
{
    json_t *planned = areas_planned(store);
    size_t n = json_array_size(planned);
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++)
        result = check_one(store, planned, i, problem);
    char *deep = n > 0 && result == 0 ? any_too_deep(store, planned, n) : NULL;
    if (deep)
        result = refuse(problem, 422, "value", "into", WORD_AREA_LOOP, deep);
    free(deep);
    json_decref(planned);
    return result;
}

/* --- it happens --- */

int areas_note(struct store *store, const char *area, const json_t *before, int64_t at_ms)
{
    const json_t *row;
    size_t i;
    int r = store_run(store, "DELETE FROM area_spans WHERE area = ?", "s", area);
    json_array_foreach(before, i, row)
    {
        const char *above = text_of(row, "area");
        int64_t from_ms = number_of(row, "from_ms"), until_ms = number_of(row, "until_ms");
        until_ms = until_ms < at_ms ? until_ms : at_ms;
        if (r >= 0 && from_ms < until_ms && strcmp(above, area) != 0)
            r = store_run(store, "INSERT OR REPLACE INTO area_spans VALUES (?, ?, ?, ?)", "ssii", area, above, from_ms,
                          until_ms);
    }
    if (r >= 0)
        r = store_run(store, "INSERT INTO area_spans VALUES (?, ?, ?, ?)", "ssii", area, area, at_ms, INT64_MAX);
    return r < 0 ? r : 0;
}

static int lift(struct store *store, const char *area, const char *into, int64_t at_ms)
{
    json_t *before = areas_until_now(store, area);
    int r = store_run(store, "UPDATE areas SET parent = ? WHERE id = ?", "ss", into, area);
    r = r < 0 ? r : areas_note(store, area, before, at_ms);
    json_decref(before);
    return r;
}

static int end_area(struct store *store, const char *area, const char *into, int64_t at_ms)
{
    int r =
        store_run(store, "INSERT OR REPLACE INTO area_ends SELECT id, coalesce(?, parent), ? FROM areas WHERE id = ?",
                  "sis", into, at_ms, area);
    return r < 0 ? r : 0;
}

static int apply_one(struct store *store, const json_t *change, int64_t now_ms)
{
    const char *what = text_of(change, "what"), *area = text_of(change, "area"), *into = text_of(change, "into_area");
    int64_t at_ms = number_of(change, "effective_ms");
    int r = store_run(store,
                      "UPDATE area_changes SET done_ms = ?, former = (SELECT CASE what WHEN 'rename' THEN a.name ELSE"
                      " a.parent END FROM areas a WHERE a.id = area) WHERE n = ?",
                      "ii", now_ms, number_of(change, "n"));
    if (r >= 0 && lifts(change))
        r = lift(store, area, into, at_ms);
    if (r >= 0 && (strcmp(what, "merge") == 0 || strcmp(what, "end") == 0))
        r = end_area(store, area, into, at_ms);
    if (r >= 0 && strcmp(what, "rename") == 0)
        r = store_run(store, "UPDATE areas SET name = ? WHERE id = ?", "ss", text_of(change, "name"), area);
    return r < 0 ? r : 0;
}

int areas_apply(struct store *store, int64_t now_ms, json_t **ret_devices)
{
    json_t *planned = areas_planned(store), *devices = json_array(), *change;
    size_t i;
    int n = 0, r = store_begin(store);
    *ret_devices = devices;
    if (r < 0) {
        json_decref(planned);
        return r;
    }
    json_array_foreach(planned, i, change)
    {
        if (number_of(change, "effective_ms") > now_ms || r < 0)
            break;
        json_t *concerned = areas_devices(store, text_of(change, "area"));
        r = apply_one(store, change, now_ms);
        json_array_extend(devices, concerned);
        json_decref(concerned);
        n++;
    }
    json_decref(planned);
    if (r >= 0)
        r = store_commit(store);
    else
        store_rollback(store);
    return r < 0 ? r : n;
}
