/* drafts.h - what devices should hold, worked out off the loop: compile() and sealing run on a thread of the pool, on a
 * snapshot of the store of their own, so that a big change delays nobody.
 *
 * Called on the loop thread; one piece of work at a time. The thread reads the store and changes nothing: what it made
 * comes back as drafts, for the publisher to store. */
#ifndef LOA_DRAFTS_H
#define LOA_DRAFTS_H

#include "controller/controller.h"

enum { DRAFTS_MAX = 16 };

/* A sealed document; all texts owned. */
struct draft_paper {
    int64_t era, ver, iat_s, exp_s;
    struct hash hash;
    char *body;   /* its payload */
    char *sealed; /* NULL: what stands holds */
};

struct draft {
    char device[44];
    struct draft_paper config, playlist;
    int64_t until_ms; /* of the playlist ... */
    int64_t n_items;
    json_t *problems; /* [[rule, start_ms, why, other rule or null, count, warning]] of its compilation; NULL: those
                         that are stored. Owned */
    char *not_sealed; /* why no playlist could be written, or NULL. Owned */
};

struct drafts;
struct drafts *drafts_new(struct controller *c);
/* NULL is fine; not while work is under way. */
void drafts_free(struct drafts *drafts);

/* What came of one piece of work; all of it borrowed for the call. */
struct drafted {
    const struct draft *drafts; /* of the first `n` devices that were asked for; the others found no time */
    size_t n;
    const json_t *reached; /* for each of the first that were meant: [ids of its devices] */
    const json_t *left;    /* what was meant and found no time */
    bool trusted;          /* false: the trust in force does not name the scheduler key; nothing was done */
};
typedef void (*drafts_done_fn)(void *arg, const struct drafted *drafted);
/* Begin with up to DRAFTS_MAX devices, and with `meant` (or NULL): [canonical body of a rule, or null for all devices],
 * of which the devices are looked for. What the store says must be committed. On 0 `meant` is consumed, and is
 * nobody else's. */
MUST_USE int drafts_start(struct drafts *drafts, const char *const *devices, size_t n, json_t *meant,
                          drafts_done_fn done, void *arg);
bool drafts_busy(const struct drafts *drafts);

/* Store what is new in them, to be sent with this rank (0 first); all or nothing. */
MUST_USE int drafts_store(struct store *store, const struct draft *drafts, size_t n, int64_t rank);
/* [[rule, start_ms, why, ...]], the rest as in struct draft or left out, in the place of the device's problems; NULL:
 * they stay. */
MUST_USE int drafts_store_problems(struct store *store, const char *device, const json_t *problems);

/* Versions further ahead of the clock than this are nobody's honest work: they are not overtaken. */
#define VERSION_AHEAD_MS (INT64_C(366) * 86400 * 1000)

#endif
