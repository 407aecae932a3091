/* blobs.c - see blobs.h. What is there and what was found whole; what takes moments is blobs_work.c's. */
#include "firmware/blobs.h"

#include "firmware/blobs_parts.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"
#include "playlists/documents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHECKS_MAX = 64 };

struct check {
    struct hash hash;
    struct blob_print print;
    int64_t at_elapsed_ms; /* 0: free */
};

struct blobs {
    uv_loop_t *loop;
    char *dir, *spool;
    struct blobs_events events;
    void *arg;
    struct check checks[CHECKS_MAX]; /* the oldest leaves first: it is checked again when it is needed */
    struct blob_job *jobs;           /* under way */
    int64_t used;                    /* bytes of all files; -1: to be counted */
    bool closing;
};

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
    struct blob_print print;
    blobs_path(blobs, hash, path);
    return blob_print_take(path, &print) == 0 && print.size == size;
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
    struct blob_print print;
    blobs_path(blobs, hash, path);
    return blob_print_take(path, &print) == 0 && blob_print_same(&print, &check->print);
}

static void remember_check(struct blobs *blobs, const struct blob_job *job)
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

static void run(uv_work_t *work)
{
    blob_job_run(work->data);
}

static void done(uv_work_t *work, int status)
{
    struct blob_job *job = work->data;
    struct blobs *blobs = job->blobs;
    struct blob_job **at = &blobs->jobs;
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

static void start(struct blobs *blobs, struct blob_job *job, const char *hash, int64_t size)
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
    for (struct blob_job *job = blobs->jobs; job; job = job->next)
        if (job->take && strcmp(job->hash.hex, hash) == 0)
            return;
    struct blob_job *job = xcalloc(1, sizeof(*job));
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
    for (struct blob_job *job = blobs->jobs; job; job = job->next)
        if (strcmp(job->hash.hex, hash) == 0)
            return;
    start(blobs, xcalloc(1, sizeof(struct blob_job)), hash, size);
}

void blobs_doubt(struct blobs *blobs)
{
    memset(blobs->checks, 0, sizeof(blobs->checks));
}

int blobs_read(struct blobs *blobs, const char *hash, size_t max, struct buf *ret)
{
    char path[BLOB_PATH_MAX];
    struct blob_print print;
    blobs_path(blobs, hash, path);
    size_t before = ret->len;
    int r = blob_print_take(path, &print); /* opening what is no plain file may wait for ever */
    if (r == 0)
        r = file_read_whole(path, max, ret);
    if (r == -ENOENT)
        return r;
    bool empty = ret->len == before;
    struct hash real = hash_of(empty ? (const void *)"" : ret->data + before, ret->len - before);
    if (r == 0 && strcmp(real.hex, hash) == 0)
        return 0;
    ret->len = before;
    if (r < 0 && r != -EFBIG && r != -EINVAL && !blob_is_lost(r))
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
