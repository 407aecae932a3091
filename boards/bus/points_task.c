/* points_task.c - see points_task.h: one read or write of a range, in as many requests as profile and bus allow, with
 * what follows it; polls are tasks too. */
#include "boards/bus/points_task.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOST_AFTER = 2, REREAD_MS = 40 };

static void task_free(uv_handle_t *handle)
{
    struct task *task = handle->data;
    free(task->want_text);
    free(task);
}

void task_close(struct task *task)
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

struct task *task_new(struct points *points, int index, points_fn fn, void *arg)
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
void task_finish_later(struct task *task, int result)
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
bool task_turn_to_proof(struct task *task)
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

uint16_t points_max_read(const struct points *points)
{
    uint16_t most = bus_registers_max(points->bus);
    return points->profile->max_read < most ? points->profile->max_read : most;
}

static uint16_t most_of(const struct task *task)
{
    uint16_t most = bus_registers_max(task->points->bus);
    if (!task->write)
        return points_max_read(task->points);
    return task->points->profile->max_write < most ? task->points->profile->max_write : most;
}

static void on_answer(void *arg, const struct bus_answer *answer)
{
    struct task *task = arg;
    struct points *points = task->points;
    uint16_t most = most_of(task);
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
    else if (!task_turn_to_proof(task))
        finish(task);
}

/* Ask for the next part of the range. */
void task_step(struct task *task)
{
    const struct points *points = task->points;
    const struct profile *profile = points->profile;
    uint16_t most = most_of(task);
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
        task_finish_later(task, r);
    }
}
