/* horns.c - see horns.h. */
#include "firmware/horns.h"

#include "firmware/mains.h"

#include "boards/bus/amplifier.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { UP_MARGIN_MS = 500 }; /* writes and proofs around the profile's own power-up time */

/* Who waits for the outcome of a silence. */
struct horn {
    struct horns *horns;
    size_t index;
};

struct horns {
    const struct site *site;
    struct amplifier *amplifiers[SITE_AMPLIFIERS_MAX];
    struct horn at[SITE_AMPLIFIERS_MAX];
    struct mains *mains;
    size_t n;
    int64_t power_since_ms[SITE_AMPLIFIERS_MAX]; /* elapsed time since when power is wanted; 0: it is not */
};

static bool is_at_rest(void *arg, size_t index)
{
    const struct horns *horns = arg;
    struct amplifier_status status;
    amplifier_status(horns->amplifiers[index], &status);
    return !status.reachable || (status.settled && !status.want.power);
}

int horns_new(uv_loop_t *loop, const struct site *site, struct bus **buses, struct horns **ret_horns,
              struct complaint *why)
{
    struct horns *horns = xcalloc(1, sizeof(*horns));
    horns->site = site;
    int made = mains_new(loop, site, buses, is_at_rest, horns, &horns->mains, why);
    if (made < 0) {
        horns_free(horns);
        return made;
    }
    for (size_t i = 0; i < site->n_amplifiers; i++) {
        const struct site_amplifier *amp = &site->amplifiers[i];
        int r = amplifier_new(buses[amp->bus], amp->profile, amp->unit, amp->name, NULL, NULL, &horns->amplifiers[i]);
        if (r < 0) {
            horns_free(horns);
            return complain(why, r, "amplifier %s: cannot be driven: %s", amp->name, err_name(r));
        }
        horns->at[i] = (struct horn){.horns = horns, .index = i};
        horns->n++;
    }
    *ret_horns = horns;
    return 0;
}

void horns_free(struct horns *horns)
{
    if (!horns)
        return;
    for (size_t i = 0; i < horns->n; i++)
        amplifier_free(horns->amplifiers[i]);
    mains_free(horns->mains);
    free(horns);
}

static bool takes_part(const struct site_amplifier *amp, uint32_t zones)
{
    return zones == 0 || amp->zones == 0 ? zones != SITE_ZONE_NONE : (amp->zones & zones) != 0;
}

/* The amplifier's own relays behind the site's zones. */
static uint32_t relays(const struct site_amplifier *amp, uint32_t zones, uint32_t muted_zones)
{
    uint32_t bits = 0;
    for (int i = 0; i < PROFILE_ZONES_MAX; i++)
        if (amp->zone_bits[i] && (zones == 0 || (amp->zone_bits[i] & zones)) && !(amp->zone_bits[i] & muted_zones))
            bits |= UINT32_C(1) << i;
    return bits;
}

static void want(struct horns *horns, size_t i, const struct amplifier_want *wanted)
{
    struct amplifier_status status;
    amplifier_status(horns->amplifiers[i], &status);
    if (status.want.power != wanted->power || status.want.mute != wanted->mute ||
        status.want.gain_mb != wanted->gain_mb || status.want.zones != wanted->zones)
        amplifier_want(horns->amplifiers[i], wanted);
    mains_want(horns->mains, i, wanted->power);
    if (!wanted->power)
        horns->power_since_ms[i] = 0;
    else if (horns->power_since_ms[i] == 0)
        horns->power_since_ms[i] = clock_elapsed_ms();
}

void horns_ready(struct horns *horns, uint32_t zones)
{
    for (size_t i = 0; i < horns->n; i++) {
        const struct site_amplifier *amp = &horns->site->amplifiers[i];
        struct amplifier_status status;
        amplifier_status(horns->amplifiers[i], &status);
        if (!takes_part(amp, zones) || status.want.power)
            continue;
        struct amplifier_want wanted = {.power = true, .mute = true, .zones = relays(amp, zones, 0)};
        wanted.gain_mb = status.want.gain_mb;
        want(horns, i, &wanted);
    }
}

