/* mains.h - relays that switch the mains of amplifiers, and meters that see what is really drawn. Part of horns.
 *
 * Desired state: an amplifier's relay is closed while its power is wanted, and opened once it is at rest (or after
 * MAINS_REST_MS, come what may). A meter is a witness that owes the amplifier nothing: power drawn while nothing is
 * wanted, or none while it should be on, is a fault. Loop thread. */
#ifndef LOA_MAINS_H
#define LOA_MAINS_H

#include "firmware/evidence.h"
#include "firmware/site.h"

enum { MAINS_REST_MS = 3000 };

struct mains;

/* True when amplifier i is muted and off, or cannot be reached. */
typedef bool (*mains_at_rest_fn)(void *arg, size_t amplifier);

/* `site` and `buses` (by the site's order) are borrowed. All relays that are ours are opened until wanted. */
MUST_USE int mains_new(uv_loop_t *loop, const struct site *site, struct bus **buses, mains_at_rest_fn at_rest,
                       void *arg, struct mains **ret_mains, struct complaint *why);
void mains_free(struct mains *mains); /* writes nothing; NULL is fine */

/* All by the site's order of amplifiers; one without relay or meter has its mains always and no witness. */
void mains_want(struct mains *mains, size_t amplifier, bool on);
void mains_cut(struct mains *mains, size_t amplifier); /* off at once, rest or not */
/* How long until the amplifier will have come up behind its relay; 0: it has, or nobody can tell. */
int64_t mains_up_in_ms(const struct mains *mains, size_t amplifier, int64_t now_elapsed_ms);
uint32_t mains_lead_ms(const struct site_amplifier *amplifier); /* from wanted to up */
/* True when it is dark because we want it so, or still coming up: no wonder that it does not answer. */
bool mains_excuse(const struct mains *mains, size_t amplifier);
bool mains_settled(const struct mains *mains);

void mains_mark(struct mains *mains);
/* True when a meter is there. *ret_drawn: since the mark it has seen what this amplifier draws when on. */
bool mains_witness(const struct mains *mains, size_t amplifier, bool *ret_drawn);
/* True when the meter contradicts what is wanted of this amplifier; with a sentence. */
bool mains_contradiction(const struct mains *mains, size_t amplifier, char *ret_problem, size_t size);

size_t mains_count(const struct mains *mains); /* relays, then meters */
void mains_report(const struct mains *mains, size_t index, struct part_report *ret);

#endif
