/* arbiter_marks.c - what the ledger remembers: decided occurrences, cut items, orders. */
#include "playlists/arbiter_step.h"

#include <string.h>

int marks_order(int64_t start_a, uint64_t key_a, int64_t start_b, uint64_t key_b)
{
    if (start_a != start_b)
        return start_a < start_b ? -1 : 1;
    return (key_a > key_b) - (key_a < key_b);
}

/* The place of the first mark that is not before (start, key). */
static size_t done_place(const struct ledger *ledger, int64_t start_ms, uint64_t key)
{
    size_t low = 0, high = ledger->n_done;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct done_mark *m = &ledger->done[mid];
        if (marks_order(m->start_ms, m->key, start_ms, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool marks_done(const struct ledger *ledger, uint64_t key)
{
    for (size_t i = 0; i < ledger->n_done; i++)
        if (ledger->done[i].key == key)
            return true;
    return false;
}

static void drop_done(struct ledger *ledger, size_t i)
{
    memmove(&ledger->done[i], &ledger->done[i + 1], (ledger->n_done - i - 1) * sizeof(ledger->done[0]));
    ledger->n_done--;
}

/* A mark may go when the playlist does not name its occurrence any more. */
static void make_room(const struct arbiter_inputs *in, struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->n_done; i++) {
        const struct done_mark *m = &ledger->done[i];
        if (marks_find_item(in, m->start_ms, m->key) == NONE) {
            drop_done(ledger, i);
            return;
        }
    }
    drop_done(ledger, 0);
}

void marks_add_done(struct step *step, int64_t start_ms, uint64_t key)
{
    struct ledger *ledger = step->ledger;
    step->decision->store = true;
    if (marks_done(ledger, key))
        return;
    if (ledger->n_done == ARBITER_DONE_MAX)
        make_room(step->in, ledger);
    size_t i = done_place(ledger, start_ms, key);
    memmove(&ledger->done[i + 1], &ledger->done[i], (ledger->n_done - i) * sizeof(ledger->done[0]));
    ledger->done[i] = (struct done_mark){.key = key, .start_ms = start_ms};
    ledger->n_done++;
}

struct order_mark *marks_find_order(struct ledger *ledger, uint64_t key)
{
    for (size_t i = 0; i < ledger->n_orders; i++)
        if (ledger->orders[i].key == key)
            return &ledger->orders[i];
    return NULL;
}

/* The order which is over and gone, and was on longest ago. */
static struct order_mark *spent_order(struct step *step)
{
    struct ledger *ledger = step->ledger;
    struct order_mark *oldest = NULL;
    for (size_t i = 0; i < ledger->n_orders; i++) {
        struct order_mark *m = &ledger->orders[i];
        if (m->over && marks_find_input_order(step->in, m->key) == NONE && (!oldest || m->turn < oldest->turn))
            oldest = m;
    }
    return oldest;
}

static struct order_mark *order_place(struct step *step)
{
    struct ledger *ledger = step->ledger;
    if (ledger->n_orders < ARBITER_ORDERS_MAX)
        return &ledger->orders[ledger->n_orders++];
    return spent_order(step);
}

bool marks_have_room(struct step *step, uint64_t order)
{
    return step->ledger->n_orders < ARBITER_ORDERS_MAX || marks_find_order(step->ledger, order) || spent_order(step);
}

struct order_mark *marks_take_order(struct step *step, const struct air_order *order)
{
    struct order_mark *mark = marks_find_order(step->ledger, order->key);
    if (mark)
        return mark;
    mark = order_place(step);
    if (!mark)
        return NULL;
    step->ledger->order_passed[mark - step->ledger->orders] = 0;
    *mark = (struct order_mark){
        .key = order->key, .planned_ms = order->start_ms, .end_ms = order->end_ms, .turn = step->ledger->turns};
    step->decision->store = true;
    return mark;
}

struct cut_mark *marks_find_cut(struct ledger *ledger, uint64_t key)
{
    for (size_t i = 0; i < ledger->n_cut; i++)
        if (ledger->cut[i].key == key)
            return &ledger->cut[i];
    return NULL;
}

void marks_drop_cut(struct ledger *ledger, uint64_t key)
{
    struct cut_mark *mark = marks_find_cut(ledger, key);
    if (!mark)
        return;
    size_t i = (size_t)(mark - ledger->cut);
    size_t behind = ledger->n_cut - i - 1;
    memmove(mark, mark + 1, behind * sizeof(*mark));
    memmove(&ledger->cut_passed[i], &ledger->cut_passed[i + 1], behind * sizeof(ledger->cut_passed[0]));
    ledger->n_cut--;
    ledger->cut[ledger->n_cut] = (struct cut_mark){0};
    ledger->cut_passed[ledger->n_cut] = 0;
}

size_t marks_find_item(const struct arbiter_inputs *in, int64_t planned_ms, uint64_t key)
{
    size_t low = 0, high = in->n_items;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (marks_order(in->items[mid].start_ms, in->items[mid].key, planned_ms, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < in->n_items && in->items[low].key == key)
        return low;
    for (size_t i = 0; i < in->n_items; i++) /* the same airing, moved */
        if (in->items[i].key == key)
            return i;
    return NONE;
}

size_t marks_find_input_order(const struct arbiter_inputs *in, uint64_t key)
{
    for (size_t i = 0; i < in->n_orders; i++)
        if (in->orders[i].key == key)
            return i;
    return NONE;
}
