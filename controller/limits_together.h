/* limits_together.h - what rules together want of a day, told or refused when one of them is saved. `excess`: the list
 * of that name in what clashes_find() reports; NULL is an empty one. Loop thread. */
#ifndef LOA_LIMITS_TOGETHER_H
#define LOA_LIMITS_TOGETHER_H

#include "controller/request.h"

/* -1 with the problem filled when a limit that refuses would be broken, or more than it is already. */
int limits_check_together(struct request *r, const json_t *excess);
/* Sentences about the others; new reference. */
json_t *limits_warn_together(struct request *r, const json_t *excess);

/* There is a limit that could refuse so. */
bool limits_refuse_days(struct store *store);

#endif
