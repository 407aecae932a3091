/* outbox.c - see outbox.h. */
#include "firmware/outbox.h"

#include "firmware/sql.h"

#include <stdlib.h>
#include <string.h>

enum { AGAIN_AFTER_MS = 5000, AGAIN_FIRST_MS = 10000, AGAIN_MOST_MS = 600000, ID_BASE = 0x40000000, SWEEP_ROWS = 256 };
enum { NOT_OURS = -1, NO_MARK = -2 };

const char *const outbox_kind_names[] = {"receipt", "event", NULL};

struct lane {
    int64_t made;   /* highest number */
    int64_t stored; /* a welcome said so */
    int64_t sent;   /* highest handed to the broker in this session */
    int64_t acked_elapsed_ms;
    int64_t again_ms;          /* how long to wait for a welcome before sending again; doubles */
    int64_t repeat, repeat_to; /* next and last number to be sent once more; repeat_to 0: none */
    bool anew;                 /* all was sent anew in this session */
};

/* So many may still leave: fills with time, up to what leaves in one second. */
struct allowance {
    int64_t rate;
    int64_t left; /* thousandths of a row */
    int64_t at_elapsed_ms;
};

struct flight {
    uint32_t id; /* 0: free */
    enum outbox_kind kind;
    int64_t n;
    bool repeat;
};

