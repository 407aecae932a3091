/* test_arbiter_days.c - what must hold for every case: the promises of arbiter.h over random days, with outputs that
 * end, fail and hang, restarts, power cuts, steps of the clock, times without time, and documents that change. Each day
 * is judged from outside, by what was asked and what was answered. LOA_SEED repeats a run from its first day. */
#include "unit.h"

#include "playlists/arbiter.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 2026-07-01T05:00:00Z */
#define T0      INT64_C(1782882000000)
#define HOUR_MS INT64_C(3600000)
#define NEVER   INT64_MAX

enum { ITEMS_MAX = 40, ORDERS_MAX = 24, QUIET_MAX = 3, LOG_MAX = 4096, BULLETINS = 6, ORDER_KEY = 1000 };
enum { DAYS = 2500, STEPS = 120, TWINS = 250, TWIN_SPAN_MS = 90000, TICK_MS = 50 };

/* What is known from outside of one occurrence or order. */
struct fate {
    bool on, begun, ended;
    int64_t at_ms;    /* of its first beginning */
    int64_t heard_ms; /* at the most */
};

struct told {
    int64_t asked_ms, at_ms;
    uint64_t key;
    int what;
};

struct day {
    uint64_t rng, seed;
    struct air_item pool[ITEMS_MAX], items[ITEMS_MAX];
    uint64_t pool_bulletins[ITEMS_MAX], bulletins[ITEMS_MAX];
    bool item_named[ITEMS_MAX], order_named[ORDERS_MAX];
    struct air_order order_pool[ORDERS_MAX], orders[ORDERS_MAX];
    struct quiet_span quiet[QUIET_MAX];
    size_t n_pool, n_order_pool;
    struct arbiter_inputs in;
    struct ledger ledger, stored;
    struct decision d;
    bool silenced[ORDERS_MAX], lifted[ORDERS_MAX];
    struct fate items_fate[ITEMS_MAX], orders_fate[ORDERS_MAX];
    /* the outputs */
    int64_t from_elapsed_ms, offset_ms, done_elapsed_ms;
    bool done_failed, resumed;
    uint64_t begins;
    /* what was done, for the comparison of two callers */
    struct told log[LOG_MAX];
    size_t n_log;
};

static struct day *day;
static uint64_t first_seed;

#define HOLDS(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            fail_msg("LOA_SEED=%" PRIu64 " line %d: %s (now %+" PRId64 " elapsed %" PRId64 " on %" PRIu64 ")",         \
                     day->seed, __LINE__, #what, day->in.now_ms - T0, day->in.elapsed_ms, day->d.key);                 \
    } while (0)

