/* deeds.h - what happened and is to be written into the vault: starts, ends, receipts, events. In memory only until the
 * vault has taken them, in order; so an agent whose disk fails goes on and forgets nothing while it runs.
 *
 * Bounded: beyond DEEDS_MAX the oldest event leaves, and when there is none the oldest receipt; both are counted.
 * Loop thread. */
#ifndef LOA_DEEDS_H
#define LOA_DEEDS_H

#include "firmware/evidence.h"
#include "firmware/vault.h"

enum { DEEDS_MAX = 512 };

enum deed_kind {
    DEED_AIRING,   /* it began, or it is over and its outputs still fade */
    DEED_EVIDENCE, /* it was cut and may go on: what was proven so far */
    DEED_RECEIPT,  /* it came to its end */
    DEED_EVENT,
};

struct deed {
    enum deed_kind kind;
    struct airing airing;             /* all but events; evidence: its key only */
    struct airing_evidence *evidence; /* owned; NULL: none */
    char *code, *about;               /* owned; events only */
    char *detail;                     /* owned; NULL: none */
    int64_t at_ms;                    /* events: when it happened */
};

struct deeds {
    struct deed *at; /* owned */
    size_t n;
    unsigned lost_events, lost_receipts;
};

void deeds_done(struct deeds *deeds);
/* Forget `count` of them from the `from`-th on: they were written, or did not happen after all. */
void deeds_cut(struct deeds *deeds, size_t from, size_t count);

/* `evidence` (NULL: none) and texts are copied. */
void deeds_airing(struct deeds *deeds, const struct airing *airing);
void deeds_evidence(struct deeds *deeds, uint64_t key, const struct airing_evidence *evidence);
void deeds_receipt(struct deeds *deeds, const struct airing *airing, const struct airing_evidence *evidence,
                   const char *detail);
void deeds_event(struct deeds *deeds, const char *code, const char *about, const char *detail, int64_t at_ms);

/* What is known here of an airing. -ENODATA: nothing, ask the vault. -ENOENT: its receipt was made already. */
MUST_USE int deeds_find(const struct deeds *deeds, uint64_t key, struct airing *ret);
/* The newest evidence; NULL: nothing here, ask the vault. */
const struct airing_evidence *deeds_find_evidence(const struct deeds *deeds, uint64_t key);

#endif
