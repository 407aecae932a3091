/* points.c - see points.h. A task is one read or write of a range, in as many requests as the profile allows, with what
 * follows it; polls are tasks too. */
#include "boards/bus/points.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOST_AFTER = 2, REREAD_MS = 40, PROFILE_BLOCK_MAX = PROFILE_POINTS_MAX };

/* Neighbouring points that are polled together. */
struct block {
    enum point_kind kind;
    uint16_t address, count;
    uint32_t poll_ms;
    int64_t due_ms;
    bool busy;
};

struct task {
    struct points *points;
    struct task *next, **prev;
    uv_timer_t timer;
    bool closing;

    bool write, urgent;
    enum point_kind kind;
    uint16_t address, count, mask;
    uint16_t at; /* registers done */
    uint16_t regs[PROFILE_TEXT_REGS_MAX];

    struct block *block; /* a poll; NULL: for somebody */
    int index;           /* the point that is read or written; -1 for a poll */
    bool until;          /* read again until it is as wanted */
    bool prove;          /* after the write */
    double want;
    double tolerance;
    char *want_text;
    int64_t deadline_ms;
    points_fn fn;
    void *arg;
    int result;
    struct complaint why;
};

struct points {
    struct bus *bus;
    const struct profile *profile;
    char *name;
    uint8_t unit;
    struct points_events events;
    void *arg;
    uv_timer_t timer;
    bool closed;
    struct reading readings[PROFILE_POINTS_MAX];
    char *texts[PROFILE_POINTS_MAX];
    struct block blocks[PROFILE_BLOCK_MAX];
    size_t n_blocks;
    struct task *tasks;
    bool reachable;
    unsigned failures;
    int64_t reachable_since_ms;
};

bool point_is_on(const struct point *point, double value)
{
    return fabs(value - point->on) < 1e-6;
}

bool point_is_off(const struct point *point, double value)
{
    return fabs(value - point->off) < 1e-6;
}

double point_proof(const struct point *point, const struct point *verify, double value)
{
    if (point_is_on(point, value))
        return verify->on;
    return point_is_off(point, value) ? verify->off : value;
}

static void task_free(uv_handle_t *handle)
{
    struct task *task = handle->data;
    free(task->want_text);
    free(task);
}

static void task_close(struct task *task)
{
    if (task->closing)
        return;
    task->closing = true;
    bus_forget(task->points->bus, task);
    *task->prev = task->next;
    if (task->next)
        task->next->prev = task->prev;
    uv_close((uv_handle_t *)&task->timer, task_free);
}

static struct task *task_new(struct points *points, int index, points_fn fn, void *arg)
{
    struct task *task = xcalloc(1, sizeof(*task));
    task->points = points;
    task->index = index;
    task->fn = fn;
    task->arg = arg;
    uv_timer_init(bus_loop(points->bus), &task->timer);
    task->timer.data = task;
    task->next = points->tasks;
    task->prev = &points->tasks;
    if (task->next)
        task->next->prev = &task->next;
    points->tasks = task;
    if (index >= 0) {
        const struct point *point = &points->profile->points[index];
        task->kind = point->kind;
        task->address = point->address;
        task->count = point->n_regs;
    }
    return task;
}

/* The end: out of the list first, since the callee may free the points. */
static void finish(struct task *task)
{
    points_fn fn = task->fn;
    void *arg = task->arg;
    int result = task->result;
    struct complaint why = task->why;
    task_close(task);
    if (fn)
        fn(arg, result, result < 0 ? why.text : "");
}

static void on_finish_timer(uv_timer_t *timer)
{
    finish(timer->data);
}

/* End from a place where the caller must not be called back yet. */
static void finish_later(struct task *task, int result)
{
    task->result = result;
    uv_timer_start(&task->timer, on_finish_timer, 0, 0);
}

static void lose(struct points *points)
{
    for (size_t i = 0; i < points->profile->n_points; i++)
        points->readings[i].valid = false;
}

/* What the outcome of one request says about the unit being there. */
static void note_reach(struct points *points, int result)
{
    bool alive = result == 0 || result == ERR_LIMIT;
    points->failures = alive ? 0 : points->failures + 1;
    bool reachable = alive || (points->reachable && points->failures < LOST_AFTER && result != -EHOSTDOWN);
    if (reachable == points->reachable)
        return;
    points->reachable = reachable;
    points->reachable_since_ms = clock_elapsed_ms();
    if (!reachable)
        lose(points);
    if (points->events.reachable)
        points->events.reachable(points->arg, reachable);
}

