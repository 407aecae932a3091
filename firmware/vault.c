/* vault.c - see vault.h. */
#include "firmware/vault.h"

#include "firmware/ledger_form.h"
#include "firmware/sql.h"
#include "firmware/vault_parts.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UP_RESERVE_MS = 600000 };

const char *vault_store(const struct vault *vault)
{
    return vault->store;
}

const char *vault_dir(const struct vault *vault)
{
    return vault->dir;
}

struct sqlite3 *vault_db(struct vault *vault)
{
    return vault->db;
}

static void note_trouble(struct vault *vault)
{
    vault->ill = true;
    snprintf(vault->trouble, sizeof(vault->trouble), "%s", sqlite3_errmsg(vault->db));
    int code = sqlite3_errcode(vault->db);
    if (vault->damaged || (code != SQLITE_CORRUPT && code != SQLITE_NOTADB))
        return;
    vault->damaged = true;
    int fd = openat(vault->dir_fd, VAULT_SUSPECT, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

void vault_begin(struct vault *vault)
{
    if (vault->depth++ > 0)
        return;
    vault->abandoned = sql_run(vault->db, "BEGIN IMMEDIATE", "") < 0;
    if (vault->abandoned)
        note_trouble(vault);
}

int vault_commit(struct vault *vault)
{
    if (--vault->depth > 0)
        return vault->abandoned ? ERR_STORE : 0;
    if (!vault->abandoned && sql_run(vault->db, "COMMIT", "") == 0) {
        vault->ill = false;
        return 0;
    }
    if (!vault->abandoned)
        note_trouble(vault);
    if (!sqlite3_get_autocommit(vault->db))
        (void)!sql_run(vault->db, "ROLLBACK", "");
    vault->welcomed =
        vault->welcomed && sql_number(vault->db, 0, "SELECT value FROM meta WHERE name='welcomed'", "") != 0;
    return ERR_STORE;
}

void vault_abandon(struct vault *vault)
{
    if (!vault->abandoned)
        note_trouble(vault);
    vault->abandoned = true;
    (void)!vault_commit(vault);
}

bool vault_welcomed(const struct vault *vault)
{
    return vault->welcomed;
}

int64_t vault_up_version(struct vault *vault, int64_t now_ms)
{
    int64_t ver = vault->up_last + 1 > now_ms ? vault->up_last + 1 : now_ms;
    if (ver >= vault->up_reserved && !vault->ill) {
        /* Reserved ahead, so that not every document costs a write and none is used twice after a power cut. */
        int64_t reserve = ver + UP_RESERVE_MS;
        if (sql_run(vault->db, "UPDATE meta SET value=? WHERE name='up'", "i", reserve) == 0)
            vault->up_reserved = reserve;
    }
    vault->up_last = ver;
    return ver;
}

int vault_document(struct vault *vault, enum doc_type type, struct vault_document *ret)
{
    sqlite3_stmt *stmt =
        sql_query(vault->db, "SELECT era, ver, hash, sealed FROM document WHERE type=?", "i", (int64_t)type);
    if (!stmt)
        return ERR_STORE;
    int r = -ENOENT;
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        ret->era = sqlite3_column_int64(stmt, 0);
        ret->ver = sqlite3_column_int64(stmt, 1);
        snprintf(ret->hash.hex, sizeof(ret->hash.hex), "%s", (const char *)sqlite3_column_text(stmt, 2));
        ret->len = (size_t)sqlite3_column_bytes(stmt, 3);
        ret->sealed = xcalloc(1, ret->len + 1);
        memcpy(ret->sealed, sqlite3_column_blob(stmt, 3), ret->len);
        r = 0;
    }
    sql_done(stmt);
    return r;
}

int vault_adopt(struct vault *vault, enum doc_type type, const struct doc_head *head, const void *sealed, size_t len,
                const struct hash *hash)
{
    vault_begin(vault);
    int r = sql_run(vault->db, "INSERT OR REPLACE INTO document VALUES(?,?,?,?,?)", "iiitb", (int64_t)type, head->era,
                    head->ver, hash->hex, sealed, len);
    if (r == 0)
        r = sql_run(vault->db,
                    "INSERT INTO held(type, era, ver) VALUES(?1,?2,?3) ON CONFLICT(type) DO UPDATE SET era=?2, ver=?3 "
                    "WHERE (?2, ?3) > (era, ver)",
                    "iii", (int64_t)type, head->era, head->ver);
    if (r < 0) {
        vault_abandon(vault);
        return r;
    }
    return vault_commit(vault);
}

void vault_held(struct vault *vault, enum doc_type type, struct held_version *ret_held)
{
    *ret_held = (struct held_version){0};
    sqlite3_stmt *stmt =
        sql_query(vault->db, "SELECT era, ver, floor_era, floor_ver FROM held WHERE type=?", "i", (int64_t)type);
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        ret_held->era = sqlite3_column_int64(stmt, 0);
        ret_held->ver = sqlite3_column_int64(stmt, 1);
        ret_held->floor_era = sqlite3_column_int64(stmt, 2);
        ret_held->floor_ver = sqlite3_column_int64(stmt, 3);
    }
    sql_done(stmt);
}

