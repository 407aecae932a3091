/* form.h - reading what a person sent: strict members, bounds, and a sentence that names the member.
 *
 * Each reader returns 0, or -1 with the problem filled. An absent optional member leaves *ret as it was. Texts are
 * borrowed from the JSON. Pure; any thread. */
#ifndef LOA_FORM_H
#define LOA_FORM_H

#include "controller/problem.h"

#include <jansson.h>
#include <stdint.h>

enum { FORM_DEPTH_MAX = 8 };

struct form {
    const json_t *object;
    char path[48]; /* "" or "contents[0]." before each member's name */
    struct problem *problem;
};

/* Parse a body: an object at the top, no duplicate member, depth at most FORM_DEPTH_MAX. The caller owns *ret. */
int form_parse(const void *data, size_t len, struct problem *problem, json_t **ret);

/* Refuse members that are not among `names` (separated by blanks). */
int form_known(const struct form *form, const char *names);

int form_text(const struct form *form, const char *name, bool required, size_t min, size_t max, const char **ret);
int form_id(const struct form *form, const char *name, bool required, const char **ret);
int form_hash(const struct form *form, const char *name, bool required, const char **ret);
int form_int(const struct form *form, const char *name, bool required, int64_t min, int64_t max, int64_t *ret);
/* One of `names` (NULL-terminated); *ret is its index. */
int form_choice(const struct form *form, const char *name, bool required, const char *const *names, int *ret);
/* A list of min to max members; *ret NULL when absent. */
int form_list(const struct form *form, const char *name, bool required, size_t min, size_t max, const json_t **ret);
/* A list of different ids. */
int form_ids(const struct form *form, const char *name, bool required, size_t max, const json_t **ret);
/* A list of different words: 1 to 64 of a-z 0-9 _ - . */
int form_words(const struct form *form, const char *name, size_t max, const json_t **ret);
/* A list of different words of `names`. */
int form_choices(const struct form *form, const char *name, const char *const *names, const json_t **ret);
/* A list of different language tags (BCP 47 primary subtags: 2 or 3 lower-case letters). */
int form_languages(const struct form *form, const char *name, const json_t **ret);
bool language_valid(const char *tag);
/* The form of an object in a list: "name[i]." */
int form_item(const struct form *form, const char *name, const json_t *list, size_t index, struct form *ret);

/* A date such as 2026-07-01; *ret_days days since 1970. */
int form_date(const struct form *form, const char *name, bool required, const char **ret, int64_t *ret_days);
/* A time of the day as in windows, whole minutes; "24:00" only where `end`. *ret_min minutes. */
int form_minute(const struct form *form, const char *name, bool end, int64_t *ret_min);
/* An id for what was given none: the prefix and 12 hex digits. */
void id_make(const char *prefix, char ret[24]);

/* "a, b, c" of a NULL-terminated list, for sentences. */
void form_names(const char *const *names, char *ret, size_t cap);

/* RFC 3339 in UTC or with offset -> Unix ms. 0 or -1. */
int instant_parse(const char *text, int64_t *ret_ms);

#endif
