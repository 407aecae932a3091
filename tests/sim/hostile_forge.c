/* hostile_forge.c - what the adversary makes by himself, or sends again from what he has seen. See hostile.h. */
#include "tests/sim/hostile_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

static const char *everywhere[] = {"a001"}, *vi[] = {"vi"}, *approver[] = {"approver"};

static uint32_t below(struct hostile *hostile, uint32_t bound)
{
    return chance_below(&hostile->chance, bound);
}

void forge_alter(struct hostile *hostile, struct buf *payload)
{
    if (payload->len == 0)
        return;
    for (uint32_t n = 1 + below(hostile, 3); n > 0; n--)
        payload->data[below(hostile, (uint32_t)payload->len)] ^= (uint8_t)(1 + below(hostile, 255));
    if (chance_hit(&hostile->chance, 20))
        payload->len = 1 + below(hostile, (uint32_t)payload->len);
}

const struct recorded *forge_pick(struct hostile *hostile)
{
    return hostile->n_recorded ? &hostile->recorded[below(hostile, (uint32_t)hostile->n_recorded)] : NULL;
}

/* --- what he wants to be put out --- */

static void add_blob(struct hostile *hostile, const void *data, size_t len)
{
    hostile->blobs[hostile->n_blobs].hash = hash_of(data, len);
    buf_put(&hostile->blobs[hostile->n_blobs++].bytes, data, len);
}

void forge_make_blobs(struct hostile *hostile)
{
    static const char sound[] = "a voice that nobody approved";
    add_blob(hostile, sound, sizeof(sound));
    struct media_ref audio = {.hash = hostile->blobs[0].hash.hex, .size = sizeof(sound), .frames = 480000};
    struct bulletin_content content = {.lang = "vi", .text = "Lời bịa đặt", .audio = &audio};
    struct bulletin bulletin = {.id = "b-evil",
                                .revision = 1,
                                .title = "x",
                                .category = "x",
                                .answerable = "x",
                                .unit = "a001",
                                .class = CLASS_PRIORITY,
                                .contents = &content,
                                .n_contents = 1};
    struct buf bytes = {0};
    struct complaint why = {0};
    if (bulletin_encode(&bulletin, &bytes, &why) < 0)
        abort();
    add_blob(hostile, bytes.data, bytes.len);
    buf_done(&bytes);
    struct approval approval = {.head = centre_head(hostile->world->centre, "all", 400 * DAY_MS),
                                .bulletin = hostile->blobs[1].hash.hex,
                                .areas = {everywhere, 1},
                                .class = CLASS_PRIORITY,
                                .until_ms = sim_true_ms() + 400 * DAY_MS};
    struct signer as_approver = hostile->thief;
    memcpy(as_approver.kid, hostile->world->centre->approver.kid, sizeof(as_approver.kid));
    const struct signer *const signers[] = {&hostile->thief, &as_approver};
    for (int i = 0; i < 2; i++) {
        char *sealed = centre_seal(signers[i], DOC_APPROVAL, &approval);
        add_blob(hostile, sealed, strlen(sealed));
        free(sealed);
    }
    while (hostile->n_blobs < EVIL_BLOBS) {
        uint64_t noise[16];
        for (int i = 0; i < 16; i++)
            noise[i] = chance_next(&hostile->chance);
        add_blob(hostile, noise, sizeof(noise));
    }
}

/* --- documents --- */

/* Under his own name, or under that of a key that the device believes. */
static struct signer mask(struct hostile *hostile)
{
    const struct centre *centre = hostile->world->centre;
    const struct signer *const names[] = {&centre->root,     &centre->registrar, &centre->scheduler,
                                          &centre->approver, &centre->box,       &hostile->thief};
    struct signer signer = hostile->thief;
    memcpy(signer.kid, names[below(hostile, 6)]->kid, sizeof(signer.kid));
    return signer;
}

static struct doc_head some_head(struct hostile *hostile, enum doc_type type)
{
    static char aud[64];
    snprintf(aud, sizeof(aud), "dev/%s", hostile->world->centre->device);
    struct doc_head head =
        centre_head(hostile->world->centre, type == DOC_TRUST || type == DOC_KEYS ? "all" : aud, 30 * DAY_MS);
    head.ver += 1000 * below(hostile, 1000000);
    head.era += chance_hit(&hostile->chance, 30) ? 1 + below(hostile, 9) : 0;
    return head;
}

