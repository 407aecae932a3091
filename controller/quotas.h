/* quotas.h - how many of a thing one unit may have (settings.h, per_unit), so that no unit fills the store or the
 * timetables of all. Counted is what still matters: rules and exemptions that have not ended and are not over by their
 * dates; all groups; all bulletins, which are kept for ever. */
#ifndef LOA_QUOTAS_H
#define LOA_QUOTAS_H

#include "controller/request.h"

/* One more of these for the unit: 0, or -1 with the problem filled (409 `quota`). */
int quota_check(struct request *r, enum quota what, const char *unit);

#endif
