/* test_arbiter_random.c - what must hold for every case: random timelines with cuts, faults, restarts, power cuts,
 * steps of the clock, times without time, new playlists. LOA_SEED=n for another run, LOA_ROUNDS for more. */
#include "unit.h"

#include "seed.h"
#include "time/script.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known of one occurrence from outside. */
struct fate {
    int begins, ends;
    int64_t start_ms; /* as the timetable said when it was put on */
    bool heard;       /* it was on at its instant */
    bool over;
};

struct world {
    const struct script *script;
    int64_t t_ms, boot_ms, offset_ms; /* true time; elapsed = t - boot; trusted now = T0 + t + offset */
    bool dark, restarted, local_silence;
    uint64_t item_mask, order_mask;
    enum reason blocked[ITEMS];
    int64_t moved_ms[ITEMS];
    struct air_item items[ITEMS];
    uint64_t bulletins[ITEMS];
    struct air_order orders[ORDERS];
    size_t n_items, n_orders;
    struct ledger ledger, stored;
    int64_t heard_at_ms; /* true time of the instant of what was put on last */
    int64_t done_at_ms;  /* true time at which the outputs finish */
    bool done_failed;
    struct fate items_fate[ITEMS + 1], orders_fate[ORDERS + 1];
    bool silent[ORDERS + 1]; /* silences that must hold */
    uint64_t on;
    enum reason idle;
    char *log;
    size_t log_len, log_cap;
};

static void note(struct world *w, const char *fmt, int64_t a, int64_t b, int64_t c)
{
    if (w->log_len + 128 > w->log_cap) {
        w->log_cap = w->log_cap ? w->log_cap * 2 : 65536;
        w->log = realloc(w->log, w->log_cap);
        assert_non_null(w->log);
    }
    w->log_len += (size_t)snprintf(w->log + w->log_len, 128, "%" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64 "\n",
                                   w->t_ms, fmt, a, b, c);
}

static void set_inputs(struct world *w)
{
    w->n_items = w->n_orders = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        if (!(w->item_mask >> i & 1))
            continue;
        w->bulletins[w->n_items] = w->script->bulletins[i];
        struct air_item *item = &w->items[w->n_items++];
        *item = w->script->items[i];
        item->blocked = w->blocked[i];
        item->start_ms += w->moved_ms[i];
        item->end_ms += w->moved_ms[i];
    }
    arbiter_sort(w->items, w->bulletins, w->n_items);
    for (size_t i = 0; i < ORDERS; i++)
        if (w->order_mask >> i & 1)
            w->orders[w->n_orders++] = w->script->orders[i];
}

static int64_t trusted_ms(const struct world *w)
{
    return T0 + w->t_ms + w->offset_ms;
}

static struct arbiter_inputs inputs_of(const struct world *w)
{
    return (struct arbiter_inputs){.now_ms = w->dark ? w->t_ms - w->boot_ms + 1000 : trusted_ms(w),
                                   .elapsed_ms = w->t_ms - w->boot_ms,
                                   .grade = w->dark ? GRADE_UNKNOWN : GRADE_HELD,
                                   .items = w->items,
                                   .item_bulletins = w->bulletins,
                                   .n_items = w->n_items,
                                   .orders = w->orders,
                                   .n_orders = w->n_orders,
                                   .quiet = w->script->quiet,
                                   .n_quiet = 2,
                                   .local_silence = w->local_silence,
                                   .finished = w->t_ms >= w->done_at_ms && !w->done_failed,
                                   .failed = w->t_ms >= w->done_at_ms && w->done_failed,
                                   .restarted = w->restarted};
}

static const struct air_item *item_of(const struct world *w, uint64_t key)
{
    for (size_t i = 0; i < w->n_items; i++)
        if (w->items[i].key == key)
            return &w->items[i];
    return NULL;
}

static bool waits_cut(const struct ledger *ledger, uint64_t key)
{
    for (size_t i = 0; i < ledger->n_cut; i++)
        if (ledger->cut[i].key == key)
            return true;
    return false;
}

static bool recalled(const struct world *w, uint64_t bulletin, int64_t now_ms)
{
    for (size_t i = 0; i < w->n_orders; i++)
        if (w->orders[i].kind == ORDER_RECALL && w->orders[i].target == bulletin && w->orders[i].start_ms <= now_ms)
            return true;
    return false;
}

static bool quiet_at(const struct arbiter_inputs *in, int64_t at_ms)
{
    for (size_t i = 0; i < in->n_quiet; i++)
        if (in->quiet[i].from_ms <= at_ms && at_ms < in->quiet[i].to_ms)
            return true;
    return false;
}

