/* backoff.c - see backoff.h. */
#include "playlists/link/backoff.h"

static int64_t cap_ms(const struct backoff *backoff, unsigned attempt)
{
    int64_t cap = backoff->base_ms;
    for (unsigned i = 1; i < attempt && cap < backoff->max_ms; i++)
        cap *= 2;
    return cap < backoff->max_ms ? cap : backoff->max_ms;
}

int64_t backoff_delay_ms(const struct backoff *backoff, unsigned attempt, uint32_t chance)
{
    int64_t low = attempt == 0 ? 0 : backoff->floor_ms;
    int64_t high = attempt == 0 ? backoff->spread_ms : cap_ms(backoff, attempt);
    if (high <= low)
        return low;
    return low + (int64_t)((uint64_t)(high - low + 1) * chance >> 32);
}
