/* simclock.c - see simclock.h. */
#include "tests/sim/simclock.h"

#include "playlists/base/bytes.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { STILL_MAX = 2000000, NS_PER_MS = 1000000 };

#define BOOT_MS INT64_C(20000) /* from power-on to this program */
/* 2026-01-01: before every simulated day but those of clocks that are wrong. */
#define BUILT_MS INT64_C(1767225600000)
#define NS_PER_S INT64_C(1000000000)

static struct {
    bool on, synced;
    int64_t true_ns;       /* also CLOCK_MONOTONIC: never steps */
    int64_t boot_ns;       /* true time of the boot */
    int64_t wall_ahead_ns; /* wall clock less true time */
    unsigned boots, still; /* still: sleeps without time going on */
    struct chance kernel;  /* the kernel's random numbers */
} sim;

uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t chance_below(struct chance *chance, uint32_t bound)
{
    return (uint32_t)(((chance_next(chance) >> 32) * bound) >> 32);
}

bool chance_hit(struct chance *chance, uint32_t percent)
{
    return chance_below(chance, 100) < percent;
}

/* --- random numbers --- */

static const char *random_name(void)
{
    return "simulated";
}

static void random_fill(void *const buf, const size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)buf)[i] = (unsigned char)(chance_next(&sim.kernel) >> 56);
}

static uint32_t random_number(void)
{
    return (uint32_t)(chance_next(&sim.kernel) >> 32);
}

static struct randombytes_implementation seeded = {
    .implementation_name = random_name, .random = random_number, .buf = random_fill};

/* --- set --- */

static void die(const char *why)
{
    fprintf(stderr, "simulated time: %s\n", why);
    abort();
}

void sim_clock_start(int64_t true_ms, uint64_t seed)
{
    sim.on = true;
    sim.synced = false;
    sim.true_ns = true_ms * NS_PER_MS;
    sim.boot_ns = sim.true_ns - BOOT_MS * NS_PER_MS;
    sim.wall_ahead_ns = 0;
    sim.boots = 1;
    randombytes_set_implementation(&seeded);
    if (sodium_init() < 0) /* draws numbers the first time */
        die("libsodium does not start");
    sim.kernel.state = seed ^ UINT64_C(0x5eed);
}

void sim_clock_end(void)
{
    sim.on = false;
}

int64_t sim_true_ms(void)
{
    return sim.true_ns / NS_PER_MS;
}

int64_t sim_real_ms(void)
{
    struct timespec ts = {0};
    syscall(SYS_clock_gettime, (long)CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / NS_PER_MS;
}

void sim_wall_step(int64_t by_ms)
{
    sim.wall_ahead_ns += by_ms * NS_PER_MS;
}

void sim_wall_set(int64_t wall_ms)
{
    sim.wall_ahead_ns = wall_ms * NS_PER_MS - sim.true_ns;
}

void sim_synced(bool synced)
{
    sim.synced = synced;
}

void sim_reboot(void)
{
    sim.boots++;
    sim.boot_ns = sim.true_ns - BOOT_MS * NS_PER_MS;
}

/* --- read, in place of the C library --- */

int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (!sim.on || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID)
        return (int)syscall(SYS_clock_gettime, (long)id, ts);
    int64_t ns = sim.true_ns;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        ns += sim.wall_ahead_ns;
    else if (id == CLOCK_BOOTTIME)
        ns -= sim.boot_ns;
    *ts = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    return 0;
}

int adjtimex(struct timex *tx)
{
    if (!sim.on)
        return (int)syscall(SYS_adjtimex, tx);
    *tx = (struct timex){.status = sim.synced ? 0 : STA_UNSYNC};
    return sim.synced ? TIME_OK : TIME_ERROR;
}

int epoll_pwait(int epoll, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
    int wait_ms = sim.on ? 0 : timeout_ms;
    int n = (int)syscall(SYS_epoll_pwait, (long)epoll, events, (long)max, (long)wait_ms, mask, 8L);
    if (!sim.on || n < 0)
        return n;
    sim.still = n > 0 || timeout_ms == 0 ? sim.still + 1 : 0;
    if (sim.still > STILL_MAX)
        die("something spins, time does not go on");
    if (n > 0 || timeout_ms == 0)
        return n;
    if (timeout_ms < 0)
        die("the loop sleeps for ever, no timer is left");
    sim.true_ns += (int64_t)timeout_ms * NS_PER_MS;
    return 0;
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    return epoll_pwait(epoll, events, max, timeout_ms, NULL);
}

/* --- read, in place of functions of ours and of libuv (linked with --wrap) --- */

void __wrap_clock_boot_id(char ret_id[37]);
void __wrap_clock_boot_id(char ret_id[37])
{
    snprintf(ret_id, 37, "00000000-0000-4000-8000-%012x", sim.boots);
}

int64_t __wrap_clock_build_ms(void);
int64_t __wrap_clock_build_ms(void)
{
    return BUILT_MS;
}

struct done_work {
    uv_timer_t timer;
    uv_work_t *work;
    uv_after_work_cb after;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_done(uv_timer_t *timer)
{
    struct done_work *done = (struct done_work *)timer;
    done->after(done->work, 0);
    uv_close((uv_handle_t *)timer, on_closed);
}

int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *req, uv_work_cb work, uv_after_work_cb after);
int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *req, uv_work_cb work, uv_after_work_cb after)
{
    struct done_work *done = xcalloc(1, sizeof(*done));
    req->loop = loop;
    done->work = req;
    done->after = after;
    work(req);
    uv_timer_init(loop, &done->timer);
    uv_timer_start(&done->timer, on_done, 0, 0);
    return 0;
}
