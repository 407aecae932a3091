/* chains.c - see chains.h. Rows that were stored before rows named each other have the hash '': it stands for any. */
#include "controller/chains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct words {
    const char *kind;
    const char *place;  /* of a number: how many there are, this very one, whether it is joined */
    const char *parent; /* whether a joined row stands before this one */
    const char *join;
    const char *child; /* a row that waited for this one */
};

#define WORDS(kind_, table)                                                                                            \
    {                                                                                                                  \
        .kind = kind_,                                                                                                 \
        .place = "SELECT count(*) AS n, max(hash IN (?4, '')) AS known, max(hash IN (?4, '') AND joined) AS joined"    \
                 " FROM " table " WHERE device = ?1 AND store = ?2 AND n = ?3",                                        \
        .parent = "SELECT 1 FROM " table " WHERE device = ?1 AND store = ?2 AND n = ?3 AND joined = 1"                 \
                  " AND (?4 IS NULL OR hash IN (?4, '')) LIMIT 1",                                                     \
        .join = "UPDATE " table " SET joined = 1 WHERE device = ?1 AND store = ?2 AND n = ?3 AND hash IN (?4, '')",    \
        .child = "SELECT hash, prev FROM " table " WHERE device = ?1 AND store = ?2 AND n = ?3 AND joined = 0"         \
                 " AND (prev IS NULL OR prev = ?4 OR ?4 = '') LIMIT 1",                                                \
    }

static const struct words words[] = {
    [CHAIN_RECEIPT] = WORDS("receipt", "receipts"),
    [CHAIN_EVENT] = WORDS("event", "events"),
};

struct chain_place chain_place(struct store *store, enum chain_kind kind, const struct chain_row *row)
{
    json_t *found = store_one(store, words[kind].place, "ssis", row->device, row->store, row->n, row->hash);
    bool any = json_integer_value(json_object_get(found, "n")) > 0;
    struct chain_place place = {.known = json_integer_value(json_object_get(found, "known")) == 1,
                                .joined = json_integer_value(json_object_get(found, "joined")) == 1};
    place.taken = any && !place.known;
    json_decref(found);
    return place;
}

/* The mark that stands at the row before moves on; without one a chain begins here. */
static int move_mark(struct store *store, const char *kind, const struct chain_row *row, int64_t now_ms)
{
    int r = store_run(store,
                      "UPDATE marks SET upto = ?4, hash = ?5, moved_ms = ?7 WHERE device = ?1 AND kind = ?2 AND"
                      " store = ?3 AND upto = ?4 - 1 AND hash = (SELECT hash FROM marks WHERE device = ?1 AND kind = ?2"
                      " AND store = ?3 AND upto = ?4 - 1 AND (?6 IS NULL OR hash IN (?6, '')) LIMIT 1)",
                      "sssissi", row->device, kind, row->store, row->n, row->hash, row->prev, now_ms);
    if (r != 0)
        return r;
    r = store_run(store, "INSERT OR IGNORE INTO marks VALUES (?, ?, ?, ?, ?, ?)", "ssssii", row->device, kind,
                  row->store, row->hash, row->n, now_ms);
    if (r >= 0)
        r = store_run(store,
                      "DELETE FROM marks WHERE device = ?1 AND kind = ?2 AND store = ?3 AND hash NOT IN (SELECT hash"
                      " FROM marks WHERE device = ?1 AND kind = ?2 AND store = ?3 ORDER BY moved_ms DESC LIMIT ?4)",
                      "sssi", row->device, kind, row->store, (int64_t)CHAINS_MAX);
    return r;
}

int chain_join(struct store *store, enum chain_kind kind, const struct chain_row *first, int64_t now_ms)
{
    const struct words *w = &words[kind];
    struct chain_row row = *first;
    json_t *child = NULL;
    int r = 0;
    if (row.n > 1 && store_number(store, 0, w->parent, "ssis", row.device, row.store, row.n - 1, row.prev) != 1)
        return 0;
    do {
        r = store_run(store, w->join, "ssis", row.device, row.store, row.n, row.hash);
        if (r >= 0)
            r = move_mark(store, w->kind, &row, now_ms);
        json_t *next = store_one(store, w->child, "ssis", row.device, row.store, row.n + 1, row.hash);
        json_decref(child);
        child = next;
        row.n++;
        row.hash = json_string_value(json_object_get(child, "hash"));
        row.prev = json_string_value(json_object_get(child, "prev"));
    } while (r >= 0 && child);
    json_decref(child);
    return r < 0 ? r : 0;
}

#define SQL_MARKS "SELECT kind, store, upto, nullif(hash, '') AS hash FROM marks WHERE device = ? AND "

json_t *chain_marks(struct store *store, const char *device, size_t max)
{
    char *now = store_text(store, "SELECT json_extract(body, '$.store') FROM states WHERE device = ?", "s", device);
    json_t *list = json_array();
    for (size_t i = 0; now && i < sizeof(words) / sizeof(words[0]); i++) {
        const char *kind = words[i].kind;
        json_t *mine = store_list(store, SQL_MARKS "kind = ? AND store = ? ORDER BY upto", "sss", device, kind, now);
        if (json_array_size(mine) == 0)
            json_array_append_new(mine, json_pack("{s:s, s:s, s:i}", "kind", kind, "store", now, "upto", 0));
        json_array_extend(list, mine);
        json_decref(mine);
    }
    json_t *others = store_list(store, SQL_MARKS "store <> ? ORDER BY kind, store, upto LIMIT ?", "ssi", device,
                                now ? now : "", (int64_t)(max - json_array_size(list)));
    json_array_extend(list, others);
    json_decref(others);
    free(now);
    return list;
}
