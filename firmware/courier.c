/* courier.c - see courier.h. */
#include "firmware/courier.h"

#include "firmware/nonce.h"
#include "firmware/refusals.h"
#include "playlists/base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One document in force, decoded. */
struct belief {
    struct arena *arena; /* owns doc; NULL: none in force */
    void *doc;
    struct doc_head head;
    struct hash hash;
};

/* What is believed until something newer comes; each vouches for the next. They index the arrays below. */
enum { BELIEFS = DOC_PLAYLIST + 1 };
static_assert(DOC_TRUST == 0 && DOC_KEYS == 1 && DOC_CONFIG == 2 && DOC_PLAYLIST == 3, "the beliefs come first");

struct courier {
    struct vault *vault;
    char audience[64];
    char prefix[80]; /* "loa/1/dev/<id>/" */
    struct courier_events events;
    void *arg;
    struct authority authority;
    struct belief beliefs[BELIEFS];
    int64_t expired_s[BELIEFS]; /* exp of what is on disk and out of force for that alone; 0: nothing is */
    struct nonce nonce;
    int64_t config_since_ms; /* elapsed time since when a configuration waits for an idle moment; 0: none does */
    bool waits_for_time;     /* a playlist does */
    struct refusals refusals;
    bool again;                    /* something changed that may let waiting documents in */
    const struct courier_now *now; /* of the call in hand */
};

/* An opened document on its way in. */
struct parcel {
    enum doc_type type;
    const void *sealed;
    size_t len;
    struct hash hash;
    struct arena *arena; /* handed to the belief on adoption */
    void *doc;
    struct seal_header header;
    bool same; /* the version that is held already */
    struct complaint why;
};

struct courier *courier_new(struct vault *vault, const char *device, const char *const roots[ROOTS_MAX],
                            const struct courier_events *events, void *arg)
{
    struct courier *courier = xcalloc(1, sizeof(*courier));
    courier->vault = vault;
    courier->events = *events;
    courier->arg = arg;
    snprintf(courier->audience, sizeof(courier->audience), "dev/%s", device);
    snprintf(courier->prefix, sizeof(courier->prefix), "loa/1/dev/%s/", device);
    for (int i = 0; i < ROOTS_MAX; i++)
        if (roots[i])
            snprintf(courier->authority.root_x[i], sizeof(courier->authority.root_x[i]), "%s", roots[i]);
    return courier;
}

void courier_free(struct courier *courier)
{
    if (!courier)
        return;
    for (int i = 0; i < BELIEFS; i++)
        arena_free(courier->beliefs[i].arena);
    free(courier);
}

static const char *word_of(enum doc_type type)
{
    return type == DOC_COMMAND ? "cmd" : doc_word(type);
}

static const char *audience_of(const struct courier *courier, enum doc_type type)
{
    return type == DOC_TRUST || type == DOC_KEYS ? "all" : courier->audience;
}

/* Every document begins with its head. */
static const struct doc_head *head_of(const void *doc)
{
    return doc;
}

/* Nobody whose key is known sealed a document that is refused for this. */
static bool unproven(enum refusal refusal)
{
    return refusal == REFUSAL_FORMAT || refusal == REFUSAL_ALG || refusal == REFUSAL_TYPE ||
           refusal == REFUSAL_UNKNOWN_KEY || refusal == REFUSAL_SIGNATURE || refusal == REFUSAL_TOO_LARGE;
}

static bool is_belief(enum doc_type type)
{
    return (int)type < BELIEFS;
}

static bool may_spend(struct courier *courier, enum doc_type type, bool vouched)
{
    enum allowance allowance = vouched ? ALLOW_VOUCHED : is_belief(type) ? ALLOW_RETAINED : ALLOW_PASSING;
    return refusals_may_spend(&courier->refusals, allowance, courier->now->elapsed_ms);
}

static void tell(struct courier *courier, enum doc_type type, const struct hash *hash, const char *reason,
                 const char *why)
{
    if (refusals_told(&courier->refusals, hash, reason))
        return;
    refusals_remember(&courier->refusals, hash, reason);
    if (!vault_refusal_is_new(courier->vault, hash, reason))
        return;
    log_warn("courier", "%s refused: %s: %s", word_of(type), reason, why);
    courier->events.refused(courier->arg, word_of(type), reason, why);
}

static void refuse(struct courier *courier, enum doc_type type, const struct hash *hash, const char *reason,
                   const char *why, bool vouched)
{
    if (!refusals_told(&courier->refusals, hash, reason) && may_spend(courier, type, vouched))
        tell(courier, type, hash, reason, why);
}

static void set_authority(struct courier *courier)
{
    courier->authority.trust = courier->beliefs[DOC_TRUST].doc;
    courier->authority.keys = courier->beliefs[DOC_KEYS].doc;
}

