/* file.h - files that are whole or absent. Blocking; any thread. */
#ifndef LOA_FILE_H
#define LOA_FILE_H

#include "playlists/base/bytes.h"

#include <sys/types.h>

/* Replace `path` by `data`: temporary file beside it, fsync, rename, fsync of the folder. -errno; the old file stays.
 */
MUST_USE int file_write_whole(const char *path, const void *data, size_t len, mode_t mode);

/* Read a file of at most `max_size` bytes into *ret (appended). -EFBIG when larger. */
MUST_USE int file_read_whole(const char *path, size_t max_size, struct buf *ret);

/* Make a folder (and its parents) with `mode`; fine when it is there. On 0 its name is safe from a power cut. */
MUST_USE int file_make_dir(const char *path, mode_t mode);

/* Move `from` to `to` for good: fsync of the file, rename (copy and unlink across file systems), fsync of the folder.
 */
MUST_USE int file_move(const char *from, const char *to);

/* fsync a folder. */
MUST_USE int file_sync_dir(const char *dir);

#endif
