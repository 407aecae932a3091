/* scene.c - see scene.h. */
#include "time/scene.h"

#include <string.h>

static size_t allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size)
{
    allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

struct day *day;

int set_up(void **state)
{
    (void)state;
    static struct day fresh;
    memset(&fresh, 0, sizeof(fresh));
    day = &fresh;
    day->in = (struct arbiter_inputs){.now_ms = T0,
                                      .elapsed_ms = HOUR_MS,
                                      .grade = GRADE_SYNCED,
                                      .items = day->items,
                                      .item_bulletins = day->bulletins,
                                      .orders = day->orders,
                                      .quiet = day->quiet};
    return 0;
}

struct air_item *add_item(uint64_t key, int64_t at_ms)
{
    struct air_item *item = &day->items[day->in.n_items];
    day->bulletins[day->in.n_items++] = key + 1000;
    *item = (struct air_item){.key = key,
                              .start_ms = T0 + at_ms,
                              .end_ms = T0 + at_ms + 72000,
                              .late_ms = MIN_MS,
                              .length_ms = 10000,
                              .class = CLASS_NORMAL};
    return item;
}

struct air_order *add_order(enum order_kind kind, uint64_t key, int64_t from_ms, int64_t to_ms)
{
    struct air_order *order = &day->orders[day->in.n_orders++];
    *order = (struct air_order){.key = key,
                                .kind = kind,
                                .class = CLASS_NORMAL,
                                .start_ms = T0 + from_ms,
                                .end_ms = T0 + to_ms,
                                .length_ms = kind == ORDER_ALERT || kind == ORDER_NOTICE ? 10000 : 0};
    return order;
}

const struct decision *ask(int64_t at_ms)
{
    day->in.elapsed_ms += T0 + at_ms - day->in.now_ms;
    day->in.now_ms = T0 + at_ms;
    size_t before = allocations;
    arbiter_step(&day->in, &day->ledger, &day->d, &day->ledger);
    assert_int_equal(allocations, before);
    day->in.finished = day->in.failed = day->in.restarted = false;
    if (day->d.store)
        day->stored = day->ledger;
    return &day->d;
}

const struct decision *finish(int64_t at_ms)
{
    day->in.finished = true;
    return ask(at_ms);
}

void assert_on(uint64_t key)
{
    assert_int_equal(day->d.on != ON_NOTHING ? day->d.key : 0, key);
}

void assert_ended(uint64_t key, enum reason reason)
{
    assert_int_equal(day->d.n_ended, 1);
    assert_int_equal(day->d.ended[0].key, key);
    assert_string_equal(reason_names[day->d.ended[0].reason], reason_names[reason]);
    assert_true(day->d.store);
}
