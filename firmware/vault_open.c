/* vault_open.c - the vault's file: opened, made, set aside when it is damaged, read from a copy when the disk only
 * reads, opened anew when the disk works again. See vault.h.
 *
 * Why a copy: SQLite cannot read a write-ahead log without writing beside it, and without the log the newest documents
 * would be missing; a vault must never be older than it was. */
#include "firmware/sql.h"
#include "firmware/vault_parts.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VAULT_FORMAT = 1, CHECK_PAGES_MAX = 2048, DAMAGED_MAX = 2, LOG_PAGES_TIDY = 100, LOG_PAGES_MAX = 256 };
#define COPY_MAX (UINT64_C(64) * 1024 * 1024)

static const char *const parts[] = {"", "-wal", "-shm"};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS document(type INTEGER PRIMARY KEY, era INTEGER NOT NULL, ver INTEGER NOT NULL,"
    " hash TEXT NOT NULL, sealed BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS held(type INTEGER PRIMARY KEY, era INTEGER NOT NULL DEFAULT 0,"
    " ver INTEGER NOT NULL DEFAULT 0, floor_era INTEGER NOT NULL DEFAULT 0, floor_ver INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS waiting(n INTEGER PRIMARY KEY AUTOINCREMENT, type INTEGER NOT NULL,"
    " hash TEXT NOT NULL UNIQUE, sealed BLOB NOT NULL, at_ms INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS stranger(n INTEGER PRIMARY KEY AUTOINCREMENT, type INTEGER NOT NULL,"
    " hash TEXT NOT NULL UNIQUE, sealed BLOB NOT NULL, at_ms INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS command(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS answer(id TEXT PRIMARY KEY, ok INTEGER NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS refusal(n INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL,"
    " reason TEXT NOT NULL, UNIQUE(hash, reason));"
    "CREATE TABLE IF NOT EXISTS airing(key INTEGER PRIMARY KEY, occurrence TEXT NOT NULL, bulletin TEXT NOT NULL,"
    " class INTEGER NOT NULL, planned_ms INTEGER NOT NULL, grade INTEGER NOT NULL, over INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, reason INTEGER NOT NULL, evidence BLOB,"
    " exempt TEXT);"
    "CREATE TABLE IF NOT EXISTS outbox(kind INTEGER NOT NULL, n INTEGER NOT NULL, sealed BLOB NOT NULL,"
    " made_ms INTEGER NOT NULL, stored_ms INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(kind, n)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS mark(kind INTEGER PRIMARY KEY, made INTEGER NOT NULL, stored INTEGER NOT NULL);";

static bool is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

static int load_meta(struct vault *vault, int64_t now_ms, struct complaint *why)
{
    int64_t format = sql_number(vault->db, VAULT_FORMAT, "SELECT value FROM meta WHERE name='format'", "");
    if (format != VAULT_FORMAT)
        return complain(why, ERR_STORE, "%s/vault.db: is of format %lld, this program knows %d; use the newer program",
                        vault->dir, (long long)format, VAULT_FORMAT);
    uint8_t random[10];
    random_bytes(random, sizeof(random));
    char store[24] = "s";
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(store + 1 + 2 * i, 3, "%02x", random[i]);
    bool made = sql_number(vault->db, 0, "SELECT count(*) FROM meta WHERE name='store'", "") == 1;
    int r =
        made
            ? 0
            : sql_run(vault->db,
                      "INSERT OR IGNORE INTO meta VALUES('format',?),('store',?),('made_ms',?),('welcomed',0),('up',0)",
                      "iti", (int64_t)VAULT_FORMAT, store, now_ms);
    if (r < 0)
        return complain(why, r, "%s/vault.db: cannot be written", vault->dir);
    sqlite3_stmt *stmt = sql_query(vault->db, "SELECT value FROM meta WHERE name='store'", "");
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
        snprintf(vault->store, sizeof(vault->store), "%s", (const char *)sqlite3_column_text(stmt, 0));
    sql_done(stmt);
    vault->welcomed = sql_number(vault->db, 0, "SELECT value FROM meta WHERE name='welcomed'", "") != 0;
    vault->up_reserved = sql_number(vault->db, 0, "SELECT value FROM meta WHERE name='up'", "");
    vault->up_last = vault->up_reserved;
    return 0;
}

/* Reading all of a small file takes less than one item's lateness; a large one is found damaged where it is used, and
 * is suspect then. */
static int check_whole(sqlite3 *db, bool suspect)
{
    if (!suspect && sql_number(db, 0, "PRAGMA page_count", "") > CHECK_PAGES_MAX)
        return SQLITE_OK;
    sqlite3_stmt *stmt = sql_query(db, suspect ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", "");
    int r = stmt && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0) &&
                    strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0
                ? SQLITE_OK
                : SQLITE_CORRUPT;
    if (sqlite3_errcode(db) == SQLITE_IOERR)
        r = SQLITE_IOERR;
    sql_done(stmt);
    return r;
}

/* A vault that was made before airings had exemptions. */
static int add_column(sqlite3 *db)
{
    if (sql_number(db, 1, "SELECT count(*) FROM pragma_table_info('airing') WHERE name='exempt'", "") != 0)
        return SQLITE_OK;
    return sqlite3_exec(db, "ALTER TABLE airing ADD COLUMN exempt TEXT", NULL, NULL, NULL);
}

/* Open one file. SQLite's code. `*ret_db` is NULL on failure. */
static int open_file(const char *path, bool suspect, sqlite3 **ret_db, struct complaint *why)
{
    sqlite3 *db = NULL;
    int r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db,
                         "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-256;"
                         "PRAGMA busy_timeout=2000; PRAGMA journal_size_limit=1048576; PRAGMA wal_autocheckpoint=0;",
                         NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, schema, NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = add_column(db);
    /* What was opened for reading only stays so for all of this process while it is open: it could never be mended. */
    if (r == SQLITE_OK && sqlite3_db_readonly(db, "main"))
        r = SQLITE_READONLY;
    if (r != SQLITE_OK)
        complain(why, ERR_STORE, "%s: cannot be opened: %s", path, db ? sqlite3_errmsg(db) : "no memory");
    else if ((r = check_whole(db, suspect)) != SQLITE_OK)
        complain(why, ERR_STORE, "%s: is damaged", path);
    if (r != SQLITE_OK) {
        sql_close(db);
        db = NULL;
    }
    *ret_db = db;
    return r;
}

/* --- a damaged file --- */

/* Only the newest ones are kept: a dying card must not fill itself with them. Their names sort by time. */
static void prune_damaged(const char *dir)
{
    char newest[DAMAGED_MAX][80] = {{0}};
    DIR *folder = opendir(dir);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        if (strncmp(e->d_name, "vault.db.damaged-", 17) != 0 || strlen(e->d_name) >= sizeof(newest[0]))
            continue;
        char *old = newest[strcmp(newest[0], newest[1]) > 0];
        if (strcmp(e->d_name, old) > 0) {
            if (old[0])
                unlinkat(dirfd(folder), old, 0);
            strcpy(old, e->d_name);
        } else {
            unlinkat(dirfd(folder), e->d_name, 0);
        }
    }
    if (folder)
        closedir(folder);
}

