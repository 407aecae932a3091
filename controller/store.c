/* store.c - see store.h. */
#include "controller/store.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    KEPT_MAX = 96,
    LOG_DUE = 1000, /* pages of the log from which on it wants to go into the database, as SQLite has it ... */
    LOG_MAX = 8000, /* ... and from which on we do it ourselves, whoever waits meanwhile */
};

/* A statement that was prepared once: most of what small statements cost is their reading. */
struct kept {
    sqlite3_stmt *stmt; /* owned */
    uint64_t used;
};

struct store {
    sqlite3 *db;
    struct kept kept[KEPT_MAX];
    size_t n_kept;
    uint64_t uses;
    bool gathering; /* a transaction is open that many writers share */
    unsigned inside;
    int log_pages; /* of the write-ahead log, after our last commit ... */
    int log_told;  /* ... and when it was last called due */
    store_settled_fn on_settled;
    void *arg;
};

static int failed(const struct store *store, const char *what)
{
    log_err("store", "%s: %s; nothing was changed", what, sqlite3_errmsg(store->db));
    return ERR_STORE;
}

void instant_format(int64_t unix_ms, char ret[32])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(ret, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret + n, 32 - n, ".%03dZ", (int)(unix_ms % 1000));
}

json_t *json_instant(int64_t unix_ms)
{
    /* Beyond the year 9999 there is no RFC 3339. */
    if (unix_ms <= 0 || unix_ms > INT64_C(253402300799999))
        return json_null();
    char text[32];
    instant_format(unix_ms, text);
    return json_string(text);
}

static int exec(struct store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(store, sql);
}

static int on_logged(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store *store = arg;
    store->log_pages = pages;
    if (pages >= LOG_MAX)
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

bool store_log_due(struct store *store)
{
    if (store->log_pages < store->log_told)
        store->log_told = 0; /* it began anew */
    if (store->log_pages - store->log_told < LOG_DUE)
        return false;
    store->log_told = store->log_pages;
    return true;
}

void store_shorten_log(struct store *reader)
{
    sqlite3_wal_checkpoint_v2(reader->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static int migrate(struct store *store, const char *path, struct complaint *why)
{
    if (exec(store, "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL)") < 0)
        return complain(why, ERR_STORE, "%s cannot be used as a database: %s", path, sqlite3_errmsg(store->db));
    int64_t version = store_number(store, 0, "SELECT max(version) FROM migrations", "");
    if (version > schema_n_steps)
        return complain(why, ERR_STORE, "%s was made by a newer program (schema %lld, this one knows %d)", path,
                        (long long)version, schema_n_steps);
    for (int64_t v = version; v < schema_n_steps; v++) {
        if (store_begin(store) < 0)
            return complain(why, ERR_STORE, "%s cannot be written: %s", path, sqlite3_errmsg(store->db));
        if (exec(store, schema_steps[v]) < 0 ||
            store_run(store, "INSERT INTO migrations VALUES (?, ?)", "ii", v + 1, clock_wall_ms()) < 0) {
            complain(why, ERR_STORE, "%s: step %lld of the schema failed: %s", path, (long long)v + 1,
                     sqlite3_errmsg(store->db));
            store_rollback(store);
            return ERR_STORE;
        }
        if (store_commit(store) < 0)
            return complain(why, ERR_STORE, "%s cannot be written", path);
    }
    return 0;
}

int store_open_reader(const char *path, struct store **ret_store)
{
    struct store *store = xcalloc(1, sizeof(*store));
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(store->db, 5000) != SQLITE_OK || exec(store, "PRAGMA query_only=ON") < 0) {
        log_err("store", "%s cannot be opened for reading: %s", path, sqlite3_errmsg(store->db));
        store_close(store);
        return ERR_STORE;
    }
    *ret_store = store;
    return 0;
}

int store_open(const char *path, struct store **ret_store, struct complaint *why)
{
    struct store *store = xcalloc(1, sizeof(*store));
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
        int r = complain(why, ERR_STORE, "%s cannot be opened: %s", path, sqlite3_errmsg(store->db));
        store_close(store);
        return r;
    }
    chmod(path, 0600);
    sqlite3_wal_hook(store->db, on_logged, store);
    sqlite3_busy_timeout(store->db, 5000);
    int r = exec(store, "PRAGMA journal_mode=WAL") < 0 || exec(store, "PRAGMA synchronous=FULL") < 0 ||
                    exec(store, "PRAGMA foreign_keys=ON") < 0
                ? complain(why, ERR_STORE, "%s cannot be used as a database: %s", path, sqlite3_errmsg(store->db))
                : migrate(store, path, why);
    if (r < 0) {
        store_close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->gathering)
        (void)!store_settle(store);
    for (size_t i = 0; i < store->n_kept; i++)
        sqlite3_finalize(store->kept[i].stmt);
    sqlite3_close(store->db);
    free(store);
}

static void bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 'i') {
            sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
        } else if (*types == 'r') {
            sqlite3_bind_double(stmt, i, va_arg(args, double));
        } else if (*types == 'b') {
            const void *data = va_arg(args, const void *);
            sqlite3_bind_blob(stmt, i, data, (int)va_arg(args, size_t), SQLITE_TRANSIENT);
        } else if (*types == 'j') {
            const json_t *value = va_arg(args, const json_t *);
            char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
            sqlite3_bind_text(stmt, i, text, -1, text ? free : SQLITE_STATIC);
        } else {
            sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        }
    }
}

