/* backoff.h - how long to wait before the next try. Pure: chance comes in as an argument (32 uniform bits).
 *
 * Full jitter: uniform between nothing and a cap that doubles, so that ten thousand boxes which lost the broker
 * together do not come back together (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). */
#ifndef LOA_LINK_BACKOFF_H
#define LOA_LINK_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t spread_ms; /* window of try 0; 0 = at once */
    int64_t base_ms;   /* cap of try 1; doubles with each further one */
    int64_t max_ms;    /* highest cap */
    int64_t floor_ms;  /* least wait from try 1 on */
};

/* Wait before try `attempt` (0 = the first): uniform in [0, spread_ms] for 0, else in [floor_ms, cap] where cap =
 * min(max_ms, base_ms * 2^(attempt - 1)), never less than the floor. */
int64_t backoff_delay_ms(const struct backoff *backoff, unsigned attempt, uint32_t chance);

#endif