static char *seal_playlist(struct hostile *hostile, const struct signer *signer, struct doc_head head)
{
    int64_t now_ms = sim_true_ms();
    struct blob_ref approvals[2];
    for (int i = 0; i < 2; i++)
        approvals[i] =
            (struct blob_ref){.hash = hostile->blobs[2 + i].hash.hex, .size = (int64_t)hostile->blobs[2 + i].bytes.len};
    struct playlist_bulletin bulletin = {.hash = hostile->blobs[1].hash.hex,
                                         .size = (int64_t)hostile->blobs[1].bytes.len,
                                         .approvals = approvals,
                                         .n_approvals = 2};
    struct playlist_item item = {
        .start_ms = now_ms + 2000, .end_ms = now_ms + 400000, .class = CLASS_PRIORITY, .late_ms = 300000};
    char id[40];
    snprintf(id, sizeof(id), "evil.%lld", (long long)item.start_ms / 1000);
    item.id = id;
    struct playlist playlist = {.head = head,
                                .from_ms = now_ms,
                                .until_ms = now_ms + DAY_MS,
                                .bulletins = &bulletin,
                                .n_bulletins = 1,
                                .items = &item,
                                .n_items = 1};
    return centre_seal(signer, DOC_PLAYLIST, &playlist);
}

/* Up to the newest row that passed by, or beyond, with its true hash. */
static struct stored_mark forged_mark(struct hostile *hostile, enum centre_kind kind, const char *word)
{
    const struct centre *centre = hostile->world->centre;
    const struct centre_lane *lane = &centre->lanes[kind];
    return (struct stored_mark){.kind = word,
                                .store = centre->store,
                                .upto = (int64_t)lane->n + below(hostile, 9),
                                .hash = lane->n ? lane->rows[lane->n - 1].hash.hex : NULL};
}

static char *seal_welcome(struct hostile *hostile, const struct signer *signer, struct doc_head head)
{
    const struct centre *centre = hostile->world->centre;
    struct stored_mark marks[2] = {forged_mark(hostile, CENTRE_RECEIPT, "receipt"),
                                   forged_mark(hostile, CENTRE_EVENT, "event")};
    struct doc_floor floor = {.doc = "playlist", .era = head.era, .ver = head.ver + DAY_MS};
    struct welcome welcome = {.head = head,
                              .nonce = centre->nonce[0] ? centre->nonce : "0123456789",
                              .time_ms = sim_true_ms() + (int64_t)below(hostile, 1000000000),
                              .floors = &floor,
                              .n_floors = 1,
                              .stored = marks,
                              .n_stored = centre->store[0] ? 2 : 0,
                              .epoch = 1};
    return centre_seal(signer, DOC_WELCOME, &welcome);
}

static char *seal_command(struct hostile *hostile, const struct signer *signer, struct doc_head head)
{
    const struct centre *centre = hostile->world->centre;
    struct command command = {
        .head = head, .nonce = centre->nonce[0] ? centre->nonce : "0123456789", .id = "forged", .command = "restart"};
    return centre_seal(signer, DOC_COMMAND, &command);
}

static char *seal_keys(struct hostile *hostile, const struct signer *signer, struct doc_head head)
{
    struct person_key person = {.kid = hostile->thief.kid,
                                .x = hostile->thief.x,
                                .person = "lan",
                                .roles = {approver, 1},
                                .areas = {everywhere, 1},
                                .class = CLASS_PRIORITY};
    struct keys keys = {.head = head, .persons = &person, .n_persons = 1};
    return centre_seal(signer, DOC_KEYS, &keys);
}

static char *seal_trust(struct hostile *hostile, const struct signer *signer, struct doc_head head)
{
    struct public_key key = {.kid = hostile->thief.kid, .x = hostile->thief.x};
    struct trust trust = {.head = head, .registrars = &key, .n_registrars = 1, .schedulers = &key, .n_schedulers = 1};
    return centre_seal(signer, DOC_TRUST, &trust);
}

static char *seal_config(const struct signer *signer, struct doc_head head)
{
    struct config config = {.head = head, .zone = "UTC", .areas = {everywhere, 1}, .languages = {vi, 1}};
    return centre_seal(signer, DOC_CONFIG, &config);
}

static char *make(struct hostile *hostile, enum doc_type type, const struct signer *signer, struct doc_head head)
{
    switch (type) {
    case DOC_TRUST:
        return seal_trust(hostile, signer, head);
    case DOC_KEYS:
        return seal_keys(hostile, signer, head);
    case DOC_CONFIG:
        return seal_config(signer, head);
    case DOC_PLAYLIST:
        return seal_playlist(hostile, signer, head);
    case DOC_WELCOME:
        return seal_welcome(hostile, signer, head);
    default:
        return seal_command(hostile, signer, head);
    }
}

