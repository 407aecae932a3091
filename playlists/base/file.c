/* file.c - see file.h. */
#include "playlists/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

static int sync_parent(const char *path)
{
    char *copy = xstrdup(path);
    int r = file_sync_dir(dirname(copy));
    free(copy);
    return r;
}

int file_write_whole(const char *path, const void *data, size_t len, mode_t mode)
{
    char *temp = xasprintf("%s.new", path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    int r = fd < 0 ? -errno : 0;
    if (r == 0)
        r = fchmod(fd, mode) < 0 ? -errno : 0;
    if (r == 0)
        r = write_all(fd, data, len);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    if (r == 0 && rename(temp, path) < 0)
        r = -errno;
    if (r < 0 && fd >= 0)
        unlink(temp);
    if (r == 0)
        r = sync_parent(path);
    free(temp);
    return r;
}

int file_read_whole(const char *path, size_t max_size, struct buf *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    char chunk[16384];
    size_t total = 0;
    int r = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = -errno;
        if (n <= 0)
            break;
        total += (size_t)n;
        if (total > max_size) {
            r = -EFBIG;
            break;
        }
        buf_put(ret, chunk, (size_t)n);
    }
    close(fd);
    return r;
}

/* What is synced inside a folder can else be gone with the folder's own name. One that was there already may be in the
 * making by another thread, or of a life that ended before it synced; where we may not read, neither made it. */
static int keep_name(const char *dir, bool made)
{
    int r = sync_parent(dir);
    return r == -EACCES && !made ? 0 : r;
}

int file_make_dir(const char *path, mode_t mode)
{
    char *copy = xstrdup(path);
    int r = 0;
    for (char *p = copy + 1; r == 0; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char was = *p;
        *p = '\0';
        bool made = mkdir(copy, mode) == 0;
        if (!made && errno != EEXIST)
            r = -errno;
        else if (made || was == '\0')
            r = keep_name(copy, made);
        *p = was;
        if (was == '\0')
            break;
    }
    free(copy);
    return r;
}

static int copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    int r = in < 0 || out < 0 ? -errno : 0;
    char chunk[65536];
    ssize_t n = 0;
    while (r == 0 && (n = read(in, chunk, sizeof(chunk))) > 0)
        r = write_all(out, chunk, (size_t)n);
    if (r == 0 && n < 0)
        r = -errno;
    if (r == 0 && fsync(out) < 0)
        r = -errno;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return r;
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

int file_move(const char *from, const char *to)
{
    int r = sync_file(from);
    if (r < 0)
        return r;
    if (rename(from, to) < 0) {
        if (errno != EXDEV)
            return -errno;
        char *temp = xasprintf("%s.new", to);
        r = copy_file(from, temp);
        if (r == 0 && rename(temp, to) < 0)
            r = -errno;
        if (r < 0)
            unlink(temp);
        else
            unlink(from);
        free(temp);
        if (r < 0)
            return r;
    }
    return sync_parent(to);
}
