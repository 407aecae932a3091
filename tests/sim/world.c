/* world.c - see sim.h. */
#include "tests/sim/world_parts.h"

#include "playlists/base/file.h"
#include "playlists/base/log.h"

#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECOND_MS = 1000, FD_MAX = 16 };

#define DEVICE "loa-thu"

/* --- life of the agent --- */

static void bury(struct world *world)
{
    agent_free(world->agent);
    world->agent = NULL;
}

static void on_supervisor(uv_timer_t *timer)
{
    struct world *world = timer->data;
    if (world->agent) { /* it has ended in order: first it goes, then it comes again */
        bury(world);
        if (world->restart_ms >= 0)
            uv_timer_start(timer, on_supervisor, (uint64_t)world->restart_ms, 0);
        return;
    }
    world_boot(world);
}

static void on_stopped(void *arg)
{
    struct world *world = arg;
    world->n_stops++;
    uv_timer_start(&world->supervisor, on_supervisor, 200, 0); /* the link gets a moment, as in main.c */
}

void world_boot(struct world *world)
{
    struct complaint why = {0};
    world->n_boots++;
    uv_timer_stop(&world->supervisor);
    if (agent_new(&world->loop, &world->settings, &world->site, &world->centre->box, on_stopped, world, &world->agent,
                  &why) < 0) {
        fprintf(stderr, "the agent cannot start: %s\n", why.text);
        abort();
    }
}

/* Files of the store as they are on disk now. The index of the WAL is made anew by whoever opens it first. */
static const char *const store_files[] = {"vault.db", "vault.db-wal"};
enum { STORE_FILES = 2 };

void world_kill(struct world *world)
{
    struct buf kept[STORE_FILES] = {0};
    bool there[STORE_FILES];
    uv_timer_stop(&world->supervisor);
    if (!world->agent)
        return;
    for (int i = 0; i < STORE_FILES; i++) {
        char *path = xasprintf("%s/%s", world->settings.vault_dir, store_files[i]);
        there[i] = file_read_whole(path, (size_t)1 << 30, &kept[i]) == 0;
        free(path);
    }
    bury(world);
    for (int i = 0; i < STORE_FILES; i++) {
        char *path = xasprintf("%s/%s", world->settings.vault_dir, store_files[i]);
        unlink(path);
        if (there[i] && file_write_whole(path, kept[i].data, kept[i].len, 0600) < 0)
            abort();
        free(path);
        buf_done(&kept[i]);
    }
}

void world_stop(struct world *world)
{
    int64_t restart_ms = world->restart_ms;
    world->restart_ms = -1;
    agent_stop(world->agent);
    while (world->agent)
        world_run_ms(world, 100);
    world->restart_ms = restart_ms;
}

void world_power_cut(struct world *world, int64_t for_ms)
{
    world_kill(world);
    world_run_ms(world, for_ms);
    sim_reboot();
    world_boot(world);
}

/* --- time --- */