static void take_text(struct points *points, int index, const uint16_t *regs, struct reading *reading)
{
    struct buf text = {0};
    if (profile_decode_text(&points->profile->points[index], regs, &text, NULL) == 0) {
        reading->valid = true;
        free(points->texts[index]);
        points->texts[index] = xstrdup(buf_text(&text));
    }
    buf_done(&text);
}

static int take_reading(struct points *points, int index, const uint16_t *regs, int64_t at_ms, struct complaint *why)
{
    const struct point *point = &points->profile->points[index];
    struct reading reading = {.at_elapsed_ms = at_ms};
    int r = 0;
    if (point->type == POINT_TEXT) {
        take_text(points, index, regs, &reading);
        r = reading.valid ? 0 : complain(why, ERR_FORMAT, "%s: the device holds no readable text", point->name);
    } else {
        r = profile_decode(point, regs, &reading.value, why);
        reading.valid = r == 0;
    }
    points->readings[index] = reading;
    if (points->events.read)
        points->events.read(points->arg, index);
    return r;
}

static void task_step(struct task *task);

static void on_step_timer(uv_timer_t *timer)
{
    task_step(timer->data);
}

/* Decode every point that lies inside what a poll has read. */
static void end_poll(struct task *task)
{
    struct points *points = task->points;
    const struct profile *profile = points->profile;
    struct block *block = task->block;
    block->busy = false;
    for (size_t i = 0; task->result == 0 && i < profile->n_points && !points->closed; i++) {
        const struct point *point = &profile->points[i];
        if (point->kind == block->kind && point->poll_ms == block->poll_ms && point->address >= block->address &&
            point->address + point->n_regs <= block->address + block->count)
            take_reading(points, (int)i, task->regs + (point->address - block->address), clock_elapsed_ms(), NULL);
    }
    task_close(task);
}

static bool as_wanted(const struct task *task)
{
    const struct reading *reading = &task->points->readings[task->index];
    if (!reading->valid)
        return false;
    if (task->want_text)
        return profile_same_text(task->want_text, points_text(task->points, task->index));
    return fabs(reading->value - task->want) <= task->tolerance + 1e-6;
}

static void complain_unproven(struct task *task)
{
    const struct points *points = task->points;
    const struct point *point = &points->profile->points[task->index];
    const struct reading *reading = &points->readings[task->index];
    if (!reading->valid)
        task->result =
            complain(&task->why, ERR_DEVICE, "%s: %s reads nothing that can be believed", points->name, point->name);
    else if (task->want_text)
        task->result = complain(&task->why, ERR_DEVICE, "%s: %s reads \"%.60s\", it should be \"%.60s\"", points->name,
                                point->name, points_text(points, task->index), task->want_text);
    else
        task->result = complain(&task->why, ERR_DEVICE, "%s: %s reads %g, it should be %g", points->name, point->name,
                                reading->value, task->want);
}

/* Turn a write into the reading that proves it. True when there is one to do. */
static bool turn_to_proof(struct task *task)
{
    const struct profile *profile = task->points->profile;
    const struct point *point = &profile->points[task->index];
    if (!task->prove || point->verify < 0)
        return false;
    const struct point *verify = &profile->points[point->verify];
    task->want = point_proof(point, verify, task->want);
    task->tolerance = point->tolerance;
    task->index = point->verify;
    task->kind = verify->kind;
    task->address = verify->address;
    task->count = verify->n_regs;
    task->mask = 0;
    task->at = 0;
    task->write = false;
    task->until = true;
    task->deadline_ms = clock_elapsed_ms() + point->within_ms;
    uv_timer_start(&task->timer, on_step_timer, point->settle_ms, 0);
    return true;
}

static void end_read(struct task *task)
{
    struct points *points = task->points;
    task->result = take_reading(points, task->index, task->regs, clock_elapsed_ms(), &task->why);
    if (points->closed || task->closing)
        return;
    if (!task->until) {
        finish(task);
        return;
    }
    if (as_wanted(task)) {
        task->result = 0;
    } else if (clock_elapsed_ms() < task->deadline_ms) {
        task->at = 0;
        uv_timer_start(&task->timer, on_step_timer, REREAD_MS, 0);
        return;
    } else {
        complain_unproven(task);
    }
    finish(task);
}

