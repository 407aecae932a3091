/* seed.h - random cases, the same in each run: another seed comes by LOA_SEED. It is printed. */
#ifndef LOA_UNIT_SEED_H
#define LOA_UNIT_SEED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The seed of this run. */
static inline uint64_t seed_of_run(void)
{
    const char *given = getenv("LOA_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 1;
    printf("LOA_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

static uint64_t seed_state;

static inline void seed_begin(void)
{
    seed_state = seed_of_run();
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
