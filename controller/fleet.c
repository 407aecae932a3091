/* fleet.c - see fleet.h. */
#include "controller/fleet.h"

#include "controller/feed.h"
#include "controller/mandate.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/records.h"
#include "controller/welcome.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"
#include "playlists/base/post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WELCOME_SOON_MS = 500,
    WELCOME_EVERY_MS = 10 * 60 * 1000,
    TICK_MS = 1000,
    EVENT_EVERY_MS = 60 * 1000, /* an event about a refused document, or a twin, at most this often for a device */
};
#define WELCOME_LIFE_S INT64_C(1200)

/* What is remembered of a device besides the store: when its next welcome is due. */
struct guest {
    char id[44];
    struct guest *next;
    int64_t welcome_at_ms; /* elapsed; 0: none due */
    int64_t refused_at_ms; /* elapsed; last event about a refusal */
    int64_t twin_at_ms;    /* and about a record that came twice */
    int64_t last_ver;
};

struct fleet {
    struct controller *c;
    struct post *post;
    bool online;
    char why[200];
    struct guest *guests;
    uv_timer_t soon, tick;
    int open_handles;
    uint32_t next_id;
};

static struct guest *guest_of(struct fleet *f, const char *device)
{
    for (struct guest *g = f->guests; g; g = g->next)
        if (strcmp(g->id, device) == 0)
            return g;
    struct guest *g = xcalloc(1, sizeof(*g));
    snprintf(g->id, sizeof(g->id), "%s", device);
    g->next = f->guests;
    f->guests = g;
    return g;
}

static struct doc_head next_head(struct fleet *f, struct guest *g, int64_t life_s, char aud[64])
{
    int64_t now_ms = clock_wall_ms();
    g->last_ver = now_ms > g->last_ver ? now_ms : g->last_ver + 1;
    snprintf(aud, 64, "dev/%s", g->id);
    return (struct doc_head){.aud = aud,
                             .era = mandate_era(f->c->mandate),
                             .ver = g->last_ver,
                             .iat_s = now_ms / 1000,
                             .exp_s = now_ms / 1000 + life_s};
}

int fleet_publish(struct fleet *fleet, uint32_t id, const char *topic, const void *payload, size_t len, bool retain)
{
    return post_publish(fleet->post, id, topic, payload, len, retain ? POST_RETAIN : 0);
}

static uint32_t own_id(struct fleet *f)
{
    f->next_id = f->next_id + 1 < UINT32_MAX ? f->next_id + 1 : PUBLISHER_ID_END;
    return f->next_id;
}

static void welcome(struct fleet *f, struct guest *g)
{
    char *nonce = store_text(f->c->store, "SELECT nonce FROM states WHERE device = ? AND up = 1", "s", g->id);
    if (!nonce || !mandate_schedules(f->c->mandate, f->c->scheduler.kid)) {
        g->welcome_at_ms = 0;
        free(nonce);
        return;
    }
    struct complaint why = {0};
    char aud[64], topic[100], *sealed = NULL;
    struct doc_head head = next_head(f, g, WELCOME_LIFE_S, aud);
    snprintf(topic, sizeof(topic), "loa/1/dev/%s/welcome", g->id);
    if (welcome_seal(f->c, &head, g->id, nonce, &sealed, &why) < 0)
        log_err("fleet", "device=%s welcome not sealed: %s", g->id, why.text);
    else if (fleet_publish(f, own_id(f), topic, sealed, strlen(sealed), false) < 0)
        log_debug("fleet", "device=%s welcome not sent, the link is away", g->id);
    g->welcome_at_ms = clock_elapsed_ms() + WELCOME_EVERY_MS;
    free(sealed);
    free(nonce);
}

static void on_soon(uv_timer_t *timer)
{
    struct fleet *f = timer->data;
    int64_t now_ms = clock_elapsed_ms(), next_ms = INT64_MAX;
    for (struct guest *g = f->guests; g; g = g->next) {
        if (g->welcome_at_ms && g->welcome_at_ms <= now_ms && f->online)
            welcome(f, g);
        if (g->welcome_at_ms && g->welcome_at_ms < next_ms)
            next_ms = g->welcome_at_ms;
    }
    if (next_ms != INT64_MAX && f->online)
        uv_timer_start(&f->soon, on_soon, next_ms > now_ms ? (uint64_t)(next_ms - now_ms) : 1, 0);
}

