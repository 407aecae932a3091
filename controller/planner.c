/* planner.c - see planner.h. */
#include "controller/planner.h"

#include "controller/approvals.h"
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

static int64_t minute_of(const json_t *window, const char *name)
{
    const char *text = json_string_value(json_object_get(window, name));
    int32_t second;
    if (text && strcmp(text, "24:00") == 0)
        return 1440;
    return text && civil_parse_time(text, &second) >= 0 ? second / 60 : 0;
}

static struct day_window *windows(const json_t *list, struct arena *arena, size_t *ret_n)
{
    size_t n = json_array_size(list);
    struct day_window *all = n ? arena_alloc(arena, n * sizeof(*all)) : NULL;
    for (size_t i = 0; i < n; i++) {
        const json_t *window = json_array_get(list, i);
        all[i] = (struct day_window){.from_min = minute_of(window, "from"),
                                     .to_min = minute_of(window, "to"),
                                     .gain_mb = json_integer_value(json_object_get(window, "gain_mb"))};
    }
    *ret_n = n;
    return all;
}

static struct texts with_former(const json_t *facts, struct arena *arena)
{
    const json_t *former = json_object_get(json_object_get(facts, "settings"), "former_areas");
    json_t *all = json_copy(json_object_get(facts, "areas"));
    json_t *area;
    size_t i, j;
    json_array_foreach(former, i, area)
    {
        bool there = false;
        json_t *own;
        json_array_foreach(all, j, own) there = there || json_equal(own, area);
        if (!there)
            json_array_append(all, area);
    }
    struct texts texts = texts_of_json(all, arena);
    json_decref(all);
    return texts;
}

static const char *keep(struct arena *arena, const json_t *value)
{
    return arena_strndup(arena, json_string_value(value), json_string_length(value));
}

void planner_config(const json_t *facts, struct arena *arena, struct config *ret)
{
    const json_t *settings = json_object_get(facts, "settings");
    struct config config = {
        .kind = index_of(device_kind_names, json_string_value(json_object_get(facts, "kind"))),
        .zone = keep(arena, json_object_get(settings, "zone")),
        .areas = with_former(facts, arena),
        .languages = texts_of_json(json_object_get(settings, "languages"), arena),
        .delay_ms = json_integer_value(json_object_get(settings, "delay_ms")),
        .heard_level_mb = json_integer_value(json_object_get(settings, "heard_level_mb")),
    };
    config.quiet_hours = windows(json_object_get(settings, "quiet_hours"), arena, &config.n_quiet_hours);
    config.gain_ceilings = windows(json_object_get(settings, "gain_ceilings"), arena, &config.n_gain_ceilings);
    *ret = config;
}

static size_t rules_for(struct controller *c, const json_t *facts, struct arena *arena, struct rule **ret)
{
    json_t *rows = store_list(c->store,
                              SQL_SCOPE "SELECT id, body AS body__json FROM rules WHERE ended_ms IS NULL AND id IN ("
                                        "SELECT rule FROM rule_targets WHERE target = ?2 AND kind = 'device' UNION "
                                        "SELECT rule FROM rule_targets WHERE kind = 'area' AND target IN (SELECT id"
                                        " FROM over)) ORDER BY id",
                              "ss", json_string_value(json_object_get(facts, "area")),
                              json_string_value(json_object_get(facts, "id")));
    size_t n = 0, i;
    json_t *row;
    *ret = arena_alloc(arena, (json_array_size(rows) + 1) * sizeof(**ret));
    json_array_foreach(rows, i, row) if (rule_build(json_string_value(json_object_get(row, "id")),
                                                    json_object_get(row, "body"), c->zones, arena, &(*ret)[n]) == 0)
        n++;
    json_decref(rows);
    return n;
}

static bool bulletin_for(struct controller *c, const char *hash, struct arena *arena, struct compile_bulletin *ret)
{
    char *body = store_text(c->store, "SELECT body FROM bulletins WHERE hash = ?", "s", hash);
    struct bulletin *bulletin = NULL;
    bool found = body && bulletin_decode(body, strlen(body), arena, &bulletin, NULL) >= 0;
    if (found)
        *ret = (struct compile_bulletin){.hash = hash, .size = (int64_t)strlen(body), .bulletin = bulletin};
    free(body);
    return found;
}

