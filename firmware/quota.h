/* quota.h - which blobs the vault holds when not all of them fit. Pure; any thread.
 *
 * Room is given out in order: what must stay (on air, due soon, pinned), then what is needed, soonest first, then what
 * nothing uses, latest use first. What gets no room is not fetched, and leaves when its room is needed: so nothing is
 * fetched that would be evicted, and nothing evicted that would be fetched again. */
#ifndef LOA_QUOTA_H
#define LOA_QUOTA_H

#include "playlists/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUOTA_UNUSED INT64_MAX

struct quota_blob {
    struct hash hash;
    int64_t size;
    int64_t due_ms;    /* when it is needed; QUOTA_UNUSED: nothing uses it */
    int64_t used_s;    /* when it was last used (only of those that nothing uses) */
    bool here;         /* in the vault */
    bool keep;         /* must not be evicted */
    const char *about; /* borrowed, for people: what needs it; NULL: nothing */
    /* the answer */
    bool in;    /* has its room: to be fetched when it is not here */
    bool evict; /* to be deleted now */
};

/* Sorts `blobs` by the order above and fills in the answers. `room`: bytes for all together, up to which is fetched;
 * `most`: bytes at which it begins to evict, at least `room`. */
void quota_plan(struct quota_blob *blobs, size_t n, int64_t room, int64_t most);

/* Bytes that blobs may take, of what this vault may use at most, what it uses, and what is free on its disk when
 * `reserve` is to stay free there. */
int64_t quota_room(int64_t quota, int64_t used, int64_t disk_free, int64_t reserve);

#endif
