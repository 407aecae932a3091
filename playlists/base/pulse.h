/* pulse.h - a thread's promise to come back, so that the watchdog is fed only while every thread does.
 *
 * The thread says how long its next step may take at most, or that it rests until woken; any thread may ask whether a
 * promise was broken. Elapsed time; after a suspend all may look late for one look. */
#ifndef LOA_PULSE_H
#define LOA_PULSE_H

#include "playlists/base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>

/* More than any honest step takes: an operation on the card, one block of sound off a slow disk. */
enum { PULSE_STEP_MS = 10000 };

struct pulse {
    _Atomic int64_t due_ms; /* 0: rests */
};

static inline void pulse_within(struct pulse *pulse, int64_t ms)
{
    atomic_store(&pulse->due_ms, clock_elapsed_ms() + ms);
}

static inline void pulse_rest(struct pulse *pulse)
{
    atomic_store(&pulse->due_ms, 0);
}

static inline bool pulse_missed(const struct pulse *pulse)
{
    int64_t due_ms = atomic_load(&pulse->due_ms);
    return due_ms != 0 && clock_elapsed_ms() > due_ms;
}

#endif
