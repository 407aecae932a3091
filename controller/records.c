/* records.c - see records.h. */
#include "controller/records.h"

#include "controller/mandate.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a record says, without what sealing it again would change. */
static struct hash content_hash(json_t *body)
{
    static const char *const head[] = {"aud", "era", "ver", "iat", "exp", NULL};
    for (size_t i = 0; head[i]; i++)
        json_object_del(body, head[i]);
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    struct hash hash = hash_of(text ? text : "", text ? strlen(text) : 0);
    free(text);
    return hash;
}

int64_t record_upto(struct store *store, const char *device, const char *kind, const char *store_id)
{
    return store_number(store, 0, "SELECT upto FROM marks WHERE device = ? AND kind = ? AND store = ?", "sss", device,
                        kind, store_id);
}

json_t *record_marks(struct store *store, const char *device, size_t max)
{
    static const char *const kinds[] = {"event", "receipt"};
    char *now = store_text(store, "SELECT json_extract(body, '$.store') FROM states WHERE device = ?", "s", device);
    json_t *list = json_array();
    for (size_t i = 0; now && i < 2; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "kind", kinds[i], "store", now, "upto",
                                              (json_int_t)record_upto(store, device, kinds[i], now)));
    json_t *others = store_list(store,
                                "SELECT kind, store, upto FROM marks WHERE device = ? AND store <> ?"
                                " ORDER BY kind, store LIMIT ?",
                                "ssi", device, now ? now : "", (int64_t)(max - json_array_size(list)));
    json_array_extend(list, others);
    json_decref(others);
    free(now);
    return list;
}

/* The highest number below which none is missing. */
static int move_mark(struct store *store, const char *table, const char *kind, const char *device, const char *id)
{
    int64_t upto = record_upto(store, device, kind, id), next = upto;
    char *sql = xasprintf("SELECT 1 FROM %s WHERE device = ? AND store = ? AND n = ? AND twin = 0", table);
    while (store_number(store, 0, sql, "ssi", device, id, next + 1) == 1)
        next++;
    free(sql);
    if (next == upto)
        return 0;
    return store_run(store,
                     "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT (device, kind, store) DO UPDATE SET"
                     " upto = excluded.upto",
                     "sssi", device, kind, id, next);
}

/* RECORD_NEW, _KNOWN or _TWIN of a number with this content. */
static enum record place(struct store *store, const char *table, const char *device, const char *id, int64_t n,
                         const char *hash)
{
    char *sql = xasprintf("SELECT hash FROM %s WHERE device = ? AND store = ? AND n = ?", table);
    json_t *rows = store_list(store, sql, "ssi", device, id, n), *row;
    enum record found = json_array_size(rows) > 0 ? RECORD_TWIN : RECORD_NEW;
    size_t i;
    json_array_foreach(rows, i, row) if (strcmp(json_string_value(json_object_get(row, "hash")), hash) == 0) found =
        RECORD_KNOWN;
    json_decref(rows);
    free(sql);
    return found;
}

static int insert_receipt(struct store *store, const struct receipt *r, const json_t *body, const char *hash, bool twin,
                          int64_t now_ms)
{
    char rule[64];
    snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(r->occurrence, "."), r->occurrence);
    return store_run(store,
                     "INSERT INTO receipts (device, store, n, hash, twin, occurrence, rule, bulletin, class,"
                     " planned_ms, started_ms, ended_ms, reason, detail, grade, evidence, received_ms, exempt)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     "ssisissssiiisssjis", r->device, r->store, r->n, hash, (int64_t)twin, r->occurrence, rule,
                     r->bulletin, air_class_names[r->class], r->planned_ms, r->started_ms, r->ended_ms,
                     reason_names[r->reason], r->detail, r->grade, json_object_get(body, "evidence"), now_ms,
                     r->exempt);
}

static int insert_event(struct store *store, const struct event *e, const char *hash, bool twin, int64_t now_ms)
{
    return store_run(store,
                     "INSERT INTO events (device, store, n, hash, twin, at_ms, code, about, detail, received_ms)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     "ssisiisssi", e->device, e->store, e->n, hash, (int64_t)twin, e->at_ms, e->code, e->about,
                     e->detail, now_ms);
}

int record_receipt(struct store *store, const struct receipt *receipt, int64_t now_ms)
{
    json_t *body = doc_json(DOC_RECEIPT, receipt);
    struct hash hash = content_hash(body);
    enum record found = place(store, "receipts", receipt->device, receipt->store, receipt->n, hash.hex);
    int r = found == RECORD_KNOWN ? 0 : store_begin(store);
    if (found != RECORD_KNOWN && r == 0) {
        r = insert_receipt(store, receipt, body, hash.hex, found == RECORD_TWIN, now_ms);
        if (r >= 0)
            r = move_mark(store, "receipts", "receipt", receipt->device, receipt->store);
        if (r < 0)
            store_rollback(store);
        else
            r = store_commit(store);
    }
    json_decref(body);
    return r < 0 ? r : (int)found;
}

int record_event(struct store *store, const struct event *event, int64_t now_ms)
{
    json_t *body = doc_json(DOC_EVENT, event);
    struct hash hash = content_hash(body);
    json_decref(body);
    enum record found = place(store, "events", event->device, event->store, event->n, hash.hex);
    if (found == RECORD_KNOWN)
        return RECORD_KNOWN;
    if (store_begin(store) < 0)
        return ERR_STORE;
    if (insert_event(store, event, hash.hex, found == RECORD_TWIN, now_ms) < 0 ||
        move_mark(store, "events", "event", event->device, event->store) < 0) {
        store_rollback(store);
        return ERR_STORE;
    }
    return store_commit(store) < 0 ? ERR_STORE : (int)found;
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
