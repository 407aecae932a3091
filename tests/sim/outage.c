/* outage.c - weeks without a network, then connecting: every receipt arrives once, at a bounded rate.
 *
 *     sim-outage days N [untimed]   40 items a day for N days, the network away after the first minutes; `untimed`:
 *                                   nobody disciplines the clock, so that trusted time ends after 72 hours
 *     sim-outage rows N             N receipts that lie in the outbox already */
#include "tests/sim/sim.h"

#include "firmware/letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START  INT64_C(1783036800000) /* 2026-07-03 07:00 in Viet Nam */
#define DAY    INT64_C(86400000)
#define MINUTE INT64_C(60000)
#define HELD   (72 * INT64_C(3600000))

enum { ITEMS_PER_DAY = 40, LATENCY_MS = 100, BATCH = 1000, DRAIN_MAX_S = 7200 };

static int failures;

static void check(bool good, const char *what)
{
    if (!good && ++failures <= 10)
        printf("  wrong: %s\n", what);
}

static struct world *make_world(bool synced)
{
    struct world *world =
        world_new(&(struct world_options){.seed = 30, .true_ms = START, .kind = KIND_CLUSTER, .synced = synced});
    net_latency(world->net, LATENCY_MS);
    centre_bulletin(world->centre, "b0", "Xin chào", 20000);
    centre_bulletin(world->centre, "b1", NULL, 30000);
    centre_bulletin(world->centre, "b2", "Chợ phiên mở lúc 7 giờ", 0);
    return world;
}

/* Receipts that came within any one second. */
static int64_t highest_rate(const struct centre_lane *lane)
{
    int64_t highest = 0;
    for (size_t i = 0, from = 0; i < lane->n; i++) {
        while (lane->rows[from].came_ms <= lane->rows[i].came_ms - 1000)
            from++;
        int64_t n = (int64_t)(i - from) + 1;
        highest = n > highest ? n : highest;
    }
    return highest;
}

/* Connect, and wait until all is with the centre and the device knows it. */
static void drain(struct world *world, const char *what, int64_t rows)
{
    const struct centre_lane *lane = &world->centre->lanes[CENTRE_RECEIPT];
    int64_t from_ms = sim_true_ms(), real_ms = sim_real_ms();
    size_t most = 0, repeated = world->centre->n_repeated;
    const char *why = "";
    world_network(world, true);
    while (!world_settled(world, &why) && sim_true_ms() - from_ms < DRAIN_MAX_S * INT64_C(1000))
        world_run_ms(world, 500);
    net_waiting(world->net, &most);
    check(world_settled(world, &why), why);
    check(lane->upto == (int64_t)lane->n && lane->upto == rows, "every receipt is here, and no other");
    int64_t rate = highest_rate(lane);
    check(most <= 2 * OUTBOX_WINDOW, "no more than the window is unacknowledged");
    check(rate <= OUTBOX_RATE + OUTBOX_WINDOW, "the rate is bounded");
    check(world_fault(world) == NULL, world_fault(world) ? world_fault(world) : "");
    printf("%s: %lld receipts in %.1f s of simulated time, %lld in the fullest second, %zu unacknowledged at most, "
           "%zu came again; %.1f s of real time\n",
           what, (long long)lane->upto, (double)(sim_true_ms() - from_ms) / 1000, (long long)rate, most,
           world->centre->n_repeated - repeated, (double)(sim_real_ms() - real_ms) / 1000);
}

static void check_items(const struct world *world, bool timed)
{
    const struct centre *centre = world->centre;
    const struct centre_lane *lane = &centre->lanes[CENTRE_RECEIPT];
    size_t next = 0;
    for (size_t i = 0; i < centre->n_items; i++) {
        const struct playlist_item *item = &centre->items[i];
        size_t n = 0;
        const struct centre_row *row = NULL;
        for (size_t k = 0; k < lane->n; k++) /* items and receipts come in nearly the same order */
            if (strcmp(lane->rows[(next + k) % lane->n].occurrence, item->id) == 0) {
                row = &lane->rows[(next + k) % lane->n];
                next = (next + k) % lane->n;
                n++;
                break;
            }
        check(n == 1, item->id);
        if (!row)
            continue;
        bool trusted = timed || item->start_ms < START + HELD;
        bool near_end = !timed && llabs(item->start_ms - START - HELD) < 15 * MINUTE;
        check(near_end || row->reason == (trusted ? REASON_ON_TIME : REASON_NO_TIME), item->id);
        check(near_end || world_begun(world, item->id) == trusted, item->id);
        check(row->planned_ms == item->start_ms, item->id);
    }
}

