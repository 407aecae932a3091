/* fleet_reports.c - what a device's box sealed: stored, compared, told. Writes are gathered; nothing is told before
 * they are committed. */
#include "controller/drafts.h"
#include "controller/feed.h"
#include "controller/fleet_own.h"
#include "controller/mandate.h"
#include "controller/publisher.h"
#include "controller/records.h"
#include "controller/survey.h"
#include "controller/vaults.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDED_MS = 500, HOUR_MS = 3600 * 1000, SOUGHT_EVERY_MS = 10 * 1000, STRAYS_EVERY_MS = 10 * 1000 };

/* It speaks, but its session is not known: its state was lost on its way, and the broker keeps it. */
static void seen(struct fleet *f, struct guest *g)
{
    int n = store_run(f->c->store, "UPDATE states SET seen_ms = ? WHERE device = ? AND up = 1", "is", clock_wall_ms(),
                      g->id);
    if (n < 0)
        log_warn("fleet", "device=%s last contact not noted", g->id);
    if (n == 0 && fleet_event_due(&g->sought_at_ms, SOUGHT_EVERY_MS))
        survey_add(f->survey, g->id);
}

/* --- states --- */

static void take_will(struct fleet *f, const struct state *s)
{
    int64_t now_ms = clock_wall_ms();
    if (fleet_gather(f) < 0)
        return;
    int lost =
        store_run(f->c->store, "UPDATE states SET up = 0, off_since_ms = ? WHERE device = ? AND nonce = ? AND up = 1",
                  "iss", now_ms, s->device, s->nonce);
    int left =
        store_run(f->c->store, "UPDATE vaults SET up = 0 WHERE device = ? AND nonce = ?", "ss", s->device, s->nonce);
    store_leave(f->c->store);
    if (lost > 0) {
        log_info("fleet", "device=%s lost", s->device);
        fleet_news(f, "state", s->device, NULL, 0);
    }
    if (left < 0)
        log_warn("fleet", "device=%s the end of its session is not noted", s->device);
}

static void tell_vaults(struct fleet *f, struct guest *g, const struct vault_verdict *verdict, const char *store)
{
    char about[160];
    if (verdict->changed) {
        snprintf(about, sizeof(about), "%s %s", verdict->other, store);
        log_info("fleet", "device=%s store=%s in the place of store %s", g->id, store, verdict->other);
        fleet_note(f, g->id, "store_changed", about,
                   "the box has another store (SD card) than before; its numbers start anew");
    }
    if (verdict->twins && fleet_event_due(&g->twins_at_ms, HOUR_MS)) {
        bool one = strcmp(verdict->other, store) == 0;
        snprintf(about, sizeof(about), "%s %s", verdict->other, store);
        log_warn("fleet", "device=%s stores=%s two boxes speak with one identity", g->id, about);
        fleet_note(
            f, g->id, "identity_twice", about,
            one ? "two sessions with one key and one store id go on beside each other: a copied SD card; records under"
                  " one number are kept both"
                : "two boxes with one key speak beside each other, each with a store of its own: a copied SD card");
    }
}

/* A liar, or the work of a thief: nothing of ours could be above it for long. A new era ends it. */
static void tell_beyond(struct fleet *f, struct guest *g, const struct state *s)
{
    int64_t era = mandate_era(f->c->mandate), max = clock_wall_ms() + VERSION_AHEAD_MS;
    for (size_t i = 0; i < s->n_held; i++)
        if (s->held[i].era == era && s->held[i].ver > max && fleet_event_due(&g->beyond_at_ms, HOUR_MS))
            fleet_note(
                f, g->id, "version_beyond", s->held[i].doc,
                "the device says it holds a version that no centre can have made yet; it is not overtaken; a trust"
                " of a higher era ends it");
}

static int store_state(struct fleet *f, struct guest *g, const struct state *s, const char *kid, const json_t *body,
                       struct vault_row *row)
{
    struct vault_state told = {
        .store = s->store, .kid = kid, .nonce = s->nonce, .era = s->head.era, .ver = s->head.ver};
    vault_follow(row, &told, clock_wall_ms());
    if (fleet_gather(f) < 0)
        return ERR_STORE;
    int r = vaults_save(f->c->store, g->id, row);
    if (r == 0)
        r = store_run(f->c->store,
                      "INSERT INTO states (device, nonce, up, kid, era, ver, body, seen_ms) VALUES"
                      " (?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET nonce = excluded.nonce,"
                      " up = 1, kid = excluded.kid, era = excluded.era, ver = excluded.ver,"
                      " body = excluded.body, seen_ms = excluded.seen_ms, off_since_ms = NULL",
                      "sssiiji", g->id, s->nonce, kid, s->head.era, s->head.ver, body, clock_wall_ms());
    if (r >= 0)
        publisher_reported(f->c->publisher, g->id, body);
    store_leave(f->c->store);
    return r < 0 ? r : 0;
}

/* A box that could not write (a read-only disk) counts from where its last life did. It is told the time, and by it
 * counts above what it said. Nothing is stored: were this an old word said once more, no box believes what quotes its
 * nonce. */
static void take_stray(struct fleet *f, struct guest *g, const struct state *s)
{
    if (!fleet_event_due(&g->stray_at_ms, STRAYS_EVERY_MS))
        return;
    log_info("fleet", "device=%s a session that counts from an earlier one is welcomed, its state is not stored",
             g->id);
    snprintf(g->stray, sizeof(g->stray), "%s", s->nonce);
    welcome_in(f, g, 0);
}

