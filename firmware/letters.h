/* letters.h - documents that go up: headed, sealed by the box's key. Loop thread. */
#ifndef LOA_LETTERS_H
#define LOA_LETTERS_H

#include "firmware/outbox.h"
#include "playlists/seal.h"

enum { LETTER_KEEP_S = 400 * 86400 }; /* a receipt may come late, after weeks without a network */

struct letters {
    const struct signer *signer; /* borrowed */
    struct vault *vault;         /* borrowed */
    const char *device;          /* borrowed */
    int64_t era;                 /* of the trust in force */
};

/* A head for the controller. `stamp_ms`: the best known time. */
struct doc_head letters_head(const struct letters *letters, int64_t stamp_ms);
/* Seal a document that goes up; on failure it says why by log, since only a bug or a broken key brings it about. The
 * caller owns *ret. */
MUST_USE int letters_seal(const struct letters *letters, enum doc_type type, const void *doc, char **ret);

/* Number, seal and keep a receipt or an event, inside the caller's transaction. */
MUST_USE int letters_put_receipt(const struct letters *letters, struct outbox *outbox, struct receipt *receipt,
                                 int64_t stamp_ms);
MUST_USE int letters_put_event(const struct letters *letters, struct outbox *outbox, const char *code,
                               const char *about, const char *detail, int64_t at_ms, int64_t stamp_ms);

#endif
