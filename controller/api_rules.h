/* api_rules.h - what the routes of rules share: a rule as the store has it, what its body names, and what people are
 * told about it. On the thread that has the call. */
#ifndef LOA_API_RULES_H
#define LOA_API_RULES_H

#include "controller/api.h"

/* The rule as the API tells it, when this token sees it; NULL: it does not. New reference. */
json_t *rule_find(struct request *r, const char *id);
/* All in sight that have not ended, oldest first, at most `max`; new reference. */
json_t *rules_in_force(struct request *r, int64_t max);
/* GET /rules/{id}.ics */
int api_rule_calendar(struct request *r, const char *id);
/* The canonical body of a row that rule_find() gave. New reference. */
json_t *rule_body_of(const json_t *row);
/* Only who reaches all that the rule reaches may change it. */
int rule_check_mine(struct request *r, const json_t *row, const json_t *body);

/* What the body names is there, and within this token's reach; classes are allowed. */
int rule_check_languages(struct request *r, const json_t *body); /* where it wants all of each device's */
int rule_check_named(struct request *r, const json_t *body);
/* Not all of it is over. */
int rule_check_ahead(struct request *r, const json_t *body);
/* Sentences about what it would not do; new reference. */
json_t *rule_warnings(struct request *r, const json_t *body);

/* The new body in the place of the old one, which is kept for an undo. Within a transaction. */
int rule_write_change(struct request *r, const char *id, const char *what, const json_t *old, const json_t *fresh);
/* The playlists of the devices that are meant by it are made anew. */
void rule_touch(struct request *r, const json_t *body);
/* The rule still says what was read aside: what was checked may be written. Loop thread. */
bool rule_stands(struct request *r, const char *id, const json_t *body);
/* Answer with the rule as it stands now, and (a step aside) its warnings. */
int rule_tell(struct request *r, unsigned status, const char *id, const json_t *body);

#endif
