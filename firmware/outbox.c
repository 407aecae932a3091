/* outbox.c - see outbox.h. */
#include "firmware/outbox.h"

#include "firmware/sql.h"

#include <stdlib.h>

enum { AGAIN_AFTER_MS = 5000, AGAIN_FIRST_MS = 10000, AGAIN_MOST_MS = 600000, ID_BASE = 0x40000000 };

const char *const outbox_kind_names[] = {"receipt", "event", NULL};

struct lane {
    int64_t made;   /* highest number */
    int64_t stored; /* a welcome said so */
    int64_t sent;   /* highest handed to the broker in this session */
    int64_t acked_elapsed_ms;
    int64_t again_ms; /* how long to wait for a welcome before sending again; doubles */
};

struct flight {
    uint32_t id; /* 0: free */
    enum outbox_kind kind;
    int64_t n;
};

struct outbox {
    struct vault *vault;
    outbox_send_fn send;
    void *arg;
    struct lane lanes[OUTBOX_KINDS];
    struct flight flights[OUTBOX_WINDOW];
    uint32_t last_id;
    bool online;
};

void outbox_recount(struct outbox *outbox)
{
    sqlite3 *db = vault_db(outbox->vault);
    for (int kind = 0; kind < OUTBOX_KINDS; kind++) {
        struct lane *lane = &outbox->lanes[kind];
        lane->made = sql_number(db, 0, "SELECT made FROM mark WHERE kind=?", "i", (int64_t)kind);
        lane->stored = sql_number(db, 0, "SELECT stored FROM mark WHERE kind=?", "i", (int64_t)kind);
    }
}

struct outbox *outbox_new(struct vault *vault, outbox_send_fn send, void *arg)
{
    struct outbox *outbox = xcalloc(1, sizeof(*outbox));
    outbox->vault = vault;
    outbox->send = send;
    outbox->arg = arg;
    outbox->last_id = ID_BASE;
    outbox_recount(outbox);
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    free(outbox);
}

int64_t outbox_next(const struct outbox *outbox, enum outbox_kind kind)
{
    return outbox->lanes[kind].made + 1;
}

int outbox_put(struct outbox *outbox, enum outbox_kind kind, int64_t n, const void *sealed, size_t len, int64_t now_ms)
{
    sqlite3 *db = vault_db(outbox->vault);
    int r = sql_run(db, "INSERT INTO outbox(kind, n, sealed, made_ms) VALUES(?,?,?,?)", "iibi", (int64_t)kind, n,
                    sealed, len, now_ms);
    /* The mark outlives swept rows, so that a number is never given twice. */
    if (r == 0)
        r = sql_run(db, "INSERT INTO mark VALUES(?1,?2,0) ON CONFLICT(kind) DO UPDATE SET made=?2", "ii", (int64_t)kind,
                    n);
    if (r == 0)
        outbox->lanes[kind].made = n;
    return r;
}

int64_t outbox_last(const struct outbox *outbox, enum outbox_kind kind)
{
    return outbox->lanes[kind].made;
}

int64_t outbox_stored(const struct outbox *outbox, enum outbox_kind kind)
{
    return outbox->lanes[kind].stored;
}

static void forget_flights(struct outbox *outbox)
{
    for (int i = 0; i < OUTBOX_WINDOW; i++)
        outbox->flights[i].id = 0;
}

void outbox_online(struct outbox *outbox)
{
    forget_flights(outbox);
    for (int kind = 0; kind < OUTBOX_KINDS; kind++) {
        outbox->lanes[kind].sent = outbox->lanes[kind].stored;
        outbox->lanes[kind].again_ms = AGAIN_FIRST_MS;
    }
    outbox->online = true;
    outbox_push(outbox);
}

void outbox_offline(struct outbox *outbox)
{
    forget_flights(outbox);
    outbox->online = false;
}

static struct flight *find_flight(struct outbox *outbox, uint32_t id)
{
    for (int i = 0; i < OUTBOX_WINDOW; i++)
        if (outbox->flights[i].id == id)
            return &outbox->flights[i];
    return NULL;
}

