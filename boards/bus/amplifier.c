/* amplifier.c - see amplifier.h: readings in, amplifier_plan() asked, one write at a time out. */
#include "boards/bus/amplifier.h"

#include "boards/bus/amplifier_plan.h"
#include "boards/bus/points.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Somebody waits for the outcome of a silence. */
struct silence_call {
    struct amplifier *amplifier;
    amplifier_done_fn done;
    void *arg;
    struct silence_call *next, **prev;
};

/* What of a status is worth telling: no time stamps, no small movements. */
struct gist {
    int64_t facts[24];
    char problem[240];
};

struct amplifier {
    struct bus *bus;
    const struct profile *profile;
    struct points *points;
    char *name;
    amplifier_changed_fn changed;
    void *arg;
    uv_timer_t timer; /* next look at the plan */
    struct amplifier_want want;
    struct setting settings[SETTINGS];
    int writing; /* setting, or -1 */
    double writing_value;
    int64_t writing_since_ms;
    int64_t power_on_ms;
    bool settled, ready;
    struct gist told;
    struct silence_call *calls;
    char problem[240];
    int32_t threshold_mb;
    int64_t level_sum_mb;
    struct amplifier_sights evidence;
    bool freed;
};

static void advance(struct amplifier *a);

/* ---- status ---- */

static struct reading switch_reading(const struct amplifier *a, int setting)
{
    int index = amplifier_point(a->profile, setting);
    if (index < 0 || a->profile->points[index].verify < 0)
        return (struct reading){0};
    return points_reading(a->points, a->profile->points[index].verify);
}

static bool proven(const struct amplifier *a, int setting)
{
    return amplifier_point(a->profile, setting) >= 0 && a->settings[setting].known && a->settings[setting].proven;
}

static void fill_zones(const struct amplifier *a, struct amplifier_status *s)
{
    bool any = false;
    s->zones_proven = true;
    for (int i = 0; i < PROFILE_ZONES_MAX; i++) {
        int index = a->profile->zones[i];
        const struct setting *setting = &a->settings[SETTING_ZONE_1 + i];
        if (index < 0)
            continue;
        any = true;
        s->zones_proven = s->zones_proven && setting->known && setting->proven;
        if (setting->known)
            s->zones_known |= 1U << i;
        if (setting->known && point_is_on(&a->profile->points[index], setting->value))
            s->zones |= 1U << i;
    }
    s->zones_proven = s->zones_proven && any;
}

void amplifier_status(const struct amplifier *a, struct amplifier_status *ret_status)
{
    const struct profile *p = a->profile;
    struct amplifier_status s;
    memset(&s, 0, sizeof(s));
    s.reachable = points_reachable(a->points);
    s.reachable_elapsed_ms = points_reachable_since(a->points);
    s.want = a->want;
    s.settled = a->settled && s.reachable;
    s.ready = a->ready && s.reachable;
    s.power = p->power_state >= 0 ? points_reading(a->points, p->power_state) : switch_reading(a, SETTING_POWER);
    s.mute = switch_reading(a, SETTING_MUTE);
    s.gain = switch_reading(a, SETTING_GAIN);
    s.temperature = points_reading(a->points, p->temperature);
    s.output_level = points_reading(a->points, p->output_level);
    fill_zones(a, &s);
    for (size_t i = 0; i < p->n_faults; i++) {
        struct reading fault = points_reading(a->points, p->faults[i]);
        if (fault.valid && point_is_on(&p->points[p->faults[i]], fault.value))
            s.faults |= 1U << i;
    }
    if (p->gain >= 0)
        s.gain_clamped =
            a->want.gain_mb / 100.0 < p->points[p->gain].min || a->want.gain_mb / 100.0 > p->points[p->gain].max;
    s.power_proven = proven(a, SETTING_POWER);
    s.mute_proven = proven(a, SETTING_MUTE);
    s.gain_proven = proven(a, SETTING_GAIN);
    points_problem(a->points, a->problem, s.problem, sizeof(s.problem));
    *ret_status = s;
}

static int64_t gist_of(const struct reading *reading, double step)
{
    return reading->valid ? (int64_t)llround(reading->value / step) : INT64_MIN;
}

static struct gist gist(const struct amplifier_status *s)
{
    struct gist g;
    memset(&g, 0, sizeof(g)); /* compared as bytes */
    const int64_t facts[] = {s->reachable,
                             s->settled,
                             s->ready,
                             s->want.power,
                             s->want.mute,
                             s->want.gain_mb,
                             s->want.zones,
                             gist_of(&s->power, 1),
                             gist_of(&s->mute, 1),
                             gist_of(&s->gain, 0.1),
                             s->output_level.valid,
                             gist_of(&s->temperature, 2),
                             s->zones,
                             s->zones_known,
                             s->faults,
                             s->gain_clamped,
                             s->power_proven,
                             s->mute_proven,
                             s->gain_proven,
                             s->zones_proven};
    memcpy(g.facts, facts, sizeof(facts));
    snprintf(g.problem, sizeof(g.problem), "%s", s->problem);
    return g;
}

