/* blobs.h - content-addressed files of the vault: `<vault>/blobs/ab/<hash>`.
 *
 * A blob is taken in only when size and hash hold; before it is played it is read and hashed again, and that check is
 * worth BLOB_CHECK_MS at most, and only while inode, size and change time of the file stay what they were. Files are
 * hashed and copied off the loop thread; every call belongs to the loop thread. */
#ifndef LOA_BLOBS_H
#define LOA_BLOBS_H

#include "playlists/base/bytes.h"

#include <uv.h>

enum { BLOB_CHECK_MS = 300000 };

struct blobs;

struct blobs_events {
    void (*taken)(void *arg, const char *hash, int result, const char *why); /* blobs_take() ended; why: a sentence */
    void (*checked)(void *arg, const char *hash, bool whole); /* blobs_check() ended; not whole: it was deleted */
};

MUST_USE int blobs_new(uv_loop_t *loop, const char *vault_dir, const char *spool_dir, const struct blobs_events *events,
                       void *arg, struct blobs **ret_blobs, struct complaint *why);
/* NULL is fine. Waits for nothing: work that is under way ends by itself while the loop runs on. */
void blobs_free(struct blobs *blobs);

/* Full path of a blob, there or not. `ret` holds at least BLOB_PATH_MAX. */
enum { BLOB_PATH_MAX = 600 };
void blobs_path(const struct blobs *blobs, const char *hash, char ret[BLOB_PATH_MAX]);

bool blobs_have(const struct blobs *blobs, const char *hash, int64_t size); /* a file of this size is there */
/* There, and its last check still counts. */
bool blobs_fresh(const struct blobs *blobs, const char *hash, int64_t elapsed_ms);

/* Copy `<spool>/<hash>` into a file of the vault's own, hashing what is written. Ends with `taken`; the spooled file is
 * gone then in any case. Harmless while one for the same hash is under way. The spool belongs to the link, which is not
 * believed: nothing else in it is opened or removed, and nothing of it becomes part of the vault. */
void blobs_take(struct blobs *blobs, const char *hash, int64_t size);
/* Remove `<spool>/<hash>`, if it is there. */
void blobs_discard(struct blobs *blobs, const char *hash);
/* Read and hash again; ends with `checked`. Harmless while one for the same hash is under way. */
void blobs_check(struct blobs *blobs, const char *hash, int64_t size);
/* Something broke off while it was read: no check counts any more. */
void blobs_doubt(struct blobs *blobs);

/* Read a small blob whole, with its hash checked. ERR_HASH: damaged, and deleted now. -ENOENT. */
MUST_USE int blobs_read(struct blobs *blobs, const char *hash, size_t max, struct buf *ret);

/* All that is there. `used_s`: when it was read or written last, Unix seconds (as well as the file system tells). */
struct blob_seen {
    struct hash hash;
    int64_t size, used_s;
};
struct blob_seen *blobs_list(const struct blobs *blobs, size_t *ret_n); /* heap, caller frees */
int64_t blobs_used(struct blobs *blobs);                                /* their bytes; counted once, then kept up */
void blobs_evict(struct blobs *blobs, const char *hash);

/* Delete blobs that `wanted` does not name and that were taken in more than `age_s` ago. */
typedef bool (*blobs_wanted_fn)(void *arg, const char *hash);
void blobs_sweep(struct blobs *blobs, int64_t now_s, int64_t age_s, blobs_wanted_fn wanted, void *arg);

#endif
