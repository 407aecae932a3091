/* refusals.h - what refusals may cost, since anybody can make documents that are refused and each one told is a write
 * or two: an allowance that fills up again with time, and a memory of the newest ones told. Plain values, all zero at
 * first; no I/O but a line in the log. */
#ifndef LOA_REFUSALS_H
#define LOA_REFUSALS_H

#include "playlists/base/bytes.h"

enum allowance {
    ALLOW_RETAINED, /* signature not proven: trust, keys, config, playlist. 8 at once, then 2 a minute */
    ALLOW_PASSING,  /* likewise: welcome, command */
    ALLOW_VOUCHED,  /* sealed by a known key; the many of a lifetime can be played back. 32 at once, then 10 a minute */
    ALLOWANCES
};

enum { TOLD_MAX = 64 };

struct refusals {
    struct {
        int64_t since_ms; /* elapsed: counted up to here */
        int spent;
        unsigned left_out;
    } purses[ALLOWANCES];
    struct {
        struct hash hash;
        char reason[24];
    } told[TOLD_MAX]; /* a ring */
    size_t n_told;    /* ever */
};

/* True: one more may be told and kept, and it is counted. */
bool refusals_may_spend(struct refusals *refusals, enum allowance kind, int64_t elapsed_ms);
bool refusals_told(const struct refusals *refusals, const struct hash *hash, const char *reason);
void refusals_remember(struct refusals *refusals, const struct hash *hash, const char *reason);

#endif