/* One that is kept and not at work; NULL: none. */
static sqlite3_stmt *kept_of(struct store *store, const char *sql)
{
    for (size_t i = 0; i < store->n_kept; i++) {
        struct kept *kept = &store->kept[i];
        if (strcmp(sqlite3_sql(kept->stmt), sql) != 0 || sqlite3_stmt_busy(kept->stmt))
            continue;
        kept->used = ++store->uses;
        return kept->stmt;
    }
    return NULL;
}

/* In the place of the one that was not used for longest. */
static void keep(struct store *store, sqlite3_stmt *stmt)
{
    struct kept *place = NULL;
    for (size_t i = 0; i < store->n_kept; i++)
        if (!sqlite3_stmt_busy(store->kept[i].stmt) && (!place || store->kept[i].used < place->used))
            place = &store->kept[i];
    if (store->n_kept < KEPT_MAX)
        place = &store->kept[store->n_kept++];
    if (!place) {
        sqlite3_finalize(stmt);
        return;
    }
    sqlite3_finalize(place->stmt);
    *place = (struct kept){.stmt = stmt, .used = ++store->uses};
}

/* Give back with release(). */
static sqlite3_stmt *prepare(struct store *store, const char *sql, const char *types, va_list args)
{
    sqlite3_stmt *stmt = kept_of(store, sql);
    if (!stmt) {
        if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
            failed(store, sql);
            return NULL;
        }
    }
    bind(stmt, types, args);
    return stmt;
}

static void release(struct store *store, sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    for (size_t i = 0; i < store->n_kept; i++)
        if (store->kept[i].stmt == stmt)
            return;
    keep(store, stmt);
}

static bool cut_suffix(const char *name, const char *suffix, char ret[64])
{
    size_t len = strlen(name), end = strlen(suffix);
    if (len <= end || len - end >= 64 || strcmp(name + len - end, suffix) != 0)
        return false;
    memcpy(ret, name, len - end);
    ret[len - end] = '\0';
    return true;
}

static json_t *column_plain(sqlite3_stmt *stmt, int i)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(stmt, i));
    case SQLITE_FLOAT:
        return json_real(sqlite3_column_double(stmt, i));
    case SQLITE_TEXT:
        return json_string((const char *)sqlite3_column_text(stmt, i));
    default:
        return json_null();
    }
}

static void put_column(json_t *row, sqlite3_stmt *stmt, int i)
{
    const char *name = sqlite3_column_name(stmt, i);
    const char *text;
    char key[64];
    if (cut_suffix(name, "__at", key)) {
        json_object_set_new(row, key, json_instant(sqlite3_column_int64(stmt, i)));
    } else if (cut_suffix(name, "__json", key)) {
        text = (const char *)sqlite3_column_text(stmt, i);
        json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
        json_object_set_new(row, key, value ? value : json_null());
    } else if (cut_suffix(name, "__bool", key)) {
        bool none = sqlite3_column_type(stmt, i) == SQLITE_NULL;
        json_object_set_new(row, key, none ? json_null() : json_boolean(sqlite3_column_int64(stmt, i) != 0));
    } else if (cut_suffix(name, "__text", key)) {
        json_object_set_new(row, key, json_string((const char *)sqlite3_column_text(stmt, i)));
    } else {
        json_object_set_new(row, name, column_plain(stmt, i));
    }
}