static void days(int n, bool timed)
{
    struct world *world = make_world(timed);
    int64_t real_ms = sim_real_ms();
    for (int day = 0; day < n; day++)
        for (int i = 0; i < ITEMS_PER_DAY; i++)
            centre_item(world->centre, "r", (size_t)i % 3, START + day * DAY + 20 * MINUTE + i * 20 * MINUTE);
    world_begin(world);
    world_run_until(world, START + 5 * MINUTE);
    printf("the playlist of %zu items has %zu bytes\n", world->centre->n_items,
           strlen(world->centre->docs[DOC_PLAYLIST].sealed));
    world_network(world, false);
    world_run_until(world, START + n * DAY);
    int64_t rows = (int64_t)world->centre->n_items;
    printf("%d days went by in %.1f s of real time\n", n, (double)(sim_real_ms() - real_ms) / 1000);
    if (timed)
        check(world_outbox(world, CENTRE_RECEIPT).made == rows, "each item made one receipt");
    char what[60];
    snprintf(what, sizeof(what), "%d days, %s", n, timed ? "disciplined clock" : "no trusted time after 72 h");
    drain(world, what, rows);
    check_items(world, timed);
    world_free(world);
}

/* As the agent itself writes them. */
static void fill(struct world *world, int64_t rows)
{
    struct complaint why = {0};
    struct vault *vault = NULL;
    if (vault_open(world->settings.vault_dir, sim_true_ms(), &vault, &why) < 0) {
        fprintf(stderr, "%s\n", why.text);
        abort();
    }
    struct letters letters = {
        .signer = &world->centre->box, .vault = vault, .device = world->settings.device, .era = 1};
    struct outbox *outbox = outbox_new(vault, NULL, NULL);
    for (int64_t i = 0; i < rows;) {
        vault_begin(vault);
        for (int64_t end = i + BATCH < rows ? i + BATCH : rows; i < end; i++) {
            char id[40];
            snprintf(id, sizeof(id), "filled.%lld", (long long)i);
            struct receipt receipt = {.occurrence = id,
                                      .bulletin = world->centre->bulletins[0].ref.hash,
                                      .class = CLASS_NORMAL,
                                      .planned_ms = START + i * 1000,
                                      .reason = REASON_NO_TIME,
                                      .grade = "unknown"};
            if (letters_put_receipt(&letters, outbox, &receipt, START + i * 1000) < 0)
                abort();
        }
        if (vault_commit(vault) < 0)
            abort();
    }
    outbox_free(outbox);
    vault_close(vault);
}

static void rows(int64_t n)
{
    struct world *world = make_world(true);
    world_begin(world);
    world_run_ms(world, MINUTE);
    world_network(world, false);
    world_stop(world);
    int64_t real_ms = sim_real_ms();
    fill(world, n);
    printf("%lld rows were made in %.1f s of real time\n", (long long)n, (double)(sim_real_ms() - real_ms) / 1000);
    world_boot(world);
    world_run_ms(world, 5000);
    char what[60];
    snprintf(what, sizeof(what), "%lld rows", (long long)n);
    drain(world, what, n);
    world_free(world);
}

int main(int argc, char **argv)
{
    int64_t n = argc > 2 ? strtoll(argv[2], NULL, 10) : 0;
    bool untimed = argc == 4 && strcmp(argv[3], "untimed") == 0;
    if (n <= 0 || argc > 4 || (argc == 4 && !untimed)) {
        fputs("sim-outage days N [untimed] | sim-outage rows N\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "days") == 0)
        days((int)n, !untimed);
    else
        rows(n);
    printf("%s\n", failures ? "FAILED" : "ok");
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