static uint64_t mixed(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static int64_t between(int64_t low, int64_t high)
{
    day->rng = mixed(day->rng);
    return low + (int64_t)(day->rng % (uint64_t)(high - low + 1));
}

static bool one_in(int n)
{
    return between(1, n) == 1;
}

static bool known(void)
{
    return day->in.grade != GRADE_UNKNOWN;
}

/* ---- a day is made ---- */

static uint32_t random_zones(void)
{
    return one_in(2) ? 0 : (uint32_t)between(1, 7);
}

static void make_item(size_t i, int64_t span_ms)
{
    struct air_item *item = &day->pool[i];
    *item = (struct air_item){.key = i + 1,
                              .start_ms = T0 + between(-5000, span_ms),
                              .late_ms = one_in(4) ? 0 : between(0, 30000),
                              .wait_ms = one_in(3) ? 0 : between(0, 8000),
                              .length_ms = between(300, 20000),
                              .class = one_in(25) ? CLASS_EMERGENCY : (enum air_class)between(0, 2),
                              .policy = (enum cut_policy)between(CUT_DROP, CUT_RESTART),
                              .zones = random_zones(),
                              .exempt = one_in(6),
                              .catch_up_ms = one_in(4) ? between(1, 60000) : 0};
    item->end_ms = item->start_ms + (one_in(4) ? between(1, 15000) : item->late_ms + item->length_ms + 2000);
    day->pool_bulletins[i] = (uint64_t)between(0, BULLETINS);
    day->item_named[i] = !one_in(6);
}

static uint64_t some_order(enum order_kind first, enum order_kind last)
{
    for (size_t i = 0; i < day->n_order_pool; i++)
        if (day->order_pool[i].kind >= first && day->order_pool[i].kind <= last && one_in(2))
            return ORDER_KEY + i;
    return 1;
}

static void make_order(size_t i, int64_t span_ms)
{
    struct air_order *order = &day->order_pool[i];
    *order = (struct air_order){.key = ORDER_KEY + i,
                                .kind = (enum order_kind)between(ORDER_ALERT, ORDER_RECALL),
                                .class = (enum air_class)between(CLASS_FILLER, CLASS_PRIORITY),
                                .start_ms = T0 + between(-5000, span_ms),
                                .length_ms = between(300, 10000),
                                .gap_ms = one_in(2) ? 0 : between(0, 5000),
                                .wait_ms = between(0, 5000),
                                .plays = (uint32_t)between(0, 3),
                                .bulletin = (uint64_t)between(0, BULLETINS),
                                .zones = random_zones(),
                                .confirmed = one_in(2)};
    order->end_ms = order->start_ms + between(1, span_ms / 3);
    if (order->kind == ORDER_LIVE)
        order->length_ms = 0;
    if (order->kind == ORDER_LIFT)
        order->target = some_order(ORDER_SILENCE, ORDER_SILENCE);
    else if (order->kind == ORDER_CANCEL)
        order->target = some_order(ORDER_ALERT, ORDER_PAUSE);
    else if (order->kind == ORDER_RECALL)
        order->target = (uint64_t)between(1, BULLETINS);
    day->order_named[i] = one_in(3);
}

static void name_documents(void)
{
    size_t n = 0;
    for (size_t i = 0; i < day->n_pool; i++) {
        if (!day->item_named[i])
            continue;
        day->bulletins[n] = day->pool_bulletins[i];
        day->items[n++] = day->pool[i];
    }
    day->in.n_items = n;
    arbiter_sort(day->items, day->bulletins, n);
    n = 0;
    for (size_t i = 0; i < day->n_order_pool; i++)
        if (day->order_named[i])
            day->orders[n++] = day->order_pool[i];
    day->in.n_orders = n;
}

static void make_quiet(int64_t span_ms)
{
    day->in.n_quiet = one_in(3) ? (size_t)between(1, QUIET_MAX) : 0;
    for (size_t i = 0; i < day->in.n_quiet; i++) {
        day->quiet[i].from_ms = T0 + between(0, span_ms);
        day->quiet[i].to_ms = day->quiet[i].from_ms + between(0, span_ms / 6);
    }
}

static void make_day(struct day *at, uint64_t seed, int64_t span_ms)
{
    day = at;
    memset(day, 0, sizeof(*day));
    day->seed = seed;
    day->rng = mixed(seed);
    day->done_elapsed_ms = NEVER;
    day->n_pool = (size_t)between(1, ITEMS_MAX);
    for (size_t i = 0; i < day->n_pool; i++)
        make_item(i, span_ms);
    size_t n_orders = one_in(3) ? 0 : (size_t)between(0, ORDERS_MAX);
    for (size_t i = 0; i < n_orders; i++, day->n_order_pool = i)
        make_order(i, span_ms);
    day->in = (struct arbiter_inputs){.now_ms = T0 - between(0, 6000),
                                      .elapsed_ms = between(0, HOUR_MS),
                                      .grade = GRADE_SYNCED,
                                      .items = day->items,
                                      .item_bulletins = day->bulletins,
                                      .orders = day->orders,
                                      .quiet = day->quiet};
    make_quiet(span_ms);
    name_documents();
}

/* ---- what must hold, told from the inputs alone ---- */

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

/* ---- the caller ---- */

/* The outputs take as long as the day's seed says, whoever asks. */
static void put_on(void)
{
    const struct decision *d = &day->d;
    int64_t length_ms = d->on == ON_ITEM ? day->items[d->index].length_ms : day->orders[d->index].length_ms;
    uint64_t luck = mixed(day->seed ^ mixed(d->key ^ mixed(++day->begins)));
    int64_t span_ms = length_ms - d->offset_ms;
    day->done_failed = luck % 10 == 0;
    if (day->done_failed)
        span_ms = (int64_t)(luck >> 8) % (length_ms + 1000) - ARBITER_LEAD_MS;
    else
        span_ms += (int64_t)(luck >> 8) % 2000;
    bool hangs = luck % 10 == 1 || (length_ms == 0 && !day->done_failed);
    int64_t done_ms = day->from_elapsed_ms + span_ms;
    day->done_elapsed_ms = hangs ? NEVER : done_ms > day->in.elapsed_ms ? done_ms : day->in.elapsed_ms + 1;
}

static bool same_decision(const struct decision *a, const struct decision *b)
{
    for (size_t i = 0; i < a->n_ended && i < b->n_ended; i++) {
        const struct ended *x = &a->ended[i], *y = &b->ended[i];
        if (x->kind != y->kind || x->key != y->key || x->planned_ms != y->planned_ms ||
            x->started_ms != y->started_ms || x->heard_ms != y->heard_ms || x->reason != y->reason ||
            x->passed_quiet != y->passed_quiet)
            return false;
    }
    return a->on == b->on && a->key == b->key && a->index == b->index && a->reason == b->reason &&
           a->begins == b->begins && a->store == b->store && a->at_ms == b->at_ms && a->offset_ms == b->offset_ms &&
           a->gain_mb == b->gain_mb && a->zones == b->zones && a->muted_zones == b->muted_zones &&
           a->n_ended == b->n_ended && a->limit_ms == b->limit_ms && a->next_ms == b->next_ms &&
           a->next_key == b->next_key && a->next_start_ms == b->next_start_ms;
}

static void step_once(void)
{
    static struct ledger again;
    static struct decision d;
    bool twice = day->in.restarted || day->in.elapsed_ms % 8 == 0;
    if (twice)
        arbiter_step(&day->in, &day->ledger, &d, &again);
    arbiter_step(&day->in, &day->ledger, &day->d, &day->ledger);
    if (twice)
        HOLDS(same_decision(&d, &day->d) && memcmp(&again, &day->ledger, sizeof(again)) == 0);
}

/* At the most, up to this question. */
static void count_heard(void)
{
    int64_t heard_ms = day->offset_ms + day->in.elapsed_ms - day->from_elapsed_ms;
    for (size_t i = 0; i < day->n_pool; i++)
        if (day->items_fate[i].on && !day->in.restarted && heard_ms > day->items_fate[i].heard_ms)
            day->items_fate[i].heard_ms = heard_ms;
}

static void ask_once(void)
{
    count_heard();
    day->in.finished = day->in.elapsed_ms >= day->done_elapsed_ms && !day->done_failed;
    day->in.failed = day->in.elapsed_ms >= day->done_elapsed_ms && day->done_failed;
    if (day->in.finished || day->in.failed)
        day->done_elapsed_ms = NEVER;
    step_once();
    if (day->d.store)
        day->stored = day->ledger;
    bool restarted = day->in.restarted;
    day->in.restarted = false;
    uint32_t muted = muted_now();
    HOLDS(day->d.on == ON_NOTHING || day->d.muted_zones == muted);
    HOLDS(day->d.store || (!day->d.begins && day->d.n_ended == 0));
    check_ends();
    check_taken_off(restarted);
    if (day->d.begins)
        check_begin();
    if (day->d.begins)
        put_on();
    if (day->d.on == ON_ITEM)
        check_item_on(muted);
    else if (day->d.on == ON_ORDER)
        check_order_on(muted);
    else
        day->done_elapsed_ms = NEVER;
    if (day->d.next_ms > day->in.now_ms)
        check_rank(muted);
}

static void ask(void)
{
    int again = 0;
    do {
        HOLDS(again++ < 10);
        ask_once();
        HOLDS(day->d.next_ms >= day->in.now_ms);
    } while (day->d.next_ms == day->in.now_ms);
}

static void pass(int64_t span_ms)
{
    day->in.elapsed_ms += span_ms;
    day->in.now_ms += span_ms;
}

static void change_documents(void)
{
    for (int64_t n = between(1, 4); n > 0; n--) {
        size_t i = (size_t)between(0, (int64_t)day->n_pool - 1);
        if (one_in(3))
            day->item_named[i] = !day->item_named[i];
        else
            day->pool[i].blocked = one_in(2)   ? REASON_ON_TIME
                                   : one_in(2) ? REASON_NO_MEDIA
                                   : one_in(2) ? REASON_NOT_APPROVED
                                               : REASON_RECALLED;
        if (day->n_order_pool == 0)
            continue;
        i = (size_t)between(0, (int64_t)day->n_order_pool - 1);
        day->order_named[i] = !day->order_named[i];
    }
    if (one_in(8))
        for (size_t i = 0; i < day->n_pool; i++)
            day->item_named[i] = !one_in(4);
    name_documents();
}

/* The program comes back with what was stored last, in the same boot or in a new one. */
static void restart(void)
{
    day->ledger = day->stored;
    day->in.restarted = true;
    day->done_elapsed_ms = NEVER;
    int64_t span_ms = between(0, 30000);
    day->in.now_ms += span_ms;
    day->in.elapsed_ms = one_in(2) ? between(0, 40000) : day->in.elapsed_ms + span_ms;
}

static void step_clock(void)
{
    static const int64_t steps[] = {HOUR_MS, -HOUR_MS, 14 * 24 * HOUR_MS, -14 * 24 * HOUR_MS, 700, -700};
    if (one_in(2))
        day->in.now_ms += steps[between(0, 5)];
    else
        day->in.now_ms = T0 + between(0, 300000);
}

/* Without trusted time the clock may say anything, 1970 too. */
static void change_grade(void)
{
    static int64_t true_ms, true_elapsed_ms;
    if (known()) {
        true_ms = day->in.now_ms;
        true_elapsed_ms = day->in.elapsed_ms;
        day->in.grade = GRADE_UNKNOWN;
        if (one_in(2))
            day->in.now_ms = between(0, 100000);
    } else {
        int64_t dark_ms = day->in.elapsed_ms - true_elapsed_ms;
        day->in.grade = (enum time_grade)between(GRADE_HELD, GRADE_SYNCED);
        day->in.now_ms = true_ms > T0 - HOUR_MS && dark_ms > 0 ? true_ms + dark_ms : T0 + between(0, 300000);
    }
}

static void happen(bool steps)
{
    int64_t what = between(1, steps ? 40 : 24);
    if (what <= 8)
        change_documents();
    else if (what == 9)
        day->in.local_silence = !day->in.local_silence;
    else if (what == 10 && known())
        make_quiet(300000);
    else if (what == 25)
        step_clock();
    else if (what == 26)
        change_grade();
    else if (what <= 29 && what >= 27)
        restart();
}

/* To the next question: when it was asked for, when the outputs are done, when something changes, or earlier or later.
 */
static int64_t next_span(void)
{
    int64_t span_ms = one_in(3) ? between(1, 400) : one_in(12) ? between(1, 60000) : between(1, 5000);
    if (!one_in(4) && day->d.next_ms != NEVER)
        span_ms = day->d.next_ms - day->in.now_ms;
    if (!one_in(12) && day->done_elapsed_ms != NEVER && day->done_elapsed_ms - day->in.elapsed_ms < span_ms)
        span_ms = day->done_elapsed_ms - day->in.elapsed_ms;
    return span_ms > HOUR_MS ? HOUR_MS : span_ms > 0 ? span_ms : 1;
}

/* Far past everything, in trusted time: whatever began has its end, and so has all that is still planned. */
static void settle(void)
{
    day->in.grade = GRADE_SYNCED;
    day->in.now_ms = T0 + 40 * 24 * HOUR_MS;
    day->in.elapsed_ms += 10;
    for (int i = 0; i < 3; i++, pass(60000))
        ask();
    HOLDS(day->d.on == ON_NOTHING && day->ledger.n_cut == 0);
    for (size_t i = 0; i < day->n_pool; i++) {
        const struct fate *fate = &day->items_fate[i];
        HOLDS(fate->ended || !fate->begun);
        HOLDS(fate->ended || !day->item_named[i] || day->pool[i].end_ms < day->ledger.since_ms);
    }
    for (size_t i = 0; i < day->n_order_pool; i++)
        HOLDS(day->orders_fate[i].ended || !day->orders_fate[i].begun);
}

static void promises_hold(void **state)
{
    (void)state;
    static struct day fresh;
    size_t began = 0, ended = 0;
    for (uint64_t n = 0; n < DAYS; n++) {
        make_day(&fresh, first_seed + n, 300000);
        bool steps = !one_in(3);
        if (steps && one_in(4)) { /* a boot in 1970 */
            day->in.grade = GRADE_UNKNOWN;
            day->in.now_ms = between(0, 60000);
        }
        for (int i = 0; i < STEPS; i++) {
            ask();
            pass(next_span());
            happen(steps);
        }
        settle();
        for (size_t i = 0; i < day->n_pool; i++) {
            began += day->items_fate[i].begun;
            ended += day->items_fate[i].ended;
        }
    }
    print_message("%zu occurrences began, %zu ended\n", began, ended);
    assert_true(began > DAYS && ended > began);
}

/* Without steps of the clock: the same day for both callers. One asks when it was told to, and at each change; the
 * other at each tick too. */
static void live(bool ticks)
{
    int64_t begin_ms = day->in.elapsed_ms, change_ms = begin_ms + between(1, 6000);
    for (;;) {
        ask();
        int64_t next_ms = day->d.next_ms == NEVER ? NEVER : day->in.elapsed_ms + day->d.next_ms - day->in.now_ms;
        int64_t tick_ms = day->in.elapsed_ms + TICK_MS - (day->in.elapsed_ms - begin_ms) % TICK_MS;
        if (ticks && tick_ms < next_ms)
            next_ms = tick_ms;
        if (day->done_elapsed_ms < next_ms)
            next_ms = day->done_elapsed_ms;
        if (change_ms < next_ms)
            next_ms = change_ms;
        if (next_ms > begin_ms + TWIN_SPAN_MS)
            return;
        pass(next_ms - day->in.elapsed_ms);
        if (next_ms < change_ms)
            continue;
        if (one_in(12))
            day->in.grade = known() ? GRADE_UNKNOWN : GRADE_SYNCED;
        happen(false);
        change_ms += between(1, 6000);
    }
}

static void next_ms_is_enough(void **state)
{
    (void)state;
    static struct day often, told;
    for (uint64_t n = 0; n < TWINS; n++) {
        make_day(&often, first_seed + n, TWIN_SPAN_MS);
        live(true);
        make_day(&told, first_seed + n, TWIN_SPAN_MS);
        live(false);
        for (size_t i = 0; i < often.n_log || i < told.n_log; i++) {
            struct told none = {0}, a = i < often.n_log ? often.log[i] : none, b = i < told.n_log ? told.log[i] : none;
            if (a.asked_ms != b.asked_ms || a.at_ms != b.at_ms || a.key != b.key || a.what != b.what)
                fail_msg("LOA_SEED=%" PRIu64 " asked often: %+" PRId64 " what %d key %" PRIu64 " at %+" PRId64
                         ", when told: %+" PRId64 " what %d key %" PRIu64 " at %+" PRId64,
                         day->seed, a.asked_ms - T0, a.what, a.key, a.at_ms - T0, b.asked_ms - T0, b.what, b.key,
                         b.at_ms - T0);
        }
    }
}

int main(void)
{
    const char *given = getenv("LOA_SEED");
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    first_seed = given ? strtoull(given, NULL, 0) : mixed((uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 20) >> 16;
    printf("LOA_SEED=%" PRIu64 "\n", first_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_hold),
        cmocka_unit_test(next_ms_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
