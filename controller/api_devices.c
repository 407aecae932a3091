/* api_devices.c - places with their outputs, and the boxes at them. */
#include "controller/api.h"
#include "controller/areas.h"
#include "controller/feed.h"
#include "controller/fleet.h"
#include "controller/meaning.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/zones.h"
#include "playlists/base/civil.h"
#include "playlists/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOWS_MAX = 16,
    FORMER_MAX = 16,
    TAGS_MAX = 32,
    DELAY_MAX_MS = 1000,
    LEVEL_MIN_MB = -12000,
    LEVEL_MAX_MB = 3000
};

static const char settings_known[] =
    "name area languages zone tags noise quiet_hours gain_ceilings delay_ms heard_level_mb former_areas";

static int device_reply(struct request *r, unsigned status, const char *id)
{
    json_t *json = device_json(r->c->store, id, r->now_ms);
    return json ? request_reply(r, status, json) : request_missing(r, "device", id);
}

/* The device named in the path, in the caller's unit. */
static int in_scope(struct request *r)
{
    return device_in_unit(r->c->store, r->param[0], r->token.unit) ? 0 : request_missing(r, "device", r->param[0]);
}

int api_devices_list(struct request *r)
{
    struct page page;
    const char *kind = request_query(r, "kind"), *area = request_query(r, "area");
    if (request_page(r, false, &page) < 0)
        return -1;
    if (area && !area_in_unit(r->c->store, area, r->token.unit))
        return request_missing(r, "area", area);
    json_t *rows = store_list(r->c->store,
                              SQL_SCOPE "SELECT d.id FROM devices d JOIN scope ON scope.id = d.area WHERE d.id > ?2 AND"
                                        " (?3 IS NULL OR d.kind = ?3) ORDER BY d.id LIMIT ?4",
                              "sssi", area ? area : r->token.unit, page.after ? page.after : "", kind, page.limit + 1);
    json_t *list = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "id"));
        json_t *device = device_json(r->c->store, id, r->now_ms);
        json_object_set_new(device, "cursor", json_string(id));
        json_array_append_new(list, device);
    }
    json_decref(rows);
    return request_reply_page(r, &page, list);
}

int api_device(struct request *r)
{
    return in_scope(r) < 0 ? -1 : device_reply(r, 200, r->param[0]);
}

static int check_clock(const struct form *form, const char *name, bool end)
{
    const char *text = NULL;
    int32_t second;
    if (form_text(form, name, true, 0, 100, &text) < 0)
        return -1;
    if ((end && strcmp(text, "24:00") == 0) || (civil_parse_time(text, &second) >= 0 && second % 60 == 0))
        return 0;
    char full[96];
    snprintf(full, sizeof(full), "%s%s", form->path, name);
    return refuse(form->problem, 422, "value", full, WORD_VALUE_TIME, full, text);
}

static int check_windows(const struct form *form, const char *name, bool gain)
{
    const json_t *list;
    if (form_list(form, name, false, 0, WINDOWS_MAX, &list) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct form window;
        int64_t gain_mb;
        if (form_item(form, name, list, i, &window) < 0 ||
            form_known(&window, gain ? "from to gain_mb" : "from to") < 0 || check_clock(&window, "from", false) < 0 ||
            check_clock(&window, "to", true) < 0 ||
            (gain && form_int(&window, "gain_mb", true, -6000, 0, &gain_mb) < 0))
            return -1;
    }
    return 0;
}

static int check_settings(struct request *r, const struct form *form)
{
    const char *zone = NULL;
    const json_t *list;
    int64_t number;
    int noise;
    if (form_words(form, "tags", TAGS_MAX, &list) < 0 || form_choice(form, "noise", false, noise_names, &noise) < 0)
        return -1;
    if (form_languages(form, "languages", &list) < 0 || form_text(form, "zone", false, 1, 60, &zone) < 0)
        return -1;
    if (zone && !zones_get(r->c->zones, zone))
        return refuse(&r->problem, 422, "value", "zone", WORD_VALUE_ZONE, zone);
    if (check_windows(form, "quiet_hours", false) < 0 || check_windows(form, "gain_ceilings", true) < 0 ||
        form_int(form, "delay_ms", false, 0, DELAY_MAX_MS, &number) < 0 ||
        form_int(form, "heard_level_mb", false, LEVEL_MIN_MB, LEVEL_MAX_MB, &number) < 0)
        return -1;
    return form_ids(form, "former_areas", false, FORMER_MAX, &list);
}