/* The document that a floor is new for; DOC_TYPES: none. */
static enum doc_type floor_is_new(struct vault *vault, const struct doc_floor *floor)
{
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++) {
        struct held_version held;
        if (strcmp(floor->doc, doc_word(type)) != 0)
            continue;
        vault_held(vault, type, &held);
        return doc_version_cmp(floor->era, floor->ver, held.floor_era, held.floor_ver) > 0 ? type : DOC_TYPES;
    }
    return DOC_TYPES;
}

static int raise_floor(struct vault *vault, enum doc_type type, int64_t era, int64_t ver)
{
    return sql_run(vault->db,
                   "INSERT INTO held(type, floor_era, floor_ver) VALUES(?1,?2,?3) ON CONFLICT(type) DO UPDATE SET "
                   "floor_era=?2, floor_ver=?3 WHERE (?2, ?3) > (floor_era, floor_ver)",
                   "iii", (int64_t)type, era, ver);
}

int vault_keep_welcome(struct vault *vault, const struct welcome *welcome)
{
    bool any = !vault->welcomed;
    for (size_t i = 0; !any && i < welcome->n_floors; i++)
        any = floor_is_new(vault, &welcome->floors[i]) != DOC_TYPES;
    if (!any)
        return 0;
    vault_begin(vault);
    int r = vault->welcomed ? 0 : sql_run(vault->db, "UPDATE meta SET value=1 WHERE name='welcomed'", "");
    if (r == 0)
        vault->welcomed = true;
    for (size_t i = 0; r == 0 && i < welcome->n_floors; i++) {
        enum doc_type type = floor_is_new(vault, &welcome->floors[i]);
        if (type != DOC_TYPES)
            r = raise_floor(vault, type, welcome->floors[i].era, welcome->floors[i].ver);
    }
    if (r == 0)
        return vault_commit(vault);
    vault_abandon(vault);
    return r;
}

/* Two tables, so that nobody's key can push out what waits for another reason. */
static const struct {
    const char *known, *drop_other, *insert, *prune;
    int64_t max;
} queues[2] = {
    {"SELECT 1 FROM waiting WHERE hash=?", "DELETE FROM stranger WHERE hash=?",
     "INSERT INTO waiting(type, hash, sealed, at_ms) VALUES(?,?,?,?)",
     "DELETE FROM waiting WHERE n <= (SELECT max(n) FROM waiting) - ?", VAULT_WAITING_MAX},
    {"SELECT 1 FROM stranger WHERE hash=?", "DELETE FROM waiting WHERE hash=?",
     "INSERT INTO stranger(type, hash, sealed, at_ms) VALUES(?,?,?,?)",
     "DELETE FROM stranger WHERE n <= (SELECT max(n) FROM stranger) - ?", VAULT_STRANGERS_MAX},
};

bool vault_waits(struct vault *vault, const struct hash *hash, bool stranger)
{
    return sql_number(vault->db, 0, queues[stranger].known, "t", hash->hex) != 0;
}

int vault_wait(struct vault *vault, enum doc_type type, const void *sealed, size_t len, int64_t now_ms, bool stranger)
{
    struct hash hash = hash_of(sealed, len);
    if (vault_waits(vault, &hash, stranger))
        return 0;
    vault->none_waits = false;
    vault_begin(vault);
    int r = sql_run(vault->db, queues[stranger].drop_other, "t", hash.hex);
    if (r == 0)
        r = sql_run(vault->db, queues[stranger].insert, "itbi", (int64_t)type, hash.hex, sealed, len, now_ms);
    if (r == 0)
        r = sql_run(vault->db, queues[stranger].prune, "i", queues[stranger].max);
    if (r < 0) {
        vault_abandon(vault);
        return r;
    }
    return vault_commit(vault);
}

void vault_wait_no_more(struct vault *vault, const struct hash *hash)
{
    if (vault->none_waits)
        return;
    /* Left behind when the store fails: it is judged again, and refused as older then. */
    (void)!sql_run(vault->db, "DELETE FROM waiting WHERE hash=?", "t", hash->hex);
    (void)!sql_run(vault->db, "DELETE FROM stranger WHERE hash=?", "t", hash->hex);
}

