/* arbiter_orders.c - persons' words that are heard or shown: alerts, notices, live. */
#include "playlists/arbiter_step.h"

static bool playable_kind(const struct air_order *order)
{
    return order->kind == ORDER_ALERT || order->kind == ORDER_NOTICE || order->kind == ORDER_LIVE;
}

enum air_class orders_class(const struct air_order *order)
{
    return order->kind == ORDER_ALERT ? CLASS_EMERGENCY : order->class;
}

static bool begun_part(const struct step *step)
{
    return step->in->elapsed_ms >= step->ledger->started_elapsed_ms;
}

void orders_stop(struct step *step, enum reason reason)
{
    struct ledger *ledger = step->ledger;
    struct order_mark *mark = marks_find_order(ledger, ledger->key);
    if (mark) {
        if (begun_part(step))
            mark->heard_ms += ledger->heard_ms;
        mark->reason = reason;
        mark->next_elapsed_ms = step->in->elapsed_ms;
    }
    ledger->on = ON_NOTHING;
    step->decision->store = true;
}

/* Once per order: an alert that was on when the power went may go on without trusted time. */
static void leave_remnant(struct step *step, const struct order_mark *mark)
{
    struct ledger *ledger = step->ledger;
    size_t i = marks_find_input_order(step->in, mark->key);
    if (step->known || i == NONE || step->in->orders[i].kind != ORDER_ALERT || ledger->remnant == mark->key)
        return;
    int64_t left_ms = mark->end_ms - ledger->seen_ms;
    if (left_ms > ARBITER_REMNANT_MS)
        left_ms = ARBITER_REMNANT_MS;
    ledger->remnant = mark->key;
    ledger->remnant_until_elapsed_ms = step->in->elapsed_ms + left_ms;
}

void orders_restarted(struct step *step)
{
    struct ledger *ledger = step->ledger;
    int64_t elapsed_ms = step->in->elapsed_ms;
    for (size_t i = 0; i < ledger->n_orders; i++) {
        struct order_mark *mark = &ledger->orders[i];
        if (mark->next_elapsed_ms > elapsed_ms)
            mark->next_elapsed_ms = elapsed_ms;
        if (mark->started_elapsed_ms > elapsed_ms)
            mark->started_elapsed_ms = elapsed_ms;
    }
    /* An elapsed time of another boot says nothing here: a remnant that was begun before is used up. */
    bool was_remnant = ledger->remnant_until_elapsed_ms != 0;
    ledger->remnant_until_elapsed_ms = 0;
    if (ledger->on != ON_ORDER)
        return;
    struct order_mark *mark = marks_find_order(ledger, ledger->key);
    ledger->started_elapsed_ms = elapsed_ms;
    orders_stop(step, REASON_RESTARTED);
    if (mark && !(was_remnant && ledger->remnant == mark->key))
        leave_remnant(step, mark);
}

static bool has_plays_left(const struct air_order *order, const struct order_mark *mark)
{
    return order->plays == 0 || !mark || mark->plays < order->plays;
}

/* Without trusted time only a confirmed emergency, for the length of its window, or a remnant. */
static bool vouched(const struct step *step, const struct air_order *order, const struct order_mark *mark)
{
    int64_t elapsed_ms = step->in->elapsed_ms;
    if (orders_class(order) != CLASS_EMERGENCY)
        return false;
    if (step->ledger->remnant == order->key && elapsed_ms < step->ledger->remnant_until_elapsed_ms)
        return true;
    return order->confirmed &&
           (!mark || !mark->started_ms || elapsed_ms - mark->started_elapsed_ms < order->end_ms - order->start_ms);
}

/* Without trusted time its window runs from its start on. */
static void wake_in_dark(struct step *step, const struct air_order *order, const struct order_mark *mark)
{
    if (!step->known)
        step_wake_in(step, order->end_ms - order->start_ms - (step->in->elapsed_ms - mark->started_elapsed_ms));
}

static bool in_force(const struct step *step, const struct air_order *order, const struct order_mark *mark)
{
    return step->known ? holds_in_force(step, order) : vouched(step, order, mark);
}

