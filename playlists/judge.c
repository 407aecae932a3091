/* judge.c - see judge.h. The table of roles is the chain: who may seal which document. */
#include "playlists/judge.h"

#include <inttypes.h>
#include <string.h>

const char *const item_verdict_names[] = {"approved",    "unapproved", "out_of_scope", "out_of_class",
                                          "out_of_time", "key",        "quorum",       NULL};

/* --- who may seal what --- */

enum sealer { BY_ROOT, BY_REGISTRAR, BY_SCHEDULER, BY_PERSON, BY_BOX };

static const enum sealer sealers[DOC_TYPES] = {
    [DOC_TRUST] = BY_ROOT,         [DOC_KEYS] = BY_REGISTRAR,    [DOC_CONFIG] = BY_SCHEDULER,
    [DOC_PLAYLIST] = BY_SCHEDULER, [DOC_WELCOME] = BY_SCHEDULER, [DOC_COMMAND] = BY_SCHEDULER,
    [DOC_STATE] = BY_BOX,          [DOC_RECEIPT] = BY_BOX,       [DOC_EVENT] = BY_BOX,
    [DOC_REPLY] = BY_BOX,          [DOC_HEALTH] = BY_BOX,        [DOC_APPROVAL] = BY_PERSON,
};

static const char *const sealer_words[] = {"a provisioned root", "a registrar of the trust", "a scheduler of the trust",
                                           "a person of the keys", "the box of this device"};

static bool names_key(const char *x, const char *kid)
{
    char thumbprint[44];
    return key_name(x, thumbprint) == 0 && strcmp(thumbprint, kid) == 0; /* that it is a key, the signature shows */
}

static const char *root_x(const struct authority *authority, const char *kid)
{
    for (size_t i = 0; i < ROOTS_MAX; i++)
        if (authority->root_x[i][0] && names_key(authority->root_x[i], kid))
            return authority->root_x[i];
    return NULL;
}

static const char *listed_x(const struct public_key *keys, size_t n, const char *kid)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i].kid, kid) == 0)
            return keys[i].x;
    return NULL;
}

static const struct person_key *find_person(const struct keys *keys, const char *kid)
{
    for (size_t i = 0; keys && i < keys->n_persons; i++)
        if (strcmp(keys->persons[i].kid, kid) == 0)
            return &keys->persons[i];
    return NULL;
}

/* The public key that may have sealed a document of this type under `kid`; NULL: nobody vouches for it. */
static const char *find_x(const struct authority *authority, enum doc_type type, const char *kid)
{
    const struct trust *trust = authority->trust;
    const struct person_key *person;
    switch (sealers[type]) {
    case BY_ROOT:
        return root_x(authority, kid);
    case BY_REGISTRAR:
        return trust ? listed_x(trust->registrars, trust->n_registrars, kid) : NULL;
    case BY_SCHEDULER:
        return trust ? listed_x(trust->schedulers, trust->n_schedulers, kid) : NULL;
    case BY_PERSON:
        person = trust ? find_person(authority->keys, kid) : NULL;
        return person ? person->x : NULL;
    case BY_BOX:
        return authority->box_x && names_key(authority->box_x, kid) ? authority->box_x : NULL;
    }
    return NULL;
}

/* A retired key's word holds when it was given before the end; a compromised key's never did. */
static enum refusal judge_end(const struct person_key *key, int64_t iat_s, struct complaint *why)
{
    if (key->ended == KEY_COMPROMISED) {
        complain(why, ERR_KEY, "the key %s of %s is compromised, nothing it signed counts", key->kid, key->person);
        return REFUSAL_COMPROMISED_KEY;
    }
    if (key->ended == KEY_RETIRED && iat_s * 1000 > key->ended_ms) {
        complain(why, ERR_KEY, "the key %s of %s was retired before this was signed", key->kid, key->person);
        return REFUSAL_RETIRED_KEY;
    }
    return REFUSAL_NONE;
}

