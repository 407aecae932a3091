/* By whose word: each refusal, with a document that holds before its one change. */
#include "unit.h"

#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct opened {
    enum refusal refusal;
    struct complaint why;
    struct seal_header header;
};

static struct opened open_compact(struct world *w, enum doc_type expected, const char *compact)
{
    struct opened o = {0};
    void *doc = NULL;
    o.refusal = judge_open(&w->authority, expected, compact, strlen(compact), w->arena, &doc, &o.header, &o.why);
    assert_true((o.refusal == REFUSAL_NONE) == (doc != NULL));
    assert_true((o.refusal == REFUSAL_NONE) == (o.why.text[0] == '\0')); /* each refusal has its sentence */
    return o;
}

static struct opened open_sealed(struct world *w, const struct signer *by, enum doc_type type, const void *doc)
{
    char *compact = NULL;
    struct complaint why = {0};
    if (seal_doc(by, type, doc, true, &compact, &why))
        fail_msg("%s", why.text);
    struct opened o = open_compact(w, type, compact);
    free(compact);
    return o;
}

static void expect_sealer(struct world *w, const struct signer *by, enum doc_type type, const void *doc,
                          enum refusal expected)
{
    struct opened o = open_sealed(w, by, type, doc);
    if (o.refusal != expected)
        fail_msg("%s: %s, expected %s (%s)", doc_typ(type), refusal_names[o.refusal], refusal_names[expected],
                 o.why.text);
    if (expected == REFUSAL_NONE)
        assert_string_equal(o.header.kid, by->kid);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    world_init(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

/* --- who may seal what --- */

static void test_chain(void **state)
{
    struct world *w = *state;
    struct playlist playlist = {.head = world_head("dev/cum-1")};
    struct state up = {.head = world_head("controller"), .device = "cum-1", .nonce = "12345678", .store = "a"};
    const struct {
        enum doc_type type;
        const void *doc;
        const struct signer *by;
    } chain[] = {{DOC_TRUST, &w->trust, &w->root[0]},
                 {DOC_TRUST, &w->trust, &w->root[1]},
                 {DOC_KEYS, &w->keys, &w->registrar},
                 {DOC_CONFIG, &w->config, &w->scheduler},
                 {DOC_PLAYLIST, &playlist, &w->scheduler},
                 {DOC_APPROVAL, &w->approval, &w->person[0]},
                 {DOC_STATE, &up, &w->box}};
    const struct signer *all[] = {&w->root[0],   &w->root[1], &w->registrar, &w->scheduler,
                                  &w->person[0], &w->box,     &w->stranger};
    for (size_t i = 0; i < sizeof(chain) / sizeof(chain[0]); i++)
        for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
            bool right = all[k] == chain[i].by || (chain[i].type == DOC_TRUST && k < ROOTS_MAX);
            expect_sealer(w, all[k], chain[i].type, chain[i].doc, right ? REFUSAL_NONE : REFUSAL_UNKNOWN_KEY);
        }
}

static void test_nothing_provisioned(void **state)
{
    struct world *w = *state;
    w->authority.trust = NULL;
    expect_sealer(w, &w->root[0], DOC_TRUST, &w->trust, REFUSAL_NONE);
    expect_sealer(w, &w->registrar, DOC_KEYS, &w->keys, REFUSAL_UNKNOWN_KEY);
    expect_sealer(w, &w->scheduler, DOC_CONFIG, &w->config, REFUSAL_UNKNOWN_KEY);
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_UNKNOWN_KEY);
    w->authority = (struct authority){.trust = &w->trust};
    expect_sealer(w, &w->root[0], DOC_TRUST, &w->trust, REFUSAL_UNKNOWN_KEY);
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_UNKNOWN_KEY);
    struct reply reply = {.head = world_head("controller"), .device = "cum-1", .nonce = "12345678", .id = "1"};
    expect_sealer(w, &w->box, DOC_REPLY, &reply, REFUSAL_UNKNOWN_KEY);
}

/* A key that is vouched for, under which another signed. */
static void test_borrowed_kid(void **state)
{
    struct world *w = *state;
    struct signer thief = w->stranger;
    strcpy(thief.kid, w->scheduler.kid);
    struct opened o = open_sealed(w, &thief, DOC_CONFIG, &w->config);
    assert_int_equal(o.refusal, REFUSAL_SIGNATURE);
    assert_string_equal(o.why.text, "loa-config: its signature does not hold");
}