/* Debounced: the first new record sets the moment, later ones ride along. */
static void welcome_soon(struct fleet *f, struct guest *g, int64_t in_ms)
{
    int64_t at_ms = clock_elapsed_ms() + in_ms;
    if (!g->welcome_at_ms || g->welcome_at_ms > at_ms)
        g->welcome_at_ms = at_ms;
    on_soon(&f->soon);
}

static void emit_device(struct fleet *f, const char *device)
{
    json_t *json = device_json(f->c->store, device, clock_wall_ms());
    feed_emit(f->c->feed, device, "state", json);
    json_decref(json);
}

static void emit_last(struct fleet *f, const char *device, const char *kind, const char *sql)
{
    json_t *row = store_one(f->c->store, sql, "s", device);
    if (row)
        feed_emit(f->c->feed, device, kind, row);
    json_decref(row);
}

void fleet_note(struct fleet *fleet, const char *device, const char *code, const char *about, const char *detail)
{
    record_own_event(fleet->c->store, device, code, about, detail, clock_wall_ms());
    emit_last(fleet, device, "event", SQL_EVENT "WHERE device = ? ORDER BY cursor DESC LIMIT 1");
}

static bool event_due(int64_t *last_ms)
{
    int64_t now_ms = clock_elapsed_ms();
    if (*last_ms && now_ms - *last_ms < EVENT_EVERY_MS)
        return false;
    *last_ms = now_ms;
    return true;
}

static void note_refused(struct fleet *f, struct guest *g, const char *word, enum refusal refusal, const char *why)
{
    log_warn("fleet", "device=%s %s refused (%s): %s", g->id, word, refusal_names[refusal], why);
    if (event_due(&g->refused_at_ms))
        fleet_note(f, g->id, "document_refused", word, why);
}

static void seen(struct fleet *f, const char *device)
{
    if (store_run(f->c->store, "UPDATE states SET seen_ms = ? WHERE device = ?", "is", clock_wall_ms(), device) < 0)
        log_warn("fleet", "device=%s last contact not noted", device);
}

static void take_will(struct fleet *f, const struct state *s)
{
    int64_t now_ms = clock_wall_ms();
    if (store_run(f->c->store, "UPDATE states SET up = 0, off_since_ms = ? WHERE device = ? AND nonce = ? AND up = 1",
                  "iss", now_ms, s->device, s->nonce) <= 0)
        return;
    log_info("fleet", "device=%s lost", s->device);
    emit_device(f, s->device);
}

static void take_state(struct fleet *f, struct guest *g, const struct state *s, const char *kid)
{
    json_t *old = store_one(f->c->store, "SELECT nonce, up, kid, era, ver FROM states WHERE device = ?", "s", g->id);
    bool same_box = old && strcmp(json_string_value(json_object_get(old, "kid")), kid) == 0;
    bool same_session = same_box && strcmp(json_string_value(json_object_get(old, "nonce")), s->nonce) == 0 &&
                        json_integer_value(json_object_get(old, "up")) != 0;
    int order = same_box ? doc_version_cmp(s->head.era, s->head.ver, json_integer_value(json_object_get(old, "era")),
                                           json_integer_value(json_object_get(old, "ver")))
                         : 1;
    json_decref(old);
    json_t *body = doc_json(DOC_STATE, s);
    if (order > 0 && store_run(f->c->store,
                               "INSERT INTO states (device, nonce, up, kid, era, ver, body, seen_ms) VALUES"
                               " (?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET nonce = excluded.nonce,"
                               " up = 1, kid = excluded.kid, era = excluded.era, ver = excluded.ver,"
                               " body = excluded.body, seen_ms = excluded.seen_ms, off_since_ms = NULL",
                               "sssiiji", g->id, s->nonce, kid, s->head.era, s->head.ver, body, clock_wall_ms()) >= 0) {
        publisher_reported(f->c->publisher, g->id, body);
        emit_device(f, g->id);
    }
    json_decref(body);
    /* Also within a session: the broker may have been away, and what was sent meanwhile with it. A welcome tells the
     * device what is stored, and it sends the rest again. */
    if (order >= 0)
        welcome_soon(f, g, same_session ? WELCOME_SOON_MS : 0);
    if (!same_session)
        fleet_command(f);
}

