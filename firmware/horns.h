/* horns.h - all power amplifiers of this box together, with the relays and meters of their mains, as the stage wants
 * them: ready, heard, muted, at rest.
 *
 * Zone masks are the site's; 0 is everything. An amplifier that takes part in none of the zones stays muted. Loop
 * thread. */
#ifndef LOA_HORNS_H
#define LOA_HORNS_H

#include "firmware/evidence.h"
#include "firmware/site.h"

struct horns;

/* `site` and `buses` (by the site's order) are borrowed. Everything is muted and off until wanted. */
MUST_USE int horns_new(uv_loop_t *loop, const struct site *site, struct bus **buses, struct horns **ret_horns,
                       struct complaint *why);
void horns_free(struct horns *horns); /* writes nothing; NULL is fine */

void horns_ready(struct horns *horns, uint32_t zones);                                       /* power on, still muted */
void horns_open(struct horns *horns, uint32_t zones, uint32_t muted_zones, int32_t gain_mb); /* power on, heard */
void horns_mute(struct horns *horns);                                                        /* muted, power stays */
void horns_rest(struct horns *horns);                                                        /* muted and off */
/* The one safe write to each, urgent. */
void horns_silence(struct horns *horns);
/* How long until every amplifier that takes part and can be reached will be up, when power is wanted now. */
int64_t horns_ready_in_ms(const struct horns *horns, uint32_t zones, int64_t now_elapsed_ms);
/* True when nothing is on its way any more: all that is wanted is in place, or cannot be reached. */
bool horns_settled(const struct horns *horns);

bool horns_take_part(const struct horns *horns, uint32_t zones);
bool horns_set_gain(const struct horns *horns, uint32_t zones); /* all that take part have a gain of their own */
uint32_t horns_lead_ms(const struct horns *horns);              /* from power wanted to ready, the slowest */

void horns_mark(struct horns *horns, int32_t threshold_mb);
void horns_evidence(struct horns *horns, uint32_t zones, struct airing_horns *ret);

size_t horns_count(const struct horns *horns); /* amplifiers, relays, meters */
void horns_report(const struct horns *horns, size_t index, struct part_report *ret);

#endif
