/* points_task.h - what points.c and points_task.c share: one read or write under way. Nobody else includes it. */
#ifndef LOA_POINTS_TASK_H
#define LOA_POINTS_TASK_H

#include "boards/bus/points.h"

enum { POINTS_BLOCKS_MAX = PROFILE_POINTS_MAX };

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
    struct block blocks[POINTS_BLOCKS_MAX];
    size_t n_blocks;
    struct task *tasks;
    bool reachable;
    unsigned failures;
    int64_t reachable_since_ms;
};

struct task *task_new(struct points *points, int index, points_fn fn, void *arg);
void task_step(struct task *task);  /* ask the bus for the next part of the range */
void task_close(struct task *task); /* it never ends */
/* End from a place where the caller must not be called back yet. */
void task_finish_later(struct task *task, int result);
/* Turn a write into the reading that proves it, and begin that. True when there is one to do. */
bool task_turn_to_proof(struct task *task);
uint16_t points_max_read(const struct points *points); /* registers in one request */

#endif
