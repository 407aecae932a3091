/* publisher.c - see publisher.h. A document is stored before it is sent; its row in `sent` tells whether the broker has
 * it. */
#include "controller/publisher.h"

#include "controller/drafts.h"
#include "controller/feed.h"
#include "controller/fleet.h"
#include "controller/mandate.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEBOUNCE_MS = 10,
    RETRY_MS = 3000,
    FULL_MS = 100,         /* the link has no room: again after this */
    LOOK_MS = 60 * 1000,   /* a part of the devices is looked at this often, for renewal ... */
    LOOK_PARTS = 60,       /* ... so that an hour sees them all */
    URGENT_IN_FLIGHT = 32, /* what is urgent finds room beside the bulk */
    BULK_IN_FLIGHT = 24,
    BULK_TURN = 8,    /* of so many pieces of work one is bulk, whatever else is there */
    URGENT_LIST = 64, /* a change of more devices than this is bulk */
    MEANT_MAX = 256,  /* changes whose devices are still to be looked for; beyond it all are */
    AGAIN_MS = 15000, /* a device that lacks a document gets it again at most this often */
};
enum rank { RANK_TRUST, RANK_KEYS, RANK_URGENT, RANK_BULK };

struct in_flight {
    uint32_t id;
    char word[12];
    char device[44];
    int64_t era, ver;
};

struct publisher {
    struct controller *c;
    json_t *urgent, *bulk; /* sets of device ids that are to be looked at */
    json_t *meant;         /* [body of a rule, null: everybody]: whose devices are to be put among them */
    struct drafts *drafts;
    char asked[DRAFTS_MAX][44]; /* what is being drafted ... */
    size_t n_asked;
    bool asked_urgent;
    unsigned turn;
    uv_timer_t work, send, look;
    char looked_at[44]; /* the last device that was */
    int open_handles;
    bool online, may_send;
    bool warned, ended;
    uint32_t next_id;
    struct in_flight flight[URGENT_IN_FLIGHT];
    size_t n_flight;
};

