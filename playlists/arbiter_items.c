/* arbiter_items.c - the timetable: the item that is on, cut ones that wait, those whose instant comes. */
#include "playlists/arbiter_step.h"

/* Later than this after its limit, an item's end was not awaited: nobody looked when it passed. */
enum { LOOKED_MS = 60000 };

/* Nobody looked when its instant came. */
static bool was_off(const struct ledger *ledger, int64_t start_ms)
{
    for (size_t i = 0; i < ledger->n_off; i++)
        if (ledger->off[i].from_ms < start_ms && start_ms <= ledger->off[i].to_ms)
            return true;
    return false;
}

/* The last moment at which it may begin. */
static int64_t begin_limit(const struct step *step, const struct air_item *item)
{
    bool catches_up = item->catch_up_ms > item->late_ms && was_off(step->ledger, item->start_ms);
    int64_t limit = step_add_capped(item->start_ms, catches_up ? item->catch_up_ms : item->late_ms);
    return limit < item->end_ms ? limit : item->end_ms - 1;
}

static bool item_recalled(const struct step *step, size_t i)
{
    return step->in->item_bulletins && step->in->item_bulletins[i] && holds_recalled(step, step->in->item_bulletins[i]);
}

/* Why an item may not be on at all, whenever; ON_TIME: it may. */
static enum reason refusal(const struct step *step, size_t i)
{
    const struct air_item *item = &step->in->items[i];
    if (item_recalled(step, i))
        return REASON_RECALLED;
    if (item->class == CLASS_EMERGENCY)
        return REASON_NOT_APPROVED;
    if (item->blocked == REASON_RECALLED || item->blocked == REASON_NOT_APPROVED)
        return item->blocked;
    return REASON_ON_TIME;
}

/* The item that is on comes to its end. */
static void end_on(struct step *step, enum reason reason)
{
    struct ledger *ledger = step->ledger;
    struct ended ended = {.kind = ON_ITEM,
                          .key = ledger->key,
                          .planned_ms = ledger->planned_ms,
                          .started_ms = ledger->started_ms,
                          .heard_ms = ledger->heard_ms,
                          .reason = reason,
                          .passed_quiet = ledger->on_passed != 0};
    if (!step_end(step, &ended, 0))
        return;
    marks_add_done(step, ledger->planned_ms, ledger->key);
    ledger->on = ON_NOTHING;
}

/* It was put on ahead of its instant, which has not come: nothing was heard, so it is as if it never was. */
static bool still_ahead(const struct step *step)
{
    const struct ledger *ledger = step->ledger;
    return !step->in->restarted && step->in->elapsed_ms < ledger->started_elapsed_ms &&
           ledger->cut_reason == REASON_ON_TIME;
}

/* What is on stops before its end; it may go on later, as its policy says. */
void items_cut_on(struct step *step, enum reason reason)
{
    struct ledger *ledger = step->ledger;
    step->decision->store = true;
    size_t i = marks_find_item(step->in, ledger->planned_ms, ledger->key);
    if (still_ahead(step)) {
        ledger->on = ON_NOTHING;
        if (i != NONE)
            step_wake(step, begin_limit(step, &step->in->items[i]) + 1);
        return;
    }
    if (i != NONE)
        step_wake(step, step->in->items[i].end_ms);
    bool waits = i != NONE && step->in->items[i].policy != CUT_DROP && reason != REASON_QUIET_HOURS &&
                 ledger->n_cut < ARBITER_CUT_MAX;
    if (!waits) {
        end_on(step, reason);
        return;
    }
    ledger->cut_passed[ledger->n_cut] = ledger->on_passed;
    ledger->cut[ledger->n_cut++] = (struct cut_mark){.key = ledger->key,
                                                     .planned_ms = ledger->planned_ms,
                                                     .started_ms = ledger->started_ms,
                                                     .heard_ms = ledger->heard_ms,
                                                     .reason = reason};
    ledger->on = ON_NOTHING;
}

/* Now, or the instant ahead at which it is to be heard. */
static int64_t sounds_ms(const struct step *step)
{
    int64_t ahead_ms = step->ledger->started_elapsed_ms - step->in->elapsed_ms;
    return step->in->now_ms + (ahead_ms > 0 ? ahead_ms : 0);
}

/* end_ms came while it was on. */
static enum reason overdue_reason(const struct step *step, const struct air_item *item)
{
    const struct ledger *ledger = step->ledger;
    if (ledger->heard_ms >= item->length_ms)
        return step_begun_reason(ledger->planned_ms, ledger->started_ms);
    return ledger->cut_reason != REASON_ON_TIME ? (enum reason)ledger->cut_reason : REASON_EXPIRED;
}

static void withdraw_on(struct step *step, enum reason reason)
{
    if (still_ahead(step)) {
        step->ledger->on = ON_NOTHING;
        step->decision->store = true;
    } else {
        end_on(step, reason);
    }
}

