/* timetable.c - see timetable.h. The playlist as items, and what is asked about them. */
#include "firmware/timetable.h"

#include "firmware/timetable_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct timetable *timetable_new(struct blobs *blobs, const struct site *site, timetable_refused_fn refused, void *arg)
{
    struct timetable *timetable = xcalloc(1, sizeof(*timetable));
    timetable->blobs = blobs;
    timetable->site = site;
    timetable->refused = refused;
    timetable->arg = arg;
    return timetable;
}

static void forget(struct timetable *timetable)
{
    *timetable = (struct timetable){
        .blobs = timetable->blobs, .site = timetable->site, .refused = timetable->refused, .arg = timetable->arg};
}

static void clear(struct timetable *timetable)
{
    for (size_t i = 0; i < timetable->n_entries; i++) {
        timetable_doubt(&timetable->entries[i]);
        free(timetable->entries[i].media);
        free(timetable->entries[i].detail);
    }
    for (size_t i = 0; i < timetable->n; i++)
        free(timetable->rows[i].detail);
    free(timetable->entries);
    free(timetable->items);
    free(timetable->bulletins);
    free(timetable->rows);
    free(timetable->keys);
    forget(timetable);
}

void timetable_free(struct timetable *timetable)
{
    if (!timetable)
        return;
    clear(timetable);
    free(timetable);
}

/* --- from playlist to items --- */

struct order {
    struct air_item item;
    size_t index;
};

