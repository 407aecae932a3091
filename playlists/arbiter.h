/* arbiter.h - what should be on, now, and why. The one piece of code that decides, in the agent and in the preview.
 *
 * Pure: no clock, no I/O, no allocation. The caller stores ret_ledger before it acts on a start, so that a crash
 * between the two never plays an occurrence twice. Deterministic in its inputs. */
#ifndef LOA_ARBITER_H
#define LOA_ARBITER_H

#include "playlists/documents.h"

enum {
    ARBITER_DONE_MAX = 1024, /* occurrences remembered as decided; the oldest by start leaves first */
    ARBITER_ENDED_MAX = 16,  /* ends told per step; more: ask again at once */
    ARBITER_SILENCES_MAX = 16,
    ARBITER_CUT_MAX = 4, /* cut items that wait to resume */
};

/* A stable 64-bit name of an occurrence, order or silence id (first 8 bytes of SHA-256, never 0). */
uint64_t arbiter_key(const char *id);

/* One item of the timetable as the arbiter sees it. */
struct air_item {
    uint64_t key;
    int64_t start_ms, end_ms, late_ms, wait_ms;
    int64_t length_ms; /* how long it takes here: longer of sound and show_ms */
    enum air_class class;
    enum cut_policy policy;
    enum reason blocked; /* REASON_ON_TIME: playable; NO_MEDIA: may still come; NOT_APPROVED, RECALLED: refused */
    int32_t gain_mb;
    uint32_t zones; /* bit mask of loudspeaker zones; 0: all */
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

/* One person's word, already verified. Transport comes with its documents; the arbiter knows all kinds. */
struct air_order {
    uint64_t key;
    enum order_kind kind;
    enum air_class class; /* alert: emergency; notice: as said; live: as said */
    int64_t start_ms, end_ms;
    uint64_t target;   /* lift: the silence; cancel: the order; recall: key of the bulletin's hash */
    uint64_t bulletin; /* key of the bulletin's hash; alert, notice */
    int64_t length_ms;
    int64_t gap_ms; /* between repetitions */
    int32_t gain_mb;
    uint32_t zones; /* silence: zones muted, 0: all */
    bool confirmed; /* this session's welcome or the local trigger vouches for it */
    enum reason blocked;
};

/* Minute-of-day windows with the civil offset of the day already applied by the caller: UTC instants. */
struct quiet_span {
    int64_t from_ms, to_ms;
};

struct arbiter_inputs {
    int64_t now_ms;     /* trusted time, meaningful when grade is not unknown */
    int64_t elapsed_ms; /* boot-time clock, for lengths */
    enum time_grade grade;
    const struct air_item *items; /* by start, then key; borrowed */
    size_t n_items;
    const uint64_t *item_bulletins; /* key of each item's bulletin hash, for recalls; borrowed, n_items */
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

struct cut_mark {
    uint64_t key;
    int64_t offset_ms; /* how much of it was heard */
    int64_t started_ms;
};

/* Small, bounded, stored whole. Zero-initialised: nothing ever happened. */
struct ledger {
    enum on_kind on;
    uint64_t key; /* what is on */
    int64_t planned_ms;
    int64_t started_ms;         /* trusted time of its (first) start */
    int64_t started_elapsed_ms; /* elapsed time of its latest start or resumption */
    int64_t offset_ms;          /* where that began inside it */
    uint32_t plays;             /* orders: repetitions done */
    int64_t next_play_ms;       /* orders: not before this */
    struct cut_mark cut[ARBITER_CUT_MAX];
    uint32_t n_cut;
    uint64_t silences[ARBITER_SILENCES_MAX]; /* adopted, not lifted: survive expiry, documents and restarts */
    uint32_t silence_zones[ARBITER_SILENCES_MAX];
    uint32_t n_silences;
    struct done_mark done[ARBITER_DONE_MAX];
    uint32_t n_done;
};

/* One occurrence came to its end, or to the decision that it will never begin. Makes exactly one receipt. */
struct ended {
    uint64_t key;
    int64_t planned_ms;
    int64_t started_ms; /* 0: never began */
    int64_t heard_ms;   /* offset reached */
    enum reason reason;
};

struct decision {
    enum on_kind on;
    uint64_t key;
    size_t index;       /* into items or orders */
    enum reason reason; /* of the one that is on: ON_TIME or LATE; of nothing: why (SILENCED, PAUSED, NO_TIME, ...) */
    bool begins;        /* it begins or resumes with this step */
    int64_t at_ms;      /* when it is to begin (trusted time; may be a little ahead of now: see lead) */
    int64_t offset_ms;  /* from where */
    int32_t gain_mb;
    uint32_t zones;       /* 0: all */
    uint32_t muted_zones; /* by silences; all ones: everything */
    struct ended ended[ARBITER_ENDED_MAX];
    size_t n_ended;
    int64_t next_ms;   /* ask again at this trusted time, or earlier when something changes; INT64_MAX: only then */
    uint64_t next_key; /* the item that is due next (0: none), so that outputs can be made ready */
    int64_t next_start_ms;
};

/* An item begins up to this long ahead of its instant, so that the player can place its first frame at the instant
 * itself; at_ms of the decision is then the instant. */
enum { ARBITER_LEAD_MS = 400 };

void arbiter_step(const struct arbiter_inputs *inputs, const struct ledger *ledger, struct decision *ret_decision,
                  struct ledger *ret_ledger);

#endif
