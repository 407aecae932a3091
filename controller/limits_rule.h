/* limits_rule.h - a rule held against the limits of the places that it is meant for, when it is saved: what it would be
 * refused for by itself. What several rules use up together: limits_together.h. Loop thread. */
#ifndef LOA_LIMITS_RULE_H
#define LOA_LIMITS_RULE_H

#include "controller/request.h"

/* `body`: a canonical one. -1 with the problem filled when a limit that refuses is broken and no exemption stands, or
 * where it wants all languages of a place and a bulletin of it lacks one. */
int limits_check_rule(struct request *r, const json_t *body);
/* The same of its times in one area alone, where they are what its body says now. Warnings are put behind `warnings`.
 */
int limits_check_within(struct request *r, const json_t *body, const char *area, json_t *warnings);
/* Sentences about limits that warn are put behind `warnings`. */
void limits_warn_rule(struct request *r, const json_t *body, json_t *warnings);

#endif
