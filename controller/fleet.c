/* fleet.c - see fleet.h. The link's side, the way of a message to what it means, and what is gathered. */
#include "controller/fleet_own.h"

#include "controller/aside.h"
#include "controller/drafts.h"
#include "controller/feed.h"
#include "controller/mandate.h"
#include "controller/meaning.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/records.h"
#include "controller/survey.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    FLOOD_WELCOME_MS = 10 * 1000, /* what was dropped is asked for after this */
    VERSIONS_AHEAD = 60 * 1000,   /* are noted at once */
};

/* --- what the files of fleet share --- */

int fleet_publish(struct fleet *fleet, uint32_t id, const char *topic, const void *payload, size_t len, bool retain)
{
    return post_publish(fleet->post, id, topic, payload, len, retain ? POST_RETAIN : 0);
}

uint32_t fleet_own_id(struct fleet *f)
{
    f->next_id = f->next_id + 1 < UINT32_MAX ? f->next_id + 1 : PUBLISHER_ID_END;
    return f->next_id;
}

bool fleet_event_due(int64_t *last_ms, int64_t every_ms)
{
    int64_t now_ms = clock_elapsed_ms();
    if (*last_ms && now_ms - *last_ms < every_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

struct doc_head fleet_head(struct fleet *f, const char *device, int64_t life_s, char aud[64])
{
    int64_t now_ms = clock_wall_ms();
    f->last_ver = now_ms > f->last_ver ? now_ms : f->last_ver + 1;
    if (f->last_ver >= f->noted_ver) {
        f->noted_ver = f->last_ver + VERSIONS_AHEAD;
        if (store_run(f->c->store, "INSERT OR REPLACE INTO meta VALUES ('welcome_ver', ?)", "i", f->noted_ver) < 0)
            log_warn("fleet", "the versions of welcomes are not noted; after a restart with an earlier clock devices"
                              " would refuse some");
    }
    snprintf(aud, 64, "dev/%s", device);
    return (struct doc_head){.aud = aud,
                             .era = mandate_era(f->c->mandate),
                             .ver = f->last_ver,
                             .iat_s = now_ms / 1000,
                             .exp_s = now_ms / 1000 + life_s};
}

/* --- gathering --- */

static void on_gather(uv_timer_t *timer)
{
    struct fleet *f = timer->data;
    if (store_settle(f->c->store) < 0)
        log_err("fleet", "what devices said in the last %d ms could not be stored; they say it again", GATHER_MS);
    aside_tidy(f->c->aside);
}

int fleet_gather(struct fleet *fleet)
{
    int r = store_enter(fleet->c->store);
    if (r == 0 && !uv_is_active((uv_handle_t *)&fleet->gather) && !fleet->ended)
        uv_timer_start(&fleet->gather, on_gather, GATHER_MS, 0);
    return r;
}

void fleet_news(struct fleet *f, const char *kind, const char *device, const char *store, int64_t n)
{
    if (!feed_heard(f->c->feed) || json_array_size(f->news) >= NEWS_MAX)
        return;
    json_array_append_new(f->news, json_pack("[s, s, s, I]", kind, device, store ? store : "", (json_int_t)n));
}

static void tell_one(struct fleet *f, const json_t *item)
{
    const char *kind = json_string_value(json_array_get(item, 0));
    const char *device = json_string_value(json_array_get(item, 1));
    const char *store = json_string_value(json_array_get(item, 2));
    int64_t n = json_integer_value(json_array_get(item, 3));
    json_t *json = NULL;
    if (strcmp(kind, "state") == 0)
        json = device_json(f->c->store, device, clock_wall_ms());
    else if (strcmp(kind, "receipt") == 0)
        json = store_one(f->c->store,
                         SQL_RECEIPT "WHERE r.device = ? AND r.store = ? AND r.n = ? ORDER BY cursor DESC LIMIT 1",
                         "ssi", device, store, n);
    else
        json = store_one(f->c->store, SQL_EVENT "WHERE device = ? AND store = ? AND n = ? ORDER BY cursor DESC LIMIT 1",
                         "ssi", device, store, n);
    if (json && strcmp(kind, "receipt") == 0)
        mean_receipt(json);
    if (json && strcmp(kind, "event") == 0)
        mean_event(json);
    if (json)
        feed_emit(f->c->feed, device, kind, json);
    json_decref(json);
}

static void on_settled(void *arg, bool stored)
{
    struct fleet *f = arg;
    json_t *news = f->news, *item;
    size_t i;
    uv_timer_stop(&f->gather);
    f->news = json_array();
    json_array_foreach(news, i, item) if (stored) tell_one(f, item);
    json_decref(news);
}

void fleet_note(struct fleet *fleet, const char *device, const char *code, const char *about, const char *detail)
{
    record_own_event(fleet->c->store, device, code, about, detail, clock_wall_ms());
    json_t *row = store_one(fleet->c->store, SQL_EVENT "WHERE store = 'controller' ORDER BY n DESC LIMIT 1", "");
    if (row) {
        mean_event(row);
        feed_emit(fleet->c->feed, device, "event", row);
    }
    json_decref(row);
}

/* --- messages --- */

static void note_refused(struct fleet *f, struct guest *g, const char *word, enum refusal refusal, const char *why)
{
    char detail[600];
    snprintf(detail, sizeof(detail), "%s: %s", refusal_names[refusal], why);
    log_warn("fleet", "device=%s %s refused: %s", g->id, word, detail);
    if (fleet_event_due(&g->refused_at_ms, EVENT_EVERY_MS))
        fleet_note(f, g->id, "document_refused", word, detail);
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

static enum refusal open_word(struct fleet *f, const char *device, const char *box_x, enum doc_type type,
                              const void *payload, size_t len, struct arena *arena, void **ret_doc,
                              struct seal_header *ret_header, struct complaint *why)
{
    struct authority authority = *mandate_authority(f->c->mandate);
    struct held_version none = {0};
    authority.box_x = box_x;
    enum refusal refusal = judge_open(&authority, type, payload, len, arena, ret_doc, ret_header, why);
    /* A box without trusted time may stamp anything: its words do not expire here, their order is told by numbers. */
    const struct doc_head *head = *ret_doc; /* each document begins with its head */
    if (refusal == REFUSAL_NONE)
        refusal = judge_head(head, "controller", &none, head->era, 0, NULL, why);
    if (refusal == REFUSAL_NONE && strcmp(report_device(type, *ret_doc), device) != 0) {
        refusal = REFUSAL_AUDIENCE;
        complain(why, ERR_AUDIENCE, "names device %s in the topic of %s", report_device(type, *ret_doc), device);
    }
    return refusal;
}

/* True: it may cost us work. */
static bool allowed(struct fleet *f, struct guest *g, enum doc_type type, size_t len)
{
    enum allowance_verdict verdict = allowance_take(&g->allowance, len, clock_elapsed_ms());
    if (verdict == ALLOWANCE_TAKE)
        return true;
    if (verdict == ALLOWANCE_FLOOD) {
        log_warn("fleet", "device=%s floods us with more than %d words a second; what is above is dropped", g->id,
                 ALLOWANCE_PER_S);
        fleet_note(f, g->id, "flooded", doc_word(type),
                   "more words came under this device's name than a box says; what was above the limit was dropped,"
                   " and is asked for again");
    }
    welcome_in(f, g, FLOOD_WELCOME_MS);
    return false;
}

static void on_message(void *arg, const char *topic, const void *payload, size_t len, bool retained)
{
    struct fleet *f = arg;
    char device[44], box_x[44];
    enum doc_type type;
    if (survey_take(f->survey, topic, payload, len) || len == 0 || !split_topic(topic, device, &type) ||
        !device_box_x(f->c->store, device, box_x))
        return;
    struct guest *g = guests_get(f->guests, device);
    if (!allowed(f, g, type, len))
        return;
    int64_t from_ms = clock_elapsed_ms();
    struct seal_header header;
    struct complaint why = {0};
    struct arena *arena = arena_new();
    void *doc = NULL;
    enum refusal refusal = open_word(f, device, box_x, type, payload, len, arena, &doc, &header, &why);
    if (refusal != REFUSAL_NONE)
        note_refused(f, g, doc_word(type), refusal, why.text);
    else
        report_take(f, g, type, doc, header.kid, hash_of(payload, len).hex, retained);
    arena_free(arena);
    allowance_charge(&g->allowance, clock_elapsed_ms() - from_ms);
}

static void on_tick(uv_timer_t *timer)
{
    struct fleet *f = timer->data;
    commands_expire(f, clock_wall_ms());
    fleet_command(f);
}

/* --- the link --- */

static void tell_link(struct fleet *f)
{
    json_t *news = json_pack("{s:s}", "link", f->online ? "online" : "offline");
    feed_emit(f->c->feed, NULL, "link", news);
    json_decref(news);
}

void fleet_listen(struct fleet *fleet, const char *device)
{
    survey_add(fleet->survey, device);
}

void fleet_forget(struct fleet *fleet, const char *device)
{
    if (store_run(fleet->c->store, "UPDATE states SET up = 0, off_since_ms = ? WHERE device = ? AND up = 1", "is",
                  clock_wall_ms(), device) < 0 ||
        store_run(fleet->c->store, "UPDATE vaults SET up = 0 WHERE device = ?", "s", device) < 0)
        log_warn("fleet", "device=%s the former box's session is still noted", device);
}

/* What is kept, states among it, is read by exact filters (survey.h). */
static void on_connected(void *arg)
{
    static const char *const topics[] = {"loa/1/dev/+/receipt", "loa/1/dev/+/event", "loa/1/dev/+/reply"};
    struct fleet *f = arg;
    int r = post_attach(f->post, NULL, NULL, 0, topics, sizeof(topics) / sizeof(topics[0]));
    if (r < 0)
        log_err("fleet", "the link cannot be attached to: %s", err_name(r));
}

static void went_offline(struct fleet *f, const char *why)
{
    bool was = f->online;
    f->online = false;
    snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
    publisher_offline(f->c->publisher);
    survey_offline(f->survey);
    welcome_offline(f);
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
    if (post_subscribe_brief(f->post, "loa/1/dev/+/health") < 0)
        log_warn("fleet", "the health of devices is not listened to in this session");
    publisher_online(f->c->publisher);
    survey_online(f->survey);
    tell_link(f);
    welcome_pump(f);
    fleet_command(f);
}

static void on_acked(void *arg, uint32_t id)
{
    struct fleet *f = arg;
    if (id < PUBLISHER_ID_END)
        publisher_acked(f->c->publisher, id);
    else
        welcome_answered(f, id, true);
}

static void on_refused(void *arg, uint32_t id, const char *why)
{
    struct fleet *f = arg;
    log_debug("fleet", "publish %u not taken: %s", id, why);
    if (id < PUBLISHER_ID_END)
        publisher_refused(f->c->publisher, id, strcmp(why, "full") == 0);
    else
        welcome_answered(f, id, false);
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
    f->survey = survey_new(c, f->post);
    f->guests = guests_new();
    f->news = json_array();
    f->last_ver = f->noted_ver = store_number(c->store, 0, "SELECT value FROM meta WHERE key = 'welcome_ver'", "");
    uv_timer_t *timers[] = {&f->tick, &f->gather, &f->welcomes};
    for (size_t i = 0; i < 3; i++) {
        uv_timer_init(c->loop, timers[i]);
        timers[i]->data = f;
    }
    f->open_handles = 3;
    store_on_settled(c->store, on_settled, f);
    uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
    *ret = f;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct fleet *f = handle->data;
    if (--f->open_handles > 0)
        return;
    guests_free(f->guests);
    json_decref(f->news);
    free(f);
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    fleet->ended = true;
    if (store_settle(fleet->c->store) < 0)
        log_warn("fleet", "what devices said last could not be stored; they say it again");
    store_on_settled(fleet->c->store, NULL, NULL);
    survey_free(fleet->survey);
    post_free(fleet->post);
    uv_close((uv_handle_t *)&fleet->tick, on_closed);
    uv_close((uv_handle_t *)&fleet->gather, on_closed);
    uv_close((uv_handle_t *)&fleet->welcomes, on_closed);
}

const char *fleet_link(const struct fleet *fleet, const char **ret_why)
{
    *ret_why = fleet->why;
    return fleet->online ? "online" : "offline";
}
