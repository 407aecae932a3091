/* tremor.c - another machine: its disk is slow, and what programs do comes in other orders. Loaded with LD_PRELOAD, by
 * `tools/test --tremor`.
 *
 * TREMOR_SYNC_MS=20-120   each fsync, fdatasync and rename takes so much longer
 * TREMOR_ORDER_MS=1-15    so long before a wait for descriptors returns, something is sent, accepted or connected, a
 *                         thread or a program begins, TREMOR_ODDS times in a hundred (25)
 * TREMOR_SEED=n           with the process's id: other delays (1)
 *
 * A real card keeps its time whatever the disk does, so loa-card is let alone, and of what plays (threads loa-sound and
 * loa-decoder) no order is changed. Sanitizers call these functions, too, before anything else is ready: plain system
 * calls and atomics only. */
#undef _FORTIFY_SOURCE /* its wrappers have the names that are defined here */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct range {
    unsigned from_ms, to_ms;
};

static struct range syncs, orders;
static unsigned odds;
static uint64_t seed;
static _Atomic bool ready;
static _Atomic uint64_t drawn;

static struct range range_of(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    struct range range = {0, 0};
    if (!text)
        return range;
    range.from_ms = (unsigned)strtoul(text, &end, 10);
    range.to_ms = *end == '-' ? (unsigned)strtoul(end + 1, NULL, 10) : range.from_ms;
    return range;
}

static bool named(const char *name)
{
    char own[16] = "";
    prctl(PR_GET_NAME, own);
    return strcmp(own, name) == 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *with = getenv("TREMOR_SEED"), *often = getenv("TREMOR_ODDS");
    seed = with ? strtoull(with, NULL, 10) : 1;
    odds = often ? (unsigned)strtoul(often, NULL, 10) : 25;
    syncs = range_of("TREMOR_SYNC_MS");
    orders = range_of("TREMOR_ORDER_MS");
    atomic_store(&ready, !named("loa-card"));
}

static uint64_t draw(void)
{
    uint64_t z = (seed << 32) + ((uint64_t)getpid() << 20) + atomic_fetch_add(&drawn, 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void rest(struct range range)
{
    if (range.to_ms == 0)
        return;
    int kept = errno;
    uint64_t us = range.from_ms * UINT64_C(1000);
    if (range.to_ms > range.from_ms)
        us += draw() % ((range.to_ms - range.from_ms) * UINT64_C(1000));
    struct timespec left = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (syscall(SYS_nanosleep, &left, &left) < 0 && errno == EINTR) {
    }
    errno = kept;
}

static void sync_rest(void)
{
    if (atomic_load(&ready))
        rest(syncs);
}

static void order_rest(void)
{
    if (orders.to_ms > 0 && atomic_load(&ready) && draw() % 100 < odds && !named("loa-sound") && !named("loa-decoder"))
        rest(orders);
}

/* The next function of this name: the sanitizer's or the C library's. */
#define NEXT(name)                                                                                                     \
    static _Atomic(void *) known;                                                                                      \
    void *found = atomic_load(&known);                                                                                 \
    if (!found)                                                                                                        \
        atomic_store(&known, found = dlsym(RTLD_NEXT, #name));                                                         \
    __typeof__(&name) next = (__typeof__(&name))(uintptr_t)found

#define BEFORE(wait, type, name, args, pass)                                                                           \
    type name args                                                                                                     \
    {                                                                                                                  \
        NEXT(name);                                                                                                    \
        wait();                                                                                                        \
        return next pass;                                                                                              \
    }

#define AFTER(name, args, pass)                                                                                        \
    int name args                                                                                                      \
    {                                                                                                                  \
        NEXT(name);                                                                                                    \
        int n = next pass;                                                                                             \
        if (n > 0)                                                                                                     \
            order_rest();                                                                                              \
        return n;                                                                                                      \
    }

BEFORE(sync_rest, int, fsync, (int fd), (fd))
BEFORE(sync_rest, int, fdatasync, (int fd), (fd))
BEFORE(sync_rest, int, rename, (const char *from, const char *to), (from, to))

AFTER(epoll_wait, (int fd, struct epoll_event *events, int cap, int ms), (fd, events, cap, ms))
AFTER(epoll_pwait, (int fd, struct epoll_event *events, int cap, int ms, const sigset_t *mask),
      (fd, events, cap, ms, mask))
AFTER(poll, (struct pollfd * fds, nfds_t n_fds, int ms), (fds, n_fds, ms))
AFTER(ppoll, (struct pollfd * fds, nfds_t n_fds, const struct timespec *for_s, const sigset_t *mask),
      (fds, n_fds, for_s, mask))
AFTER(select, (int n_fds, fd_set *in, fd_set *out, fd_set *bad, struct timeval *for_s), (n_fds, in, out, bad, for_s))
AFTER(pselect, (int n_fds, fd_set *in, fd_set *out, fd_set *bad, const struct timespec *for_s, const sigset_t *mask),
      (n_fds, in, out, bad, for_s, mask))

BEFORE(order_rest, ssize_t, send, (int fd, const void *data, size_t len, int flags), (fd, data, len, flags))
BEFORE(order_rest, ssize_t, sendto,
       (int fd, const void *data, size_t len, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len),
       (fd, data, len, flags, to, to_len))
BEFORE(order_rest, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
BEFORE(order_rest, int, connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t len), (fd, to, len))
BEFORE(order_rest, int, accept, (int fd, __SOCKADDR_ARG from, socklen_t *len), (fd, from, len))
BEFORE(order_rest, int, accept4, (int fd, __SOCKADDR_ARG from, socklen_t *len, int flags), (fd, from, len, flags))
BEFORE(order_rest, int, execve, (const char *path, char *const args[], char *const env[]), (path, args, env))

static void socket_rest(int fd)
{
    struct stat st;
    if (orders.to_ms > 0 && fstat(fd, &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode)))
        order_rest();
}

ssize_t write(int fd, const void *data, size_t len)
{
    NEXT(write);
    socket_rest(fd);
    return next(fd, data, len);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    NEXT(writev);
    socket_rest(fd);
    return next(fd, parts, n);
}

struct beginning {
    void *(*run)(void *);
    void *arg;
};

static void *begin_late(void *arg)
{
    struct beginning beginning = *(struct beginning *)arg;
    free(arg);
    order_rest();
    return beginning.run(beginning.arg);
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    NEXT(pthread_create);
    struct beginning *beginning = orders.to_ms > 0 ? malloc(sizeof(*beginning)) : NULL;
    if (!beginning)
        return next(ret, attr, run, arg);
    *beginning = (struct beginning){run, arg};
    int r = next(ret, attr, begin_late, beginning);
    if (r != 0)
        free(beginning);
    return r;
}
