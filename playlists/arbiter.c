/* arbiter.c - see arbiter.h. The order of one step: what the ledger says is on is checked first, then everything that
 * came to its end is told, then the best of what could be on is found and put on. */
#include "playlists/arbiter_step.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

uint64_t arbiter_key(const char *id)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, (const unsigned char *)id, strlen(id));
    uint64_t key = 0;
    for (int i = 0; i < 8; i++)
        key = key << 8 | digest[i];
    return key ? key : 1;
}

static void swap_items(struct air_item *items, uint64_t *bulletins, size_t a, size_t b)
{
    struct air_item item = items[a];
    items[a] = items[b];
    items[b] = item;
    if (bulletins) {
        uint64_t bulletin = bulletins[a];
        bulletins[a] = bulletins[b];
        bulletins[b] = bulletin;
    }
}

static int item_order(const struct air_item *a, const struct air_item *b)
{
    return marks_order(a->start_ms, a->key, b->start_ms, b->key);
}

static void sift_down(struct air_item *items, uint64_t *bulletins, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && item_order(&items[child], &items[child + 1]) < 0)
            child++;
        if (item_order(&items[root], &items[child]) >= 0)
            return;
        swap_items(items, bulletins, root, child);
    }
}

/* Heap sort: two parallel lists, in place. */
void arbiter_sort(struct air_item *items, uint64_t *item_bulletins, size_t n_items)
{
    for (size_t i = n_items / 2; i > 0; i--)
        sift_down(items, item_bulletins, i - 1, n_items);
    for (size_t n = n_items; n > 1; n--) {
        swap_items(items, item_bulletins, 0, n - 1);
        sift_down(items, item_bulletins, 0, n - 1);
    }
}

void step_wake(struct step *step, int64_t at_ms)
{
    if (at_ms > step->in->now_ms && at_ms < step->decision->next_ms)
        step->decision->next_ms = at_ms;
}

void step_wake_in(struct step *step, int64_t span_ms)
{
    if (span_ms > 0)
        step_wake(step, step->in->now_ms + span_ms);
}

bool step_end(struct step *step, const struct ended *ended, size_t keep)
{
    struct decision *d = step->decision;
    if (d->n_ended + keep >= ARBITER_ENDED_MAX) {
        d->next_ms = step->in->now_ms;
        return false;
    }
    d->ended[d->n_ended++] = *ended;
    d->store = true;
    return true;
}

void step_held(struct step *step, enum reason reason)
{
    if (step->held == REASON_ON_TIME)
        step->held = reason;
}

enum reason step_begun_reason(int64_t planned_ms, int64_t started_ms)
{
    return started_ms - planned_ms > ARBITER_LATE_MS ? REASON_LATE : REASON_ON_TIME;
}

/* Higher class first; a person's order before the timetable; orders take turns; items by start, then key. */
static bool goes_before(const struct candidate *a, const struct candidate *b)
{
    if (b->kind == ON_NOTHING)
        return true;
    if (a->class != b->class)
        return a->class > b->class;
    if (a->kind != b->kind)
        return a->kind == ON_ORDER;
    if (a->turn != b->turn)
        return a->turn < b->turn;
    return marks_order(a->planned_ms, a->key, b->planned_ms, b->key) < 0;
}

void step_offer(struct step *step, const struct candidate *candidate, bool may_cut)
{
    if (goes_before(candidate, &step->best))
        step->best = *candidate;
    if (may_cut && step->ledger->on != ON_NOTHING && candidate->class > step->on_class)
        step->cut_now = true;
}

int64_t step_add_capped(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b < 0 ? INT64_MIN : INT64_MAX) : sum;
}

void step_count_heard(struct step *step, int64_t length_ms)
{
    struct ledger *ledger = step->ledger;
    int64_t span_ms = step->in->elapsed_ms - ledger->started_elapsed_ms;
    if (span_ms < 0)
        return;
    int64_t heard_ms = ledger->offset_ms + span_ms;
    ledger->heard_ms = length_ms > 0 && heard_ms > length_ms ? length_ms : heard_ms;
}

/* What is on stops before its end; it may go on later. */
static void cut_on(struct step *step, enum reason reason)
{
    if (step->ledger->on == ON_ORDER)
        orders_stop(step, reason);
    else
        items_cut_on(step, reason);
}

/* The program starts: what was on, is not. */
static void restart(struct step *step)
{
    step->ledger->woken = 1;
    if (step->ledger->on == ON_ITEM)
        items_cut_on(step, REASON_RESTARTED);
    orders_restarted(step);
}

static void choose(struct step *step)
{
    struct ledger *ledger = step->ledger;
    const struct candidate *best = &step->best;
    if (best->kind != ON_NOTHING && best->soon)
        return;
    bool gap_cuts = step->emergency_gap && step->on_class < CLASS_EMERGENCY;
    if (ledger->on != ON_NOTHING && (step->cut_now || gap_cuts))
        cut_on(step, REASON_PREEMPTED);
    if (ledger->on != ON_NOTHING || best->kind == ON_NOTHING || (step->emergency_gap && best->class < CLASS_EMERGENCY))
        return;
    step->decision->store = true;
    step->on_index = best->index;
    if (best->kind == ON_ITEM)
        items_begin(step, best->index);
    else
        orders_begin(step, best->index);
}

/* The clock stepped back: what lies ahead will be looked at. */
static void forget_ahead(struct ledger *ledger, int64_t now_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < ledger->n_off; i++)
        if (ledger->off[i].from_ms < now_ms) {
            struct quiet_span span = ledger->off[i];
            span.to_ms = span.to_ms < now_ms ? span.to_ms : now_ms;
            ledger->off[n++] = span;
        }
    ledger->n_off = (uint32_t)n;
}

