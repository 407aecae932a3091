/* test_quota.c - which blobs stay: properties over random vaults, LOA_SEED repeats a run. */
#include "unit.h"

#include "firmware/quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOBS_MAX = 40, VAULTS = 3000 };

static uint64_t seed;

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014). */
static int64_t below(int64_t bound)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (int64_t)((z ^ z >> 31) % (uint64_t)bound);
}

static size_t random_vault(struct quota_blob *blobs)
{
    size_t n = (size_t)below(BLOBS_MAX + 1);
    for (size_t i = 0; i < n; i++) {
        bool unused = below(3) == 0;
        blobs[i] = (struct quota_blob){.size = 1 + below(100),
                                       .due_ms = unused ? QUOTA_UNUSED : below(20),
                                       .used_s = below(20),
                                       .here = unused || below(2),
                                       .keep = !unused && below(5) == 0};
        blobs[i].hash = hash_of(&i, sizeof(i));
    }
    return n;
}

static int64_t bytes_here(const struct quota_blob *blobs, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += blobs[i].here ? blobs[i].size : 0;
    return sum;
}

static bool carry_out(struct quota_blob *blobs, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        assert_false(blobs[i].evict && (blobs[i].keep || blobs[i].in || !blobs[i].here));
        any |= blobs[i].evict || (blobs[i].in && !blobs[i].here);
        blobs[i].here = blobs[i].in || (blobs[i].here && !blobs[i].evict);
    }
    return any;
}

/* What was evicted had no room after what is needed sooner; unused ones go before any that is needed. */
static void check_order(const struct quota_blob *blobs, size_t n, int64_t room)
{
    for (size_t i = 0; i < n; i++) {
        if (!blobs[i].evict)
            continue;
        int64_t sooner = 0;
        for (size_t k = 0; k < n; k++) {
            const struct quota_blob *other = &blobs[k];
            bool unused = other->due_ms == QUOTA_UNUSED;
            if (other->in && (other->keep || other->due_ms <= blobs[i].due_ms))
                sooner += other->size;
            if (blobs[i].due_ms == QUOTA_UNUSED && unused && other->here && !other->evict && !other->in)
                assert_true(other->used_s >= blobs[i].used_s);
            if (blobs[i].due_ms != QUOTA_UNUSED && unused && other->here)
                assert_true(other->evict || other->in); /* in: small enough to lie beside all that is needed */
        }
        assert_true(sooner + blobs[i].size > room);
    }
}

static void properties(void **state)
{
    (void)state;
    struct quota_blob blobs[BLOBS_MAX];
    for (int v = 0; v < VAULTS; v++) {
        size_t n = random_vault(blobs);
        int64_t room = below(2000), most = room + below(50), kept = 0;
        for (size_t i = 0; i < n; i++)
            kept += blobs[i].keep && blobs[i].here ? blobs[i].size : 0;
        quota_plan(blobs, n, room, most);
        check_order(blobs, n, room);
        carry_out(blobs, n);
        assert_true(bytes_here(blobs, n) <= (kept > most ? kept : most));
        quota_plan(blobs, n, room, most);
        assert_false(carry_out(blobs, n)); /* at rest: nothing is fetched and evicted in turn */
    }
}

static struct quota_blob blob(char name, int64_t size, int64_t due_ms, int64_t used_s, bool here, bool keep)
{
    struct quota_blob b = {.size = size, .due_ms = due_ms, .used_s = used_s, .here = here, .keep = keep};
    memset(b.hash.hex, name, HASH_HEX_LEN);
    return b;
}

static const struct quota_blob *find(const struct quota_blob *blobs, size_t n, char name)
{
    for (size_t i = 0; i < n; i++)
        if (blobs[i].hash.hex[0] == name)
            return &blobs[i];
    return NULL;
}

static void the_promised_order(void **state)
{
    (void)state;
    struct quota_blob blobs[] = {
        blob('a', 10, QUOTA_UNUSED, 5, true, false), /* unused, old */
        blob('b', 10, QUOTA_UNUSED, 9, true, false), /* unused, used lately */
        blob('c', 10, 500, 0, true, false),          /* needed late */
        blob('d', 10, 100, 0, true, false),          /* needed soon */
        blob('e', 10, 900, 0, true, true),           /* pinned: needed who knows when */
        blob('f', 15, 200, 0, false, false),         /* to be fetched */
    };
    quota_plan(blobs, 6, 50, 50);
    assert_true(find(blobs, 6, 'f')->in);
    assert_true(find(blobs, 6, 'a')->evict);
    assert_true(find(blobs, 6, 'b')->evict);
    assert_false(find(blobs, 6, 'c')->evict || find(blobs, 6, 'd')->evict || find(blobs, 6, 'e')->evict);
    quota_plan(blobs, 6, 40, 40);
    assert_true(find(blobs, 6, 'c')->evict); /* needed after what is fetched */
    assert_false(find(blobs, 6, 'd')->evict || find(blobs, 6, 'e')->evict);
    quota_plan(blobs, 6, 30, 30);
    assert_false(
        find(blobs, 6, 'f')->in); /* 15 do not fit beside what is sooner or pinned; nothing is evicted for it */
    assert_false(find(blobs, 6, 'c')->evict);
    quota_plan(blobs, 6, 0, 0);
    assert_true(find(blobs, 6, 'd')->evict);
    assert_false(find(blobs, 6, 'e')->evict); /* never */
}

static void room_leaves_a_reserve(void **state)
{
    (void)state;
    assert_int_equal(quota_room(1000, 300, 5000, 64), 1000);
    assert_int_equal(quota_room(1000, 300, 200, 64), 436);
    assert_int_equal(quota_room(1000, 300, 10, 64), 246); /* others filled the disk: some of ours goes */
    assert_int_equal(quota_room(1000, 10, 10, 64), 0);
}

int main(void)
{
    const char *given = getenv("LOA_SEED");
    if (given)
        seed = strtoull(given, NULL, 0);
    else
        random_bytes(&seed, sizeof(seed));
    printf("LOA_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(properties), cmocka_unit_test(the_promised_order),
                                       cmocka_unit_test(room_leaves_a_reserve)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
