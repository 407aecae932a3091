/* seeds.c - the agent behind a hostile broker: one world per seed, and what must hold in each.
 *
 *     sim-seeds FIRST COUNT      run these seeds; the first that fails is named with its reason, and ends the run
 *     sim-seeds -k FIRST COUNT   go on after a failure, and count them
 *
 * LOA_SIM_LOG=6 shows the agent's own lines; a seed that failed fails again, step by step the same. */
#include "tests/sim/hostile.h"

#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON   INT64_C(1783054800000) /* 2026-07-03 12:00 in Viet Nam */
#define DAY    INT64_C(86400000)
#define MINUTE INT64_C(60000)

enum {
    LOOK_MS = 30000,
    SETTLE_MS = 7200000, /* an honest world gets so long */
    QUIET_MS = 120000,
    ITEMS_AHEAD_MS = 1200000,
    KNOWN_MS = 120000, /* a playlist that the device has had for so long names what it must answer for */
};

struct run {
    struct world *world;
    struct hostile *hostile;
    struct chance chance;
    int64_t start_ms, items_until_ms;
    size_t restarts, commands, kills, lists;
    struct {
        int64_t ver, until_ms;
    } playlists[200]; /* each version names all items up to here */
    size_t settled_after_s;
};

/* --- the centre --- */

static void add_items(struct run *run, int64_t until_ms)
{
    struct centre *centre = run->world->centre;
    while (run->items_until_ms < until_ms) {
        run->items_until_ms += 45000 + chance_below(&run->chance, 90000);
        uint32_t bulletin = chance_below(&run->chance, (uint32_t)centre->n_bulletins);
        struct playlist_item *item = centre_item(centre, "r", bulletin, run->items_until_ms / 1000 * 1000);
        item->policy = chance_hit(&run->chance, 25) ? CUT_RESUME : CUT_DROP;
        item->class = chance_hit(&run->chance, 15) ? CLASS_PRIORITY : CLASS_NORMAL;
        item->show_ms = chance_hit(&run->chance, 30) ? 30000 : 0;
    }
}

static void publish_playlist(struct run *run)
{
    centre_playlist(run->world->centre);
    run->playlists[run->lists].ver = run->world->centre->docs[DOC_PLAYLIST].ver;
    run->playlists[run->lists++].until_ms = run->items_until_ms;
}

/* What was valid a week ago: other versions, other sessions, an approver whose key is compromised since. */
static void last_week(struct run *run)
{
    struct centre *centre = run->world->centre;
    hostile_record(run->hostile);
    centre_trust(centre);
    centre_keys(centre);
    centre_config(centre);
    size_t b = centre_bulletin_by(centre, &centre->former, "b-old", "Tin đã thu hồi", 9000);
    struct playlist_item *item = centre_item(centre, "old", b, run->start_ms + 90000);
    item->late_ms = 1200000;
    centre_playlist(centre);
    centre->up = true;
    snprintf(centre->nonce, sizeof(centre->nonce), "nonce-of-last-week");
    snprintf(centre->store, sizeof(centre->store), "store-of-last-week");
    centre_welcome(centre);
    centre_command(centre, "old", "restart", 20000);
    world_run_ms(run->world, 30000);
    centre->up = false;
    centre->nonce[0] = centre->store[0] = '\0';
    centre->n_commands = 0;
    centre_take_back(centre);
    centre->former_end = KEY_COMPROMISED;
    centre->former_end_ms = run->start_ms - 3 * DAY;
}

static void make_run(struct run *run, uint64_t seed)
{
    static const int64_t sounds[] = {12000, 0, 20000, 7500, 30000};
    char id[16], text[40];
    memset(run, 0, sizeof(*run));
    run->chance.state = seed;
    run->start_ms = NOON + (int64_t)chance_below(&run->chance, 86400) * 1000;
    run->world =
        world_new(&(struct world_options){.seed = seed,
                                          .true_ms = run->start_ms - 7 * DAY,
                                          .kind = chance_hit(&run->chance, 30) ? KIND_LOUDSPEAKER : KIND_CLUSTER});
    run->hostile = hostile_new(run->world, seed);
    last_week(run);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof(id), "b%d", i);
        snprintf(text, sizeof(text), "Bản tin số %d", i);
        centre_bulletin(run->world->centre, id, i % 2 || sounds[i] == 0 ? text : NULL,
                        sounds[i] ? sounds[i] : (run->world->centre->config.kind == KIND_LOUDSPEAKER ? 5000 : 0));
    }
    world_run_until(run->world, run->start_ms);
    if (chance_hit(&run->chance, 20))
        sim_wall_set((int64_t)chance_below(&run->chance, 1000000000) * 1000); /* a clock that knows nothing */
    else
        sim_synced(chance_hit(&run->chance, 20));
    run->items_until_ms = run->start_ms;
    add_items(run, run->start_ms + ITEMS_AHEAD_MS);
}

