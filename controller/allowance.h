/* allowance.h - how much of the loop one device may cost, so that a stolen box key that floods the centre delays nobody
 * else. Pure: the time is an argument.
 *
 * A bucket of points that fills with time. A word costs one point and one more for each KiB; what it cost beyond a
 * millisecond of work is charged after. A box that empties a full outbox stays below it, and what is dropped it sends
 * again. */
#ifndef LOA_ALLOWANCE_H
#define LOA_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ALLOWANCE_FULL = 2000,     /* points at once */
    ALLOWANCE_PER_S = 200,     /* and each second after */
    ALLOWANCE_CALM_MS = 60000, /* as long after the last drop it is a new flood */
};

/* Zero-initialise: full. */
struct allowance {
    int64_t spent_milli; /* thousandths of points; 0: full */
    int64_t at_ms;
    int64_t dropped_at_ms; /* 0: never */
    uint64_t dropped;      /* of the flood that is on */
};

enum allowance_verdict { ALLOWANCE_TAKE, ALLOWANCE_DROP, ALLOWANCE_FLOOD /* drop; the first of a flood: tell it */ };

/* A word of `len` bytes came at elapsed `now_ms`. */
enum allowance_verdict allowance_take(struct allowance *allowance, size_t len, int64_t now_ms);
/* It took `work_ms`. */
void allowance_charge(struct allowance *allowance, int64_t work_ms);

#endif
