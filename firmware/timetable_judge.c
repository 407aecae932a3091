/* timetable_judge.c - see timetable_parts.h. What may go on air: bulletin, approvals and sound of each item. */
#include "firmware/timetable_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { APPROVALS_MAX = 8, MEDIA_REFS_MAX = 16, CHECK_WAIT_MS = 5000 };

int timetable_read(struct timetable *timetable, size_t e, struct arena *arena, struct bulletin **ret,
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

void timetable_doubt(struct entry *entry)
{
    arena_free(entry->said);
    entry->said = NULL;
}

/* Open all approvals that are here, once: to verify them is much of what a change costs. */
static void open_approvals(struct timetable *timetable, size_t e)
{
    const struct playlist_bulletin *ref = &timetable->playlist->bulletins[e];
    struct entry *entry = &timetable->entries[e];
    if (entry->said && !entry->approvals_missing)
        return;
    timetable_doubt(entry);
    struct buf refused = {0};
    struct arena *arena = entry->said = arena_new();
    entry->approvals = arena_alloc(arena, ref->n_approvals * sizeof(*entry->approvals));
    entry->n_approvals = 0;
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
            entry->approvals[entry->n_approvals++] =
                (struct opened_approval){.approval = doc, .kid = arena_strndup(arena, header.kid, 43)};
            continue;
        }
        buf_putf(&refused, "%s%s: %s", refused.len ? "; " : "", refusal_names[refusal], why.text);
        timetable->refused(timetable->arg, "approval", ref->approvals[i].hash, refusal, why.text);
    }
    entry->refused = arena_strndup(arena, buf_text(&refused), refused.len);
    buf_done(&refused);
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

void timetable_arrange(const struct timetable *timetable, const struct bulletin *bulletin,
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

static void judge_one(struct timetable *timetable, size_t i, const struct entry *entry, const struct bulletin *bulletin)
{
    const struct playlist_item *item = &timetable->playlist->items[timetable->rows[i].item];
    const char *hash = timetable->playlist->bulletins[item->bulletin].hash;
    struct complaint why = {0};
    struct programme programme;
    timetable_arrange(timetable, bulletin, item, &programme);
    timetable->items[i].length_ms = programme.length_ms;
    timetable->rows[i].media = media_mask(entry, bulletin, &programme);
    enum item_verdict verdict =
        judge_item(timetable->authority, bulletin, hash, entry->approvals, entry->n_approvals,
                   &timetable->config->areas, (enum air_class)item->class, item->start_ms, &why);
    char detail[900];
    if (verdict != ITEM_APPROVED && entry->approvals_missing) {
        set_verdict(timetable, i, REASON_NO_MEDIA, "approval_missing: an approval of it has not arrived");
    } else if (verdict != ITEM_APPROVED) {
        snprintf(detail, sizeof(detail), "%s: %s%s%s", item_verdict_names[verdict], why.text,
                 entry->refused[0] ? "; " : "", entry->refused);
        set_verdict(timetable, i, REASON_NOT_APPROVED, detail);
    } else if (programme.length_ms == 0) {
        set_verdict(timetable, i, REASON_NO_MEDIA, "nothing_here: there is nothing in it for this device");
    } else if (!media_here(timetable, entry, timetable->rows[i].media)) {
        set_verdict(timetable, i, REASON_NO_MEDIA, "sound_missing: its sound has not arrived");
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
    int r = timetable_read(timetable, e, arena, &bulletin, &why);
    entry->here = r == 0;
    entry->unusable = r == ERR_FORMAT || r == ERR_LIMIT;
    if (entry->unusable) {
        complain_prefix(&why, "format");
        block_all(timetable, e, REASON_NOT_APPROVED, why.text);
        timetable->refused(timetable->arg, "bulletin", timetable->playlist->bulletins[e].hash, REFUSAL_FORMAT,
                           why.text);
    } else if (r < 0) {
        block_all(timetable, e, REASON_NO_MEDIA, "bulletin_missing: the bulletin itself has not arrived");
    } else {
        entry->use = bulletin_use(bulletin, &timetable->config->languages, (enum device_kind)timetable->config->kind);
        take_media(entry, bulletin, timetable->config);
        open_approvals(timetable, e);
        for (size_t i = 0; i < timetable->n; i++)
            if ((size_t)timetable->playlist->items[timetable->rows[i].item].bulletin == e)
                judge_one(timetable, i, entry, bulletin);
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
