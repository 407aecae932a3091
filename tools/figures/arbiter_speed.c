/* arbiter_speed - how many steps a second the arbiter makes, and how many allocations.
 *
 *   arbiter_speed ITEMS SECONDS   {"items", "steps", "per_second", "month_steps", "allocations", "ledger_bytes",
 *                                  "copies"} on stdout
 *
 * A month of a device is walked as the agent walks it: asked at each moment that the last decision named, what is on
 * ends by itself, its ledger threaded from step to step; then the month begins anew. `month_steps`: steps of one month.
 * Every malloc, calloc and realloc of the process counts while it walks. `copies`: how often a second the ledger alone
 * is copied, which is what a step cannot do without. Exit 2: wrong use. */
#include "playlists/arbiter.h"
#include "playlists/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS   INT64_C(86400000)
#define BEGIN_MS INT64_C(1784000000000)

/* glibc's own, behind the names that count. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static volatile uint64_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    allocations++;
    return __libc_realloc(p, size);
}

enum { ORDERS = 4, SPANS = 32, ITEMS_MAX = 2000 };

struct month {
    struct air_item items[ITEMS_MAX];
    uint64_t bulletins[ITEMS_MAX];
    size_t n;
    struct air_order orders[ORDERS];
    struct quiet_span quiet[SPANS];
    struct ledger ledger;
    struct decision decision;
};

/* Items of all classes evenly over 30 days, some longer than the time to the next; three notices and an alert. */
static void make_month(struct month *month, size_t n)
{
    month->n = n;
    for (size_t i = 0; i < n; i++) {
        char id[40];
        int64_t start_ms = BEGIN_MS + 30 * DAY_MS * (int64_t)i / (int64_t)n;
        snprintf(id, sizeof(id), "r-%zu.%lld", i % 40, (long long)(start_ms / 1000));
        int64_t length_ms = i % 7 == 0 ? 3600000 : 120000;
        month->bulletins[i] = 1 + i % 40;
        month->items[i] = (struct air_item){.key = arbiter_key(id),
                                            .start_ms = start_ms,
                                            .end_ms = start_ms + length_ms + 3600000,
                                            .late_ms = 1800000,
                                            .length_ms = length_ms,
                                            .class = i % 11 == 0  ? CLASS_PRIORITY
                                                     : i % 5 == 0 ? CLASS_FILLER
                                                                  : CLASS_NORMAL,
                                            .policy = (enum cut_policy)(i % 3)};
    }
    for (size_t i = 0; i < ORDERS; i++)
        month->orders[i] = (struct air_order){.key = 100 + i,
                                              .kind = i ? ORDER_NOTICE : ORDER_ALERT,
                                              .class = i ? CLASS_PRIORITY : CLASS_EMERGENCY,
                                              .start_ms = BEGIN_MS + (int64_t)(3 + 7 * i) * DAY_MS,
                                              .end_ms = BEGIN_MS + (int64_t)(3 + 7 * i) * DAY_MS + 600000,
                                              .bulletin = 50 + i,
                                              .length_ms = 30000,
                                              .plays = 3,
                                              .gap_ms = 10000,
                                              .confirmed = true};
    for (int i = 0; i < SPANS; i++)
        month->quiet[i] =
            (struct quiet_span){BEGIN_MS + (i - 1) * DAY_MS + 50400000, BEGIN_MS + (i - 1) * DAY_MS + 79200000};
}

/* One month from a new ledger, or as much of it as there is time for. Returns its steps. */
static uint64_t walk(struct month *month, int64_t until_ms)
{
    uint64_t steps = 0;
    int64_t now_ms = BEGIN_MS, over_ms = INT64_MAX;
    memset(&month->ledger, 0, sizeof(month->ledger));
    while (now_ms < BEGIN_MS + 31 * DAY_MS && (steps % 256 != 0 || clock_elapsed_ms() < until_ms)) {
        struct arbiter_inputs inputs = {.now_ms = now_ms,
                                        .elapsed_ms = now_ms - BEGIN_MS + 1,
                                        .grade = GRADE_SYNCED,
                                        .items = month->items,
                                        .n_items = month->n,
                                        .item_bulletins = month->bulletins,
                                        .orders = month->orders,
                                        .n_orders = ORDERS,
                                        .quiet = month->quiet,
                                        .n_quiet = SPANS,
                                        .finished = now_ms >= over_ms};
        const struct decision *decision = &month->decision;
        arbiter_step(&inputs, &month->ledger, &month->decision, &month->ledger);
        steps++;
        if (decision->begins)
            over_ms = now_ms + (decision->on == ON_ITEM ? month->items[decision->index].length_ms : 30000) -
                      decision->offset_ms;
        else if (decision->on == ON_NOTHING)
            over_ms = INT64_MAX;
        int64_t next_ms = decision->next_ms < over_ms ? decision->next_ms : over_ms;
        if (next_ms - now_ms > 60000)
            next_ms = now_ms + 60000; /* the agent asks at least this often */
        now_ms = next_ms > now_ms ? next_ms : now_ms + 1;
    }
    return steps;
}

static double copies(struct month *month, int64_t span_ms)
{
    static struct ledger other;
    int64_t began_ms = clock_elapsed_ms(), n = 0;
    while (clock_elapsed_ms() - began_ms < span_ms) {
        memcpy(&other, &month->ledger, sizeof(other));
        __asm__ volatile("" : : "r"(&other) : "memory");
        n++;
    }
    return (double)n * 1000.0 / (double)span_ms;
}

int main(int argc, char **argv)
{
    size_t n = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;
    if (n < 1 || n > ITEMS_MAX || seconds <= 0) {
        fprintf(stderr, "usage: arbiter_speed ITEMS SECONDS (1 to %d items)\n", ITEMS_MAX);
        return 2;
    }
    static struct month month;
    make_month(&month, n);
    arbiter_sort(month.items, month.bulletins, n);
    uint64_t one = walk(&month, INT64_MAX), steps = 0;
    uint64_t before = allocations;
    int64_t began_ms = clock_elapsed_ms(), until_ms = began_ms + (int64_t)(seconds * 1000);
    while (clock_elapsed_ms() < until_ms)
        steps += walk(&month, until_ms);
    int64_t took_ms = clock_elapsed_ms() - began_ms;
    uint64_t made = allocations - before;
    printf("{\"items\": %zu, \"steps\": %llu, \"per_second\": %.0f, \"month_steps\": %llu, \"allocations\": %llu, "
           "\"ledger_bytes\": %zu, \"copies\": %.0f}\n",
           n, (unsigned long long)steps, (double)steps * 1000.0 / (double)took_ms, (unsigned long long)one,
           (unsigned long long)made, sizeof(struct ledger), copies(&month, 200));
    return 0;
}
