/* arbiter_holds.c - what keeps things off the air: silences, pauses, quiet hours, cancels, recalls.
 *
 * Without trusted time an order's window cannot be told. Then what makes it quieter counts at once (silence, cancel,
 * recall), and what makes it louder (lift) or changes the order of things (pause) only when this session vouches for
 * it. */
#include "playlists/arbiter_step.h"

static bool has_window(const struct step *step, const struct air_order *order, int64_t at_ms)
{
    return step->known ? order->start_ms <= at_ms && at_ms < order->end_ms : order->confirmed;
}

bool holds_in_force(const struct step *step, const struct air_order *order)
{
    return has_window(step, order, step->in->now_ms);
}

static bool begun(const struct step *step, const struct air_order *order)
{
    return !step->known || order->start_ms <= step->in->now_ms;
}

static bool named_by(const struct step *step, enum order_kind kind, uint64_t target)
{
    for (size_t i = 0; i < step->in->n_orders; i++) {
        const struct air_order *order = &step->in->orders[i];
        if (order->kind == kind && order->target == target && begun(step, order))
            return true;
    }
    return false;
}

bool holds_cancelled(const struct step *step, uint64_t key)
{
    return named_by(step, ORDER_CANCEL, key);
}

bool holds_recalled(const struct step *step, uint64_t bulletin)
{
    return named_by(step, ORDER_RECALL, bulletin);
}

static bool lifted(const struct step *step, uint64_t silence)
{
    for (size_t i = 0; i < step->in->n_orders; i++) {
        const struct air_order *order = &step->in->orders[i];
        if (order->kind == ORDER_LIFT && order->target == silence && begun(step, order) &&
            (step->known || order->confirmed))
            return true;
    }
    return false;
}

static void mute(struct step *step, uint32_t zones)
{
    step->muted_zones |= zones ? zones : UINT32_MAX;
    step->silent = step->muted_zones == UINT32_MAX;
}

static bool adopted(const struct ledger *ledger, uint64_t key)
{
    for (size_t i = 0; i < ledger->n_silences; i++)
        if (ledger->silences[i] == key)
            return true;
    return false;
}

/* A silence that was lifted stays over, also when its lift is not named any more. */
static void remember_lifted(struct step *step, uint64_t key)
{
    struct order_mark *mark = marks_take_order(step, &(struct air_order){.key = key});
    if (mark && !mark->over) {
        mark->over = 1;
        step->decision->store = true;
    }
}

static void end_lifted(struct step *step)
{
    struct ledger *ledger = step->ledger;
    size_t n = 0;
    for (size_t i = 0; i < ledger->n_silences; i++) {
        if (lifted(step, ledger->silences[i])) {
            remember_lifted(step, ledger->silences[i]);
            step->decision->store = true;
            continue;
        }
        ledger->silences[n] = ledger->silences[i];
        ledger->silence_zones[n++] = ledger->silence_zones[i];
    }
    for (size_t i = n; i < ledger->n_silences; i++) {
        ledger->silences[i] = 0;
        ledger->silence_zones[i] = 0;
    }
    ledger->n_silences = (uint32_t)n;
}

static void adopt(struct step *step, const struct air_order *order)
{
    struct ledger *ledger = step->ledger;
    const struct order_mark *mark = marks_find_order(ledger, order->key);
    if (lifted(step, order->key)) {
        remember_lifted(step, order->key);
        return;
    }
    if ((mark && mark->over) || adopted(ledger, order->key))
        return;
    if (step->known && (order->start_ms > step->in->now_ms || order->end_ms <= step->in->now_ms))
        return;
    if (ledger->n_silences == ARBITER_SILENCES_MAX) {
        mute(step, order->zones); /* holds for as long as it is named in force; there is no room to remember it */
        return;
    }
    ledger->silences[ledger->n_silences] = order->key;
    ledger->silence_zones[ledger->n_silences++] = order->zones;
    step->decision->store = true;
}

