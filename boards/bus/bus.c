/* bus.c - see bus.h: two queues, one thread, and the way back to the loop.
 *
 * A job belongs to whoever holds it: a queue, the thread (`current`), or the list of ended ones. All of them are only
 * touched under the mutex; callbacks run outside it, on the loop thread. */
#include "boards/bus/bus.h"

#include "boards/bus/jobs.h"
#include "boards/bus/pdu.h"
#include "boards/bus/rtu.h"
#include "boards/bus/wire.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/pulse.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IO_MS = 360, BRIEF_MS = 50, RESOLVE_EVERY_MS = 1000, PAUSE_MAX_MS = 200 };

struct bus {
    uv_loop_t *loop; /* borrowed */
    char *name, *host;
    uint16_t port;
    uint32_t baud; /* 0: not serial */
    uint32_t backoff_min_ms, backoff_max_ms;
    uv_async_t wake;
    uv_getaddrinfo_t resolve;
    bool resolving, closing, wake_closed;
    int64_t resolved_elapsed_ms;

    uv_mutex_t mutex; /* guards all below */
    uv_cond_t work;
    struct queue urgent, normal, ended;
    struct job *current;
    bool stop, stopped;
    bool address_known, want_address;
    struct sockaddr_storage address;
    struct bus_counters units[256];

    uv_thread_t thread; /* owns all below */
    struct wire *wire;
    int64_t last_exchange_ms;

    struct pulse pulse; /* of the thread; read by the loop */
};

/* ---- the bus thread ---- */

/* The outcome's mark on the unit. A refusal by exception is an answer: the unit lives. */
static void count(struct bus *bus, const struct job *job, bool unconnected)
{
    struct bus_counters *unit = &bus->units[job->request.unit];
    if (job->result == 0 || job->result == ERR_LIMIT) {
        unit->answers++;
        unit->exceptions += job->result == ERR_LIMIT;
        unit->failures_in_row = 0;
        unit->retry_elapsed_ms = 0;
        unit->last_answer_elapsed_ms = job->at_elapsed_ms;
        return;
    }
    unit->unreachable += unconnected;
    unit->timeouts += !unconnected && job->result == -ETIMEDOUT;
    unit->disbelieved += job->result == ERR_DEVICE;
    unit->failures_in_row++;
    if (unit->failures_in_row < BUS_DEAD_AFTER)
        return;
    uint32_t doublings = unit->failures_in_row - BUS_DEAD_AFTER;
    uint64_t pause = doublings < 16 ? (uint64_t)bus->backoff_min_ms << doublings : bus->backoff_max_ms;
    unit->retry_elapsed_ms = job->at_elapsed_ms + (int64_t)(pause < bus->backoff_max_ms ? pause : bus->backoff_max_ms);
}

/* While other urgent requests wait, one for a unit that is not known to answer gets little time: if it is there, the
 * write has reached it all the same. */
static int64_t limit_ms(const struct bus *bus, const struct job *job)
{
    bool brief = job->request.urgent && bus->urgent.head && !unit_answers(&bus->units[job->request.unit]);
    return brief ? BRIEF_MS : IO_MS;
}

/* Called with the mutex held; lets go of it while the bus is busy. */
static void perform(struct bus *bus, struct job *job)
{
    struct bus_counters *unit = &bus->units[job->request.unit];
    int64_t now = clock_elapsed_ms();
    struct sockaddr_storage to = bus->address;
    bool known = bus->address_known;
    bool backed_off = !job->request.urgent && unit->retry_elapsed_ms > now;
    job->at_elapsed_ms = now;
    if (backed_off) {
        job->result = -EHOSTDOWN;
        return;
    }
    unit->requests++;
    job->result = -EHOSTUNREACH;
    if (known) {
        int64_t deadline = clock_elapsed_ns() + limit_ms(bus, job) * 1000000;
        uv_mutex_unlock(&bus->mutex);
        pulse_within(&bus->pulse, PULSE_STEP_MS);
        job->result = wire_do(bus->wire, &to, &job->request, deadline, job->values, &job->exception);
        job->at_elapsed_ms = bus->last_exchange_ms = clock_elapsed_ms();
        pulse_rest(&bus->pulse);
        uv_mutex_lock(&bus->mutex);
    }
    bool unconnected = !known || wire_unconnected(bus->wire);
    bus->want_address = bus->want_address || unconnected;
    count(bus, job, job->result < 0 && unconnected);
}

