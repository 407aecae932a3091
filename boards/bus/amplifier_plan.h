/* amplifier_plan.h - what to write to an amplifier next. Pure.
 *
 * Order that always holds: muted before power moves, relays and gain while muted or ready, unmute last; mute before
 * everything. A setting whose last try failed rests until its retry time; what depends on it waits. */
#ifndef LOA_AMPLIFIER_PLAN_H
#define LOA_AMPLIFIER_PLAN_H

#include "boards/bus/amplifier.h"

enum { SETTING_MUTE, SETTING_POWER, SETTING_GAIN, SETTING_ZONE_1, SETTINGS = SETTING_ZONE_1 + PROFILE_ZONES_MAX };

/* What is known of one thing that can be set. */
struct setting {
    bool known;
    double value;             /* as it would be written to the point */
    bool proven;              /* read back, not only acknowledged */
    int64_t retry_elapsed_ms; /* 0, or not before then */
    uint32_t failures;        /* in a row */
    bool refused;             /* the last try was refused by the device itself (Modbus exception) */
};

struct amplifier_plan {
    int setting; /* to write now, or -1 */
    double value;
    bool settled;
    bool ready;
    int64_t ask_again_ms; /* elapsed; 0: nothing to wait for but readings */
};

/* Index of the point of a setting, or -1. */
int amplifier_point(const struct profile *profile, int setting);
/* `power_on_ms`: elapsed ms since which power is known to be on; only read when it is on. */
struct amplifier_plan amplifier_plan(const struct profile *profile, const struct amplifier_want *want,
                                     const struct setting settings[SETTINGS], int64_t power_on_ms, int64_t now_ms);
/* Pause after so many failures in a row. */
uint32_t amplifier_pause_ms(uint32_t failures);

#endif
