/* timetables.h - rules and bulletins as the store has them, decoded once for each change of them, and what they make of
 * devices: alike devices share a timeline.
 *
 * One thread for each, with a store and zones of its own. Reading changes nothing in the store. */
#ifndef LOA_TIMETABLES_H
#define LOA_TIMETABLES_H

#include "controller/store.h"
#include "controller/zones.h"
#include "playlists/compile.h"

struct timetables;
struct timetables *timetables_new(void);
void timetables_free(struct timetables *timetables); /* NULL is fine */

/* Take in what changed in the store since the last call; what was given out before is gone then. Timelines reach from
 * now_ms on for HORIZON_DAYS and more. */
void timetables_refresh(struct timetables *timetables, struct store *store, struct zones *zones, int64_t now_ms);

/* What a rule that is not saved says is known from now on as if it were: its bulletins, its parts, its fillers. */
void timetables_learn(struct timetables *timetables, struct store *store, const struct rule *rule);

/* What holds for the device; valid until the next refresh. */
const struct timeline *timetables_timeline(struct timetables *timetables, const struct compile_device *device);

/* NULL: no rule and no session uses it. */
const struct compile_bulletin *timetables_bulletin(const struct timetables *timetables, const char *hash);

/* All rules in force, and all bulletins that they may use: lists in `arena`, what they point to valid until the next
 * refresh. Return how many. */
size_t timetables_rules(const struct timetables *timetables, struct arena *arena, struct rule **ret);
size_t timetables_bulletins(const struct timetables *timetables, struct arena *arena, struct compile_bulletin **ret);

#endif
