/* part.c - see part.h. */
#include "playlists/link/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct part {
    uv_loop_t *loop;
    char *path, *final_path; /* owned */
    struct hash hash;
    part_idle_fn idle;
    part_checked_fn checked;
    void *arg;
    int fd;
    uint64_t size; /* written, or being written */
    struct buf waiting;
    uint8_t *writing; /* owned by the job */
    size_t writing_len;
    uint64_t check_size;
    int result; /* of the job; set on the worker */
    uv_work_t job;
    bool busy, closed;
};

int part_open(uv_loop_t *loop, const char *spool, const char *hash, part_idle_fn idle, part_checked_fn checked,
              void *arg, struct part **ret_part, uint64_t *ret_size)
{
    char *path = xasprintf("%s/%s.part", spool, hash);
    char *final_path = xasprintf("%s/%s", spool, hash);
    rename(final_path, path); /* finished once and not taken: checked again; mostly it is not there */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    struct stat st;
    int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        free(path);
        free(final_path);
        return r;
    }
    struct part *part = xcalloc(1, sizeof(*part));
    part->loop = loop;
    part->path = path;
    part->final_path = final_path;
    snprintf(part->hash.hex, sizeof(part->hash.hex), "%s", hash);
    part->idle = idle;
    part->checked = checked;
    part->arg = arg;
    part->fd = fd;
    part->size = (uint64_t)st.st_size;
    part->job.data = part;
    *ret_part = part;
    *ret_size = part->size;
    return 0;
}

static void release(struct part *part)
{
    close(part->fd);
    buf_done(&part->waiting);
    free(part->path);
    free(part->final_path);
    free(part);
}

int part_restart(struct part *part)
{
    buf_drop(&part->waiting, part->waiting.len);
    part->size = 0;
    return ftruncate(part->fd, 0) < 0 ? -errno : 0;
}

size_t part_room(const struct part *part)
{
    return PART_BUFFER_MAX - part->waiting.len;
}

bool part_busy(const struct part *part)
{
    return part->busy;
}

static void write_job(uv_work_t *job)
{
    struct part *part = job->data;
    off_t at = (off_t)(part->size - part->writing_len);
    for (size_t done = 0; done < part->writing_len;) {
        ssize_t n = pwrite(part->fd, part->writing + done, part->writing_len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            part->result = -errno;
            return;
        }
        done += (size_t)n;
    }
    part->result = 0;
}

static void start_write(struct part *part);

static void after_write(uv_work_t *job, int status)
{
    (void)status;
    struct part *part = job->data;
    free(part->writing);
    part->writing = NULL;
    part->busy = false;
    if (part->closed) {
        release(part);
        return;
    }
    if (part->result == 0 && part->waiting.len > 0)
        start_write(part);
    part->idle(part->arg, part->result);
}

static void start_write(struct part *part)
{
    part->busy = true;
    part->writing = part->waiting.data;
    part->writing_len = part->waiting.len;
    part->waiting = (struct buf){0};
    part->size += part->writing_len;
    uv_queue_work(part->loop, &part->job, write_job, after_write);
}

void part_put(struct part *part, const void *data, size_t len)
{
    buf_put(&part->waiting, data, len);
    if (!part->busy)
        start_write(part);
}

static void check_job(uv_work_t *job)
{
    struct part *part = job->data;
    struct hash found;
    uint64_t size = 0;
    int r = hash_of_file(part->path, part->check_size, &found, &size);
    if (r == 0 && (size != part->check_size || !hash_equal(&found, &part->hash)))
        r = ERR_HASH;
    part->result = r == -EFBIG ? ERR_HASH : r;
}

static void after_check(uv_work_t *job, int status)
{
    (void)status;
    struct part *part = job->data;
    part->busy = false;
    if (part->closed) {
        release(part);
        return;
    }
    int r = part->result;
    if (r == 0 && rename(part->path, part->final_path) < 0)
        r = -errno;
    part->checked(part->arg, r);
}

void part_check(struct part *part, uint64_t size)
{
    part->busy = true;
    part->check_size = size;
    uv_queue_work(part->loop, &part->job, check_job, after_check);
}

void part_close(struct part *part, bool remove)
{
    if (!part)
        return;
    if (remove)
        unlink(part->path);
    part->closed = true;
    if (!part->busy)
        release(part);
}