/* The first trusted moment after a start: nobody looked from the latest stored step to now. */
static void note_off(struct step *step)
{
    struct ledger *ledger = step->ledger;
    int64_t now_ms = step->in->now_ms;
    if (ledger->woken && ledger->looked_ms != 0 && ledger->looked_ms < now_ms) {
        if (ledger->n_off == ARBITER_OFF_MAX)
            memmove(ledger->off, ledger->off + 1, sizeof(ledger->off[0]) * --ledger->n_off);
        ledger->off[ledger->n_off++] = (struct quiet_span){.from_ms = ledger->looked_ms, .to_ms = now_ms};
    }
    if (ledger->looked_ms > now_ms)
        forget_ahead(ledger, now_ms);
    if (ledger->woken || ledger->looked_ms > now_ms) {
        ledger->looked_ms = now_ms;
        step->decision->store = true;
    }
    ledger->woken = 0;
}

/* From when on the timetable is answered for, and which span was without trusted time. */
static void keep_time(struct step *step)
{
    const struct arbiter_inputs *in = step->in;
    struct ledger *ledger = step->ledger;
    if (ledger->since_ms == 0 && in->n_items == 0 && in->n_orders == 0)
        return; /* there is nothing to answer for yet */
    if (!step->known) {
        /* Up to here the time was known, however long ago somebody asked. */
        if (!ledger->dark && !ledger->woken && in->elapsed_ms > ledger->seen_elapsed_ms && ledger->seen_ms != 0)
            ledger->seen_ms += in->elapsed_ms - ledger->seen_elapsed_ms;
        if (!ledger->dark || in->elapsed_ms < ledger->dark_elapsed_ms) {
            ledger->dark_elapsed_ms = in->elapsed_ms;
            ledger->dark = 1;
            step->decision->store = true;
        }
        return;
    }
    int64_t from_ms = in->now_ms;
    if (ledger->dark) {
        int64_t span_ms = in->elapsed_ms - ledger->dark_elapsed_ms;
        from_ms = in->now_ms - (span_ms > 0 ? span_ms : 0);
        ledger->dark = 0;
        ledger->dark_from_ms = from_ms;
        ledger->dark_to_ms = in->now_ms;
        step->decision->store = true;
    }
    note_off(step);
    if (ledger->since_ms == 0 || ledger->since_ms > in->now_ms) {
        ledger->since_ms = from_ms;
        step->decision->store = true;
    }
    ledger->seen_ms = in->now_ms;
    ledger->seen_elapsed_ms = in->elapsed_ms;
}

static enum reason idle_reason(const struct step *step)
{
    if (step->silent)
        return REASON_SILENCED;
    if (step->held != REASON_ON_TIME)
        return step->held;
    if (!step->known)
        return REASON_NO_TIME;
    return holds_at(step, (struct held_one){.below_pause = true, .below_quiet = true}, step->in->now_ms);
}

/* What is on, from when it is heard on, passes quiet hours. */
static void note_passed(struct step *step)
{
    struct ledger *ledger = step->ledger;
    int64_t ahead_ms = ledger->started_elapsed_ms - step->in->elapsed_ms;
    if (ledger->on == ON_NOTHING || !holds_quiet(step, step->in->now_ms + (ahead_ms > 0 ? ahead_ms : 0)))
        return;
    uint32_t *passed = &ledger->on_passed;
    struct order_mark *mark = ledger->on == ON_ORDER ? marks_find_order(ledger, ledger->key) : NULL;
    if (mark)
        passed = &ledger->order_passed[mark - ledger->orders];
    if (!*passed)
        step->decision->store = true;
    *passed = 1;
}

static void tell_on(struct step *step)
{
    struct decision *d = step->decision;
    const struct ledger *ledger = step->ledger;
    d->on = (enum on_kind)ledger->on;
    d->muted_zones = step->muted_zones;
    if (d->on == ON_NOTHING) {
        d->reason = idle_reason(step);
        return;
    }
    d->key = ledger->key;
    d->index = step->on_index;
    d->reason = step_begun_reason(ledger->planned_ms, ledger->started_ms);
    if (!d->begins)
        d->at_ms = ledger->started_ms;
    d->offset_ms = d->begins ? ledger->offset_ms : ledger->heard_ms;
    d->gain_mb = d->on == ON_ITEM ? step->in->items[d->index].gain_mb : step->in->orders[d->index].gain_mb;
    d->zones = d->on == ON_ITEM ? step->in->items[d->index].zones : step->in->orders[d->index].zones;
}

void arbiter_step(const struct arbiter_inputs *inputs, const struct ledger *ledger, struct decision *ret_decision,
                  struct ledger *ret_ledger)
{
    if (ret_ledger != ledger)
        *ret_ledger = *ledger;
    *ret_decision = (struct decision){.next_ms = INT64_MAX};
    struct step step = {.in = inputs, .ledger = ret_ledger, .decision = ret_decision};
    step.known = inputs->grade != GRADE_UNKNOWN;
    step.on_index = NONE;
    if (inputs->restarted)
        restart(&step);
    keep_time(&step);
    holds_adopt(&step);
    holds_wake(&step);
    if (ret_ledger->on == ON_ITEM)
        items_check_on(&step);
    else if (ret_ledger->on == ON_ORDER)
        orders_check_on(&step);
    orders_sweep(&step);
    items_sweep(&step);
    choose(&step);
    note_passed(&step);
    tell_on(&step);
    if (ret_decision->store && step.known)
        ret_ledger->looked_ms = inputs->now_ms;
}
