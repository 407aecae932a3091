/* points.c - see points.h: polling, and the calls. */
#include "boards/bus/points.h"

#include "boards/bus/points_task.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
            point->address <= last->address + last->count && end - last->address <= points_max_read(points)) {
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
    struct reading reading = index >= 0 ? points->readings[index] : (struct reading){0};
    reading.valid = reading.valid && !bus_stuck(points->bus);
    return reading;
}

const char *points_text(const struct points *points, int index)
{
    return index >= 0 && points->texts[index] ? points->texts[index] : "";
}

bool points_reachable(const struct points *points)
{
    return points->reachable && !bus_stuck(points->bus);
}

void points_problem(const struct points *points, const char *own, char *ret_problem, size_t size)
{
    if (bus_stuck(points->bus))
        snprintf(ret_problem, size, "%s: the bus %s hangs in its device", points->name, bus_name(points->bus));
    else if (own[0] == '\0' && points_polls(points) && !points->reachable)
        snprintf(ret_problem, size, "%s: does not answer on %s", points->name, bus_name(points->bus));
    else
        snprintf(ret_problem, size, "%s", own);
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
        task_finish_later(task, r);
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
        task_finish_later(task, r);
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
    if (!task_turn_to_proof(task))
        task_finish_later(task, 0);
}
