/* simulate.c - see simulate.h. */
#include "playlists/simulate.h"

#include "playlists/hours.h"

#include <stdlib.h>
#include <string.h>

enum { OPEN_MAX = ARBITER_CUT_MAX + 2, BOOT_MS = 20000 };

/* One list as the arbiter asks for it. */
struct sorted {
    struct air_item *items;
    uint64_t *origin; /* index into the list */
    size_t n;
};

/* An airing that began and has no receipt yet. */
struct open {
    uint64_t key;
    const struct sim_item *item;
};

struct run {
    const struct sim_case *wanted;
    struct sorted *sorted;
    int64_t t_ms, boot_ms, ahead_ms; /* true time */
    enum time_grade grade;
    bool off, restarted;
    size_t list; /* SIZE_MAX: none yet */
    size_t turn;
    struct ledger ledger, stored;
    struct decision decision;
    int64_t stored_ms;
    uint64_t shown; /* key of what the outputs have; 0: nothing */
    int64_t done_ms;
    struct open open[OPEN_MAX];
    size_t n_open;
    struct sim_receipt *receipts;
    size_t n, cap;
};

struct sim_item sim_item_of(const struct playlist *playlist, const struct playlist_item *item, int64_t length_ms)
{
    bool relay = item->bulletin < 0;
    return (struct sim_item){.occurrence = item->id,
                             .bulletin = relay ? NULL : playlist->bulletins[item->bulletin].hash,
                             .exempt = item->exempt,
                             .air = {.key = arbiter_key(item->id),
                                     .start_ms = item->start_ms,
                                     .end_ms = item->end_ms,
                                     .late_ms = item->late_ms,
                                     .wait_ms = item->wait_ms,
                                     .length_ms = length_ms,
                                     .catch_up_ms = item->catch_up_ms,
                                     .class = (enum air_class)item->class,
                                     .policy = (enum cut_policy)item->policy,
                                     .blocked = relay ? REASON_NO_MEDIA : REASON_ON_TIME,
                                     .gain_mb = (int32_t)item->gain_mb,
                                     .exempt = item->exempt != NULL}};
}

static void sort_lists(struct run *run, struct arena *arena)
{
    const struct sim_case *wanted = run->wanted;
    run->sorted = arena_alloc(arena, (wanted->n_lists + 1) * sizeof(*run->sorted));
    for (size_t l = 0; l < wanted->n_lists; l++) {
        const struct sim_list *list = &wanted->lists[l];
        struct sorted *to = &run->sorted[l];
        to->n = list->n;
        to->items = arena_alloc(arena, (list->n + 1) * sizeof(*to->items));
        to->origin = arena_alloc(arena, (list->n + 1) * sizeof(*to->origin));
        for (size_t i = 0; i < list->n; i++) {
            to->items[i] = list->items[i].air;
            to->origin[i] = i;
        }
        arbiter_sort(to->items, to->origin, to->n);
        run->cap += list->n;
    }
    run->receipts = arena_alloc(arena, (run->cap + 1) * sizeof(*run->receipts));
}

static const struct sim_item *item_at(const struct run *run, size_t index)
{
    return &run->wanted->lists[run->list].items[run->sorted[run->list].origin[index]];
}

/* --- receipts --- */

static const struct sim_item *find_listed(const struct run *run, uint64_t key)
{
    const struct sorted *sorted = run->list == SIZE_MAX ? NULL : &run->sorted[run->list];
    for (size_t i = 0; sorted && i < sorted->n; i++)
        if (sorted->items[i].key == key)
            return item_at(run, i);
    return NULL;
}

static const struct sim_item *close_airing(struct run *run, uint64_t key)
{
    for (size_t i = 0; i < run->n_open; i++)
        if (run->open[i].key == key) {
            const struct sim_item *item = run->open[i].item;
            run->open[i] = run->open[--run->n_open];
            return item;
        }
    return find_listed(run, key);
}

static void open_airing(struct run *run, uint64_t key, const struct sim_item *item)
{
    for (size_t i = 0; i < run->n_open; i++)
        if (run->open[i].key == key)
            return;
    if (run->n_open == OPEN_MAX) /* put on ahead of its instant and taken off again: it has no receipt */
        memmove(run->open, run->open + 1, sizeof(run->open[0]) * --run->n_open);
    run->open[run->n_open++] = (struct open){key, item};
}

static void add_receipt(struct run *run, const struct ended *ended)
{
    const struct sim_item *item = close_airing(run, ended->key);
    if (!item || run->n == run->cap)
        return;
    struct sim_receipt *receipt = &run->receipts[run->n++];
    *receipt = (struct sim_receipt){.item = item,
                                    .planned_ms = ended->planned_ms,
                                    .started_ms = ended->started_ms,
                                    .heard_ms = ended->heard_ms,
                                    .reason = ended->reason};
    if (ended->passed_quiet)
        receipt->exempt = item->air.class == CLASS_EMERGENCY ? "emergency" : item->exempt;
    if (!ended->started_ms)
        return;
    bool shown = run->shown == ended->key;
    receipt->ended_ms = shown ? run->t_ms + run->ahead_ms : ended->started_ms + ended->heard_ms;
    if (receipt->ended_ms < receipt->started_ms)
        receipt->ended_ms = receipt->started_ms;
}

