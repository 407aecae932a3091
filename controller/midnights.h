/* midnights.h - wakes when a planned change of areas is due and has it done (areas.h). It looks at the wall clock every
 * second, so that a step of the clock is no matter. Loop thread only. */
#ifndef LOA_MIDNIGHTS_H
#define LOA_MIDNIGHTS_H

#include "controller/controller.h"

struct midnights;
/* What is due is done before it returns. */
struct midnights *midnights_new(struct controller *c);
void midnights_free(struct midnights *midnights); /* NULL is fine; ends with the loop */

#endif