static int set_aside(struct vault *vault, const char *path, int64_t now_ms, struct complaint *why)
{
    snprintf(vault->set_aside, sizeof(vault->set_aside), "vault.db.damaged-%lld", (long long)now_ms);
    char *aside = xasprintf("%s/%s", vault->dir, vault->set_aside);
    int r = 0;
    /* The log belongs to the damaged file; a new one must not find it, not even when the power goes in between. */
    for (int i = 1; r == 0 && i < 3; i++) {
        char *log = xasprintf("%s%s", path, parts[i]);
        if (unlink(log) < 0 && errno != ENOENT)
            r = -errno;
        free(log);
    }
    if (r == 0)
        r = rename(path, aside) < 0 ? -errno : 0;
    if (r == 0)
        r = file_sync_dir(vault->dir);
    if (r < 0)
        complain(why, r, "%s: is damaged and cannot be set aside: %s", path, err_name(r));
    else
        log_err("vault", "%s was damaged; it is %s now, and a new vault is begun: silence until a welcome", path,
                vault->set_aside);
    free(aside);
    prune_damaged(vault->dir);
    return r;
}

/* --- a disk that only reads --- */

static int copy_part(const char *from, const char *to)
{
    struct buf bytes = {0};
    int r = file_read_whole(from, COPY_MAX, &bytes);
    if (r == 0)
        r = file_write_whole(to, bytes.data, bytes.len, 0600);
    buf_done(&bytes);
    return r;
}