/* --- one question --- */

static void fill_inputs(const struct run *run, struct quiet_span quiet[HOURS_SPANS_MAX], struct arbiter_inputs *ret)
{
    const struct sim_case *wanted = run->wanted;
    *ret = (struct arbiter_inputs){.now_ms = run->t_ms + run->ahead_ms,
                                   .elapsed_ms = run->t_ms - run->boot_ms,
                                   .grade = run->grade,
                                   .quiet = wanted->quiet,
                                   .n_quiet = wanted->n_quiet,
                                   .finished = run->shown && run->t_ms >= run->done_ms,
                                   .restarted = run->restarted};
    if (run->list != SIZE_MAX) {
        ret->items = run->sorted[run->list].items;
        ret->n_items = run->sorted[run->list].n;
    }
    if (wanted->config && wanted->zone) {
        ret->quiet = quiet;
        ret->n_quiet = hours_quiet(wanted->config, wanted->zone, ret->now_ms, quiet);
    }
}

static void put_on(struct run *run, int64_t now_ms)
{
    const struct decision *d = &run->decision;
    const struct sim_item *item = item_at(run, d->index);
    open_airing(run, d->key, item);
    run->shown = d->key;
    run->done_ms = run->t_ms + (d->at_ms - now_ms) + item->air.length_ms - d->offset_ms;
}

/* Returns the trusted time by which it was asked. */
static int64_t ask_once(struct run *run)
{
    struct quiet_span quiet[HOURS_SPANS_MAX];
    struct arbiter_inputs in;
    const struct decision *d = &run->decision;
    fill_inputs(run, quiet, &in);
    arbiter_step(&in, &run->ledger, &run->decision, &run->ledger);
    run->restarted = false;
    bool due = run->ledger.on != ON_NOTHING && run->t_ms - run->stored_ms >= SIMULATE_STORE_MS;
    if (d->store || due) {
        run->stored = run->ledger;
        run->stored_ms = run->t_ms;
    }
    for (size_t i = 0; i < d->n_ended; i++)
        add_receipt(run, &d->ended[i]);
    if (d->begins && d->on == ON_ITEM)
        put_on(run, in.now_ms);
    else if (d->on == ON_NOTHING)
        run->shown = 0;
    return in.now_ms;
}

/* Returns the true time of the next question. */
static int64_t ask(struct run *run)
{
    const struct decision *d = &run->decision;
    int64_t now_ms;
    do
        now_ms = ask_once(run);
    while (d->next_ms <= now_ms);
    int64_t next_ms = d->next_ms == INT64_MAX ? INT64_MAX : run->t_ms + (d->next_ms - now_ms);
    if (run->shown && run->done_ms < next_ms)
        next_ms = run->done_ms;
    if (run->shown && run->stored_ms + SIMULATE_STORE_MS < next_ms)
        next_ms = run->stored_ms + SIMULATE_STORE_MS;
    return next_ms > run->t_ms ? next_ms : run->t_ms + 1;
}

static void take_turn(struct run *run, const struct sim_turn *turn)
{
    switch (turn->kind) {
    case SIM_LIST:
        run->list = turn->list;
        break;
    case SIM_OFF:
        run->ledger = run->stored;
        run->off = true;
        run->shown = 0;
        break;
    case SIM_ON:
        run->off = false;
        run->restarted = true;
        if (!turn->same_boot)
            run->boot_ms = run->t_ms - BOOT_MS;
        break;
    case SIM_CLOCK:
        run->ahead_ms = turn->ahead_ms;
        break;
    case SIM_GRADE:
        run->grade = turn->grade;
        break;
    case SIM_ASK:
        if (!run->off)
            ask_once(run);
        break;
    }
}

void simulate(const struct sim_case *wanted, struct arena *arena, struct sim_receipt **ret_receipts, size_t *ret_n)
{
    struct run *run = xcalloc(1, sizeof(*run));
    run->wanted = wanted;
    run->t_ms = wanted->from_ms;
    run->boot_ms = wanted->from_ms - BOOT_MS;
    run->grade = wanted->grade;
    run->restarted = true;
    run->list = SIZE_MAX;
    sort_lists(run, arena);
    while (run->t_ms < wanted->until_ms) {
        while (run->turn < wanted->n_turns && wanted->turns[run->turn].at_ms <= run->t_ms)
            take_turn(run, &wanted->turns[run->turn++]);
        int64_t next_ms = run->off ? INT64_MAX : ask(run);
        if (run->turn < wanted->n_turns && wanted->turns[run->turn].at_ms < next_ms)
            next_ms = wanted->turns[run->turn].at_ms;
        run->t_ms = next_ms;
    }
    *ret_receipts = run->receipts;
    *ret_n = run->n;
    free(run);
}