/* Settings given in `body` over those in `base`. Quiet hours that are null are those of its areas. */
static json_t *merge_settings(const json_t *base, const json_t *body)
{
    static const char *const names[] = {"languages", "zone",           "tags",         "noise", "gain_ceilings",
                                        "delay_ms",  "heard_level_mb", "former_areas", NULL};
    json_t *settings = json_object();
    for (size_t i = 0; names[i]; i++) {
        json_t *given = json_object_get(body, names[i]);
        json_object_set(settings, names[i], given && !json_is_null(given) ? given : json_object_get(base, names[i]));
    }
    json_t *quiet = json_object_get(body, "quiet_hours");
    quiet = quiet ? quiet : json_object_get(base, "quiet_hours");
    json_object_set(settings, "quiet_hours", quiet ? quiet : json_null());
    return settings;
}

static int check_area(struct request *r, const char *area)
{
    if (!area_exists(r->c->store, area))
        return refuse(&r->problem, 422, "value", "area", WORD_NO_AREA, "area", area);
    if (!area_in_unit(r->c->store, area, r->token.unit))
        return refuse(&r->problem, 403, "scope", "area", WORD_SCOPE, area, r->token.unit);
    return area_ended(r->c->store, area, NULL) ? refuse(&r->problem, 422, "value", "area", WORD_AREA_ENDED, area) : 0;
}

static bool listed(const json_t *list, const json_t *text)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) if (json_equal(item, text)) return true;
    return false;
}

/* Approvals for a former area let items on air: those where the device lies or lay may stay, others only an admin whose
 * unit covers them adds. `path` and `former` are the device's so far. */
static int check_former(struct request *r, const json_t *path, const json_t *former)
{
    const json_t *area;
    size_t i;
    json_array_foreach(json_object_get(r->json, "former_areas"), i, area)
    {
        const char *id = json_string_value(area);
        if (listed(path, area) || listed(former, area))
            continue;
        if (!area_exists(r->c->store, id))
            return refuse(&r->problem, 422, "value", "former_areas", WORD_NO_AREA, "former_areas", id);
        if (!request_is(r, ROLE_ADMIN) || !area_in_unit(r->c->store, id, r->token.unit))
            return refuse(&r->problem, 403, "scope", "former_areas", WORD_FORMER, id);
    }
    return 0;
}

static int check_box(struct request *r, const struct form *form, const char *device, const char **ret_serial,
                     const char **ret_x, char ret_kid[44])
{
    if (form_known(form, "serial x") < 0 || form_text(form, "serial", true, 1, 64, ret_serial) < 0 ||
        form_text(form, "x", true, 0, 100, ret_x) < 0)
        return -1;
    if (key_thumbprint(*ret_x, ret_kid) < 0)
        return refuse(&r->problem, 422, "value", "box.x", WORD_VALUE_KEY, *ret_x);
    char *other = store_text(r->c->store, "SELECT device FROM boxes WHERE x = ? AND until_ms IS NULL AND device <> ?",
                             "ss", *ret_x, device);
    int result = other ? refuse(&r->problem, 409, "conflict", "box.x", WORD_BOX_ELSEWHERE, other) : 0;
    free(other);
    return result;
}

/* In a transaction of the caller. Returns 1 when the box is another one than before. */
static int put_box(struct request *r, const char *device, const char *serial, const char *x, const char *kid)
{
    if (store_number(r->c->store, 0,
                     "SELECT 1 FROM boxes WHERE device = ? AND until_ms IS NULL AND serial = ? AND x = ?", "sss",
                     device, serial, x) == 1)
        return 0;
    if (store_run(r->c->store, "UPDATE boxes SET until_ms = ? WHERE device = ? AND until_ms IS NULL", "is", r->now_ms,
                  device) < 0 ||
        store_run(r->c->store, "INSERT INTO boxes (device, serial, x, kid, since_ms) VALUES (?, ?, ?, ?, ?)", "ssssi",
                  device, serial, x, kid, r->now_ms) < 0)
        return -1;
    return 1;
}

static int insert_device(struct request *r, const char *id, const char *kind, const char *area, const char *name,
                         const json_t *settings, const struct form *box, const char *serial, const char *x,
                         const char *kid)
{
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    if (store_run(r->c->store, "INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?)", "ssssji", id, kind, name, area,
                  settings, r->now_ms) < 0 ||
        (box->object && put_box(r, id, serial, x, kid) < 0) || store_commit(r->c->store) < 0) {
        store_rollback(r->c->store);
        return request_store_failed(r);
    }
    fleet_listen(r->c->fleet, id);
    publisher_touch(r->c->publisher, id);
    return device_reply(r, 201, id);
}