/* --- what happens meanwhile --- */

static void command(struct run *run)
{
    char id[16];
    bool restart = chance_hit(&run->chance, 50);
    if (run->commands >= 12)
        return;
    snprintf(id, sizeof(id), "c%zu", ++run->commands);
    run->restarts += restart;
    centre_command(run->world->centre, id, restart ? "restart" : "blink", 20000 + chance_below(&run->chance, 40000));
}

static void fall(struct run *run)
{
    if (!run->world->agent || run->kills >= 3)
        return;
    run->kills++;
    if (chance_hit(&run->chance, 30)) {
        world_power_cut(run->world, chance_below(&run->chance, 90000));
    } else {
        world_kill(run->world);
        world_run_ms(run->world, 1000);
        world_boot(run->world);
    }
}

static void something(struct run *run)
{
    struct centre *centre = run->world->centre;
    uint32_t what = chance_below(&run->chance, 100);
    log_info("run", "true time %lld, event %u", (long long)sim_true_ms(), what);
    if (what < 40) {
        add_items(run, sim_true_ms() + ITEMS_AHEAD_MS);
        publish_playlist(run);
    } else if (what < 50) {
        centre_config(centre);
        publish_playlist(run);
    } else if (what < 60) {
        centre_keys(centre);
    } else if (what < 67) {
        centre->era += chance_hit(&run->chance, 50);
        centre_trust(centre);
        centre_keys(centre);
        centre_config(centre);
        publish_playlist(run);
    } else if (what < 82) {
        command(run);
    } else if (what < 92) {
        fall(run);
    } else {
        sim_synced(false); /* a disciplined clock does not jump */
        sim_wall_step((int64_t)chance_below(&run->chance, 7200000) - 3600000);
    }
}

/* --- what must hold --- */

/* Nobody but the centre's own welcome may empty a row. */
static void check_outbox(struct run *run)
{
    for (int kind = 0; kind < CENTRE_KINDS; kind++) {
        struct world_outbox outbox = world_outbox(run->world, (enum centre_kind)kind);
        if (outbox.rows != outbox.made)
            world_note_fault(run->world, "%lld rows were made of kind %d, %lld are there", (long long)outbox.made, kind,
                             (long long)outbox.rows);
        if (outbox.stored > run->world->centre->lanes[kind].upto)
            world_note_fault(run->world, "kind %d is marked as stored up to %lld, the centre has %lld", kind,
                             (long long)outbox.stored, (long long)run->world->centre->lanes[kind].upto);
    }
}

/* When the device said that it holds a list that names this moment; INT64_MAX: never. */
static int64_t known_since_ms(const struct run *run, int64_t start_ms)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < run->world->n_adoptions; i++)
        for (size_t k = 0; k < run->lists; k++)
            if (run->playlists[k].ver == run->world->adoptions[i].ver && run->playlists[k].until_ms >= start_ms &&
                run->world->adoptions[i].at_ms < first_ms)
                first_ms = run->world->adoptions[i].at_ms;
    return first_ms;
}