static void test_types(void **state)
{
    struct world *w = *state;
    char *compact = NULL;
    assert_int_equal(seal_doc(&w->scheduler, DOC_CONFIG, &w->config, false, &compact, NULL), 0);
    assert_int_equal(open_compact(w, DOC_CONFIG, compact).refusal, REFUSAL_NONE);
    struct opened o = open_compact(w, DOC_PLAYLIST, compact);
    assert_int_equal(o.refusal, REFUSAL_TYPE);
    assert_string_equal(o.why.text, "loa-playlist: is a loa-config, expected here is a loa-playlist");
    free(compact);
    assert_int_equal(open_compact(w, DOC_CONFIG, "nothing").refusal, REFUSAL_FORMAT);
    char header[200], *text = json_text(wire_example("loa-config"));
    const char *algs[] = {"none", "HS256", "ES256", "RS256"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"loa-config\"}", algs[i],
                 w->scheduler.kid);
        compact = craft(&w->scheduler, header, text, strlen(text));
        assert_int_equal(open_compact(w, DOC_CONFIG, compact).refusal, REFUSAL_ALG);
        free(compact);
    }
    free(text);
    char *large = xcalloc(1, DOC_SEALED_MAX + 2);
    memset(large, 'A', DOC_SEALED_MAX + 1);
    assert_int_equal(open_compact(w, DOC_CONFIG, large).refusal, REFUSAL_TOO_LARGE);
    free(large);
}

static void test_bad_payload(void **state)
{
    struct world *w = *state;
    char *compact = NULL;
    json_t *json = wire_example("loa-config");
    json_put(json, "delay_ms", json_integer(1001));
    char *text = json_text(json);
    assert_int_equal(seal(&w->scheduler, DOC_CONFIG, text, strlen(text), true, &compact), 0);
    struct opened o = open_compact(w, DOC_CONFIG, compact);
    assert_int_equal(o.refusal, REFUSAL_FORMAT);
    assert_string_equal(o.why.text, "loa-config: delay_ms: is 1001, it must be 0 to 1000");
    free(compact);
    free(text);
}

static void test_approval_opens(void **state)
{
    struct world *w = *state;
    struct person_key *an = &w->persons[0];
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_NONE);
    an->ended = KEY_RETIRED;
    an->ended_ms = WORLD_NOW_S * 1000;
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_NONE);
    an->ended_ms = WORLD_NOW_S * 1000 - 1;
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_RETIRED_KEY);
    an->ended = KEY_COMPROMISED;
    an->ended_ms = INT64_C(4000000000000);
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_COMPROMISED_KEY);
    an->ended = KEY_LIVE;
    w->approval.head.era = WORLD_ERA + 1;
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_ERA);
    w->approval.head.era = WORLD_ERA - 1;
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_NONE);
    w->approval.head.aud = "dev/cum-1";
    expect_sealer(w, &w->person[0], DOC_APPROVAL, &w->approval, REFUSAL_AUDIENCE);
}

/* --- which version counts --- */

static enum refusal head_at(struct doc_head head, const char *aud, struct held_version held, int64_t trust_era,
                            int64_t now_ms, bool *ret_same)
{
    struct complaint why = {0};
    enum refusal refusal = judge_head(&head, aud, &held, trust_era, now_ms, ret_same, &why);
    assert_true((refusal == REFUSAL_NONE) == (why.text[0] == '\0'));
    return refusal;
}

static void test_head(void **unused)
{
    (void)unused;
    struct doc_head head = {"dev/cum-1", 3, 100, 1000, 2000};
    struct held_version none = {0};
    bool same = true;
    assert_int_equal(head_at(head, "dev/cum-1", none, 3, 0, &same), REFUSAL_NONE);
    assert_false(same);
    assert_int_equal(head_at(head, "dev/cum-2", none, 3, 0, &same), REFUSAL_AUDIENCE);
    assert_int_equal(head_at(head, "dev/cum-10", none, 3, 0, NULL), REFUSAL_AUDIENCE);
    assert_int_equal(head_at(head, "all", none, 3, 0, NULL), REFUSAL_AUDIENCE);
    assert_int_equal(head_at(head, "dev/cum-1", none, 2, 0, NULL), REFUSAL_ERA);
    assert_int_equal(head_at(head, "dev/cum-1", none, 4, 0, NULL), REFUSAL_NONE);
    assert_int_equal(head_at(head, "dev/cum-1", none, 3, 1999999, NULL), REFUSAL_NONE);
    assert_int_equal(head_at(head, "dev/cum-1", none, 3, 2000000, NULL), REFUSAL_EXPIRED);
}

