/* publisher.c - see publisher.h. A document is stored before it is sent; `acked_ms` tells that the broker has it. */
#include "controller/publisher.h"

#include "controller/feed.h"
#include "controller/fleet.h"
#include "controller/mandate.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEBOUNCE_MS = 10,
    RETRY_MS = 3000,
    LOOK_MS = 3600 * 1000, /* all devices are looked at this often, for renewal */
    IN_FLIGHT_MAX = 64,
    AGAIN_MS = 15000, /* a device that lacks a document gets it again at most this often */
    ITEMS_MIN = 8,
};
#define LIFE_S  (INT64_C(40) * 86400) /* of configurations and playlists */
#define RENEW_S INT64_C(86400)

struct in_flight {
    uint32_t id;
    char word[12];
    char device[44];
    int64_t era, ver;
};

struct publisher {
    struct controller *c;
    json_t *dirty; /* set of device ids */
    uv_timer_t work, send, look;
    int open_handles;
    bool online;
    bool warned;
    uint32_t next_id;
    struct in_flight flight[IN_FLIGHT_MAX];
    size_t n_flight;
};

static const char latest[] = " AND (d.era, d.ver) = (SELECT e.era, e.ver FROM documents e WHERE e.word = d.word AND"
                             " e.device = d.device ORDER BY e.era DESC, e.ver DESC LIMIT 1)";

static json_t *current(struct publisher *p, const char *word, const char *device)
{
    return store_one(p->c->store,
                     "SELECT era, ver, iat_s, hash, body AS body__json FROM documents WHERE word = ? AND device = ?"
                     " ORDER BY era DESC, ver DESC LIMIT 1",
                     "ss", word, device);
}

