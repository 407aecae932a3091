/* test_backoff.c - the delay before the next try: bounds, and that a crowd is really spread. LOA_SEED repeats a run. */
#include "unit.h"

#include "playlists/base/bytes.h"
#include "playlists/link/backoff.h"

#include <stdio.h>
#include <stdlib.h>

enum { BOXES = 20000, BINS = 20 };

static uint64_t seed;

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014). */
static uint32_t next_chance(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

static void test_bounds(void **state)
{
    (void)state;
    struct backoff b = {.spread_ms = 45000, .base_ms = 1000, .max_ms = 300000};
    const int64_t caps[] = {45000, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000};
    for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        assert_int_equal(backoff_delay_ms(&b, i, 0), 0);
        assert_int_equal(backoff_delay_ms(&b, i, UINT32_MAX), caps[i]);
    }
    assert_int_equal(backoff_delay_ms(&b, 1000000, UINT32_MAX), 300000);
    assert_int_equal(backoff_delay_ms(&b, UINT32_MAX, UINT32_MAX), 300000);
    b.spread_ms = 0;
    assert_int_equal(backoff_delay_ms(&b, 0, UINT32_MAX), 0);
    b = (struct backoff){.base_ms = 2000, .max_ms = 60000, .floor_ms = 1000};
    assert_int_equal(backoff_delay_ms(&b, 1, 0), 1000);
    assert_int_equal(backoff_delay_ms(&b, 1, UINT32_MAX), 2000);
    assert_int_equal(backoff_delay_ms(&b, 20, UINT32_MAX), 60000);
    b.max_ms = 500;
    assert_int_equal(backoff_delay_ms(&b, 9, UINT32_MAX), 1000);
}

/* Each bin of the window holds its share: 1000 expected, 6 standard deviations (about 31 each) allowed. */
static void check_uniform(const struct backoff *b, unsigned attempt, int64_t window_ms)
{
    unsigned bins[BINS] = {0};
    for (int i = 0; i < BOXES; i++) {
        int64_t ms = backoff_delay_ms(b, attempt, next_chance());
        assert_in_range(ms, 0, window_ms);
        bins[ms * BINS / (window_ms + 1)]++;
    }
    for (int i = 0; i < BINS; i++)
        assert_in_range(bins[i], BOXES / BINS - 190, BOXES / BINS + 190);
}

static void test_a_crowd_is_spread(void **state)
{
    (void)state;
    struct backoff b = {.spread_ms = 45000, .base_ms = 1000, .max_ms = 300000};
    check_uniform(&b, 0, 45000);
    check_uniform(&b, 4, 8000);
    check_uniform(&b, 30, 300000);
}

int main(void)
{
    const char *given = getenv("LOA_SEED");
    if (given)
        seed = strtoull(given, NULL, 0);
    else
        random_bytes(&seed, sizeof(seed));
    printf("LOA_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds), cmocka_unit_test(test_a_crowd_is_spread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