/* The id exists: the same again is fine, anything else a conflict. */
static int there_already(struct request *r, const char *id, const char *kind, const char *area, const char *name,
                         const json_t *settings, const char *serial, const char *x)
{
    if (!device_in_unit(r->c->store, id, r->token.unit))
        return refuse_taken(&r->problem, "device", id);
    json_t *facts = device_facts(r->c->store, id);
    json_t *want = json_pack("{s:s, s:s, s:s, s:s, s:O}", "id", id, "kind", kind, "area", area, "name", name,
                             "settings", settings);
    bool same = true;
    const char *name_of;
    json_t *value;
    json_object_foreach(want, name_of, value) same = same && json_equal(json_object_get(facts, name_of), value);
    same = same && (!serial || store_number(r->c->store, 0,
                                            "SELECT 1 FROM boxes WHERE device = ? AND until_ms IS NULL AND serial = ?"
                                            " AND x = ?",
                                            "sss", id, serial, x) == 1);
    json_decref(want);
    json_decref(facts);
    return same ? device_reply(r, 200, id) : refuse_taken(&r->problem, "device", id);
}

int api_devices_new(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    struct form box = {.object = json_object_get(r->json, "box"), .path = "box.", .problem = &r->problem};
    const char *id, *area, *name, *serial = NULL, *x = NULL;
    char kid[44] = "", known[200];
    int kind = 0;
    snprintf(known, sizeof(known), "id kind box %s", settings_known);
    if (json_is_null(box.object))
        box.object = NULL;
    if (form_known(&form, known) < 0 || form_id(&form, "id", true, &id) < 0 ||
        form_choice(&form, "kind", true, device_kind_names, &kind) < 0 || form_id(&form, "area", true, &area) < 0 ||
        form_text(&form, "name", true, 1, 200, &name) < 0 || check_settings(r, &form) < 0 || check_area(r, area) < 0)
        return -1;
    if (strcmp(id, "controller") == 0 || strcmp(id, "observer") == 0) /* identities of the broker's access list */
        return refuse(&r->problem, 422, "value", "id", WORD_VALUE_RESERVED, id);
    if (box.object && !json_is_object(box.object))
        return refuse(&r->problem, 422, "value", "box", WORD_VALUE_OBJECT, "box");
    if (box.object && check_box(r, &box, id, &serial, &x, kid) < 0)
        return -1;
    json_t *path = area_path(r->c->store, area);
    int fine = check_former(r, path, NULL);
    json_decref(path);
    if (fine < 0)
        return -1;
    json_t *base = json_pack("{s:[s], s:s, s:[], s:s, s:[], s:i, s:i, s:[]}", "languages", "vi", "zone",
                             r->c->settings->zone, "tags", "noise", noise_names[0], "gain_ceilings", "delay_ms", 0,
                             "heard_level_mb", -3000, "former_areas");
    json_t *settings = merge_settings(base, r->json);
    bool there = store_number(r->c->store, 0, "SELECT 1 FROM devices WHERE id = ?", "s", id) == 1;
    int result = there ? there_already(r, id, device_kind_names[kind], area, name, settings, serial, x)
                       : insert_device(r, id, device_kind_names[kind], area, name, settings, &box, serial, x, kid);
    json_decref(settings);
    json_decref(base);
    return result;
}

int api_device_change(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    const char *area = NULL, *name = NULL;
    if (in_scope(r) < 0 || form_known(&form, settings_known) < 0 || form_id(&form, "area", false, &area) < 0 ||
        form_text(&form, "name", false, 1, 200, &name) < 0 || check_settings(r, &form) < 0 ||
        (area && check_area(r, area) < 0))
        return -1;
    json_t *facts = device_facts(r->c->store, r->param[0]);
    if (check_former(r, json_object_get(facts, "areas"),
                     json_object_get(json_object_get(facts, "settings"), "former_areas")) < 0) {
        json_decref(facts);
        return -1;
    }
    json_t *settings = merge_settings(json_object_get(facts, "settings"), r->json);
    json_t *old = json_object_get(facts, "area"), *former = json_object_get(settings, "former_areas");
    /* Approvals that name the old area still reach it. */
    if (area && strcmp(area, json_string_value(old)) != 0 && json_array_size(former) < FORMER_MAX) {
        json_t *longer = json_copy(former);
        json_array_append(longer, old);
        json_object_set_new(settings, "former_areas", longer);
    }
    int n = store_run(
        r->c->store, "UPDATE devices SET name = coalesce(?, name), area = coalesce(?, area), settings = ? WHERE id = ?",
        "ssjs", name, area, settings, r->param[0]);
    json_decref(settings);
    json_decref(facts);
    if (n < 0)
        return request_store_failed(r);
    publisher_touch(r->c->publisher, r->param[0]);
    return device_reply(r, 200, r->param[0]);
}

