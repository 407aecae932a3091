/* random_day.h - a random day for the arbiter, as the test that plays its caller lives it (one day at a time, in
 * `day`): how it is made, and how each answer is judged from outside, by what was asked and what was answered. */
#ifndef LOA_UNIT_TIME_RANDOM_DAY_H
#define LOA_UNIT_TIME_RANDOM_DAY_H

#include "unit.h"

#include "playlists/arbiter.h"

#include <inttypes.h>

/* 2026-07-01T05:00:00Z */
#define T0      INT64_C(1782882000000)
#define HOUR_MS INT64_C(3600000)
#define NEVER   INT64_MAX

enum { ITEMS_MAX = 40, ORDERS_MAX = 24, QUIET_MAX = 3, LOG_MAX = 4096, BULLETINS = 6, ORDER_KEY = 1000 };

/* What is known from outside of one occurrence or order. */
struct fate {
    bool on, begun, ended;
    int64_t at_ms;    /* of its first beginning */
    int64_t heard_ms; /* at the most */
};

struct told {
    int64_t asked_ms, at_ms;
    uint64_t key;
    int what;
};

struct day {
    uint64_t rng, seed;
    struct air_item pool[ITEMS_MAX], items[ITEMS_MAX];
    uint64_t pool_bulletins[ITEMS_MAX], bulletins[ITEMS_MAX];
    bool item_named[ITEMS_MAX], order_named[ORDERS_MAX];
    struct air_order order_pool[ORDERS_MAX], orders[ORDERS_MAX];
    struct quiet_span quiet[QUIET_MAX];
    size_t n_pool, n_order_pool;
    struct arbiter_inputs in;
    struct ledger ledger, stored;
    struct decision d;
    bool silenced[ORDERS_MAX], lifted[ORDERS_MAX];
    struct fate items_fate[ITEMS_MAX], orders_fate[ORDERS_MAX];
    /* the outputs */
    int64_t from_elapsed_ms, offset_ms, done_elapsed_ms;
    bool done_failed, resumed;
    uint64_t begins;
    /* what was done, for the comparison of two callers */
    struct told log[LOG_MAX];
    size_t n_log;
};

extern struct day *day;

#define HOLDS(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            fail_msg("LOA_SEED=%" PRIu64 " line %d: %s (now %+" PRId64 " elapsed %" PRId64 " on %" PRIu64 ")",         \
                     day->seed, __LINE__, #what, day->in.now_ms - T0, day->in.elapsed_ms, day->d.key);                 \
    } while (0)

static inline uint64_t mixed(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline int64_t between(int64_t low, int64_t high)
{
    day->rng = mixed(day->rng);
    return low + (int64_t)(day->rng % (uint64_t)(high - low + 1));
}

static inline bool one_in(int n)
{
    return between(1, n) == 1;
}

static inline bool known(void)
{
    return day->in.grade != GRADE_UNKNOWN;
}

/* `at` is the day from here on. */
void make_day(struct day *at, uint64_t seed, int64_t span_ms);
void make_quiet(int64_t span_ms); /* other quiet hours */
void name_documents(void);        /* what is named now becomes the inputs */

/* The arbiter has answered (day->d). */
void judge_answer(bool restarted);

#endif