void items_check_on(struct step *step)
{
    const struct arbiter_inputs *in = step->in;
    struct ledger *ledger = step->ledger;
    size_t i = marks_find_item(in, ledger->planned_ms, ledger->key);
    step_count_heard(step, i == NONE ? 0 : in->items[i].length_ms);
    if (in->finished || in->failed) {
        if (in->elapsed_ms < ledger->started_elapsed_ms && ledger->cut_reason == REASON_ON_TIME)
            ledger->started_ms = 0; /* the outputs gave up before its instant */
        bool failed = in->failed || !ledger->started_ms;
        end_on(step, failed ? REASON_FAULT : step_begun_reason(ledger->planned_ms, ledger->started_ms));
        return;
    }
    if (i == NONE) {
        withdraw_on(step, REASON_CANCELLED);
        return;
    }
    const struct air_item *item = &in->items[i];
    enum reason refused = refusal(step, i), hold = holds_at(step, holds_item(item), sounds_ms(step));
    int64_t overrun_ms = in->elapsed_ms - ledger->started_elapsed_ms -
                         step_add_capped(item->length_ms - ledger->offset_ms, ARBITER_MARGIN_MS);
    if (refused != REASON_ON_TIME)
        withdraw_on(step, refused);
    else if (step->known && in->now_ms >= item->end_ms)
        end_on(step, overdue_reason(step, item));
    else if (hold != REASON_ON_TIME)
        items_cut_on(step, hold);
    else if (overrun_ms > 0)
        end_on(step, REASON_FAULT);
    else {
        step->on_index = i;
        step->on_class = item->class;
        step_wake_in(step, 1 - overrun_ms);
        if (step->known)
            step_wake(step, item->end_ms);
    }
}

static void tell_cut_end(struct step *step, const struct cut_mark *mark, enum reason reason)
{
    struct ended ended = {.kind = ON_ITEM,
                          .key = mark->key,
                          .planned_ms = mark->planned_ms,
                          .started_ms = mark->started_ms,
                          .heard_ms = mark->heard_ms,
                          .reason = reason,
                          .passed_quiet = step->ledger->cut_passed[mark - step->ledger->cut] != 0};
    uint64_t key = mark->key;
    int64_t planned_ms = mark->planned_ms;
    if (!step_end(step, &ended, 2))
        return;
    marks_add_done(step, planned_ms, key);
    marks_drop_cut(step->ledger, key);
}

/* An item could begin or go on at `at_ms`, unless something holds it. */
static void offer_item(struct step *step, size_t i)
{
    const struct arbiter_inputs *in = step->in;
    const struct air_item *item = &in->items[i];
    int64_t at_ms = item->start_ms > in->now_ms ? item->start_ms : in->now_ms;
    enum reason hold = holds_free_at(step, holds_item(item), &at_ms);
    bool fits = at_ms < item->end_ms && (at_ms == in->now_ms || at_ms <= begin_limit(step, item));
    if (hold == REASON_ON_TIME && !fits)
        return;
    if (hold == REASON_ON_TIME)
        hold = item->blocked;
    if (hold == REASON_ON_TIME && step->emergency_gap)
        hold = REASON_PREEMPTED;
    if (hold != REASON_ON_TIME)
        step_held(step, hold);
    bool soon = hold == REASON_NO_MEDIA && item->soon && !step->emergency_gap, may_cut = false;
    if (hold != REASON_ON_TIME && !soon)
        return;
    if (item->class == CLASS_PRIORITY && !soon) {
        int64_t patience_ms = step_add_capped(item->start_ms, item->wait_ms);
        may_cut = in->now_ms >= patience_ms;
        step_wake(step, patience_ms);
    }
    struct candidate candidate = {ON_ITEM, i, item->class, item->key, item->start_ms, 0, at_ms, soon};
    step_offer(step, &candidate, may_cut);
}

static void sweep_cut(struct step *step)
{
    struct ledger *ledger = step->ledger;
    for (size_t n = ledger->n_cut; n > 0; n--) { /* from the last: an end takes its mark out */
        const struct cut_mark *mark = &ledger->cut[n - 1];
        size_t i = marks_find_item(step->in, mark->planned_ms, mark->key);
        enum reason refused = i == NONE ? REASON_CANCELLED : refusal(step, i);
        if (refused != REASON_ON_TIME) {
            tell_cut_end(step, mark, refused);
        } else if (step->known && step->in->now_ms >= step->in->items[i].end_ms) {
            tell_cut_end(step, mark, (enum reason)mark->reason);
        } else if (step->known) {
            step_wake(step, step->in->items[i].end_ms);
            step_wake(step, step->in->items[i].start_ms); /* the clock stepped back while it waited */
            if (step->in->items[i].start_ms <= step->in->now_ms)
                offer_item(step, i);
        }
    }
}

