/* blobs.c - see blobs.h. */
#include "firmware/blobs.h"

#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"
#include "playlists/documents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHECKS_MAX = 64 };

/* What a file was when it was hashed. */
struct print {
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct check {
    struct hash hash;
    struct print print;
    int64_t at_elapsed_ms; /* 0: free */
};

struct blobs {
    uv_loop_t *loop;
    char *dir, *spool;
    struct blobs_events events;
    void *arg;
    struct check checks[CHECKS_MAX]; /* the oldest leaves first: it is checked again when it is needed */
    struct job *jobs;                /* under way */
    int64_t used;                    /* bytes of all files; -1: to be counted */
    bool closing;
};

/* Work of one thread of the pool; owns copies of all it needs. */
struct job {
    uv_work_t work;
    struct blobs *blobs; /* NULL once blobs_free() was called */
    struct job *next;
    bool take;
    struct hash hash;
    int64_t size;
    char spool[BLOB_PATH_MAX];
    char path[BLOB_PATH_MAX];
    int result;
    struct print print;
    struct complaint why;
};

static int take_print(const char *path, struct print *ret)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    *ret = (struct print){.inode = st.st_ino, .size = st.st_size, .changed = st.st_ctim};
    return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

static bool same_print(const struct print *a, const struct print *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

int blobs_new(uv_loop_t *loop, const char *vault_dir, const char *spool_dir, const struct blobs_events *events,
              void *arg, struct blobs **ret_blobs, struct complaint *why)
{
    char *dir = xasprintf("%s/blobs", vault_dir);
    int r = file_make_dir(dir, 0700);
    if (r < 0) {
        complain(why, r, "%s: cannot be made: %s", dir, err_name(r));
        free(dir);
        return r;
    }
    struct blobs *blobs = xcalloc(1, sizeof(*blobs));
    blobs->loop = loop;
    blobs->dir = dir;
    blobs->spool = xstrdup(spool_dir);
    blobs->events = *events;
    blobs->arg = arg;
    blobs->used = -1;
    *ret_blobs = blobs;
    return 0;
}

static void free_when_idle(struct blobs *blobs)
{
    if (!blobs->closing || blobs->jobs)
        return;
    free(blobs->dir);
    free(blobs->spool);
    free(blobs);
}

void blobs_free(struct blobs *blobs)
{
    if (!blobs)
        return;
    blobs->closing = true;
    free_when_idle(blobs);
}

void blobs_path(const struct blobs *blobs, const char *hash, char ret[BLOB_PATH_MAX])
{
    snprintf(ret, BLOB_PATH_MAX, "%s/%.2s/%s", blobs->dir, hash, hash);
}

bool blobs_have(const struct blobs *blobs, const char *hash, int64_t size)
{
    char path[BLOB_PATH_MAX];
    struct print print;
    blobs_path(blobs, hash, path);
    return take_print(path, &print) == 0 && print.size == size;
}

static struct check *find_check(const struct blobs *blobs, const char *hash)
{
    for (int i = 0; i < CHECKS_MAX; i++)
        if (blobs->checks[i].at_elapsed_ms && strcmp(blobs->checks[i].hash.hex, hash) == 0)
            return (struct check *)&blobs->checks[i];
    return NULL;
}

bool blobs_fresh(const struct blobs *blobs, const char *hash, int64_t elapsed_ms)
{
    const struct check *check = find_check(blobs, hash);
    if (!check || elapsed_ms - check->at_elapsed_ms > BLOB_CHECK_MS)
        return false;
    char path[BLOB_PATH_MAX];
    struct print print;
    blobs_path(blobs, hash, path);
    return take_print(path, &print) == 0 && same_print(&print, &check->print);
}

static void remember_check(struct blobs *blobs, const struct job *job)
{
    struct check *check = find_check(blobs, job->hash.hex);
    for (int i = 0; !check && i < CHECKS_MAX; i++)
        if (!blobs->checks[i].at_elapsed_ms)
            check = &blobs->checks[i];
    if (!check) {
        check = &blobs->checks[0];
        for (int i = 1; i < CHECKS_MAX; i++)
            if (blobs->checks[i].at_elapsed_ms < check->at_elapsed_ms)
                check = &blobs->checks[i];
    }
    *check = (struct check){.hash = job->hash, .print = job->print, .at_elapsed_ms = clock_elapsed_ms()};
}

/* Hash one file against what it should be. Any thread. */
static int verify(struct job *job, const char *path)
{
    struct print before, after;
    struct hash hash;
    uint64_t size = 0;
    int r = take_print(path, &before);
    if (r == 0 && before.size != job->size)
        return complain(&job->why, ERR_HASH, "it has %lld bytes instead of %lld", (long long)before.size,
                        (long long)job->size);
    if (r == 0)
        r = hash_of_file(path, (uint64_t)job->size, &hash, &size);
    if (r < 0)
        return complain(&job->why, r, "it cannot be read: %s", err_name(r));
    if (size != (uint64_t)job->size || !hash_equal(&hash, &job->hash))
        return complain(&job->why, ERR_HASH, "its content is not what its hash says");
    r = take_print(path, &after);
    if (r < 0 || !same_print(&before, &after))
        return complain(&job->why, ERR_HASH, "it changed while it was read");
    return 0;
}

/* The file `<spool>/<hash>` and no other, whatever a link says: the link may write there, and may lie. */
static int open_spooled(struct job *job, int spool)
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
static int copy(struct job *job, int from, int to)
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

static int install(struct job *job, int to, const char *temp, const char *dir)
{
    int r = fsync(to) < 0 || rename(temp, job->path) < 0 ? -errno : 0;
    if (r == 0)
        r = file_sync_dir(dir);
    return r < 0 ? complain(&job->why, r, "it cannot be put into the vault: %s", err_name(r)) : 0;
}

/* A file of our own is made, never the link's renamed: who holds that one open could still write to it. */
static int take_copy(struct job *job, int spool)
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

static int take_in(struct job *job)
{
    int spool = open(job->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool < 0)
        return complain(&job->why, -errno, "the spool %s cannot be opened: %s", job->spool, err_name(-errno));
    int r = take_copy(job, spool);
    unlinkat(spool, job->hash.hex, 0);
    close(spool);
    return r;
}

/* It is of no use, and comes anew only when it is gone. */
static bool is_lost(int result)
{
    return result == ERR_HASH || result == -EIO;
}

static void run(uv_work_t *work)
{
    struct job *job = work->data;
    job->result = job->take ? take_in(job) : verify(job, job->path);
    if (job->result == 0)
        job->result = take_print(job->path, &job->print);
    if (!job->take && is_lost(job->result))
        unlink(job->path);
}

static void done(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct blobs *blobs = job->blobs;
    struct job **at = &blobs->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (status < 0)
        job->result = status;
    if (job->result == 0)
        remember_check(blobs, job);
    if (!job->take && job->result != 0)
        blobs->used = -1;
    else if (job->take && job->result == 0 && blobs->used >= 0)
        blobs->used += job->size;
    if (!blobs->closing && job->take)
        blobs->events.taken(blobs->arg, job->hash.hex, job->result, job->why.text);
    else if (!blobs->closing)
        blobs->events.checked(blobs->arg, job->hash.hex, job->result == 0);
    free(job);
    free_when_idle(blobs);
}

static void start(struct blobs *blobs, struct job *job, const char *hash, int64_t size)
{
    snprintf(job->hash.hex, sizeof(job->hash.hex), "%s", hash);
    job->size = size;
    job->blobs = blobs;
    job->work.data = job;
    blobs_path(blobs, hash, job->path);
    job->next = blobs->jobs;
    blobs->jobs = job;
    int r = uv_queue_work(blobs->loop, &job->work, run, done);
    if (r < 0)
        done(&job->work, r);
}

void blobs_take(struct blobs *blobs, const char *hash, int64_t size)
{
    for (struct job *job = blobs->jobs; job; job = job->next)
        if (job->take && strcmp(job->hash.hex, hash) == 0)
            return;
    struct job *job = xcalloc(1, sizeof(*job));
    job->take = true;
    snprintf(job->spool, sizeof(job->spool), "%s", blobs->spool);
    start(blobs, job, hash, size);
}

void blobs_discard(struct blobs *blobs, const char *hash)
{
    int spool = hash_valid(hash) ? open(blobs->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (spool < 0)
        return;
    unlinkat(spool, hash, 0);
    close(spool);
}

void blobs_check(struct blobs *blobs, const char *hash, int64_t size)
{
    for (struct job *job = blobs->jobs; job; job = job->next)
        if (strcmp(job->hash.hex, hash) == 0)
            return;
    start(blobs, xcalloc(1, sizeof(struct job)), hash, size);
}

void blobs_doubt(struct blobs *blobs)
{
    memset(blobs->checks, 0, sizeof(blobs->checks));
}

int blobs_read(struct blobs *blobs, const char *hash, size_t max, struct buf *ret)
{
    char path[BLOB_PATH_MAX];
    blobs_path(blobs, hash, path);
    size_t before = ret->len;
    int r = file_read_whole(path, max, ret);
    if (r == -ENOENT)
        return r;
    struct hash real = hash_of(ret->data + before, r < 0 ? 0 : ret->len - before);
    if (r == 0 && strcmp(real.hex, hash) == 0)
        return 0;
    ret->len = before;
    if (r < 0 && r != -EFBIG && !is_lost(r))
        return r;
    log_warn("vault", "blob %.12s is damaged; deleted, to be fetched again", hash);
    unlink(path);
    blobs->used = -1;
    return ERR_HASH;
}

typedef void (*file_fn)(void *arg, const char *path, const char *name, const struct stat *st);

static void each_in(const char *path, file_fn each, void *arg)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char file[BLOB_PATH_MAX + 300];
        struct stat st;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && stat(file, &st) == 0)
            each(arg, file, entry->d_name, &st);
    }
    if (dir)
        closedir(dir);
}