/* The copy's files are gone from their folder as soon as they are open. */
static int open_copy_in(const char *memory, const char *path, sqlite3 **ret_db, struct complaint *why)
{
    char dir[64];
    snprintf(dir, sizeof(dir), "%s/loa-vault-XXXXXX", memory);
    if (!mkdtemp(dir))
        return -errno;
    char *copy = xasprintf("%s/vault.db", dir);
    int r = 0;
    for (int i = 0; r >= 0 && i < 2; i++) {
        char *from = xasprintf("%s%s", path, parts[i]), *to = xasprintf("%s%s", copy, parts[i]);
        r = copy_part(from, to);
        if (r == -ENOENT && i > 0)
            r = 0;
        free(from);
        free(to);
    }
    if (r >= 0 && (open_file(copy, false, ret_db, why) != SQLITE_OK ||
                   sqlite3_exec(*ret_db, "PRAGMA query_only=ON", NULL, NULL, NULL) != SQLITE_OK))
        r = ERR_STORE;
    for (int i = 0; i < 3; i++) {
        char *part = xasprintf("%s%s", copy, parts[i]);
        unlink(part);
        free(part);
    }
    rmdir(dir);
    free(copy);
    return r;
}

static int open_copy(struct vault *vault, const char *path, struct complaint *why)
{
    static const char *const memory[] = {"/dev/shm", "/run", "/tmp"};
    int r = access(path, R_OK) < 0 ? -errno : -ENOSPC;
    for (size_t i = 0; r < 0 && r != -ENOENT && i < sizeof(memory) / sizeof(memory[0]); i++)
        r = open_copy_in(memory[i], path, &vault->db, why);
    if (r < 0)
        return r;
    vault->copy = vault->ill = true;
    snprintf(vault->trouble, sizeof(vault->trouble), "the disk below %s cannot be written", vault->dir);
    log_err("vault", "%s; plays what is there, from a copy in memory", vault->trouble);
    return 0;
}

/* --- opened and closed --- */