static void complain_bus(struct task *task, const struct bus_answer *answer)
{
    const struct points *points = task->points;
    const char *what = task->index >= 0 ? points->profile->points[task->index].name : "poll";
    task->result = answer->result;
    if (answer->result == ERR_LIMIT)
        complain(&task->why, ERR_LIMIT, "%s: the device refuses to %s %s (Modbus exception %u)", points->name,
                 task->write ? "write" : "read", what, answer->exception);
    else if (answer->result == ERR_DEVICE)
        complain(&task->why, ERR_DEVICE, "%s: what came as the answer about %s is not one; not believed", points->name,
                 what);
    else
        complain(&task->why, answer->result, "%s: no answer from unit %u on %s about %s: %s", points->name,
                 points->unit, bus_name(points->bus), what, err_name(answer->result));
}

static void on_answer(void *arg, const struct bus_answer *answer)
{
    struct task *task = arg;
    struct points *points = task->points;
    uint16_t most = task->write ? points->profile->max_write : points->profile->max_read;
    uint16_t n = task->count - task->at < most ? (uint16_t)(task->count - task->at) : most;
    note_reach(points, answer->result);
    if (points->closed || task->closing)
        return;
    if (answer->result < 0) {
        complain_bus(task, answer);
        if (task->block)
            end_poll(task);
        else
            finish(task);
        return;
    }
    if (!task->write)
        memcpy(task->regs + task->at, answer->values, n * sizeof(task->regs[0]));
    task->at = (uint16_t)(task->at + n);
    if (task->at < task->count)
        task_step(task);
    else if (task->block)
        end_poll(task);
    else if (!task->write)
        end_read(task);
    else if (!turn_to_proof(task))
        finish(task);
}

/* Ask for the next part of the range. */
static void task_step(struct task *task)
{
    const struct points *points = task->points;
    const struct profile *profile = points->profile;
    uint16_t most = task->write ? profile->max_write : profile->max_read;
    uint16_t left = (uint16_t)(task->count - task->at);
    struct bus_request request = {.act = !task->write ? BUS_READ
                                         : task->mask ? BUS_MODIFY
                                                      : BUS_WRITE,
                                  .unit = points->unit,
                                  .kind = task->kind,
                                  .address = (uint16_t)(task->address + task->at),
                                  .count = left < most ? left : most,
                                  .mask = task->mask,
                                  .urgent = task->urgent,
                                  .multiple_only = profile->multiple_only,
                                  .pause_ms = profile->pause_ms};
    if (task->write)
        memcpy(request.values, task->regs + task->at, request.count * sizeof(request.values[0]));
    int r = bus_ask(points->bus, &request, on_answer, task, task);
    if (r == 0)
        return;
    complain(&task->why, r, "%s: the bus %s takes no more requests: %s", points->name, bus_name(points->bus),
             err_name(r));
    if (task->block) {
        task->block->busy = false;
        task_close(task);
    } else {
        finish_later(task, r);
    }
}

/* ---- polling ---- */

static void poll_block(struct points *points, struct block *block)
{
    struct task *task = task_new(points, -1, NULL, NULL);
    task->block = block;
    task->kind = block->kind;
    task->address = block->address;
    task->count = block->count;
    block->busy = true;
    task_step(task);
}

static void on_poll_timer(uv_timer_t *timer)
{
    struct points *points = timer->data;
    int64_t now = clock_elapsed_ms();
    int64_t next = now + 1000;
    for (size_t i = 0; i < points->n_blocks; i++) {
        struct block *block = &points->blocks[i];
        if (block->due_ms <= now) {
            block->due_ms = now + block->poll_ms;
            if (!block->busy)
                poll_block(points, block);
        }
        next = block->due_ms < next ? block->due_ms : next;
    }
    uv_timer_start(timer, on_poll_timer, (uint64_t)(next > now ? next - now : 0), 0);
}

static int by_place(const void *left, const void *right)
{
    const struct point *a = *(const struct point *const *)left;
    const struct point *b = *(const struct point *const *)right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->poll_ms != b->poll_ms)
        return a->poll_ms < b->poll_ms ? -1 : 1;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return 0;
}

