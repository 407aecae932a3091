/* mains.c - see mains.h. */
#include "firmware/mains.h"

#include "boards/bus/amplifier.h"
#include "boards/bus/points.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 250,
    WRITE_MS = 1000, /* relay written and read back */
    GRACE_MS = 5000  /* after a change, before a meter is believed to contradict */
};

/* The mains of one amplifier. */
struct feed {
    bool wanted;
    bool closed;       /* what the relay is told: it stays closed until the amplifier is at rest */
    int64_t wanted_ms; /* since when wanted or not */
    int64_t live_ms;   /* since when the relay is known to be closed; 0: it is not */
    bool revived;
    bool drawn; /* since the mark */
};

struct meter {
    struct mains *mains;
    struct points *points;
    size_t index;
};

struct mains {
    const struct site *site;
    struct bus **buses;
    mains_at_rest_fn at_rest;
    void *arg;
    uv_timer_t *timer;
    struct amplifier *relays[SITE_RELAYS_MAX];
    struct meter meters[SITE_METERS_MAX];
    struct feed feeds[SITE_AMPLIFIERS_MAX];
};

static const struct site_amplifier *amplifier_at(const struct mains *mains, size_t i)
{
    return &mains->site->amplifiers[i];
}

static void tell_relays(struct mains *mains)
{
    for (size_t k = 0; k < mains->site->n_relays; k++) {
        struct amplifier_want want = {.power = true};
        struct amplifier_status status;
        for (size_t i = 0; i < mains->site->n_amplifiers; i++)
            if (amplifier_at(mains, i)->relay == (int)k && mains->feeds[i].closed)
                want.zones |= UINT32_C(1) << (amplifier_at(mains, i)->channel - 1);
        amplifier_status(mains->relays[k], &status);
        if (status.want.zones != want.zones || !status.want.power)
            amplifier_want(mains->relays[k], &want);
    }
}

/* Is the contact known to be closed? */
static bool is_live(const struct mains *mains, size_t i)
{
    const struct site_amplifier *amp = amplifier_at(mains, i);
    struct amplifier_status status;
    amplifier_status(mains->relays[amp->relay], &status);
    return status.reachable && (status.zones >> (amp->channel - 1) & 1);
}

static void tick_feed(struct mains *mains, size_t i, int64_t now_ms)
{
    const struct site_amplifier *amp = amplifier_at(mains, i);
    struct feed *feed = &mains->feeds[i];
    bool live = is_live(mains, i);
    if (!live)
        feed->live_ms = 0;
    else if (feed->live_ms == 0) {
        feed->live_ms = now_ms;
        feed->revived = false;
        bus_revive(mains->buses[amp->bus], amp->unit);
    }
    if (live && !feed->revived && now_ms - feed->live_ms >= amp->mains_up_ms) {
        feed->revived = true;
        bus_revive(mains->buses[amp->bus], amp->unit);
    }
    if (!feed->wanted && feed->closed && (mains->at_rest(mains->arg, i) || now_ms - feed->wanted_ms > MAINS_REST_MS))
        feed->closed = false;
}

static void on_tick(uv_timer_t *timer)
{
    struct mains *mains = timer->data;
    int64_t now_ms = clock_elapsed_ms();
    for (size_t i = 0; i < mains->site->n_amplifiers; i++)
        if (amplifier_at(mains, i)->relay >= 0)
            tick_feed(mains, i, now_ms);
    tell_relays(mains);
}

static void on_metered(void *arg, int index)
{
    struct meter *meter = arg;
    const struct site *site = meter->mains->site;
    struct reading reading = points_reading(meter->points, index);
    if (index != site->meters[meter->index].profile->active_power || !reading.valid)
        return;
    for (size_t i = 0; i < site->n_amplifiers; i++)
        if (site->amplifiers[i].meter == (int)meter->index && reading.value >= site->amplifiers[i].on_w)
            meter->mains->feeds[i].drawn = true;
}

static int make_parts(struct mains *mains, struct complaint *why)
{
    static const struct points_events events = {.read = on_metered};
    const struct site *site = mains->site;
    for (size_t k = 0; k < site->n_relays; k++) {
        const struct site_part *relay = &site->relays[k];
        int r = amplifier_new(mains->buses[relay->bus], relay->profile, relay->unit, relay->name, NULL, NULL,
                              &mains->relays[k]);
        if (r < 0)
            return complain(why, r, "relay board %s: cannot be driven: %s", relay->name, err_name(r));
    }
    for (size_t k = 0; k < site->n_meters; k++) {
        const struct site_part *part = &site->meters[k];
        struct meter *meter = &mains->meters[k];
        *meter = (struct meter){.mains = mains, .index = k};
        meter->points = points_new(mains->buses[part->bus], part->profile, part->unit, part->name, &events, meter);
    }
    return 0;
}

int mains_new(uv_loop_t *loop, const struct site *site, struct bus **buses, mains_at_rest_fn at_rest, void *arg,
              struct mains **ret_mains, struct complaint *why)
{
    struct mains *mains = xcalloc(1, sizeof(*mains));
    mains->site = site;
    mains->buses = buses;
    mains->at_rest = at_rest;
    mains->arg = arg;
    int r = make_parts(mains, why);
    if (r < 0) {
        mains_free(mains);
        return r;
    }
    if (site->n_relays > 0) {
        mains->timer = xcalloc(1, sizeof(*mains->timer));
        uv_timer_init(loop, mains->timer);
        mains->timer->data = mains;
        uv_timer_start(mains->timer, on_tick, 0, TICK_MS);
    }
    *ret_mains = mains;
    return 0;
}

