/* random_day.c - see random_day.h: how a day is made. */
#include "time/random_day.h"

#include <string.h>

struct day *day;

static uint32_t random_zones(void)
{
    return one_in(2) ? 0 : (uint32_t)between(1, 7);
}

static void make_item(size_t i, int64_t span_ms)
{
    struct air_item *item = &day->pool[i];
    *item = (struct air_item){.key = i + 1,
                              .start_ms = T0 + between(-5000, span_ms),
                              .late_ms = one_in(4) ? 0 : between(0, 30000),
                              .wait_ms = one_in(3) ? 0 : between(0, 8000),
                              .length_ms = between(300, 20000),
                              .class = one_in(25) ? CLASS_EMERGENCY : (enum air_class)between(0, 2),
                              .policy = (enum cut_policy)between(CUT_DROP, CUT_RESTART),
                              .zones = random_zones(),
                              .exempt = one_in(6),
                              .catch_up_ms = one_in(4) ? between(1, 60000) : 0};
    item->end_ms = item->start_ms + (one_in(4) ? between(1, 15000) : item->late_ms + item->length_ms + 2000);
    day->pool_bulletins[i] = (uint64_t)between(0, BULLETINS);
    day->item_named[i] = !one_in(6);
}

static uint64_t some_order(enum order_kind first, enum order_kind last)
{
    for (size_t i = 0; i < day->n_order_pool; i++)
        if (day->order_pool[i].kind >= first && day->order_pool[i].kind <= last && one_in(2))
            return ORDER_KEY + i;
    return 1;
}

static void make_order(size_t i, int64_t span_ms)
{
    struct air_order *order = &day->order_pool[i];
    *order = (struct air_order){.key = ORDER_KEY + i,
                                .kind = (enum order_kind)between(ORDER_ALERT, ORDER_RECALL),
                                .class = (enum air_class)between(CLASS_FILLER, CLASS_PRIORITY),
                                .start_ms = T0 + between(-5000, span_ms),
                                .length_ms = between(300, 10000),
                                .gap_ms = one_in(2) ? 0 : between(0, 5000),
                                .wait_ms = between(0, 5000),
                                .plays = (uint32_t)between(0, 3),
                                .bulletin = (uint64_t)between(0, BULLETINS),
                                .zones = random_zones(),
                                .confirmed = one_in(2)};
    order->end_ms = order->start_ms + between(1, span_ms / 3);
    if (order->kind == ORDER_LIVE)
        order->length_ms = 0;
    if (order->kind == ORDER_LIFT)
        order->target = some_order(ORDER_SILENCE, ORDER_SILENCE);
    else if (order->kind == ORDER_CANCEL)
        order->target = some_order(ORDER_ALERT, ORDER_PAUSE);
    else if (order->kind == ORDER_RECALL)
        order->target = (uint64_t)between(1, BULLETINS);
    day->order_named[i] = one_in(3);
}

void name_documents(void)
{
    size_t n = 0;
    for (size_t i = 0; i < day->n_pool; i++) {
        if (!day->item_named[i])
            continue;
        day->bulletins[n] = day->pool_bulletins[i];
        day->items[n++] = day->pool[i];
    }
    day->in.n_items = n;
    arbiter_sort(day->items, day->bulletins, n);
    n = 0;
    for (size_t i = 0; i < day->n_order_pool; i++)
        if (day->order_named[i])
            day->orders[n++] = day->order_pool[i];
    day->in.n_orders = n;
}

void make_quiet(int64_t span_ms)
{
    day->in.n_quiet = one_in(3) ? (size_t)between(1, QUIET_MAX) : 0;
    for (size_t i = 0; i < day->in.n_quiet; i++) {
        day->quiet[i].from_ms = T0 + between(0, span_ms);
        day->quiet[i].to_ms = day->quiet[i].from_ms + between(0, span_ms / 6);
    }
}

void make_day(struct day *at, uint64_t seed, int64_t span_ms)
{
    day = at;
    memset(day, 0, sizeof(*day));
    day->seed = seed;
    day->rng = mixed(seed);
    day->done_elapsed_ms = NEVER;
    day->n_pool = (size_t)between(1, ITEMS_MAX);
    for (size_t i = 0; i < day->n_pool; i++)
        make_item(i, span_ms);
    size_t n_orders = one_in(3) ? 0 : (size_t)between(0, ORDERS_MAX);
    for (size_t i = 0; i < n_orders; i++, day->n_order_pool = i)
        make_order(i, span_ms);
    day->in = (struct arbiter_inputs){.now_ms = T0 - between(0, 6000),
                                      .elapsed_ms = between(0, HOUR_MS),
                                      .grade = GRADE_SYNCED,
                                      .items = day->items,
                                      .item_bulletins = day->bulletins,
                                      .orders = day->orders,
                                      .quiet = day->quiet};
    make_quiet(span_ms);
    name_documents();
}