/* Nothing of a higher class that could have begun is passed over. */
static void check_rank(const struct world *w, const struct arbiter_inputs *in, const struct decision *d)
{
    enum air_class class = in->items[d->index].class;
    for (size_t i = 0; i < in->n_items; i++) {
        const struct air_item *item = &in->items[i];
        const struct fate *fate = &w->items_fate[item->key];
        if (item->class <= class || item->class == CLASS_EMERGENCY || item->blocked != REASON_ON_TIME || fate->begins ||
            fate->ends || recalled(w, in->item_bulletins[i], in->now_ms) || item->end_ms <= d->at_ms ||
            (!item->exempt && quiet_at(in, d->at_ms)))
            continue;
        assert_true(item->start_ms > in->now_ms || item->start_ms + item->late_ms < d->at_ms);
    }
}

static void check_begin(struct world *w, const struct arbiter_inputs *in, const struct ledger *before,
                        const struct decision *d)
{
    if (d->on == ON_ORDER) {
        struct fate *fate = &w->orders_fate[d->key - 1000 + 1];
        assert_false(fate->over);
        fate->begins++;
        return;
    }
    const struct air_item *item = &in->items[d->index];
    struct fate *fate = &w->items_fate[item->key];
    assert_int_equal(item->key, d->key);
    assert_false(fate->over);
    assert_int_not_equal(in->grade, GRADE_UNKNOWN);
    assert_int_not_equal(item->class, CLASS_EMERGENCY);
    assert_int_equal(item->blocked, REASON_ON_TIME);
    assert_true(in->now_ms < item->end_ms);
    assert_true(d->at_ms >= in->now_ms && d->at_ms >= item->start_ms);
    assert_true(d->at_ms - in->now_ms <= ARBITER_LEAD_MS);
    bool again = waits_cut(before, d->key) || (before->on == ON_ITEM && before->key == d->key);
    if (!again) {
        int64_t limit_ms = item->catch_up_ms > item->late_ms ? item->catch_up_ms : item->late_ms;
        assert_true(in->now_ms <= item->start_ms + limit_ms && d->at_ms <= d->limit_ms);
        assert_true(d->limit_ms <= item->start_ms + limit_ms && d->limit_ms < item->end_ms);
        if (in->now_ms > item->start_ms + item->late_ms)
            assert_true(before->n_off > 0 || in->restarted || before->woken);
        assert_int_equal(d->offset_ms, 0);
        check_rank(w, in, d);
    }
    assert_true(item->exempt || !quiet_at(in, d->at_ms));
    fate->start_ms = item->start_ms;
    fate->begins++;
}

static void check_ends(struct world *w, const struct decision *d)
{
    assert_true(d->n_ended <= ARBITER_ENDED_MAX);
    for (size_t i = 0; i < d->n_ended; i++) {
        const struct ended *e = &d->ended[i];
        struct fate *fate = e->kind == ON_ITEM ? &w->items_fate[e->key] : &w->orders_fate[e->key - 1000 + 1];
        note(w, e->kind == ON_ITEM ? "ended" : "order ended", (int64_t)e->key, e->reason, e->started_ms);
        note(w, "passed", (int64_t)e->key, e->passed_quiet, 0);
        assert_int_equal(fate->ends, 0);
        fate->ends++;
        fate->over = true;
        assert_true(e->heard_ms >= 0);
        if (e->started_ms)
            assert_true(fate->begins > 0);
        else
            assert_false(fate->heard);
        if (e->passed_quiet && e->kind == ON_ITEM)
            assert_true(w->script->items[e->key - 1].exempt && e->started_ms);
        if (e->kind == ON_ITEM && !e->started_ms)
            assert_int_equal(e->heard_ms, 0);
    }
}

/* The test's own book of silences: adopted when in force, gone when a lift names it. */
static bool must_be_silent(struct world *w, const struct arbiter_inputs *in)
{
    bool known = in->grade != GRADE_UNKNOWN;
    for (size_t i = 0; i < in->n_orders; i++) {
        const struct air_order *o = &in->orders[i];
        bool begun = known ? o->start_ms <= in->now_ms : o->confirmed;
        if (o->kind == ORDER_SILENCE && known && begun && in->now_ms < o->end_ms && !w->orders_fate[o->key - 999].over)
            w->silent[o->key - 1000] = true;
    }
    for (size_t i = 0; i < in->n_orders; i++) {
        const struct air_order *o = &in->orders[i];
        bool begun = known ? o->start_ms <= in->now_ms : o->confirmed;
        if (o->kind == ORDER_LIFT && begun) {
            w->silent[o->target - 1000] = false;
            w->orders_fate[o->target - 999].over |= w->script->orders[o->target - 1000].kind == ORDER_SILENCE;
        }
    }
    for (size_t i = 0; i < ORDERS; i++)
        if (w->silent[i])
            return true;
    return in->local_silence;
}

