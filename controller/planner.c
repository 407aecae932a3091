/* planner.c - see planner.h. */
#include "controller/planner.h"

#include "controller/approvals.h"
#include "controller/areas.h"
#include "controller/limits_store.h"
#include "controller/mandate.h"
#include "controller/places.h"
#include "controller/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int index_of(const char *const *names, const char *word)
{
    for (int i = 0; word && names[i]; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return 0;
}

static const char *keep(struct arena *arena, const json_t *value)
{
    return arena_strndup(arena, json_string_value(value), json_string_length(value));
}

void planner_config(struct controller *c, const json_t *facts, int64_t now_ms, struct arena *arena, struct config *ret)
{
    const json_t *settings = json_object_get(facts, "settings");
    struct config config = {
        .kind = index_of(device_kind_names, json_string_value(json_object_get(facts, "kind"))),
        .zone = keep(arena, json_object_get(settings, "zone")),
        .areas = texts_of_json(json_object_get(facts, "config_areas"), arena),
        .languages = texts_of_json(json_object_get(settings, "languages"), arena),
        .delay_ms = json_integer_value(json_object_get(settings, "delay_ms")),
        .heard_level_mb = json_integer_value(json_object_get(settings, "heard_level_mb")),
    };
    struct limits limits;
    limits_load(c->store, facts, c->zones, arena, &limits);
    limits_config(&limits, now_ms, arena, &config);
    *ret = config;
}

static const struct bulletin *bulletin_of(const void *timetables, const char *hash)
{
    return timetables_bulletin(timetables, hash)->bulletin;
}

static struct membership *memberships(const json_t *facts, struct arena *arena, size_t *ret_n)
{
    const json_t *timed = json_object_get(facts, "memberships"), *member;
    size_t i;
    *ret_n = json_array_size(timed);
    struct membership *all = arena_alloc(arena, (*ret_n + 1) * sizeof(*all));
    json_array_foreach(timed, i, member) all[i] = (struct membership){
        keep(arena, json_object_get(member, "area")), json_integer_value(json_object_get(member, "from_ms")),
        json_integer_value(json_object_get(member, "until_ms"))};
    return all;
}

void planner_device(struct controller *c, const json_t *facts, struct arena *arena, struct compile_device *ret)
{
    const json_t *settings = json_object_get(facts, "settings");
    *ret = (struct compile_device){
        .id = keep(arena, json_object_get(facts, "id")),
        .kind = (enum device_kind)index_of(device_kind_names, json_string_value(json_object_get(facts, "kind"))),
        .languages = texts_of_json(json_object_get(settings, "languages"), arena),
        .tags = texts_of_json(json_object_get(settings, "tags"), arena),
        .groups = texts_of_json(json_object_get(facts, "groups"), arena),
    };
    ret->areas = memberships(facts, arena, &ret->n_areas);
    limits_load(c->store, facts, c->zones, arena, &ret->limits);
}

void planner_playlist(struct controller *c, struct timetables *timetables, const json_t *facts, int64_t now_ms,
                      size_t max_items, struct arena *arena, struct playlist *ret, struct compile_result *ret_result)
{
    struct compile_device device;
    int64_t until_ms = now_ms + HORIZON_DAYS * INT64_C(86400000);
    planner_device(c, facts, arena, &device);
    timeline_write(timetables_timeline(timetables, &device), now_ms, until_ms, max_items, arena, ret_result);
    struct texts areas = texts_of_json(json_object_get(facts, "config_areas"), arena);
    (void)approvals_add(c, bulletin_of, timetables, &areas, now_ms, arena, ret_result);
    *ret = (struct playlist){.from_ms = now_ms,
                             .until_ms = ret_result->until_ms,
                             .bulletins = ret_result->bulletins,
                             .n_bulletins = ret_result->n_bulletins,
                             .items = ret_result->items,
                             .n_items = ret_result->n_items};
}

/* Items that still count, each with its bulletin in place of the index. */
static json_t *items_between(const json_t *playlist, int64_t now_ms, int64_t until_ms)
{
    const json_t *bulletins = json_object_get(playlist, "bulletins"), *items = json_object_get(playlist, "items");
    json_t *list = json_array(), *item;
    size_t i;
    json_array_foreach(items, i, item)
    {
        if (json_integer_value(json_object_get(item, "end_ms")) <= now_ms ||
            json_integer_value(json_object_get(item, "start_ms")) >= until_ms)
            continue;
        size_t index = (size_t)json_integer_value(json_object_get(item, "bulletin"));
        json_t *copy = json_copy(item);
        json_object_set(copy, "bulletin", json_array_get(bulletins, index));
        json_array_append_new(list, copy);
    }
    return list;
}

bool planner_same(const json_t *published, const json_t *fresh, int64_t now_ms)
{
    int64_t a_ms = json_integer_value(json_object_get(published, "until_ms"));
    int64_t b_ms = json_integer_value(json_object_get(fresh, "until_ms"));
    int64_t until_ms = a_ms < b_ms ? a_ms : b_ms;
    json_t *a = items_between(published, now_ms, until_ms), *b = items_between(fresh, now_ms, until_ms);
    bool same = json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}

json_t *planner_devices(struct store *store)
{
    return store_ids(store_list(store, "SELECT id FROM devices ORDER BY id", ""));
}

json_t *planner_devices_of(struct store *store, const json_t *body)
{
    return store_ids(store_list(
        store,
        "WITH RECURSIVE planned(area, into_area) AS (SELECT area, into_area FROM area_changes WHERE done_ms IS NULL AND"
        " undone_ms IS NULL AND into_area IS NOT NULL), meant(id) AS (SELECT value FROM json_each(?1, '$.areas') UNION"
        " SELECT a.id FROM areas a JOIN meant ON a.parent = meant.id UNION SELECT p.area FROM planned p JOIN meant ON"
        " p.into_area = meant.id), gone(id) AS (SELECT value FROM json_each(?1, '$.except_areas') UNION SELECT a.id "
        "FROM"
        " areas a JOIN gone ON a.parent = gone.id) SELECT id FROM devices d WHERE (area IN (SELECT id FROM meant)"
        " OR id IN (SELECT value FROM json_each(?1, '$.devices')) OR id IN (SELECT device FROM group_members WHERE grp "
        "IN"
        " (SELECT value FROM json_each(?1, '$.groups')))) AND area NOT IN (SELECT id FROM gone)"
        " AND id NOT IN (SELECT value FROM json_each(?1, '$.except_devices'))"
        " AND id NOT IN (SELECT device FROM group_members WHERE grp IN (SELECT value FROM json_each(?1,"
        " '$.except_groups')))"
        " AND (json_array_length(?1, '$.kinds') = 0 OR kind IN (SELECT value FROM json_each(?1, '$.kinds')))"
        " AND (coalesce(json_array_length(?1, '$.tags'), 0) = 0 OR EXISTS (SELECT 1 FROM json_each(d.settings, "
        "'$.tags')"
        " WHERE value IN (SELECT value FROM json_each(?1, '$.tags')))) ORDER BY id",
        "j", body));
}

json_t *planner_devices_within(struct store *store, const json_t *body, const char *area)
{
    json_t *all = planner_devices_of(store, body);
    if (!area)
        return all;
    json_t *there = areas_devices(store, area);
    json_t *both = store_ids(store_list(
        store, "SELECT value AS id FROM json_each(?) WHERE value IN (SELECT value FROM json_each(?)) ORDER BY value",
        "jj", all, there));
    json_decref(all);
    json_decref(there);
    return both;
}
