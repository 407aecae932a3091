/* records.h - receipts, events, states, health and replies of devices, kept in the store. Each function takes a
 * document whose seal was checked already. Loop thread. */
#ifndef LOA_RECORDS_H
#define LOA_RECORDS_H

#include "controller/store.h"
#include "playlists/documents.h"

enum record { RECORD_NEW, RECORD_KNOWN, RECORD_TWIN };

/* Store a record once, by (device, store, kind, n) and the hash of its sealed bytes. Another one under the same number:
 * both are kept (RECORD_TWIN). ERR_STORE: not stored. The mark of its chain moves on (controller/chains.h). */
MUST_USE int record_receipt(struct store *store, const struct receipt *receipt, const char *hash, int64_t now_ms);
MUST_USE int record_event(struct store *store, const struct event *event, const char *hash, int64_t now_ms);
/* An event of the controller itself. */
void record_own_event(struct store *store, const char *device, const char *code, const char *about, const char *detail,
                      int64_t now_ms);

/* Rows as the API tells them; `where` continues the statement behind FROM. */
#define SQL_RECEIPT                                                                                                    \
    "SELECT r.cursor AS cursor__text, r.device, r.store, r.n, r.occurrence, r.rule, r.bulletin, b.title, r.class,"     \
    " r.planned_ms AS planned__at, r.started_ms AS started__at, r.ended_ms AS ended__at, r.reason, r.detail, "         \
    "r.exempt, r.grade,"                                                                                               \
    " r.evidence AS evidence__json, r.received_ms AS received__at, r.twin AS twin__bool"                               \
    " FROM receipts r LEFT JOIN bulletins b ON b.hash = r.bulletin "
#define SQL_EVENT                                                                                                      \
    "SELECT cursor AS cursor__text, device, store, n, at_ms AS at__at, code, about, detail,"                           \
    " received_ms AS received__at, twin AS twin__bool FROM events "

#endif
