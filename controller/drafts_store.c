/* drafts_store.c - drafts become what is published: all of one piece of work in one transaction. */
#include "controller/drafts.h"
#include "playlists/base/clock.h"

static int store_paper(struct store *store, const char *word, const char *device, const struct draft_paper *paper,
                       int64_t rank)
{
    int64_t now_ms = clock_wall_ms();
    if (!paper->sealed)
        return 0;
    int r = store_run(store, "DELETE FROM documents WHERE word = ? AND device = ?", "ss", word, device);
    if (r >= 0)
        r = store_run(store,
                      "INSERT INTO documents (word, device, era, ver, iat_s, exp_s, hash, body, sealed, made_ms)"
                      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "ssiiiisssi", word, device, paper->era, paper->ver, paper->iat_s, paper->exp_s, paper->hash.hex,
                      paper->body, paper->sealed, now_ms);
    if (r >= 0)
        r = store_run(store, "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?, ?, ?, NULL)", "ssiiii", word, device,
                      paper->era, paper->ver, rank, now_ms);
    return r < 0 ? r : 0;
}

int drafts_store_problems(struct store *store, const char *device, const json_t *problems)
{
    int r = problems ? store_run(store, "DELETE FROM problems WHERE device = ?", "s", device) : 0;
    json_t *p;
    size_t i;
    json_array_foreach(problems, i, p)
    {
        const json_t *count = json_array_get(p, 4);
        if (r >= 0)
            r = store_run(
                store,
                "INSERT INTO problems (device, n, rule, start_ms, why, other, count, warning) VALUES (?, ?, ?,"
                " ?, ?, ?, ?, ?)",
                "sisissii", device, (int64_t)i, json_string_value(json_array_get(p, 0)),
                json_integer_value(json_array_get(p, 1)), json_string_value(json_array_get(p, 2)),
                json_string_value(json_array_get(p, 3)), count ? json_integer_value(count) : 1,
                json_integer_value(json_array_get(p, 5)));
    }
    return r < 0 ? r : 0;
}

int drafts_store(struct store *store, const struct draft *drafts, size_t n, int64_t rank)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any = any || drafts[i].config.sealed || drafts[i].playlist.sealed || drafts[i].problems;
    if (!any)
        return 0;
    int r = store_begin(store);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = store_paper(store, "config", drafts[i].device, &drafts[i].config, rank);
        if (r == 0)
            r = store_paper(store, "playlist", drafts[i].device, &drafts[i].playlist, rank);
        if (r == 0)
            r = drafts_store_problems(store, drafts[i].device, drafts[i].problems);
    }
    if (r == 0)
        return store_commit(store);
    store_rollback(store);
    return r;
}
