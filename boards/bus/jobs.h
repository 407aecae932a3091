/* jobs.h - the requests of a bus that wait, are carried out or have ended. Pure; only bus.c uses it. */
#ifndef LOA_JOBS_H
#define LOA_JOBS_H

#include "boards/bus/bus.h"

struct job {
    struct bus_request request;
    bus_done_fn done; /* NULL: nobody wants to know any more */
    void *arg;
    const void *owner;
    int result;
    uint8_t exception;
    uint16_t values[BUS_VALUES_MAX];
    int64_t asked_elapsed_ms, at_elapsed_ms;
    struct job *next;
};

struct queue {
    struct job *head;
    struct job **tail;
    size_t len;
};

void queue_init(struct queue *queue);
void queue_push(struct queue *queue, struct job *job);
struct job *queue_pop(struct queue *queue); /* NULL when empty */
/* Move every job for which `match` holds from one queue to the end of another. */
void queue_sift(struct queue *from, struct queue *to, bool (*match)(const struct job *, const void *),
                const void *what);
/* Does this unit answer, as far as is known? */
bool unit_answers(const struct bus_counters *unit);
/* The job to do next: the first one of a unit that answers or whose silence costs nothing (backed off); one of a unit
 * that never answered or has failed only when there is no other, or when it has waited for BUS_PATIENCE_MS. NULL when
 * empty. So a bus with dead slaves serves the living first, and a mute for a living one never waits behind those for
 * the dead. */
struct job *queue_best(const struct queue *queue, const struct bus_counters units[256], int64_t now_elapsed_ms);
void queue_remove(struct queue *queue, const struct job *job);

#endif
