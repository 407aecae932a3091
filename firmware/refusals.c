/* refusals.c - see refusals.h. */
#include "firmware/refusals.h"

#include "playlists/base/log.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int64_t every_ms; /* one more each time */
    int most;         /* at once */
} allowances[ALLOWANCES] = {
    [ALLOW_RETAINED] = {30000, 8},
    [ALLOW_PASSING] = {30000, 8},
    [ALLOW_VOUCHED] = {6000, 32},
};

bool refusals_may_spend(struct refusals *refusals, enum allowance kind, int64_t elapsed_ms)
{
    int64_t back = (elapsed_ms - refusals->purses[kind].since_ms) / allowances[kind].every_ms;
    int spent = refusals->purses[kind].spent;
    unsigned left_out = refusals->purses[kind].left_out;
    refusals->purses[kind].since_ms += back * allowances[kind].every_ms;
    spent = back < spent ? spent - (int)back : 0;
    bool may = spent < allowances[kind].most;
    if (may && left_out)
        log_warn("courier", "%u documents were refused without a word: too many", left_out);
    refusals->purses[kind].spent = may ? spent + 1 : spent;
    refusals->purses[kind].left_out = may ? 0 : left_out + 1;
    return may;
}

bool refusals_told(const struct refusals *refusals, const struct hash *hash, const char *reason)
{
    for (size_t i = 0; i < TOLD_MAX && i < refusals->n_told; i++)
        if (hash_equal(&refusals->told[i].hash, hash) && strcmp(refusals->told[i].reason, reason) == 0)
            return true;
    return false;
}

void refusals_remember(struct refusals *refusals, const struct hash *hash, const char *reason)
{
    size_t at = refusals->n_told++ % TOLD_MAX;
    refusals->told[at].hash = *hash;
    snprintf(refusals->told[at].reason, sizeof(refusals->told[at].reason), "%s", reason);
}
