/* api_clashes.h - what is done about clashes when a rule is saved: the caller's `on_clash`. Loop thread. */
#ifndef LOA_API_CLASHES_H
#define LOA_API_CLASHES_H

#include "controller/api_rules.h"

/* A rule that is about to be saved. */
struct saving {
    const char *id;
    json_t *body; /* canonical; its times are changed by the ways "after" and "shift" */
    json_t *old;  /* canonical body that it replaces; NULL: a new rule */
    bool ended;   /* the old one has ended, and comes back */
};
/* Writes it, within a transaction that is open. */
typedef int (*save_fn)(struct request *r, const struct saving *saving);

/* Look for clashes, do what `on_clash` says, save and answer with the rule, its warnings, clashes and ways out. Returns
 * what a route does; `saving` is copied, its JSON referenced. */
int clashes_settle(struct request *r, const struct saving *saving, save_fn save);
#endif