static void test_held_versions(void **unused)
{
    (void)unused;
    struct doc_head head = {"all", 3, 100, 1000, 2000};
    bool same = false;
    assert_int_equal(head_at(head, "all", (struct held_version){3, 99, 0, 0}, 3, 0, &same), REFUSAL_NONE);
    assert_false(same);
    assert_int_equal(head_at(head, "all", (struct held_version){3, 100, 0, 0}, 3, 0, &same), REFUSAL_OLDER);
    assert_true(same);
    assert_int_equal(head_at(head, "all", (struct held_version){3, 101, 0, 0}, 3, 0, &same), REFUSAL_OLDER);
    assert_false(same);
    /* a thief's highest version falls with its era */
    assert_int_equal(head_at(head, "all", (struct held_version){2, INT64_MAX, 0, 0}, 3, 0, NULL), REFUSAL_NONE);
    assert_int_equal(head_at(head, "all", (struct held_version){4, 1, 0, 0}, 4, 0, NULL), REFUSAL_OLDER);
}

static void test_floors(void **unused)
{
    (void)unused;
    struct doc_head head = {"all", 3, 100, 1000, 2000};
    bool same = true;
    assert_int_equal(head_at(head, "all", (struct held_version){0, 0, 3, 100}, 3, 0, NULL), REFUSAL_NONE);
    assert_int_equal(head_at(head, "all", (struct held_version){0, 0, 3, 101}, 3, 0, &same), REFUSAL_OLDER);
    assert_false(same);
    assert_int_equal(head_at(head, "all", (struct held_version){0, 0, 2, INT64_MAX}, 3, 0, NULL), REFUSAL_NONE);
    assert_int_equal(head_at(head, "all", (struct held_version){0, 0, 4, 1}, 3, 0, NULL), REFUSAL_NONE);
    assert_int_equal(head_at(head, "all", (struct held_version){0, 0, 4, 1}, 4, 0, NULL), REFUSAL_OLDER);
    assert_int_equal(head_at(head, "all", (struct held_version){0, 0, 3, 100}, INT64_MAX, 0, NULL), REFUSAL_NONE);
}

/* --- what may go on air --- */

struct item {
    struct opened_approval approvals[3];
    size_t n;
    enum air_class class;
    int64_t start_ms;
};

static struct item one_item(struct world *w)
{
    return (struct item){{{&w->approval, w->person[0].kid}}, 1, CLASS_NORMAL, WORLD_NOW_S * 1000};
}

static void expect_item(struct world *w, const struct item *item, enum item_verdict expected)
{
    struct complaint why = {0};
    enum item_verdict v = judge_item(&w->authority, &w->bulletin, WORLD_HASH, item->approvals, item->n,
                                     &w->config.areas, item->class, item->start_ms, &why);
    if (v != expected)
        fail_msg("%s, expected %s (%s)", item_verdict_names[v], item_verdict_names[expected], why.text);
    assert_true((v == ITEM_APPROVED) == (why.text[0] == '\0'));
}

static void test_approved(void **state)
{
    struct world *w = *state;
    struct item item = one_item(w);
    expect_item(w, &item, ITEM_APPROVED);
    item.class = CLASS_FILLER;
    expect_item(w, &item, ITEM_APPROVED);
    item.n = 0;
    expect_item(w, &item, ITEM_UNAPPROVED);
    item.n = 1;
    w->approval.bulletin = "03006a44faf7e1a38ed34731d2e8e8866a5bf0adc163ea70879c0e256633114e";
    expect_item(w, &item, ITEM_UNAPPROVED);
}

static void test_scope(void **state)
{
    struct world *w = *state;
    struct item item = one_item(w);
    w->approval.areas.at[0] = "chi-lang";
    expect_item(w, &item, ITEM_OUT_OF_SCOPE);
    w->approval.areas.at[0] = "lang-son"; /* of the whole province: the device belongs to it */
    expect_item(w, &item, ITEM_APPROVED);
    w->persons[0].areas.at[0] = "chi-lang";
    expect_item(w, &item, ITEM_OUT_OF_SCOPE);
}

static void test_class(void **state)
{
    struct world *w = *state;
    struct item item = one_item(w);
    w->approval.class = CLASS_FILLER;
    expect_item(w, &item, ITEM_OUT_OF_CLASS);
    w->approval.class = CLASS_PRIORITY;
    w->persons[0].class = CLASS_FILLER;
    expect_item(w, &item, ITEM_OUT_OF_CLASS);
    w->persons[0].class = CLASS_PRIORITY;
    w->bulletin.class = CLASS_FILLER;
    expect_item(w, &item, ITEM_OUT_OF_CLASS);
}

static void test_window(void **state)
{
    struct world *w = *state;
    struct item item = one_item(w);
    item.start_ms = w->approval.from_ms;
    expect_item(w, &item, ITEM_APPROVED);
    item.start_ms--;
    expect_item(w, &item, ITEM_OUT_OF_TIME);
    item.start_ms = w->approval.until_ms - 1;
    expect_item(w, &item, ITEM_APPROVED);
    item.start_ms++;
    expect_item(w, &item, ITEM_OUT_OF_TIME);
    w->approval.until_ms = INT64_C(4000000000000);
    item.start_ms = w->approval.head.exp_s * 1000;
    expect_item(w, &item, ITEM_OUT_OF_TIME);
}

