/* arbiter.h - what should be on, now, and why. The one piece of code that decides, in the agent and in the preview.
 *
 * Pure: no clock, no I/O, no allocation. The caller stores ret_ledger before it acts on a decision with `store` set, so
 * that a crash between the two never plays an occurrence twice; receipts of `ended` go to disk in the same transaction,
 * so that none is made twice or lost. Deterministic.
 *
 * What always holds:
 * - Each occurrence begins at most once (a resumed one is the same airing), and makes exactly one `ended`, over clock
 *   steps, restarts and new playlists. It is known by its key alone: one whose start moved is the same airing. One that
 *   was put on ahead of its instant and taken off before it, other than by a restart, has not begun yet. Not told: an
 *   item that vanished from the playlist before it began, and one that has not begun and ends before ledger.since_ms,
 *   also when a new playlist moved it there.
 * - Nothing begins more than ARBITER_LEAD_MS before its start or after start + late_ms, nor, when the box was off at
 * its start, after start + catch_up_ms; nothing is on at or past end_ms of trusted time, or ARBITER_MARGIN_MS of
 * elapsed time past its length.
 * - Without trusted time no item begins; one that is on goes on, by elapsed time.
 * - A caller that asks at next_ms and whenever an input changes gets what one gets that asks each millisecond. */
#ifndef LOA_ARBITER_H
#define LOA_ARBITER_H

#include "playlists/documents.h"

enum {
    ARBITER_FORMAT = 2,      /* of struct ledger */
    ARBITER_DONE_MAX = 2048, /* occurrences remembered as decided, more than a playlist holds; when full, those that the
                                playlist no longer names leave first, oldest start first */
    ARBITER_ENDED_MAX = 16,  /* ends told per step; more: next_ms is now */
    ARBITER_SILENCES_MAX = 16,
    ARBITER_CUT_MAX = 4,         /* cut items that wait to resume; one more ends at once */
    ARBITER_OFF_MAX = 4,         /* spans remembered in which the box was off */
    ARBITER_ORDERS_MAX = 64,     /* orders remembered; those that are over and gone leave first */
    ARBITER_LATE_MS = 1000,      /* begun later than this after its start: REASON_LATE */
    ARBITER_MARGIN_MS = 15000,   /* the outputs may take this much longer than the length (a card that is waited for) */
    ARBITER_RETRY_MS = 5000,     /* an order whose output failed is tried again after this long */
    ARBITER_REMNANT_MS = 900000, /* an alert that a power cut broke, without trusted time: at most this much more */
};

/* A stable 64-bit name of an occurrence, order or silence id (first 8 bytes of SHA-256, never 0). */
uint64_t arbiter_key(const char *id);

/* One item of the timetable as the arbiter sees it. */
struct air_item {
    uint64_t key;
    int64_t start_ms, end_ms, late_ms, wait_ms;
    int64_t length_ms;   /* how long it takes here: longer of sound and show_ms */
    int64_t catch_up_ms; /* begins so long after its start when the box was off at its start */
    enum air_class class;
    enum cut_policy policy;
    enum reason blocked; /* REASON_ON_TIME: playable; NO_MEDIA: may still come, is waited for until start + late_ms;
                            NOT_APPROVED, RECALLED: refused at its start, and cut when it is on */
    bool unsure;         /* blocked only until a check has ended: not why it was missed */
    bool soon;           /* blocked for a moment only: nothing that comes after it begins before it */
    int32_t gain_mb;
    uint32_t zones; /* bit mask of loudspeaker zones; 0: all */
    bool exempt;    /* quiet hours do not hold it */
};

enum order_kind {
    ORDER_ALERT,
    ORDER_NOTICE,
    ORDER_LIVE,
    ORDER_PAUSE,
    ORDER_SILENCE,
    ORDER_LIFT,
    ORDER_CANCEL,
    ORDER_RECALL
};

/* One person's word, already verified. In force from start_ms to end_ms; a lift from start_ms on for ever. The caller
 * keeps a recall among the orders for as long as a playlist may name its bulletin. At the same class an order goes
 * before the timetable. Between the repetitions of an emergency nothing lower is on. */
