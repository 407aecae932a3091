/* document_down.c - what the centre tells a device. See document_tables.h. */
#include "playlists/document_tables.h"

#include <string.h>

static const char *const record_names[] = {"receipt", "event", NULL};

/* --- config --- */

static const struct field gain_fields[] = {
    INT(day_window, "from_min", from_min, REQUIRED, 0, 1439),
    INT(day_window, "to_min", to_min, REQUIRED, 0, 1440),
    INT(day_window, "gain_mb", gain_mb, OPTIONAL, -6000, 0),
};
static const struct shape gain_shape = {sizeof(struct day_window), gain_fields, COUNT(gain_fields), NULL};

static const struct field quiet_fields[] = {
    INT(day_window, "from_min", from_min, REQUIRED, 0, 1439),
    INT(day_window, "to_min", to_min, REQUIRED, 0, 1440),
};
static const struct shape quiet_shape = {sizeof(struct day_window), quiet_fields, COUNT(quiet_fields), NULL};

static const struct field config_hours_fields[] = {
    INT(config_hours, "from_ms", from_ms, REQUIRED, 1, TIME_MAX_MS),
    LIST(config_hours, "gain_ceilings", gain_ceilings, OPTIONAL, gain_shape, 0, CONFIG_WINDOWS_MAX),
    LIST(config_hours, "quiet_hours", quiet_hours, OPTIONAL, quiet_shape, 0, CONFIG_WINDOWS_MAX),
};
SHAPE(config_hours, NULL);

static const struct field profile_ref_fields[] = {
    FORM(profile_ref, "name", name, REQUIRED, FORM_WORD),
    FORM(profile_ref, "hash", hash, REQUIRED, FORM_HASH),
    INT(profile_ref, "size", size, REQUIRED, 1, BLOB_DOC_MAX),
};
SHAPE(profile_ref, NULL);

static const struct field pinned_ref_fields[] = {
    FORM(blob_ref, "hash", hash, REQUIRED, FORM_HASH),
    INT(blob_ref, "size", size, REQUIRED, 1, MEDIA_MAX),
};
static const struct shape pinned_ref_shape = {sizeof(struct blob_ref), pinned_ref_fields, COUNT(pinned_ref_fields),
                                              NULL};

static int check_config(const void *value, struct complaint *why)
{
    const struct config *config = value;
    for (size_t i = 1; i < config->n_later; i++)
        if (config->later[i].from_ms <= config->later[i - 1].from_ms)
            return complain(why, ERR_FORMAT, "later[%zu].from_ms: is not after the one before, they stand in order", i);
    return document_check_head(&config->head, why);
}

static const struct field config_fields[] = {
    HEAD(config),
    CHOICE(config, "kind", kind, REQUIRED, device_kind_names, KIND_MOBILE),
    FORM(config, "zone", zone, REQUIRED, FORM_ZONE),
    TEXTS(config, "areas", areas, REQUIRED, FORM_ID, 1, AREAS_MAX),
    TEXTS(config, "languages", languages, REQUIRED, FORM_LANG, 1, DEVICE_LANGUAGES_MAX),
    LIST(config, "gain_ceilings", gain_ceilings, OPTIONAL, gain_shape, 0, CONFIG_WINDOWS_MAX),
    LIST(config, "quiet_hours", quiet_hours, OPTIONAL, quiet_shape, 0, CONFIG_WINDOWS_MAX),
    LIST(config, "later", later, OPTIONAL, config_hours_shape, 0, CONFIG_LATER_MAX),
    INT(config, "delay_ms", delay_ms, OPTIONAL, 0, 1000),
    INT(config, "heard_level_mb", heard_level_mb, REQUIRED, -LEVEL_MAX_MB, LEVEL_MAX_MB),
    LIST(config, "profiles", profiles, OPTIONAL, profile_ref_shape, 0, 16),
    LIST(config, "pinned", pinned, OPTIONAL, pinned_ref_shape, 0, 64),
};
DOCUMENT(config, check_config);

