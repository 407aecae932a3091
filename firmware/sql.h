/* sql.h - the few words that vault and outbox say to SQLite. Loop thread.
 *
 * Values are bound by a format: i = int64_t, t = const char * (NULL: null), b = const void *, size_t. To prepare a
 * statement costs more than to run it: each text, of which a program has so many and no more, is prepared once. */
#ifndef LOA_SQL_H
#define LOA_SQL_H

#include "playlists/base/errors.h"

#include <sqlite3.h>
#include <stdint.h>

/* Run one statement to its end. 0 or ERR_STORE (logged with the statement's reason). */
MUST_USE int sql_run(sqlite3 *db, const char *sql, const char *fmt, ...);
/* Prepare and bind a query; NULL when the store fails (logged). Step it at once with sqlite3_step, end it with
 * sql_done. Texts and blobs are borrowed until then. */
sqlite3_stmt *sql_query(sqlite3 *db, const char *sql, const char *fmt, ...);
/* Its last step's code; SQLITE_OK for NULL. What it was bound to is let go. */
int sql_done(sqlite3_stmt *stmt);
/* First column of the first row, or `otherwise`. */
int64_t sql_number(sqlite3 *db, int64_t otherwise, const char *sql, const char *fmt, ...);
/* With what was prepared; NULL is fine. */
void sql_close(sqlite3 *db);

#endif