static void take_record(struct fleet *f, struct guest *g, int found, const char *kind, int64_t n, const char *sql)
{
    if (found < 0)
        return;
    if (found == RECORD_TWIN)
        log_warn("fleet", "device=%s %s %lld came a second time with other content, both are kept", g->id, kind,
                 (long long)n);
    if (found == RECORD_TWIN && event_due(&g->twin_at_ms)) {
        char about[40];
        snprintf(about, sizeof(about), "%s %lld", kind, (long long)n);
        fleet_note(f, g->id, "record_twin", about, "the number came a second time with other content; both are kept");
    }
    if (found != RECORD_KNOWN)
        emit_last(f, g->id, kind, sql);
    seen(f, g->id);
    welcome_soon(f, g, WELCOME_SOON_MS);
}

static void take_reply(struct fleet *f, const struct reply *reply)
{
    if (store_run(f->c->store,
                  "UPDATE commands SET status = 'answered', answered_ms = ?, ok = ?, detail = ? WHERE id = ? AND"
                  " device = ? AND status IN ('waiting', 'sent')",
                  "iisss", clock_wall_ms(), (int64_t)reply->ok, reply->detail, reply->id, reply->device) <= 0)
        return;
    json_t *row = store_one(f->c->store, SQL_COMMAND "WHERE id = ?", "s", reply->id);
    feed_emit(f->c->feed, reply->device, "command", row);
    json_decref(row);
}

static void take_health(struct fleet *f, const struct health *health)
{
    json_t *body = doc_json(DOC_HEALTH, health);
    json_t *told = json_pack("{s:o, s:O, s:O}", "at", json_instant(health->at_ms), "parts",
                             json_object_get(body, "parts"), "values", json_object_get(body, "values"));
    if (!told)
        told = json_pack("{s:o, s:[], s:[]}", "at", json_instant(health->at_ms), "parts", "values");
    int r =
        store_run(f->c->store,
                  "INSERT INTO health VALUES (?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET at_ms = excluded.at_ms,"
                  " ver = excluded.ver, body = excluded.body WHERE excluded.ver > ver",
                  "siij", health->device, health->at_ms, health->head.ver, told);
    if (r > 0) {
        json_t *news = json_pack("{s:s, s:O}", "device", health->device, "health", told);
        feed_emit(f->c->feed, health->device, "health", news);
        json_decref(news);
        seen(f, health->device);
    }
    json_decref(told);
    json_decref(body);
}

static const char *device_of(enum doc_type type, const void *doc)
{
    switch (type) {
    case DOC_STATE:
        return ((const struct state *)doc)->device;
    case DOC_RECEIPT:
        return ((const struct receipt *)doc)->device;
    case DOC_EVENT:
        return ((const struct event *)doc)->device;
    case DOC_REPLY:
        return ((const struct reply *)doc)->device;
    case DOC_HEALTH:
        return ((const struct health *)doc)->device;
    default:
        return "";
    }
}

static void take(struct fleet *f, struct guest *g, enum doc_type type, const void *doc, const char *kid)
{
    int64_t now_ms = clock_wall_ms();
    if (type == DOC_STATE) {
        const struct state *s = doc;
        if (s->on)
            take_state(f, g, s, kid);
        else
            take_will(f, s);
    } else if (type == DOC_RECEIPT) {
        const struct receipt *r = doc;
        take_record(f, g, record_receipt(f->c->store, r, now_ms), "receipt", r->n,
                    SQL_RECEIPT "WHERE r.device = ? ORDER BY cursor DESC LIMIT 1");
    } else if (type == DOC_EVENT) {
        const struct event *e = doc;
        take_record(f, g, record_event(f->c->store, e, now_ms), "event", e->n,
                    SQL_EVENT "WHERE device = ? ORDER BY cursor DESC LIMIT 1");
    } else if (type == DOC_REPLY) {
        take_reply(f, doc);
    } else {
        take_health(f, doc);
    }
}

/* "loa/1/dev/<id>/<word>" -> id and type; false for any other topic. */
static bool split_topic(const char *topic, char ret_device[44], enum doc_type *ret_type)
{
    static const enum doc_type up[] = {DOC_STATE, DOC_RECEIPT, DOC_EVENT, DOC_REPLY, DOC_HEALTH};
    if (strncmp(topic, "loa/1/dev/", 10) != 0)
        return false;
    const char *slash = strchr(topic + 10, '/');
    if (!slash || slash - (topic + 10) > 40)
        return false;
    snprintf(ret_device, 44, "%.*s", (int)(slash - (topic + 10)), topic + 10);
    for (size_t i = 0; i < sizeof(up) / sizeof(up[0]); i++) {
        if (strcmp(slash + 1, doc_word(up[i])) == 0) {
            *ret_type = up[i];
            return true;
        }
    }
    return false;
}