static void tell(struct amplifier *a)
{
    if (!a->changed || a->freed)
        return;
    struct amplifier_status now;
    amplifier_status(a, &now);
    struct gist g = gist(&now);
    if (memcmp(&g, &a->told, sizeof(g)) == 0)
        return;
    a->told = g;
    a->changed(a->arg, &now);
}

/* ---- readings ---- */

static void see_level(struct amplifier *a, const struct reading *reading)
{
    struct amplifier_sights *e = &a->evidence;
    if (!reading->valid)
        return;
    int32_t mb = (int32_t)lround(reading->value * 100);
    if (e->n_levels++ == 0) {
        e->level_min_mb = e->level_max_mb = mb;
        e->first_elapsed_ms = reading->at_elapsed_ms;
    }
    e->level_min_mb = mb < e->level_min_mb ? mb : e->level_min_mb;
    e->level_max_mb = mb > e->level_max_mb ? mb : e->level_max_mb;
    a->level_sum_mb += mb;
    e->level_avg_mb = (int32_t)(a->level_sum_mb / e->n_levels);
    e->n_above += mb > a->threshold_mb;
    e->last_elapsed_ms = reading->at_elapsed_ms;
}

static void see_evidence(struct amplifier *a, int index, const struct reading *reading)
{
    const struct profile *p = a->profile;
    struct amplifier_sights *e = &a->evidence;
    const struct point *point = &p->points[index];
    if (index == p->output_level)
        see_level(a, reading);
    if (!reading->valid)
        return;
    if (index == p->power_state && point_is_on(point, reading->value))
        e->power_seen = true;
    else if (index == p->power_state && e->power_seen)
        e->power_lost = true;
    if (p->mute >= 0 && index == p->points[p->mute].verify && point_is_off(point, reading->value))
        e->unmuted_seen = true;
    for (size_t i = 0; i < p->n_faults; i++)
        if (p->faults[i] == index && point_is_on(point, reading->value))
            e->faults_seen |= 1U << i;
}

static void know(struct amplifier *a, int setting, double value, bool by_reading)
{
    struct setting *s = &a->settings[setting];
    const struct point *point = &a->profile->points[amplifier_point(a->profile, setting)];
    bool was_on = s->known && point_is_on(point, s->value);
    s->known = true;
    s->value = value;
    s->proven = by_reading;
    if (setting == SETTING_POWER && !was_on && point_is_on(point, value))
        a->power_on_ms = clock_elapsed_ms();
}

/* A polled proof speaks for its setting, also when the device changed by itself. */
static void see_setting(struct amplifier *a, int setting, int index, const struct reading *reading)
{
    int point_index = amplifier_point(a->profile, setting);
    if (point_index < 0 || a->profile->points[point_index].verify != index || a->writing == setting)
        return;
    if (reading->valid)
        know(a, setting, point_proof(&a->profile->points[index], &a->profile->points[point_index], reading->value),
             true);
    else
        a->settings[setting].known = false;
}

static void on_read(void *arg, int index)
{
    struct amplifier *a = arg;
    struct reading reading = points_reading(a->points, index);
    see_evidence(a, index, &reading);
    for (int i = 0; i < SETTINGS; i++)
        see_setting(a, i, index, &reading);
    advance(a);
}

static void on_reachable(void *arg, bool reachable)
{
    struct amplifier *a = arg;
    a->evidence.unreachable = a->evidence.unreachable || !reachable;
    /* whatever it did while it was away, nothing is known of it now; all is asserted anew */
    for (int i = 0; i < SETTINGS; i++)
        a->settings[i] = (struct setting){0};
    if (!reachable)
        snprintf(a->problem, sizeof(a->problem), "%s: does not answer on %s", a->name, bus_name(a->bus));
    else
        a->problem[0] = '\0';
    advance(a);
}

/* ---- writes ---- */

static void on_written(void *arg, int result, const char *why)
{
    struct amplifier *a = arg;
    int setting = a->writing;
    struct setting *s = &a->settings[setting];
    a->writing = -1;
    if (result == 0) {
        *s = (struct setting){.known = s->known, .value = s->value};
        know(a, setting, a->writing_value, a->profile->points[amplifier_point(a->profile, setting)].verify >= 0);
        if (setting == SETTING_POWER) /* it has been coming up since it was told to, not since the proof */
            a->power_on_ms = a->writing_since_ms;
        a->problem[0] = '\0';
    } else {
        s->known = false;
        s->failures++;
        s->refused = result == ERR_LIMIT;
        s->retry_elapsed_ms = clock_elapsed_ms() + amplifier_pause_ms(s->failures);
        snprintf(a->problem, sizeof(a->problem), "%s", why);
    }
    advance(a);
}