/* The old value lives until everybody has been told of the new one. */
static void put_belief(struct courier *courier, enum doc_type type, const struct belief *belief)
{
    struct belief old = courier->beliefs[type];
    if (!old.doc && !belief->doc)
        return;
    if (type == DOC_PLAYLIST || type == DOC_CONFIG)
        courier->events.settle(courier->arg);
    courier->beliefs[type] = *belief;
    courier->expired_s[type] = 0;
    set_authority(courier);
    courier->events.changed(courier->arg, type);
    arena_free(old.arena);
    courier->again = true;
}

/* Signature, then audience, era, version, expiry. */
static enum refusal judge(struct courier *courier, struct parcel *parcel, const struct held_version *held)
{
    const struct trust *trust = courier->authority.trust;
    enum refusal refusal = judge_open(&courier->authority, parcel->type, parcel->sealed, parcel->len, parcel->arena,
                                      &parcel->doc, &parcel->header, &parcel->why);
    if (refusal)
        return refusal;
    const struct doc_head *head = head_of(parcel->doc);
    int64_t era = parcel->type == DOC_TRUST || !trust ? head->era : trust->head.era;
    const struct courier_now *now = courier->now;
    int64_t now_ms = nonce_moment_ms(&courier->nonce, parcel->type, parcel->doc, now->now_ms, now->elapsed_ms);
    return judge_head(head, audience_of(courier, parcel->type), held, era, now_ms, &parcel->same, &parcel->why);
}

/* --- what is on disk --- */

/* Judge the stored document anew; in force when it holds. */
static void load(struct courier *courier, enum doc_type type)
{
    struct vault_document stored;
    if (vault_document(courier->vault, type, &stored) < 0)
        return;
    struct held_version none = {0};
    struct parcel parcel = {.type = type, .sealed = stored.sealed, .len = stored.len, .arena = arena_new()};
    parcel.hash = stored.hash;
    enum refusal refusal = judge(courier, &parcel, &none);
    struct belief belief = {0};
    if (refusal == REFUSAL_NONE) {
        belief = (struct belief){
            .arena = parcel.arena, .doc = parcel.doc, .head = *head_of(parcel.doc), .hash = stored.hash};
    } else {
        refuse(courier, type, &stored.hash, refusal_names[refusal], parcel.why.text, true);
    }
    int64_t expired_s = refusal == REFUSAL_EXPIRED ? head_of(parcel.doc)->exp_s : 0;
    if (refusal != REFUSAL_NONE)
        arena_free(parcel.arena);
    free(stored.sealed);
    put_belief(courier, type, &belief);
    courier->expired_s[type] = expired_s;
}

/* --- what arrives --- */

static int wait_for(struct courier *courier, const struct parcel *parcel, const char *what, bool stranger)
{
    if (vault_waits(courier->vault, &parcel->hash, stranger))
        return 0;
    log_info("courier", "%s waits %s", word_of(parcel->type), what);
    return vault_wait(courier->vault, parcel->type, parcel->sealed, parcel->len, courier->now->now_ms, stranger);
}

/* By a key that nobody vouches for: told and kept within the allowance. Beyond it nothing is written: what the broker
 * retains comes again with the next session. Like take(). */
static bool keep_stranger(struct courier *courier, const struct parcel *parcel)
{
    if (vault_waits(courier->vault, &parcel->hash, true) || !may_spend(courier, parcel->type, false))
        return true; /* stays where it is, if it is anywhere */
    tell(courier, parcel->type, &parcel->hash, refusal_names[REFUSAL_UNKNOWN_KEY], parcel->why.text);
    return wait_for(courier, parcel, "for a trust or keys that vouch for its key", true) == 0;
}

/* True when a document that is right in itself may not come into force yet; it is kept then. */
static bool must_wait(struct courier *courier, const struct parcel *parcel)
{
    const struct config *config = courier_config(courier);
    const char *what = NULL;
    if (parcel->type != DOC_CONFIG && parcel->type != DOC_PLAYLIST)
        return false;
    if (!vault_welcomed(courier->vault)) {
        what = "for the first welcome";
    } else if (parcel->type == DOC_PLAYLIST &&
               ((const struct playlist *)parcel->doc)->config_ver > (config ? config->head.ver : 0)) {
        what = "for the configuration that it was compiled for";
    } else if (parcel->type == DOC_PLAYLIST && courier->now->timeless && courier_playlist(courier)) {
        courier->waits_for_time = true;
        what = "for trusted time, in which what the old one named is answered for";
    } else if (parcel->type == DOC_CONFIG && config && !courier->now->idle) {
        if (courier->config_since_ms == 0)
            courier->config_since_ms = courier->now->elapsed_ms;
        if (courier->now->elapsed_ms - courier->config_since_ms < COURIER_CONFIG_WAIT_MS)
            what = "for an idle moment";
    }
    return what && wait_for(courier, parcel, what, false) == 0;
}

