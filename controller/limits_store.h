/* limits_store.h - limits and exemptions (playlists/limits.h) as the store has them: lines of areas with the legal text
 * that they follow, the device's own quiet hours and ceilings, orders that lift limits for some days.
 *
 * An exemption lifts what its own unit, or one below it, or the device itself has laid down: who is bound by a line of
 * a unit above cannot lift it. Reading may be done on any thread with a store of its own. */
#ifndef LOA_LIMITS_STORE_H
#define LOA_LIMITS_STORE_H

#include "controller/form.h"
#include "controller/store.h"
#include "controller/zones.h"
#include "playlists/limits.h"

/* Check one line as people write it (without `id`, `area`) and make its canonical body. The caller owns *ret. */
#define LIMIT_MEMBERS "what action source noise windows number weekdays"
int limit_check(const struct form *form, json_t **ret);

/* A canonical body as a line without an end, in `arena`. */
void limit_build(const json_t *body, struct arena *arena, struct limit_line *ret);

/* All that holds for a device, in `arena`; facts as device_facts() gives them. Quiet hours are 21:00-05:00 for as long
 * as neither an area nor the device says anything about them. */
void limits_load(struct store *store, const json_t *facts, struct zones *zones, struct arena *arena,
                 struct limits *ret);

/* What the device itself keeps: quiet hours that refuse and ceilings, those that hold at now_ms and those of the next
 * changes, each put together into windows that do not overlap; in `arena`. */
void limits_config(const struct limits *limits, int64_t now_ms, struct arena *arena, struct config *ret);

/* The days of a line's weekdays as mask (bit 0 = Monday), and the words "mon".. for it. */
extern const char *const weekday_names[];

#endif
