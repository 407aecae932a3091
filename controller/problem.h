/* problem.h - why a person's request is refused: one sentence, in both languages, made once from the catalogue
 * (words.h).
 *
 * It becomes problem+json (RFC 9457) at the edge; the command line prints the English one. Any thread; no shared state.
 */
#ifndef LOA_PROBLEM_H
#define LOA_PROBLEM_H

#include "controller/words.h"

#include <stdbool.h>

struct problem {
    int status;       /* HTTP status; 0: nothing is wrong */
    const char *code; /* stable word for programs ("member", "value", ...); static */
    char member[96];  /* which member of the body, "" when none */
    char vi[640];
    char en[640];
    const char *refusal; /* word of playlists/seal.h for refused documents, else NULL; static */
    char allow[40];      /* for 405 */
    int retry_after_s;   /* for 429 and 503 */
};

/* Fill it from the catalogue sentence `word` (the arguments follow its format) and return -1, so that a reader can
 * `return refuse(...)`. `member` may be NULL. */
int refuse(struct problem *problem, int status, const char *code, const char *member, enum word word, ...);

/* There is no such thing ("rule", "device": see word_thing()), or its id is taken; both return -1. */
int refuse_missing(struct problem *problem, int status, const char *code, const char *member, const char *thing,
                   const char *id);
int refuse_taken(struct problem *problem, const char *thing, const char *id);

#endif
