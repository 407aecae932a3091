/* rules.h - a rule as people write it (JSON, API.md) and as compile() takes it. Pure but for zones and calendars.
 *
 * The canonical body has every member that rules have had from the beginning, and of the others those that say
 * something: what is left at its default is absent. */
#ifndef LOA_RULES_H
#define LOA_RULES_H

#include "controller/form.h"
#include "controller/zones.h"
#include "playlists/compile.h"

/* Members of a request that are not kept in the rule, beside the rule's own. */
#define RULE_REQUEST_MEMBERS "id on_clash"

/* -1: `body` names a member that no rule has. */
int rule_known(const json_t *body, struct problem *problem);

/* Check a rule's own members and make the canonical body (without `id`). The caller owns *ret. Whether bulletins, areas
 * and devices exist is for the caller to ask. */
int rule_check(const json_t *body, struct zones *zones, const char *zone, struct problem *problem, json_t **ret);

/* A canonical body as struct rule, in `arena`. 0, or ERR_FORMAT when the zone or the calendar is gone. */
MUST_USE int rule_build(const char *id, const json_t *body, struct zones *zones, struct arena *arena, struct rule *ret);

/* The same for its recurrence alone. */
MUST_USE int rule_recur(const json_t *body, struct zones *zones, struct arena *arena, struct recurrence *ret);

/* The body with the members of `patch` in place of its own (null: the default again); of another `when` only what it
 * needs. New reference; not checked. */
json_t *rule_merge(const json_t *body, const json_t *patch);

/* A JSON list of strings as texts in `arena`. */
struct texts texts_of_json(const json_t *list, struct arena *arena);

#endif
