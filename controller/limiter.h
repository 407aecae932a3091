/* limiter.h - a look-ahead peak limiter for one channel. Pure; any thread; no allocation after init.
 *
 * The gain that each sample needs is taken as a moving minimum over the look-ahead and smoothed by a moving average of
 * the same length, so that the gain has fully arrived when the peak does: no sample leaves above the ceiling. It
 * recovers exponentially. Output is delayed by limiter_delay() frames. */
#ifndef LOA_LIMITER_H
#define LOA_LIMITER_H

#include <stddef.h>

enum { LIMITER_LOOKAHEAD = 240 }; /* 5 ms at 48 kHz */

struct limiter {
    double ceiling;                          /* linear, > 0 */
    double release;                          /* share of the way back to 1 per frame */
    float delay[LIMITER_LOOKAHEAD];          /* samples on their way */
    double minimum[LIMITER_LOOKAHEAD + 1];   /* moving minimum: a falling queue of gains ... */
    unsigned long at[LIMITER_LOOKAHEAD + 1]; /* ... with the frame each came at */
    size_t front, count;
    double average[LIMITER_LOOKAHEAD];
    double sum; /* of average; a double drifts by less than 1e-7 in an hour */
    double held;
    unsigned long frame;
};

void limiter_init(struct limiter *limiter, double ceiling, double release_ms, int rate_hz);
/* One sample in (already amplified), one out. */
float limiter_step(struct limiter *limiter, float in);
static inline size_t limiter_delay(void)
{
    return LIMITER_LOOKAHEAD;
}

#endif
