/* timetable.c - see timetable.h. */
#include "firmware/timetable.h"

#include "firmware/timetable_parts.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { APPROVALS_MAX = 8, MEDIA_REFS_MAX = 16, CHECK_WAIT_MS = 5000 };

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
    timetable->rows[i].detail = xasprintf("this device cannot put through the relay \"%s\"", source);
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
        timetable->entries[i].key = arbiter_key(playlist->bulletins[i].hash);
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

/* --- judging --- */

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
        if (entry_uses(timetable, e, hash))
            timetable->entries[e].dirty = true;
}

bool timetable_uses(const struct timetable *timetable, const char *hash)
{
    for (size_t e = 0; e < timetable->n_entries; e++)
        if (entry_uses(timetable, e, hash))
            return true;
    return false;
}

/* Read and decode one bulletin. ERR_FORMAT with a sentence: it will never do. */
static int read_bulletin(struct timetable *timetable, size_t e, struct arena *arena, struct bulletin **ret,
                         struct complaint *why)
{
    const struct playlist_bulletin *ref = &timetable->playlist->bulletins[e];
    struct buf bytes = {0};
    int r = blobs_read(timetable->blobs, ref->hash, BLOB_DOC_MAX, &bytes);
    if (r == 0 && (int64_t)bytes.len != ref->size)
        r = complain(why, ERR_FORMAT, "the bulletin has %zu bytes, the playlist says %lld", bytes.len,
                     (long long)ref->size);
    else if (r == 0)
        r = bulletin_decode(bytes.data, bytes.len, arena, ret, why);
    buf_done(&bytes);
    return r;
}

/* Open all approvals that are here. Returns how many hold; sentences of those that do not go into `details`. */
static size_t open_approvals(struct timetable *timetable, size_t e, struct arena *arena, struct opened_approval *ret,
                             struct buf *details)
{
    const struct playlist_bulletin *ref = &timetable->playlist->bulletins[e];
    struct entry *entry = &timetable->entries[e];
    size_t n = 0;
    entry->approvals_missing = false;
    for (size_t i = 0; i < ref->n_approvals && i < APPROVALS_MAX; i++) {
        struct buf bytes = {0};
        if (blobs_read(timetable->blobs, ref->approvals[i].hash, DOC_SEALED_MAX, &bytes) < 0) {
            entry->approvals_missing = true;
            buf_done(&bytes);
            continue;
        }
        void *doc = NULL;
        struct seal_header header;
        struct complaint why = {0};
        enum refusal refusal = judge_open(timetable->authority, DOC_APPROVAL, (const char *)bytes.data, bytes.len,
                                          arena, &doc, &header, &why);
        buf_done(&bytes);
        if (refusal == REFUSAL_NONE) {
            ret[n++] = (struct opened_approval){.approval = doc, .kid = arena_strndup(arena, header.kid, 43)};
            continue;
        }
        buf_putf(details, "%s%s: %s", details->len ? "; " : "", refusal_names[refusal], why.text);
        timetable->refused(timetable->arg, "approval", ref->approvals[i].hash, refusal, why.text);
    }
    return n;
}

static void take_media(struct entry *entry, const struct bulletin *bulletin, const struct config *config)
{
    size_t picks[MEDIA_REFS_MAX];
    size_t n = entry->use.sound ? bulletin_pick(bulletin, &config->languages, picks, MEDIA_REFS_MAX) : 0;
    entry->media = n ? xcalloc(n, sizeof(*entry->media)) : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct media_ref *audio = bulletin->contents[picks[i]].audio;
        if (!audio)
            continue;
        struct media *media = &entry->media[entry->n_media++];
        snprintf(media->hash.hex, sizeof(media->hash.hex), "%s", audio->hash);
        media->size = audio->size;
    }
}

/* The bulletin as this item puts it out. */
static void make_programme(const struct timetable *timetable, const struct bulletin *bulletin,
                           const struct playlist_item *item, struct programme *ret)
{
    const char *room[DEVICE_LANGUAGES_MAX];
    const struct config *config = timetable->config;
    struct texts languages = item_languages(bulletin, &config->languages, &item->languages, room);
    programme_make(bulletin, &languages, (enum device_kind)config->kind, item->show_ms, ret);
}

static uint32_t media_mask(const struct entry *entry, const struct bulletin *bulletin,
                           const struct programme *programme)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < programme->n_sounds; i++)
        for (size_t m = 0; m < entry->n_media; m++)
            if (strcmp(entry->media[m].hash.hex, bulletin->contents[programme->sounds[i].content].audio->hash) == 0)
                mask |= UINT32_C(1) << m;
    return mask;
}

static void set_verdict(struct timetable *timetable, size_t i, enum reason verdict, const char *detail)
{
    struct row *row = &timetable->rows[i];
    free(row->detail);
    row->detail = detail && detail[0] ? xstrdup(detail) : NULL;
    row->verdict = verdict;
    timetable->items[i].blocked = verdict;
    timetable->items[i].unsure = timetable->items[i].soon = false;
}

static bool media_here(const struct timetable *timetable, const struct entry *entry, uint32_t mask)
{
    for (size_t i = 0; i < entry->n_media; i++)
        if ((mask >> i & 1) && !blobs_have(timetable->blobs, entry->media[i].hash.hex, entry->media[i].size))
            return false;
    return true;
}