static int by_start(const void *a, const void *b)
{
    const struct air_item *x = &((const struct order *)a)->item, *y = &((const struct order *)b)->item;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* A playlist is sorted by start already; only items of one moment may have to change places. */
static bool in_order(const struct order *order, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (by_start(&order[i - 1], &order[i]) > 0)
            return false;
    return true;
}

/* A hash for each item would be a fifth of what a change costs: those that `old` (NULL: none) names are known. Both
 * playlists are sorted; `*from` moves on with each call. */
static uint64_t key_of(const struct timetable *old, const struct playlist_item *item, size_t *from)
{
    const struct playlist *known = old ? old->playlist : NULL;
    for (; known && *from < old->n; (*from)++) {
        const struct playlist_item *other = &known->items[*from];
        if (other->start_ms > item->start_ms)
            break;
        int order = other->start_ms == item->start_ms ? strcmp(other->id, item->id) : -1;
        if (order == 0)
            return old->keys[*from];
        if (order > 0)
            break;
    }
    return arbiter_key(item->id);
}

/* The same for a bulletin: most keep their place. */
static uint64_t key_of_bulletin(const struct timetable *old, const char *hash, size_t place)
{
    bool known = old && place < old->n_entries && strcmp(old->playlist->bulletins[place].hash, hash) == 0;
    return known ? old->entries[place].key : arbiter_key(hash);
}

static struct air_item air_item_of(const struct timetable *timetable, const struct playlist_item *item, uint64_t key)
{
    const char *unknown = NULL;
    struct air_item air = {.key = key,
                           .start_ms = item->start_ms,
                           .end_ms = item->end_ms,
                           .late_ms = item->late_ms,
                           .wait_ms = item->wait_ms,
                           .catch_up_ms = item->catch_up_ms,
                           .length_ms = item->end_ms - item->start_ms,
                           .class = (enum air_class)item->class,
                           .policy = (enum cut_policy)item->policy,
                           .blocked = REASON_NO_MEDIA,
                           .gain_mb = (int32_t)item->gain_mb,
                           .exempt = item->exempt != NULL};
    air.zones = site_zone_mask(timetable->site, item->zones.at, item->zones.n, &unknown);
    return air;
}

/* What a relay would put through is not in the vault, and nothing fetches it. */
static void block_relay(struct timetable *timetable, size_t i, const char *source)
{
    timetable->rows[i].verdict = REASON_NO_MEDIA;
    timetable->rows[i].detail = xasprintf("relay: this device cannot put through the relay \"%s\"", source);
}

static void make_items(struct timetable *timetable, const struct playlist *playlist, const struct timetable *old)
{
    size_t n = playlist->n_items, from = 0;
    struct order *order = xcalloc(n ? n : 1, sizeof(*order));
    timetable->keys = xcalloc(n ? n : 1, sizeof(*timetable->keys));
    for (size_t i = 0; i < n; i++) {
        timetable->keys[i] = key_of(old, &playlist->items[i], &from);
        order[i].item = air_item_of(timetable, &playlist->items[i], timetable->keys[i]);
        order[i].index = i;
    }
    if (!in_order(order, n))
        qsort(order, n, sizeof(*order), by_start);
    timetable->items = xcalloc(n ? n : 1, sizeof(*timetable->items));
    timetable->bulletins = xcalloc(n ? n : 1, sizeof(*timetable->bulletins));
    timetable->rows = xcalloc(n ? n : 1, sizeof(*timetable->rows));
    timetable->n = n;
    for (size_t i = 0; i < n; i++) {
        timetable->items[i] = order[i].item;
        const struct playlist_item *item = &playlist->items[order[i].index];
        timetable->rows[i].item = order[i].index;
        if (item->bulletin >= 0)
            timetable->bulletins[i] = timetable->entries[item->bulletin].key;
        else
            block_relay(timetable, i, item->source);
    }
    free(order);
}

static void set(struct timetable *timetable, const struct playlist *playlist, const struct config *config,
                const struct authority *authority, const struct timetable *old)
{
    timetable->playlist = playlist && config ? playlist : NULL;
    timetable->config = config;
    timetable->authority = authority;
    if (!timetable->playlist)
        return;
    timetable->n_entries = playlist->n_bulletins;
    timetable->entries = xcalloc(playlist->n_bulletins ? playlist->n_bulletins : 1, sizeof(*timetable->entries));
    for (size_t i = 0; i < playlist->n_bulletins; i++) {
        timetable->entries[i].dirty = true;
        timetable->entries[i].key = key_of_bulletin(old, playlist->bulletins[i].hash, i);
    }
    make_items(timetable, playlist, old);
}

void timetable_set(struct timetable *timetable, const struct playlist *playlist, const struct config *config,
                   const struct authority *authority)
{
    clear(timetable);
    set(timetable, playlist, config, authority, NULL);
}

void timetable_replace(struct timetable *timetable, const struct playlist *playlist)
{
    struct timetable old = *timetable;
    forget(timetable);
    set(timetable, playlist, old.config, old.authority, &old);
    timetable_carry(&old, timetable);
    clear(&old);
}

/* --- blobs that come and go --- */

static bool entry_uses(const struct timetable *timetable, size_t e, const char *hash)
{
    const struct playlist_bulletin *ref = &timetable->playlist->bulletins[e];
    if (strcmp(ref->hash, hash) == 0)
        return true;
    for (size_t i = 0; i < ref->n_approvals; i++)
        if (strcmp(ref->approvals[i].hash, hash) == 0)
            return true;
    for (size_t i = 0; i < timetable->entries[e].n_media; i++)
        if (strcmp(timetable->entries[e].media[i].hash.hex, hash) == 0)
            return true;
    return false;
}

void timetable_blob(struct timetable *timetable, const char *hash)
{
    for (size_t e = 0; e < timetable->n_entries; e++)
        if (entry_uses(timetable, e, hash)) {
            timetable->entries[e].dirty = true;
            timetable_doubt(&timetable->entries[e]);
        }
}

bool timetable_uses(const struct timetable *timetable, const char *hash)
{
    for (size_t e = 0; e < timetable->n_entries; e++)
        if (entry_uses(timetable, e, hash))
            return true;
    return false;
}

/* --- asked --- */

const struct air_item *timetable_items(const struct timetable *timetable, size_t *ret_n)
{
    *ret_n = timetable->n;
    return timetable->items;
}

const uint64_t *timetable_bulletins(const struct timetable *timetable)
{
    return timetable->bulletins;
}

size_t timetable_find(const struct timetable *timetable, uint64_t key)
{
    for (size_t i = 0; i < timetable->n; i++)
        if (timetable->items[i].key == key)
            return i;
    return SIZE_MAX;
}

const struct playlist_item *timetable_item(const struct timetable *timetable, size_t index)
{
    return index < timetable->n ? &timetable->playlist->items[timetable->rows[index].item] : NULL;
}

const char *timetable_bulletin_hash(const struct timetable *timetable, size_t index)
{
    const struct playlist_item *item = timetable_item(timetable, index);
    return item && item->bulletin >= 0 ? timetable->playlist->bulletins[item->bulletin].hash : NULL;
}

const char *timetable_detail(const struct timetable *timetable, size_t index)
{
    if (index >= timetable->n)
        return NULL;
    if (timetable->items[index].zones == SITE_ZONE_NONE && timetable->rows[index].verdict == REASON_ON_TIME)
        return "none of its zones is wired at this box";
    return timetable->rows[index].detail;
}

int timetable_programme(struct timetable *timetable, size_t index, struct arena *arena, struct bulletin **ret_bulletin,
                        struct programme *ret_programme)
{
    const struct playlist_item *item = timetable_item(timetable, index);
    struct complaint why = {0};
    if (!item || item->bulletin < 0)
        return -ENOENT;
    int r = timetable_read(timetable, (size_t)item->bulletin, arena, ret_bulletin, &why);
    if (r < 0)
        return r;
    timetable_arrange(timetable, *ret_bulletin, item, ret_programme);
    return 0;
}

static void find_due(struct timetable *timetable, int64_t now_ms)
{
    for (size_t e = 0; e < timetable->n_entries; e++)
        timetable->entries[e].due_ms = INT64_MAX;
    for (size_t i = timetable->n; i-- > 0;) {
        const struct playlist_item *item = &timetable->playlist->items[timetable->rows[i].item];
        if (timetable->items[i].end_ms <= now_ms || item->bulletin < 0)
            continue;
        timetable->entries[item->bulletin].due_ms = timetable->items[i].start_ms;
        timetable->entries[item->bulletin].due_item = item->id;
    }
}

void timetable_needs(struct timetable *timetable, int64_t now_ms, timetable_need_fn each, void *arg)
{
    find_due(timetable, now_ms);
    for (size_t e = 0; e < timetable->n_entries; e++) {
        const struct entry *entry = &timetable->entries[e];
        const struct playlist_bulletin *ref = &timetable->playlist->bulletins[e];
        struct blob_need need = {.due_ms = entry->due_ms, .occurrence = entry->due_item};
        if (entry->due_ms == INT64_MAX || entry->unusable)
            continue;
        need.hash = ref->hash;
        need.size = ref->size;
        need.here = entry->here;
        each(arg, &need);
        for (size_t i = 0; i < ref->n_approvals; i++) {
            need.hash = ref->approvals[i].hash;
            need.size = ref->approvals[i].size;
            need.here = blobs_have(timetable->blobs, need.hash, need.size);
            each(arg, &need);
        }
        for (size_t i = 0; i < entry->n_media; i++) {
            need.hash = entry->media[i].hash.hex;
            need.size = entry->media[i].size;
            need.here = blobs_have(timetable->blobs, need.hash, need.size);
            each(arg, &need);
        }
    }
}
