/* hostile.h - a broker and a link in the hands of somebody who wants to speak through the horns, or to keep the centre
 * from being heard: drops, delays, repeats, reorders, alters, forges, plays back what was recorded last week.
 *
 * He sees every message and may send any, holds keys of his own, and none of the centre's. What he does comes from the
 * seed alone. Loop thread. */
#ifndef LOA_HOSTILE_H
#define LOA_HOSTILE_H

#include "tests/sim/sim.h"

struct hostile;

struct hostile *hostile_new(struct world *world, uint64_t seed);
void hostile_free(struct hostile *hostile); /* memory is released once the loop let go */

void hostile_record(struct hostile *hostile); /* only listens, and forwards */
void hostile_attack(struct hostile *hostile);
/* Honest from here on. The broker retains what the centre published last, and nothing else. */
void hostile_behave(struct hostile *hostile);

size_t hostile_deeds(const struct hostile *hostile); /* things done that no honest broker does */

#endif