static int64_t member(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

/* --- drafts come back --- */

/* A playlist that cannot be written: told once, until one can be written again. */
static void note_not_sealed(struct publisher *p, const struct draft *draft)
{
    log_err("publisher", "device=%s playlist not sealed: %s; the old one stays", draft->device, draft->not_sealed);
    bool told =
        store_number(p->c->store, 0, "SELECT 1 FROM problems WHERE device = ? AND rule = ''", "s", draft->device) == 1;
    char *sentence = xasprintf("the playlist cannot be sealed, the old one stays: %s", draft->not_sealed);
    json_t *problems = json_pack("[[s, i, s]]", "", 0, sentence);
    if (drafts_store_problems(p->c->store, draft->device, problems) == 0 && !told)
        fleet_note(p->c->fleet, draft->device, "playlist_not_sealed", "playlist", sentence);
    json_decref(problems);
    free(sentence);
}

static void tell_playlist(struct publisher *p, const struct draft *draft)
{
    json_t *news = json_pack("{s:s, s:I, s:o, s:I}", "device", draft->device, "ver", (json_int_t)draft->playlist.ver,
                             "until", json_instant(draft->until_ms), "items", (json_int_t)draft->n_items);
    feed_emit(p->c->feed, draft->device, "playlist", news);
    json_decref(news);
}

static void on_work(uv_timer_t *timer);
static void let_go(struct publisher *p);

static void work_in(struct publisher *p, uint64_t ms)
{
    if (!p->ended && !uv_is_active((uv_handle_t *)&p->work) && !drafts_busy(p->drafts))
        uv_timer_start(&p->work, on_work, ms, 0);
}

/* `trusted`: whether the trust in force names our key; without it nothing is made and nothing is asked for again. */
static void note_trusted(struct publisher *p, bool trusted)
{
    if (!trusted && !p->warned)
        log_warn("publisher", "the trust in force does not name this scheduler key (%s); nothing is published",
                 p->c->scheduler.kid);
    p->warned = !trusted;
    if (trusted)
        return;
    json_object_clear(p->urgent);
    json_object_clear(p->bulk);
    json_array_clear(p->meant);
    p->n_asked = 0;
}

static bool wants_work(const struct publisher *p)
{
    return json_object_size(p->urgent) + json_object_size(p->bulk) + json_array_size(p->meant) > 0;
}

/* To be looked at, if not now: work_in(). */
static void mark(struct publisher *p, const char *device, bool urgent)
{
    if (urgent)
        json_object_del(p->bulk, device);
    else if (json_object_get(p->urgent, device))
        return;
    json_object_set_new(urgent ? p->urgent : p->bulk, device, json_true());
}

static void mark_list(struct publisher *p, const json_t *devices)
{
    json_t *id;
    size_t i;
    json_array_foreach(devices, i, id) mark(p, json_string_value(id), json_array_size(devices) <= URGENT_LIST);
}

static void on_drafted(void *arg, const struct drafted *made)
{
    struct publisher *p = arg;
    if (p->ended) {
        let_go(p);
        return;
    }
    note_trusted(p, made->trusted);
    int r = drafts_store(p->c->store, made->drafts, made->n, p->asked_urgent ? RANK_URGENT : RANK_BULK);
    for (size_t i = 0; i < made->n && r == 0; i++) {
        if (made->drafts[i].playlist.sealed)
            tell_playlist(p, &made->drafts[i]);
        if (made->drafts[i].not_sealed)
            note_not_sealed(p, &made->drafts[i]);
    }
    /* What found no time, or no place on the disk, is looked at again. */
    for (size_t i = r == 0 ? made->n : 0; i < p->n_asked; i++)
        json_object_set_new(p->asked_urgent ? p->urgent : p->bulk, p->asked[i], json_true());
    for (size_t i = 0; i < json_array_size(made->reached); i++)
        mark_list(p, json_array_get(made->reached, i));
    if (made->trusted)
        json_array_extend(p->meant, (json_t *)made->left);
    publisher_send_soon(p);
    bool some = made->n + json_array_size(made->reached) > 0;
    if (!some && wants_work(p))
        log_warn("publisher", "the store cannot be read; playlists are looked at again in %d s", RETRY_MS / 1000);
    if (wants_work(p))
        work_in(p, r < 0 || !some ? RETRY_MS : 0);
}

/* --- drafts go out --- */

static json_t *whose_turn(struct publisher *p)
{
    bool urgent = json_object_size(p->urgent) > 0, bulk = json_object_size(p->bulk) > 0;
    if (urgent && (!bulk || ++p->turn % BULK_TURN != 0))
        return p->urgent;
    return bulk ? p->bulk : NULL;
}

/* The first of a set, if there is one. */
static void choose(struct publisher *p, json_t *set)
{
    json_t *value;
    const char *id;
    p->n_asked = 0;
    p->asked_urgent = set == p->urgent;
    json_object_foreach(set, id, value)
    {
        if (p->n_asked == DRAFTS_MAX)
            break;
        snprintf(p->asked[p->n_asked++], sizeof(p->asked[0]), "%s", id);
    }
}

static void on_work(uv_timer_t *timer)
{
    struct publisher *p = timer->data;
    const char *devices[DRAFTS_MAX];
    if (!wants_work(p) || drafts_busy(p->drafts))
        return;
    json_t *set = whose_turn(p), *meant = p->meant;
    choose(p, set);
    for (size_t i = 0; i < p->n_asked; i++)
        devices[i] = p->asked[i];
    /* The thread sees what is committed. */
    if (store_settle(p->c->store) < 0 || drafts_start(p->drafts, devices, p->n_asked, meant, on_drafted, p) < 0) {
        work_in(p, RETRY_MS);
        return;
    }
    p->meant = json_array();
    for (size_t i = 0; i < p->n_asked; i++)
        json_object_del(set, p->asked[i]);
}

/* --- to the broker --- */

static bool flying(const struct publisher *p, const char *word, const char *device, int64_t ver)
{
    for (size_t i = 0; i < p->n_flight; i++)
        if (p->flight[i].ver == ver && strcmp(p->flight[i].word, word) == 0 && strcmp(p->flight[i].device, device) == 0)
            return true;
    return false;
}

static int send_sealed(struct publisher *p, const json_t *row, const char *sealed)
{
    const char *word = json_string_value(json_object_get(row, "word"));
    const char *device = json_string_value(json_object_get(row, "device"));
    char topic[100];
    if (*device)
        snprintf(topic, sizeof(topic), "loa/1/dev/%s/%s", device, word);
    else
        snprintf(topic, sizeof(topic), "loa/1/%s", word);
    struct in_flight *f = &p->flight[p->n_flight];
    *f = (struct in_flight){.id = p->next_id, .era = member(row, "era"), .ver = member(row, "ver")};
    snprintf(f->word, sizeof(f->word), "%s", word);
    snprintf(f->device, sizeof(f->device), "%s", device);
    int r = fleet_publish(p->c->fleet, f->id, topic, sealed, strlen(sealed), true);
    if (r < 0)
        return r;
    p->next_id = p->next_id + 1 < PUBLISHER_ID_END ? p->next_id + 1 : 1;
    p->n_flight++;
    return 0;
}

/* 0, or negative: not now. */
static int send_row(struct publisher *p, const json_t *row)
{
    const char *word = json_string_value(json_object_get(row, "word"));
    const char *device = json_string_value(json_object_get(row, "device"));
    size_t room = member(row, "rank") >= RANK_BULK ? BULK_IN_FLIGHT : URGENT_IN_FLIGHT;
    if (flying(p, word, device, member(row, "ver")))
        return 0;
    if (p->n_flight >= room)
        return -1;
    char *sealed =
        store_text(p->c->store, "SELECT sealed FROM documents WHERE word = ? AND device = ? AND era = ? AND ver = ?",
                   "ssii", word, device, member(row, "era"), member(row, "ver"));
    int r = sealed ? send_sealed(p, row, sealed) : 0;
    free(sealed);
    return r;
}

/* What waits, but for what the broker was seen to hold above it: a newer one of ours is being made. */
static const char waiting[] =
    "SELECT word, device, era, ver, rank FROM sent s WHERE acked_ms IS NULL AND NOT EXISTS (SELECT 1 FROM seen e"
    " WHERE e.word = s.word AND e.device = s.device AND e.era = s.era AND e.ver <= ?1 AND (e.ver > s.ver OR (e.ver ="
    " s.ver AND e.hash <> (SELECT hash FROM documents d WHERE d.word = s.word AND d.device = s.device AND d.era = s.era"
    " AND d.ver = s.ver)))) ORDER BY rank, made_ms LIMIT ?2";

static void on_send(uv_timer_t *timer)
{
    struct publisher *p = timer->data;
    if (!p->online || !p->may_send)
        return;
    json_t *rows = store_list(p->c->store, waiting, "ii", clock_wall_ms() + VERSION_AHEAD_MS,
                              (int64_t)URGENT_IN_FLIGHT * 2),
           *row;
    size_t i;
    int r = 0;
    json_array_foreach(rows, i, row) if ((r = send_row(p, row)) < 0) break;
    if (json_array_size(rows) > 0)
        uv_timer_start(&p->send, on_send, r == -ENOBUFS ? FULL_MS : RETRY_MS, 0);
    json_decref(rows);
}

/* --- the outside --- */

/* All at the start, then part by part. */
static void on_look(uv_timer_t *timer)
{
    struct publisher *p = timer->data;
    int64_t n = store_number(p->c->store, 0, "SELECT count(*) FROM devices", "");
    json_t *rows = store_list(p->c->store, "SELECT id FROM devices WHERE id > ? ORDER BY id LIMIT ?", "si",
                              p->looked_at, n / LOOK_PARTS + 1),
           *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "id"));
        json_object_set_new(p->bulk, id, json_true());
        snprintf(p->looked_at, sizeof(p->looked_at), "%s", id);
    }
    if (json_array_size(rows) == 0)
        p->looked_at[0] = '\0';
    json_decref(rows);
    work_in(p, DEBOUNCE_MS);
}