static int64_t member(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

/* What the device says it holds of this document; zeros when it says nothing. */
static json_t *reported(struct publisher *p, const char *word, const char *device)
{
    return store_one(p->c->store,
                     "SELECT json_extract(h.value, '$.era') AS era, json_extract(h.value, '$.ver') AS ver,"
                     " json_extract(h.value, '$.hash') AS hash FROM states, json_each(states.body, '$.held') h"
                     " WHERE device = ?2 AND json_extract(h.value, '$.doc') = ?1",
                     "ss", word, device);
}

/* The device holds something that ours would not replace. */
static bool overtaken(const json_t *mine, const json_t *theirs, int64_t era)
{
    if (!theirs || member(theirs, "era") != era)
        return false;
    int64_t diff = member(theirs, "ver") - member(mine, "ver");
    return diff > 0 || (diff == 0 && !json_equal(json_object_get(mine, "hash"), json_object_get(theirs, "hash")));
}

static struct doc_head new_head(struct publisher *p, const char *word, const char *device, const json_t *mine,
                                char aud[64])
{
    int64_t now_ms = clock_wall_ms(), era = mandate_era(p->c->mandate), ver = now_ms;
    json_t *theirs = reported(p, word, device);
    if (mine && member(mine, "ver") >= ver)
        ver = member(mine, "ver") + 1;
    if (theirs && member(theirs, "era") == era && member(theirs, "ver") >= ver)
        ver = member(theirs, "ver") + 1;
    json_decref(theirs);
    snprintf(aud, 64, "dev/%s", device);
    return (struct doc_head){
        .aud = aud, .era = era, .ver = ver, .iat_s = now_ms / 1000, .exp_s = now_ms / 1000 + LIFE_S};
}

static int store_document(struct publisher *p, const char *word, const char *device, const struct doc_head *head,
                          const json_t *body, const char *sealed)
{
    struct hash hash = hash_of(sealed, strlen(sealed));
    if (store_begin(p->c->store) < 0)
        return ERR_STORE;
    if (store_run(p->c->store, "DELETE FROM documents WHERE word = ? AND device = ?", "ss", word, device) < 0 ||
        store_run(p->c->store,
                  "INSERT INTO documents (word, device, era, ver, iat_s, exp_s, hash, body, sealed, made_ms)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "ssiiiisjsi", word, device, head->era, head->ver, head->iat_s, head->exp_s, hash.hex, body, sealed,
                  clock_wall_ms()) < 0) {
        store_rollback(p->c->store);
        return ERR_STORE;
    }
    return store_commit(p->c->store);
}

/* Fresh enough, of this era, and nothing newer at the device. */
static bool standing(struct publisher *p, const char *word, const char *device, const json_t *mine)
{
    if (!mine || member(mine, "era") != mandate_era(p->c->mandate) ||
        clock_wall_ms() / 1000 - member(mine, "iat_s") >= RENEW_S)
        return false;
    json_t *theirs = reported(p, word, device);
    bool over = overtaken(mine, theirs, mandate_era(p->c->mandate));
    json_decref(theirs);
    return !over;
}

static json_t *without_head(const json_t *body)
{
    static const char *const head[] = {"aud", "era", "ver", "iat", "exp", NULL};
    json_t *copy = json_copy((json_t *)body);
    for (size_t i = 0; head[i]; i++)
        json_object_del(copy, head[i]);
    return copy;
}

/* Returns the version in force, 0 when there is none. */
static int64_t look_at_config(struct publisher *p, const char *device, const json_t *facts)
{
    struct arena *arena = arena_new();
    struct config config;
    struct complaint why = {0};
    char aud[64], *sealed = NULL;
    json_t *mine = current(p, "config", device);
    planner_config(facts, arena, &config);
    config.head = new_head(p, "config", device, mine, aud);
    json_t *fresh = doc_json(DOC_CONFIG, &config);
    json_t *a = without_head(json_object_get(mine, "body")), *b = without_head(fresh);
    int64_t ver = member(mine, "ver");
    if (!fresh) {
        log_err("publisher", "device=%s its configuration cannot be written; nothing is published", device);
    } else if (!standing(p, "config", device, mine) || !json_equal(a, b)) {
        if (seal_doc(&p->c->scheduler, DOC_CONFIG, &config, true, &sealed, &why) < 0)
            log_err("publisher", "device=%s configuration not sealed: %s", device, why.text);
        else if (store_document(p, "config", device, &config.head, fresh, sealed) == 0)
            ver = config.head.ver;
    }
    free(sealed);
    json_decref(a);
    json_decref(b);
    json_decref(fresh);
    json_decref(mine);
    arena_free(arena);
    return ver;
}

static void note_problems(struct publisher *p, const char *device, const struct compile_result *result)
{
    if (store_begin(p->c->store) < 0)
        return;
    int r = store_run(p->c->store, "DELETE FROM problems WHERE device = ?", "s", device);
    for (size_t i = 0; r >= 0 && i < result->n_problems && i < 100; i++)
        r = store_run(p->c->store, "INSERT INTO problems VALUES (?, ?, ?, ?, ?)", "sisis", device, (int64_t)i,
                      result->problems[i].rule ? result->problems[i].rule : "", result->problems[i].start_ms,
                      result->problems[i].why);
    if (r < 0 || store_commit(p->c->store) < 0)
        store_rollback(p->c->store);
}

/* A playlist that cannot be written: told once, until one can be written again. */
static void note_not_sealed(struct publisher *p, const char *device, const char *why)
{
    log_err("publisher", "device=%s playlist not sealed: %s; the old one stays", device, why);
    bool told = store_number(p->c->store, 0, "SELECT 1 FROM problems WHERE device = ? AND rule = ''", "s", device) == 1;
    char *sentence = xasprintf("the playlist cannot be sealed, the old one stays: %s", why);
    struct compile_problem problem = {.rule = "", .why = sentence};
    note_problems(p, device, &(struct compile_result){.problems = &problem, .n_problems = 1});
    if (!told)
        fleet_note(p->c->fleet, device, "playlist_not_sealed", "playlist", sentence);
    free(sentence);
}

static void tell_playlist(struct publisher *p, const char *device, const struct playlist *playlist)
{
    json_t *news = json_pack("{s:s, s:I, s:o, s:I}", "device", device, "ver", (json_int_t)playlist->head.ver, "until",
                             json_instant(playlist->until_ms), "items", (json_int_t)playlist->n_items);
    feed_emit(p->c->feed, device, "playlist", news);
    json_decref(news);
}

/* Compile with fewer items until it fits the wire. The caller owns what is in *ret_sealed and *ret_body. */
static int fit(struct publisher *p, const json_t *facts, struct playlist *playlist, struct compile_result *result,
               struct arena *arena, json_t **ret_body, char **ret_sealed, struct complaint *why)
{
    struct doc_head head = playlist->head;
    int64_t config_ver = playlist->config_ver;
    for (size_t max_items = PLAYLIST_ITEMS_MAX;; max_items = max_items * 3 / 4) {
        planner_playlist(p->c, facts, clock_wall_ms(), max_items, arena, playlist, result);
        playlist->head = head;
        playlist->config_ver = config_ver;
        int r = seal_doc(&p->c->scheduler, DOC_PLAYLIST, playlist, true, ret_sealed, why);
        if (r == 0) {
            *ret_body = doc_json(DOC_PLAYLIST, playlist);
            return 0;
        }
        if (r != ERR_LIMIT || max_items < ITEMS_MIN)
            return r;
    }
}

static void look_at_playlist(struct publisher *p, const char *device, const json_t *facts, int64_t config_ver)
{
    struct arena *arena = arena_new();
    struct compile_result result = {0};
    struct complaint why = {0};
    char aud[64], *sealed = NULL;
    json_t *mine = current(p, "playlist", device), *fresh = NULL;
    struct playlist playlist = {.head = new_head(p, "playlist", device, mine, aud), .config_ver = config_ver};
    const json_t *old = json_object_get(mine, "body");
    if (fit(p, facts, &playlist, &result, arena, &fresh, &sealed, &why) < 0) {
        note_not_sealed(p, device, why.text);
    } else {
        note_problems(p, device, &result);
        bool same = standing(p, "playlist", device, mine) && member(old, "config_ver") == config_ver &&
                    planner_same(old, fresh, clock_wall_ms());
        if (!same && store_document(p, "playlist", device, &playlist.head, fresh, sealed) == 0)
            tell_playlist(p, device, &playlist);
    }
    free(sealed);
    json_decref(fresh);
    json_decref(mine);
    arena_free(arena);
}

static void look_at(struct publisher *p, const char *device)
{
    json_t *facts = device_facts(p->c->store, device);
    if (!facts)
        return;
    int64_t config_ver = look_at_config(p, device, facts);
    if (config_ver > 0)
        look_at_playlist(p, device, facts, config_ver);
    json_decref(facts);
}

/* One device a turn, so that a big change never holds up the rest of the loop. */
static void on_work(uv_timer_t *timer)
{
    struct publisher *p = timer->data;
    const char *device = json_object_iter_key(json_object_iter(p->dirty));
    if (!device)
        return;
    if (!mandate_schedules(p->c->mandate, p->c->scheduler.kid)) {
        if (!p->warned)
            log_warn("publisher", "the trust in force does not name this scheduler key (%s); nothing is published",
                     p->c->scheduler.kid);
        p->warned = true;
        json_object_clear(p->dirty);
        return;
    }
    p->warned = false;
    char *id = xstrdup(device);
    json_object_del(p->dirty, id);
    look_at(p, id);
    free(id);
    publisher_send_soon(p);
    if (json_object_size(p->dirty) > 0)
        uv_timer_start(&p->work, on_work, 0, 0);
}

static bool flying(const struct publisher *p, const char *word, const char *device, int64_t ver)
{
    for (size_t i = 0; i < p->n_flight; i++)
        if (p->flight[i].ver == ver && strcmp(p->flight[i].word, word) == 0 && strcmp(p->flight[i].device, device) == 0)
            return true;
    return false;
}

static int send_row(struct publisher *p, const json_t *row)
{
    const char *word = json_string_value(json_object_get(row, "word"));
    const char *device = json_string_value(json_object_get(row, "device"));
    const char *sealed = json_string_value(json_object_get(row, "sealed"));
    char topic[100];
    if (flying(p, word, device, member(row, "ver")))
        return 0;
    if (p->n_flight == IN_FLIGHT_MAX)
        return -1;
    if (*device)
        snprintf(topic, sizeof(topic), "loa/1/dev/%s/%s", device, word);
    else
        snprintf(topic, sizeof(topic), "loa/1/%s", word);
    struct in_flight *f = &p->flight[p->n_flight];
    *f = (struct in_flight){.id = p->next_id, .era = member(row, "era"), .ver = member(row, "ver")};
    snprintf(f->word, sizeof(f->word), "%s", word);
    snprintf(f->device, sizeof(f->device), "%s", device);
    if (fleet_publish(p->c->fleet, f->id, topic, sealed, strlen(sealed), true) < 0)
        return -1;
    p->next_id = p->next_id + 1 < PUBLISHER_ID_END ? p->next_id + 1 : 1;
    p->n_flight++;
    return 0;
}

static void on_send(uv_timer_t *timer)
{
    struct publisher *p = timer->data;
    if (!p->online)
        return;
    char *sql = xasprintf("SELECT word, device, era, ver, sealed FROM documents d WHERE acked_ms IS NULL%s"
                          " ORDER BY CASE word WHEN 'trust' THEN 0 WHEN 'keys' THEN 1 WHEN 'config' THEN 2 ELSE 3 END,"
                          " made_ms LIMIT %d",
                          latest, IN_FLIGHT_MAX);
    json_t *rows = store_list(p->c->store, sql, ""), *row;
    size_t i;
    json_array_foreach(rows, i, row) if (send_row(p, row) < 0) break;
    if (json_array_size(rows) > 0)
        uv_timer_start(&p->send, on_send, RETRY_MS, 0);
    json_decref(rows);
    free(sql);
}

static void on_look(uv_timer_t *timer)
{
    publisher_touch_all(timer->data);
}

struct publisher *publisher_new(struct controller *c)
{
    struct publisher *p = xcalloc(1, sizeof(*p));
    p->c = c;
    p->dirty = json_object();
    p->next_id = 1;
    uv_timer_t *timers[] = {&p->work, &p->send, &p->look};
    for (size_t i = 0; i < 3; i++) {
        uv_timer_init(c->loop, timers[i]);
        timers[i]->data = p;
    }
    p->open_handles = 3;
    uv_timer_start(&p->look, on_look, 0, LOOK_MS);
    return p;
}

static void on_closed(uv_handle_t *handle)
{
    struct publisher *p = handle->data;
    if (--p->open_handles > 0)
        return;
    json_decref(p->dirty);
    free(p);
}

void publisher_free(struct publisher *publisher)
{
    if (!publisher)
        return;
    uv_close((uv_handle_t *)&publisher->work, on_closed);
    uv_close((uv_handle_t *)&publisher->send, on_closed);
    uv_close((uv_handle_t *)&publisher->look, on_closed);
}

void publisher_touch(struct publisher *publisher, const char *device)
{
    json_object_set_new(publisher->dirty, device, json_true());
    if (!uv_is_active((uv_handle_t *)&publisher->work))
        uv_timer_start(&publisher->work, on_work, DEBOUNCE_MS, 0);
}

void publisher_touch_list(struct publisher *publisher, const json_t *devices)
{
    json_t *id;
    size_t i;
    json_array_foreach(devices, i, id) publisher_touch(publisher, json_string_value(id));
}

void publisher_touch_all(struct publisher *publisher)
{
    json_t *rows = store_list(publisher->c->store, "SELECT id FROM devices", ""), *row;
    size_t i;
    json_array_foreach(rows, i, row) publisher_touch(publisher, json_string_value(json_object_get(row, "id")));
    json_decref(rows);
}

void publisher_send_soon(struct publisher *publisher)
{
    uv_timer_start(&publisher->send, on_send, 0, 0);
}

void publisher_reported(struct publisher *publisher, const char *device, const json_t *state)
{
    json_t *held, *rows;
    size_t i;
    char *sql =
        xasprintf("SELECT word, hash, era, ver FROM documents d WHERE device IN ('', ?) AND acked_ms < ?%s", latest);
    rows = store_list(publisher->c->store, sql, "si", device, clock_wall_ms() - AGAIN_MS);
    free(sql);
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        bool has = false;
        size_t j;
        json_array_foreach(json_object_get(state, "held"), j, held) has =
            has ||
            (json_equal(json_object_get(held, "doc"), json_object_get(row, "word")) &&
             doc_version_cmp(member(held, "era"), member(held, "ver"), member(row, "era"), member(row, "ver")) >= 0);
        if (!has && store_run(publisher->c->store,
                              "UPDATE documents SET acked_ms = NULL WHERE word = ? AND device IN ('', ?) AND ver = ?",
                              "ssi", json_string_value(json_object_get(row, "word")), device, member(row, "ver")) > 0)
            publisher_send_soon(publisher);
    }
    json_decref(rows);
    publisher_touch(publisher, device);
}

