/* sql.c - see sql.h. */
#include "firmware/sql.h"

#include "playlists/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

static void complain_store(sqlite3 *db, const char *sql)
{
    log_err("vault", "the store refuses \"%.60s\": %s; nothing of this change has happened", sql, sqlite3_errmsg(db));
}

/* One that was prepared before and is not in use; the connection itself keeps the list. */
static sqlite3_stmt *find(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL);
    while (stmt && (sqlite3_stmt_busy(stmt) || strcmp(sqlite3_sql(stmt), sql) != 0))
        stmt = sqlite3_next_stmt(db, stmt);
    return stmt;
}

static sqlite3_stmt *bind(sqlite3 *db, const char *sql, const char *fmt, va_list ap)
{
    sqlite3_stmt *stmt = find(db, sql);
    int r = stmt ? SQLITE_OK : sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    for (int i = 1; r == SQLITE_OK && *fmt; fmt++, i++) {
        if (*fmt == 'i') {
            r = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
        } else if (*fmt == 't') {
            r = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
        } else {
            const void *data = va_arg(ap, const void *);
            size_t len = va_arg(ap, size_t);
            r = sqlite3_bind_blob64(stmt, i, data ? data : "", len, SQLITE_STATIC);
        }
    }
    if (r == SQLITE_OK)
        return stmt;
    complain_store(db, sql);
    sql_done(stmt);
    return NULL;
}

int sql_run(sqlite3 *db, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sqlite3_stmt *stmt = bind(db, sql, fmt, ap);
    va_end(ap);
    if (!stmt)
        return ERR_STORE;
    int r;
    while ((r = sqlite3_step(stmt)) == SQLITE_ROW)
        ;
    if (r != SQLITE_DONE)
        complain_store(db, sql);
    sql_done(stmt);
    return r == SQLITE_DONE ? 0 : ERR_STORE;
}

sqlite3_stmt *sql_query(sqlite3 *db, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sqlite3_stmt *stmt = bind(db, sql, fmt, ap);
    va_end(ap);
    return stmt;
}

int64_t sql_number(sqlite3 *db, int64_t otherwise, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sqlite3_stmt *stmt = bind(db, sql, fmt, ap);
    va_end(ap);
    if (!stmt)
        return otherwise;
    int64_t value = otherwise;
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        value = sqlite3_column_int64(stmt, 0);
    sql_done(stmt);
    return value;
}

int sql_done(sqlite3_stmt *stmt)
{
    int r = sqlite3_reset(stmt);
    if (stmt)
        sqlite3_clear_bindings(stmt);
    return r;
}

void sql_close(sqlite3 *db)
{
    for (sqlite3_stmt *stmt; db && (stmt = sqlite3_next_stmt(db, NULL)) != NULL;)
        sqlite3_finalize(stmt);
    sqlite3_close(db);
}
