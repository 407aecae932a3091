/* timetable_carry.c - see timetable_parts.h. A playlist is whole, and most of it is what the one before said: opening
 * every bulletin and checking every approval anew would cost more than all the rest of a change. */
#include "firmware/timetable_parts.h"

#include <stdlib.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(const struct texts *a, const struct texts *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = strcmp(a->at[i], b->at[i]) == 0;
    return same;
}

static bool same_bulletin(const struct playlist_bulletin *a, const struct playlist_bulletin *b)
{
    bool same = strcmp(a->hash, b->hash) == 0 && a->size == b->size && a->n_approvals == b->n_approvals;
    for (size_t i = 0; same && i < a->n_approvals; i++)
        same = strcmp(a->approvals[i].hash, b->approvals[i].hash) == 0 && a->approvals[i].size == b->approvals[i].size;
    return same;
}

/* All but the place of its bulletin, which the caller compares. */
static bool same_item(const struct playlist_item *a, const struct playlist_item *b)
{
    return strcmp(a->id, b->id) == 0 && a->start_ms == b->start_ms && a->end_ms == b->end_ms && a->class == b->class &&
           a->policy == b->policy && a->late_ms == b->late_ms && a->wait_ms == b->wait_ms && a->gain_mb == b->gain_mb &&
           a->show_ms == b->show_ms && a->catch_up_ms == b->catch_up_ms && same_texts(&a->zones, &b->zones) &&
           same_texts(&a->languages, &b->languages) && same_text(a->source, b->source) &&
           same_text(a->exempt, b->exempt);
}

/* Most keep their place. SIZE_MAX: the old playlist did not name it. */
static size_t find_bulletin(const struct timetable *old, const struct playlist_bulletin *bulletin, size_t place)
{
    if (place < old->n_entries && same_bulletin(&old->playlist->bulletins[place], bulletin))
        return place;
    for (size_t e = 0; e < old->n_entries; e++)
        if (same_bulletin(&old->playlist->bulletins[e], bulletin))
            return e;
    return SIZE_MAX;
}

/* Both are sorted by start, then key. `*from` moves on with each call. SIZE_MAX: none. */
static size_t find_row(const struct timetable *old, const struct air_item *item, size_t *from)
{
    while (*from < old->n && (old->items[*from].start_ms < item->start_ms ||
                              (old->items[*from].start_ms == item->start_ms && old->items[*from].key < item->key)))
        (*from)++;
    bool found = *from < old->n && old->items[*from].start_ms == item->start_ms && old->items[*from].key == item->key;
    return found ? *from : SIZE_MAX;
}

/* A bulletin that the old playlist named under the same approvals: what was read in it holds. */
static void carry_entry(struct entry *from, struct entry *to)
{
    *to = *from;
    to->due_item = NULL; /* borrowed of the old playlist; found anew when it is asked for */
    from->said = NULL;
    from->media = NULL;
    from->detail = NULL;
    from->n_media = 0;
}

static void carry_row(struct timetable *old, size_t from, struct timetable *timetable, size_t to)
{
    timetable->rows[to].verdict = old->rows[from].verdict;
    timetable->rows[to].detail = old->rows[from].detail;
    timetable->rows[to].media = old->rows[from].media;
    old->rows[from].detail = NULL;
    timetable->items[to].blocked = timetable->rows[to].verdict;
    timetable->items[to].length_ms = old->items[from].length_ms;
}

/* An item that is new makes its bulletin be judged again, with all its items. */
static void carry_items(struct timetable *old, struct timetable *timetable, const size_t *origin)
{
    size_t from = 0;
    for (size_t i = 0; i < timetable->n; i++) {
        const struct playlist_item *item = &timetable->playlist->items[timetable->rows[i].item];
        if (item->bulletin < 0 || origin[item->bulletin] == SIZE_MAX)
            continue;
        size_t row = find_row(old, &timetable->items[i], &from);
        const struct playlist_item *before = row == SIZE_MAX ? NULL : &old->playlist->items[old->rows[row].item];
        if (before && (size_t)before->bulletin == origin[item->bulletin] && same_item(before, item))
            carry_row(old, row, timetable, i);
        else
            timetable->entries[item->bulletin].dirty = true;
    }
}

void timetable_carry(struct timetable *old, struct timetable *timetable)
{
    if (!old->playlist || !timetable->playlist || old->n_entries == 0)
        return;
    size_t *origin = xcalloc(timetable->n_entries + 1, sizeof(*origin));
    bool *taken = xcalloc(old->n_entries, sizeof(*taken));
    for (size_t e = 0; e < timetable->n_entries; e++) {
        origin[e] = find_bulletin(old, &timetable->playlist->bulletins[e], e);
        if (origin[e] != SIZE_MAX && (taken[origin[e]] || old->entries[origin[e]].dirty))
            origin[e] = SIZE_MAX; /* named twice, or not judged yet */
        if (origin[e] == SIZE_MAX)
            continue;
        taken[origin[e]] = true;
        carry_entry(&old->entries[origin[e]], &timetable->entries[e]);
    }
    carry_items(old, timetable, origin);
    free(origin);
    free(taken);
}