/* An approval has no versions, so what judge_head() asks of others is asked here. */
static enum refusal judge_approval(const struct authority *authority, const char *kid, const struct approval *approval,
                                   struct complaint *why)
{
    const struct doc_head *head = &approval->head;
    if (strcmp(head->aud, "all") != 0) {
        complain(why, ERR_AUDIENCE, "aud is \"%s\", an approval is for \"all\"", head->aud);
        return REFUSAL_AUDIENCE;
    }
    if (head->era > authority->trust->head.era) {
        complain(why, ERR_VERSION, "era is %" PRId64 ", above that of the trust in force (%" PRId64 ")", head->era,
                 authority->trust->head.era);
        return REFUSAL_ERA;
    }
    return judge_end(find_person(authority->keys, kid), head->iat_s, why);
}

static enum refusal say(enum refusal refusal, struct complaint *why)
{
    static const char *const sentences[REFUSALS] = {
        [REFUSAL_FORMAT] = "is no sealed document: three parts of base64url with a header of ours are expected",
        [REFUSAL_ALG] = "is sealed by another algorithm, alg must be EdDSA",
        [REFUSAL_TYPE] = "is of a type that is not known",
        [REFUSAL_SIGNATURE] = "its signature does not hold",
        [REFUSAL_TOO_LARGE] = "is too large: at most 65536 bytes sealed and 1048576 inflated",
    };
    if (sentences[refusal])
        complain(why, ERR_FORMAT, "%s", sentences[refusal]);
    return refusal;
}

/* Everything up to the payload's bytes. */
static enum refusal open_payload(const struct authority *authority, enum doc_type expected, const char *compact,
                                 size_t len, struct seal_header *ret_header, struct buf *ret_payload,
                                 struct complaint *why)
{
    enum refusal refusal = seal_peek(compact, len, ret_header);
    if (refusal)
        return say(refusal, why);
    if (ret_header->type != expected) {
        complain(why, ERR_FORMAT, "is a %s, expected here is a %s", doc_typ(ret_header->type), doc_typ(expected));
        return REFUSAL_TYPE;
    }
    const char *x = find_x(authority, expected, ret_header->kid);
    if (!x) {
        complain(why, ERR_KEY, "is sealed by the key %s, it must be sealed by %s", ret_header->kid,
                 sealer_words[sealers[expected]]);
        return REFUSAL_UNKNOWN_KEY;
    }
    return say(seal_open(compact, len, x, ret_payload), why);
}

enum refusal judge_open(const struct authority *authority, enum doc_type expected, const char *compact, size_t len,
                        struct arena *arena, void **ret_doc, struct seal_header *ret_header, struct complaint *why)
{
    struct seal_header header;
    struct buf payload = {0};
    void *doc = NULL;
    enum refusal refusal = open_payload(authority, expected, compact, len, &header, &payload, why);
    if (refusal == REFUSAL_NONE) {
        int err = doc_decode(expected, payload.data, payload.len, arena, &doc, why);
        refusal = err ? REFUSAL_FORMAT : REFUSAL_NONE;
    }
    if (refusal == REFUSAL_NONE && expected == DOC_APPROVAL)
        refusal = judge_approval(authority, header.kid, doc, why);
    buf_done(&payload);
    if (refusal) {
        complain_prefix(why, "%s", doc_typ(expected));
        return refusal;
    }
    *ret_doc = doc;
    if (ret_header)
        *ret_header = header;
    return REFUSAL_NONE;
}

/* --- which version counts --- */

