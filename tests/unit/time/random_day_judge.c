/* random_day_judge.c - see random_day.h: what must hold, told from the inputs alone. */
#include "time/random_day.h"

static bool begun_order(const struct air_order *order)
{
    return !known() || order->start_ms <= day->in.now_ms;
}

static bool named_by(enum order_kind kind, uint64_t target)
{
    for (size_t i = 0; i < day->in.n_orders; i++)
        if (day->orders[i].kind == kind && day->orders[i].target == target && begun_order(&day->orders[i]))
            return true;
    return false;
}

static bool lift_of(uint64_t silence)
{
    for (size_t i = 0; i < day->in.n_orders; i++) {
        const struct air_order *o = &day->orders[i];
        if (o->kind == ORDER_LIFT && o->target == silence && begun_order(o) && (known() || o->confirmed))
            return true;
    }
    return false;
}

/* A silence that was in force once holds until it is lifted, and is then over for good. */
static uint32_t muted_now(void)
{
    uint32_t muted = day->in.local_silence ? UINT32_MAX : 0;
    for (size_t i = 0; i < day->n_order_pool; i++) {
        const struct air_order *o = &day->order_pool[i];
        if (o->kind != ORDER_SILENCE)
            continue;
        bool in_force = day->order_named[i] && (!known() || (begun_order(o) && day->in.now_ms < o->end_ms));
        bool touched = day->order_named[i] || day->silenced[i];
        day->lifted[i] |= touched && lift_of(o->key);
        day->silenced[i] = (day->silenced[i] || in_force) && !day->lifted[i];
        if (day->silenced[i])
            muted |= o->zones ? o->zones : UINT32_MAX;
    }
    return muted;
}

static bool mutes(uint32_t muted, uint32_t zones)
{
    return muted == UINT32_MAX || (zones && !(zones & ~muted));
}

static bool held_at(int64_t at_ms, bool exempt)
{
    for (size_t i = 0; i < day->in.n_orders; i++) {
        const struct air_order *o = &day->orders[i];
        bool in_force = known() ? o->start_ms <= at_ms && at_ms < o->end_ms : o->confirmed;
        if (o->kind == ORDER_PAUSE && in_force && !named_by(ORDER_CANCEL, o->key))
            return true;
    }
    for (size_t i = 0; known() && !exempt && i < day->in.n_quiet; i++)
        if (day->quiet[i].from_ms <= at_ms && at_ms < day->quiet[i].to_ms)
            return true;
    return false;
}

static bool refused(size_t i)
{
    const struct air_item *item = &day->items[i];
    return item->class == CLASS_EMERGENCY || item->blocked == REASON_NOT_APPROVED || item->blocked == REASON_RECALLED ||
           (day->bulletins[i] && named_by(ORDER_RECALL, day->bulletins[i]));
}

/* It may be on now, and only what else is on keeps it from that. */
static bool is_due(size_t i, uint32_t muted)
{
    const struct air_item *item = &day->items[i];
    const struct fate *fate = &day->items_fate[item->key - 1];
    int64_t now_ms = day->in.now_ms;
    if (!known() || fate->ended || fate->on || item->blocked || refused(i) || mutes(muted, item->zones) ||
        held_at(now_ms, item->exempt))
        return false;
    return item->start_ms <= now_ms && now_ms < item->end_ms &&
           (fate->begun || now_ms <= item->start_ms + item->late_ms);
}

/* An alert in force that nothing keeps off. */
static bool alert_due(uint32_t muted)
{
    for (size_t i = 0; i < day->in.n_orders; i++) {
        const struct air_order *o = &day->orders[i];
        if (o->kind == ORDER_ALERT && known() && begun_order(o) && day->in.now_ms < o->end_ms &&
            !day->orders_fate[o->key - ORDER_KEY].ended && !o->blocked && !mutes(muted, o->zones) &&
            !named_by(ORDER_CANCEL, o->key) && !(o->bulletin && named_by(ORDER_RECALL, o->bulletin)))
            return true;
    }
    return false;
}

static void check_rank(uint32_t muted)
{
    const struct decision *d = &day->d;
    const struct air_item *on = d->on == ON_ITEM ? &day->items[d->index] : NULL;
    bool alert = alert_due(muted);
    HOLDS(!alert || d->on != ON_ITEM);
    HOLDS(!alert || d->on != ON_ORDER || day->orders[d->index].kind == ORDER_ALERT);
    for (size_t i = 0; i < day->in.n_items && d->on != ON_ORDER && !alert; i++) {
        const struct air_item *item = &day->items[i];
        if (!is_due(i, muted))
            continue;
        HOLDS(d->on != ON_NOTHING); /* nobody waits for nothing */
        bool cuts = item->class == CLASS_PRIORITY && day->in.now_ms >= item->start_ms + item->wait_ms;
        HOLDS(!(cuts && on->class < item->class));
        bool before = item->start_ms < on->start_ms || (item->start_ms == on->start_ms && item->key < on->key);
        HOLDS(!(d->begins && (on->class < item->class || (on->class == item->class && before))));
    }
}

