/* ring.c - see ring.h. */
#include "firmware/ring.h"

#include "playlists/base/bytes.h"

#include <stdlib.h>
#include <string.h>

void ring_init(struct ring *ring, size_t capacity)
{
    ring->samples = xcalloc(capacity, sizeof(*ring->samples));
    ring->capacity = capacity;
    ring_reset(ring);
}

void ring_done(struct ring *ring)
{
    free(ring->samples);
    ring->samples = NULL;
}

void ring_reset(struct ring *ring)
{
    atomic_store(&ring->put, 0);
    atomic_store(&ring->taken, 0);
}

size_t ring_count(const struct ring *ring)
{
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
    return (size_t)(atomic_load_explicit(&ring->put, memory_order_acquire) - taken);
}

size_t ring_room(const struct ring *ring)
{
    return ring->capacity - ring_count(ring);
}

size_t ring_put(struct ring *ring, const float *samples, size_t n)
{
    size_t room = ring_room(ring);
    n = n < room ? n : room;
    uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    size_t at = (size_t)(put % ring->capacity);
    size_t first = n < ring->capacity - at ? n : ring->capacity - at;
    memcpy(ring->samples + at, samples, first * sizeof(*samples));
    memcpy(ring->samples, samples + first, (n - first) * sizeof(*samples));
    atomic_store_explicit(&ring->put, put + n, memory_order_release);
    return n;
}

size_t ring_take(struct ring *ring, float *ret_samples, size_t n)
{
    size_t count = ring_count(ring);
    n = n < count ? n : count;
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    size_t at = (size_t)(taken % ring->capacity);
    size_t first = n < ring->capacity - at ? n : ring->capacity - at;
    memcpy(ret_samples, ring->samples + at, first * sizeof(*ret_samples));
    memcpy(ret_samples + first, ring->samples, (n - first) * sizeof(*ret_samples));
    atomic_store_explicit(&ring->taken, taken + n, memory_order_release);
    return n;
}
