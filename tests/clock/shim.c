/* shim.c - a wall clock that a test can set while a program runs: loaded with LD_PRELOAD, for that program alone.
 *
 * LOA_TEST_CLOCK names a file with struct test_clock; it is mapped, so that what a test writes there holds at once.
 * Only the wall clock moves; elapsed time and time-outs stay real. Plain system calls and nothing of the C library's
 * state, since a sanitizer reads the clock before anything else is ready. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct test_clock {
    _Atomic int64_t ahead_ns; /* added to the wall clock */
    _Atomic int64_t synced;   /* what the kernel says of its discipline: 1 yes, 0 no, -1 as it is */
};

static _Atomic(struct test_clock *) the_clock;

static struct test_clock *test_clock(void)
{
    struct test_clock *clock = atomic_load(&the_clock);
    if (clock)
        return clock;
    const char *path = getenv("LOA_TEST_CLOCK");
    if (!path)
        return NULL;
    long fd = syscall(SYS_openat, (long)AT_FDCWD, path, (long)(O_RDONLY | O_CLOEXEC), 0L);
    if (fd < 0)
        return NULL;
    long at = syscall(SYS_mmap, NULL, sizeof(*clock), (long)PROT_READ, (long)MAP_SHARED, fd, 0L);
    syscall(SYS_close, fd);
    if (at == -1)
        return NULL;
    clock = (struct test_clock *)(uintptr_t)at; /* again by another thread: harmless, maps the same bytes twice */
    atomic_store(&the_clock, clock);
    return clock;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    long r = syscall(SYS_clock_gettime, (long)id, ts);
    const struct test_clock *clock = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ? test_clock() : NULL;
    if (r < 0 || !clock)
        return (int)r;
    int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + atomic_load(&clock->ahead_ns);
    ts->tv_sec = ns / 1000000000;
    ts->tv_nsec = ns % 1000000000;
    return 0;
}

int adjtimex(struct timex *tx)
{
    long state = syscall(SYS_adjtimex, tx);
    const struct test_clock *clock = test_clock();
    int64_t synced = clock ? atomic_load(&clock->synced) : -1;
    if (state < 0 || synced < 0)
        return (int)state;
    tx->status = synced ? tx->status & ~STA_UNSYNC : tx->status | STA_UNSYNC;
    return synced ? TIME_OK : TIME_ERROR;
}
