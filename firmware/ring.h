/* ring.h - samples from one thread to another, without locks.
 *
 * One writer, one reader; mono float. ring_reset() needs both to stand still. */
#ifndef LOA_RING_H
#define LOA_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    float *samples; /* owned */
    size_t capacity;
    _Atomic uint64_t put;   /* by the writer, ever */
    _Atomic uint64_t taken; /* by the reader, ever */
};

void ring_init(struct ring *ring, size_t capacity);
void ring_done(struct ring *ring);
void ring_reset(struct ring *ring);

size_t ring_count(const struct ring *ring); /* to be read; the reader's truth, the writer's upper bound */
size_t ring_room(const struct ring *ring);  /* to be written; the writer's truth */

/* Both move at most `n` and return how many. */
size_t ring_put(struct ring *ring, const float *samples, size_t n);
size_t ring_take(struct ring *ring, float *ret_samples, size_t n);

#endif