void holds_adopt(struct step *step)
{
    const struct ledger *ledger = step->ledger;
    for (size_t i = 0; i < ledger->n_silences; i++)
        mute(step, ledger->silence_zones[i]);
    step->was_silent = step->silent;
    step->silent = false;
    step->muted_zones = 0;
    for (size_t i = 0; i < step->in->n_orders; i++)
        if (step->in->orders[i].kind == ORDER_SILENCE)
            adopt(step, &step->in->orders[i]);
    end_lifted(step);
    for (size_t i = 0; i < ledger->n_silences; i++)
        mute(step, ledger->silence_zones[i]);
    if (step->in->local_silence)
        mute(step, 0);
}

bool holds_silenced(const struct step *step, uint32_t zones)
{
    return step->silent || (zones != 0 && (zones & ~step->muted_zones) == 0);
}

/* A pause or quiet span at this instant ends at *ret_until_ms. */
static bool paused_at(const struct step *step, int64_t at_ms, int64_t *ret_until_ms)
{
    for (size_t i = 0; i < step->in->n_orders; i++) {
        const struct air_order *order = &step->in->orders[i];
        if (order->kind == ORDER_PAUSE && has_window(step, order, at_ms) && !holds_cancelled(step, order->key)) {
            *ret_until_ms = order->end_ms;
            return true;
        }
    }
    return false;
}

static bool quiet_at(const struct step *step, int64_t at_ms, int64_t *ret_until_ms)
{
    for (size_t i = 0; i < step->in->n_quiet; i++)
        if (step->in->quiet[i].from_ms <= at_ms && at_ms < step->in->quiet[i].to_ms) {
            *ret_until_ms = step->in->quiet[i].to_ms;
            return true;
        }
    return false;
}

struct held_one holds_item(const struct air_item *item)
{
    bool below = item->class < CLASS_EMERGENCY;
    return (struct held_one){.below_pause = below, .below_quiet = below && !item->exempt, .zones = item->zones};
}

struct held_one holds_order(const struct air_order *order)
{
    bool below = orders_class(order) < CLASS_EMERGENCY;
    return (struct held_one){.below_pause = below, .below_quiet = below, .zones = order->zones};
}

static enum reason hold_at(const struct step *step, struct held_one one, int64_t at_ms, int64_t *ret_until_ms)
{
    *ret_until_ms = INT64_MAX;
    if (holds_silenced(step, one.zones))
        return REASON_SILENCED;
    if (one.below_pause && paused_at(step, at_ms, ret_until_ms))
        return REASON_PAUSED;
    if (one.below_quiet && step->known && quiet_at(step, at_ms, ret_until_ms))
        return REASON_QUIET_HOURS;
    return REASON_ON_TIME;
}

enum reason holds_at(const struct step *step, struct held_one one, int64_t at_ms)
{
    int64_t until_ms;
    return hold_at(step, one, at_ms, &until_ms);
}

bool holds_quiet(const struct step *step, int64_t at_ms)
{
    int64_t until_ms;
    return step->known && quiet_at(step, at_ms, &until_ms);
}

enum reason holds_free_at(const struct step *step, struct held_one one, int64_t *at_ms)
{
    for (;;) {
        int64_t until_ms;
        enum reason hold = hold_at(step, one, *at_ms, &until_ms);
        if (hold == REASON_ON_TIME || until_ms > step->in->now_ms + ARBITER_LEAD_MS || until_ms <= *at_ms)
            return hold;
        *at_ms = until_ms;
    }
}

void holds_wake(struct step *step)
{
    if (!step->known)
        return;
    for (size_t i = 0; i < step->in->n_quiet; i++) {
        step_wake(step, step->in->quiet[i].from_ms);
        step_wake(step, step->in->quiet[i].to_ms - ARBITER_LEAD_MS);
        step_wake(step, step->in->quiet[i].to_ms);
    }
    for (size_t i = 0; i < step->in->n_orders; i++) {
        step_wake(step, step->in->orders[i].start_ms);
        step_wake(step, step->in->orders[i].end_ms);
        if (step->in->orders[i].kind == ORDER_PAUSE)
            step_wake(step, step->in->orders[i].end_ms - ARBITER_LEAD_MS);
    }
}
