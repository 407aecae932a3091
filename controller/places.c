/* places.c - see places.h. */
#include "controller/places.h"

#include "controller/areas.h"
#include "controller/groups.h"
#include "playlists/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const area_kind_names[] = {"country", "province", "commune", "ward", "village",
                                       "hamlet",  "group",    "gate",    "post", NULL};

const char *const noise_names[] = {"ordinary", "special", NULL};

bool area_exists(struct store *store, const char *area)
{
    return store_number(store, 0, "SELECT 1 FROM areas WHERE id = ?", "s", area) == 1;
}

bool area_in_unit(struct store *store, const char *area, const char *unit)
{
    return store_number(store, 0, SQL_SCOPE "SELECT 1 FROM over WHERE id = ?2", "ss", area, unit) == 1;
}

json_t *area_path(struct store *store, const char *area)
{
    json_t *rows = store_list(store,
                              "WITH RECURSIVE up(id, parent, depth) AS (SELECT id, parent, 0 FROM areas WHERE id = ?"
                              " UNION SELECT a.id, a.parent, depth + 1 FROM areas a JOIN up ON a.id = up.parent"
                              " WHERE depth < 16) SELECT id FROM up ORDER BY depth",
                              "s", area);
    json_t *path = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row) json_array_append(path, json_object_get(row, "id"));
    json_decref(rows);
    return path;
}

bool device_in_unit(struct store *store, const char *device, const char *unit)
{
    return store_number(store, 0, SQL_SCOPE "SELECT 1 FROM devices d JOIN scope ON scope.id = d.area WHERE d.id = ?2",
                        "ss", unit, device) == 1;
}

json_t *device_facts(struct store *store, const char *device)
{
    json_t *facts = store_one(store,
                              "SELECT id, kind, name, area, settings AS settings__json, created_ms AS created__at"
                              " FROM devices WHERE id = ?",
                              "s", device);
    if (!facts)
        return NULL;
    const char *area = json_string_value(json_object_get(facts, "area"));
    json_t *path = area_path(store, area), *memberships = areas_memberships(store, area);
    char *commune = area_commune(store, area);
    json_object_set_new(facts, "areas", path);
    json_object_set_new(facts, "groups", groups_of_device(store, device, path));
    json_object_set_new(facts, "commune", commune ? json_string(commune) : json_null());
    json_object_set_new(facts, "memberships", memberships);
    free(commune);
    json_t *settings = json_object_get(facts, "settings"),
           *usual = json_pack("{s:[], s:s, s:n}", "tags", "noise", noise_names[0], "quiet_hours");
    json_object_update_missing(settings, usual); /* devices that were made before these were there */
    json_decref(usual);
    json_object_set_new(
        facts, "config_areas",
        areas_of_config(store, memberships, json_object_get(settings, "former_areas"), clock_wall_ms()));
    return facts;
}

bool device_box_x(struct store *store, const char *device, char ret_x[44])
{
    char *x = store_text(store, "SELECT x FROM boxes WHERE device = ? AND until_ms IS NULL", "s", device);
    bool has = x && strlen(x) == 43;
    if (has)
        memcpy(ret_x, x, 44);
    free(x);
    return has;
}

/* Members of the last state that the API repeats. */
static void put_state(json_t *ret, const json_t *state)
{
    static const char *const same[] = {"software", "grade", "boot", "store", "held", NULL};
    for (size_t i = 0; same[i]; i++) {
        json_t *value = json_object_get(state, same[i]);
        if (value)
            json_object_set(ret, same[i], value);
    }
}

