/* clashes.h - a rule held against the other rules in force at the devices that both reach (playlists/clash.h), worked
 * out off the loop on a snapshot of the store of its own.
 *
 * Looked at is a year from the rule's next time on; where another rule begins later (within five years), a year from
 * there. When a rule changes while one is looked at, it is looked at again: an answer holds for the rules as they are
 * when it is given.
 *
 * Loop thread. One rule at a time is looked at; CLASHES_WAITING_MAX more may wait, of one token CLASHES_OF_ONE_MAX, and
 * tokens take turns. */
#ifndef LOA_CLASHES_H
#define LOA_CLASHES_H

#include "controller/controller.h"

enum { CLASHES_WAITING_MAX = 32, CLASHES_OF_ONE_MAX = 8 };

struct clashes;
struct clashes *clashes_new(struct controller *c);
/* Those who wait are told NULL; nothing new begins. */
void clashes_stop(struct clashes *clashes);
void clashes_free(struct clashes *clashes); /* NULL is fine; after the loop has ended */

/* `report` is owned by the callee: {"clashes": [{"rule", "class", "from_ms", "to_ms", "weekdays", "every_week", "days",
 * "other_days", "other_whole", "devices"}], "after": ["05:25"] | null, "shift": ... | null, "kinds": ["loudspeaker"],
 * "excess": [{"what", "action", "worse", "wanted", "number", "day", "area", "authority", "device", "others",
 * "n_others", "days"}], "excess_replaced": [...]} (playlists/excess.h; the latter when on_clash is `replace`). NULL: it
 * could not be looked at. */
typedef void (*clashes_done_fn)(void *arg, json_t *report);
/* -EBUSY: too many wait, in all or of this token (its id). `body` is canonical. `placed`: what a commune would say to
 * the rule ({"area", "state": a state of placements or null, "times": [...] or null}), looked at is what lies in it
 * then; NULL: nothing new is said, and all is looked at. Both are borrowed for the call. `arg` is told once, later. */
MUST_USE int clashes_find(struct clashes *clashes, const char *token, const char *id, const json_t *body,
                          const json_t *placed, clashes_done_fn done, void *arg);

#endif
