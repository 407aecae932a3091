/* pace.c - see pace.h. */
#include "playlists/link/pace.h"

void pace_begin(struct pace *pace, int64_t now_ms, int64_t got)
{
    *pace = (struct pace){.since_ms = now_ms, .got = got};
}

bool pace_slow(struct pace *pace, const struct pace_floor *floor, int64_t now_ms, int64_t got)
{
    int64_t past_ms = now_ms - pace->since_ms;
    if (past_ms < floor->over_ms)
        return false;
    bool slow = pace->got >= 0 && got >= 0 && got - pace->got < floor->bytes_s * past_ms / 1000;
    pace_begin(pace, now_ms, got);
    return slow;
}