static size_t bulletins_for(struct controller *c, const struct rule *rules, size_t n_rules, struct arena *arena,
                            struct compile_bulletin **ret)
{
    size_t n = 0;
    *ret = arena_alloc(arena, (n_rules + 1) * sizeof(**ret));
    for (size_t i = 0; i < n_rules; i++) {
        bool there = false;
        for (size_t j = 0; j < n && !there; j++)
            there = strcmp((*ret)[j].hash, rules[i].bulletin) == 0;
        if (!there && bulletin_for(c, rules[i].bulletin, arena, &(*ret)[n]))
            n++;
    }
    return n;
}

/* Which approvals a bulletin needs is known once its items are. */
static void add_approvals(struct controller *c, const struct compile_bulletin *bulletins, size_t n_bulletins,
                          const struct texts *areas, int64_t now_ms, struct arena *arena, struct compile_result *result)
{
    size_t *wanted = arena_alloc(arena, (result->n_items + 1) * sizeof(*wanted));
    for (size_t i = 0; i < result->n_bulletins; i++) {
        struct playlist_bulletin *to = &result->bulletins[i];
        struct approvals_case wants = {.authority = mandate_authority(c->mandate),
                                       .hash = to->hash,
                                       .areas = areas,
                                       .items = result->items,
                                       .wanted = wanted};
        for (size_t j = 0; j < n_bulletins; j++)
            if (strcmp(bulletins[j].hash, to->hash) == 0)
                wants.bulletin = bulletins[j].bulletin;
        for (size_t j = 0; j < result->n_items; j++)
            if (result->items[j].bulletin == (int64_t)i)
                wanted[wants.n_wanted++] = j;
        to->n_approvals = approvals_for(c, &wants, now_ms, arena, &to->approvals);
    }
}

static struct membership *memberships(const json_t *areas, struct arena *arena)
{
    struct membership *all = arena_alloc(arena, (json_array_size(areas) + 1) * sizeof(*all));
    for (size_t i = 0; i < json_array_size(areas); i++)
        all[i] = (struct membership){keep(arena, json_array_get(areas, i)), INT64_MIN, INT64_MAX};
    return all;
}

void planner_playlist(struct controller *c, const json_t *facts, int64_t now_ms, size_t max_items, struct arena *arena,
                      struct playlist *ret, struct compile_result *ret_result)
{
    struct rule *rules;
    struct compile_bulletin *bulletins;
    size_t n_rules = rules_for(c, facts, arena, &rules);
    size_t n_bulletins = bulletins_for(c, rules, n_rules, arena, &bulletins);
    struct compile_device device = {
        .id = keep(arena, json_object_get(facts, "id")),
        .kind = (enum device_kind)index_of(device_kind_names, json_string_value(json_object_get(facts, "kind"))),
        .areas = memberships(json_object_get(facts, "areas"), arena),
        .n_areas = json_array_size(json_object_get(facts, "areas")),
        .languages = texts_of_json(json_object_get(json_object_get(facts, "settings"), "languages"), arena),
    };
    int64_t until_ms = now_ms + HORIZON_DAYS * INT64_C(86400000);
    compile(rules, n_rules, bulletins, n_bulletins, &device, now_ms, until_ms, max_items, arena, ret_result);
    struct texts areas = with_former(facts, arena);
    add_approvals(c, bulletins, n_bulletins, &areas, now_ms, arena, ret_result);
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

json_t *planner_devices_of(struct store *store, const json_t *body)
{
    json_t *rows = store_list(
        store,
        "WITH RECURSIVE meant(id) AS (SELECT value FROM json_each(?1, '$.areas') UNION SELECT a.id FROM areas a"
        " JOIN meant ON a.parent = meant.id) SELECT id FROM devices d WHERE (area IN (SELECT id FROM meant)"
        " OR id IN (SELECT value FROM json_each(?1, '$.devices')))"
        " AND (json_array_length(?1, '$.kinds') = 0 OR kind IN (SELECT value FROM json_each(?1, '$.kinds')))"
        " ORDER BY id",
        "j", body);
    json_t *ids = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row) json_array_append(ids, json_object_get(row, "id"));
    json_decref(rows);
    return ids;
}