static json_t *row_json(sqlite3_stmt *stmt)
{
    json_t *row = json_object();
    for (int i = 0; i < sqlite3_column_count(stmt); i++)
        put_column(row, stmt, i);
    return row;
}

/* Who writes outside of a section does not share what is gathered: that is settled first. */
static void settle_others(struct store *store)
{
    if (store->gathering && store->inside == 0)
        (void)!store_settle(store); /* logged; who gathered is told */
}

int store_run(struct store *store, const char *sql, const char *types, ...)
{
    settle_others(store);
    va_list args;
    va_start(args, types);
    sqlite3_stmt *stmt = prepare(store, sql, types, args);
    va_end(args);
    if (!stmt)
        return ERR_STORE;
    int step;
    do {
        step = sqlite3_step(stmt);
    } while (step == SQLITE_ROW);
    int r = step == SQLITE_DONE ? sqlite3_changes(store->db) : failed(store, sql);
    release(store, stmt);
    return r;
}

json_t *store_list(struct store *store, const char *sql, const char *types, ...)
{
    json_t *list = json_array();
    va_list args;
    va_start(args, types);
    sqlite3_stmt *stmt = prepare(store, sql, types, args);
    va_end(args);
    if (!stmt)
        return list;
    int step;
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
        json_array_append_new(list, row_json(stmt));
    if (step != SQLITE_DONE)
        failed(store, sql);
    release(store, stmt);
    return list;
}

json_t *store_ids(json_t *rows)
{
    json_t *ids = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row) json_array_append(ids, json_object_get(row, "id"));
    json_decref(rows);
    return ids;
}

json_t *store_one(struct store *store, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *stmt = prepare(store, sql, types, args);
    va_end(args);
    if (!stmt)
        return NULL;
    int step = sqlite3_step(stmt);
    json_t *row = step == SQLITE_ROW ? row_json(stmt) : NULL;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        failed(store, sql);
    release(store, stmt);
    return row;
}

int64_t store_number(struct store *store, int64_t fallback, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *stmt = prepare(store, sql, types, args);
    va_end(args);
    if (!stmt)
        return fallback;
    int64_t value = fallback;
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        value = sqlite3_column_int64(stmt, 0);
    release(store, stmt);
    return value;
}

char *store_text(struct store *store, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *stmt = prepare(store, sql, types, args);
    va_end(args);
    if (!stmt)
        return NULL;
    char *text = NULL;
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        text = xstrdup((const char *)sqlite3_column_text(stmt, 0));
    release(store, stmt);
    return text;
}

int store_begin(struct store *store)
{
    settle_others(store);
    return exec(store, store->inside ? "SAVEPOINT inside" : "BEGIN IMMEDIATE");
}

int store_commit(struct store *store)
{
    if (exec(store, store->inside ? "RELEASE inside" : "COMMIT") == 0)
        return 0;
    store_rollback(store);
    return ERR_STORE;
}

void store_rollback(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, store->inside ? "ROLLBACK TO inside; RELEASE inside" : "ROLLBACK", NULL, NULL, NULL);
}

void store_on_settled(struct store *store, store_settled_fn on_settled, void *arg)
{
    store->on_settled = on_settled;
    store->arg = arg;
}

int store_enter(struct store *store)
{
    /* A failure as grave as a full disk may have ended the transaction under us. */
    if (store->gathering && sqlite3_get_autocommit(store->db))
        (void)!store_settle(store);
    if (!store->gathering && exec(store, "BEGIN IMMEDIATE") < 0)
        return ERR_STORE;
    store->gathering = true;
    store->inside++;
    return 0;
}

void store_leave(struct store *store)
{
    store->inside--;
}

int store_settle(struct store *store)
{
    if (!store->gathering)
        return 0;
    store->gathering = false;
    bool ended = sqlite3_get_autocommit(store->db);
    int r = ended ? ERR_STORE : exec(store, "COMMIT");
    if (r < 0 && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    if (store->on_settled)
        store->on_settled(store->arg, r == 0);
    return r;
}

int store_snapshot(struct store *store)
{
    return exec(store, "BEGIN");
}
