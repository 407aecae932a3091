/* chains.h - which rows of a vault follow each other without a gap. A row names the one before it by its hash, so two
 * vaults that fill the same numbers of one store id (a copied SD card) make two chains: each is marked by itself, and
 * neither box takes the other's rows for its own. Loop thread.
 *
 * A row is joined when every row before it on its chain is stored. A mark is the newest joined row of a chain. */
#ifndef LOA_CHAINS_H
#define LOA_CHAINS_H

#include "controller/store.h"

enum { CHAINS_MAX = 8 }; /* marked of one kind and store id; who has not moved for longest is forgotten, with no row */

struct chain_row {
    const char *device, *store;
    int64_t n;
    const char *hash; /* of its sealed bytes */
    const char *prev; /* hash of the row before; NULL: it does not say, and follows any */
};

enum chain_kind { CHAIN_RECEIPT, CHAIN_EVENT };

struct chain_place {
    bool known;  /* this very row is stored */
    bool taken;  /* the number is, by another one */
    bool joined; /* this very row is stored, and all before it */
};

struct chain_place chain_place(struct store *store, enum chain_kind kind, const struct chain_row *row);
/* Join a stored row, and what waited for it, when all before it is there. Inside the caller's transaction. */
MUST_USE int chain_join(struct store *store, enum chain_kind kind, const struct chain_row *row, int64_t now_ms);

/* [{kind, store, upto, hash}] of a device, at most `max`; those of the store that its last state names come first (upto
 * 0 and no hash when nothing of it is joined: a restored centre asks for all); new reference. */
json_t *chain_marks(struct store *store, const char *device, size_t max);

#endif
