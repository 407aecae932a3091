/* blobs_work.c - see blobs_parts.h. A blob is believed once it was hashed, and taken in only as a copy that was hashed
 * while it was written. Threads of the pool. */
#include "firmware/blobs_parts.h"

#include "playlists/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int print_of(const struct stat *st, struct blob_print *ret)
{
    *ret =
        (struct blob_print){.inode = st->st_ino, .size = st->st_size, .changed = st->st_ctim, .modified = st->st_mtim};
    return S_ISREG(st->st_mode) ? 0 : -EINVAL;
}

int blob_print_take(const char *path, struct blob_print *ret)
{
    struct stat st;
    return stat(path, &st) < 0 ? -errno : print_of(&st, ret);
}

bool blob_print_same(const struct blob_print *a, const struct blob_print *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Hash one file against what it should be. Any thread. */
static int verify(struct blob_job *job, const char *path)
{
    struct blob_print before;
    struct hash hash;
    uint64_t size = 0;
    int r = blob_print_take(path, &before);
    if (r == 0 && before.size != job->size)
        return complain(&job->why, ERR_HASH, "it has %lld bytes instead of %lld", (long long)before.size,
                        (long long)job->size);
    if (r == 0)
        r = hash_of_file(path, (uint64_t)job->size, &hash, &size);
    if (r < 0)
        return complain(&job->why, r, "it cannot be read: %s", err_name(r));
    if (size != (uint64_t)job->size || !hash_equal(&hash, &job->hash))
        return complain(&job->why, ERR_HASH, "its content is not what its hash says");
    r = blob_print_take(path, &job->print);
    if (r < 0 || !blob_print_same(&before, &job->print))
        return complain(&job->why, ERR_HASH, "it changed while it was read");
    return 0;
}

/* The file `<spool>/<hash>` and no other, whatever a link says: the link may write there, and may lie. */
static int open_spooled(struct blob_job *job, int spool)
{
    struct stat st;
    int fd = openat(spool, job->hash.hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return complain(&job->why, -errno, "it cannot be opened in the spool: %s", err_name(-errno));
    int r = fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0 && !S_ISREG(st.st_mode))
        r = complain(&job->why, ERR_HASH, "it is no plain file");
    else if (r == 0 && st.st_size != job->size)
        r = complain(&job->why, ERR_HASH, "it has %lld bytes instead of %lld", (long long)st.st_size,
                     (long long)job->size);
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

static int write_all(int fd, const unsigned char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* What is hashed is what is written, so that nobody who holds the source open can change it afterwards. */
static int copy(struct blob_job *job, int from, int to)
{
    unsigned char chunk[65536], digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    struct hash hash;
    int64_t size = 0;
    ssize_t n;
    crypto_hash_sha256_init(&state);
    while ((n = read(from, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return complain(&job->why, -errno, "it cannot be read: %s", err_name(-errno));
        size += n;
        if (size > job->size)
            break;
        crypto_hash_sha256_update(&state, chunk, (unsigned long long)n);
        int r = write_all(to, chunk, (size_t)n);
        if (r < 0)
            return complain(&job->why, r, "it cannot be written into the vault: %s", err_name(r));
    }
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(hash.hex, sizeof(hash.hex), digest, sizeof(digest));
    if (size != job->size || !hash_equal(&hash, &job->hash))
        return complain(&job->why, ERR_HASH, "its content is not what its hash says");
    return 0;
}

/* A new name is a change of the file, but none of its content. */
static bool same_content(const struct blob_print *a, const struct blob_print *b)
{
    return a->inode == b->inode && a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
           a->modified.tv_nsec == b->modified.tv_nsec;
}

static int install(struct blob_job *job, int to, const char *temp, const char *dir)
{
    struct stat st;
    struct blob_print written = {0};
    int r = fsync(to) < 0 || fstat(to, &st) < 0 ? -errno : print_of(&st, &written);
    if (r == 0 && rename(temp, job->path) < 0)
        r = -errno;
    if (r == 0)
        r = file_sync_dir(dir);
    if (r < 0)
        return complain(&job->why, r, "it cannot be put into the vault: %s", err_name(r));
    if (blob_print_take(job->path, &job->print) == 0 && same_content(&written, &job->print))
        return 0;
    unlink(job->path);
    return complain(&job->why, ERR_HASH, "it changed while it was put into the vault");
}

/* A file of our own is made, never the link's renamed: who holds that one open could still write to it. */
static int take_copy(struct blob_job *job, int spool)
{
    char dir[BLOB_PATH_MAX], temp[BLOB_PATH_MAX + 8];
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(job->path, '/') - job->path), job->path);
    snprintf(temp, sizeof(temp), "%s.new", job->path);
    int from = open_spooled(job, spool);
    if (from < 0)
        return from;
    int to = -1;
    int r = file_make_dir(dir, 0700);
    if (r == 0 && unlink(temp) < 0 && errno != ENOENT) /* left by a power cut */
        r = -errno;
    if (r == 0 && (to = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
        r = -errno;
    if (r < 0)
        complain(&job->why, r, "it cannot be written into the vault: %s", err_name(r));
    if (r == 0)
        r = copy(job, from, to);
    if (r == 0)
        r = install(job, to, temp, dir);
    if (r < 0 && to >= 0)
        unlink(temp);
    if (to >= 0)
        close(to);
    close(from);
    return r;
}

static int take_in(struct blob_job *job)
{
    int spool = open(job->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool < 0)
        return complain(&job->why, -errno, "the spool %s cannot be opened: %s", job->spool, err_name(-errno));
    int r = take_copy(job, spool);
    unlinkat(spool, job->hash.hex, 0);
    close(spool);
    return r;
}

bool blob_is_lost(int result)
{
    return result == ERR_HASH || result == -EIO;
}

void blob_job_run(struct blob_job *job)
{
    job->result = job->take ? take_in(job) : verify(job, job->path);
    if (!job->take && blob_is_lost(job->result))
        unlink(job->path);
}