static void adopt(struct courier *courier, struct parcel *parcel)
{
    const struct doc_head *head = head_of(parcel->doc);
    if (vault_adopt(courier->vault, parcel->type, head, parcel->sealed, parcel->len, &parcel->hash) < 0)
        return; /* logged; the retained message comes again with the next session */
    struct belief belief = {.arena = parcel->arena, .doc = parcel->doc, .head = *head, .hash = parcel->hash};
    parcel->arena = NULL;
    if (parcel->type == DOC_CONFIG)
        courier->config_since_ms = 0;
    log_info("courier", "%s %lld.%lld is in force", word_of(parcel->type), (long long)head->era, (long long)head->ver);
    enum doc_type type = parcel->type;
    put_belief(courier, type, &belief);
    for (enum doc_type below = type + 1; type <= DOC_KEYS && below <= DOC_PLAYLIST; below++)
        load(courier, below); /* what was accepted is judged again */
}

static void take_welcome(struct courier *courier, const struct parcel *parcel)
{
    const struct welcome *welcome = parcel->doc;
    if (vault_keep_welcome(courier->vault, welcome) < 0 && !vault_welcomed(courier->vault))
        return; /* the first one must be remembered; floors come again with each welcome */
    nonce_welcomed(&courier->nonce, welcome);
    courier->again = true;
    courier->events.welcome(courier->arg, welcome, parcel->header.kid);
}

static void take_command(struct courier *courier, const struct parcel *parcel)
{
    const struct command *command = parcel->doc;
    courier->events.command(courier->arg, command, vault_command_new(courier->vault, command->id));
}

/* True: it is to be kept among those that wait. */
static bool take(struct courier *courier, struct parcel *parcel)
{
    struct held_version held = {0};
    if (is_belief(parcel->type))
        vault_held(courier->vault, parcel->type, &held);
    else if (parcel->type == DOC_WELCOME)
        held = (struct held_version){.era = courier->nonce.era, .ver = courier->nonce.ver};
    enum refusal refusal = judge(courier, parcel, &held);
    if (refusal == REFUSAL_NONE && !is_belief(parcel->type) &&
        !nonce_quoted(&courier->nonce, parcel->type, parcel->doc)) {
        refusal = REFUSAL_NONCE;
        complain(&parcel->why, ERR_STATE, "it quotes another session than this one");
    }
    if (parcel->same && refusal == REFUSAL_OLDER)
        return false; /* told once more, which is harmless */
    if (refusal == REFUSAL_UNKNOWN_KEY && parcel->type != DOC_COMMAND)
        return keep_stranger(courier, parcel);
    if (refusal != REFUSAL_NONE) {
        refuse(courier, parcel->type, &parcel->hash, refusal_names[refusal], parcel->why.text, !unproven(refusal));
        return false;
    }
    if (must_wait(courier, parcel))
        return true;
    if (parcel->type == DOC_WELCOME)
        take_welcome(courier, parcel);
    else if (parcel->type == DOC_COMMAND)
        take_command(courier, parcel);
    else
        adopt(courier, parcel);
    return false;
}

static void take_sealed(struct courier *courier, enum doc_type type, const void *sealed, size_t len,
                        const struct hash *hash)
{
    struct parcel parcel = {.type = type, .sealed = sealed, .len = len, .hash = *hash, .arena = arena_new()};
    if (!take(courier, &parcel))
        vault_wait_no_more(courier->vault, &parcel.hash);
    arena_free(parcel.arena);
}

static void take_waiting(void *arg, enum doc_type type, const void *sealed, size_t len)
{
    struct courier *courier = arg;
    struct hash hash = hash_of(sealed, len);
    if (is_belief(type) || type == DOC_WELCOME)
        take_sealed(courier, type, sealed, len, &hash);
}

static void settle_waiting(struct courier *courier)
{
    for (int i = 0; courier->again && i < BELIEFS; i++) { /* each adoption may let in the next */
        courier->again = false;
        vault_waiting(courier->vault, take_waiting, courier);
    }
    courier->again = false;
}

/* --- from outside --- */

void courier_load(struct courier *courier, const struct courier_now *now)
{
    courier->now = now;
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++)
        load(courier, type);
    courier->again = true;
    settle_waiting(courier);
    courier->now = NULL;
}

void courier_session(struct courier *courier, const char *nonce, int64_t elapsed_ms)
{
    nonce_begin(&courier->nonce, nonce, elapsed_ms);
}