void mains_free(struct mains *mains)
{
    if (!mains)
        return;
    for (size_t k = 0; k < SITE_RELAYS_MAX; k++)
        amplifier_free(mains->relays[k]);
    for (size_t k = 0; k < SITE_METERS_MAX; k++)
        points_free(mains->meters[k].points);
    if (mains->timer)
        uv_close((uv_handle_t *)mains->timer, (uv_close_cb)free);
    free(mains);
}

void mains_want(struct mains *mains, size_t amplifier, bool on)
{
    struct feed *feed = &mains->feeds[amplifier];
    if (feed->wanted == on)
        return;
    feed->wanted = on;
    feed->wanted_ms = clock_elapsed_ms();
    feed->closed = feed->closed || on;
    tell_relays(mains);
}

void mains_cut(struct mains *mains, size_t amplifier)
{
    mains_want(mains, amplifier, false);
    mains->feeds[amplifier].closed = false;
    tell_relays(mains);
}

int64_t mains_up_in_ms(const struct mains *mains, size_t amplifier, int64_t now_elapsed_ms)
{
    const struct site_amplifier *amp = amplifier_at(mains, amplifier);
    const struct feed *feed = &mains->feeds[amplifier];
    struct amplifier_status status;
    if (amp->relay < 0 || !feed->wanted)
        return 0;
    amplifier_status(mains->relays[amp->relay], &status);
    if (!status.reachable)
        return 0;
    int64_t from_ms = feed->live_ms ? feed->live_ms : feed->wanted_ms + WRITE_MS;
    int64_t left_ms = from_ms + amp->mains_up_ms + BUS_LIMIT_MS - now_elapsed_ms;
    return left_ms > 0 ? left_ms : 0;
}

uint32_t mains_lead_ms(const struct site_amplifier *amplifier)
{
    return amplifier->relay >= 0 ? WRITE_MS + amplifier->mains_up_ms + BUS_LIMIT_MS : 0;
}

bool mains_excuse(const struct mains *mains, size_t amplifier)
{
    const struct site_amplifier *amp = amplifier_at(mains, amplifier);
    const struct feed *feed = &mains->feeds[amplifier];
    if (amp->relay < 0)
        return false;
    if (!feed->wanted)
        return true;
    return clock_elapsed_ms() - feed->wanted_ms < (int64_t)mains_lead_ms(amp) + GRACE_MS;
}

bool mains_settled(const struct mains *mains)
{
    for (size_t i = 0; i < mains->site->n_amplifiers; i++)
        if (amplifier_at(mains, i)->relay >= 0 && mains->feeds[i].closed != mains->feeds[i].wanted)
            return false;
    for (size_t k = 0; k < mains->site->n_relays; k++) {
        struct amplifier_status status;
        amplifier_status(mains->relays[k], &status);
        if (status.reachable && !status.settled)
            return false;
    }
    return true;
}

void mains_mark(struct mains *mains)
{
    for (size_t i = 0; i < mains->site->n_amplifiers; i++)
        mains->feeds[i].drawn = false;
}

bool mains_witness(const struct mains *mains, size_t amplifier, bool *ret_drawn)
{
    *ret_drawn = mains->feeds[amplifier].drawn;
    return amplifier_at(mains, amplifier)->meter >= 0;
}

bool mains_contradiction(const struct mains *mains, size_t amplifier, char *ret_problem, size_t size)
{
    const struct site_amplifier *amp = amplifier_at(mains, amplifier);
    const struct feed *feed = &mains->feeds[amplifier];
    if (amp->meter < 0)
        return false;
    const struct site_part *part = &mains->site->meters[amp->meter];
    struct reading reading = points_reading(mains->meters[amp->meter].points, part->profile->active_power);
    int64_t grace_ms = GRACE_MS + (feed->wanted ? (int64_t)mains_lead_ms(amp) + amp->profile->power_up_ms : 0);
    if (!reading.valid || clock_elapsed_ms() - feed->wanted_ms < grace_ms)
        return false;
    bool too_little = feed->wanted && reading.value < amp->on_w;
    bool too_much = !feed->wanted && reading.value > amp->off_w;
    if (too_little)
        snprintf(ret_problem, size, "%s: should be on, but meter %s reads %.1f W (%.1f W or more is on)", amp->name,
                 part->name, reading.value, amp->on_w);
    if (too_much)
        snprintf(ret_problem, size, "%s: nothing is on, but meter %s reads %.1f W (%.1f W or less is off)", amp->name,
                 part->name, reading.value, amp->off_w);
    return too_little || too_much;
}

size_t mains_count(const struct mains *mains)
{
    return mains->site->n_relays + mains->site->n_meters;
}

static void report_relay(const struct mains *mains, size_t k, struct part_report *ret)
{
    struct amplifier_status status;
    amplifier_status(mains->relays[k], &status);
    *ret = (struct part_report){.name = mains->site->relays[k].name,
                                .reachable = status.reachable,
                                .since_elapsed_ms = status.reachable_elapsed_ms};
    snprintf(ret->problem, sizeof(ret->problem), "%s", status.problem);
}

void mains_report(const struct mains *mains, size_t index, struct part_report *ret)
{
    const struct site *site = mains->site;
    if (index < site->n_relays) {
        report_relay(mains, index, ret);
        return;
    }
    const struct site_part *part = &site->meters[index - site->n_relays];
    const struct points *points = mains->meters[index - site->n_relays].points;
    *ret = (struct part_report){
        .name = part->name, .reachable = points_reachable(points), .since_elapsed_ms = points_reachable_since(points)};
    points_problem(points, "", ret->problem, sizeof(ret->problem));
}