static enum refusal judge_version(const struct doc_head *head, const struct held_version *held, int64_t trust_era,
                                  bool *ret_same, struct complaint *why)
{
    int order = doc_version_cmp(head->era, head->ver, held->era, held->ver);
    if (order <= 0) {
        *ret_same = order == 0;
        complain(why, ERR_VERSION, "is version %" PRId64 ".%" PRId64 ", held is %" PRId64 ".%" PRId64, head->era,
                 head->ver, held->era, held->ver);
        return REFUSAL_OLDER;
    }
    /* A floor from an era that no trust in force has reached binds nobody. */
    if (held->floor_era <= trust_era && doc_version_cmp(head->era, head->ver, held->floor_era, held->floor_ver) < 0) {
        complain(why, ERR_VERSION, "is version %" PRId64 ".%" PRId64 ", the centre's floor is %" PRId64 ".%" PRId64,
                 head->era, head->ver, held->floor_era, held->floor_ver);
        return REFUSAL_OLDER;
    }
    return REFUSAL_NONE;
}

enum refusal judge_head(const struct doc_head *head, const char *audience, const struct held_version *held,
                        int64_t trust_era, int64_t now_ms, bool *ret_same, struct complaint *why)
{
    bool same = false;
    enum refusal refusal;
    if (strcmp(head->aud, audience) != 0) {
        complain(why, ERR_AUDIENCE, "is for \"%s\", this is \"%s\"", head->aud, audience);
        refusal = REFUSAL_AUDIENCE;
    } else if (head->era > trust_era) {
        complain(why, ERR_VERSION, "era is %" PRId64 ", above that of the trust in force (%" PRId64 ")", head->era,
                 trust_era);
        refusal = REFUSAL_ERA;
    } else {
        refusal = judge_version(head, held, trust_era, &same, why);
    }
    if (refusal == REFUSAL_NONE && now_ms >= head->exp_s * 1000) {
        complain(why, ERR_EXPIRED, "expired %" PRId64 " s ago", now_ms / 1000 - head->exp_s);
        refusal = REFUSAL_EXPIRED;
    }
    if (ret_same)
        *ret_same = same;
    return refusal;
}

/* --- what may go on air --- */

struct item_case {
    const struct authority *authority;
    const char *bulletin_hash;
    const struct texts *areas;
    enum air_class class;
    int64_t start_ms;
};

static enum item_verdict judge_person(const struct item_case *c, const struct person_key *key,
                                      const struct approval *approval, struct complaint *why)
{
    if (judge_end(key, approval->head.iat_s, why))
        return ITEM_KEY;
    if (approval->head.era > c->authority->trust->head.era) {
        complain(why, ERR_KEY, "the approval of %s is of an era above that of the trust in force", key->person);
        return ITEM_KEY;
    }
    if (!texts_have(&key->roles, "approver")) {
        complain(why, ERR_KEY, "%s has not the role approver", key->person);
        return ITEM_KEY;
    }
    if (!texts_meet(&key->areas, c->areas)) {
        complain(why, ERR_KEY, "%s may not approve for an area of this device", key->person);
        return ITEM_OUT_OF_SCOPE;
    }
    if ((int)c->class > key->class) {
        complain(why, ERR_KEY, "%s may approve up to class %s, this is %s", key->person, air_class_names[key->class],
                 air_class_names[c->class]);
        return ITEM_OUT_OF_CLASS;
    }
    return ITEM_APPROVED;
}

static enum item_verdict judge_one(const struct item_case *c, const struct opened_approval *opened,
                                   const struct person_key **ret_person, struct complaint *why)
{
    const struct approval *a = opened->approval;
    const struct person_key *key = find_person(c->authority->keys, opened->kid);
    if (!key) {
        complain(why, ERR_KEY, "the key %s that approved belongs to nobody in the keys", opened->kid);
        return ITEM_KEY;
    }
    enum item_verdict verdict = judge_person(c, key, a, why);
    if (verdict)
        return verdict;
    if (!texts_meet(&a->areas, c->areas)) {
        complain(why, ERR_KEY, "the approval of %s covers no area of this device", key->person);
        return ITEM_OUT_OF_SCOPE;
    }
    if ((int)c->class > a->class) {
        complain(why, ERR_KEY, "the approval of %s goes up to class %s, this is %s", key->person,
                 air_class_names[a->class], air_class_names[c->class]);
        return ITEM_OUT_OF_CLASS;
    }
    if (c->start_ms < a->from_ms || c->start_ms >= a->until_ms || c->start_ms >= a->head.exp_s * 1000) {
        complain(why, ERR_KEY, "the start lies outside the time for which %s approved", key->person);
        return ITEM_OUT_OF_TIME;
    }
    *ret_person = key;
    return ITEM_APPROVED;
}