static void on_message(void *arg, const char *topic, const void *payload, size_t len, bool retained)
{
    struct fleet *f = arg;
    char device[44], box_x[44];
    enum doc_type type;
    (void)retained;
    if (len == 0 || !split_topic(topic, device, &type) || !device_box_x(f->c->store, device, box_x))
        return;
    struct guest *g = guest_of(f, device);
    struct authority authority = *mandate_authority(f->c->mandate);
    struct held_version none = {0};
    struct seal_header header;
    struct complaint why = {0};
    struct arena *arena = arena_new();
    void *doc = NULL;
    authority.box_x = box_x;
    enum refusal refusal = judge_open(&authority, type, payload, len, arena, &doc, &header, &why);
    /* A box without trusted time may stamp anything: its words do not expire here, their order is told by numbers. */
    const struct doc_head *head = doc; /* each document begins with its head */
    if (refusal == REFUSAL_NONE)
        refusal = judge_head(head, "controller", &none, head->era, 0, NULL, &why);
    if (refusal == REFUSAL_NONE && strcmp(device_of(type, doc), device) != 0) {
        refusal = REFUSAL_AUDIENCE;
        complain(&why, ERR_AUDIENCE, "names device %s in the topic of %s", device_of(type, doc), device);
    }
    if (refusal != REFUSAL_NONE)
        note_refused(f, g, doc_word(type), refusal, why.text);
    else
        take(f, g, type, doc, header.kid);
    arena_free(arena);
}

static int send_command(struct fleet *f, const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "id"));
    const char *device = json_string_value(json_object_get(row, "device"));
    const char *nonce = json_string_value(json_object_get(row, "nonce"));
    char aud[64], topic[100], *sealed = NULL;
    struct command cmd = {.nonce = nonce, .id = id, .command = json_string_value(json_object_get(row, "command"))};
    int64_t now_ms = clock_wall_ms();
    cmd.head = next_head(f, guest_of(f, device), 1, aud);
    cmd.head.exp_s = (json_integer_value(json_object_get(row, "expires_ms")) + 999) / 1000;
    snprintf(topic, sizeof(topic), "loa/1/dev/%s/cmd", device);
    int r = seal_doc(&f->c->scheduler, DOC_COMMAND, &cmd, false, &sealed, NULL);
    if (r == 0)
        r = fleet_publish(f, own_id(f), topic, sealed, strlen(sealed), false);
    free(sealed);
    if (r == 0)
        r = store_run(f->c->store, "UPDATE commands SET status = 'sent', sent_ms = ?, nonce = ? WHERE id = ?", "iss",
                      now_ms, nonce, id);
    return r;
}

static void expire_commands(struct fleet *f, int64_t now_ms)
{
    json_t *rows = store_list(f->c->store,
                              "SELECT id, device FROM commands WHERE status IN ('waiting', 'sent') AND expires_ms <= ?",
                              "i", now_ms);
    json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "id"));
        if (store_run(f->c->store, "UPDATE commands SET status = 'expired' WHERE id = ?", "s", id) < 0)
            continue;
        json_t *told = store_one(f->c->store, SQL_COMMAND "WHERE id = ?", "s", id);
        feed_emit(f->c->feed, json_string_value(json_object_get(row, "device")), "command", told);
        json_decref(told);
    }
    json_decref(rows);
}

void fleet_command(struct fleet *fleet)
{
    int64_t now_ms = clock_wall_ms();
    if (!fleet->online || !mandate_schedules(fleet->c->mandate, fleet->c->scheduler.kid))
        return;
    /* A command belongs to the session in which it was first sent. */
    json_t *rows = store_list(fleet->c->store,
                              "SELECT c.id, c.device, c.command, c.expires_ms, s.nonce FROM commands c JOIN states s"
                              " ON s.device = c.device AND s.up = 1 AND (c.nonce IS NULL OR c.nonce = s.nonce)"
                              " WHERE c.status IN ('waiting', 'sent') AND c.expires_ms > ? AND"
                              " coalesce(c.sent_ms, 0) <= ? ORDER BY c.n",
                              "ii", now_ms, now_ms - COMMAND_AGAIN_MS);
    json_t *row;
    size_t i;
    json_array_foreach(rows, i, row) if (send_command(fleet, row) < 0) break;
    json_decref(rows);
}