struct air_order {
    uint64_t key;
    enum order_kind kind;
    enum air_class class; /* alert: emergency; notice: as said; live: as said */
    int64_t start_ms, end_ms;
    uint64_t target;   /* lift: the silence; cancel: the order; recall: key of the bulletin's hash */
    uint64_t bulletin; /* key of the bulletin's hash; alert, notice */
    int64_t length_ms; /* of one repetition; 0: until end_ms (live) */
    int64_t gap_ms;    /* between repetitions */
    int64_t wait_ms;   /* priority: how long it waits for an item boundary before it cuts */
    uint32_t plays;    /* repetitions; 0: until end_ms */
    int32_t gain_mb;
    uint32_t zones; /* silence: zones muted, 0: all */
    bool confirmed; /* this session's welcome or the local trigger vouches for it */
    enum reason blocked;
};

/* Quiet hours as UTC instants, from the configuration's civil windows by the caller; [from_ms, to_ms). Yesterday's to
 * tomorrow's spans are enough. Everything below emergency that is not exempt is held, and what of it is on ends
 * (REASON_QUIET_HOURS). */
struct quiet_span {
    int64_t from_ms, to_ms;
};

struct arbiter_inputs {
    int64_t now_ms;     /* trusted time, meaningful when grade is not unknown */
    int64_t elapsed_ms; /* boot-time clock, for lengths */
    enum time_grade grade;
    const struct air_item *items; /* by start, then key (arbiter_sort); borrowed */
    size_t n_items;
    const uint64_t *item_bulletins; /* key of each item's bulletin hash, for recalls; borrowed, n_items; may be NULL */
    const struct air_order *orders;
    size_t n_orders;
    const struct quiet_span *quiet;
    size_t n_quiet;
    bool local_silence; /* the key switch on the box */
    bool finished;      /* the outputs say: what is on (ledger.on) has ended by itself */
    bool failed;        /* the outputs say: what is on cannot go on */
    bool restarted;     /* first step after a start of the program: what was on is not on any more */
};

enum on_kind { ON_NOTHING, ON_ITEM, ON_ORDER };

struct done_mark {
    uint64_t key;
    int64_t start_ms;
};

/* An item that was cut and waits to go on. */
struct cut_mark {
    uint64_t key;
    int64_t planned_ms;
    int64_t started_ms;
    int64_t heard_ms; /* where it was cut */
    int64_t reason;   /* enum reason: what cut it, and of its receipt when it never goes on */
};

/* An order that began, or that is over. */
struct order_mark {
    uint64_t key;
    int64_t planned_ms, end_ms;
    int64_t reason;             /* enum reason: what stopped its latest repetition */
    int64_t started_ms;         /* trusted time of its first start; 0: never */
    int64_t started_elapsed_ms; /* elapsed time of its first start in this boot */
    int64_t heard_ms;           /* all repetitions together */
    int64_t next_elapsed_ms;    /* the next repetition not before this */
    uint64_t turn;              /* equal orders: the one with the lowest begins next */
    uint32_t plays;             /* repetitions done */
    uint32_t over;              /* cancelled, recalled, at its end; or a silence that was lifted: never again */
};

/* Small, bounded, stored whole (plain values, no pointers; the same machine reads it back). Zero-initialised: nothing
 * ever happened. */
struct ledger {
    /* What is on. */
    int64_t on; /* enum on_kind */
    uint64_t key;
    int64_t planned_ms;
    int64_t started_ms;         /* trusted time of its (first) start */
    int64_t started_elapsed_ms; /* elapsed time of its latest start or resumption; may be a little ahead */
    int64_t offset_ms;          /* where that began inside it */
    int64_t heard_ms;   /* offset reached at the latest step. Resuming after a power cut begins here: a caller that
                           stores the ledger every few seconds while something is on repeats less */
    int64_t cut_reason; /* enum reason: what cut it before it was resumed; ON_TIME: never cut */

    /* Time. */
    int64_t since_ms;                 /* the timetable is answered for from here on; 0: there was no trusted time yet */
    int64_t seen_ms;                  /* trusted time of the latest step that had it */
    int64_t dark;                     /* 1: the latest step had no trusted time */
    int64_t dark_elapsed_ms;          /* since then, in this boot */
    int64_t dark_from_ms, dark_to_ms; /* the last span without trusted time, as it turned out afterwards */

