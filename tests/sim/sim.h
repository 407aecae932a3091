/* sim.h - a whole site in one process on a simulated clock: the agent as it is shipped (loa_firmware), the outputs of a
 * perfect box (tools/fleet-agents/outputs.h), a model centre, and a network that a test can cut or replace.
 *
 * Days pass in seconds, and the same seed gives the same run. One world at a time. What must never happen is watched
 * all the time and noted in `fault` (see world_fault()): something put out that nobody signed, an occurrence put on
 * air twice, an item of nobody's playlist.
 *
 *     struct world *world = world_new(&(struct world_options){.seed = 1, .true_ms = noon});
 *     size_t b = centre_bulletin(world->centre, "b1", "Xin chào", 20000);
 *     centre_item(world->centre, "r1", b, noon + 60000);
 *     world_begin(world);                   documents are published, the box is switched on
 *     world_run_until(world, noon + 600000);
 *     centre_receipt(world->centre, ...) */
#ifndef LOA_SIM_H
#define LOA_SIM_H

#include "firmware/agent.h"
#include "tests/sim/centre.h"
#include "tests/sim/net.h"
#include "tests/sim/simclock.h"

struct world_options {
    uint64_t seed;
    int64_t true_ms;       /* moment at which the box is switched on */
    enum device_kind kind; /* of the device; KIND_LOUDSPEAKER unless said */
    bool synced;           /* the kernel's clock is disciplined */
};

/* One beginning on the outputs. */
struct world_airing {
    uint64_t key;
    const char *occurrence; /* NULL: nobody knows it */
    int64_t offset_ms;
    int64_t began_ms, ended_ms; /* true time; 0: not ended */
    bool cut;
};

struct world {
    uv_loop_t loop;
    char folder[64];
    struct settings settings;
    struct site site;
    struct centre *centre;
    struct net *net;
    struct agent *agent; /* NULL: the box is off, or the agent is down */

    struct world_airing *airings; /* in order; owned */
    size_t n_airings, cap_airings;
    size_t n_boots, n_stops; /* agents started; orderly ends */
    int64_t restart_ms; /* the supervisor starts an agent that ended in order this long afterwards; below 0: never */

    struct held_version said[CENTRE_DOCS]; /* highest that the device said it holds */
    struct world_adoption {
        int64_t ver, at_ms; /* true time at which it first said that it holds this playlist */
    } * adoptions;          /* owned */
    size_t n_adoptions;

    char fault[300];
    uv_timer_t until, supervisor;
    char *texts[4]; /* owned by the settings */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *world);

void world_begin(struct world *world); /* trust, keys, configuration, playlist; network; world_boot() */
void world_boot(struct world *world);  /* the agent starts, on the vault that is there */
/* The agent ends as with SIGKILL: what it would still write on its way out never happens. */
void world_kill(struct world *world);
void world_stop(struct world *world);                      /* in order, and not started again */
void world_power_cut(struct world *world, int64_t for_ms); /* killed, off for so long, another boot of box and agent */

void world_run_ms(struct world *world, int64_t ms);
void world_run_until(struct world *world, int64_t true_ms);
void world_network(struct world *world, bool there);

/* The first thing that must not be, of the world or of its centre; NULL: all is well. */
const char *world_fault(const struct world *world);
void world_note_fault(struct world *world, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* How often this occurrence began at its beginning. */
size_t world_begun(const struct world *world, const char *occurrence);
/* Rows of the agent's outbox, read from its vault: made, marked as stored, and there. */
struct world_outbox {
    int64_t made, stored, rows;
};
struct world_outbox world_outbox(const struct world *world, enum centre_kind kind);
/* Documents in the vault are the centre's newest, and all records are with the centre. False: *ret_why says what is
 * not so. */
bool world_settled(const struct world *world, const char **ret_why);

#endif
