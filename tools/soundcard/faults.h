/* faults.h - what can be wrong with the card, and the words that make it so.
 *
 *     vanish [MS]        it is gone: streams end, and who opens it hears ENODEV; back after MS, or by `return`
 *     busy [MS]          who opens it hears EBUSY; a stream that runs goes on
 *     freeze [MS]        it stands still: takes nothing, and the delay it tells does not move
 *     underrun [N [MS]]  N times (1), MS apart (200): the stream is stopped as if it had run dry, with frames waiting
 *     ppm N              runs N millionths faster than the clock from now on, -1000 to 1000
 *     return             ends vanish, busy, freeze and underrun
 *     status             changes nothing
 *
 * Values and arithmetic only; card.c does what they say. Times are CLOCK_MONOTONIC in ns. */
#ifndef LOA_CARD_FAULTS_H
#define LOA_CARD_FAULTS_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stdint.h>

enum fault_kind { FAULT_VANISH, FAULT_BUSY, FAULT_FREEZE, FAULT_UNDERRUN, FAULT_PPM, FAULT_RETURN, FAULT_STATUS };
enum { FAULT_LINE_MAX = 200, FAULT_PPM_MAX = 1000, FAULT_MS_MAX = 86400000, FAULT_UNDERRUNS_MAX = 10000 };

struct fault {
    enum fault_kind kind;
    int64_t number; /* ppm, or how many underruns */
    int64_t ms;     /* 0: until `return` */
};

/* One line of words, without its end. */
MUST_USE int fault_parse(const char *line, struct fault *ret_fault, struct complaint *why);

struct faults {
    int64_t gone_until_ns; /* 0: not; INT64_MAX: until told */
    int64_t busy_until_ns;
    int64_t still_until_ns;
    int64_t dry_next_ns;
    int64_t dry_every_ns;
    uint32_t dry_left;
};

/* Everything but FAULT_PPM. */
void faults_set(struct faults *faults, const struct fault *fault, int64_t now_ns);
/* Let those end whose time has come. */
void faults_pass(struct faults *faults, int64_t now_ns);
/* True: the running stream runs dry now. */
bool faults_dry(struct faults *faults, int64_t now_ns);

#endif