int api_device_box(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    const char *serial, *x;
    char kid[44];
    if (in_scope(r) < 0 || check_box(r, &form, r->param[0], &serial, &x, kid) < 0)
        return -1;
    if (store_begin(r->c->store) < 0)
        return request_store_failed(r);
    int n = put_box(r, r->param[0], serial, x, kid);
    if (n < 0 || store_commit(r->c->store) < 0) {
        store_rollback(r->c->store);
        return request_store_failed(r);
    }
    if (n > 0)
        fleet_forget(r->c->fleet, r->param[0]);
    return device_reply(r, 200, r->param[0]);
}

/* On the wire what is at its default is left out; here each member is told. */
static json_t *complete_item(const json_t *item)
{
    json_t *told =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:[]}", "policy", cut_policy_names[CUT_DROP], "late_ms", (json_int_t)0,
                  "wait_ms", (json_int_t)0, "gain_mb", (json_int_t)0, "show_ms", (json_int_t)0, "zones");
    json_object_update(told, (json_t *)item);
    return told;
}

static json_t *playlist_items(struct request *r, const json_t *body)
{
    const json_t *bulletins = json_object_get(body, "bulletins"), *items = json_object_get(body, "items");
    json_t *list = json_array(), *item;
    size_t i;
    json_array_foreach(items, i, item)
    {
        const json_t *b = json_array_get(bulletins, (size_t)json_integer_value(json_object_get(item, "bulletin")));
        const char *hash = json_string_value(json_object_get(b, "hash"));
        const char *id = json_string_value(json_object_get(item, "id"));
        char *title = store_text(r->c->store, "SELECT title FROM bulletins WHERE hash = ?", "s", hash);
        json_t *told = complete_item(item);
        json_object_set_new(told, "rule", json_stringn(id, strcspn(id, ".")));
        json_object_set_new(told, "bulletin", hash ? json_string(hash) : json_null()); /* a relay */
        json_object_set_new(told, "title", title ? json_string(title) : json_null());
        json_object_set_new(told, "start", json_instant(json_integer_value(json_object_get(item, "start_ms"))));
        json_object_set_new(told, "end", json_instant(json_integer_value(json_object_get(item, "end_ms"))));
        json_object_del(told, "start_ms");
        json_object_del(told, "end_ms");
        json_array_append_new(list, told);
        free(title);
    }
    return list;
}

int api_device_playlist(struct request *r)
{
    if (in_scope(r) < 0)
        return -1;
    json_t *row = store_one(r->c->store,
                            "SELECT d.device, d.era, d.ver, d.body AS body__json, s.acked_ms AS published__at FROM"
                            " documents d JOIN sent s USING (word, device, era, ver) WHERE d.word = 'playlist' AND"
                            " d.device = ?",
                            "s", r->param[0]);
    if (!row)
        return request_missing(r, "playlist", r->param[0]);
    const json_t *body = json_object_get(row, "body");
    json_object_set(row, "config_ver", json_object_get(body, "config_ver"));
    json_object_set_new(row, "from", json_instant(json_integer_value(json_object_get(body, "from_ms"))));
    json_object_set_new(row, "until", json_instant(json_integer_value(json_object_get(body, "until_ms"))));
    json_object_set_new(row, "items", playlist_items(r, body));
    json_object_set_new(
        row, "problems",
        store_list(
            r->c->store,
            "SELECT nullif(rule, '') AS rule, start_ms AS start__at, why, other, count, warning AS warning__bool FROM"
            " problems WHERE device = ? ORDER BY n",
            "s", r->param[0]));
    mean_each(json_object_get(row, "problems"), mean_problem);
    json_object_del(row, "body");
    return request_reply(r, 200, row);
}
