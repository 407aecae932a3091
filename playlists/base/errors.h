/* errors.h - how Loa reports what went wrong.
 *
 * A function returns 0 or a count, else a negative code: -errno, or one of the codes below (all below -10000, so that
 * they never meet an errno). A person who can mend the cause gets a `struct complaint`: one sentence that names the
 * thing, what is wrong with it and what would be right. Lower layers fill it and do not log. */
#ifndef LOA_ERRORS_H
#define LOA_ERRORS_H

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))

enum err {
    ERR_FORMAT = -10001,    /* bytes that do not follow their grammar */
    ERR_LIMIT = -10002,     /* well formed, but longer, larger or more than is allowed */
    ERR_SIGNATURE = -10003, /* the signature does not hold */
    ERR_KEY = -10004,       /* signed by a key that nobody vouches for */
    ERR_HASH = -10005,      /* content does not match its hash */
    ERR_VERSION = -10006,   /* older than what is held */
    ERR_AUDIENCE = -10007,  /* meant for somebody else */
    ERR_EXPIRED = -10008,   /* past its end */
    ERR_STORE = -10009,     /* the database or the disk below it */
    ERR_DEVICE = -10010,    /* hardware answered wrongly, or not at all */
    ERR_STATE = -10011,     /* right in itself, but not now */
};

/* Stable lower-case name of any code ("format", "signature", ..., or errno's text). Never NULL. Any thread. */
const char *err_name(int code);

struct complaint {
    char text[400]; /* one sentence, UTF-8, always terminated; empty when there is nothing to say */
};

/* Write the sentence (cut when too long, never in the middle of a UTF-8 sequence) and return `code`, so that a reader
 * can `return complain(why, ERR_FORMAT, ...)`. `why` may be NULL. */
int complain(struct complaint *why, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before what the complaint says. `why` may be NULL. */
void complain_prefix(struct complaint *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
