/* jobs.c - see jobs.h. */
#include "boards/bus/jobs.h"

void queue_init(struct queue *queue)
{
    *queue = (struct queue){.tail = &queue->head};
}

void queue_push(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->tail = job;
    queue->tail = &job->next;
    queue->len++;
}

struct job *queue_pop(struct queue *queue)
{
    struct job *job = queue->head;
    if (!job)
        return NULL;
    queue->head = job->next;
    if (!queue->head)
        queue->tail = &queue->head;
    queue->len--;
    return job;
}

void queue_sift(struct queue *from, struct queue *to, bool (*match)(const struct job *, const void *), const void *what)
{
    struct queue kept;
    queue_init(&kept);
    for (struct job *job; (job = queue_pop(from));)
        queue_push(match(job, what) ? to : &kept, job);
    for (struct job *job; (job = queue_pop(&kept));)
        queue_push(from, job);
}

bool unit_answers(const struct bus_counters *unit)
{
    return unit->failures_in_row == 0 && unit->answers > 0;
}

static bool is_cheap(const struct job *job, const struct bus_counters *unit, int64_t now_ms)
{
    return unit_answers(unit) || (!job->request.urgent && unit->retry_elapsed_ms > now_ms);
}

struct job *queue_best(const struct queue *queue, const struct bus_counters units[256], int64_t now_elapsed_ms)
{
    if (!queue->head)
        return NULL;
    if (!queue->head->request.urgent && now_elapsed_ms - queue->head->asked_elapsed_ms > BUS_PATIENCE_MS)
        return queue->head;
    for (struct job *job = queue->head; job; job = job->next)
        if (is_cheap(job, &units[job->request.unit], now_elapsed_ms))
            return job;
    return queue->head;
}

void queue_remove(struct queue *queue, const struct job *job)
{
    struct job **at = &queue->head;
    while (*at && *at != job)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = job->next;
    if (!job->next)
        queue->tail = at;
    queue->len--;
}
