/* records.c - see records.h. */
#include "controller/records.h"

#include "controller/chains.h"
#include "controller/mandate.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A receipt or an event, as it is stored. */
struct record_row {
    enum chain_kind kind;
    struct chain_row row;
    const void *doc;
    int (*insert)(struct store *store, const struct record_row *record, bool twin, int64_t now_ms);
};

static int insert_receipt(struct store *store, const struct record_row *record, bool twin, int64_t now_ms)
{
    const struct receipt *r = record->doc;
    json_t *body = doc_json(DOC_RECEIPT, r);
    char rule[64];
    snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(r->occurrence, "."), r->occurrence);
    int done = store_run(store,
                         "INSERT INTO receipts (device, store, n, hash, prev, twin, occurrence, rule, bulletin, class,"
                         " planned_ms, started_ms, ended_ms, reason, detail, grade, evidence, received_ms, exempt)"
                         " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         "ssississssiiisssjis", r->device, r->store, r->n, record->row.hash, r->prev, (int64_t)twin,
                         r->occurrence, rule, r->bulletin, air_class_names[r->class], r->planned_ms, r->started_ms,
                         r->ended_ms, reason_names[r->reason], r->detail, r->grade, json_object_get(body, "evidence"),
                         now_ms, r->exempt);
    json_decref(body);
    return done;
}

static int insert_event(struct store *store, const struct record_row *record, bool twin, int64_t now_ms)
{
    const struct event *e = record->doc;
    return store_run(store,
                     "INSERT INTO events (device, store, n, hash, prev, twin, at_ms, code, about, detail, received_ms)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     "ssissiisssi", e->device, e->store, e->n, record->row.hash, e->prev, (int64_t)twin, e->at_ms,
                     e->code, e->about, e->detail, now_ms);
}

static int record(struct store *store, const struct record_row *record, int64_t now_ms)
{
    struct chain_place place = chain_place(store, record->kind, &record->row);
    if (place.joined)
        return RECORD_KNOWN;
    int r = store_begin(store);
    if (r < 0)
        return r;
    if (!place.known)
        r = record->insert(store, record, place.taken, now_ms);
    if (r >= 0)
        r = chain_join(store, record->kind, &record->row, now_ms);
    if (r < 0)
        store_rollback(store);
    else
        r = store_commit(store);
    return r < 0 ? r : place.known ? RECORD_KNOWN : place.taken ? RECORD_TWIN : RECORD_NEW;
}

int record_receipt(struct store *store, const struct receipt *receipt, const char *hash, int64_t now_ms)
{
    struct record_row row = {.kind = CHAIN_RECEIPT,
                             .row = {.device = receipt->device,
                                     .store = receipt->store,
                                     .n = receipt->n,
                                     .hash = hash,
                                     .prev = receipt->prev},
                             .insert = insert_receipt,
                             .doc = receipt};
    return record(store, &row, now_ms);
}

int record_event(struct store *store, const struct event *event, const char *hash, int64_t now_ms)
{
    struct record_row row = {
        .kind = CHAIN_EVENT,
        .row = {.device = event->device, .store = event->store, .n = event->n, .hash = hash, .prev = event->prev},
        .insert = insert_event,
        .doc = event};
    return record(store, &row, now_ms);
}

void record_own_event(struct store *store, const char *device, const char *code, const char *about, const char *detail,
                      int64_t now_ms)
{
    int64_t n = 1 + store_number(store, 0, "SELECT max(n) FROM events WHERE store = 'controller'", "");
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)n);
    if (store_run(store,
                  "INSERT INTO events (device, store, n, hash, twin, at_ms, code, about, detail, received_ms)"
                  " VALUES (?, 'controller', ?, ?, 0, ?, ?, ?, ?, ?)",
                  "sisisssi", device, n, number, now_ms, code, about, detail, now_ms) < 0)
        log_warn("records", "device=%s event %s not stored", device, code);
}