static void on_tick(uv_timer_t *timer)
{
    struct fleet *f = timer->data;
    expire_commands(f, clock_wall_ms());
    fleet_command(f);
}

static void tell_link(struct fleet *f)
{
    json_t *news = json_pack("{s:s}", "link", f->online ? "online" : "offline");
    feed_emit(f->c->feed, NULL, "link", news);
    json_decref(news);
}

void fleet_listen(struct fleet *fleet, const char *device)
{
    char topic[100];
    snprintf(topic, sizeof(topic), "loa/1/dev/%s/state", device);
    int r = post_subscribe(fleet->post, topic);
    if (r < 0 && r != -ENOTCONN)
        log_err("fleet", "device=%s its state cannot be listened to: %s", device, err_name(r));
}

void fleet_forget(struct fleet *fleet, const char *device)
{
    if (store_run(fleet->c->store, "UPDATE states SET up = 0, off_since_ms = ? WHERE device = ? AND up = 1", "is",
                  clock_wall_ms(), device) < 0)
        log_warn("fleet", "device=%s the former box's session is still noted", device);
}

static void on_connected(void *arg)
{
    static const char *const topics[] = {"loa/1/dev/+/receipt", "loa/1/dev/+/event", "loa/1/dev/+/reply",
                                         "loa/1/dev/+/health"};
    struct fleet *f = arg;
    if (post_attach(f->post, NULL, NULL, 0, topics, 4) < 0)
        return;
    json_t *rows = store_list(f->c->store, "SELECT id FROM devices ORDER BY id", ""), *row;
    size_t i;
    json_array_foreach(rows, i, row) fleet_listen(f, json_string_value(json_object_get(row, "id")));
    json_decref(rows);
}

static void went_offline(struct fleet *f, const char *why)
{
    bool was = f->online;
    f->online = false;
    snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
    publisher_offline(f->c->publisher);
    if (was) {
        log_warn("fleet", "the link is offline: %s; devices go on by themselves", f->why);
        tell_link(f);
    }
}

static void on_disconnected(void *arg)
{
    went_offline(arg, "no link process");
}

static void on_offline(void *arg, const char *why)
{
    went_offline(arg, why);
}

static void on_online(void *arg)
{
    struct fleet *f = arg;
    f->online = true;
    f->why[0] = '\0';
    log_info("fleet", "the link is online");
    publisher_online(f->c->publisher);
    tell_link(f);
    on_soon(&f->soon);
    fleet_command(f);
}

static void on_acked(void *arg, uint32_t id)
{
    struct fleet *f = arg;
    if (id < PUBLISHER_ID_END)
        publisher_acked(f->c->publisher, id);
}

static void on_refused(void *arg, uint32_t id, const char *why)
{
    struct fleet *f = arg;
    log_debug("fleet", "publish %u not taken: %s", id, why);
    if (id < PUBLISHER_ID_END)
        publisher_refused(f->c->publisher, id);
}

int fleet_new(struct controller *c, struct fleet **ret)
{
    static const struct post_events events = {.connected = on_connected,
                                              .disconnected = on_disconnected,
                                              .online = on_online,
                                              .offline = on_offline,
                                              .message = on_message,
                                              .acked = on_acked,
                                              .refused = on_refused};
    struct fleet *f = xcalloc(1, sizeof(*f));
    f->c = c;
    f->next_id = PUBLISHER_ID_END;
    snprintf(f->why, sizeof(f->why), "not connected yet");
    int r = post_new(c->loop, c->settings->link, &events, f, &f->post);
    if (r < 0) {
        free(f);
        return r;
    }
    uv_timer_init(c->loop, &f->soon);
    uv_timer_init(c->loop, &f->tick);
    f->soon.data = f->tick.data = f;
    f->open_handles = 2;
    uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
    *ret = f;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct fleet *f = handle->data;
    if (--f->open_handles > 0)
        return;
    while (f->guests) {
        struct guest *g = f->guests;
        f->guests = g->next;
        free(g);
    }
    free(f);
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    post_free(fleet->post);
    uv_close((uv_handle_t *)&fleet->soon, on_closed);
    uv_close((uv_handle_t *)&fleet->tick, on_closed);
}

const char *fleet_link(const struct fleet *fleet, const char **ret_why)
{
    *ret_why = fleet->why;
    return fleet->online ? "online" : "offline";
}