static void test_keys(void **state)
{
    struct world *w = *state;
    struct item item = one_item(w);
    struct person_key *an = &w->persons[0];
    an->roles.at[0] = "emergency";
    expect_item(w, &item, ITEM_KEY);
    an->roles.at[0] = "approver";
    an->ended = KEY_COMPROMISED;
    an->ended_ms = INT64_C(4000000000000);
    expect_item(w, &item, ITEM_KEY);
    an->ended = KEY_RETIRED;
    an->ended_ms = WORLD_NOW_S * 1000;
    expect_item(w, &item, ITEM_APPROVED);
    an->ended_ms--;
    expect_item(w, &item, ITEM_KEY);
    an->ended = KEY_LIVE;
    w->approval.head.era = WORLD_ERA + 1;
    expect_item(w, &item, ITEM_KEY);
    w->approval.head.era = WORLD_ERA;
    item.approvals[0].kid = w->stranger.kid;
    expect_item(w, &item, ITEM_KEY);
    item.approvals[0].kid = an->kid;
    w->authority.keys = NULL;
    expect_item(w, &item, ITEM_KEY);
    w->authority.keys = &w->keys;
    w->authority.trust = NULL;
    expect_item(w, &item, ITEM_KEY);
}

static void test_quorum(void **state)
{
    struct world *w = *state;
    struct item item = one_item(w);
    item.class = CLASS_PRIORITY;
    expect_item(w, &item, ITEM_QUORUM);
    item.approvals[1] = item.approvals[0];
    item.n = 2;
    expect_item(w, &item, ITEM_QUORUM); /* the same approval twice */
    item.approvals[1].kid = w->person[2].kid;
    expect_item(w, &item, ITEM_QUORUM); /* two keys of one person */
    item.approvals[1].kid = w->person[1].kid;
    expect_item(w, &item, ITEM_APPROVED);
    w->persons[1].ended = KEY_COMPROMISED;
    w->persons[1].ended_ms = 1;
    expect_item(w, &item, ITEM_QUORUM);
    w->persons[0].ended = KEY_COMPROMISED; /* the same person's other key still counts */
    w->persons[0].ended_ms = 1;
    item.approvals[2] = (struct opened_approval){&w->approval, w->person[2].kid};
    item.n = 3;
    expect_item(w, &item, ITEM_QUORUM);
    w->persons[1].ended = KEY_LIVE;
    expect_item(w, &item, ITEM_APPROVED);
}

static void test_strictest_line(void **state)
{
    struct world *w = *state;
    struct item item = one_item(w);
    w->quorums[1].areas.at[0] = "thon-1";
    expect_item(w, &item, ITEM_QUORUM); /* two for normal in this area */
    item.class = CLASS_FILLER;
    expect_item(w, &item, ITEM_APPROVED);
    item.class = CLASS_NORMAL;
    item.approvals[1] = (struct opened_approval){&w->approval, w->person[1].kid};
    item.n = 2;
    expect_item(w, &item, ITEM_APPROVED);
    w->quorums[1].persons = 3;
    item.class = CLASS_PRIORITY; /* both lines match: three */
    expect_item(w, &item, ITEM_QUORUM);
    w->quorums[1].areas.at[0] = "huu-nghi"; /* not here */
    expect_item(w, &item, ITEM_APPROVED);
}

/* The sentence tells the obstacle of the approval that came nearest. */
static void test_nearest(void **state)
{
    struct world *w = *state;
    struct approval elsewhere = w->approval;
    const char *chi_lang[] = {"chi-lang"};
    elsewhere.areas = (struct texts){chi_lang, 1};
    struct item item = one_item(w);
    item.approvals[0] = (struct opened_approval){&elsewhere, w->person[0].kid};
    item.approvals[1] = (struct opened_approval){&w->approval, w->person[1].kid};
    item.n = 2;
    item.start_ms = w->approval.until_ms;
    expect_item(w, &item, ITEM_OUT_OF_TIME);
    item.approvals[1].kid = w->stranger.kid;
    expect_item(w, &item, ITEM_OUT_OF_SCOPE);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_chain),        CASE(test_nothing_provisioned),
        CASE(test_borrowed_kid), CASE(test_types),
        CASE(test_bad_payload),  CASE(test_approval_opens),
        CASE(test_head),         CASE(test_held_versions),
        CASE(test_floors),       CASE(test_approved),
        CASE(test_scope),        CASE(test_class),
        CASE(test_window),       CASE(test_keys),
        CASE(test_quorum),       CASE(test_strictest_line),
        CASE(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