static void judge_one(struct timetable *timetable, size_t i, const struct entry *entry, const struct bulletin *bulletin,
                      const struct opened_approval *approvals, size_t n_approvals, const char *approval_details)
{
    const struct playlist_item *item = &timetable->playlist->items[timetable->rows[i].item];
    const char *hash = timetable->playlist->bulletins[item->bulletin].hash;
    struct complaint why = {0};
    struct programme programme;
    make_programme(timetable, bulletin, item, &programme);
    timetable->items[i].length_ms = programme.length_ms;
    timetable->rows[i].media = media_mask(entry, bulletin, &programme);
    enum item_verdict verdict =
        judge_item(timetable->authority, bulletin, hash, approvals, n_approvals, &timetable->config->areas,
                   (enum air_class)item->class, item->start_ms, &why);
    char detail[900];
    if (verdict != ITEM_APPROVED && entry->approvals_missing) {
        set_verdict(timetable, i, REASON_NO_MEDIA, "an approval of it has not arrived");
    } else if (verdict != ITEM_APPROVED) {
        snprintf(detail, sizeof(detail), "%s: %s%s%s", item_verdict_names[verdict], why.text,
                 approval_details[0] ? "; " : "", approval_details);
        set_verdict(timetable, i, REASON_NOT_APPROVED, detail);
    } else if (programme.length_ms == 0) {
        set_verdict(timetable, i, REASON_NO_MEDIA, "there is nothing in it for this device");
    } else if (!media_here(timetable, entry, timetable->rows[i].media)) {
        set_verdict(timetable, i, REASON_NO_MEDIA, "its sound has not arrived");
    } else {
        set_verdict(timetable, i, REASON_ON_TIME, NULL);
    }
}

static void block_all(struct timetable *timetable, size_t e, enum reason reason, const char *detail)
{
    for (size_t i = 0; i < timetable->n; i++)
        if ((size_t)timetable->playlist->items[timetable->rows[i].item].bulletin == e)
            set_verdict(timetable, i, reason, detail);
}

static void judge_entry(struct timetable *timetable, size_t e)
{
    struct entry *entry = &timetable->entries[e];
    struct arena *arena = arena_new();
    struct bulletin *bulletin = NULL;
    struct complaint why = {0};
    free(entry->media);
    entry->media = NULL;
    entry->n_media = 0;
    entry->dirty = false;
    int r = read_bulletin(timetable, e, arena, &bulletin, &why);
    entry->here = r == 0;
    entry->unusable = r == ERR_FORMAT || r == ERR_LIMIT;
    if (entry->unusable) {
        complain_prefix(&why, "format");
        block_all(timetable, e, REASON_NOT_APPROVED, why.text);
        timetable->refused(timetable->arg, "bulletin", timetable->playlist->bulletins[e].hash, REFUSAL_FORMAT,
                           why.text);
    } else if (r < 0) {
        block_all(timetable, e, REASON_NO_MEDIA, "the bulletin itself has not arrived");
    } else {
        struct opened_approval approvals[APPROVALS_MAX];
        struct buf details = {0};
        entry->use = bulletin_use(bulletin, &timetable->config->languages, (enum device_kind)timetable->config->kind);
        take_media(entry, bulletin, timetable->config);
        size_t n = open_approvals(timetable, e, arena, approvals, &details);
        for (size_t i = 0; i < timetable->n; i++)
            if ((size_t)timetable->playlist->items[timetable->rows[i].item].bulletin == e)
                judge_one(timetable, i, entry, bulletin, approvals, n, buf_text(&details));
        buf_done(&details);
    }
    arena_free(arena);
}

bool timetable_judge(struct timetable *timetable)
{
    bool any = false;
    for (size_t e = 0; e < timetable->n_entries; e++) {
        if (!timetable->entries[e].dirty)
            continue;
        judge_entry(timetable, e);
        any = true;
    }
    return any;
}

/* A check takes moments. While it does, what comes after the item waits for it, so that the parts of a session keep
 * their order; but a disk that hangs does not silence the rest. */
static void note_unsure(struct row *row, struct air_item *item, int64_t elapsed_ms)
{
    if (!item->unsure)
        row->unsure_ms = 0;
    else if (row->unsure_ms == 0)
        row->unsure_ms = elapsed_ms;
    item->soon = item->unsure && elapsed_ms - row->unsure_ms < CHECK_WAIT_MS;
}

void timetable_near(struct timetable *timetable, int64_t now_ms, int64_t elapsed_ms, uint64_t on)
{
    for (size_t i = 0; i < timetable->n; i++) {
        struct air_item *item = &timetable->items[i];
        if (item->start_ms > now_ms + TIMETABLE_NEAR_MS)
            break;
        if (timetable->rows[i].verdict != REASON_ON_TIME || item->end_ms <= now_ms || item->key == on)
            continue;
        const struct entry *entry = &timetable->entries[timetable->playlist->items[timetable->rows[i].item].bulletin];
        item->blocked = REASON_ON_TIME;
        item->unsure = false;
        for (size_t m = 0; m < entry->n_media; m++) {
            const struct media *media = &entry->media[m];
            if (!(timetable->rows[i].media >> m & 1) ||
                blobs_fresh(timetable->blobs, media->hash.hex, elapsed_ms + BLOB_CHECK_MS / 2))
                continue;
            if (!blobs_fresh(timetable->blobs, media->hash.hex, elapsed_ms)) {
                item->blocked = REASON_NO_MEDIA; /* until the check has ended */
                item->unsure = true;
            } /* else it is renewed in good time, so that no start falls into a check */
            blobs_check(timetable->blobs, media->hash.hex, media->size);
        }
        note_unsure(&timetable->rows[i], item, elapsed_ms);
    }
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
    int r = read_bulletin(timetable, (size_t)item->bulletin, arena, ret_bulletin, &why);
    if (r < 0)
        return r;
    make_programme(timetable, *ret_bulletin, item, ret_programme);
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