void publisher_online(struct publisher *publisher)
{
    publisher->online = true;
    publisher->n_flight = 0;
    publisher_send_soon(publisher);
}

void publisher_offline(struct publisher *publisher)
{
    publisher->online = false;
    publisher->n_flight = 0;
}

static struct in_flight take_flight(struct publisher *p, uint32_t id)
{
    struct in_flight found = {0};
    for (size_t i = 0; i < p->n_flight; i++) {
        if (p->flight[i].id != id)
            continue;
        found = p->flight[i];
        p->flight[i] = p->flight[--p->n_flight];
        break;
    }
    return found;
}

void publisher_acked(struct publisher *publisher, uint32_t id)
{
    struct in_flight f = take_flight(publisher, id);
    if (f.id && store_run(publisher->c->store,
                          "UPDATE documents SET acked_ms = ? WHERE word = ? AND device = ? AND era = ? AND ver = ?",
                          "issii", clock_wall_ms(), f.word, f.device, f.era, f.ver) < 0)
        log_warn("publisher", "device=%s document=%s not marked as published, sent again", f.device, f.word);
    publisher_send_soon(publisher);
}

void publisher_refused(struct publisher *publisher, uint32_t id)
{
    take_flight(publisher, id);
    uv_timer_start(&publisher->send, on_send, RETRY_MS, 0);
}

int64_t publisher_waiting(struct controller *c)
{
    char *sql = xasprintf("SELECT count(*) FROM documents d WHERE acked_ms IS NULL%s", latest);
    int64_t n = store_number(c->store, 0, sql, "");
    free(sql);
    return n;
}