static void put_contact(struct store *store, json_t *ret, const char *device, int64_t now_ms)
{
    json_t *row = store_one(store, "SELECT up, seen_ms, off_since_ms, body AS body__json FROM states WHERE device = ?",
                            "s", device);
    int64_t seen_ms = json_integer_value(json_object_get(row, "seen_ms"));
    bool up = json_integer_value(json_object_get(row, "up")) != 0 && now_ms - seen_ms < DEVICE_SILENT_MS;
    int64_t until_ms = store_number(
        store, 0, "SELECT json_extract(body, '$.until_ms') FROM documents WHERE word = 'playlist' AND device = ?", "s",
        device);
    const json_t *body = json_object_get(row, "body");
    put_state(ret, body);
    json_object_set_new(ret, "contact",
                        json_string(!row                ? "never"
                                    : up                ? "connected"
                                    : until_ms > now_ms ? "lost_playing"
                                                        : "lost"));
    json_object_set_new(ret, "online", json_boolean(up));
    json_object_set_new(ret, "last_seen", json_instant(seen_ms));
    json_object_set_new(ret, "off_since",
                        json_instant(up ? 0 : json_integer_value(json_object_get(row, "off_since_ms"))));
    json_t *on_air = up ? json_object_get(body, "on_air") : NULL;
    json_object_set(ret, "on_air", on_air ? on_air : json_null());
    json_object_set_new(ret, "playlist_until", json_instant(until_ms));
    json_decref(row);
}

static void put_title(struct store *store, json_t *ret)
{
    const char *occurrence = json_string_value(json_object_get(ret, "on_air"));
    char rule[64] = "";
    if (occurrence)
        snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(occurrence, "."), occurrence);
    char *title = occurrence ? store_text(store,
                                          "SELECT b.title FROM rules r JOIN bulletins b ON b.hash = r.bulletin"
                                          " WHERE r.id = ?",
                                          "s", rule)
                             : NULL;
    json_object_set_new(ret, "on_air_title", title ? json_string(title) : json_null());
    free(title);
}

static bool holds(const json_t *held, const json_t *want)
{
    const json_t *doc;
    size_t i;
    json_array_foreach(
        held, i, doc) if (json_equal(json_object_get(doc, "doc"),
                                     json_object_get(want, "doc"))) return json_equal(json_object_get(doc, "hash"),
                                                                                      json_object_get(want, "hash"));
    return false;
}

static void put_wanted(struct store *store, json_t *ret, const char *device)
{
    json_t *wanted = store_list(store,
                                "SELECT word AS doc, era, ver, hash FROM documents d WHERE device IN ('', ?)"
                                " AND (era, ver) = (SELECT era, ver FROM documents e WHERE e.word = d.word"
                                " AND e.device = d.device ORDER BY era DESC, ver DESC LIMIT 1) ORDER BY word",
                                "s", device);
    bool all = json_array_size(wanted) > 0;
    json_t *want;
    size_t i;
    json_array_foreach(wanted, i, want) all = all && holds(json_object_get(ret, "held"), want);
    json_object_set_new(ret, "wanted", wanted);
    json_object_set_new(ret, "up_to_date", json_boolean(all));
}

json_t *device_json(struct store *store, const char *device, int64_t now_ms)
{
    json_t *ret = device_facts(store, device);
    if (!ret)
        return NULL;
    static const char *const unknown[] = {"software", "grade", "boot", "store", NULL};
    for (size_t i = 0; unknown[i]; i++)
        json_object_set_new(ret, unknown[i], json_null());
    json_object_set_new(ret, "held", json_array());
    json_object_update(ret, json_object_get(ret, "settings"));
    json_object_del(ret, "settings");
    json_object_del(ret, "memberships");
    json_object_del(ret, "config_areas");
    json_t *box = store_one(
        store, "SELECT serial, x, kid, since_ms AS since__at FROM boxes WHERE device = ? AND until_ms IS NULL", "s",
        device);
    json_object_set_new(ret, "box", box ? box : json_null());
    put_contact(store, ret, device, now_ms);
    put_title(store, ret);
    put_wanted(store, ret, device);
    json_t *health = store_one(store, "SELECT body AS body__json FROM health WHERE device = ?", "s", device);
    json_t *body = json_object_get(health, "body");
    json_object_set(ret, "health", body ? body : json_null());
    json_decref(health);
    return ret;
}