struct walk {
    file_fn each;
    void *arg;
};

static void walk_folder(void *arg, const char *path, const char *name, const struct stat *st)
{
    struct walk *walk = arg;
    if (S_ISDIR(st->st_mode) && strlen(name) == 2)
        each_in(path, walk->each, walk->arg);
}

static void each_file(const struct blobs *blobs, file_fn each, void *arg)
{
    struct walk walk = {.each = each, .arg = arg};
    each_in(blobs->dir, walk_folder, &walk);
}

struct list {
    struct blob_seen *at;
    size_t n, cap;
};

static void list_one(void *arg, const char *path, const char *name, const struct stat *st)
{
    struct list *list = arg;
    (void)path;
    if (!hash_valid(name) || !S_ISREG(st->st_mode))
        return;
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 32;
        struct blob_seen *grown = xcalloc(list->cap, sizeof(*grown));
        if (list->n)
            memcpy(grown, list->at, list->n * sizeof(*grown));
        free(list->at);
        list->at = grown;
    }
    struct blob_seen *seen = &list->at[list->n++];
    snprintf(seen->hash.hex, sizeof(seen->hash.hex), "%s", name);
    seen->size = st->st_size;
    seen->used_s = st->st_atim.tv_sec > st->st_ctim.tv_sec ? st->st_atim.tv_sec : st->st_ctim.tv_sec;
}

