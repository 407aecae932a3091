/* rules_part.h - inside of rules.h: the parts of a rule's body that have files of their own. Checks put canonical
 * members into `ret` and return 0, or -1 with the problem filled. */
#ifndef LOA_RULES_PART_H
#define LOA_RULES_PART_H

#include "controller/rules.h"

/* rules_when.c: days, times, zone, seasons, exceptions, holidays. */
#define RULE_WHEN_MEMBERS                                                                                              \
    "when date from until times zone weekdays nths month_days every_days anchor lunar_days lunar_dates seasons except" \
    " holidays calendar calendar_days"
/* The members of the earliest rules first, the others in put_more_when(). */
int put_when(const struct form *form, json_t *ret);
int put_zone(const struct form *form, struct zones *zones, const char *zone, json_t *ret);
int put_more_when(const struct form *form, struct zones *zones, json_t *ret);

/* rules_session.c */
int put_session(const struct form *form, json_t *ret);
const struct session *session_build(const json_t *body, struct arena *arena);

/* rules.c */
int put_list(json_t *ret, const char *name, const json_t *list);
int put_choice(const struct form *form, const char *name, const char *const *names, json_t *ret); /* first: default */
int put_int(const struct form *form, const char *name, int64_t min, int64_t max, int64_t value, json_t *ret);
int put_some_int(const struct form *form, const char *name, int64_t min, int64_t max, json_t *ret); /* 0: default */
int rule_index_of(const char *const *names, const json_t *word);

#endif