struct publisher *publisher_new(struct controller *c)
{
    struct publisher *p = xcalloc(1, sizeof(*p));
    p->c = c;
    p->urgent = json_object();
    p->bulk = json_object();
    p->meant = json_array();
    p->drafts = drafts_new(c);
    p->next_id = 1;
    uv_timer_t *timers[] = {&p->work, &p->send, &p->look};
    for (size_t i = 0; i < 3; i++) {
        uv_timer_init(c->loop, timers[i]);
        timers[i]->data = p;
    }
    p->open_handles = 3;
    uv_timer_start(&p->look, on_look, LOOK_MS, LOOK_MS);
    publisher_touch_all(p);
    return p;
}

/* Once its timers are closed and nothing is being drafted. */
static void let_go(struct publisher *p)
{
    if (p->open_handles > 0 || drafts_busy(p->drafts))
        return;
    drafts_free(p->drafts);
    json_decref(p->urgent);
    json_decref(p->bulk);
    json_decref(p->meant);
    free(p);
}

static void on_closed(uv_handle_t *handle)
{
    struct publisher *p = handle->data;
    p->open_handles--;
    let_go(p);
}

void publisher_free(struct publisher *publisher)
{
    if (!publisher)
        return;
    publisher->ended = true;
    uv_close((uv_handle_t *)&publisher->work, on_closed);
    uv_close((uv_handle_t *)&publisher->send, on_closed);
    uv_close((uv_handle_t *)&publisher->look, on_closed);
}

void publisher_touch(struct publisher *publisher, const char *device)
{
    mark(publisher, device, true);
    work_in(publisher, DEBOUNCE_MS);
}

