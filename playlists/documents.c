/* documents.c - the list of all documents, and what a bulletin means for one device. See documents.h and WIRE.md. */
#include "playlists/documents.h"

#include "playlists/document_tables.h"

#include <string.h>

const char *const air_class_names[] = {"filler", "normal", "priority", "emergency", NULL};
const char *const cut_policy_names[] = {"drop", "resume", "restart", NULL};
const char *const device_kind_names[] = {"loudspeaker", "board", "cluster", "gateway", "mobile", NULL};
const char *const time_grade_names[] = {"unknown", "held", "signed", "synced", NULL};
const char *const key_end_names[] = {"none", "retired", "compromised", NULL};
const char *const reason_names[] = {"on_time", "late",     "preempted",    "paused",    "quiet_hours",
                                    "no_time", "no_media", "not_approved", "silenced",  "recalled",
                                    "expired", "fault",    "cancelled",    "restarted", NULL};

int document_check_head(const struct doc_head *head, struct complaint *why)
{
    if (head->exp_s <= head->iat_s)
        return complain(why, ERR_FORMAT, "exp: is not after iat");
    return 0;
}

int document_check(const void *value, struct complaint *why)
{
    return document_check_head(value, why);
}

/* --- the list of documents --- */

static const struct {
    const char *typ;
    const struct shape *shape;
} types[DOC_TYPES] = {
    [DOC_TRUST] = {"loa-trust", &trust_shape},       [DOC_KEYS] = {"loa-keys", &keys_shape},
    [DOC_CONFIG] = {"loa-config", &config_shape},    [DOC_PLAYLIST] = {"loa-playlist", &playlist_shape},
    [DOC_WELCOME] = {"loa-welcome", &welcome_shape}, [DOC_COMMAND] = {"loa-command", &command_shape},
    [DOC_STATE] = {"loa-state", &state_shape},       [DOC_RECEIPT] = {"loa-receipt", &receipt_shape},
    [DOC_EVENT] = {"loa-event", &event_shape},       [DOC_REPLY] = {"loa-reply", &reply_shape},
    [DOC_HEALTH] = {"loa-health", &health_shape},    [DOC_APPROVAL] = {"loa-approval", &approval_shape},
};

const char *doc_typ(enum doc_type type)
{
    return types[type].typ;
}

const char *doc_word(enum doc_type type)
{
    return types[type].typ + strlen("loa-");
}

int doc_type_of(const char *typ)
{
    for (int i = 0; i < DOC_TYPES; i++)
        if (strcmp(types[i].typ, typ) == 0)
            return i;
    return -1;
}

const struct shape *documents_shape(enum doc_type type)
{
    return types[type].shape;
}

const struct shape *documents_bulletin_shape(void)
{
    return &bulletin_shape;
}

int doc_version_cmp(int64_t era_a, int64_t ver_a, int64_t era_b, int64_t ver_b)
{
    if (era_a != era_b)
        return era_a < era_b ? -1 : 1;
    return ver_a < ver_b ? -1 : ver_a > ver_b;
}

int doc_decode(enum doc_type type, const void *payload, size_t len, struct arena *arena, void **ret_doc,
               struct complaint *why)
{
    return codec_decode(types[type].shape, payload, len, DOC_INFLATED_MAX, arena, ret_doc, why);
}

int doc_encode(enum doc_type type, const void *doc, struct buf *ret, struct complaint *why)
{
    return codec_encode(types[type].shape, doc, DOC_INFLATED_MAX, ret, why);
}

int bulletin_decode(const void *data, size_t len, struct arena *arena, struct bulletin **ret, struct complaint *why)
{
    void *value = NULL;
    int err = codec_decode(&bulletin_shape, data, len, BLOB_DOC_MAX, arena, &value, why);
    if (err == 0)
        *ret = value;
    return err;
}

int bulletin_encode(const struct bulletin *bulletin, struct buf *ret, struct complaint *why)
{
    return codec_encode(&bulletin_shape, bulletin, BLOB_DOC_MAX, ret, why);
}

/* --- what a bulletin means here --- */

size_t bulletin_pick(const struct bulletin *bulletin, const struct texts *languages, size_t *ret_index, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < languages->n; i++)
        for (size_t j = 0; j < bulletin->n_contents && n < cap; j++)
            if (strcmp(languages->at[i], bulletin->contents[j].lang) == 0)
                ret_index[n++] = j;
    if (n == 0 && bulletin->n_contents > 0 && cap > 0)
        ret_index[n++] = 0;
    return n;
}

struct bulletin_use bulletin_use(const struct bulletin *bulletin, const struct texts *languages, enum device_kind kind)
{
    size_t picked[16];
    size_t n = bulletin_pick(bulletin, languages, picked, COUNT(picked));
    bool speaks = kind != KIND_BOARD;
    bool shows = kind == KIND_BOARD || kind == KIND_CLUSTER;
    struct bulletin_use use = {0};
    int64_t frames = 0;
    for (size_t i = 0; i < n; i++) {
        const struct bulletin_content *content = &bulletin->contents[picked[i]];
        if (speaks && content->audio) {
            use.sound = true;
            frames += content->audio->frames;
        }
        if (shows && content->text)
            use.text = true;
    }
    use.sound_ms = (frames * 1000 + DOC_RATE_HZ - 1) / DOC_RATE_HZ;
    return use;
}

const char *bulletin_lacks(const struct bulletin *bulletin, const struct texts *languages, enum device_kind kind)
{
    bool speaks = kind != KIND_BOARD, shows = kind == KIND_BOARD || kind == KIND_CLUSTER;
    for (size_t i = 0; i < languages->n; i++) {
        bool found = false;
        for (size_t k = 0; k < bulletin->n_contents && !found; k++) {
            const struct bulletin_content *content = &bulletin->contents[k];
            found = strcmp(content->lang, languages->at[i]) == 0 &&
                    ((speaks && content->audio) || (shows && content->text));
        }
        if (!found)
            return languages->at[i];
    }
    return NULL;
}

static bool bulletin_speaks(const struct bulletin *bulletin, const char *lang)
{
    for (size_t i = 0; i < bulletin->n_contents; i++)
        if (strcmp(bulletin->contents[i].lang, lang) == 0)
            return true;
    return false;
}

struct texts item_languages(const struct bulletin *bulletin, const struct texts *device, const struct texts *named,
                            const char *room[DEVICE_LANGUAGES_MAX])
{
    struct texts used = {.at = room};
    for (size_t i = 0; i < device->n && used.n < DEVICE_LANGUAGES_MAX; i++)
        if (texts_have(named, device->at[i]) && bulletin_speaks(bulletin, device->at[i]))
            room[used.n++] = device->at[i];
    return used.n ? used : *device;
}

bool texts_have(const struct texts *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i], text) == 0)
            return true;
    return false;
}

bool texts_meet(const struct texts *a, const struct texts *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (texts_have(b, a->at[i]))
            return true;
    return false;
}