static void slip_in(struct hostile *hostile, enum doc_type type, const void *payload, size_t len)
{
    char topic[96];
    bool retained = chance_hit(&hostile->chance, 30);
    centre_topic(hostile->world->centre, type, topic);
    if (retained)
        net_retain(hostile->world->net, topic, payload, len);
    net_to_agent(hostile->world->net, topic, payload, len, retained, 0);
}

/* --- ways --- */

static enum doc_type some_type(struct hostile *hostile)
{
    return (enum doc_type)below(hostile, DOC_COMMAND + 1);
}

static void with_his_key(struct hostile *hostile)
{
    enum doc_type type = some_type(hostile);
    struct signer signer = mask(hostile);
    char *sealed = make(hostile, type, &signer, some_head(hostile, type));
    slip_in(hostile, type, sealed, strlen(sealed));
    free(sealed);
}

/* Truly sealed, for another device. */
static void for_another(struct hostile *hostile)
{
    static const enum doc_type types[] = {DOC_CONFIG, DOC_PLAYLIST, DOC_WELCOME, DOC_COMMAND};
    enum doc_type type = types[below(hostile, 4)];
    struct doc_head head = centre_head(hostile->world->centre, "dev/another", DAY_MS);
    char *sealed = make(hostile, type, &hostile->world->centre->scheduler, head);
    slip_in(hostile, type, sealed, strlen(sealed));
    free(sealed);
}

/* No signature at all, or a kind of signature that is none here. */
static void without_key(struct hostile *hostile)
{
    static const char *const algs[] = {"none", "HS256", "EdDSA", "None", "ES256"};
    enum doc_type type = some_type(hostile);
    struct signer signer = mask(hostile);
    char *sealed = make(hostile, type, &signer, some_head(hostile, type));
    char header[200];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"%s\"%s}", algs[below(hostile, 5)],
             signer.kid, doc_typ(type), chance_hit(&hostile->chance, 50) ? ",\"zip\":\"DEF\"" : "");
    char *head = b64url_encode(header, strlen(header));
    char *body = strchr(sealed, '.') + 1;
    char *signature = strchr(body, '.');
    char *whole =
        xasprintf("%s.%.*s%s", head, (int)(signature - body), body, chance_hit(&hostile->chance, 50) ? "." : signature);
    slip_in(hostile, type, whole, strlen(whole));
    free(whole);
    free(head);
    free(sealed);
}

static void from_the_past(struct hostile *hostile)
{
    const struct recorded *old = forge_pick(hostile);
    struct net *net = hostile->world->net;
    bool retained = chance_hit(&hostile->chance, 40);
    if (!old)
        return;
    if (!old->down) {
        net_to_centre(net, old->topic, old->payload.data, old->payload.len, 0);
        return;
    }
    if (retained)
        net_retain(net, old->topic, old->payload.data, old->payload.len);
    net_to_agent(net, old->topic, old->payload.data, old->payload.len, retained, 0);
}

static void under_another_topic(struct hostile *hostile)
{
    const struct recorded *old = forge_pick(hostile);
    if (old)
        slip_in(hostile, some_type(hostile), old->payload.data, old->payload.len);
}

static void altered(struct hostile *hostile)
{
    const struct recorded *old = forge_pick(hostile);
    struct buf copy = {0};
    if (!old)
        return;
    buf_put(&copy, old->payload.data, old->payload.len);
    forge_alter(hostile, &copy);
    if (old->down)
        net_to_agent(hostile->world->net, old->topic, copy.data, copy.len, chance_hit(&hostile->chance, 30), 0);
    else
        net_to_centre(hostile->world->net, old->topic, copy.data, copy.len, 0);
    buf_done(&copy);
}

static void noise(struct hostile *hostile)
{
    uint8_t bytes[300];
    size_t len = below(hostile, sizeof(bytes));
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)chance_next(&hostile->chance);
    slip_in(hostile, some_type(hostile), bytes, len); /* also an empty one, which clears what is retained */
}

void forge_one(struct hostile *hostile)
{
    static void (*const ways[])(struct hostile *) = {with_his_key,  with_his_key,       for_another, without_key,
                                                     from_the_past, from_the_past,      altered,     noise,
                                                     from_the_past, under_another_topic};
    ways[below(hostile, sizeof(ways) / sizeof(ways[0]))](hostile);
}
