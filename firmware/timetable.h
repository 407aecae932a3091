/* timetable.h - the playlist in force as items for the arbiter, and what of it is still to be fetched.
 *
 * Each item is judged here: is its bulletin in the vault, do enough persons' approvals hold for it here and then, is
 * its sound there and whole. `blocked` of the item is the answer, with a sentence for people. A bulletin is judged anew
 * when one of its blobs comes or goes or an item of it changes, all of them when trust, keys or configuration change.
 * Loop thread. */
#ifndef LOA_TIMETABLE_H
#define LOA_TIMETABLE_H

#include "firmware/blobs.h"
#include "firmware/programme.h"
#include "firmware/site.h"
#include "playlists/arbiter.h"
#include "playlists/judge.h"

enum { TIMETABLE_NEAR_MS = 120000 }; /* sound is hashed again within this before its start */

struct timetable;

/* One approval that does not hold, for an event. */
typedef void (*timetable_refused_fn)(void *arg, const char *about, const char *hash, enum refusal refusal,
                                     const char *why);

struct timetable *timetable_new(struct blobs *blobs, const struct site *site, timetable_refused_fn refused, void *arg);
void timetable_free(struct timetable *timetable); /* NULL is fine */

/* Another playlist, configuration or authority; all borrowed until the next call. Without playlist or config: empty. */
void timetable_set(struct timetable *timetable, const struct playlist *playlist, const struct config *config,
                   const struct authority *authority);
/* Another playlist (NULL: none), under the same configuration and authority; borrowed as well. The one before must
 * still be there. Only bulletins and items that it did not name alike are judged. */
void timetable_replace(struct timetable *timetable, const struct playlist *playlist);
/* This blob came, or was found damaged. */
void timetable_blob(struct timetable *timetable, const char *hash);
/* Judge what changed. True when an item changed. */
bool timetable_judge(struct timetable *timetable);
/* Sound that is due soon must have been hashed lately: asks for checks, blocks until they end. `on`: key of what is on,
 * which is left alone. */
void timetable_near(struct timetable *timetable, int64_t now_ms, int64_t elapsed_ms, uint64_t on);

/* For the arbiter; valid until the next call of set, judge or near. */
const struct air_item *timetable_items(const struct timetable *timetable, size_t *ret_n);
const uint64_t *timetable_bulletins(const struct timetable *timetable);

/* What is behind an item. NULL / SIZE_MAX when the playlist does not name it. */
size_t timetable_find(const struct timetable *timetable, uint64_t key);
const struct playlist_item *timetable_item(const struct timetable *timetable, size_t index);
const char *timetable_bulletin_hash(const struct timetable *timetable, size_t index); /* NULL too for a relay */
const char *timetable_detail(const struct timetable *timetable, size_t index); /* why blocked; NULL: no more to say */

/* Read the bulletin again and make its programme. `arena` owns the bulletin. ERR_HASH, -ENOENT: not here any more. */
MUST_USE int timetable_programme(struct timetable *timetable, size_t index, struct arena *arena,
                                 struct bulletin **ret_bulletin, struct programme *ret_programme);

/* Every blob that items need which have not ended, here or not; one that several bulletins need comes several times. */
struct blob_need {
    const char *hash;
    int64_t size;
    int64_t due_ms;         /* start of the first item that needs it */
    const char *occurrence; /* that item */
    bool here;
};
typedef void (*timetable_need_fn)(void *arg, const struct blob_need *need);
void timetable_needs(struct timetable *timetable, int64_t now_ms, timetable_need_fn each, void *arg);
/* True when the playlist in force has a use for this blob. */
bool timetable_uses(const struct timetable *timetable, const char *hash);

#endif
