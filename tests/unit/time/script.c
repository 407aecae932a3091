/* script.c - see script.h. */
#include "time/script.h"

#include <stdlib.h>
#include <string.h>

static uint64_t rng;

static uint64_t next_random(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(next_random() % (uint64_t)(high - low + 1));
}

static bool one_in(int n)
{
    return between(1, n) == 1;
}

static void make_item(struct script *s, size_t i)
{
    static const enum air_class classes[] = {CLASS_FILLER, CLASS_NORMAL, CLASS_NORMAL, CLASS_PRIORITY, CLASS_EMERGENCY};
    struct air_item *item = &s->items[i];
    bool emergency = one_in(20);
    *item = (struct air_item){.key = i + 1,
                              .start_ms = T0 + between(-20000, SPAN_MS),
                              .late_ms = between(0, 20) * 1000,
                              .wait_ms = between(0, 5) * 1000,
                              .length_ms = between(1, 200) * 100,
                              .class = classes[emergency ? 4 : between(0, 3)],
                              .policy = (enum cut_policy)between(0, 2),
                              .exempt = one_in(6),
                              .catch_up_ms = one_in(3) ? between(1, 90) * 1000 : 0};
    item->end_ms = item->start_ms + (one_in(4) ? between(1, 20000) : item->late_ms + item->length_ms + 2000);
    s->bulletins[i] = 100 + (uint64_t)between(0, 9);
    s->play_ms[i] = one_in(15) ? NEVER : item->length_ms + between(0, 300);
    s->fails[i] = one_in(12);
}

static void make_order(struct script *s, size_t i)
{
    struct air_order *order = &s->orders[i];
    *order = (struct air_order){.key = 1000 + i,
                                .kind = (enum order_kind)between(ORDER_ALERT, ORDER_RECALL),
                                .class = (enum air_class)between(CLASS_NORMAL, CLASS_EMERGENCY),
                                .start_ms = T0 + between(0, SPAN_MS),
                                .length_ms = between(10, 100) * 100,
                                .gap_ms = between(0, 3) * 2000,
                                .wait_ms = between(0, 2) * 1000,
                                .plays = (uint32_t)between(0, 2),
                                .bulletin = 100 + (uint64_t)between(0, 9),
                                .confirmed = one_in(2)};
    if (order->kind == ORDER_SILENCE && !one_in(4))
        order->kind = ORDER_NOTICE;
    order->end_ms = order->start_ms + between(1, 60) * 1000;
    order->target = 1000 + (uint64_t)between(0, ORDERS - 1);
    if (order->kind == ORDER_RECALL)
        order->target = 100 + (uint64_t)between(0, 9);
    if (order->kind == ORDER_LIVE)
        order->length_ms = 0;
    s->play_ms[ITEMS + i] = order->kind == ORDER_LIVE ? NEVER : order->length_ms + between(0, 300);
    s->fails[ITEMS + i] = one_in(8);
}

static int by_time(const void *a, const void *b)
{
    const struct happening *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

void make_script(struct script *s, uint64_t seed)
{
    static const int64_t steps[] = {HOUR_MS, -HOUR_MS, 14 * 24 * HOUR_MS, -14 * 24 * HOUR_MS, 30000, -30000};
    memset(s, 0, sizeof(*s));
    rng = seed ? seed : 1;
    for (int warm = 0; warm < 8; warm++)
        next_random();
    for (size_t i = 0; i < ITEMS; i++)
        make_item(s, i);
    for (size_t i = 0; i < ORDERS; i++)
        make_order(s, i);
    for (size_t i = 0; i < 2; i++) {
        int64_t from_ms = T0 + between(0, SPAN_MS);
        s->quiet[i] = (struct quiet_span){from_ms, from_ms + between(0, 20000)};
    }
    s->n_events = (size_t)between(0, one_in(4) ? EVENTS : EVENTS / 6);
    bool calm = one_in(3); /* without steps, power cuts and dark spans more of the timetable is heard */
    for (size_t i = 0; i < s->n_events; i++) {
        struct happening *e = &s->events[i];
        *e = (struct happening){between(0, SPAN_MS), (enum happening_kind)between(STEP, EVENT_KINDS - 1), 0,
                                next_random()};
        if (calm && e->kind <= POWER_CUT)
            e->kind = BLOCK;
        e->amount = e->kind == STEP ? steps[one_in(3) ? between(0, 3) : between(4, 5)] : between(100, 30000);
    }
    qsort(s->events, s->n_events, sizeof(s->events[0]), by_time);
}