struct blob_seen *blobs_list(const struct blobs *blobs, size_t *ret_n)
{
    struct list list = {0};
    each_file(blobs, list_one, &list);
    *ret_n = list.n;
    return list.at;
}

int64_t blobs_used(struct blobs *blobs)
{
    if (blobs->used < 0) {
        size_t n;
        struct blob_seen *all = blobs_list(blobs, &n);
        blobs->used = 0;
        for (size_t i = 0; i < n; i++)
            blobs->used += all[i].size;
        free(all);
    }
    return blobs->used;
}

void blobs_evict(struct blobs *blobs, const char *hash)
{
    char path[BLOB_PATH_MAX];
    blobs_path(blobs, hash, path);
    unlink(path);
    blobs->used = -1;
}

struct sweep {
    int64_t before_s;
    blobs_wanted_fn wanted;
    void *arg;
};

static void sweep_one(void *arg, const char *path, const char *name, const struct stat *st)
{
    struct sweep *sweep = arg;
    if (S_ISREG(st->st_mode) && st->st_ctim.tv_sec < sweep->before_s &&
        !(hash_valid(name) && sweep->wanted(sweep->arg, name)))
        unlink(path);
}

void blobs_sweep(struct blobs *blobs, int64_t now_s, int64_t age_s, blobs_wanted_fn wanted, void *arg)
{
    struct sweep sweep = {.before_s = now_s - age_s, .wanted = wanted, .arg = arg};
    each_file(blobs, sweep_one, &sweep);
    blobs->used = -1;
}