void vault_waiting(struct vault *vault, vault_waiting_fn each, void *arg)
{
    struct {
        enum doc_type type;
        struct buf sealed;
    } rows[VAULT_WAITING_MAX + VAULT_STRANGERS_MAX];
    const size_t max = sizeof(rows) / sizeof(rows[0]);
    size_t n = 0;
    if (vault->none_waits)
        return;
    sqlite3_stmt *stmt = sql_query(vault->db,
                                   "SELECT type, sealed, 0 AS s, n FROM waiting UNION ALL "
                                   "SELECT type, sealed, 1, n FROM stranger ORDER BY type, s, n",
                                   "");
    while (stmt && n < max && sqlite3_step(stmt) == SQLITE_ROW) {
        rows[n].type = (enum doc_type)sqlite3_column_int(stmt, 0);
        rows[n].sealed = (struct buf){0};
        buf_put(&rows[n].sealed, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
        n++;
    }
    bool whole = stmt && vault->depth == 0; /* what a transaction took away may come back */
    whole &= sql_done(stmt) == SQLITE_OK;
    vault->none_waits = whole && n == 0;
    for (size_t i = 0; i < n; i++) {
        each(arg, rows[i].type, rows[i].sealed.data, rows[i].sealed.len);
        buf_done(&rows[i].sealed);
    }
}

/* 1: new. What is known already costs no write. */
static int remember(struct vault *vault, const char *known, const char *insert, const char *prune, const char *a,
                    const char *b, int64_t max)
{
    const char *fmt = b ? "tt" : "t";
    if (sql_number(vault->db, 0, known, fmt, a, b))
        return 0;
    vault_begin(vault);
    int r = sql_run(vault->db, insert, fmt, a, b);
    if (r == 0)
        r = sql_run(vault->db, prune, "i", max);
    if (r < 0) {
        vault_abandon(vault);
        return r;
    }
    r = vault_commit(vault);
    return r < 0 ? r : 1;
}

bool vault_refusal_is_new(struct vault *vault, const struct hash *hash, const char *reason)
{
    return remember(vault, "SELECT 1 FROM refusal WHERE hash=? AND reason=?",
                    "INSERT INTO refusal(hash, reason) VALUES(?,?)",
                    "DELETE FROM refusal WHERE n <= (SELECT max(n) FROM refusal) - ?", hash->hex, reason,
                    VAULT_REFUSALS_MAX) > 0;
}

int vault_command_new(struct vault *vault, const char *id)
{
    return remember(vault, "SELECT 1 FROM command WHERE id=?", "INSERT INTO command(id) VALUES(?)",
                    "DELETE FROM command WHERE n <= (SELECT max(n) FROM command) - ?", id, NULL, VAULT_COMMANDS_MAX);
}

int vault_command_answer(struct vault *vault, const char *id, bool ok, const char *detail)
{
    vault_begin(vault);
    int r = sql_run(vault->db, "INSERT OR REPLACE INTO answer VALUES(?,?,?)", "tit", id, (int64_t)ok, detail);
    if (r == 0)
        r = sql_run(vault->db, "DELETE FROM answer WHERE id NOT IN (SELECT id FROM command)", "");
    if (r < 0) {
        vault_abandon(vault);
        return r;
    }
    return vault_commit(vault);
}

int vault_command_answered(struct vault *vault, const char *id, bool *ret_ok, char ret_detail[VAULT_ANSWER_MAX])
{
    sqlite3_stmt *stmt = sql_query(vault->db, "SELECT ok, detail FROM answer WHERE id=?", "t", id);
    int r = stmt ? -ENOENT : ERR_STORE;
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        *ret_ok = sqlite3_column_int(stmt, 0) != 0;
        snprintf(ret_detail, VAULT_ANSWER_MAX, "%s", (const char *)sqlite3_column_text(stmt, 1));
        r = 0;
    }
    sql_done(stmt);
    return r;
}

static int save_value(struct vault *vault, const char *name, struct buf *bytes)
{
    int r = sql_run(vault->db, "INSERT OR REPLACE INTO meta VALUES(?,?)", "tb", name, (const void *)bytes->data,
                    bytes->len);
    buf_done(bytes);
    return r;
}

int vault_save_ledger(struct vault *vault, const struct ledger *ledger)
{
    struct buf bytes = {0};
    ledger_write(ledger, &bytes);
    return save_value(vault, "ledger", &bytes);
}

