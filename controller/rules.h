/* rules.h - a rule as people write it (JSON) and as compile() takes it. Pure but for the zones. */
#ifndef LOA_RULES_H
#define LOA_RULES_H

#include "controller/form.h"
#include "controller/zones.h"
#include "playlists/compile.h"

/* Check a rule's own members and make the canonical body: every member there, in a fixed order, defaults filled in
 * (without `id`). The caller owns *ret. Whether bulletin, areas and devices exist is for the caller to ask. */
int rule_check(const json_t *body, struct zones *zones, const char *zone, struct problem *problem, json_t **ret);

/* A canonical body as struct rule, in `arena`. 0, or ERR_FORMAT when the zone is gone. */
MUST_USE int rule_build(const char *id, const json_t *body, struct zones *zones, struct arena *arena, struct rule *ret);

/* Last instant of a `once` rule in Unix ms; INT64_MAX for others. */
int64_t rule_last_ms(const struct rule *rule);

/* A JSON list of strings as texts in `arena`. */
struct texts texts_of_json(const json_t *list, struct arena *arena);

#endif