/* Wait until a job may begin, and take it. NULL: stop. Mutex held. */
static struct job *next_job(struct bus *bus)
{
    while (!bus->stop) {
        struct queue *queue = bus->urgent.head ? &bus->urgent : &bus->normal;
        int64_t now = clock_elapsed_ms();
        struct job *job = queue_best(queue, bus->units, now);
        if (!job) {
            uv_cond_wait(&bus->work, &bus->mutex);
            continue;
        }
        int64_t left = bus->last_exchange_ms + job->request.pause_ms - now;
        if (left <= 0 || bus->last_exchange_ms == 0) {
            queue_remove(queue, job);
            return job;
        }
        uv_cond_timedwait(&bus->work, &bus->mutex, (uint64_t)left * 1000000);
    }
    return NULL;
}

static void bus_thread(void *arg)
{
    struct bus *bus = arg;
    pthread_setname_np(pthread_self(), "loa-bus");
    uv_mutex_lock(&bus->mutex);
    while ((bus->current = next_job(bus))) {
        perform(bus, bus->current);
        queue_push(&bus->ended, bus->current);
        bus->current = NULL;
        uv_async_send(&bus->wake);
    }
    bus->stopped = true;
    uv_async_send(&bus->wake);
    uv_mutex_unlock(&bus->mutex);
}

/* ---- the loop's side ---- */

static void end_job(struct job *job)
{
    bool read = job->result == 0 && job->request.act == BUS_READ;
    struct bus_answer answer = {.result = job->result,
                                .exception = job->exception,
                                .values = read ? job->values : NULL,
                                .at_elapsed_ms = job->at_elapsed_ms};
    if (job->done)
        job->done(job->arg, &answer);
    free(job);
}

static void destroy(struct bus *bus)
{
    if (!bus->wake_closed || bus->resolving)
        return;
    uv_cond_destroy(&bus->work);
    uv_mutex_destroy(&bus->mutex);
    wire_free(bus->wire);
    free(bus->name);
    free(bus->host);
    free(bus);
}

static void on_wake_closed(uv_handle_t *handle)
{
    struct bus *bus = handle->data;
    bus->wake_closed = true;
    destroy(bus);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct bus *bus = request->data;
    bus->resolving = false;
    bus->resolved_elapsed_ms = clock_elapsed_ms();
    if (status == 0 && found && found->ai_addrlen <= sizeof(bus->address) && !bus->closing) {
        uv_mutex_lock(&bus->mutex);
        memset(&bus->address, 0, sizeof(bus->address));
        memcpy(&bus->address, found->ai_addr, found->ai_addrlen);
        bus->address_known = true;
        uv_mutex_unlock(&bus->mutex);
    }
    uv_freeaddrinfo(found);
    if (bus->closing)
        destroy(bus);
}

/* Ask for the address again when a connection failed; libuv's pool may block in the resolver, neither the loop nor the
 * bus thread does. */