static void check_receipts(struct run *run)
{
    const struct centre *centre = run->world->centre;
    const struct centre_lane *lane = &centre->lanes[CENTRE_RECEIPT];
    for (size_t i = 0; i < lane->n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(lane->rows[i].occurrence, lane->rows[k].occurrence) == 0)
                world_note_fault(run->world, "two receipts of %s: %zu and %zu", lane->rows[i].occurrence, k + 1, i + 1);
    for (size_t i = 0; i < centre->n_items; i++) {
        const struct playlist_item *item = &centre->items[i];
        const struct centre_row *row = centre_receipt(centre, item->id);
        bool due = item->start_ms + item->late_ms + 60000 + KNOWN_MS < sim_true_ms();
        if (due && !row && known_since_ms(run, item->start_ms) + KNOWN_MS < item->start_ms)
            world_note_fault(run->world, "%s has no receipt", item->id);
        if (!row && world_begun(run->world, item->id) && due)
            world_note_fault(run->world, "%s was put out and has no receipt", item->id);
        if (row && (row->started_ms != 0) != (world_begun(run->world, item->id) > 0))
            world_note_fault(run->world, "the receipt of %s says started=%lld, it began %zu times", item->id,
                             (long long)row->started_ms, world_begun(run->world, item->id));
    }
}

static void settle(struct run *run)
{
    const char *why = "";
    int64_t from_ms = sim_true_ms();
    hostile_behave(run->hostile);
    while (!world_fault(run->world)) {
        world_run_ms(run->world, LOOK_MS);
        if (world_settled(run->world, &why))
            break;
        if (sim_true_ms() - from_ms > SETTLE_MS)
            world_note_fault(run->world, "an honest world is not right after two hours: %s", why);
    }
    run->settled_after_s = (size_t)((sim_true_ms() - from_ms) / 1000);
    world_run_ms(run->world, QUIET_MS);
    for (int i = 0; i < 20 && !world_settled(run->world, &why); i++)
        world_run_ms(run->world, 1000); /* something may just have ended */
    if (!world_settled(run->world, &why))
        world_note_fault(run->world, "once right, it did not stay so: %s", why);
    if (run->world->n_stops > run->restarts)
        world_note_fault(run->world, "%zu restarts were ordered, %zu came about", run->restarts, run->world->n_stops);
    check_receipts(run);
}

static bool run_seed(uint64_t seed, size_t *ret_settled_s, char ret_fault[400])
{
    struct run run;
    make_run(&run, seed);
    int64_t end_ms = run.start_ms + 4 * MINUTE + (int64_t)chance_below(&run.chance, 300) * 1000;
    if (chance_hit(&run.chance, 60))
        hostile_attack(run.hostile);
    centre_trust(run.world->centre);
    centre_keys(run.world->centre);
    centre_config(run.world->centre);
    publish_playlist(&run);
    world_network(run.world, true);
    world_boot(run.world);
    if (chance_hit(&run.chance, 50))
        world_run_ms(run.world, chance_below(&run.chance, 90000));
    hostile_attack(run.hostile);
    while (sim_true_ms() < end_ms && !world_fault(run.world)) {
        world_run_ms(run.world, 5000 + chance_below(&run.chance, 40000));
        check_outbox(&run);
        something(&run);
    }
    settle(&run);
    check_outbox(&run);
    const char *fault = world_fault(run.world);
    snprintf(ret_fault, 400, "%s", fault ? fault : "");
    *ret_settled_s = run.settled_after_s;
    hostile_free(run.hostile);
    world_free(run.world);
    return fault == NULL;
}

int main(int argc, char **argv)
{
    bool keep_on = argc == 4 && strcmp(argv[1], "-k") == 0;
    if (argc != 3 + keep_on) {
        fputs("sim-seeds [-k] FIRST COUNT\n", stderr);
        return 2;
    }
    uint64_t first = strtoull(argv[1 + keep_on], NULL, 10), count = strtoull(argv[2 + keep_on], NULL, 10);
    int64_t began_ms = sim_real_ms();
    size_t failed = 0, longest_s = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        char fault[400];
        size_t settled_s = 0;
        bool good = run_seed(seed, &settled_s, fault);
        longest_s = settled_s > longest_s ? settled_s : longest_s;
        if (good)
            continue;
        failed++;
        printf("seed %llu fails: %s\n", (unsigned long long)seed, fault);
        fflush(stdout);
        if (!keep_on)
            break;
    }
    printf("seeds %llu to %llu: %zu failed; right again after %zu s of honesty at most; took %.1f s\n",
           (unsigned long long)first, (unsigned long long)(first + count - 1), failed, longest_s,
           (double)(sim_real_ms() - began_ms) / 1000);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