static void take_state(struct fleet *f, struct guest *g, const struct state *s, const char *kid, bool again)
{
    struct vault_row rows[VAULTS_MAX], new_row = {0};
    if (fleet_gather(f) < 0) /* reading within what is open anyway costs a third of reading outside */
        return;
    size_t n = vaults_load(f->c->store, g->id, rows);
    char *current = store_text(f->c->store, "SELECT nonce FROM states WHERE device = ?", "s", g->id);
    store_leave(f->c->store);
    struct vault_state told = {
        .store = s->store, .kid = kid, .nonce = s->nonce, .era = s->head.era, .ver = s->head.ver};
    struct vault_verdict verdict = vault_judge(rows, n, current ? current : "", &told);
    bool new_session = !verdict.same_session || !current || strcmp(current, s->nonce) != 0;
    free(current);
    if (verdict.stray)
        take_stray(f, g, s);
    if (verdict.order == VAULT_OLD || verdict.stray)
        return;
    if (verdict.order == VAULT_NEWER) {
        json_t *body = doc_json(DOC_STATE, s);
        int r = store_state(f, g, s, kid, body, verdict.at < n ? &rows[verdict.at] : &new_row);
        json_decref(body);
        if (r < 0)
            return;
        fleet_news(f, "state", g->id, NULL, 0);
        tell_vaults(f, g, &verdict, s->store);
        tell_beyond(f, g, s);
        if (new_session)
            fleet_command(f);
    } else if (again && g->welcome_at_ms) {
        return; /* read once more, nothing is new */
    }
    /* Also within a session: the broker may have been away, and what was sent meanwhile with it. A welcome tells the
     * device what is stored, and it sends the rest again. */
    welcome_in(f, g, new_session ? 0 : RECORDED_MS);
}

/* --- records --- */

static void tell_twin(struct fleet *f, struct guest *g, const char *kind, const char *store, int64_t n)
{
    char about[40], detail[200];
    log_warn("fleet", "device=%s store=%s %s %lld came a second time with other content, both are kept", g->id, store,
             kind, (long long)n);
    if (!fleet_event_due(&g->twin_at_ms, EVENT_EVERY_MS))
        return;
    snprintf(about, sizeof(about), "%s %lld", kind, (long long)n);
    snprintf(detail, sizeof(detail), "the number came a second time with other content from store %s; both are kept",
             store);
    fleet_note(f, g->id, "record_twin", about, detail);
}

static void take_record(struct fleet *f, struct guest *g, enum doc_type type, const void *doc, const char *hash)
{
    const struct receipt *r = doc;
    const struct event *e = doc;
    bool receipt = type == DOC_RECEIPT;
    const char *kind = receipt ? "receipt" : "event", *store = receipt ? r->store : e->store;
    int64_t n = receipt ? r->n : e->n, now_ms = clock_wall_ms();
    if (fleet_gather(f) < 0)
        return;
    int found = receipt ? record_receipt(f->c->store, r, hash, now_ms) : record_event(f->c->store, e, hash, now_ms);
    if (found >= 0)
        seen(f, g);
    store_leave(f->c->store);
    if (found < 0)
        return;
    if (found != RECORD_KNOWN)
        fleet_news(f, kind, g->id, store, n);
    if (found == RECORD_TWIN)
        tell_twin(f, g, kind, store, n);
    welcome_in(f, g, RECORDED_MS);
}

/* --- replies and health --- */

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

static void take_health(struct fleet *f, struct guest *g, const struct health *health)
{
    json_t *body = doc_json(DOC_HEALTH, health);
    json_t *told = json_pack("{s:o, s:O, s:O}", "at", json_instant(health->at_ms), "parts",
                             json_object_get(body, "parts"), "values", json_object_get(body, "values"));
    if (!told)
        told = json_pack("{s:o, s:[], s:[]}", "at", json_instant(health->at_ms), "parts", "values");
    int r = fleet_gather(f);
    if (r == 0) {
        r = store_run(
            f->c->store,
            "INSERT INTO health VALUES (?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET at_ms = excluded.at_ms,"
            " ver = excluded.ver, body = excluded.body WHERE excluded.ver > ver",
            "siij", health->device, health->at_ms, health->head.ver, told);
        if (r > 0)
            seen(f, g);
        store_leave(f->c->store);
    }
    if (r > 0) {
        json_t *news = json_pack("{s:s, s:O}", "device", health->device, "health", told);
        feed_emit(f->c->feed, health->device, "health", news);
        json_decref(news);
    }
    json_decref(told);
    json_decref(body);
}

const char *report_device(enum doc_type type, const void *doc)
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

void report_take(struct fleet *f, struct guest *g, enum doc_type type, const void *doc, const char *kid,
                 const char *hash, bool again)
{
    const struct state *s = doc;
    if (type == DOC_STATE && s->on)
        take_state(f, g, s, kid, again);
    else if (type == DOC_STATE)
        take_will(f, s);
    else if (type == DOC_REPLY)
        take_reply(f, doc);
    else if (type == DOC_HEALTH)
        take_health(f, g, doc);
    else
        take_record(f, g, type, doc, hash);
}
