/* amplifier_plan.c - see amplifier_plan.h. */
#include "boards/bus/amplifier_plan.h"

#include "boards/bus/points.h"

#include <math.h>
#include <string.h>

int amplifier_point(const struct profile *profile, int setting)
{
    switch (setting) {
    case SETTING_MUTE:
        return profile->mute;
    case SETTING_POWER:
        return profile->power;
    case SETTING_GAIN:
        return profile->gain;
    default:
        return profile->zones[setting - SETTING_ZONE_1];
    }
}

uint32_t amplifier_pause_ms(uint32_t failures)
{
    uint32_t pause = 250;
    for (uint32_t i = 1; i < failures && pause < 5000; i++)
        pause *= 2;
    return pause < 5000 ? pause : 5000;
}

/* An amplifier without a mute is muted by what its silence write touches. */
static struct amplifier_want effective(const struct profile *p, const struct amplifier_want *want)
{
    struct amplifier_want w = *want;
    w.mute = w.mute || !w.power;
    if (p->mute >= 0 || !w.mute)
        return w;
    if (p->silence == p->power)
        w.power = false;
    if (p->silence == p->gain)
        w.gain_mb = (int32_t)lround(p->silence_value * 100);
    for (unsigned i = 0; i < PROFILE_ZONES_MAX; i++)
        if (p->zones[i] == p->silence && p->zones[i] >= 0)
            w.zones &= ~(1U << i);
    return w;
}

static double wanted_gain(const struct point *point, int32_t gain_mb)
{
    double gain = gain_mb / 100.0;
    return fmin(fmax(gain, point->min), point->max);
}

static double wanted_value(const struct profile *p, const struct amplifier_want *w, int setting)
{
    const struct point *point = &p->points[amplifier_point(p, setting)];
    if (setting == SETTING_GAIN)
        return wanted_gain(point, w->gain_mb);
    bool on = setting == SETTING_MUTE    ? w->mute
              : setting == SETTING_POWER ? w->power
                                         : (w->zones >> (setting - SETTING_ZONE_1)) & 1;
    return on ? point->on : point->off;
}

static bool in_place(const struct profile *p, const struct amplifier_want *w, const struct setting *settings,
                     int setting)
{
    int index = amplifier_point(p, setting);
    if (index < 0)
        return true;
    const struct point *point = &p->points[index];
    double slack = fmax(point->tolerance, fabs(point->scale) / 2) + 1e-6;
    if (setting != SETTING_GAIN)
        slack = 1e-6;
    return settings[setting].known && fabs(settings[setting].value - wanted_value(p, w, setting)) <= slack;
}

/* Take this setting as the next write, unless it rests. */
static bool take(const struct profile *p, const struct amplifier_want *w, const struct setting *settings, int setting,
                 int64_t now, struct amplifier_plan *plan)
{
    int64_t retry = settings[setting].retry_elapsed_ms;
    if (retry > now) {
        if (plan->ask_again_ms == 0 || retry < plan->ask_again_ms)
            plan->ask_again_ms = retry;
        return false;
    }
    plan->setting = setting;
    plan->value = wanted_value(p, w, setting);
    return true;
}

static bool all_in_place(const struct profile *p, const struct amplifier_want *w, const struct setting *settings)
{
    /* while it is off its gain does not matter, and many devices do not take it then */
    for (int i = 0; i < SETTINGS; i++)
        if (!in_place(p, w, settings, i) && (w->power || i != SETTING_GAIN))
            return false;
    return true;
}

/* Zones and gain, in turn, skipping what rests. */
static bool take_others(const struct profile *p, const struct amplifier_want *w, const struct setting *settings,
                        int64_t now, struct amplifier_plan *plan)
{
    for (int i = SETTING_GAIN; i < SETTINGS; i++)
        if (!in_place(p, w, settings, i) && (w->power || i != SETTING_GAIN) && take(p, w, settings, i, now, plan))
            return true;
    return false;
}

static void plan_off(const struct profile *p, const struct amplifier_want *w, const struct setting *settings,
                     int64_t now, struct amplifier_plan *plan)
{
    if (take_others(p, w, settings, now, plan))
        return;
    if (!in_place(p, w, settings, SETTING_POWER))
        take(p, w, settings, SETTING_POWER, now, plan);
}

static void plan_on(const struct profile *p, const struct amplifier_want *w, const struct setting *settings,
                    int64_t power_on_ms, int64_t now, struct amplifier_plan *plan)
{
    if (!in_place(p, w, settings, SETTING_POWER)) {
        take(p, w, settings, SETTING_POWER, now, plan);
        return;
    }
    int64_t ready_ms = p->power >= 0 ? power_on_ms + p->power_up_ms : now;
    plan->ready = now >= ready_ms;
    if (!plan->ready) {
        plan->ask_again_ms = ready_ms;
        return;
    }
    if (take_others(p, w, settings, now, plan))
        return;
    bool others = true;
    for (int i = SETTING_GAIN; i < SETTINGS; i++)
        others = others && in_place(p, w, settings, i);
    if (others && !in_place(p, w, settings, SETTING_MUTE))
        take(p, w, settings, SETTING_MUTE, now, plan);
}

/* A device that refuses its mute while it is off is silent all the same; it is muted as soon as it takes it. */
static bool silent_by_off(const struct profile *p, const struct setting *settings)
{
    const struct setting *power = &settings[SETTING_POWER];
    return settings[SETTING_MUTE].refused && p->power >= 0 && power->known &&
           point_is_off(&p->points[p->power], power->value);
}

struct amplifier_plan amplifier_plan(const struct profile *profile, const struct amplifier_want *want,
                                     const struct setting settings[SETTINGS], int64_t power_on_ms, int64_t now_ms)
{
    struct amplifier_want w = effective(profile, want);
    struct amplifier_plan plan = {.setting = -1};
    struct setting seen[SETTINGS];
    memcpy(seen, settings, sizeof(seen));
    if (silent_by_off(profile, settings)) {
        seen[SETTING_MUTE].known = true;
        seen[SETTING_MUTE].value = profile->points[profile->mute].on;
    }
    struct amplifier_want muted = w;
    muted.mute = true;
    bool is_muted = in_place(profile, &muted, seen, SETTING_MUTE);
    bool power_moves = !in_place(profile, &w, seen, SETTING_POWER);
    if (!is_muted && (w.mute || power_moves)) {
        take(profile, &muted, seen, SETTING_MUTE, now_ms, &plan);
        return plan;
    }
    if (w.power)
        plan_on(profile, &w, seen, power_on_ms, now_ms, &plan);
    else
        plan_off(profile, &w, seen, now_ms, &plan);
    plan.settled = plan.setting < 0 && all_in_place(profile, &w, seen) && (plan.ready || !w.power);
    return plan;
}
