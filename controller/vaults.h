/* vaults.h - which vaults (store ids) of a device speak, in which sessions: tells a box that restarted from a new SD
 * card and from two boxes with one identity. A state is judged against what the same vault said before, since two
 * vaults count their versions by clocks of their own. Loop thread. */
#ifndef LOA_VAULTS_H
#define LOA_VAULTS_H

#include "controller/store.h"

enum { VAULTS_MAX = 8, VAULT_FORMER_MAX = 4 };

struct vault_row {
    char store[68], kid[44], nonce[68];
    char former[VAULT_FORMER_MAX][68]; /* sessions before this one, newest first; "" none */
    int64_t era, ver;
    bool up;
    int64_t seen_ms;
};

struct vault_state {
    const char *store, *kid, *nonce;
    int64_t era, ver;
};

enum vault_order { VAULT_OLD, VAULT_SAME, VAULT_NEWER };

struct vault_verdict {
    enum vault_order order;
    bool same_session; /* the session that is known already */
    bool stray;        /* not newer, of a session that nobody knows: the box could not write down how far it counted */
    bool changed;      /* this vault is new at a box that had another: a new SD card */
    bool twins;        /* a session goes on although another one began after it: two boxes with one identity */
    char other[68];    /* store id of the other vault of `changed` or `twins`; may be the same one */
    size_t at;         /* index of its row; `n`: there is none */
};

/* `current`: the nonce of the device's newest session, "" when none. Pure. */
struct vault_verdict vault_judge(const struct vault_row *rows, size_t n, const char *current,
                                 const struct vault_state *state);
/* The row after a state that was newer. Pure. */
void vault_follow(struct vault_row *row, const struct vault_state *state, int64_t now_ms);

/* Rows of a device, those that spoke last first. */
size_t vaults_load(struct store *store, const char *device, struct vault_row ret[VAULTS_MAX]);
/* Keep it; beyond VAULTS_MAX the oldest is forgotten. */
MUST_USE int vaults_save(struct store *store, const char *device, const struct vault_row *row);

#endif