/* --- playlist --- */

static const struct field blob_ref_fields[] = {
    FORM(blob_ref, "hash", hash, REQUIRED, FORM_HASH),
    INT(blob_ref, "size", size, REQUIRED, 1, DOC_SEALED_MAX),
};
SHAPE(blob_ref, NULL);

static const struct field playlist_bulletin_fields[] = {
    FORM(playlist_bulletin, "hash", hash, REQUIRED, FORM_HASH),
    INT(playlist_bulletin, "size", size, REQUIRED, 1, BLOB_DOC_MAX),
    LIST(playlist_bulletin, "approvals", approvals, REQUIRED, blob_ref_shape, 0, 8),
};
SHAPE(playlist_bulletin, NULL);

static int check_item(const void *value, struct complaint *why)
{
    const struct playlist_item *item = value;
    if (item->end_ms <= item->start_ms)
        return complain(why, ERR_FORMAT, "end_ms: is not after start_ms");
    if (item->source && item->bulletin >= 0)
        return complain(why, ERR_FORMAT, "source: is named beside a bulletin, a relay's bulletin is -1");
    if (!item->source && item->bulletin < 0)
        return complain(why, ERR_FORMAT, "bulletin: is -1, which only a relay's is, and source is not named");
    return 0;
}

static const struct field playlist_item_fields[] = {
    FORM(playlist_item, "id", id, REQUIRED, FORM_OCCURRENCE),
    INT(playlist_item, "bulletin", bulletin, REQUIRED, -1, 499),
    INT(playlist_item, "start_ms", start_ms, REQUIRED, 0, TIME_MAX_MS),
    INT(playlist_item, "end_ms", end_ms, REQUIRED, 1, TIME_MAX_MS),
    CHOICE(playlist_item, "class", class, REQUIRED, air_class_names, CLASS_PRIORITY),
    CHOICE(playlist_item, "policy", policy, OPTIONAL, cut_policy_names, CUT_RESTART),
    INT(playlist_item, "late_ms", late_ms, OPTIONAL, 0, 7 * DAY_MS),
    INT(playlist_item, "wait_ms", wait_ms, OPTIONAL, 0, 8 * DAY_MS),
    INT(playlist_item, "gain_mb", gain_mb, OPTIONAL, -6000, 0),
    INT(playlist_item, "show_ms", show_ms, OPTIONAL, 0, 7 * DAY_MS),
    TEXTS(playlist_item, "zones", zones, OPTIONAL, FORM_WORD, 0, ZONES_MAX),
    TEXTS(playlist_item, "languages", languages, OPTIONAL, FORM_LANG, 0, DEVICE_LANGUAGES_MAX),
    TEXT(playlist_item, "source", source, OPTIONAL, FORM_LINE, 1, SOURCE_MAX_BYTES),
    TEXT(playlist_item, "exempt", exempt, OPTIONAL, FORM_LINE, 1, ORDER_MAX_BYTES),
    INT(playlist_item, "catch_up_ms", catch_up_ms, OPTIONAL, 0, 7 * DAY_MS),
};
SHAPE(playlist_item, check_item);

