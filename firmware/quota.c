/* quota.c - see quota.h. */
#include "firmware/quota.h"

#include <stdlib.h>
#include <string.h>

enum { MUST_STAY, NEEDED, UNUSED };

static int rank(const struct quota_blob *blob)
{
    if (blob->keep && blob->here)
        return MUST_STAY;
    return blob->keep || blob->due_ms != QUOTA_UNUSED ? NEEDED : UNUSED;
}

static int by_claim(const void *a, const void *b)
{
    const struct quota_blob *x = a, *y = b;
    if (rank(x) != rank(y))
        return rank(x) - rank(y);
    if (rank(x) != UNUSED && x->due_ms != y->due_ms)
        return x->due_ms < y->due_ms ? -1 : 1;
    if (rank(x) == UNUSED && x->used_s != y->used_s)
        return x->used_s > y->used_s ? -1 : 1;
    return strcmp(x->hash.hex, y->hash.hex);
}

void quota_plan(struct quota_blob *blobs, size_t n, int64_t room, int64_t most)
{
    int64_t will_be = 0;
    if (n)
        qsort(blobs, n, sizeof(*blobs), by_claim);
    for (size_t i = 0; i < n; i++) {
        struct quota_blob *blob = &blobs[i];
        bool stays = rank(blob) == MUST_STAY;
        blob->evict = false;
        blob->in = stays || (blob->size <= room && (blob->here || rank(blob) != UNUSED));
        room -= blob->in ? blob->size : 0;
        will_be += blob->in || blob->here ? blob->size : 0;
    }
    for (size_t i = n; i-- > 0 && will_be > most;) {
        struct quota_blob *blob = &blobs[i];
        if (!blob->here || blob->in)
            continue;
        blob->evict = true;
        will_be -= blob->size;
    }
}

int64_t quota_room(int64_t quota, int64_t used, int64_t disk_free, int64_t reserve)
{
    int64_t room = used + disk_free - reserve;
    if (room > quota)
        room = quota;
    return room > 0 ? room : 0;
}
