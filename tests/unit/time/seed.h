/* seed.h - random cases that can be had again: the seed is printed, and taken from LOA_SEED when it is set. */
#ifndef LOA_UNIT_TIME_SEED_H
#define LOA_UNIT_TIME_SEED_H

#include "playlists/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t seed_state;

static inline void seed_begin(void)
{
    const char *given = getenv("LOA_SEED");
    if (given)
        seed_state = strtoull(given, NULL, 0);
    else
        random_bytes(&seed_state, sizeof(seed_state));
    printf("LOA_SEED=%llu\n", (unsigned long long)seed_state);
    fflush(stdout);
}

/* A number in [low, high); splitmix64. */
static inline int64_t seed_between(int64_t low, int64_t high)
{
    uint64_t z = seed_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return low + (int64_t)((z ^ (z >> 31)) % (uint64_t)(high - low));
}

#endif