static void on_timer(uv_timer_t *timer)
{
    advance(timer->data);
}

/* Compare wish and world, begin the next write. */
static void advance(struct amplifier *a)
{
    if (a->freed)
        return;
    int64_t now = clock_elapsed_ms();
    struct amplifier_plan plan = amplifier_plan(a->profile, &a->want, a->settings, a->power_on_ms, now);
    bool reachable = points_reachable(a->points) || !points_polls(a->points);
    a->settled = plan.settled && a->writing < 0;
    a->ready = plan.ready;
    if (a->writing < 0 && plan.setting >= 0 && reachable) {
        a->writing = plan.setting;
        a->writing_value = plan.value;
        a->writing_since_ms = now;
        points_set(a->points, amplifier_point(a->profile, plan.setting), plan.value, on_written, a);
    } else if (plan.ask_again_ms > now) {
        uv_timer_start(&a->timer, on_timer, (uint64_t)(plan.ask_again_ms - now), 0);
    }
    tell(a);
}

int amplifier_new(struct bus *bus, const struct profile *profile, uint8_t unit, const char *name,
                  amplifier_changed_fn changed, void *arg, struct amplifier **ret_amplifier)
{
    static const struct points_events events = {.read = on_read, .reachable = on_reachable};
    if (profile->kind != PROFILE_AMPLIFIER && profile->kind != PROFILE_RELAY)
        return -EINVAL;
    struct amplifier *a = xcalloc(1, sizeof(*a));
    a->bus = bus;
    a->profile = profile;
    a->name = xstrdup(name);
    a->changed = changed;
    a->arg = arg;
    a->want.mute = true;
    a->writing = -1;
    uv_timer_init(bus_loop(bus), &a->timer);
    a->timer.data = a;
    a->points = points_new(bus, profile, unit, name, &events, a);
    amplifier_mark(a, 0);
    *ret_amplifier = a;
    return 0;
}

static void end_call(struct silence_call *call, int result)
{
    amplifier_done_fn done = call->done;
    void *arg = call->arg;
    *call->prev = call->next;
    if (call->next)
        call->next->prev = call->prev;
    free(call);
    if (done)
        done(arg, result);
}

static void on_closed(uv_handle_t *handle)
{
    struct amplifier *a = handle->data;
    free(a->name);
    free(a);
}

void amplifier_free(struct amplifier *a)
{
    if (!a)
        return;
    a->freed = true;
    while (a->calls)
        end_call(a->calls, -ECANCELED);
    points_free(a->points);
    uv_close((uv_handle_t *)&a->timer, on_closed);
}

void amplifier_want(struct amplifier *a, const struct amplifier_want *want)
{
    for (int i = 0; i < SETTINGS; i++)
        a->settings[i].retry_elapsed_ms = 0;
    a->want = *want;
    advance(a);
}

static void on_silenced(void *arg, int result, const char *why)
{
    struct silence_call *call = arg;
    struct amplifier *a = call->amplifier;
    if (result < 0 && result != -ECANCELED)
        snprintf(a->problem, sizeof(a->problem), "%s", why);
    end_call(call, result);
    advance(a);
}

void amplifier_silence(struct amplifier *a, amplifier_done_fn done, void *arg)
{
    const struct profile *p = a->profile;
    a->want.mute = true;
    points_abandon(a->points, false); /* or an unmute that waits in the queue would come after the mute */
    if (a->writing >= 0)
        a->settings[a->writing].known = false;
    a->writing = -1;
    for (int i = 0; i < SETTINGS; i++)
        if (amplifier_point(p, i) == p->silence)
            a->settings[i] = (struct setting){0}; /* unknown until read back or written again */
    struct silence_call *call = xcalloc(1, sizeof(*call));
    *call = (struct silence_call){.amplifier = a, .done = done, .arg = arg, .next = a->calls, .prev = &a->calls};
    if (call->next)
        call->next->prev = &call->next;
    a->calls = call;
    points_put(a->points, p->silence, p->silence_value, true, on_silenced, call);
    advance(a);
}

void amplifier_mark(struct amplifier *a, int32_t threshold_mb)
{
    const struct profile *p = a->profile;
    a->threshold_mb = threshold_mb;
    a->level_sum_mb = 0;
    a->evidence =
        (struct amplifier_sights){.can_see = p->output_level >= 0, .unreachable = !points_reachable(a->points)};
}

void amplifier_sights(const struct amplifier *a, struct amplifier_sights *ret_sights)
{
    *ret_sights = a->evidence;
}

uint32_t amplifier_lead_ms(const struct profile *profile)
{
    uint32_t proof = 0;
    for (int i = 0; i < SETTINGS; i++) {
        int index = amplifier_point(profile, i);
        if (index >= 0)
            proof += profile->points[index].settle_ms + 100;
    }
    uint32_t power = profile->power >= 0 ? profile->points[profile->power].within_ms : 0;
    return profile->power_up_ms + power + proof;
}
