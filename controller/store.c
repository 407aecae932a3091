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

struct store {
    sqlite3 *db;
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

int store_open(const char *path, struct store **ret_store, struct complaint *why)
{
    struct store *store = xcalloc(1, sizeof(*store));
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
        int r = complain(why, ERR_STORE, "%s cannot be opened: %s", path, sqlite3_errmsg(store->db));
        store_close(store);
        return r;
    }
    chmod(path, 0600);
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

static sqlite3_stmt *prepare(struct store *store, const char *sql, const char *types, va_list args)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        failed(store, sql);
        return NULL;
    }
    bind(stmt, types, args);
    return stmt;
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

int store_run(struct store *store, const char *sql, const char *types, ...)
{
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
    sqlite3_finalize(stmt);
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
    sqlite3_finalize(stmt);
    return list;
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
    sqlite3_finalize(stmt);
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
    sqlite3_finalize(stmt);
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
    sqlite3_finalize(stmt);
    return text;
}

int store_begin(struct store *store)
{
    return exec(store, "BEGIN IMMEDIATE");
}

int store_commit(struct store *store)
{
    if (exec(store, "COMMIT") == 0)
        return 0;
    store_rollback(store);
    return ERR_STORE;
}

void store_rollback(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}
