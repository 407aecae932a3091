/* filters.c - see filters.h. */
#include "playlists/link/filters.h"

#include "playlists/base/bytes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64, GRANTED_MAX = 2 };

struct filter {
    char *text; /* owned */
    struct filter *next_in_slot;
    struct filter *next_unasked, **unasked_at; /* unasked_at NULL: not in that list */
    struct batch *batch;                       /* that waits for its answer; NULL: none */
    bool acked, gone, brief;
};

/* One SUBSCRIBE packet. A filter that is asked for again, or dropped for good, leaves it. */
struct batch {
    struct batch *next;
    int mid, n;
    struct filter *members[FILTERS_BATCH_MAX];
};

struct filters {
    struct filter **slots;
    size_t n_slots, count, waiting;
    struct filter *unasked, **unasked_end;
    struct batch *batches, **batches_end; /* answers come in the order of the packets, mostly */
    struct filter *taken[FILTERS_BATCH_MAX];
    int n_taken;
};

struct filters *filters_new(void)
{
    struct filters *fs = xcalloc(1, sizeof(*fs));
    fs->n_slots = SLOTS_MIN;
    fs->slots = xcalloc(fs->n_slots, sizeof(*fs->slots));
    fs->unasked_end = &fs->unasked;
    fs->batches_end = &fs->batches;
    return fs;
}

static void free_batches(struct filters *fs)
{
    for (struct batch *next, *batch = fs->batches; batch; batch = next) {
        next = batch->next;
        free(batch);
    }
    fs->batches = NULL;
    fs->batches_end = &fs->batches;
}

static void free_filter(struct filter *filter)
{
    free(filter->text);
    free(filter);
}

void filters_free(struct filters *fs)
{
    if (!fs)
        return;
    free_batches(fs);
    for (size_t i = 0; i < fs->n_slots; i++) {
        for (struct filter *next, *filter = fs->slots[i]; filter; filter = next) {
            next = filter->next_in_slot;
            free_filter(filter);
        }
    }
    free(fs->slots);
    free(fs);
}

size_t filters_count(const struct filters *fs)
{
    return fs->count;
}

size_t filters_waiting(const struct filters *fs)
{
    return fs->waiting;
}

static struct filter **slot_of(const struct filters *fs, const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: the client is our own program */
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return &fs->slots[hash & (fs->n_slots - 1)];
}

static void grow(struct filters *fs)
{
    struct filters old = *fs;
    fs->n_slots *= 2;
    fs->slots = xcalloc(fs->n_slots, sizeof(*fs->slots));
    for (size_t i = 0; i < old.n_slots; i++) {
        for (struct filter *next, *filter = old.slots[i]; filter; filter = next) {
            next = filter->next_in_slot;
            struct filter **slot = slot_of(fs, filter->text);
            filter->next_in_slot = *slot;
            *slot = filter;
        }
    }
    free(old.slots);
}

struct filter *filters_find(struct filters *fs, const char *text)
{
    struct filter *filter = *slot_of(fs, text);
    while (filter && strcmp(filter->text, text) != 0)
        filter = filter->next_in_slot;
    return filter;
}

bool filter_asked(const struct filter *filter)
{
    return filter->acked || filter->batch;
}

static void put_unasked(struct filters *fs, struct filter *filter)
{
    if (filter->unasked_at)
        return;
    filter->next_unasked = NULL;
    filter->unasked_at = fs->unasked_end;
    *fs->unasked_end = filter;
    fs->unasked_end = &filter->next_unasked;
}

static void take_unasked(struct filters *fs, struct filter *filter)
{
    if (!filter->unasked_at)
        return;
    *filter->unasked_at = filter->next_unasked;
    if (filter->next_unasked)
        filter->next_unasked->unasked_at = filter->unasked_at;
    else
        fs->unasked_end = filter->unasked_at;
    filter->unasked_at = NULL;
}

static void leave_batch(struct filter *filter)
{
    for (int i = 0; filter->batch && i < filter->batch->n; i++)
        if (filter->batch->members[i] == filter)
            filter->batch->members[i] = NULL;
    filter->batch = NULL;
}