static void on_until(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

void world_run_ms(struct world *world, int64_t ms)
{
    uv_update_time(&world->loop);
    uv_timer_start(&world->until, on_until, ms > 0 ? (uint64_t)ms : 0, 0);
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

void world_run_until(struct world *world, int64_t true_ms)
{
    world_run_ms(world, true_ms - sim_true_ms());
}

void world_network(struct world *world, bool there)
{
    net_there(world->net, there);
}

/* --- made and ended --- */

static void say(void *arg, const char *topic, const void *payload, size_t len, bool retain)
{
    struct world *world = arg;
    net_publish(world->net, topic, payload, len, retain);
}

static void make_settings(struct world *world)
{
    char *vault = world->texts[0] = xasprintf("%s/vault", world->folder);
    char *socket = world->texts[1] = xasprintf("%s/link", world->folder);
    char *spool = world->texts[2] = xasprintf("%s/spool", world->folder);
    if (mkdir(vault, 0700) < 0 || mkdir(spool, 0700) < 0)
        abort();
    world->settings = (struct settings){.device = DEVICE,
                                        .serial = "sim-1",
                                        .vault_dir = vault,
                                        .link_path = socket,
                                        .spool_dir = spool,
                                        .roots = {world->centre->root.x, NULL}};
    world->site.sound = (struct site_sound){.wired = true, .device = "sim", .rate_hz = 48000, .channels = 1};
}

struct world *world_new(const struct world_options *options)
{
    struct world *world = xcalloc(1, sizeof(*world));
    const char *level = getenv("LOA_SIM_LOG");
    const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    log_setup("sim", level ? (enum log_level)atoi(level) : 0);
    snprintf(world->folder, sizeof(world->folder), "%s/loa-sim-XXXXXX", top);
    if (!mkdtemp(world->folder))
        abort();
    signal(SIGPIPE, SIG_IGN); /* as main.c does */
    sim_clock_start(options->true_ms, options->seed);
    sim_synced(options->synced);
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->until);
    uv_timer_init(&world->loop, &world->supervisor);
    world->until.data = world->supervisor.data = world;
    world->restart_ms = SECOND_MS;
    world->centre = centre_new(&world->loop, DEVICE, options->kind, say, world);
    make_settings(world);
    world->net = net_new(&world->loop, world->settings.link_path, world->settings.spool_dir, &world->centre);
    net_tap(world->net, world_tap, world);
    outputs_watch(world_output, world);
    return world;
}

void world_begin(struct world *world)
{
    centre_trust(world->centre);
    centre_keys(world->centre);
    centre_config(world->centre);
    centre_playlist(world->centre);
    world_network(world, true);
    world_boot(world);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void world_free(struct world *world)
{
    bury(world);
    centre_free(world->centre);
    net_free(world->net);
    uv_close((uv_handle_t *)&world->until, NULL);
    uv_close((uv_handle_t *)&world->supervisor, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&world->loop) < 0)
        abort(); /* somebody left a handle behind */
    outputs_watch(NULL, NULL);
    sim_clock_end();
    nftw(world->folder, remove_one, FD_MAX, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < sizeof(world->texts) / sizeof(world->texts[0]); i++)
        free(world->texts[i]);
    free(world->airings);
    free(world->adoptions);
    free(world);
}

/* --- asked --- */

static int64_t number(sqlite3 *db, const char *sql, int kind)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_int(stmt, 1, kind);
        if (sqlite3_step(stmt) == SQLITE_ROW)
            value = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return value;
}

struct world_outbox world_outbox(const struct world *world, enum centre_kind kind)
{
    char *path = xasprintf("%s/vault.db", world->settings.vault_dir);
    sqlite3 *db = NULL;
    struct world_outbox ret = {0};
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK)
        ret = (struct world_outbox){.made = number(db, "SELECT made FROM mark WHERE kind=?", (int)kind),
                                    .stored = number(db, "SELECT stored FROM mark WHERE kind=?", (int)kind),
                                    .rows = number(db, "SELECT count(*) FROM outbox WHERE kind=?", (int)kind)};
    sqlite3_close(db);
    free(path);
    return ret;
}

bool world_settled(const struct world *world, const char **ret_why)
{
    static char why[200];
    const struct centre *centre = world->centre;
    *ret_why = why;
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++)
        if (!hash_equal(&centre->held_hash[type], &centre->docs[type].hash)) {
            snprintf(why, sizeof(why), "%s: the device says it holds %lld.%lld, the centre's newest is %lld.%lld",
                     doc_word(type), (long long)centre->held[type].era, (long long)centre->held[type].ver,
                     (long long)centre->docs[type].era, (long long)centre->docs[type].ver);
            return false;
        }
    for (int kind = 0; kind < CENTRE_KINDS; kind++) {
        struct world_outbox outbox = world_outbox(world, (enum centre_kind)kind);
        if (outbox.made != centre->lanes[kind].upto || outbox.stored != outbox.made) {
            snprintf(why, sizeof(why), "%s: %lld made, %lld at the centre, %lld marked as stored",
                     kind == CENTRE_RECEIPT ? "receipts" : "events", (long long)outbox.made,
                     (long long)centre->lanes[kind].upto, (long long)outbox.stored);
            return false;
        }
    }
    return true;
}
