/* fetcher.c - see fetcher.h. */
#include "firmware/fetcher.h"

#include "playlists/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MIN_MS = 2000, RETRY_MAX_MS = 600000, RETRY_URGENT_MAX_MS = 15000 };

struct wish {
    struct hash hash;
    int64_t size, due_ms;
    uint32_t id; /* under way; 0: not */
    bool urgent; /* as it was asked for */
    bool taken;  /* fetched, on its way into the vault */
    bool kept;   /* wanted in this round */
    unsigned failures;
    int64_t retry_elapsed_ms;
};

struct fetcher {
    struct fetcher_link link;
    void *arg;
    struct wish *wishes;
    size_t n, cap;
    uint32_t last_id;
    bool online;
};

struct fetcher *fetcher_new(const struct fetcher_link *link, void *arg)
{
    struct fetcher *fetcher = xcalloc(1, sizeof(*fetcher));
    fetcher->link = *link;
    fetcher->arg = arg;
    return fetcher;
}

void fetcher_free(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    free(fetcher->wishes);
    free(fetcher);
}

static struct wish *find(struct fetcher *fetcher, const char *hash)
{
    for (size_t i = 0; i < fetcher->n; i++)
        if (strcmp(fetcher->wishes[i].hash.hex, hash) == 0)
            return &fetcher->wishes[i];
    return NULL;
}

static struct wish *find_id(struct fetcher *fetcher, uint32_t id)
{
    for (size_t i = 0; id && i < fetcher->n; i++)
        if (fetcher->wishes[i].id == id)
            return &fetcher->wishes[i];
    return NULL;
}

void fetcher_begin(struct fetcher *fetcher)
{
    for (size_t i = 0; i < fetcher->n; i++)
        fetcher->wishes[i].kept = false;
}

void fetcher_want(struct fetcher *fetcher, const char *hash, int64_t size, int64_t due_ms)
{
    struct wish *wish = find(fetcher, hash);
    if (wish) {
        wish->due_ms = wish->kept && wish->due_ms < due_ms ? wish->due_ms : due_ms;
        wish->size = size;
        wish->kept = true;
        return;
    }
    if (fetcher->n == FETCH_WANTS_MAX)
        return;
    if (fetcher->n == fetcher->cap) {
        fetcher->cap = fetcher->cap ? fetcher->cap * 2 : 16;
        struct wish *grown = xcalloc(fetcher->cap, sizeof(*grown));
        if (fetcher->n)
            memcpy(grown, fetcher->wishes, fetcher->n * sizeof(*grown));
        free(fetcher->wishes);
        fetcher->wishes = grown;
    }
    wish = &fetcher->wishes[fetcher->n++];
    *wish = (struct wish){.size = size, .due_ms = due_ms, .kept = true};
    snprintf(wish->hash.hex, sizeof(wish->hash.hex), "%s", hash);
}

static int by_due(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    if (x->due_ms != y->due_ms)
        return x->due_ms < y->due_ms ? -1 : 1;
    return strcmp(x->hash.hex, y->hash.hex);
}

void fetcher_end(struct fetcher *fetcher, int64_t now_ms, int64_t elapsed_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < fetcher->n; i++) {
        struct wish *wish = &fetcher->wishes[i];
        if (wish->kept || wish->taken)
            fetcher->wishes[n++] = *wish;
        else if (wish->id)
            fetcher->link.cancel(fetcher->arg, wish->id);
    }
    fetcher->n = n;
    if (n)
        qsort(fetcher->wishes, n, sizeof(*fetcher->wishes), by_due);
    fetcher_look(fetcher, now_ms, elapsed_ms);
}

void fetcher_online(struct fetcher *fetcher, bool online)
{
    fetcher->online = online;
    for (size_t i = 0; i < fetcher->n; i++)
        fetcher->wishes[i].id = 0;
}

static size_t under_way(const struct fetcher *fetcher)
{
    size_t n = 0;
    for (size_t i = 0; i < fetcher->n; i++)
        n += fetcher->wishes[i].id != 0;
    return n;
}

/* Take a place from the bulk that is due last. */
static bool make_room(struct fetcher *fetcher)
{
    struct wish *last = NULL;
    for (size_t i = 0; i < fetcher->n; i++) {
        struct wish *wish = &fetcher->wishes[i];
        if (wish->id && !wish->urgent && (!last || wish->due_ms > last->due_ms))
            last = wish;
    }
    if (!last)
        return false;
    fetcher->link.cancel(fetcher->arg, last->id);
    last->id = 0;
    return true;
}

void fetcher_look(struct fetcher *fetcher, int64_t now_ms, int64_t elapsed_ms)
{
    size_t n = under_way(fetcher);
    for (size_t i = 0; fetcher->online && i < fetcher->n; i++) {
        struct wish *wish = &fetcher->wishes[i];
        bool urgent = wish->due_ms - now_ms < FETCH_URGENT_MS;
        if (wish->id && urgent && !wish->urgent) { /* the link knows it as bulk: ask again, with the word */
            fetcher->link.cancel(fetcher->arg, wish->id);
            wish->id = 0;
            n--;
        }
        if (wish->id || wish->taken || elapsed_ms < wish->retry_elapsed_ms)
            continue;
        if (n >= FETCHES_MAX && !(urgent && make_room(fetcher)))
            break;
        n -= n >= FETCHES_MAX;
        uint32_t id = ++fetcher->last_id ? fetcher->last_id : ++fetcher->last_id;
        if (fetcher->link.fetch(fetcher->arg, id, wish->hash.hex, wish->size, urgent) != 0)
            break;
        wish->id = id;
        wish->urgent = urgent;
        n++;
    }
}

int64_t fetcher_fetched(struct fetcher *fetcher, uint32_t id, const char *hash)
{
    struct wish *wish = find_id(fetcher, id);
    if (!wish || strcmp(wish->hash.hex, hash) != 0)
        return -1;
    wish->id = 0;
    wish->taken = true;
    return wish->size;
}

static void pause_wish(struct wish *wish, int64_t elapsed_ms)
{
    int64_t pause_ms = RETRY_MIN_MS;
    int64_t most_ms = wish->urgent ? RETRY_URGENT_MAX_MS : RETRY_MAX_MS;
    for (unsigned i = 0; i < wish->failures && pause_ms < most_ms; i++)
        pause_ms *= 2;
    wish->failures++;
    pause_ms = pause_ms < most_ms ? pause_ms : most_ms;
    wish->retry_elapsed_ms = elapsed_ms + pause_ms / 2 + (int64_t)random_below((uint32_t)pause_ms);
}

void fetcher_failed(struct fetcher *fetcher, uint32_t id, bool final, int64_t elapsed_ms)
{
    struct wish *wish = find_id(fetcher, id);
    if (!wish || !final)
        return; /* not final: the link goes on trying */
    wish->id = 0;
    pause_wish(wish, elapsed_ms);
}

void fetcher_spoilt(struct fetcher *fetcher, const char *hash, int64_t elapsed_ms)
{
    struct wish *wish = find(fetcher, hash);
    if (!wish)
        return;
    wish->taken = false;
    pause_wish(wish, elapsed_ms);
}

void fetcher_landed(struct fetcher *fetcher, const char *hash)
{
    struct wish *wish = find(fetcher, hash);
    if (wish)
        *wish = fetcher->wishes[--fetcher->n]; /* the order by due time is made again with the next fetcher_end() */
}

size_t fetcher_wanted(const struct fetcher *fetcher)
{
    return fetcher->n;
}
