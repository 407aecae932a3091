/* member.h - one member of a document: where it stands, for sentences, and the checks that reading and writing share.
 * Internal to playlists/. Pure; any thread. */
#ifndef LOA_MEMBER_H
#define LOA_MEMBER_H

#include "playlists/codec.h"

enum { MEMBER_QUOTE_MAX = 40 };

/* Where we are in the document, for sentences. */
struct member_path {
    const struct member_path *up;
    const char *name; /* NULL at the top */
    size_t index;
    bool indexed;
};

/* Put the path before the sentence and hand `code` on. */
int member_at(const struct member_path *path, struct complaint *why, int code);
/* The same for a sentence that begins with a member of the object at `path`. */
int member_below(const struct member_path *path, struct complaint *why, int code);

/* A foreign text made fit for a sentence: short, valid UTF-8, without control characters. */
const char *member_quote(const char *text, size_t len, char ret[MEMBER_QUOTE_MAX + 8]);

int member_name_index(const char *const *names, const char *text); /* -1: none of them */

/* Each: 0, or ERR_FORMAT / ERR_LIMIT and a sentence without the path. `text` is terminated. */
MUST_USE int member_check_text(const struct field *f, const char *text, size_t len, struct complaint *why);
MUST_USE int member_check_int(const struct field *f, int64_t value, struct complaint *why);
MUST_USE int member_check_real(const struct field *f, double value, struct complaint *why);
MUST_USE int member_check_count(const struct field *f, size_t n, struct complaint *why);
/* `text` is what was written there, for the sentence. */
MUST_USE int member_check_choice(const struct field *f, int value, const char *text, struct complaint *why);
MUST_USE int member_check_distinct(const struct texts *texts, struct complaint *why);

#endif