void horns_open(struct horns *horns, uint32_t zones, uint32_t muted_zones, int32_t gain_mb)
{
    for (size_t i = 0; i < horns->n; i++) {
        const struct site_amplifier *amp = &horns->site->amplifiers[i];
        struct amplifier_want wanted = {.power = true, .gain_mb = gain_mb, .zones = relays(amp, zones, muted_zones)};
        bool silenced = amp->zones ? wanted.zones == 0 : muted_zones == UINT32_MAX;
        wanted.mute = !takes_part(amp, zones) || silenced;
        wanted.power = takes_part(amp, zones);
        want(horns, i, &wanted);
    }
}

static void close_all(struct horns *horns, bool power)
{
    for (size_t i = 0; i < horns->n; i++) {
        struct amplifier_status status;
        amplifier_status(horns->amplifiers[i], &status);
        struct amplifier_want wanted = status.want;
        wanted.mute = true;
        wanted.power = power && wanted.power;
        if (!wanted.power)
            wanted.zones = 0;
        want(horns, i, &wanted);
    }
}

void horns_mute(struct horns *horns)
{
    close_all(horns, true);
}

void horns_rest(struct horns *horns)
{
    close_all(horns, false);
}

/* An amplifier that cannot be told to be silent and whose mains we have is made so. */
static void on_silenced(void *arg, int result)
{
    const struct horn *horn = arg;
    if (result == 0 || result == -ECANCELED || horn->horns->site->amplifiers[horn->index].relay < 0)
        return;
    struct amplifier_want off = {.mute = true};
    want(horn->horns, horn->index, &off);
    mains_cut(horn->horns->mains, horn->index);
}

void horns_silence(struct horns *horns)
{
    for (size_t i = 0; i < horns->n; i++)
        amplifier_silence(horns->amplifiers[i], on_silenced, &horns->at[i]);
}

int64_t horns_ready_in_ms(const struct horns *horns, uint32_t zones, int64_t now_elapsed_ms)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < horns->n; i++) {
        struct amplifier_status status;
        amplifier_status(horns->amplifiers[i], &status);
        int64_t mains_ms = mains_up_in_ms(horns->mains, i, now_elapsed_ms);
        if (!takes_part(&horns->site->amplifiers[i], zones) || status.ready || (!status.reachable && mains_ms == 0))
            continue;
        int64_t up_ms = (int64_t)horns->site->amplifiers[i].profile->power_up_ms + UP_MARGIN_MS;
        int64_t since_ms = horns->power_since_ms[i] ? horns->power_since_ms[i] : now_elapsed_ms;
        int64_t left_ms = mains_ms > 0 ? mains_ms + up_ms : since_ms + up_ms - now_elapsed_ms;
        longest_ms = left_ms > longest_ms ? left_ms : longest_ms;
    }
    return longest_ms;
}

bool horns_settled(const struct horns *horns)
{
    for (size_t i = 0; i < horns->n; i++) {
        struct amplifier_status status;
        amplifier_status(horns->amplifiers[i], &status);
        if (status.reachable && !status.settled)
            return false;
    }
    return mains_settled(horns->mains);
}

bool horns_take_part(const struct horns *horns, uint32_t zones)
{
    for (size_t i = 0; i < horns->n; i++)
        if (takes_part(&horns->site->amplifiers[i], zones))
            return true;
    return false;
}

bool horns_set_gain(const struct horns *horns, uint32_t zones)
{
    for (size_t i = 0; i < horns->n; i++)
        if (takes_part(&horns->site->amplifiers[i], zones) && horns->site->amplifiers[i].profile->gain < 0)
            return false;
    return horns_take_part(horns, zones);
}

uint32_t horns_lead_ms(const struct horns *horns)
{
    uint32_t lead_ms = 0;
    for (size_t i = 0; i < horns->n; i++) {
        const struct site_amplifier *amp = &horns->site->amplifiers[i];
        uint32_t one_ms = amplifier_lead_ms(amp->profile) + mains_lead_ms(amp);
        lead_ms = one_ms > lead_ms ? one_ms : lead_ms;
    }
    return lead_ms;
}

void horns_mark(struct horns *horns, int32_t threshold_mb)
{
    for (size_t i = 0; i < horns->n; i++)
        amplifier_mark(horns->amplifiers[i], threshold_mb);
    mains_mark(horns->mains);
}

