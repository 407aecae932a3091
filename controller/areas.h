/* areas.h - the tree of areas over time: what changes at a midnight to come, what an area belonged to, what has ended.
 *
 * Merging A into B puts A below B and ends A: devices stay in A, so what names A goes on holding for them, what names B
 * holds from the midnight on, and former ancestors stop at it. An area that ends stays below its parent in the same
 * way. A change is planned until its midnight, can be undone till then, and is written into the tree by areas_apply().
 * Reading may be done on any thread with a store of its own; the rest belongs to the loop thread. */
#ifndef LOA_AREAS_H
#define LOA_AREAS_H

#include "controller/problem.h"
#include "controller/store.h"

enum { AREA_DEPTH_MAX = 16, AREA_PLANNED_MAX = 500, AREAS_OF_CONFIG_MAX = 32 };
/* A configuration names areas so long before the device belongs to them, since playlists reach as far. */
#define AREAS_AHEAD_MS (INT64_C(31) * 86400000)

/* What is planned: rows {n, what, area, into_area, name, effective_ms} in the order in which they come. New reference.
 */
json_t *areas_planned(struct store *store);

/* When what lies in `area` belongs where, planned changes included: [{"area", "from_ms", "until_ms"}], nearest first;
 * INT64_MIN and INT64_MAX are open ends. What is past stays in it. New reference. */
json_t *areas_memberships(struct store *store, const char *area);

/* Area ids for a configuration: those of the memberships that hold or soon will, then former and ended ones as long as
 * an approval that holds names them, then `former` (a list of ids, may be NULL). New reference. */
json_t *areas_of_config(struct store *store, const json_t *memberships, const json_t *former, int64_t now_ms);

/* The area has ended. Then *ret_into (may be NULL) is what took it over, to be freed; NULL when nobody did. */
bool area_ended(struct store *store, const char *area, char **ret_into);
/* Nearest area of kind commune or ward on the path of `area` that has not ended, to be freed; NULL: none. */
char *area_commune(struct store *store, const char *area);

/* Whether the stored tree can take all that is planned: no circle, nothing too deep, nothing of or into what is not
 * there or has ended by then. 0, or -1 with the problem filled. */
int areas_check(struct store *store, struct problem *problem);

/* Write into the tree what is due by now, all of it in one transaction. Returns how many changes were made, or
 * ERR_STORE. *ret_devices (a new list, also when nothing was due) names the devices that are concerned. */
MUST_USE int areas_apply(struct store *store, int64_t now_ms, json_t **ret_devices);
/* What areas_memberships() tells, without what is planned. New reference. */
json_t *areas_until_now(struct store *store, const char *area);
/* Note that the area has another parent from at_ms on; `before`: areas_until_now() before that. In a transaction of the
 * caller. 0 or ERR_STORE. */
MUST_USE int areas_note(struct store *store, const char *area, const json_t *before, int64_t at_ms);
/* The next midnight at which something is due; INT64_MAX: none. */
int64_t areas_next_ms(struct store *store);

/* Ids of the devices in `area` and below, as the tree is and as planned changes make it. New reference. */
json_t *areas_devices(struct store *store, const char *area);

#endif
