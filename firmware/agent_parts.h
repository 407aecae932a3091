/* agent_parts.h - inside of the agent, shared by agent.c (life and loop), agent_air.c (arbiter, stage, receipts),
 * agent_deeds.c (what goes into the vault), agent_blobs.c (what is fetched and what leaves),
 * agent_wire.c (link, session, outbox), agent_commands.c (what it is told to do), agent_health.c (state of the parts)
 * and agent_pulse.c (watchdog). */
#ifndef LOA_AGENT_PARTS_H
#define LOA_AGENT_PARTS_H

#include "firmware/agent.h"
#include "firmware/blobs.h"
#include "firmware/courier.h"
#include "firmware/deeds.h"
#include "firmware/fetcher.h"
#include "firmware/letters.h"
#include "firmware/outbox.h"
#include "firmware/stage.h"
#include "firmware/timetable.h"
#include "firmware/vault.h"
#include "playlists/base/civil.h"
#include "playlists/base/post.h"
#include "playlists/base/pulse.h"

enum {
    AGENT_PARTS_MAX = 24,
    NONCE_LEN = 22,
    DAMPERS = 32,
    DAMPER_EVENTS = 20,
    DAMPER_MS = 3600000,
    MEND_EACH_MS = 1000,
    UNFIT_MAX = 64,
    BUS_QUIET_MS = 60000,    /* the supervisor's patience, and the next start */
    BUS_RESTART_MS = 1800000 /* from one restart for the sake of a bus to the next */
};

/* A thing that keeps failing must not fill the outbox: at most DAMPER_EVENTS an hour of one code about one thing; those
 * left out are counted, and the next one that is told says how many. */
struct event_damper {
    uint64_t key; /* 0: free */
    int64_t since_ms;
    unsigned told, left_out;
};

/* How one part was when it was last told. */
struct part_told {
    bool known, reachable, faulty;
    uint64_t faults; /* a new one is told while others stand */
};

struct agent {
    uv_loop_t *loop;
    const struct settings *settings;
    const struct site *site;
    struct letters letters;
    agent_stopped_fn stopped;
    void *stopped_arg;

    struct vault *vault;
    struct blobs *blobs;
    struct outbox *outbox;
    struct courier *courier;
    struct timetable *timetable;
    struct fetcher *fetcher;
    struct stage *stage;
    struct zone *zone; /* of the configuration in force; NULL: none, or not known here */

    /* time */
    struct timekeeper tk;
    char boot[37];
    struct time_now time;    /* of the latest look */
    int64_t time_elapsed_ms; /* elapsed time of that look */
    int64_t link_told_ms;    /* newest signed time that the link was told */
    int64_t link_spread_s;   /* window of reconnecting that the link was told; -1: none yet */
    int64_t spread_s;        /* of the last welcome; -1: none yet */

    /* arbiter */
    struct ledger ledger;
    uv_timer_t *ask_timer, *tick_timer;
    bool restarted, finished, failed;
    bool settling; /* inside agent_ask(): no second one */
    int64_t ledger_saved_ms;
    int32_t on_gain_mb; /* as the item asks for */
    uint32_t on_muted;
    char on_air[128]; /* occurrence; empty: nothing */
    bool wants_changed;

    /* what happened and is not in the vault yet; the disk may fail */
    struct deeds deeds;
    bool vault_bad, ledger_owed;
    int64_t vault_bad_elapsed_ms, vault_tried_ms;
    int64_t born_elapsed_ms; /* start of this process */

    /* session */
    struct post *post;
    char nonce[NONCE_LEN + 1];
    bool online, welcomed;
    uint32_t last_id;
    uint64_t state_told;             /* mark of what the last state said; 0: to be told */
    bool below_floor;                /* a floor may be above what is held */
    int64_t floors_at_ms[DOC_TYPES]; /* elapsed time since when a floor is above what is held; 0: it is not */
    int64_t floor_told[DOC_TYPES];