/* DOC_TYPES: not a topic of ours. */
static enum doc_type type_of_topic(const struct courier *courier, const char *topic)
{
    if (strcmp(topic, "loa/1/trust") == 0)
        return DOC_TRUST;
    if (strcmp(topic, "loa/1/keys") == 0)
        return DOC_KEYS;
    size_t len = strlen(courier->prefix);
    if (strncmp(topic, courier->prefix, len) != 0)
        return DOC_TYPES;
    static const enum doc_type down[] = {DOC_CONFIG, DOC_PLAYLIST, DOC_WELCOME, DOC_COMMAND};
    for (size_t i = 0; i < sizeof(down) / sizeof(down[0]); i++)
        if (strcmp(topic + len, word_of(down[i])) == 0)
            return down[i];
    return DOC_TYPES;
}

/* These very bytes are believed already, and whatever changed since was held against them when it did. */
static bool is_in_force(const struct courier *courier, enum doc_type type, const struct hash *hash)
{
    return is_belief(type) && courier->beliefs[type].doc && hash_equal(&courier->beliefs[type].hash, hash);
}

void courier_message(struct courier *courier, const char *topic, const void *payload, size_t len, bool retained,
                     const struct courier_now *now)
{
    enum doc_type type = type_of_topic(courier, topic);
    if (type == DOC_TYPES || len == 0)
        return; /* an empty payload clears what the broker retains; it changes nothing here */
    struct hash hash = hash_of(payload, len);
    if (is_in_force(courier, type, &hash))
        return; /* the broker tells what it retains with each new session */
    courier->now = now;
    if (retained && type == DOC_COMMAND)
        refuse(courier, type, &hash, "retained", "a command is never retained; this one is from another time", false);
    else
        take_sealed(courier, type, payload, len, &hash);
    settle_waiting(courier);
    courier->now = NULL;
}

void courier_again(struct courier *courier, const struct courier_now *now)
{
    bool timed = courier->waits_for_time && !now->timeless;
    bool idle = courier->config_since_ms != 0 &&
                (now->idle || now->elapsed_ms - courier->config_since_ms >= COURIER_CONFIG_WAIT_MS);
    if (!timed && !idle)
        return;
    courier->waits_for_time = courier->waits_for_time && now->timeless;
    courier->now = now;
    courier->again = true;
    settle_waiting(courier);
    courier->now = NULL;
}

/* It has expired; or a clock that was led astray only said so. */
static bool turns(const struct courier *courier, enum doc_type type, const struct courier_now *now)
{
    const struct belief *belief = &courier->beliefs[type];
    if (belief->doc)
        return now->now_ms >= belief->head.exp_s * 1000;
    return !now->timeless && now->now_ms < courier->expired_s[type] * 1000;
}

void courier_expire(struct courier *courier, const struct courier_now *now)
{
    courier->now = now;
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST; type++) {
        if (!turns(courier, type, now))
            continue;
        load(courier, type); /* puts it out of force and says so, or into force again */
        for (enum doc_type below = type + 1; type <= DOC_KEYS && below <= DOC_PLAYLIST; below++)
            load(courier, below);
        courier->again = courier->beliefs[type].doc != NULL;
        settle_waiting(courier);
    }
    courier->now = NULL;
}

const struct authority *courier_authority(const struct courier *courier)
{
    return &courier->authority;
}

const struct config *courier_config(const struct courier *courier)
{
    return courier->beliefs[DOC_CONFIG].doc;
}

const struct playlist *courier_playlist(const struct courier *courier)
{
    return courier->beliefs[DOC_PLAYLIST].doc;
}

int64_t courier_era(const struct courier *courier)
{
    return courier->authority.trust ? courier->authority.trust->head.era : 1;
}

int64_t courier_trust_exp_ms(const struct courier *courier)
{
    return courier->authority.trust ? courier->authority.trust->head.exp_s * 1000 : INT64_MAX;
}

bool courier_trusts(const struct courier *courier, const char *scheduler_kid)
{
    const struct trust *trust = courier->authority.trust;
    for (size_t i = 0; trust && i < trust->n_schedulers; i++)
        if (strcmp(trust->schedulers[i].kid, scheduler_kid) == 0)
            return true;
    return false;
}

size_t courier_held(const struct courier *courier, struct held_doc *ret, size_t cap)
{
    size_t n = 0;
    for (enum doc_type type = DOC_TRUST; type <= DOC_PLAYLIST && n < cap; type++) {
        const struct belief *belief = &courier->beliefs[type];
        if (belief->doc)
            ret[n++] = (struct held_doc){
                .doc = doc_word(type), .era = belief->head.era, .ver = belief->head.ver, .hash = belief->hash.hex};
    }
    return n;
}