static int item_cmp(const struct playlist_item *a, const struct playlist_item *b)
{
    if (a->start_ms != b->start_ms)
        return a->start_ms < b->start_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int check_playlist(const void *value, struct complaint *why)
{
    const struct playlist *p = value;
    for (size_t i = 0; i < p->n_items; i++) {
        if (p->items[i].bulletin >= (int64_t)p->n_bulletins)
            return complain(why, ERR_FORMAT, "items[%zu].bulletin: is %d, but there are only %zu bulletins", i,
                            (int)p->items[i].bulletin, p->n_bulletins);
        if (i > 0 && item_cmp(&p->items[i - 1], &p->items[i]) >= 0)
            return complain(why, ERR_FORMAT, "items[%zu]: must come after the item before it, by start_ms, then id", i);
    }
    if (p->until_ms < p->from_ms)
        return complain(why, ERR_FORMAT, "until_ms: is before from_ms");
    return document_check_head(&p->head, why);
}

static const struct field playlist_fields[] = {
    HEAD(playlist),
    INT(playlist, "config_ver", config_ver, REQUIRED, 0, CODEC_INT_MAX),
    INT(playlist, "from_ms", from_ms, REQUIRED, 0, TIME_MAX_MS),
    INT(playlist, "until_ms", until_ms, REQUIRED, 0, TIME_MAX_MS),
    LIST(playlist, "bulletins", bulletins, REQUIRED, playlist_bulletin_shape, 0, 500),
    LIST(playlist, "items", items, REQUIRED, playlist_item_shape, 0, 2000),
};
DOCUMENT(playlist, check_playlist);

/* --- welcome, command --- */

static const struct field doc_floor_fields[] = {
    FORM(doc_floor, "doc", doc, REQUIRED, FORM_WORD),
    INT(doc_floor, "era", era, REQUIRED, 0, ERA_MAX),
    INT(doc_floor, "ver", ver, REQUIRED, 0, CODEC_INT_MAX),
};
SHAPE(doc_floor, NULL);

static const struct field stored_mark_fields[] = {
    FORM(stored_mark, "kind", kind, REQUIRED, FORM_WORD),
    FORM(stored_mark, "store", store, REQUIRED, FORM_TOKEN),
    INT(stored_mark, "upto", upto, REQUIRED, 0, CODEC_INT_MAX),
    FORM(stored_mark, "hash", hash, OPTIONAL, FORM_HASH),
};
SHAPE(stored_mark, NULL);

/* A floor above the welcome's own era would outlive the trust that answers a theft. */
static int check_welcome(const void *value, struct complaint *why)
{
    const struct welcome *w = value;
    for (size_t i = 0; i < w->n_floors; i++)
        if (w->floors[i].era > w->head.era)
            return complain(why, ERR_FORMAT, "floors[%zu].era: is above the era of the welcome", i);
    return document_check_head(&w->head, why);
}

static const struct field welcome_fields[] = {
    HEAD(welcome),
    FORM(welcome, "nonce", nonce, REQUIRED, FORM_NONCE),
    INT(welcome, "time_ms", time_ms, REQUIRED, 0, TIME_MAX_MS),
    LIST(welcome, "floors", floors, REQUIRED, doc_floor_shape, 0, 32),
    LIST(welcome, "stored", stored, REQUIRED, stored_mark_shape, 0, 64),
    INT(welcome, "spread_s", spread_s, REQUIRED, 0, 86400),
    INT(welcome, "epoch", epoch, REQUIRED, 0, CODEC_INT_MAX),
};
DOCUMENT(welcome, check_welcome);

/* A number means nothing without the kind and the store id that it counts in. */
static int check_command(const void *value, struct complaint *why)
{
    const struct command *c = value;
    if (strcmp(c->command, "send_again") == 0 && (!c->kind || !c->store || c->from == 0))
        return complain(why, ERR_FORMAT, "%s: must be there for send_again",
                        !c->kind    ? "kind"
                        : !c->store ? "store"
                                    : "from");
    return document_check_head(&c->head, why);
}

static const struct field command_fields[] = {
    HEAD(command),
    FORM(command, "nonce", nonce, REQUIRED, FORM_NONCE),
    FORM(command, "id", id, REQUIRED, FORM_TOKEN),
    FORM(command, "command", command, REQUIRED, FORM_WORD),
    NAMED(command, "kind", kind, OPTIONAL, record_names),
    FORM(command, "store", store, OPTIONAL, FORM_TOKEN),
    INT(command, "from", from, OPTIONAL, 0, CODEC_INT_MAX),
};
DOCUMENT(command, check_command);
