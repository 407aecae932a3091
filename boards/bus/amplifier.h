/* amplifier.h - one power amplifier, driven by its profile, whatever bus it hangs on.
 *
 * Desired state: the caller says what it wants, the driver makes it so (mute first, unmute last), proves each write by
 * the point that the profile names, tries again, and asserts it anew when the device comes back or changes by itself.
 * Until somebody wants otherwise it is muted and off. Everything on the loop thread; nothing blocks. */
#ifndef LOA_AMPLIFIER_H
#define LOA_AMPLIFIER_H

#include "boards/bus/bus.h"
#include "boards/bus/profile.h"

struct amplifier;

struct amplifier_want {
    bool power;
    bool mute;
    int32_t gain_mb; /* hundredths of a dB; clamped to what the profile allows (status says `gain_clamped`) */
    uint32_t zones;  /* bit 0: zone_1 ... */
};

/* One value read from the device. */
struct reading {
    bool valid;            /* false: never read, or the device is unreachable since */
    double value;          /* in the profile's unit */
    int64_t at_elapsed_ms; /* when it was read */
};

struct amplifier_status {
    bool reachable;               /* it answered within the last polls */
    int64_t reachable_elapsed_ms; /* since when it is (un)reachable */
    struct amplifier_want want;
    bool settled; /* all that is wanted is in place, and proven wherever the profile allows proof */
    bool ready;   /* power is on (proven if it can be) and power_up_ms have passed */
    struct reading power, mute, gain, temperature, output_level; /* gain, output_level in dB */
    uint32_t zones;                                              /* relays that are on, as far as known */
    uint32_t zones_known;
    uint32_t faults; /* bit i: profile->faults[i] reads 1 */
    bool gain_clamped;
    bool power_proven, mute_proven, gain_proven, zones_proven; /* read back equal to what was written */
    char problem[240];                                         /* one sentence; empty when all is well */
};

/* What was seen since amplifier_mark(). */
struct amplifier_sights {
    uint32_t n_levels;                                /* readings of output_level */
    uint32_t n_above;                                 /* of them above the threshold */
    int32_t level_min_mb, level_max_mb, level_avg_mb; /* 0 when n_levels is 0 */
    int64_t first_elapsed_ms, last_elapsed_ms;        /* of those readings */
    bool can_see;                                     /* the profile has an output_level at all */
    bool power_seen;   /* power_state read on at least once (false when the profile has none) */
    bool power_lost;   /* power_state read off after it had been seen on */
    bool unmuted_seen; /* mute's proof read "off" */
    bool unreachable;  /* the device was away at some time */
    uint32_t faults_seen;
};

typedef void (*amplifier_changed_fn)(void *arg, const struct amplifier_status *status);
typedef void (*amplifier_done_fn)(void *arg, int result);

/* Make the amplifier at `unit` and begin to poll it, wanting {off, muted}. `bus` and `profile` (of kind amplifier or
 * relay, else -EINVAL; a relay board is an amplifier that has nothing but zones, its channels) are borrowed and must
 * outlive it; `name` is copied, for sentences. `changed` (may be NULL) comes on every change of status but time stamps
 * and small movements of level and temperature. */
MUST_USE int amplifier_new(struct bus *bus, const struct profile *profile, uint8_t unit, const char *name,
                           amplifier_changed_fn changed, void *arg, struct amplifier **ret_amplifier);
/* NULL is fine. Writes nothing: silence it before, and wait for the outcome. Memory is released once the loop let go.
 */
void amplifier_free(struct amplifier *amplifier);

/* Replace what is wanted. Returns at once; `changed` tells when it is settled. */
void amplifier_want(struct amplifier *amplifier, const struct amplifier_want *want);

/* Mute now: the profile's one silence write, urgent, at once, also when the device is backed off; and want.mute = true.
 * `done` (may be NULL) gets 0 when the device has acknowledged the write, -ECANCELED when a newer silence replaced it,
 * else the bus's code (the driver goes on trying). */
void amplifier_silence(struct amplifier *amplifier, amplifier_done_fn done, void *arg);

void amplifier_status(const struct amplifier *amplifier, struct amplifier_status *ret_status);

/* Begin to collect evidence anew; levels above threshold_mb count as sound. */
void amplifier_mark(struct amplifier *amplifier, int32_t threshold_mb);
void amplifier_sights(const struct amplifier *amplifier, struct amplifier_sights *ret_sights);

/* Longest time from "power wanted" to "ready" for this profile, so that the caller can begin ahead of time. */
uint32_t amplifier_lead_ms(const struct profile *profile);

#endif
