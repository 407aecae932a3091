/* store.h - the controller's truth: one SQLite database (WAL, synchronous=FULL), its migrations, and rows as JSON.
 *
 * One thread for each struct store; statements are kept prepared. Statements take their values by a string of types:
 * 's' const char * (NULL is NULL), 'i' int64_t, 'r' double, 'j' const json_t * (stored as compact text; NULL is NULL),
 * 'b' const void * and size_t. A column named "x__at" becomes member "x" as an instant (RFC 3339; 0 and NULL: null),
 * "x__json" the parsed text, "x__bool" a boolean, "x__text" a string of a number; others keep their type. */
#ifndef LOA_STORE_H
#define LOA_STORE_H

#include "playlists/base/errors.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

/* Open (or make) the database and bring it to the newest schema. A database of a newer program is refused. */
MUST_USE int store_open(const char *path, struct store **ret_store, struct complaint *why);
/* The same database for reading only, for another thread: what is committed by then. Logged when it fails. */
MUST_USE int store_open_reader(const char *path, struct store **ret_store);
/* The log of writes has grown so long that it should go into the database file, which writes to the disk twice: have
 * another thread's reader do it, outside of a snapshot, or a commit does once it is eight times as long. Told once for
 * each length of it. */
bool store_log_due(struct store *store);
void store_shorten_log(struct store *reader);
void store_close(struct store *store); /* NULL is fine; settles what is gathered */

/* Change something: rows changed, or ERR_STORE (logged). */
MUST_USE int store_run(struct store *store, const char *sql, const char *types, ...);
/* All rows as an array of objects; an empty one on failure (logged). The caller owns it. */
json_t *store_list(struct store *store, const char *sql, const char *types, ...);
/* The column `id` of such rows, which are consumed. The caller owns it. */
json_t *store_ids(json_t *rows);
/* The first row, or NULL. The caller owns it. */
json_t *store_one(struct store *store, const char *sql, const char *types, ...);
/* The first column of the first row as a number; `fallback` when there is none. */
int64_t store_number(struct store *store, int64_t fallback, const char *sql, const char *types, ...);
/* The first column of the first row as text the caller frees; NULL when there is none. */
char *store_text(struct store *store, const char *sql, const char *types, ...);

/* One transaction at a time; what is begun is committed or rolled back before the loop goes on. */
MUST_USE int store_begin(struct store *store);
MUST_USE int store_commit(struct store *store); /* rolls back when it fails */
void store_rollback(struct store *store);
/* A reader's view of one moment, until store_commit(). */
MUST_USE int store_snapshot(struct store *store);

/* Many small writes, one commit. What is written between store_enter() and store_leave() shares one transaction, which
 * store_settle() commits; so nothing of it may be told to anybody before that. store_begin() within is a savepoint.
 * Who writes outside of a section settles first, and is not mixed with it. store_enter(): ERR_STORE (logged), nothing
 * is open then. `on_settled` is told how it ended: false, when all that was gathered is lost. */
typedef void (*store_settled_fn)(void *arg, bool stored);
void store_on_settled(struct store *store, store_settled_fn on_settled, void *arg);
MUST_USE int store_enter(struct store *store);
void store_leave(struct store *store);
MUST_USE int store_settle(struct store *store);

/* "2026-07-01T05:00:00.000Z"; 0: null. New reference. */
json_t *json_instant(int64_t unix_ms);
/* The same into a text of 25 bytes. */
void instant_format(int64_t unix_ms, char ret[32]);

/* The schema, one step per version (schema.c): schema_steps[i] leads from version i to i + 1. */
extern const char *const schema_steps[];
extern const int schema_n_steps;

#endif