struct outbox {
    struct vault *vault;
    outbox_send_fn send;
    void *arg;
    struct lane lanes[OUTBOX_KINDS];
    struct flight flights[OUTBOX_WINDOW];
    struct allowance all, repeats;
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
    outbox->all = (struct allowance){.rate = OUTBOX_RATE, .left = OUTBOX_RATE * 1000};
    outbox->repeats = (struct allowance){.rate = OUTBOX_REPEAT_RATE, .left = OUTBOX_REPEAT_RATE * 1000};
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

static bool hash_at(const struct outbox *outbox, enum outbox_kind kind, int64_t n, struct hash *ret_hash)
{
    sqlite3_stmt *stmt =
        sql_query(vault_db(outbox->vault), "SELECT sealed FROM outbox WHERE kind=? AND n=?", "ii", (int64_t)kind, n);
    bool found = stmt && sqlite3_step(stmt) == SQLITE_ROW;
    if (found)
        *ret_hash = hash_of(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
    sql_done(stmt);
    return found;
}

bool outbox_prev(const struct outbox *outbox, enum outbox_kind kind, struct hash *ret_hash)
{
    return hash_at(outbox, kind, outbox->lanes[kind].made, ret_hash);
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

void outbox_online(struct outbox *outbox, int64_t elapsed_ms)
{
    forget_flights(outbox);
    for (int kind = 0; kind < OUTBOX_KINDS; kind++) {
        struct lane *lane = &outbox->lanes[kind];
        lane->sent = lane->stored;
        lane->again_ms = AGAIN_FIRST_MS;
        lane->repeat_to = 0;
        lane->anew = false;
    }
    outbox->online = true;
    outbox_push(outbox, elapsed_ms);
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

static void fill(struct allowance *allowance, int64_t elapsed_ms)
{
    int64_t most = allowance->rate * 1000;
    int64_t past_ms = elapsed_ms - allowance->at_elapsed_ms;
    if (past_ms < 0)
        past_ms = 0;
    allowance->left = past_ms > 1000 ? most : allowance->left + past_ms * allowance->rate;
    if (allowance->left > most)
        allowance->left = most;
    allowance->at_elapsed_ms = elapsed_ms;
}

/* Hand over the first row from `n` on. Its number (above `n` when rows were swept long after they were stored), 0 when
 * there is none, negative when it cannot be sent now. */
static int64_t hand_over(struct outbox *outbox, enum outbox_kind kind, int64_t n, bool repeat)
{
    struct flight *flight = find_flight(outbox, 0);
    if (!flight || outbox->all.left < 1000)
        return -1;
    sqlite3_stmt *stmt =
        sql_query(vault_db(outbox->vault), "SELECT n, sealed FROM outbox WHERE kind=? AND n>=? ORDER BY n LIMIT 1",
                  "ii", (int64_t)kind, n);
    int step = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    int64_t r = step == SQLITE_DONE ? 0 : -1;
    if (step == SQLITE_ROW) {
        uint32_t id = ++outbox->last_id;
        if (outbox->send(outbox->arg, id, kind, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)) ==
            0) {
            r = sqlite3_column_int64(stmt, 0);
            *flight = (struct flight){.id = id, .kind = kind, .n = r, .repeat = repeat};
            outbox->all.left -= 1000;
        }
    }
    sql_done(stmt);
    return r;
}

/* Send the next row of one kind. False: nothing more can be sent now. */
static bool send_one(struct outbox *outbox, enum outbox_kind kind)
{
    struct lane *lane = &outbox->lanes[kind];
    if (lane->sent >= lane->made || lane->sent >= lane->stored + OUTBOX_AHEAD)
        return false;
    int64_t n = hand_over(outbox, kind, lane->sent + 1, false);
    if (n >= 0)
        lane->sent = n > 0 ? n : lane->made;
    return n > 0;
}

/* The same for what is to be sent once more. What was not sent in this session yet is sent anyhow. */
static bool repeat_one(struct outbox *outbox, enum outbox_kind kind)
{
    struct lane *lane = &outbox->lanes[kind];
    if (lane->repeat_to == 0 || outbox->repeats.left < 1000)
        return false;
    int64_t n =
        lane->repeat <= lane->repeat_to && lane->repeat <= lane->sent ? hand_over(outbox, kind, lane->repeat, true) : 0;
    if (n > 0) {
        lane->repeat = n + 1;
        outbox->repeats.left -= 1000;
    } else if (n == 0) {
        lane->repeat_to = 0;
    }
    return n > 0;
}

void outbox_push(struct outbox *outbox, int64_t elapsed_ms)
{
    if (!outbox->online)
        return;
    fill(&outbox->all, elapsed_ms);
    fill(&outbox->repeats, elapsed_ms);
    for (int kind = 0; kind < OUTBOX_KINDS; kind++) {
        while (send_one(outbox, (enum outbox_kind)kind))
            ;
        while (repeat_one(outbox, (enum outbox_kind)kind))
            ;
    }
}

int outbox_repeat(struct outbox *outbox, enum outbox_kind kind, int64_t from, int64_t *ret_first, int64_t *ret_rows)
{
    struct lane *lane = &outbox->lanes[kind];
    if (from > lane->made)
        return ERR_LIMIT;
    int64_t first =
        sql_number(vault_db(outbox->vault), lane->made + 1,
                   "SELECT n FROM outbox WHERE kind=? AND n>=? ORDER BY n LIMIT 1", "ii", (int64_t)kind, from);
    lane->repeat = first;
    lane->repeat_to = lane->made;
    *ret_first = first;
    *ret_rows = lane->made - first + 1; /* rows leave from the front: there is no gap behind the first */
    return 0;
}

bool outbox_acked(struct outbox *outbox, uint32_t id, int64_t elapsed_ms)
{
    struct flight *flight = id ? find_flight(outbox, id) : NULL;
    if (!flight)
        return false;
    outbox->lanes[flight->kind].acked_elapsed_ms = elapsed_ms;
    flight->id = 0;
    outbox_push(outbox, elapsed_ms);
    return true;
}

bool outbox_refused(struct outbox *outbox, uint32_t id)
{
    struct flight *flight = id ? find_flight(outbox, id) : NULL;
    if (!flight)
        return false;
    struct lane *lane = &outbox->lanes[flight->kind];
    if (flight->repeat && lane->repeat > flight->n)
        lane->repeat = flight->n;
    else if (!flight->repeat && lane->sent >= flight->n)
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

static int note_stored(struct outbox *outbox, enum outbox_kind kind, int64_t upto, int64_t now_ms)
{
    struct lane *lane = &outbox->lanes[kind];
    sqlite3 *db = vault_db(outbox->vault);
    vault_begin(outbox->vault);
    int r = sql_run(db, "UPDATE outbox SET stored_ms=? WHERE kind=? AND n>? AND n<=?", "iiii", now_ms, (int64_t)kind,
                    lane->stored, upto);
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
    return 0;
}

/* Of the marks of this kind and our store id the highest that names a row of ours; NOT_OURS when there are only others;
 * NO_MARK when there is none at all that names a row. */
static int64_t agreed(const struct outbox *outbox, enum outbox_kind kind, const struct stored_mark *marks, size_t n)
{
    int64_t best = NO_MARK;
    for (size_t i = 0; i < n; i++) {
        const struct stored_mark *mark = &marks[i];
        struct hash hash;
        if (strcmp(mark->store, vault_store(outbox->vault)) != 0 || strcmp(mark->kind, outbox_kind_names[kind]) != 0 ||
            (mark->upto > 0 && !mark->hash) || mark->upto <= best)
            continue;
        bool ours = mark->upto == 0 || (hash_at(outbox, kind, mark->upto, &hash) && strcmp(hash.hex, mark->hash) == 0);
        if (ours)
            best = mark->upto;
        else if (best == NO_MARK)
            best = NOT_OURS;
    }
    return best;
}

static int take_mark(struct outbox *outbox, enum outbox_kind kind, int64_t upto, int64_t now_ms, int64_t elapsed_ms)
{
    struct lane *lane = &outbox->lanes[kind];
    int r = upto > lane->stored ? note_stored(outbox, kind, upto, now_ms) : 0;
    /* Below the stored mark too: a centre that was restored from a backup asks for it again. But a welcome that was
     * already on its way knows nothing of what was acknowledged just now. */
    bool lost = !in_flight(outbox, kind) && elapsed_ms - lane->acked_elapsed_ms > AGAIN_AFTER_MS;
    if (lane->sent < upto || lost)
        lane->sent = upto;
    return r;
}

int outbox_welcomed(struct outbox *outbox, const struct stored_mark *marks, size_t n, int64_t now_ms,
                    int64_t elapsed_ms)
{
    bool anew = false;
    int r = 0;
    for (int kind = 0; r >= 0 && kind < OUTBOX_KINDS; kind++) {
        struct lane *lane = &outbox->lanes[kind];
        int64_t upto = agreed(outbox, (enum outbox_kind)kind, marks, n);
        if (upto >= 0) {
            r = take_mark(outbox, (enum outbox_kind)kind, upto, now_ms, elapsed_ms);
        } else if (upto == NOT_OURS && !lane->anew) {
            lane->sent = 0;
            lane->anew = anew = true;
        }
    }
    outbox_push(outbox, elapsed_ms);
    return r < 0 ? r : anew;
}

/* Numbers are stored in order, so the oldest rows stand in front, and nothing behind them need be looked at. */
static bool sweep_lane(struct outbox *outbox, enum outbox_kind kind, int64_t before_ms)
{
    sqlite3 *db = vault_db(outbox->vault);
    int64_t upto = 0, rows = 0;
    sqlite3_stmt *stmt =
        sql_query(db,
                  "SELECT n, stored_ms FROM outbox WHERE kind=? AND n<=? AND n<? ORDER BY n"
                  " LIMIT ?",
                  "iiii", (int64_t)kind, outbox->lanes[kind].stored, outbox->lanes[kind].made, (int64_t)SWEEP_ROWS);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int64(stmt, 1) < before_ms) {
        upto = sqlite3_column_int64(stmt, 0);
        rows++;
    }
    sql_done(stmt);
    return rows > 0 && sql_run(db, "DELETE FROM outbox WHERE kind=? AND n<=?", "ii", (int64_t)kind, upto) == 0 &&
           rows == SWEEP_ROWS;
}

bool outbox_sweep(struct outbox *outbox, int64_t now_ms)
{
    bool more = false;
    for (int kind = 0; kind < OUTBOX_KINDS; kind++)
        more |= sweep_lane(outbox, (enum outbox_kind)kind, now_ms - OUTBOX_KEEP_MS);
    return more;
}