    /* An alert that goes on after a power cut without trusted time. */
    uint64_t remnant;                 /* its key; 0: none. Once per order */
    int64_t remnant_until_elapsed_ms; /* in this boot */

    uint64_t turns; /* counts the starts of orders */
    struct cut_mark cut[ARBITER_CUT_MAX];
    struct order_mark orders[ARBITER_ORDERS_MAX];
    uint64_t silences[ARBITER_SILENCES_MAX]; /* adopted, not lifted: survive expiry, documents and restarts */
    uint32_t silence_zones[ARBITER_SILENCES_MAX];
    struct done_mark done[ARBITER_DONE_MAX]; /* by start, then key */
    uint32_t n_cut;
    uint32_t n_orders;
    uint32_t n_silences;
    uint32_t n_done;

    /* What passed quiet hours: 1 when it was on in them. */
    uint32_t on_passed;
    uint32_t cut_passed[ARBITER_CUT_MAX];
    uint32_t order_passed[ARBITER_ORDERS_MAX];
    uint32_t n_off;

    /* Catching up. */
    int64_t looked_ms; /* trusted time of the latest step whose ledger was to be stored: no item that may catch up and
                          has come to its start since then is undecided while the box is on */
    int64_t woken;     /* 1: restarted, and no trusted time since */
    int64_t seen_elapsed_ms;                /* elapsed time at seen_ms, in this boot */
    struct quiet_span off[ARBITER_OFF_MAX]; /* (from, to]: nobody looked; oldest first */
};

/* One occurrence (or order) came to its end, or to the decision that it will never begin. Makes exactly one receipt.
 *   never began: LATE (its limit passed while others were on), EXPIRED (its limit passed while nobody looked), or what
 *   held it: QUIET_HOURS, PAUSED, SILENCED, NO_TIME, NO_MEDIA, NOT_APPROVED (also: emergency without an order),
 * RECALLED began: ON_TIME or LATE when it came to its end; PREEMPTED, PAUSED, SILENCED, QUIET_HOURS, RESTARTED when cut
 * by that and not resumed; RECALLED, NOT_APPROVED, CANCELLED when withdrawn; EXPIRED when end_ms came first; FAULT when
 * its outputs failed or never came to an end */
struct ended {
    enum on_kind kind;
    uint64_t key;
    int64_t planned_ms;
    int64_t started_ms; /* 0: never began */
    int64_t heard_ms;   /* offset reached; orders: all repetitions together */
    enum reason reason;
    bool passed_quiet; /* it was on in quiet hours */
};

struct decision {
    enum on_kind on;
    uint64_t key;
    size_t index;       /* into items or orders */
    enum reason reason; /* of the one that is on: ON_TIME or LATE; of nothing: why (SILENCED, PAUSED, NO_TIME, ...;
                           ON_TIME: nothing is due) */
    bool begins;        /* it begins, begins again or resumes with this step; whatever was on is to stop */
    bool store;         /* ret_ledger is to be stored before this is acted on */
    int64_t at_ms;      /* when it is to begin (trusted time; may be a little ahead of now: see lead) */
    int64_t limit_ms;   /* of an item: the last moment at which it may be heard for the first time */
    int64_t offset_ms;  /* from where */
    int32_t gain_mb;
    uint32_t zones;       /* as the item or order says; 0: all. Play in these less muted_zones */
    uint32_t muted_zones; /* by silences; all ones: everything */
    struct ended ended[ARBITER_ENDED_MAX];
    size_t n_ended;
    int64_t next_ms;   /* ask again when now_ms is this, or earlier when something changes; INT64_MAX: only then */
    uint64_t next_key; /* the item that is due next (0: none), so that outputs can be made ready */
    int64_t next_start_ms;
};

/* An item begins up to this long ahead of its instant, so that the player can place its first frame at the instant
 * itself; at_ms of the decision is then the instant. */
enum { ARBITER_LEAD_MS = 400 };

/* Items and their bulletins (may be NULL) into the order that the arbiter asks for. */
void arbiter_sort(struct air_item *items, uint64_t *item_bulletins, size_t n_items);

/* ret_ledger may be the ledger itself. */
void arbiter_step(const struct arbiter_inputs *inputs, const struct ledger *ledger, struct decision *ret_decision,
                  struct ledger *ret_ledger);

#endif