static void check_on(const struct arbiter_inputs *in, const struct ledger *ledger, const struct decision *d)
{
    if (d->on == ON_NOTHING)
        return;
    assert_int_equal(ledger->key, d->key);
    int64_t length_ms = d->on == ON_ITEM ? in->items[d->index].length_ms : in->orders[d->index].length_ms;
    int64_t end_ms = d->on == ON_ITEM ? in->items[d->index].end_ms : in->orders[d->index].end_ms;
    if (in->grade != GRADE_UNKNOWN)
        assert_true(in->now_ms < end_ms);
    if (length_ms)
        assert_true(in->elapsed_ms - ledger->started_elapsed_ms <= length_ms - ledger->offset_ms + ARBITER_MARGIN_MS);
}

static void carry_out(struct world *w, const struct decision *d)
{
    if (d->begins) {
        size_t i = d->on == ON_ITEM ? d->key - 1 : ITEMS + d->key - 1000;
        int64_t ahead_ms = d->at_ms - (w->dark ? w->t_ms - w->boot_ms + 1000 : trusted_ms(w));
        int64_t takes_ms = w->script->play_ms[i] == NEVER ? NEVER : w->script->play_ms[i] - d->offset_ms;
        w->heard_at_ms = w->t_ms + ahead_ms;
        w->done_failed = w->script->fails[i];
        w->done_at_ms = takes_ms == NEVER ? NEVER : w->t_ms + ahead_ms + (w->done_failed ? takes_ms / 2 : takes_ms);
        note(w, "begins", (int64_t)d->key, d->at_ms, d->offset_ms);
    } else if (d->on == ON_NOTHING) {
        w->done_at_ms = NEVER;
    }
    uint64_t on = d->on == ON_NOTHING ? 0 : d->key;
    if (on != w->on || (!on && d->reason != w->idle))
        note(w, "on", (int64_t)on, d->reason, 0);
    w->on = on;
    w->idle = d->reason;
}

/* What is on since before its instant is heard from then on, whatever takes it off now. */
static void mark_heard(struct world *w)
{
    if (w->on > 0 && w->on <= ITEMS && w->t_ms >= w->heard_at_ms)
        w->items_fate[w->on].heard = true;
}

/* One question, and again for as long as it says "at once". Returns the true time of the next. */
static int64_t ask(struct world *w)
{
    struct decision d;
    int64_t now_ms;
    int rounds = 0;
    mark_heard(w);
    do {
        struct arbiter_inputs in = inputs_of(w);
        struct ledger before = w->ledger;
        now_ms = in.now_ms;
        arbiter_step(&in, &w->ledger, &d, &w->ledger);
        check_ends(w, &d);
        if (d.begins)
            check_begin(w, &in, &before, &d);
        check_on(&in, &w->ledger, &d);
        if (must_be_silent(w, &in))
            assert_int_equal(d.on, ON_NOTHING);
        if (d.begins || d.n_ended || before.on != w->ledger.on || before.n_cut != w->ledger.n_cut ||
            before.n_silences != w->ledger.n_silences)
            assert_true(d.store);
        if (d.store)
            w->stored = w->ledger;
        w->restarted = false;
        if (w->t_ms >= w->done_at_ms)
            w->done_at_ms = NEVER;
        carry_out(w, &d);
        assert_true(d.next_ms >= now_ms);
        assert_true(++rounds < 20);
    } while (d.next_ms == now_ms);
    return d.next_ms == INT64_MAX ? NEVER : w->t_ms + (d.next_ms - now_ms);
}

static void happen(struct world *w, const struct happening *e)
{
    mark_heard(w);
    switch (e->kind) {
    case STEP:
        w->offset_ms += e->amount;
        break;
    case DARK:
    case LIGHT:
        w->dark = e->kind == DARK;
        break;
    case POWER_CUT:
        w->t_ms += e->amount;
        w->boot_ms = w->t_ms - 1000;
        w->dark |= e->mask & 1;
        /* fall through */
    case RESTART:
        w->ledger = w->stored;
        w->restarted = true;
        w->done_at_ms = NEVER;
        w->on = 0;
        break;
    case KEY_SWITCH:
        w->local_silence = !w->local_silence && (e->mask & 1);
        break;
    case NEW_PLAYLIST:
        w->item_mask = e->mask | e->mask >> 32;
        w->moved_ms[e->mask % ITEMS] = (int64_t)(e->mask >> 8) % 60000 * ((e->mask & 1) ? 1 : -1);
        break;
    case BLOCK:
        w->blocked[e->mask % ITEMS] = w->blocked[e->mask % ITEMS] ? REASON_ON_TIME : REASON_NO_MEDIA;
        if (e->mask >> 60 == 0)
            w->blocked[e->mask % ITEMS] = REASON_NOT_APPROVED;
        break;
    case NEW_ORDERS:
        w->order_mask = e->mask | e->mask >> 32;
        break;
    case EVENT_KINDS:
        break;
    }
    set_inputs(w);
}

