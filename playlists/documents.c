/* documents.c - the tables of all documents, and what a bulletin means for one device. See documents.h and WIRE.md. */
#include "playlists/documents.h"

#include "playlists/codec.h"
#include "playlists/seal.h"

#include <stdlib.h>
#include <string.h>

const char *const air_class_names[] = {"filler", "normal", "priority", "emergency", NULL};
const char *const cut_policy_names[] = {"drop", "resume", "restart", NULL};
const char *const device_kind_names[] = {"loudspeaker", "board", "cluster", "gateway", "mobile", NULL};
const char *const time_grade_names[] = {"unknown", "held", "signed", "synced", NULL};
const char *const key_end_names[] = {"none", "retired", "compromised", NULL};
const char *const reason_names[] = {"on_time", "late",     "preempted",    "paused",    "quiet_hours",
                                    "no_time", "no_media", "not_approved", "silenced",  "recalled",
                                    "expired", "fault",    "cancelled",    "restarted", NULL};
static const char *const health_names[] = {"ok", "warn", "fault", "off", NULL};
static const char *const record_names[] = {"receipt", "event", NULL};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bounds that several documents share. */
enum {
    AREAS_MAX = 32,  /* of one device */
    SCOPE_MAX = 128, /* areas of an approval, a person or a quorum */
    ZONES_MAX = 32,
    SOURCE_MAX_BYTES = 200,
    ORDER_MAX_BYTES = 100,
    LINE_MAX_BYTES = 300,
    NAME_MAX_BYTES = 200,
    DETAIL_MAX_BYTES = 1000,
    TEXT_MAX_BYTES = 4000,
};
#define TIME_MAX_MS  INT64_C(4102444800000) /* 2100-01-01 */
#define TIME_MAX_S   INT64_C(4102444800)
#define DAY_MS       INT64_C(86400000)
#define FRAMES_MAX   INT64_C(172800000) /* 60 minutes */
#define ERA_MAX      INT64_C(1000000)
#define LEVEL_MAX_MB INT64_C(20000)

enum { OPTIONAL = 0, REQUIRED = 1 };

/* One line of a table each. `s` is the struct, `m` its member. */
#define INT(s, n, m, need, lo, hi)                                                                                     \
    {                                                                                                                  \
        .name = n, .kind = FIELD_INT, .required = need, .offset = offsetof(struct s, m), .min = lo, .max = hi          \
    }
#define REAL(s, n, m, need, lo, hi)                                                                                    \
    {                                                                                                                  \
        .name = n, .kind = FIELD_REAL, .required = need, .offset = offsetof(struct s, m), .min = lo, .max = hi         \
    }
#define BOOL(s, n, m, need)                                                                                            \
    {                                                                                                                  \
        .name = n, .kind = FIELD_BOOL, .required = need, .offset = offsetof(struct s, m)                               \
    }
#define CHOICE(s, n, m, need, all, last)                                                                               \
    {                                                                                                                  \
        .name = n, .kind = FIELD_CHOICE, .required = need, .offset = offsetof(struct s, m), .names = all, .max = last  \
    }
#define TEXT(s, n, m, need, how, lo, hi)                                                                               \
    {                                                                                                                  \
        .name = n, .kind = FIELD_TEXT, .required = need, .form = how, .offset = offsetof(struct s, m), .min = lo,      \
        .max = hi                                                                                                      \
    }
#define FORM(s, n, m, need, how) TEXT(s, n, m, need, how, 0, 0)
#define NAMED(s, n, m, need, all)                                                                                      \
    {                                                                                                                  \
        .name = n, .kind = FIELD_TEXT, .required = need, .form = FORM_NAME, .offset = offsetof(struct s, m),           \
        .names = all                                                                                                   \
    }
#define TEXTS(s, n, m, need, how, lo, hi)                                                                              \
    {                                                                                                                  \
        .name = n, .kind = FIELD_TEXTS, .required = need, .form = how, .offset = offsetof(struct s, m), .min = lo,     \
        .max = hi                                                                                                      \
    }
#define OBJECT(s, n, m, need, what)                                                                                    \
    {                                                                                                                  \
        .name = n, .kind = FIELD_OBJECT, .required = need, .offset = offsetof(struct s, m), .shape = &(what)           \
    }