/* Only what touches is read together: many devices refuse a range with a hole. */
static void make_blocks(struct points *points)
{
    const struct profile *profile = points->profile;
    const struct point *sorted[PROFILE_POINTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < profile->n_points; i++)
        if (profile->points[i].poll_ms)
            sorted[n++] = &profile->points[i];
    qsort(sorted, n, sizeof(sorted[0]), by_place);
    for (size_t i = 0; i < n; i++) {
        const struct point *point = sorted[i];
        struct block *last = points->n_blocks ? &points->blocks[points->n_blocks - 1] : NULL;
        unsigned end = (unsigned)point->address + point->n_regs;
        if (last && last->kind == point->kind && last->poll_ms == point->poll_ms &&
            point->address <= last->address + last->count && end - last->address <= profile->max_read) {
            last->count = (uint16_t)(end - last->address > last->count ? end - last->address : last->count);
            continue;
        }
        points->blocks[points->n_blocks++] = (struct block){
            .kind = point->kind, .address = point->address, .count = point->n_regs, .poll_ms = point->poll_ms};
    }
}

/* ---- the calls ---- */

struct points *points_new(struct bus *bus, const struct profile *profile, uint8_t unit, const char *name,
                          const struct points_events *events, void *arg)
{
    struct points *points = xcalloc(1, sizeof(*points));
    points->bus = bus;
    points->profile = profile;
    points->unit = unit;
    points->name = xstrdup(name);
    points->events = *events;
    points->arg = arg;
    points->reachable_since_ms = clock_elapsed_ms();
    make_blocks(points);
    uv_timer_init(bus_loop(bus), &points->timer);
    points->timer.data = points;
    uv_timer_start(&points->timer, on_poll_timer, 0, 0);
    return points;
}

static void on_closed(uv_handle_t *handle)
{
    struct points *points = handle->data;
    for (size_t i = 0; i < PROFILE_POINTS_MAX; i++)
        free(points->texts[i]);
    free(points->name);
    free(points);
}

void points_free(struct points *points)
{
    if (!points)
        return;
    points->closed = true;
    while (points->tasks)
        task_close(points->tasks);
    uv_close((uv_handle_t *)&points->timer, on_closed);
}

bool points_polls(const struct points *points)
{
    return points->n_blocks > 0;
}

void points_abandon(struct points *points, bool deaf)
{
    struct task *next;
    for (struct task *task = points->tasks; task; task = next) {
        next = task->next;
        if (!task->block && !task->urgent)
            task_close(task);
        else if (deaf)
            task->fn = NULL;
    }
}

struct reading points_reading(const struct points *points, int index)
{
    return index >= 0 ? points->readings[index] : (struct reading){0};
}

const char *points_text(const struct points *points, int index)
{
    return index >= 0 && points->texts[index] ? points->texts[index] : "";
}

bool points_reachable(const struct points *points)
{
    return points->reachable;
}

int64_t points_reachable_since(const struct points *points)
{
    return points->reachable_since_ms;
}

static void write_number(struct points *points, struct task *task, double value)
{
    const struct point *point = &points->profile->points[task->index];
    task->write = true;
    task->mask = point->mask;
    task->want = value;
    int r = profile_encode(point, value, task->regs, &task->why);
    if (r < 0)
        finish_later(task, r);
    else
        task_step(task);
}

void points_put(struct points *points, int index, double value, bool urgent, points_fn fn, void *arg)
{
    struct task *task = task_new(points, index, fn, arg);
    task->urgent = urgent;
    write_number(points, task, value);
}

void points_set(struct points *points, int index, double value, points_fn fn, void *arg)
{
    struct task *task = task_new(points, index, fn, arg);
    task->prove = true;
    write_number(points, task, value);
}

void points_put_text(struct points *points, int index, const char *text, points_fn fn, void *arg)
{
    struct task *task = task_new(points, index, fn, arg);
    task->write = true;
    int r = profile_encode_text(&points->profile->points[index], text, task->regs, &task->why);
    if (r < 0)
        finish_later(task, r);
    else
        task_step(task);
}

void points_get(struct points *points, int index, points_fn fn, void *arg)
{
    task_step(task_new(points, index, fn, arg));
}

void points_wait(struct points *points, int index, double value, uint32_t within_ms, points_fn fn, void *arg)
{
    struct task *task = task_new(points, index, fn, arg);
    task->until = true;
    task->want = value;
    task->tolerance = points->profile->points[index].tolerance;
    task->deadline_ms = clock_elapsed_ms() + within_ms;
    task_step(task);
}

void points_prove_text(struct points *points, int index, const char *text, points_fn fn, void *arg)
{
    struct task *task = task_new(points, index, fn, arg);
    task->prove = true;
    task->want_text = xstrdup(text);
    if (!turn_to_proof(task))
        finish_later(task, 0);
}
