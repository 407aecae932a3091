/* people.h - tokens: who may call, from which unit, in which role. Loop thread.
 *
 * A token is "loa_<id>_<secret>": the id finds the row, SHA-256 of the 256-bit secret is compared in constant time; the
 * secret itself is kept nowhere. */
#ifndef LOA_PEOPLE_H
#define LOA_PEOPLE_H

#include "controller/store.h"

enum role {
    ROLE_VIEWER = 1,
    ROLE_TECHNICIAN = 2,
    ROLE_OPERATOR = 4,
    ROLE_APPROVER = 8,
    ROLE_ADMIN = 16,
    ROLES_ALL = 31,
};

/* 0 when the word names none. */
enum role role_of(const char *word);
const char *role_name(enum role role);

struct token {
    char id[24];
    char unit[44];
    enum role role;
};

/* Make a token; ret_text (at most 80 bytes) is the only copy of it. The unit need not exist yet. */
MUST_USE int people_add(struct store *store, const char *unit, enum role role, const char *note, int64_t now_ms,
                        struct token *ret_token, char ret_text[96]);
/* True while the token of this id is not revoked. */
bool people_live(struct store *store, const char *id);
/* True when `text` is a live token. */
bool people_check(struct store *store, const char *text, struct token *ret);

#endif
