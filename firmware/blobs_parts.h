/* blobs_parts.h - inside of the blobs, shared by blobs.c (what is there) and blobs_work.c (what takes moments). */
#ifndef LOA_BLOBS_PARTS_H
#define LOA_BLOBS_PARTS_H

#include "firmware/blobs.h"

#include <sys/stat.h>

/* What a file was when it was hashed. */
struct blob_print {
    ino_t inode;
    off_t size;
    struct timespec changed, modified;
};

/* Work of one thread of the pool; owns copies of all it needs. */
struct blob_job {
    uv_work_t work;
    struct blobs *blobs; /* NULL once blobs_free() was called */
    struct blob_job *next;
    bool take;
    struct hash hash;
    int64_t size;
    char spool[BLOB_PATH_MAX];
    char path[BLOB_PATH_MAX];
    int result;
    struct blob_print print; /* of just what was hashed */
    struct complaint why;
};

MUST_USE int blob_print_take(const char *path, struct blob_print *ret); /* negative: no plain file, or not to be read */
bool blob_print_same(const struct blob_print *a, const struct blob_print *b);

/* Take the file in from the spool, or hash it where it is; what is damaged is deleted. Any thread. */
void blob_job_run(struct blob_job *job);
/* It is of no use, and comes anew only when it is gone. */
bool blob_is_lost(int result);

#endif
