/* api_inbox.h - what the routes of the inbox share. */
#ifndef LOA_API_INBOX_H
#define LOA_API_INBOX_H

#include "controller/api.h"

/* The rule as it waits for the commune, in the words of GET /inbox; NULL: it does not. New reference. */
json_t *inbox_find(struct request *r, const char *rule, const char *commune);

#endif