/* Distinct persons that are asked for: the strictest line that matches; a line holds for its class and above. */
static size_t persons_asked(const struct item_case *c)
{
    const struct trust *trust = c->authority->trust;
    int64_t asked = 1;
    for (size_t i = 0; i < trust->n_quorums; i++) {
        const struct quorum *q = &trust->quorums[i];
        if ((int)c->class >= q->class && (q->areas.n == 0 || texts_meet(&q->areas, c->areas)) && q->persons > asked)
            asked = q->persons;
    }
    return (size_t)asked;
}

/* How near a failed approval came, so that the sentence tells the last obstacle, not the first. */
static int nearness(enum item_verdict verdict)
{
    static const int order[] = {[ITEM_UNAPPROVED] = 0,   [ITEM_KEY] = 1,         [ITEM_OUT_OF_SCOPE] = 2,
                                [ITEM_OUT_OF_CLASS] = 3, [ITEM_OUT_OF_TIME] = 4, [ITEM_QUORUM] = 5};
    return order[verdict];
}

enum { PERSONS_COUNTED_MAX = 9 }; /* no quorum asks for more */

struct tally {
    const char *persons[PERSONS_COUNTED_MAX];
    size_t n;
    enum item_verdict nearest; /* of those that failed */
    struct complaint why;
};

static void count_one(const struct item_case *c, const struct opened_approval *opened, struct tally *tally)
{
    const struct person_key *person = NULL;
    struct complaint why = {0};
    enum item_verdict verdict = judge_one(c, opened, &person, &why);
    if (verdict != ITEM_APPROVED) {
        if (nearness(verdict) > nearness(tally->nearest)) {
            tally->nearest = verdict;
            tally->why = why;
        }
        return;
    }
    for (size_t i = 0; i < tally->n; i++)
        if (strcmp(tally->persons[i], person->person) == 0)
            return;
    if (tally->n < PERSONS_COUNTED_MAX)
        tally->persons[tally->n++] = person->person;
}

enum item_verdict judge_item(const struct authority *authority, const struct bulletin *bulletin,
                             const char *bulletin_hash, const struct opened_approval *approvals, size_t n_approvals,
                             const struct texts *areas, enum air_class class, int64_t start_ms, struct complaint *why)
{
    struct item_case c = {authority, bulletin_hash, areas, class, start_ms};
    if (!authority->trust) {
        complain(why, ERR_KEY, "no trust is adopted yet, so nobody may approve");
        return ITEM_KEY;
    }
    if ((int)class > bulletin->class) {
        complain(why, ERR_KEY, "the bulletin is meant for class %s at most, this is %s",
                 air_class_names[bulletin->class], air_class_names[class]);
        return ITEM_OUT_OF_CLASS;
    }
    struct tally tally = {.nearest = ITEM_UNAPPROVED};
    complain(&tally.why, ERR_KEY, "no approval names this bulletin");
    for (size_t i = 0; i < n_approvals; i++)
        if (strcmp(approvals[i].approval->bulletin, bulletin_hash) == 0)
            count_one(&c, &approvals[i], &tally);
    size_t asked = persons_asked(&c);
    if (tally.n >= asked)
        return ITEM_APPROVED;
    if (tally.n > 0) {
        complain(why, ERR_KEY, "%zu of %zu distinct persons have approved", tally.n, asked);
        return ITEM_QUORUM;
    }
    complain(why, ERR_KEY, "%s", tally.why.text);
    return tally.nearest;
}