static void forget(struct filters *fs, struct filter *filter)
{
    struct filter **at = slot_of(fs, filter->text);
    while (*at != filter)
        at = &(*at)->next_in_slot;
    *at = filter->next_in_slot;
    take_unasked(fs, filter);
    leave_batch(filter);
    fs->count--;
    free_filter(filter);
}

int filters_want(struct filters *fs, const char *text, bool brief, size_t max)
{
    struct filter *filter = filters_find(fs, text);
    if (!filter) {
        if (fs->count >= max)
            return ERR_LIMIT;
        if (fs->count == fs->n_slots)
            grow(fs);
        filter = xcalloc(1, sizeof(*filter));
        filter->text = xstrdup(text);
        struct filter **slot = slot_of(fs, text);
        filter->next_in_slot = *slot;
        *slot = filter;
        filter->brief = brief;
        fs->count++;
        fs->waiting++;
    } else if (filter->acked || filter->gone) {
        fs->waiting++;
    }
    filter->brief = brief && (filter->brief || filter->gone); /* what lasts goes on lasting */
    filter->acked = filter->gone = false;
    leave_batch(filter);
    fs->n_taken = 0;
    put_unasked(fs, filter);
    return 0;
}

void filters_drop(struct filters *fs, struct filter *filter)
{
    if (!filter->acked && !filter->gone)
        fs->waiting--;
    filter->gone = true;
    filter->acked = false;
    fs->n_taken = 0;
    take_unasked(fs, filter);
    if (!filter->batch)
        forget(fs, filter);
}

int filters_take(struct filters *fs, char *ret_texts[FILTERS_BATCH_MAX], bool *ret_brief)
{
    fs->n_taken = 0;
    *ret_brief = fs->unasked && fs->unasked->brief;
    for (struct filter *f = fs->unasked; f && fs->n_taken < FILTERS_BATCH_MAX; f = f->next_unasked) {
        if (f->brief != *ret_brief)
            break;
        ret_texts[fs->n_taken] = f->text;
        fs->taken[fs->n_taken++] = f;
    }
    return fs->n_taken;
}

void filters_asked(struct filters *fs, int mid)
{
    struct batch *batch = xcalloc(1, sizeof(*batch));
    batch->mid = mid;
    batch->n = fs->n_taken;
    for (int i = 0; i < fs->n_taken; i++) {
        batch->members[i] = fs->taken[i];
        fs->taken[i]->batch = batch;
        take_unasked(fs, fs->taken[i]);
    }
    fs->n_taken = 0;
    *fs->batches_end = batch;
    fs->batches_end = &batch->next;
}

static struct batch *take_batch(struct filters *fs, int mid)
{
    struct batch **at = &fs->batches;
    while (*at && (*at)->mid != mid)
        at = &(*at)->next;
    struct batch *batch = *at;
    if (batch) {
        *at = batch->next;
        if (!*at)
            fs->batches_end = at;
    }
    return batch;
}

const char *filters_answered(struct filters *fs, int mid, const int *granted, int count)
{
    struct batch *batch = take_batch(fs, mid);
    const char *refused = NULL;
    for (int i = 0; batch && i < batch->n; i++) {
        struct filter *filter = batch->members[i];
        if (!filter)
            continue;
        filter->batch = NULL;
        if (filter->gone) {
            forget(fs, filter);
        } else if (i < count && granted[i] <= GRANTED_MAX) {
            filter->acked = true;
            fs->waiting--;
        } else { /* refused, or not answered at all */
            put_unasked(fs, filter);
            refused = refused ? refused : filter->text;
        }
    }
    free(batch);
    return refused;
}

void filters_begin_anew(struct filters *fs)
{
    fs->n_taken = 0;
    free_batches(fs);
    for (size_t i = 0; i < fs->n_slots; i++) {
        for (struct filter *next, *filter = fs->slots[i]; filter; filter = next) {
            next = filter->next_in_slot;
            filter->batch = NULL;
            if (filter->gone || filter->brief) {
                if (!filter->acked && !filter->gone)
                    fs->waiting--;
                forget(fs, filter);
                continue;
            }
            if (filter->acked)
                fs->waiting++;
            filter->acked = false;
            put_unasked(fs, filter);
        }
    }
}