static void add_fault(const struct site_amplifier *amp, const char *what, struct airing_horns *ret)
{
    if (ret->n_faults < EVIDENCE_FAULTS_MAX)
        snprintf(ret->faults[ret->n_faults++], EVIDENCE_FAULT_LEN, "%.23s.%s", amp->name, what);
}

static void add_faults(const struct site_amplifier *amp, uint32_t bits, struct airing_horns *ret)
{
    for (size_t f = 0; f < amp->profile->n_faults; f++)
        if (bits & (UINT32_C(1) << f))
            add_fault(amp, amp->profile->points[amp->profile->faults[f]].name, ret);
}

/* A meter is heard beside the amplifier's own word, never instead of it where there is one. */
static void add_proof(const struct horns *horns, size_t i, const struct amplifier_sights *seen,
                      struct airing_horns *ret)
{
    const struct site_amplifier *amp = &horns->site->amplifiers[i];
    bool drawn = false;
    bool metered = mains_witness(horns->mains, i, &drawn);
    bool power = amp->profile->power_state >= 0 ? seen->power_seen && !seen->power_lost : metered;
    ret->power = ret->power && power && (!metered || drawn);
    ret->seen = ret->seen && (seen->can_see ? seen->n_above > 0 : metered) && (!metered || drawn);
    if (metered && !drawn)
        add_fault(amp, "no_power_drawn", ret);
}

void horns_evidence(struct horns *horns, uint32_t zones, struct airing_horns *ret)
{
    *ret =
        (struct airing_horns){.asked = horns_take_part(horns, zones), .commanded = true, .power = true, .seen = true};
    bool first = true;
    for (size_t i = 0; i < horns->n; i++) {
        const struct site_amplifier *amp = &horns->site->amplifiers[i];
        if (!takes_part(amp, zones))
            continue;
        struct amplifier_sights seen;
        struct amplifier_status status;
        amplifier_sights(horns->amplifiers[i], &seen);
        amplifier_status(horns->amplifiers[i], &status);
        ret->commanded =
            ret->commanded && status.reachable && !seen.unreachable && (status.settled || seen.unmuted_seen);
        add_proof(horns, i, &seen, ret);
        if (first || seen.level_max_mb < ret->level_mb)
            ret->level_mb = seen.level_max_mb;
        if (status.temperature.valid && (first || status.temperature.value > (double)ret->temperature_c))
            ret->temperature_c = lround(status.temperature.value);
        add_faults(amp, seen.faults_seen, ret);
        first = false;
    }
    if (!ret->asked)
        *ret = (struct airing_horns){0};
}

size_t horns_count(const struct horns *horns)
{
    return horns->n + mains_count(horns->mains);
}

/* What relay and meter say about it: dark by our own wish is no fault, power that nobody ordered is one. */
static void add_mains(const struct horns *horns, size_t index, struct part_report *ret)
{
    if (!ret->reachable && mains_excuse(horns->mains, index)) {
        ret->reachable = true;
        ret->problem[0] = '\0';
    }
    char problem[sizeof(ret->problem)];
    if (mains_contradiction(horns->mains, index, problem, sizeof(problem))) {
        ret->faulty = true;
        ret->faults |= FAULT_CONTRADICTED;
        snprintf(ret->problem, sizeof(ret->problem), "%s", problem);
    }
}

void horns_report(const struct horns *horns, size_t index, struct part_report *ret)
{
    struct amplifier_status status;
    if (index >= horns->n) {
        mains_report(horns->mains, index - horns->n, ret);
        return;
    }
    amplifier_status(horns->amplifiers[index], &status);
    *ret = (struct part_report){.name = horns->site->amplifiers[index].name,
                                .reachable = status.reachable,
                                .since_elapsed_ms = status.reachable_elapsed_ms,
                                .faulty = status.faults != 0,
                                .faults = status.faults,
                                .has_temperature = status.temperature.valid,
                                .temperature_c = status.temperature.value,
                                .has_level = status.output_level.valid,
                                .level_db = status.output_level.value};
    snprintf(ret->problem, sizeof(ret->problem), "%s", status.problem);
    add_mains(horns, index, ret);
}