void vault_load_ledger(struct vault *vault, struct ledger *ret_ledger)
{
    memset(ret_ledger, 0, sizeof(*ret_ledger));
    sqlite3_stmt *stmt = sql_query(vault->db, "SELECT value FROM meta WHERE name='ledger'", "");
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW &&
        ledger_read(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), ret_ledger) < 0)
        log_err("vault", "ledger is of an unknown format; begins anew, what was on may play again");
    sql_done(stmt);
}

int vault_save_timekeeper(struct vault *vault, const struct timekeeper *tk)
{
    struct buf bytes = {0};
    if (vault->ill)
        return ERR_STORE;
    timekeeper_write(tk, &bytes);
    return save_value(vault, "timekeeper", &bytes);
}

void vault_load_timekeeper(struct vault *vault, struct timekeeper *ret_tk)
{
    memset(ret_tk, 0, sizeof(*ret_tk));
    sqlite3_stmt *stmt = sql_query(vault->db, "SELECT value FROM meta WHERE name='timekeeper'", "");
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW &&
        timekeeper_read(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0), ret_tk) < 0)
        log_warn("vault", "stored time is of an unknown format; time is not trusted until somebody vouches for it");
    sql_done(stmt);
}

int vault_airing_save(struct vault *vault, const struct airing *a)
{
    return sql_run(vault->db,
                   "INSERT INTO airing VALUES(?,?,?,?,?,?,?,?,?,?,NULL,?) ON CONFLICT(key) DO UPDATE SET "
                   "over=excluded.over, started_ms=excluded.started_ms, ended_ms=excluded.ended_ms, "
                   "reason=excluded.reason, exempt=excluded.exempt",
                   "ittiiiiiiit", (int64_t)a->key, a->occurrence, a->bulletin.hex, (int64_t)a->class, a->planned_ms,
                   (int64_t)a->grade, (int64_t)a->over, a->started_ms, a->ended_ms, (int64_t)a->reason, a->exempt);
}

static int read_airing(sqlite3_stmt *stmt, struct airing *ret)
{
    int r = stmt ? -ENOENT : ERR_STORE;
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        ret->key = (uint64_t)sqlite3_column_int64(stmt, 0);
        snprintf(ret->occurrence, sizeof(ret->occurrence), "%s", (const char *)sqlite3_column_text(stmt, 1));
        snprintf(ret->bulletin.hex, sizeof(ret->bulletin.hex), "%s", (const char *)sqlite3_column_text(stmt, 2));
        ret->class = sqlite3_column_int(stmt, 3);
        ret->planned_ms = sqlite3_column_int64(stmt, 4);
        ret->grade = (enum time_grade)sqlite3_column_int(stmt, 5);
        ret->over = sqlite3_column_int(stmt, 6) != 0;
        ret->started_ms = sqlite3_column_int64(stmt, 7);
        ret->ended_ms = sqlite3_column_int64(stmt, 8);
        ret->reason = (enum reason)sqlite3_column_int(stmt, 9);
        const char *exempt = (const char *)sqlite3_column_text(stmt, 11);
        snprintf(ret->exempt, sizeof(ret->exempt), "%s", exempt ? exempt : "");
        r = 0;
    }
    sql_done(stmt);
    return r;
}

int vault_airing(struct vault *vault, uint64_t key, struct airing *ret)
{
    return read_airing(sql_query(vault->db, "SELECT * FROM airing WHERE key=?", "i", (int64_t)key), ret);
}

int vault_airing_over(struct vault *vault, struct airing *ret)
{
    return read_airing(sql_query(vault->db, "SELECT * FROM airing WHERE over=1 LIMIT 1", ""), ret);
}

int vault_airing_save_evidence(struct vault *vault, uint64_t key, const void *evidence, size_t size)
{
    return sql_run(vault->db, "UPDATE airing SET evidence=? WHERE key=?", "bi", evidence, size, (int64_t)key);
}

int vault_airing_evidence(struct vault *vault, uint64_t key, void *ret_evidence, size_t size)
{
    sqlite3_stmt *stmt = sql_query(vault->db, "SELECT evidence FROM airing WHERE key=?", "i", (int64_t)key);
    int r = -ENOENT;
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW && (size_t)sqlite3_column_bytes(stmt, 0) == size) {
        memcpy(ret_evidence, sqlite3_column_blob(stmt, 0), size);
        r = 0;
    }
    sql_done(stmt);
    return r;
}

int vault_airing_drop(struct vault *vault, uint64_t key)
{
    return sql_run(vault->db, "DELETE FROM airing WHERE key=?", "i", (int64_t)key);
}