/* The end of a repetition. */
static void count_play(struct step *step, const struct air_order *order, bool failed)
{
    struct ledger *ledger = step->ledger;
    struct order_mark *mark = marks_find_order(ledger, ledger->key);
    orders_stop(step, failed ? REASON_FAULT : REASON_ON_TIME);
    if (!mark)
        return;
    int64_t pause_ms = order->gap_ms;
    if (failed && pause_ms < ARBITER_RETRY_MS)
        pause_ms = ARBITER_RETRY_MS;
    mark->next_elapsed_ms = step->in->elapsed_ms + pause_ms;
    mark->plays += !failed;
}

void orders_check_on(struct step *step)
{
    const struct arbiter_inputs *in = step->in;
    size_t i = marks_find_input_order(in, step->ledger->key);
    if (i == NONE) {
        orders_stop(step, REASON_CANCELLED);
        return;
    }
    const struct air_order *order = &in->orders[i];
    const struct order_mark *mark = marks_find_order(step->ledger, order->key);
    step_count_heard(step, order->length_ms);
    int64_t overrun_ms = in->elapsed_ms - step->ledger->started_elapsed_ms - order->length_ms - ARBITER_MARGIN_MS;
    enum reason hold = holds_at(step, holds_order(order), in->now_ms);
    if (in->finished || in->failed || (order->length_ms > 0 && overrun_ms > 0))
        count_play(step, order, in->failed || !in->finished);
    else if (!mark || mark->over || holds_cancelled(step, order->key))
        orders_stop(step, REASON_CANCELLED);
    else if (order->blocked == REASON_RECALLED || order->blocked == REASON_NOT_APPROVED)
        orders_stop(step, order->blocked);
    else if (order->bulletin && holds_recalled(step, order->bulletin))
        orders_stop(step, REASON_RECALLED);
    else if (hold != REASON_ON_TIME)
        orders_stop(step, hold);
    else if (!in_force(step, order, mark))
        orders_stop(step, REASON_ON_TIME);
    else {
        step->on_index = i;
        step->on_class = orders_class(order);
        if (order->length_ms > 0)
            step_wake_in(step, -overrun_ms + 1);
    }
}

/* The order is over: one end, if there is still room in this step. */
static bool finish_order(struct step *step, struct order_mark *mark, enum reason reason)
{
    struct ended ended = {.kind = ON_ORDER,
                          .key = mark->key,
                          .planned_ms = mark->planned_ms,
                          .started_ms = mark->started_ms,
                          .heard_ms = mark->heard_ms,
                          .reason = reason,
                          .passed_quiet = step->ledger->order_passed[mark - step->ledger->orders] != 0};
    if (!step_end(step, &ended, 2))
        return false;
    mark->over = 1;
    return true;
}

/* Of an order that came to its natural end. */
static enum reason natural_reason(const struct order_mark *mark)
{
    if (mark->plays > 0 || mark->reason == REASON_ON_TIME)
        return step_begun_reason(mark->planned_ms, mark->started_ms);
    return (enum reason)mark->reason;
}

/* Why an order is withdrawn, or ON_TIME. */
static enum reason withdrawn(const struct step *step, const struct air_order *order)
{
    if (holds_cancelled(step, order->key))
        return REASON_CANCELLED;
    if (order->bulletin && holds_recalled(step, order->bulletin))
        return REASON_RECALLED;
    if (order->blocked == REASON_RECALLED || order->blocked == REASON_NOT_APPROVED)
        return order->blocked;
    return REASON_ON_TIME;
}

static void end_unheard(struct step *step, const struct air_order *order, enum reason reason)
{
    if (order->end_ms < step->ledger->since_ms)
        return;
    struct order_mark *mark = marks_take_order(step, order);
    if (mark)
        finish_order(step, mark, reason);
}

static enum reason missed(const struct step *step, const struct air_order *order)
{
    enum reason hold = holds_at(step, holds_order(order), order->end_ms - 1);
    if (hold != REASON_ON_TIME && (hold != REASON_SILENCED || step->was_silent))
        return hold;
    return order->blocked != REASON_ON_TIME ? order->blocked : REASON_EXPIRED;
}