/* Send the next row of one kind. False: nothing more can be sent now. */
static bool send_one(struct outbox *outbox, enum outbox_kind kind)
{
    struct lane *lane = &outbox->lanes[kind];
    struct flight *flight = find_flight(outbox, 0);
    if (!flight || lane->sent >= lane->made)
        return false;
    int64_t n = lane->sent + 1;
    sqlite3_stmt *stmt =
        sql_query(vault_db(outbox->vault), "SELECT sealed FROM outbox WHERE kind=? AND n=?", "ii", (int64_t)kind, n);
    bool sent = false;
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        uint32_t id = ++outbox->last_id;
        sent = outbox->send(outbox->arg, id, kind, sqlite3_column_blob(stmt, 0),
                            (size_t)sqlite3_column_bytes(stmt, 0)) == 0;
        if (sent) {
            *flight = (struct flight){.id = id, .kind = kind, .n = n};
            lane->sent = n;
        }
    } else if (stmt) {
        lane->sent = n; /* swept long after it was stored */
        sent = true;
    }
    sqlite3_finalize(stmt);
    return sent;
}

void outbox_push(struct outbox *outbox)
{
    if (!outbox->online)
        return;
    for (int kind = 0; kind < OUTBOX_KINDS; kind++)
        while (send_one(outbox, (enum outbox_kind)kind))
            ;
}

bool outbox_acked(struct outbox *outbox, uint32_t id, int64_t elapsed_ms)
{
    struct flight *flight = id ? find_flight(outbox, id) : NULL;
    if (!flight)
        return false;
    outbox->lanes[flight->kind].acked_elapsed_ms = elapsed_ms;
    flight->id = 0;
    outbox_push(outbox);
    return true;
}

bool outbox_refused(struct outbox *outbox, uint32_t id)
{
    struct flight *flight = id ? find_flight(outbox, id) : NULL;
    if (!flight)
        return false;
    struct lane *lane = &outbox->lanes[flight->kind];
    if (lane->sent >= flight->n)
        lane->sent = flight->n - 1; /* again from here, in order, at the next push */
    flight->id = 0;
    return true;
}

static bool in_flight(const struct outbox *outbox, enum outbox_kind kind)
{
    for (int i = 0; i < OUTBOX_WINDOW; i++)
        if (outbox->flights[i].id && outbox->flights[i].kind == kind)
            return true;
    return false;
}

void outbox_again(struct outbox *outbox, int64_t elapsed_ms)
{
    for (int kind = 0; kind < OUTBOX_KINDS; kind++) {
        struct lane *lane = &outbox->lanes[kind];
        if (!outbox->online || lane->sent <= lane->stored || in_flight(outbox, (enum outbox_kind)kind) ||
            elapsed_ms - lane->acked_elapsed_ms < lane->again_ms)
            continue;
        lane->sent = lane->stored;
        lane->again_ms = lane->again_ms * 2 < AGAIN_MOST_MS ? lane->again_ms * 2 : AGAIN_MOST_MS;
    }
}

int outbox_stored_upto(struct outbox *outbox, enum outbox_kind kind, int64_t upto, int64_t now_ms, int64_t elapsed_ms)
{
    struct lane *lane = &outbox->lanes[kind];
    if (upto > lane->made)
        return ERR_LIMIT;
    if (upto > lane->stored) {
        sqlite3 *db = vault_db(outbox->vault);
        vault_begin(outbox->vault);
        int r = sql_run(db, "UPDATE outbox SET stored_ms=? WHERE kind=? AND n<=? AND stored_ms=0", "iii", now_ms,
                        (int64_t)kind, upto);
        if (r == 0)
            r = sql_run(db, "UPDATE mark SET stored=? WHERE kind=?", "ii", upto, (int64_t)kind);
        if (r < 0)
            vault_abandon(outbox->vault);
        else
            r = vault_commit(outbox->vault);
        if (r < 0)
            return r;
        lane->stored = upto;
        lane->again_ms = AGAIN_FIRST_MS;
        if (lane->sent < upto)
            lane->sent = upto;
    }
    /* A welcome that was already on its way knows nothing of what was acknowledged just now. */
    if (upto < lane->sent && !in_flight(outbox, kind) && elapsed_ms - lane->acked_elapsed_ms > AGAIN_AFTER_MS)
        lane->sent = upto; /* below the stored mark too: a centre that was restored from a backup asks for it again */
    outbox_push(outbox);
    return 0;
}

void outbox_sweep(struct outbox *outbox, int64_t now_ms)
{
    (void)!sql_run(vault_db(outbox->vault), "DELETE FROM outbox WHERE stored_ms > 0 AND stored_ms < ?", "i",
                   now_ms - OUTBOX_KEEP_MS); /* tried again with the next sweep */
}
