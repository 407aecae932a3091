/* places.h - the tree of areas, the devices in it and the boxes at them, as the store has them. Loop thread. */
#ifndef LOA_PLACES_H
#define LOA_PLACES_H

#include "controller/store.h"

/* Put before a statement whose ?1 is a unit: scope(id) is the unit and all below it, over(id) the unit and all above.
 */
#define SQL_SCOPE                                                                                                      \
    "WITH RECURSIVE scope(id) AS (SELECT ?1 UNION SELECT a.id FROM areas a JOIN scope ON a.parent = scope.id), "       \
    "over(id) AS (SELECT ?1 UNION SELECT a.parent FROM areas a JOIN over ON a.id = over.id"                            \
    " WHERE a.parent IS NOT NULL) "

extern const char *const area_kind_names[];
extern const char *const noise_names[]; /* "ordinary", "special" (near a clinic, school or temple) */

bool area_exists(struct store *store, const char *area);
/* The area lies in the unit (or is it). */
bool area_in_unit(struct store *store, const char *area, const char *unit);
/* The area and all above it, own first; a new array, empty when there is no such area. */
json_t *area_path(struct store *store, const char *area);

bool device_in_unit(struct store *store, const char *device, const char *unit);
/* What compile() and the configuration need of a device: id, kind, area, areas (path), memberships (areas.h),
 * config_areas, groups, commune, settings; NULL: no such device. */
json_t *device_facts(struct store *store, const char *device);
/* The device as the API tells it (API.md); NULL: no such device. */
json_t *device_json(struct store *store, const char *device, int64_t now_ms);
/* Public key of the box that is there now, 43 characters; false when there is none. */
bool device_box_x(struct store *store, const char *device, char ret_x[44]);

/* A device that was silent for this long is not called connected, whatever its last state said (health comes every 10
 * minutes). */
enum { DEVICE_SILENT_MS = 25 * 60 * 1000 };

#endif
