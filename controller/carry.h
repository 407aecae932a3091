/* carry.h - what comes from above: rules that a commune may have a say in, and what it said (placements). Reading may
 * be done on any thread with a store of its own. */
#ifndef LOA_CARRY_H
#define LOA_CARRY_H

#include "controller/form.h"
#include "controller/people.h"
#include "controller/store.h"
#include "playlists/compile.h"

/* Members of a rule's body: `carry` (rule_carry_names) and `window` {"from", "to"}, in which a commune may put its own
 * times. Canonical: absent when direct, without a window. */
#define RULE_CARRY_MEMBERS "carry window"
int carry_check(const struct form *form, json_t *ret);
/* What a rule is that says nothing about it: of an admin, or of a unit without communes below it, direct; else offer,
 * or must for class priority. Only an admin makes a rule direct from above (-1 with the problem filled). `given`: as
 * the caller sent it. */
int carry_settle(struct store *store, const struct token *token, const json_t *given, json_t *body,
                 struct problem *problem);

/* May this caller change a rule of body `old`? Not one that is direct from above, unless an admin: -1. */
int carry_check_change(struct store *store, const struct token *token, const json_t *old, struct problem *problem);

/* carry of a canonical body, and the communes' words to the rule of this id; in `arena`. */
void carry_build(const json_t *body, struct rule *ret);
void placements_load(struct store *store, const char *rule, struct arena *arena, struct rule *ret);
/* With this word (as rows of placements are; state null: none) in the place of what its area said. */
void placements_put(const json_t *word, struct arena *arena, struct rule *rule);

#endif