static void resolve(struct bus *bus)
{
    if (!bus->host || bus->resolving || bus->closing)
        return;
    if (bus->resolved_elapsed_ms && clock_elapsed_ms() - bus->resolved_elapsed_ms < RESOLVE_EVERY_MS)
        return;
    char port[8];
    snprintf(port, sizeof(port), "%u", bus->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    bus->resolve.data = bus;
    bus->resolving = uv_getaddrinfo(bus->loop, &bus->resolve, on_resolved, bus->host, port, &hints) == 0;
}

static void on_wake(uv_async_t *wake)
{
    struct bus *bus = wake->data;
    for (;;) {
        uv_mutex_lock(&bus->mutex);
        struct job *job = queue_pop(&bus->ended);
        bool stopped = bus->stopped;
        bool want_address = bus->want_address;
        bus->want_address = false;
        uv_mutex_unlock(&bus->mutex);
        if (want_address)
            resolve(bus);
        if (!job && stopped && !uv_is_closing((uv_handle_t *)wake)) {
            uv_thread_join(&bus->thread);
            uv_close((uv_handle_t *)wake, on_wake_closed);
        }
        if (!job)
            return;
        end_job(job);
    }
}

static int check_rtu(const struct bus_config *config, struct complaint *why)
{
    if (!config->host || config->host[0] != '/' || strlen(config->host) > 253)
        return complain(why, ERR_FORMAT, "bus: a serial bus needs the path of its tty, like /dev/ttyUSB0");
    if (rtu_speed(config->baud) < 0)
        return complain(why, ERR_FORMAT,
                        "bus %s: baud is %u, it must be 1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200",
                        config->host, config->baud);
    if (config->parity != 'N' && config->parity != 'E' && config->parity != 'O')
        return complain(why, ERR_FORMAT, "bus %s: parity must be N, E or O", config->host);
    if (config->stop_bits != 1 && config->stop_bits != 2)
        return complain(why, ERR_FORMAT, "bus %s: stop bits must be 1 or 2", config->host);
    return 0;
}

static int check_config(const struct bus_config *config, struct complaint *why)
{
    if (config->transport == BUS_RTU)
        return check_rtu(config, why);
    if (!config->host || !*config->host || strlen(config->host) > 253)
        return complain(why, ERR_FORMAT, "bus: a host name or address is needed");
    if (config->port == 0)
        return complain(why, ERR_FORMAT, "bus %s: the port must be 1 to 65535", config->host);
    return 0;
}

static void take_place(struct bus *bus, const struct bus_config *config)
{
    if (config->transport == BUS_RTU) {
        bus->name = xasprintf("rtu:%s", config->host);
        bus->baud = config->baud;
        bus->wire = wire_rtu_new(config->host, config->baud, config->parity, config->stop_bits);
        bus->address_known = true; /* a tty needs none */
        return;
    }
    bus->name = xasprintf("tcp:%s:%u", config->host, config->port);
    bus->wire = wire_tcp_new();
    bus->address_known = uv_ip4_addr(config->host, config->port, (struct sockaddr_in *)&bus->address) == 0 ||
                         uv_ip6_addr(config->host, config->port, (struct sockaddr_in6 *)&bus->address) == 0;
    if (!bus->address_known)
        bus->host = xstrdup(config->host);
}

/* The thread must not take the program's signals. */
static int start_thread(struct bus *bus)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = uv_thread_create(&bus->thread, bus_thread, bus);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int bus_new(uv_loop_t *loop, const struct bus_config *config, struct bus **ret_bus, struct complaint *why)
{
    int r = check_config(config, why);
    if (r < 0)
        return r;
    struct bus *bus = xcalloc(1, sizeof(*bus));
    bus->loop = loop;
    bus->port = config->port;
    bus->backoff_min_ms = config->backoff_min_ms ? config->backoff_min_ms : 1000;
    bus->backoff_max_ms = config->backoff_max_ms ? config->backoff_max_ms : 10000;
    queue_init(&bus->urgent);
    queue_init(&bus->normal);
    queue_init(&bus->ended);
    take_place(bus, config);
    bus->wake.data = bus;
    uv_mutex_init(&bus->mutex);
    uv_cond_init(&bus->work);
    uv_async_init(loop, &bus->wake, on_wake);
    r = start_thread(bus);
    if (r < 0) {
        bus->closing = true;
        uv_close((uv_handle_t *)&bus->wake, on_wake_closed);
        return complain(why, r, "bus %s: cannot start its thread: %s", config->host, uv_strerror(r));
    }
    resolve(bus);
    *ret_bus = bus;
    return 0;
}

void bus_free(struct bus *bus)
{
    if (!bus)
        return;
    assert(!bus->closing);
    bus->closing = true;
    if (bus->resolving)
        uv_cancel((uv_req_t *)&bus->resolve);
    struct queue all;
    queue_init(&all);
    uv_mutex_lock(&bus->mutex);
    for (struct job *job;
         (job = queue_pop(&bus->urgent)) || (job = queue_pop(&bus->normal)) || (job = queue_pop(&bus->ended));)
        queue_push(&all, job);
    struct job cut = {0};
    if (bus->current) { /* stays with the thread; its caller hears of the end now */
        cut.done = bus->current->done;
        cut.arg = bus->current->arg;
        bus->current->done = NULL;
    }
    bus->stop = true;
    uv_cond_signal(&bus->work);
    uv_mutex_unlock(&bus->mutex);
    struct bus_answer gone = {.result = -ECANCELED, .at_elapsed_ms = clock_elapsed_ms()};
    if (cut.done)
        cut.done(cut.arg, &gone);
    for (struct job *job; (job = queue_pop(&all));) {
        job->result = -ECANCELED;
        end_job(job);
    }
}

static bool same_place(const struct job *job, const void *what)
{
    const struct bus_request *a = &job->request;
    const struct bus_request *b = what;
    return a->act == b->act && a->act != BUS_READ && a->unit == b->unit && a->kind == b->kind &&
           a->address == b->address;
}

/* Older urgent writes to the same place have no sense any more. Mutex held. */
static void supersede(struct bus *bus, const struct bus_request *request)
{
    struct queue old;
    queue_init(&old);
    queue_sift(&bus->urgent, &old, same_place, request);
    for (struct job *job; (job = queue_pop(&old));) {
        job->result = -ECANCELED;
        job->at_elapsed_ms = clock_elapsed_ms();
        queue_push(&bus->ended, job);
        uv_async_send(&bus->wake);
    }
}

int bus_ask(struct bus *bus, const struct bus_request *request, bus_done_fn done, void *arg, const void *owner)
{
    if (bus->closing)
        return -ECANCELED;
    if (!pdu_possible(request) || request->pause_ms > PAUSE_MAX_MS)
        return -EINVAL;
    int r = 0;
    uv_mutex_lock(&bus->mutex);
    if (request->urgent)
        supersede(bus, request);
    struct queue *queue = request->urgent ? &bus->urgent : &bus->normal;
    if (queue->len >= (request->urgent ? BUS_URGENT_MAX : BUS_QUEUE_MAX)) {
        r = -ENOBUFS;
    } else {
        struct job *job = xcalloc(1, sizeof(*job));
        job->request = *request;
        job->done = done;
        job->arg = arg;
        job->owner = owner;
        job->asked_elapsed_ms = clock_elapsed_ms();
        queue_push(queue, job);
        uv_cond_signal(&bus->work);
    }
    uv_mutex_unlock(&bus->mutex);
    return r;
}

static bool is_owned(const struct job *job, const void *what)
{
    return job->owner == what;
}

void bus_forget(struct bus *bus, const void *owner)
{
    struct queue gone;
    queue_init(&gone);
    uv_mutex_lock(&bus->mutex);
    queue_sift(&bus->urgent, &gone, is_owned, owner);
    queue_sift(&bus->normal, &gone, is_owned, owner);
    queue_sift(&bus->ended, &gone, is_owned, owner);
    if (bus->current && bus->current->owner == owner)
        bus->current->done = NULL;
    uv_mutex_unlock(&bus->mutex);
    for (struct job *job; (job = queue_pop(&gone));)
        free(job);
}

void bus_counters(const struct bus *bus, uint8_t unit, struct bus_counters *ret_counters)
{
    struct bus *open = (struct bus *)(uintptr_t)bus;
    uv_mutex_lock(&open->mutex);
    *ret_counters = bus->units[unit];
    uv_mutex_unlock(&open->mutex);
}

void bus_revive(struct bus *bus, uint8_t unit)
{
    uv_mutex_lock(&bus->mutex);
    bus->units[unit].retry_elapsed_ms = 0;
    if (bus->units[unit].failures_in_row >= BUS_DEAD_AFTER)
        bus->units[unit].failures_in_row = BUS_DEAD_AFTER - 1;
    uv_mutex_unlock(&bus->mutex);
}

/* Question and answer take at most half of the bound: the slave needs time to think, and the line to fall silent. */
uint16_t bus_registers_max(const struct bus *bus)
{
    if (bus->baud == 0)
        return BUS_VALUES_MAX;
    int64_t bytes = (int64_t)BUS_LIMIT_MS / 2 * 1000000 / rtu_chars_ns(bus->baud, 1) - 16;
    return (uint16_t)(bytes < 4 ? 2 : bytes / 2 < BUS_VALUES_MAX ? bytes / 2 : BUS_VALUES_MAX);
}

bool bus_stuck(const struct bus *bus)
{
    return pulse_missed(&bus->pulse);
}

const char *bus_name(const struct bus *bus)
{
    return bus->name;
}

uv_loop_t *bus_loop(const struct bus *bus)
{
    return bus->loop;
}