#define LIST(s, n, m, need, what, lo, hi)                                                                              \
    {                                                                                                                  \
        .name = n, .kind = FIELD_LIST, .required = need, .offset = offsetof(struct s, m),                              \
        .count_offset = offsetof(struct s, n_##m), .min = lo, .max = hi, .shape = &(what)                              \
    }
#define HEAD(s)                                                                                                        \
    FORM(s, "aud", head.aud, REQUIRED, FORM_AUDIENCE), INT(s, "era", head.era, REQUIRED, 1, ERA_MAX),                  \
        INT(s, "ver", head.ver, REQUIRED, 1, CODEC_INT_MAX), INT(s, "iat", head.iat_s, REQUIRED, 0, TIME_MAX_S),       \
        INT(s, "exp", head.exp_s, REQUIRED, 1, TIME_MAX_S)
#define SHAPE(s, verify) static const struct shape s##_shape = {sizeof(struct s), s##_fields, COUNT(s##_fields), verify}

static int check_head(const struct doc_head *head, struct complaint *why)
{
    if (head->exp_s <= head->iat_s)
        return complain(why, ERR_FORMAT, "exp: is not after iat");
    return 0;
}

/* Every document begins with its head. */
static int check_document(const void *value, struct complaint *why)
{
    return check_head(value, why);
}

/* --- trust --- */

static int check_kid(const char *kid, const char *x, struct complaint *why)
{
    char right[44];
    if (key_thumbprint(x, right))
        return complain(why, ERR_FORMAT, "x: is no Ed25519 public key");
    if (strcmp(kid, right) != 0)
        return complain(why, ERR_FORMAT, "kid: is not the thumbprint of x, which is %s", right);
    return 0;
}

static int check_public_key(const void *value, struct complaint *why)
{
    const struct public_key *key = value;
    return check_kid(key->kid, key->x, why);
}

static const struct field public_key_fields[] = {
    FORM(public_key, "kid", kid, REQUIRED, FORM_KEY),
    FORM(public_key, "x", x, REQUIRED, FORM_KEY),
    TEXT(public_key, "name", name, OPTIONAL, FORM_LINE, 1, NAME_MAX_BYTES),
};
SHAPE(public_key, check_public_key);

static const struct field quorum_fields[] = {
    CHOICE(quorum, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    TEXTS(quorum, "areas", areas, OPTIONAL, FORM_ID, 0, SCOPE_MAX),
    INT(quorum, "persons", persons, REQUIRED, 1, 9),
};
SHAPE(quorum, NULL);

static const struct field trust_fields[] = {
    HEAD(trust),
    LIST(trust, "registrars", registrars, REQUIRED, public_key_shape, 1, 16),
    LIST(trust, "schedulers", schedulers, REQUIRED, public_key_shape, 0, 16),
    LIST(trust, "quorums", quorums, OPTIONAL, quorum_shape, 0, 64),
};
SHAPE(trust, check_document);

/* --- keys --- */

static int check_person(const void *value, struct complaint *why)
{
    const struct person_key *key = value;
    if (key->ended != KEY_LIVE && key->ended_ms == 0)
        return complain(why, ERR_FORMAT, "ended_ms: is missing, a key that is %s has the moment of its end",
                        key_end_names[key->ended]);
    if (key->ended == KEY_LIVE && key->ended_ms != 0)
        return complain(why, ERR_FORMAT, "ended_ms: is set, but ended says that the key has not ended");
    return check_kid(key->kid, key->x, why);
}

static int by_kid(const void *a, const void *b)
{
    return strcmp((*(const struct person_key *const *)a)->kid, (*(const struct person_key *const *)b)->kid);
}

/* One key in two lines could be live in one and compromised in the other. */
static int check_keys(const void *value, struct complaint *why)
{
    const struct keys *keys = value;
    const struct person_key **sorted = xcalloc(keys->n_persons, sizeof(*sorted));
    for (size_t i = 0; i < keys->n_persons; i++)
        sorted[i] = &keys->persons[i];
    qsort(sorted, keys->n_persons, sizeof(*sorted), by_kid);
    int err = check_head(&keys->head, why);
    for (size_t i = 1; err == 0 && i < keys->n_persons; i++)
        if (strcmp(sorted[i - 1]->kid, sorted[i]->kid) == 0)
            err = complain(why, ERR_FORMAT, "persons: names the key %s twice, each may stand once", sorted[i]->kid);
    free(sorted);
    return err;
}

static const struct field person_key_fields[] = {
    FORM(person_key, "kid", kid, REQUIRED, FORM_KEY),
    FORM(person_key, "x", x, REQUIRED, FORM_KEY),
    FORM(person_key, "person", person, REQUIRED, FORM_ID),
    TEXT(person_key, "name", name, OPTIONAL, FORM_LINE, 1, NAME_MAX_BYTES),
    TEXTS(person_key, "roles", roles, REQUIRED, FORM_WORD, 1, 8),
    TEXTS(person_key, "areas", areas, REQUIRED, FORM_ID, 1, SCOPE_MAX),
    CHOICE(person_key, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    CHOICE(person_key, "ended", ended, OPTIONAL, key_end_names, KEY_COMPROMISED),
    INT(person_key, "ended_ms", ended_ms, OPTIONAL, 0, TIME_MAX_MS),
};
SHAPE(person_key, check_person);

static const struct field keys_fields[] = {
    HEAD(keys),
    LIST(keys, "persons", persons, REQUIRED, person_key_shape, 0, 2000),
};
SHAPE(keys, check_keys);

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
    return check_head(&config->head, why);
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
SHAPE(config, check_config);

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
    return check_head(&p->head, why);
}

static const struct field playlist_fields[] = {
    HEAD(playlist),
    INT(playlist, "config_ver", config_ver, REQUIRED, 0, CODEC_INT_MAX),
    INT(playlist, "from_ms", from_ms, REQUIRED, 0, TIME_MAX_MS),
    INT(playlist, "until_ms", until_ms, REQUIRED, 0, TIME_MAX_MS),
    LIST(playlist, "bulletins", bulletins, REQUIRED, playlist_bulletin_shape, 0, 500),
    LIST(playlist, "items", items, REQUIRED, playlist_item_shape, 0, 2000),
};
SHAPE(playlist, check_playlist);

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
};
SHAPE(stored_mark, NULL);

/* A floor above the welcome's own era would outlive the trust that answers a theft. */
static int check_welcome(const void *value, struct complaint *why)
{
    const struct welcome *w = value;
    for (size_t i = 0; i < w->n_floors; i++)
        if (w->floors[i].era > w->head.era)
            return complain(why, ERR_FORMAT, "floors[%zu].era: is above the era of the welcome", i);
    return check_head(&w->head, why);
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
SHAPE(welcome, check_welcome);

/* A number means nothing without the kind and the store id that it counts in. */
static int check_command(const void *value, struct complaint *why)
{
    const struct command *c = value;
    if (strcmp(c->command, "send_again") == 0 && (!c->kind || !c->store || c->from == 0))
        return complain(why, ERR_FORMAT, "%s: must be there for send_again",
                        !c->kind    ? "kind"
                        : !c->store ? "store"
                                    : "from");
    return check_head(&c->head, why);
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
SHAPE(command, check_command);

/* --- state --- */

static const struct field held_doc_fields[] = {
    FORM(held_doc, "doc", doc, REQUIRED, FORM_WORD),
    INT(held_doc, "era", era, REQUIRED, 0, ERA_MAX),
    INT(held_doc, "ver", ver, REQUIRED, 0, CODEC_INT_MAX),
    FORM(held_doc, "hash", hash, OPTIONAL, FORM_HASH),
};
SHAPE(held_doc, NULL);

static const struct field outbox_head_fields[] = {
    FORM(outbox_head, "kind", kind, REQUIRED, FORM_WORD),
    INT(outbox_head, "last", last, REQUIRED, 0, CODEC_INT_MAX),
};
SHAPE(outbox_head, NULL);

static const struct field state_fields[] = {
    HEAD(state),
    FORM(state, "device", device, REQUIRED, FORM_ID),
    BOOL(state, "on", on, REQUIRED),
    FORM(state, "nonce", nonce, REQUIRED, FORM_NONCE),
    FORM(state, "store", store, REQUIRED, FORM_TOKEN),
    TEXT(state, "serial", serial, OPTIONAL, FORM_LINE, 1, 64),
    TEXT(state, "software", software, OPTIONAL, FORM_LINE, 1, 64),
    NAMED(state, "grade", grade, OPTIONAL, time_grade_names),
    TEXT(state, "boot", boot, OPTIONAL, FORM_LINE, 1, 64),
    FORM(state, "on_air", on_air, OPTIONAL, FORM_OCCURRENCE),
    LIST(state, "held", held, OPTIONAL, held_doc_shape, 0, 32),
    LIST(state, "outbox", outbox, OPTIONAL, outbox_head_shape, 0, 16),
};
SHAPE(state, check_document);

/* --- receipt and its evidence --- */

static const struct field sound_evidence_fields[] = {
    INT(sound_evidence, "frames_expected", frames_expected, REQUIRED, 0, CODEC_INT_MAX),
    INT(sound_evidence, "frames", frames, REQUIRED, 0, CODEC_INT_MAX),
    INT(sound_evidence, "xruns", xruns, REQUIRED, 0, CODEC_INT_MAX),
    INT(sound_evidence, "start_error_us", start_error_us, REQUIRED, -CODEC_INT_MAX, CODEC_INT_MAX),
};
SHAPE(sound_evidence, NULL);

static const struct field amplifier_evidence_fields[] = {
    BOOL(amplifier_evidence, "commanded", commanded, REQUIRED),
    BOOL(amplifier_evidence, "power", power, REQUIRED),
    BOOL(amplifier_evidence, "seen", seen, REQUIRED),
    INT(amplifier_evidence, "level_mb", level_mb, REQUIRED, -1000000, 1000000),
    INT(amplifier_evidence, "temperature_c", temperature_c, REQUIRED, -1000, 1000),
    TEXTS(amplifier_evidence, "faults", faults, OPTIONAL, FORM_WORD, 0, 64),
};
SHAPE(amplifier_evidence, NULL);

static const struct field sign_evidence_fields[] = {
    BOOL(sign_evidence, "written", written, REQUIRED),
    BOOL(sign_evidence, "read_back", read_back, REQUIRED),
    BOOL(sign_evidence, "cut", cut, REQUIRED),
    TEXT(sign_evidence, "text", text, OPTIONAL, FORM_ANY, 0, 16384),
};
SHAPE(sign_evidence, NULL);

static const struct field evidence_fields[] = {
    OBJECT(evidence, "sound", sound, OPTIONAL, sound_evidence_shape),
    OBJECT(evidence, "amplifier", amplifier, OPTIONAL, amplifier_evidence_shape),
    OBJECT(evidence, "sign", sign, OPTIONAL, sign_evidence_shape),
};
SHAPE(evidence, NULL);

static const struct field receipt_fields[] = {
    HEAD(receipt),
    FORM(receipt, "device", device, REQUIRED, FORM_ID),
    FORM(receipt, "store", store, REQUIRED, FORM_TOKEN),
    INT(receipt, "n", n, REQUIRED, 1, CODEC_INT_MAX),
    FORM(receipt, "occurrence", occurrence, REQUIRED, FORM_OCCURRENCE),
    FORM(receipt, "bulletin", bulletin, OPTIONAL, FORM_HASH),
    CHOICE(receipt, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    INT(receipt, "planned_ms", planned_ms, REQUIRED, 0, TIME_MAX_MS),
    INT(receipt, "started_ms", started_ms, OPTIONAL, 0, TIME_MAX_MS),
    INT(receipt, "ended_ms", ended_ms, OPTIONAL, 0, TIME_MAX_MS),
    CHOICE(receipt, "reason", reason, REQUIRED, reason_names, REASONS - 1),
    TEXT(receipt, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
    TEXT(receipt, "exempt", exempt, OPTIONAL, FORM_LINE, 1, ORDER_MAX_BYTES),
    NAMED(receipt, "grade", grade, REQUIRED, time_grade_names),
    OBJECT(receipt, "evidence", evidence, OPTIONAL, evidence_shape),
};
SHAPE(receipt, check_document);

/* --- event, reply, health --- */

static const struct field event_fields[] = {
    HEAD(event),
    FORM(event, "device", device, REQUIRED, FORM_ID),
    FORM(event, "store", store, REQUIRED, FORM_TOKEN),
    INT(event, "n", n, REQUIRED, 1, CODEC_INT_MAX),
    INT(event, "at_ms", at_ms, REQUIRED, 0, TIME_MAX_MS),
    FORM(event, "code", code, REQUIRED, FORM_WORD),
    TEXT(event, "about", about, OPTIONAL, FORM_LINE, 0, NAME_MAX_BYTES),
    TEXT(event, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
};
SHAPE(event, check_document);

static const struct field reply_fields[] = {
    HEAD(reply),
    FORM(reply, "device", device, REQUIRED, FORM_ID),
    FORM(reply, "nonce", nonce, REQUIRED, FORM_NONCE),
    FORM(reply, "id", id, REQUIRED, FORM_TOKEN),
    BOOL(reply, "ok", ok, REQUIRED),
    TEXT(reply, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
};
SHAPE(reply, check_document);

static const struct field health_part_fields[] = {
    FORM(health_part, "name", name, REQUIRED, FORM_WORD),
    NAMED(health_part, "state", state, REQUIRED, health_names),
    TEXT(health_part, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
};
SHAPE(health_part, NULL);

static const struct field health_value_fields[] = {
    FORM(health_value, "name", name, REQUIRED, FORM_WORD),
    REAL(health_value, "value", value, REQUIRED, -CODEC_INT_MAX, CODEC_INT_MAX),
    TEXT(health_value, "unit", unit, OPTIONAL, FORM_LINE, 0, 16),
};
SHAPE(health_value, NULL);

static const struct field health_fields[] = {
    HEAD(health),
    FORM(health, "device", device, REQUIRED, FORM_ID),
    INT(health, "at_ms", at_ms, REQUIRED, 0, TIME_MAX_MS),
    LIST(health, "parts", parts, REQUIRED, health_part_shape, 0, 64),
    LIST(health, "values", values, REQUIRED, health_value_shape, 0, 256),
};
SHAPE(health, check_document);

/* --- approval, bulletin --- */

static int check_approval(const void *value, struct complaint *why)
{
    const struct approval *a = value;
    if (a->until_ms <= a->from_ms)
        return complain(why, ERR_FORMAT, "until_ms: is not after from_ms");
    return check_head(&a->head, why);
}

static const struct field approval_fields[] = {
    HEAD(approval),
    FORM(approval, "bulletin", bulletin, REQUIRED, FORM_HASH),
    TEXTS(approval, "areas", areas, REQUIRED, FORM_ID, 1, SCOPE_MAX),
    CHOICE(approval, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    INT(approval, "from_ms", from_ms, REQUIRED, 0, TIME_MAX_MS),
    INT(approval, "until_ms", until_ms, REQUIRED, 1, TIME_MAX_MS),
};
SHAPE(approval, check_approval);

static const struct field media_ref_fields[] = {
    FORM(media_ref, "hash", hash, REQUIRED, FORM_HASH),
    INT(media_ref, "size", size, REQUIRED, 1, MEDIA_MAX),
    INT(media_ref, "frames", frames, REQUIRED, 1, FRAMES_MAX),
};
SHAPE(media_ref, NULL);

static int check_content(const void *value, struct complaint *why)
{
    const struct bulletin_content *content = value;
    if (!content->text && !content->audio)
        return complain(why, ERR_FORMAT, "text: is missing, and audio too; one of them must be there");
    return 0;
}

static const struct field bulletin_content_fields[] = {
    FORM(bulletin_content, "lang", lang, REQUIRED, FORM_LANG),
    TEXT(bulletin_content, "text", text, OPTIONAL, FORM_TEXT, 1, TEXT_MAX_BYTES),
    OBJECT(bulletin_content, "audio", audio, OPTIONAL, media_ref_shape),
};
SHAPE(bulletin_content, check_content);

static int check_bulletin(const void *value, struct complaint *why)
{
    const struct bulletin *b = value;
    for (size_t i = 0; i < b->n_contents; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(b->contents[i].lang, b->contents[j].lang) == 0)
                return complain(why, ERR_FORMAT, "contents[%zu].lang: is \"%s\" a second time, each may stand once", i,
                                b->contents[i].lang);
    return 0;
}

static const struct field bulletin_fields[] = {
    FORM(bulletin, "id", id, REQUIRED, FORM_ID),
    INT(bulletin, "revision", revision, REQUIRED, 1, CODEC_INT_MAX),
    TEXT(bulletin, "title", title, REQUIRED, FORM_LINE, 1, LINE_MAX_BYTES),
    TEXT(bulletin, "category", category, REQUIRED, FORM_LINE, 1, 100),
    TEXT(bulletin, "source", source, OPTIONAL, FORM_LINE, 1, NAME_MAX_BYTES),
    TEXT(bulletin, "answerable", answerable, REQUIRED, FORM_LINE, 1, NAME_MAX_BYTES),
    FORM(bulletin, "unit", unit, REQUIRED, FORM_ID),
    CHOICE(bulletin, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    LIST(bulletin, "contents", contents, REQUIRED, bulletin_content_shape, 1, 16),
};
SHAPE(bulletin, check_bulletin);

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