/* True when the order is over, with this step or before. */
static bool end_order(struct step *step, const struct air_order *order, struct order_mark *mark)
{
    if (mark && mark->over)
        return true;
    bool on = step->ledger->on == ON_ORDER && step->ledger->key == order->key;
    enum reason reason = withdrawn(step, order);
    bool past = step->known && step->in->now_ms >= order->end_ms;
    if (step->known && step->in->now_ms < order->start_ms && reason != REASON_CANCELLED)
        return false;
    if (mark && mark->started_ms) {
        bool spent = !on && !has_plays_left(order, mark);
        if (reason == REASON_ON_TIME && !past && !spent)
            return false;
        finish_order(step, mark, reason == REASON_ON_TIME ? natural_reason(mark) : reason);
        return true;
    }
    if (reason == REASON_ON_TIME && !past)
        return false;
    if (!step->known && reason != REASON_CANCELLED && reason != REASON_RECALLED)
        return true; /* judged when the time is known */
    end_unheard(step, order, reason == REASON_ON_TIME ? missed(step, order) : reason);
    return true;
}

static void offer_order(struct step *step, size_t index, const struct order_mark *mark)
{
    const struct arbiter_inputs *in = step->in;
    const struct air_order *order = &in->orders[index];
    if (!in_force(step, order, mark) || !marks_have_room(step, order->key))
        return;
    enum air_class class = orders_class(order);
    enum reason hold = holds_at(step, holds_order(order), in->now_ms);
    if (hold == REASON_ON_TIME && order->blocked != REASON_ON_TIME)
        hold = order->blocked;
    if (hold != REASON_ON_TIME) {
        step_held(step, hold);
        return;
    }
    int64_t gap_ms = mark ? mark->next_elapsed_ms - in->elapsed_ms : 0;
    if (gap_ms > 0) {
        step_wake_in(step, gap_ms);
        step->emergency_gap |= class == CLASS_EMERGENCY;
        return;
    }
    bool may_cut = class == CLASS_EMERGENCY;
    if (class == CLASS_PRIORITY) {
        may_cut = in->now_ms - order->start_ms >= order->wait_ms;
        step_wake(step, order->start_ms + order->wait_ms);
    }
    struct candidate candidate = {ON_ORDER,   index, class, order->key, order->start_ms, mark ? mark->turn : 0,
                                  in->now_ms, false};
    step_offer(step, &candidate, may_cut);
}

/* An order that is not named any more. */
static void end_vanished(struct step *step, struct order_mark *mark)
{
    if (mark->over || marks_find_input_order(step->in, mark->key) != NONE)
        return;
    if (!mark->started_ms) {
        mark->over = 1;
        return;
    }
    bool past = step->known && step->in->now_ms >= mark->end_ms;
    bool natural = past || mark->reason != REASON_CANCELLED;
    finish_order(step, mark, natural && mark->plays + past > 0 ? natural_reason(mark) : REASON_CANCELLED);
}

void orders_sweep(struct step *step)
{
    const struct arbiter_inputs *in = step->in;
    for (size_t i = 0; i < in->n_orders; i++) {
        const struct air_order *order = &in->orders[i];
        if (!playable_kind(order))
            continue;
        struct order_mark *mark = marks_find_order(step->ledger, order->key);
        if (!end_order(step, order, mark) && !(step->ledger->on == ON_ORDER && step->ledger->key == order->key))
            offer_order(step, i, mark);
        if (mark && mark->started_ms && !mark->over)
            wake_in_dark(step, order, mark);
    }
    for (size_t i = 0; i < step->ledger->n_orders; i++)
        end_vanished(step, &step->ledger->orders[i]);
    if (!step->known && step->ledger->remnant_until_elapsed_ms)
        step_wake_in(step, step->ledger->remnant_until_elapsed_ms - in->elapsed_ms);
}

void orders_begin(struct step *step, size_t index)
{
    const struct arbiter_inputs *in = step->in;
    const struct air_order *order = &in->orders[index];
    struct ledger *ledger = step->ledger;
    struct order_mark *mark = marks_take_order(step, order);
    if (!mark)
        return;
    mark->turn = ++ledger->turns;
    if (!mark->started_ms) {
        mark->started_ms = in->now_ms;
        mark->started_elapsed_ms = in->elapsed_ms;
    }
    ledger->on = ON_ORDER;
    ledger->key = order->key;
    ledger->planned_ms = order->start_ms;
    ledger->started_ms = mark->started_ms;
    ledger->started_elapsed_ms = in->elapsed_ms;
    ledger->offset_ms = 0;
    ledger->heard_ms = 0;
    ledger->cut_reason = REASON_ON_TIME;
    step->decision->begins = true;
    step->decision->at_ms = in->now_ms;
    if (order->length_ms > 0)
        step_wake_in(step, step_add_capped(order->length_ms, ARBITER_MARGIN_MS + 1));
    wake_in_dark(step, order, mark);
}
