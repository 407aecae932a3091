/* outbox.h - receipts and events on their way to the controller: numbered from 1 without a gap per kind, sealed when
 * made, sent in order, kept until a welcome of this session says that they are stored, then OUTBOX_KEEP_MS more.
 *
 * Sending is at least once; the controller keeps each row once. Each row names the one before it by its hash, and a
 * mark of a welcome names a row by its hash: it counts when that row is here. The copy of a vault in another box fills
 * the same numbers with rows of its own, and marks of those are not taken for ours. At most OUTBOX_WINDOW rows are with
 * the broker at a time, at most OUTBOX_AHEAD of a kind beyond what a welcome said is stored (so that the centre sets
 * the pace: what a broker cannot queue for it would be lost), and at most OUTBOX_RATE leave in a second. Every call
 * costs O(log rows), however many wait; none of them is in memory. Loop thread. */
#ifndef LOA_OUTBOX_H
#define LOA_OUTBOX_H

#include "firmware/vault.h"
#include "playlists/documents.h"

enum outbox_kind { OUTBOX_RECEIPT, OUTBOX_EVENT, OUTBOX_KINDS };
extern const char *const outbox_kind_names[];

enum { OUTBOX_WINDOW = 16, OUTBOX_AHEAD = 256, OUTBOX_RATE = 200, OUTBOX_REPEAT_RATE = 20 };
#define OUTBOX_KEEP_MS INT64_C(7776000000) /* 90 days */

struct outbox;

/* Hand one sealed row to the broker under this publish id. 0: taken; else it is tried again at the next outbox_push().
 */
typedef int (*outbox_send_fn)(void *arg, uint32_t id, enum outbox_kind kind, const void *sealed, size_t len);

struct outbox *outbox_new(struct vault *vault, outbox_send_fn send, void *arg); /* borrows the vault */
void outbox_free(struct outbox *outbox);

/* The number that the next row of this kind gets, to be sealed into it. */
int64_t outbox_next(const struct outbox *outbox, enum outbox_kind kind);
/* The hash of the row before it, to be sealed into it too. False: there is none. */
bool outbox_prev(const struct outbox *outbox, enum outbox_kind kind, struct hash *ret_hash);
/* Keep a row under that number, inside the caller's transaction. */
MUST_USE int outbox_put(struct outbox *outbox, enum outbox_kind kind, int64_t n, const void *sealed, size_t len,
                        int64_t now_ms);
/* The transaction of outbox_put() did not hold: count from the disk again. */
void outbox_recount(struct outbox *outbox);

int64_t outbox_last(const struct outbox *outbox, enum outbox_kind kind);   /* highest number made */
int64_t outbox_stored(const struct outbox *outbox, enum outbox_kind kind); /* highest that a welcome said stored */

/* A session begins: nothing is with the broker, all above the stored mark is sent anew. */
void outbox_online(struct outbox *outbox, int64_t elapsed_ms);
void outbox_offline(struct outbox *outbox);
/* Send what the window and the rate allow. Call now and then. */
void outbox_push(struct outbox *outbox, int64_t elapsed_ms);
/* The centre lost some: what is still here of this kind from `from` up to the highest made is sent once more, at most
 * OUTBOX_REPEAT_RATE a second, beside what is new; in this session, or until it is asked for other ones. *ret_first and
 * *ret_rows: what will be sent. ERR_LIMIT: `from` was never made. */
MUST_USE int outbox_repeat(struct outbox *outbox, enum outbox_kind kind, int64_t from, int64_t *ret_first,
                           int64_t *ret_rows);
/* True when the id was one of ours. */
bool outbox_acked(struct outbox *outbox, uint32_t id, int64_t elapsed_ms);
bool outbox_refused(struct outbox *outbox, uint32_t id);
/* What the broker acknowledged and no welcome confirmed is to be sent anew: the controller may not have been listening.
 * After 10 s, then twice as long each time, up to 10 min. Call now and then; outbox_push() sends. */
void outbox_again(struct outbox *outbox, int64_t elapsed_ms);
/* A welcome of this session. Up to the highest mark that names a row of ours all is stored; the rest is sent, again
 * when it was acknowledged long ago. 1: there are marks of this store id and none is of ours: the box is a copy or has
 * one, its card was older than the centre, or the centre is; all that is here is sent once more, once in a session. */
MUST_USE int outbox_welcomed(struct outbox *outbox, const struct stored_mark *marks, size_t n, int64_t now_ms,
                             int64_t elapsed_ms);
/* Delete rows stored longer than OUTBOX_KEEP_MS, a few hundred at a time; the newest stays, the next one names it.
 * True: there may be more. */
bool outbox_sweep(struct outbox *outbox, int64_t now_ms);

#endif
