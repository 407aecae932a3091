/* throttle.c - see throttle.h. */
#include "controller/throttle.h"

#include <stdio.h>
#include <string.h>

static int find(const struct throttle *throttle, const char *address)
{
    for (int i = 0; i < THROTTLE_ENTRIES; i++)
        if (throttle->entry[i].failures > 0 && strcmp(throttle->entry[i].address, address) == 0)
            return i;
    return -1;
}

static int oldest(const struct throttle *throttle)
{
    int best = 0;
    for (int i = 0; i < THROTTLE_ENTRIES; i++) {
        if (throttle->entry[i].failures == 0)
            return i;
        if (throttle->entry[i].since_ms < throttle->entry[best].since_ms)
            best = i;
    }
    return best;
}

void throttle_failed(struct throttle *throttle, const char *address, int64_t now_ms)
{
    int i = find(throttle, address);
    if (i < 0 || now_ms - throttle->entry[i].since_ms >= THROTTLE_WINDOW_MS) {
        i = i < 0 ? oldest(throttle) : i;
        snprintf(throttle->entry[i].address, sizeof(throttle->entry[i].address), "%s", address);
        throttle->entry[i].since_ms = now_ms;
        throttle->entry[i].failures = 0;
    }
    throttle->entry[i].failures++;
}

int throttle_wait_s(const struct throttle *throttle, const char *address, int64_t now_ms)
{
    int i = find(throttle, address);
    if (i < 0 || throttle->entry[i].failures < THROTTLE_FAILURES)
        return 0;
    int64_t left_ms = throttle->entry[i].since_ms + THROTTLE_WINDOW_MS - now_ms;
    return left_ms > 0 ? (int)(left_ms / 1000 + 1) : 0;
}