/* Through the script; `each_ms`: ask every millisecond, else only when told to and when something changes. */
static void run(struct world *w, const struct script *script, bool each_ms)
{
    memset(w, 0, sizeof(*w));
    *w = (struct world){
        .script = script, .boot_ms = -60000, .item_mask = UINT64_MAX, .order_mask = UINT64_MAX, .done_at_ms = NEVER};
    set_inputs(w);
    size_t e = 0;
    while (w->t_ms < SPAN_MS) {
        int64_t next_ms = ask(w);
        if (each_ms)
            next_ms = w->t_ms + 1;
        if (w->done_at_ms < next_ms)
            next_ms = w->done_at_ms > w->t_ms ? w->done_at_ms : w->t_ms + 1;
        if (e < script->n_events && script->events[e].at_ms <= next_ms) {
            if (script->events[e].at_ms > w->t_ms)
                w->t_ms = script->events[e].at_ms;
            happen(w, &script->events[e++]);
        } else {
            w->t_ms = next_ms < SPAN_MS ? next_ms : SPAN_MS;
        }
    }
}

/* Far past everything, in trusted time: what began has ended, and what is still planned has its end too. */
static void settle(struct world *w)
{
    w->dark = false;
    w->t_ms += 10;
    w->offset_ms = 20 * 24 * HOUR_MS;
    for (int i = 0; i < 5; i++) {
        ask(w);
        w->t_ms += 100000;
    }
    assert_int_equal(w->ledger.on, ON_NOTHING);
    assert_int_equal(w->ledger.n_cut, 0);
    for (uint64_t key = 1; key <= ITEMS; key++) {
        const struct fate *fate = &w->items_fate[key];
        const struct air_item *item = item_of(w, key);
        bool answered = item && item->end_ms >= w->ledger.since_ms;
        if (fate->ends != 1 && (answered || fate->heard))
            fail_msg("item %d: %d begins, %d ends, %s", (int)key, fate->begins, fate->ends,
                     fate->heard ? "heard" : "not heard");
        /* Put on ahead of its instant and taken off again before it, it never began: it vanished, or a new playlist
         * moved it to before the account. */
        if (fate->begins > 0 && fate->ends != 1 && item)
            assert_true(item->start_ms < fate->start_ms);
    }
    for (size_t i = 1; i <= ORDERS; i++)
        if (w->orders_fate[i].begins)
            assert_int_equal(w->orders_fate[i].ends, 1);
}

static int rounds_of_run(int usual)
{
    const char *given = getenv("LOA_ROUNDS");
    return given ? atoi(given) : usual;
}

static void holds_in_every_timeline(void **state)
{
    (void)state;
    static struct world w;
    static struct script script;
    uint64_t seed = seed_of_run();
    long long begins = 0, ends = 0;
    for (int i = 0; i < rounds_of_run(1500); i++) {
        make_script(&script, seed + (uint64_t)i);
        if (getenv("LOA_TRACE"))
            print_message("LOA_SEED=%" PRIu64 "\n", seed + (uint64_t)i);
        run(&w, &script, false);
        settle(&w);
        for (size_t k = 1; k <= ITEMS; k++) {
            begins += w.items_fate[k].begins;
            ends += w.items_fate[k].ends;
        }
        free(w.log);
    }
    print_message("%lld beginnings, %lld ends\n", begins, ends);
}

static void next_ms_is_enough(void **state)
{
    (void)state;
    static struct world polled, told;
    static struct script script;
    uint64_t seed = seed_of_run();
    for (int i = 0; i < rounds_of_run(10); i++) {
        make_script(&script, seed + (uint64_t)i);
        run(&polled, &script, true);
        run(&told, &script, false);
        if (strcmp(polled.log, told.log) != 0) {
            size_t same = 0;
            while (polled.log[same] && polled.log[same] == told.log[same])
                same++;
            for (int lines = 0; same > 0 && lines < 6; same--)
                lines += polled.log[same - 1] == '\n';
            fail_msg("LOA_SEED=%" PRIu64 ": asked each millisecond:\n%.300s\nasked when told to:\n%.300s",
                     seed + (uint64_t)i, polled.log + same, told.log + same);
        }
        free(polled.log);
        free(told.log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_in_every_timeline),
        cmocka_unit_test(next_ms_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