static void check_item_on(uint32_t muted)
{
    const struct decision *d = &day->d;
    const struct arbiter_inputs *in = &day->in;
    const struct air_item *item = &day->items[d->index];
    HOLDS(d->index < in->n_items && item->key == d->key && d->zones == item->zones);
    HOLDS(!refused(d->index));
    HOLDS(!mutes(muted, item->zones));
    HOLDS(!known() || in->now_ms < item->end_ms);
    HOLDS(in->elapsed_ms - day->from_elapsed_ms <= item->length_ms - day->offset_ms + ARBITER_MARGIN_MS);
    HOLDS(d->offset_ms >= 0 && d->offset_ms <= item->length_ms);
    int64_t ahead_ms = day->from_elapsed_ms - in->elapsed_ms;
    HOLDS(!held_at(in->now_ms + (ahead_ms > 0 ? ahead_ms : 0), item->exempt));
}

static void check_order_on(uint32_t muted)
{
    const struct decision *d = &day->d;
    const struct air_order *order = &day->orders[d->index];
    HOLDS(d->index < day->in.n_orders && order->key == d->key && d->zones == order->zones);
    HOLDS(order->kind <= ORDER_LIVE && !day->orders_fate[d->key - ORDER_KEY].ended);
    HOLDS(!mutes(muted, order->zones) && !named_by(ORDER_CANCEL, order->key));
    HOLDS(!(order->bulletin && named_by(ORDER_RECALL, order->bulletin)));
    HOLDS(order->kind == ORDER_ALERT || !held_at(day->in.now_ms, false));
    HOLDS(known() ? begun_order(order) && day->in.now_ms < order->end_ms : order->kind == ORDER_ALERT);
}

static struct fate *fate_of(enum on_kind kind, uint64_t key)
{
    HOLDS(kind == ON_ITEM ? key - 1 < day->n_pool : key - ORDER_KEY < day->n_order_pool);
    return kind == ON_ITEM ? &day->items_fate[key - 1] : &day->orders_fate[key - ORDER_KEY];
}

static void log_told(int what, uint64_t key, int64_t at_ms)
{
    HOLDS(day->n_log < LOG_MAX);
    day->log[day->n_log++] = (struct told){day->in.now_ms, at_ms, key, what};
}

static void check_ends(void)
{
    for (size_t i = 0; i < day->d.n_ended; i++) {
        const struct ended *e = &day->d.ended[i];
        struct fate *fate = fate_of(e->kind, e->key);
        HOLDS(!fate->ended);
        bool ahead = fate->on && day->in.elapsed_ms < day->from_elapsed_ms && !day->resumed;
        HOLDS(e->started_ms == (fate->begun ? fate->at_ms : 0) || (ahead && e->started_ms == 0));
        HOLDS(fate->begun || e->heard_ms == 0);
        HOLDS(e->reason < REASONS && (fate->begun || e->reason != REASON_ON_TIME));
        fate->ended = true;
        fate->on = false;
        log_told(100 + (int)e->reason, e->key, e->started_ms);
    }
}

/* What was put on ahead of its instant and taken off before it, was never on. */
static void check_taken_off(bool restarted)
{
    for (size_t i = 0; i < day->n_pool + day->n_order_pool; i++) {
        bool item = i < day->n_pool;
        struct fate *fate = item ? &day->items_fate[i] : &day->orders_fate[i - day->n_pool];
        uint64_t key = item ? i + 1 : ORDER_KEY + i - day->n_pool;
        bool on = day->d.on == (item ? ON_ITEM : ON_ORDER) && day->d.key == key && !day->d.begins;
        if (fate->on && !on && item && !restarted && !day->resumed && day->in.elapsed_ms < day->from_elapsed_ms)
            fate->begun = false;
        fate->on &= on;
        HOLDS(fate->on == on); /* nothing is on that was not begun */
    }
}

static void check_begin(void)
{
    const struct decision *d = &day->d;
    struct fate *fate = fate_of(d->on, d->key);
    HOLDS(!fate->ended && d->store);
    day->resumed = fate->begun;
    if (d->on == ON_ITEM) {
        const struct air_item *item = &day->items[d->index];
        HOLDS(known() && !item->blocked);
        HOLDS(d->at_ms >= day->in.now_ms && d->at_ms <= day->in.now_ms + ARBITER_LEAD_MS);
        HOLDS(item->start_ms <= d->at_ms && d->at_ms < item->end_ms);
        int64_t limit_ms = item->catch_up_ms > item->late_ms ? item->catch_up_ms : item->late_ms;
        HOLDS(fate->begun || (d->at_ms <= item->start_ms + limit_ms && d->offset_ms == 0));
        HOLDS(!fate->begun || item->policy != CUT_DROP);
        HOLDS(item->policy == CUT_RESUME ? d->offset_ms <= fate->heard_ms : d->offset_ms == 0);
    }
    fate->at_ms = fate->begun ? fate->at_ms : d->at_ms;
    fate->begun = fate->on = true;
    day->from_elapsed_ms = day->in.elapsed_ms + (d->at_ms - day->in.now_ms);
    day->offset_ms = d->offset_ms;
    log_told((int)d->on, d->key, d->at_ms);
}

void judge_answer(bool restarted)
{
    uint32_t muted = muted_now();
    HOLDS(day->d.on == ON_NOTHING || day->d.muted_zones == muted);
    HOLDS(day->d.store || (!day->d.begins && day->d.n_ended == 0));
    check_ends();
    check_taken_off(restarted);
    if (day->d.begins)
        check_begin();
    if (day->d.on == ON_ITEM)
        check_item_on(muted);
    else if (day->d.on == ON_ORDER)
        check_order_on(muted);
    if (day->d.next_ms > day->in.now_ms)
        check_rank(muted);
}