void publisher_touch_list(struct publisher *publisher, const json_t *devices)
{
    mark_list(publisher, devices);
    work_in(publisher, DEBOUNCE_MS);
}

void publisher_touch_meant(struct publisher *publisher, const json_t *body)
{
    if (json_array_size(publisher->meant) < MEANT_MAX) {
        json_array_append_new(publisher->meant, json_deep_copy(body)); /* the thread's alone, soon */
    } else {
        json_array_clear(publisher->meant);
        json_array_append_new(publisher->meant, json_null());
    }
    work_in(publisher, DEBOUNCE_MS);
}

void publisher_touch_all(struct publisher *publisher)
{
    json_array_clear(publisher->meant);
    json_array_append_new(publisher->meant, json_null());
    work_in(publisher, DEBOUNCE_MS);
}

void publisher_send_soon(struct publisher *publisher)
{
    if (!publisher->ended)
        uv_timer_start(&publisher->send, on_send, 0, 0);
}

static const json_t *held_of(const json_t *state, const json_t *word)
{
    json_t *held;
    size_t i;
    json_array_foreach(json_object_get(state, "held"), i,
                       held) if (json_equal(json_object_get(held, "doc"), word)) return held;
    return NULL;
}

/* The device lacks this document of ours (row of `sent`), which the broker has. */
static void send_again(struct publisher *p, const json_t *row)
{
    if (store_run(p->c->store,
                  "UPDATE sent SET acked_ms = NULL WHERE word = ? AND device = ? AND era = ? AND ver = ? AND"
                  " acked_ms < ?",
                  "ssiii", json_string_value(json_object_get(row, "word")),
                  json_string_value(json_object_get(row, "device")), member(row, "era"), member(row, "ver"),
                  clock_wall_ms() - AGAIN_MS) > 0)
        publisher_send_soon(p);
}

void publisher_reported(struct publisher *publisher, const char *device, const json_t *state)
{
    int64_t era = mandate_era(publisher->c->mandate);
    json_t *rows = store_list(publisher->c->store,
                              "SELECT s.word, s.device, s.era, s.ver, d.hash FROM sent s JOIN documents d USING (word,"
                              " device, era, ver) WHERE s.device = '' UNION ALL SELECT s.word, s.device, s.era, s.ver,"
                              " d.hash FROM sent s JOIN documents d USING (word, device, era, ver) WHERE s.device = ?",
                              "s", device),
           *row;
    size_t i;
    bool look = json_array_size(rows) == 0;
    json_array_foreach(rows, i, row)
    {
        const json_t *held = held_of(state, json_object_get(row, "word"));
        int order =
            held ? doc_version_cmp(member(held, "era"), member(held, "ver"), member(row, "era"), member(row, "ver"))
                 : -1;
        if (order < 0)
            send_again(publisher, row);
        /* Above ours, or other content under our version: ours would never be adopted. */
        bool own = *json_string_value(json_object_get(row, "device")) != '\0';
        if (own && held && member(held, "era") == era &&
            (order > 0 || (order == 0 && !json_equal(json_object_get(held, "hash"), json_object_get(row, "hash")))))
            look = true;
    }
    json_decref(rows);
    if (look)
        publisher_touch(publisher, device);
}

void publisher_may_send(struct publisher *publisher)
{
    publisher->may_send = true;
    publisher_send_soon(publisher);
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
    /* A mark that is lost with what was gathered only means that the document is sent once more. */
    if (f.id && fleet_gather(publisher->c->fleet) == 0) {
        if (store_run(publisher->c->store,
                      "UPDATE sent SET acked_ms = ? WHERE word = ? AND device = ? AND era = ? AND ver = ?", "issii",
                      clock_wall_ms(), f.word, f.device, f.era, f.ver) < 0)
            log_warn("publisher", "device=%s document=%s not marked as published, sent again", f.device, f.word);
        store_leave(publisher->c->store);
    }
    if (publisher->n_flight <= BULK_IN_FLIGHT / 2)
        publisher_send_soon(publisher);
}

void publisher_refused(struct publisher *publisher, uint32_t id, bool full)
{
    take_flight(publisher, id);
    uv_timer_start(&publisher->send, on_send, full ? FULL_MS : RETRY_MS, 0);
}

int64_t publisher_compiling(const struct publisher *p)
{
    size_t n = json_object_size(p->urgent) + json_object_size(p->bulk) + json_array_size(p->meant);
    return (int64_t)n + (drafts_busy(p->drafts) ? 1 : 0);
}

int64_t publisher_waiting(struct controller *c)
{
    return store_number(c->store, 0, "SELECT count(*) FROM sent WHERE acked_ms IS NULL", "");
}