    /* health */
    struct part_told told[AGENT_PARTS_MAX];
    bool card_told_bad;
    int64_t health_told_ms;
    uint64_t health_mark;

    struct event_damper dampers[DAMPERS];

    /* blobs */
    uint64_t unfit[UNFIT_MAX]; /* those that have no room, told already */
    size_t n_unfit;
    bool sweeping; /* rows of the outbox are still to be swept */

    bool stopping, over;
    int64_t stop_elapsed_ms;
    unsigned ticks;
    struct pulse pulse; /* of the tick */
};

/* agent_pulse.c */
/* A bus that hangs takes no sound with it, and a restart may help or not: its parts are told as unreachable, and the
 * watchdog goes hungry for it only where nothing would be cut, and not again and again. */
static inline bool agent_bus_restarts(int64_t age_ms, bool quiet)
{
    return quiet && age_ms > BUS_RESTART_MS;
}

/* agent.c */
void agent_look_at_time(struct agent *agent);
int64_t agent_stamp_ms(const struct agent *agent);                            /* best known time */
int64_t agent_time_of_elapsed(const struct agent *agent, int64_t elapsed_ms); /* trusted time of an elapsed one */
void agent_ask_soon(struct agent *agent);
void agent_event(struct agent *agent, const char *code, const char *about, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
struct courier_now agent_courier_now(const struct agent *agent);

/* agent_deeds.c */
/* Write all deeds into the vault, with `ledger` (NULL: only when an older one is owed). Negative: they stay in memory.
 */
MUST_USE int agent_settle(struct agent *agent, const struct ledger *ledger);
void agent_watch_vault(struct agent *agent);
/* An airing that is on or may go on: -ENOENT when there is none. */
MUST_USE int agent_airing(struct agent *agent, uint64_t key, struct airing *ret);
/* All evidence of it: what is stored of earlier parts, and the last part (may be NULL). False: none. */
bool agent_all_evidence(struct agent *agent, uint64_t key, const struct airing_evidence *last,
                        struct airing_evidence *ret);

/* agent_blobs.c */
void agent_wants(struct agent *agent); /* what is wanted, what has room, what leaves: fetcher and vault are told */
void agent_sweep_blobs(struct agent *agent);
void agent_blob_taken(void *arg, const char *hash, int result, const char *why);
void agent_blob_checked(void *arg, const char *hash, bool whole);

/* agent_air.c */
void agent_ask(struct agent *agent);
void agent_adjust(struct agent *agent); /* gain ceilings move with the hours */
void agent_gathered(void *arg, uint64_t key, const struct airing_evidence *evidence, int64_t ended_elapsed_ns);
void agent_finished(void *arg, uint64_t key, bool failed);
void agent_receipts_left_over(struct agent *agent); /* of airings that ended right before a crash */

/* agent_wire.c */
MUST_USE int agent_open_link(struct agent *agent);
int agent_send_row(void *arg, uint32_t id, enum outbox_kind kind, const void *sealed, size_t len);
int agent_fetch(void *arg, uint32_t id, const char *hash, int64_t size, bool urgent);
void agent_cancel_fetch(void *arg, uint32_t id);
void agent_welcome(void *arg, const struct welcome *welcome, const char *kid);
void agent_tell_state(struct agent *agent); /* when it differs from what was told */
void agent_tell_link(struct agent *agent);  /* newest signed time, and the window of reconnecting */
void agent_watch_floors(struct agent *agent);
void agent_ask_for_retained(struct agent *agent); /* of the broker, anew */
int agent_publish(struct agent *agent, const char *word, enum doc_type type, const void *doc, unsigned flags);

/* agent_commands.c */
void agent_command(void *arg, const struct command *command, int is_new);

/* agent_health.c */
void agent_watch_parts(
    struct agent *agent); /* events of parts that failed or came back, health when something changed */
void agent_card(void *arg, bool healthy, int error);

#endif
