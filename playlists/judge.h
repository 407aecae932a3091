/* judge.h - by whose word: who may seal what, which version counts, what may go on air here. Pure; any thread.
 *
 * The chain: two root keys are provisioned -> trust (registrars, schedulers, quorums) -> keys (persons) -> approvals.
 * The same code judges in the agent, in the controller and in the preview. */
#ifndef LOA_JUDGE_H
#define LOA_JUDGE_H

#include "playlists/documents.h"
#include "playlists/seal.h"

enum { ROOTS_MAX = 2 };

/* What an agent or a controller believes. Pointers are borrowed; trust and keys may be NULL (not adopted yet). */
struct authority {
    char root_x[ROOTS_MAX][44]; /* public keys; empty: not provisioned */
    const struct trust *trust;
    const struct keys *keys;
    const char *box_x; /* controller only: key of the box that seals the upward documents in hand; else NULL */
};

/* What is held of one document: the highest adopted version, and the floor a welcome gave. Zeros: nothing. */
struct held_version {
    int64_t era, ver;
    int64_t floor_era, floor_ver;
};

/* Open one sealed document of the expected type: key by role (root, registrar, scheduler, person, box), signature,
 * payload, decoding. On REFUSAL_NONE *ret_doc is the decoded struct in `arena`. `why` gets a sentence otherwise.
 * An approval must be for "all", of no era above the trust's, and signed before its key's end (if it has one). When
 * nothing opens, ret_header is untouched; it may be NULL. */
enum refusal judge_open(const struct authority *authority, enum doc_type expected, const char *compact, size_t len,
                        struct arena *arena, void **ret_doc, struct seal_header *ret_header, struct complaint *why);

/* Audience, era, version, expiry of an opened document against what is held. `now_ms`: trusted time, or without any the
 * best lower bound (0 is fine: nothing expires then). The same version again is REFUSAL_OLDER with *ret_same set, when
 * the caller should stay calm about it. ret_same may be NULL. For the trust itself trust_era is INT64_MAX: a root may
 * raise the era. A floor above trust_era binds nobody. */
enum refusal judge_head(const struct doc_head *head, const char *audience, const struct held_version *held,
                        int64_t trust_era, int64_t now_ms, bool *ret_same, struct complaint *why);

/* One approval that was opened, with the key that sealed it. */
struct opened_approval {
    const struct approval *approval;
    const char *kid;
};

/* May this bulletin go on air here as this item? Checks the bulletin's class, and counts distinct persons whose
 * approval holds for the bulletin's hash, for one of `areas` (the device's), for the class and at `start_ms`, and whose
 * key is live (or retired later), has the role, an area of the device and the class; against the trust's quorum. 0, or
 * one of the ITEM_ codes with a sentence in `why`. */
enum item_verdict {
    ITEM_APPROVED,
    ITEM_UNAPPROVED,   /* no approval at all for this bulletin */
    ITEM_OUT_OF_SCOPE, /* area */
    ITEM_OUT_OF_CLASS,
    ITEM_OUT_OF_TIME, /* outside the approval's window */
    ITEM_KEY,         /* the person's key is unknown, compromised, or lacks the role */
    ITEM_QUORUM,      /* too few distinct persons */
};
extern const char *const item_verdict_names[]; /* "approved", "unapproved", "out_of_scope", ... */
enum item_verdict judge_item(const struct authority *authority, const struct bulletin *bulletin,
                             const char *bulletin_hash, const struct opened_approval *approvals, size_t n_approvals,
                             const struct texts *areas, enum air_class class, int64_t start_ms, struct complaint *why);

#endif