static int hold(struct vault *vault, struct complaint *why)
{
    vault->dir_fd = open(vault->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (vault->dir_fd < 0)
        return complain(why, -errno, "%s: the vault's folder cannot be opened: %s", vault->dir, err_name(-errno));
    if (flock(vault->dir_fd, LOCK_EX | LOCK_NB) < 0)
        return complain(why, -EBUSY,
                        "%s: another loa-agent uses this vault; stop it first, or give each its own 'vault'",
                        vault->dir);
    return 0;
}

/* vault_tidy() comes in time unless very much is written at once: then the change that fills the journal waits. */
static int on_logged(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct vault *vault = arg;
    vault->log_pages = pages;
    if (pages >= LOG_PAGES_MAX)
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

void vault_tidy(struct vault *vault)
{
    if (vault->log_pages < LOG_PAGES_TIDY || vault->ill || vault->depth > 0)
        return;
    vault->log_pages = 0;
    sqlite3_wal_checkpoint_v2(vault->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* A file system that lost what was in the file: to SQLite it is a new one. Blobs are only beside a vault that was
 * whole. */
static bool is_emptied(const struct vault *vault)
{
    struct stat file, blobs;
    return fstatat(vault->dir_fd, "vault.db", &file, 0) == 0 && file.st_size == 0 &&
           fstatat(vault->dir_fd, "blobs", &blobs, 0) == 0;
}

static int open_any(struct vault *vault, int64_t now_ms, struct complaint *why)
{
    char *path = xasprintf("%s/vault.db", vault->dir);
    bool suspect = unlinkat(vault->dir_fd, VAULT_SUSPECT, 0) == 0;
    int code = is_emptied(vault) ? SQLITE_NOTADB : open_file(path, suspect, &vault->db, why);
    int r = code == SQLITE_OK ? 0 : ERR_STORE;
    if (is_damage(code)) {
        r = set_aside(vault, path, now_ms, why);
        if (r == 0 && open_file(path, false, &vault->db, why) != SQLITE_OK)
            r = ERR_STORE;
    } else if (r < 0) {
        struct complaint ignored = {0};
        r = open_copy(vault, path, &ignored) < 0 ? r : 0;
    }
    free(path);
    if (r == 0)
        sqlite3_wal_hook(vault->db, on_logged, vault);
    return r;
}

int vault_open(const char *dir, int64_t now_ms, struct vault **ret_vault, struct complaint *why)
{
    int r = file_make_dir(dir, 0700);
    if (r < 0)
        return complain(why, r, "%s: the vault's folder cannot be made: %s", dir, err_name(r));
    struct vault *vault = xcalloc(1, sizeof(*vault));
    vault->dir = xstrdup(dir);
    vault->dir_fd = -1;
    r = hold(vault, why);
    if (r == 0)
        r = open_any(vault, now_ms, why);
    if (r == 0)
        r = load_meta(vault, now_ms, why);
    if (r < 0) {
        vault_close(vault);
        return r;
    }
    *ret_vault = vault;
    return 0;
}

void vault_close(struct vault *vault)
{
    if (!vault)
        return;
    sql_close(vault->db);
    if (vault->dir_fd >= 0)
        close(vault->dir_fd);
    free(vault->dir);
    free(vault);
}

static bool can_be_written(sqlite3 *db)
{
    bool yes = sqlite3_exec(db, "BEGIN IMMEDIATE; UPDATE meta SET value=value WHERE name='up'; COMMIT", NULL, NULL,
                            NULL) == SQLITE_OK;
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return yes;
}

int vault_mend(struct vault *vault)
{
    if (!vault->copy) {
        sqlite3_wal_checkpoint_v2(vault->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (can_be_written(vault->db)) {
            vault->ill = false;
            return 0;
        }
    }
    struct complaint why = {0};
    sqlite3 *db = NULL;
    char *path = xasprintf("%s/vault.db", vault->dir);
    bool there = access(path, W_OK) == 0; /* it is never made anew beside what is open */
    int code = there ? open_file(path, false, &db, &why) : SQLITE_CANTOPEN;
    free(path);
    if (code == SQLITE_OK) /* a log that fills the disk leaves no room for the trial */
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (code != SQLITE_OK || !can_be_written(db)) {
        sql_close(db);
        return ERR_STORE;
    }
    sql_close(vault->db);
    vault->db = db;
    sqlite3_wal_hook(vault->db, on_logged, vault);
    vault->copy = vault->ill = vault->none_waits = false;
    return 0;
}

const char *vault_set_aside(const struct vault *vault)
{
    return vault->set_aside[0] ? vault->set_aside : NULL;
}

const char *vault_trouble(const struct vault *vault)
{
    return vault->trouble;
}

bool vault_damaged(const struct vault *vault)
{
    return vault->damaged;
}

bool vault_reads_only(const struct vault *vault)
{
    return vault->copy;
}
