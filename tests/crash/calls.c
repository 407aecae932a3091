/* calls.c - see calls.h. */
#include "calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Where the arguments of a call lie; -1: it has none such. */
struct shape {
    int nr;
    const char *name;
    enum call_kind kind;
    int fd;              /* file or socket */
    int dir, path;       /* a path, relative to a folder's descriptor */
    int to_dir, to_path; /* the second path */
    int flags;           /* of open: only what makes or empties a file counts */
};

#define ON_FD(call, kind)                                                                                              \
    {                                                                                                                  \
        SYS_##call, #call, kind, 0, -1, -1, -1, -1, -1                                                                 \
    }
#define ON_PATH(call, kind)                                                                                            \
    {                                                                                                                  \
        SYS_##call, #call, kind, -1, -1, 0, -1, -1, -1                                                                 \
    }
#define AT_PATH(call, kind)                                                                                            \
    {                                                                                                                  \
        SYS_##call, #call, kind, -1, 0, 1, -1, -1, -1                                                                  \
    }

static const struct shape shapes[] = {
    {SYS_openat, "openat", CALL_MAKE, -1, 0, 1, -1, -1, 2},
    AT_PATH(mkdirat, CALL_MAKE),
    AT_PATH(unlinkat, CALL_REMOVE),
    {SYS_renameat, "renameat", CALL_RENAME, -1, 0, 1, 2, 3, -1},
    {SYS_renameat2, "renameat2", CALL_RENAME, -1, 0, 1, 2, 3, -1},
    {SYS_linkat, "linkat", CALL_MAKE, -1, 2, 3, -1, -1, -1},
    {SYS_symlinkat, "symlinkat", CALL_MAKE, -1, 1, 2, -1, -1, -1},
    ON_PATH(truncate, CALL_WRITE),
    ON_FD(ftruncate, CALL_WRITE),
    ON_FD(fallocate, CALL_WRITE),
    ON_FD(write, CALL_WRITE),
    ON_FD(writev, CALL_WRITE),
    ON_FD(pwrite64, CALL_WRITE),
    ON_FD(pwritev, CALL_WRITE),
    ON_FD(pwritev2, CALL_WRITE),
    ON_FD(sendfile, CALL_WRITE),
    {SYS_copy_file_range, "copy_file_range", CALL_WRITE, 2, -1, -1, -1, -1, -1},
    ON_FD(fsync, CALL_SYNC),
    ON_FD(fdatasync, CALL_SYNC),
    ON_FD(connect, CALL_SOCKET),
    ON_FD(bind, CALL_SOCKET),
    ON_FD(listen, CALL_SOCKET),
    ON_FD(accept, CALL_SOCKET),
    ON_FD(accept4, CALL_SOCKET),
    ON_FD(sendto, CALL_SOCKET),
    ON_FD(sendmsg, CALL_SOCKET),
    ON_FD(sendmmsg, CALL_SOCKET),
    ON_FD(shutdown, CALL_SOCKET),
    ON_FD(recvfrom, CALL_SOCKET),
    ON_FD(recvmsg, CALL_SOCKET),
    ON_FD(read, CALL_TAKE),
    ON_FD(readv, CALL_TAKE),
#ifdef SYS_open
    {SYS_open, "open", CALL_MAKE, -1, -1, 0, -1, -1, 1},
    ON_PATH(mkdir, CALL_MAKE),
    ON_PATH(rmdir, CALL_REMOVE),
    ON_PATH(unlink, CALL_REMOVE),
    {SYS_rename, "rename", CALL_RENAME, -1, -1, 0, -1, 1, -1},
    {SYS_link, "link", CALL_MAKE, -1, -1, 1, -1, -1, -1},
    {SYS_symlink, "symlink", CALL_MAKE, -1, -1, 1, -1, -1, -1},
#endif
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

size_t calls_numbers(int *ret, size_t cap)
{
    size_t n = 0;
    for (; n < SHAPES && n < cap; n++)
        ret[n] = shapes[n].nr;
    return n;
}

static const struct shape *shape_of(int nr)
{
    for (size_t i = 0; i < SHAPES; i++)
        if (shapes[i].nr == nr)
            return &shapes[i];
    return NULL;
}

static bool read_text(pid_t tid, uint64_t at, char *ret, size_t cap)
{
    size_t used = 0;
    while (used + 1 < cap) { /* up to the end of a page at a time: the next one may not be there */
        size_t part = 4096 - (size_t)((at + used) % 4096);
        part = part < cap - 1 - used ? part : cap - 1 - used;
        struct iovec near = {ret + used, part}, far = {(void *)(uintptr_t)(at + used), part};
        ssize_t got = process_vm_readv(tid, &near, 1, &far, 1, 0);
        if (got <= 0)
            return false;
        if (memchr(ret + used, '\0', (size_t)got))
            return true;
        used += (size_t)got;
    }
    return false;
}

static void path_of(pid_t tid, int dir, int path, const uint64_t args[6], char ret[CALL_PATH_MAX])
{
    char text[CALL_PATH_MAX - 64];
    ret[0] = '\0';
    if (!read_text(tid, args[path], text, sizeof(text)))
        return;
    int fd = dir < 0 ? AT_FDCWD : (int)args[dir];
    if (text[0] == '/')
        snprintf(ret, CALL_PATH_MAX, "%s", text);
    else if (fd == AT_FDCWD)
        snprintf(ret, CALL_PATH_MAX, "/proc/%d/cwd/%s", (int)tid, text);
    else
        snprintf(ret, CALL_PATH_MAX, "/proc/%d/fd/%d/%s", (int)tid, fd, text);
}

static void name_of(pid_t tid, int fd, char ret[CALL_PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tid, fd);
    ssize_t len = readlink(link, ret, CALL_PATH_MAX - 1);
    ret[len > 0 ? len : 0] = '\0';
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool on_disk(const char *path)
{
    return path[0] == '/' && !begins(path, "/dev/") && !begins(path, "/sys/");
}

static bool counts(const struct shape *shape, const struct call *call)
{
    bool socket = begins(call->path, "socket:");
    if (shape->fd >= 0 && (int)call->args[shape->fd] <= STDERR_FILENO)
        return false;
    if (shape->flags >= 0 && !(call->args[shape->flags] & (O_CREAT | O_TRUNC)))
        return false;
    if (shape->kind == CALL_TAKE || shape->kind == CALL_SOCKET)
        return socket;
    if (shape->path >= 0) /* relative ones go through /proc/<pid>/ */
        return on_disk(call->path) && !begins(call->path, "/proc/self/");
    return socket || (on_disk(call->path) && !begins(call->path, "/proc/"));
}

void call_look(pid_t tid, int nr, const uint64_t args[6], struct call *ret)
{
    const struct shape *shape = shape_of(nr);
    memset(ret, 0, sizeof(*ret));
    ret->nr = nr;
    memcpy(ret->args, args, sizeof(ret->args));
    if (!shape)
        return;
    ret->name = shape->name;
    ret->kind = shape->kind;
    if (shape->fd >= 0)
        name_of(tid, (int)args[shape->fd], ret->path);
    if (shape->path >= 0)
        path_of(tid, shape->dir, shape->path, args, ret->path);
    if (shape->to_path >= 0)
        path_of(tid, shape->to_dir, shape->to_path, args, ret->to);
    ret->counted = counts(shape, ret);
}
