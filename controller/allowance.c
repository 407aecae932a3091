/* allowance.c - see allowance.h. */
#include "controller/allowance.h"

static const int64_t full_milli = INT64_C(1000) * ALLOWANCE_FULL;

enum allowance_verdict allowance_take(struct allowance *allowance, size_t len, int64_t now_ms)
{
    int64_t passed_ms = now_ms > allowance->at_ms ? now_ms - allowance->at_ms : 0;
    int64_t cost_milli = 1000 + (int64_t)(len / 1024) * 1000;
    if (passed_ms > full_milli / ALLOWANCE_PER_S)
        passed_ms = full_milli / ALLOWANCE_PER_S;
    allowance->spent_milli -= passed_ms * ALLOWANCE_PER_S;
    if (allowance->spent_milli < 0)
        allowance->spent_milli = 0;
    allowance->at_ms = now_ms;
    if (allowance->spent_milli + cost_milli <= full_milli) {
        allowance->spent_milli += cost_milli;
        return ALLOWANCE_TAKE;
    }
    bool first = allowance->dropped_at_ms == 0 || now_ms - allowance->dropped_at_ms > ALLOWANCE_CALM_MS;
    allowance->dropped = first ? 1 : allowance->dropped + 1;
    allowance->dropped_at_ms = now_ms;
    return first ? ALLOWANCE_FLOOD : ALLOWANCE_DROP;
}

void allowance_charge(struct allowance *allowance, int64_t work_ms)
{
    if (work_ms > 1)
        allowance->spent_milli += (work_ms - 1) * 1000;
    if (allowance->spent_milli > full_milli)
        allowance->spent_milli = full_milli;
}