/* Why an item never began, now that its limit has passed. */
static enum reason missed_reason(const struct step *step, const struct air_item *item)
{
    const struct ledger *ledger = step->ledger;
    int64_t limit_ms = begin_limit(step, item);
    bool looked = step->in->now_ms - limit_ms <= LOOKED_MS;
    if (ledger->dark_from_ms <= limit_ms && limit_ms < ledger->dark_to_ms)
        return REASON_NO_TIME;
    enum reason hold = holds_at(step, holds_item(item), limit_ms);
    if (hold != REASON_ON_TIME && (hold != REASON_SILENCED || looked || step->was_silent))
        return hold;
    if (item->blocked != REASON_ON_TIME && !item->unsure)
        return item->blocked;
    return !looked && step->in->now_ms >= item->end_ms ? REASON_EXPIRED : REASON_LATE;
}

static void tell_missed(struct step *step, const struct air_item *item, enum reason reason)
{
    struct ended ended = {.kind = ON_ITEM, .key = item->key, .planned_ms = item->start_ms, .reason = reason};
    if (step_end(step, &ended, 2))
        marks_add_done(step, item->start_ms, item->key);
}

/* One item whose instant has come or is near, and that is neither decided nor on nor cut. */
static void sweep_item(struct step *step, size_t i)
{
    const struct arbiter_inputs *in = step->in;
    const struct air_item *item = &in->items[i];
    enum reason refused = refusal(step, i);
    if (refused != REASON_ON_TIME) {
        if (in->now_ms >= item->start_ms)
            tell_missed(step, item, refused);
        else
            step_wake(step, item->start_ms);
    } else if (in->now_ms > begin_limit(step, item)) {
        tell_missed(step, item, missed_reason(step, item));
    } else {
        step_wake(step, item->start_ms);
        step_wake(step, begin_limit(step, item) + 1);
        if (item->catch_up_ms > 0 && item->start_ms <= in->now_ms && step->ledger->looked_ms < item->start_ms)
            step->decision->store = true; /* so that a power cut later on is not taken for one at its instant */
        offer_item(step, i);
    }
}

static bool is_taken(struct ledger *ledger, uint64_t key)
{
    return (ledger->on == ON_ITEM && ledger->key == key) || marks_find_cut(ledger, key);
}

/* It ended before the timetable was answered for. */
static bool out_of_account(const struct step *step, const struct air_item *item)
{
    return item->end_ms < step->ledger->since_ms && step->in->now_ms >= item->end_ms;
}

/* Items and done marks stand in the same order: one walk over both. What is not found there may have been moved. */
static void sweep_timetable(struct step *step)
{
    const struct arbiter_inputs *in = step->in;
    struct ledger *ledger = step->ledger;
    size_t i = 0, mark = 0;
    for (; i < in->n_items && in->items[i].start_ms <= in->now_ms + ARBITER_LEAD_MS; i++) {
        const struct air_item *item = &in->items[i];
        while (mark < ledger->n_done &&
               marks_order(ledger->done[mark].start_ms, ledger->done[mark].key, item->start_ms, item->key) < 0)
            mark++;
        bool done = mark < ledger->n_done && ledger->done[mark].key == item->key &&
                    ledger->done[mark].start_ms == item->start_ms;
        if (done || is_taken(ledger, item->key) || out_of_account(step, item) || marks_done(ledger, item->key))
            continue;
        sweep_item(step, i);
    }
    while (i < in->n_items && (is_taken(ledger, in->items[i].key) || marks_done(ledger, in->items[i].key)))
        i++; /* after a step back in time, or it was moved */
    if (i < in->n_items) {
        step->decision->next_key = in->items[i].key;
        step->decision->next_start_ms = in->items[i].start_ms;
        step_wake(step, in->items[i].start_ms - ARBITER_LEAD_MS);
    }
}

void items_sweep(struct step *step)
{
    sweep_cut(step);
    if (step->known)
        sweep_timetable(step);
}

void items_begin(struct step *step, size_t i)
{
    int64_t at_ms = step->best.at_ms;
    const struct arbiter_inputs *in = step->in;
    const struct air_item *item = &in->items[i];
    struct ledger *ledger = step->ledger;
    const struct cut_mark *cut = marks_find_cut(ledger, item->key);
    int64_t limit_ms = cut ? item->end_ms - 1 : begin_limit(step, item);
    ledger->on = ON_ITEM;
    ledger->key = item->key;
    ledger->planned_ms = cut ? cut->planned_ms : item->start_ms;
    ledger->started_ms = cut ? cut->started_ms : at_ms;
    ledger->started_elapsed_ms = in->elapsed_ms + (at_ms - in->now_ms);
    ledger->offset_ms = cut && item->policy == CUT_RESUME ? cut->heard_ms : 0;
    ledger->heard_ms = ledger->offset_ms;
    ledger->cut_reason = cut ? cut->reason : REASON_ON_TIME;
    ledger->on_passed = cut ? ledger->cut_passed[cut - ledger->cut] : 0;
    if (cut)
        marks_drop_cut(ledger, item->key);
    step->decision->begins = true;
    step->decision->at_ms = at_ms;
    step->decision->limit_ms = limit_ms;
    step_wake_in(step, at_ms - in->now_ms + item->length_ms - ledger->offset_ms + ARBITER_MARGIN_MS + 1);
    step_wake(step, item->end_ms);
}
