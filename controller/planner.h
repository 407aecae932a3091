/* planner.h - what the store says about one device, turned into the bodies of its configuration and its playlist. Reads
 * the store, changes nothing. The thread that the store and the controller belong to. */
#ifndef LOA_PLANNER_H
#define LOA_PLANNER_H

#include "controller/controller.h"
#include "controller/timetables.h"

/* The configuration of a device (facts as device_facts() gives them), head left zero; in `arena`. */
void planner_config(struct controller *c, const json_t *facts, int64_t now_ms, struct arena *arena, struct config *ret);

/* The device as rules see it; all in `arena`, but for the zone. */
void planner_device(struct controller *c, const json_t *facts, struct arena *arena, struct compile_device *ret);

/* The device's playlist from now on, with at most `max_items`; head and config_ver left zero; all in `arena`. The
 * timetables have been refreshed. */
void planner_playlist(struct controller *c, struct timetables *timetables, const json_t *facts, int64_t now_ms,
                      size_t max_items, struct arena *arena, struct playlist *ret, struct compile_result *ret_result);

/* Whether what is published still says what `fresh` says: each item that is not over, within both horizons, with the
 * same bulletin and approvals. Both are payloads as JSON. Pure. */
bool planner_same(const json_t *published, const json_t *fresh, int64_t now_ms);

/* Ids of the devices that a rule's canonical body is meant for, and of all, as a JSON list; new reference. */
json_t *planner_devices_of(struct store *store, const json_t *body);
/* Of the former those that lie in the area; NULL: all. */
json_t *planner_devices_within(struct store *store, const json_t *body, const char *area);
json_t *planner_devices(struct store *store);

#endif
