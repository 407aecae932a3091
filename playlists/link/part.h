/* part.h - the file that a download grows in, `<spool>/<hash>.part`: written and hashed off the loop.
 *
 * At most one job (write or hash) is under way; bytes that come meanwhile wait in a bounded buffer, and when that is
 * full the giver waits (part_room). Loop thread. */
#ifndef LOA_LINK_PART_H
#define LOA_LINK_PART_H

#include "playlists/base/bytes.h"

#include <stdbool.h>
#include <uv.h>

enum { PART_BUFFER_MAX = 256 * 1024 };

/* Everything given so far is written, or `error` (negative) came. There is room again. */
typedef void (*part_idle_fn)(void *arg, int error);
/* 0: the content has this hash, and the file is at `<spool>/<hash>` now. ERR_HASH: it has not. */
typedef void (*part_checked_fn)(void *arg, int result);

struct part;

/* Open or create; *ret_size is what is there already (a finished file that nobody took counts). -errno. */
MUST_USE int part_open(uv_loop_t *loop, const char *spool, const char *hash, part_idle_fn idle, part_checked_fn checked,
                       void *arg, struct part **ret_part, uint64_t *ret_size);
MUST_USE int part_restart(struct part *part);                   /* throw away what is there */
size_t part_room(const struct part *part);                      /* bytes that part_put() takes now */
void part_put(struct part *part, const void *data, size_t len); /* at most part_room() */
bool part_busy(const struct part *part);                        /* bytes are not written yet, or a check runs */
void part_check(struct part *part, uint64_t size);              /* when not busy; answer by `checked` */
/* Close; the file stays (or not, with `remove`). NULL is fine; no answer comes any more; what was given and is not
 * written yet is lost. */
void part_close(struct part *part, bool remove);

#endif
