/* Documents: what is refused, with which sentence; what is taken; the largest; what a bulletin means. */
#include "unit.h"

#include "playlists/codec.h"
#include "samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void accept(const char *tag, const char *path, const char *value)
{
    json_t *json = wire_example(tag);
    json_put(json, path, value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL);
    char *text = json_text(json);
    struct complaint why = {0};
    if (example_decode(tag, text, &why))
        fail_msg("%s, %s = %s: %s", tag, path, value ? value : "(removed)", why.text);
    free(text);
}

static const struct {
    const char *tag, *path, *value, *sentence;
} refused[] = {
    {"loa-playlist", "items[1].start_ms", "-5", "items[1].start_ms: is -5, it must be 0 to 4102444800000"},
    {"loa-playlist", "items[0].class", "\"emergency\"",
     "items[0].class: is \"emergency\", it must be one of filler, normal, priority"},
    {"loa-playlist", "items[0].bulletin", "1", "items[0].bulletin: is 1, but there are only 1 bulletins"},
    {"loa-playlist", "items[0].bulletin", "-1", "items[0].bulletin: is -1, which only a relay's is"},
    {"loa-playlist", "items[0].source", "\"VOV1\"", "items[0].source: is named beside a bulletin"},
    {"loa-playlist", "items[2].source", NULL, "items[2].bulletin: is -1, which only a relay's is"},
    {"loa-playlist", "items[0].languages", "[\"vi\",\"vi\"]", "items[0].languages: names \"vi\" twice"},
    {"loa-playlist", "items[0].exempt", "\"\"", "items[0].exempt: has 0 bytes"},
    {"loa-playlist", "items[0].catch_up_ms", "-1", "items[0].catch_up_ms: is -1"},
    {"loa-playlist", "items[0].id", "\"chao-sang.1782882000.\"", "items[0].id: is \"chao-sang.1782882000.\""},
    {"loa-playlist", "items[0].id", "\"chao-sang.1782882000.R\"", "items[0].id: is \"chao-sang.1782882000.R\""},
    {"loa-playlist", "items[0].id", "\"chao-sang..r1\"", "items[0].id: is \"chao-sang..r1\""},
    {"loa-playlist", "items[0].id", "\"a.1.bcdefghijklmnopqr\"", "items[0].id: is \"a.1.bcdefghijklmnopqr\""},
    {"loa-playlist", "items[0].end_ms", "1782882000000", "items[0].end_ms: is not after start_ms"},
    {"loa-playlist", "items[1].start_ms", "1782881999000", "items[1]: must come after the item before it"},
    {"loa-playlist", "items[0].start_ms", "1782885600001", "items[0].end_ms: is not after start_ms"},
    {"loa-playlist", "items[1].end_ms", "\"soon\"", "items[1].end_ms: is a text, it must be an integer"},
    {"loa-playlist", "items[0].start_ms", "1.5", "items[0].start_ms: is a real number, it must be an integer"},
    {"loa-playlist", "items[0].zones", "[\"zone_1\",\"zone_1\"]", "items[0].zones: names \"zone_1\" twice"},
    {"loa-playlist", "items[0].zones[1]", "7", "items[0].zones[1]: is an integer, it must be a text"},
    {"loa-playlist", "items", "{}", "items: is an object, it must be a list"},
    {"loa-playlist", "bulletins[0].approvals[1].hash", "\"AB\"", "bulletins[0].approvals[1].hash: is \"AB\""},
    {"loa-playlist", "until_ms", "5", "until_ms: is before from_ms"},
    {"loa-playlist", "aud", "\"dev/Cum\"", "aud: is \"dev/Cum\", it must be all, controller"},
    {"loa-playlist", "exp", "1782878400", "exp: is not after iat"},
    {"loa-playlist", "ver", "9007199254740992", "ver: is 9007199254740992"},
    {"loa-playlist", "era", NULL, "era: is missing"},
    {"loa-trust", "registrars", "[]", "registrars: has 0 entries, it must have 1 to 16"},
    {"loa-trust", "schedulers[0].kid", "\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\"",
     "schedulers[0].kid: is not the thumbprint of x"},
    {"loa-trust", "schedulers[0].x", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
     "schedulers[0].x: is no Ed25519 public key"},
    {"loa-trust", "schedulers[0].x", "\"i2mYbDCgZjA0aU6n1iiH0veqzhcq6AYwhsJhsIJ5mKl\"", "schedulers[0].x: is"},
    {"loa-trust", "quorums[0].persons", "0", "quorums[0].persons: is 0, it must be 1 to 9"},
    {"loa-keys", "persons[1].ended_ms", NULL, "persons[1].ended_ms: is missing"},
    {"loa-keys", "persons[0].ended_ms", "5", "persons[0].ended_ms: is set"},
    {"loa-keys", "persons[0].roles", "[]", "persons[0].roles: has 0 entries"},
    {"loa-config", "zone", "\"../../etc/passwd\"", "zone: is \"../../etc/passwd\", it must be a name of the tz"},
    {"loa-config", "quiet_hours[0].from_min", "1440", "quiet_hours[0].from_min: is 1440"},
    {"loa-config", "later[1].from_ms", "1798736400000", "later[1].from_ms: is not after the one before"},
    {"loa-config", "areas[1]", "\"-a\"", "areas[1]: is \"-a\", it must be an id"},
    {"loa-welcome", "floors[0].era", "2", "floors[0].era: is above the era of the welcome"},
    {"loa-welcome", "nonce", "\"short\"", "nonce: is \"short\", it must be a nonce"},
    {"loa-command", "kind", NULL, "kind: must be there for send_again"},
    {"loa-command", "kind", "\"health\"", "kind: is \"health\", it must be one of receipt, event"},
    {"loa-command", "store", NULL, "store: must be there for send_again"},
    {"loa-command", "from", "0", "from: must be there for send_again"},
    {"loa-config", "pinned[0].size", "67108865", "pinned[0].size: is 67108865"},
    {"loa-receipt", "evidence.sound.frames", "-1", "evidence.sound.frames: is -1"},
    {"loa-receipt", "occurrence", "\"a.b\"", "occurrence: is \"a.b\""},
    {"loa-receipt", "reason", "\"unknown\"", "reason: is \"unknown\""},
    {"loa-state", "grade", "\"good\"", "grade: is \"good\", it must be one of unknown, held, signed, synced"},
    {"loa-health", "values[0].value", "1e300", "values[0].value: is 1e+300"},
    {"loa-health", "values[0].value", "\"nan\"", "values[0].value: is a text, it must be a number"},
    {"loa-approval", "until_ms", "1", "until_ms: is not after from_ms"},
    {"bulletin", "contents[2].lang", "\"vi\"", "contents[2].lang: is \"vi\" a second time"},
    {"bulletin", "contents[1].text", NULL, "contents[1].text: is missing, and audio too"},
    {"bulletin", "title", "\"a\\nb\"", "title: is \"a?b\", it must be one line"},
    {"bulletin", "title", "\"\"", "title: has 0 bytes, it must have 1 to 300"},
    {"bulletin", "title", "null", "title: is null, it must be a text"},
    {"bulletin", "contents[0].audio", "[]", "contents[0].audio: is a list, it must be an object"},
};

static void test_sentences(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        example_refuse(refused[i].tag, refused[i].path, refused[i].value, refused[i].sentence);
}

static void test_accepted(void **unused)
{
    (void)unused;
    accept("loa-playlist", "later", "{\"unknown\": [1, 2, 3]}");
    accept("loa-playlist", "items[0].later", "true");
    accept("loa-command", "command", "\"command-of-tomorrow\"");
    accept("loa-keys", "persons[0].roles", "[\"approver\", \"role-of-tomorrow\"]");
    accept("loa-welcome", "floors[0].doc", "\"inforce\"");
    accept("loa-health", "values[0].value", "3");
    accept("loa-receipt", "occurrence", "\"order-7\"");
    accept("loa-receipt", "occurrence", "\"thoi-su.1782900000.r3f2a9c1d12\"");
    accept("loa-receipt", "bulletin", NULL);
    accept("loa-receipt", "exempt", NULL);
    accept("loa-receipt", "exempt", "\"emergency\"");
    accept("loa-receipt", "evidence", NULL);
    accept("loa-receipt", "detail", "\"\\u0007\\n\"");
    accept("bulletin", "contents[0].text", "\"một\\nhai\\tba\"");
}

static void refuse_text(const char *text, const char *sentence)
{
    struct complaint why = {0};
    int err = example_decode("loa-command", text, &why);
    if (err != ERR_FORMAT && err != ERR_LIMIT)
        fail_msg("%.60s: %d", text, err);
    if (!strstr(why.text, sentence))
        fail_msg("%.60s: \"%s\" does not say \"%s\"", text, why.text, sentence);
}

static void test_form_of_json(void **unused)
{
    (void)unused;
    refuse_text("", "is not the JSON of one object");
    refuse_text("[]", "is a list, it must be an object");
    refuse_text("\"x\"", "is not the JSON of one object");
    refuse_text("{} {}", "is not the JSON of one object");
    refuse_text("\xEF\xBB\xBF{}", "is not the JSON of one object");
    refuse_text("{\"aud\":\"all\",\"aud\":\"all\"}", "duplicate");
    refuse_text("{\"x\":{\"a\":1,\"a\":2}}", "duplicate");
    refuse_text("{\"x\":\"\\u0000\"}", "is not the JSON of one object");
    refuse_text("{\"x\":\"\\ud800\"}", "is not the JSON of one object");
    refuse_text("{\"x\":\"\xC0\x80\"}", "is not the JSON of one object");
    refuse_text("{\"x\":\"\xED\xA0\x80\"}", "is not the JSON of one object");
    refuse_text("{\"x\":99999999999999999999}", "is not the JSON of one object");
    refuse_text("{\"x\":[[[[[[[[1]]]]]]]]}", "is nested deeper than 8 levels");
    refuse_text("{\"x\":[[[[[[[1]]]]]]]}", "aud: is missing");
    refuse_text("{\"x\":\"[[[[[[[[[[\\\"[[[[\"}", "aud: is missing");
    struct complaint why = {0};
    struct arena *arena = arena_new();
    void *doc = NULL;
    char *huge = xcalloc(1, DOC_INFLATED_MAX + 2);
    memset(huge, ' ', DOC_INFLATED_MAX + 1);
    assert_int_equal(doc_decode(DOC_COMMAND, huge, DOC_INFLATED_MAX + 1, arena, &doc, &why), ERR_LIMIT);
    memset(huge, '[', DOC_INFLATED_MAX);
    assert_int_equal(doc_decode(DOC_COMMAND, huge, DOC_INFLATED_MAX, arena, &doc, &why), ERR_LIMIT);
    assert_null(doc);
    free(huge);
    arena_free(arena);
}

/* --- the largest documents --- */

static void test_full_playlist(void **unused)
{
    (void)unused;
    enum { ITEMS = 2000 };
    struct playlist_item *items = xcalloc(ITEMS + 1, sizeof(*items));
    char(*ids)[32] = xcalloc(ITEMS + 1, sizeof(*ids));
    for (int i = 0; i <= ITEMS; i++) {
        snprintf(ids[i], sizeof(ids[i]), "rule-%d.%d", i % 10, 1782882000 + i);
        items[i] = (struct playlist_item){
            .id = ids[i], .start_ms = (1782882000 + i) * INT64_C(1000), .end_ms = INT64_C(1782890000000)};
    }
    struct playlist_bulletin bulletin = {.hash = WORLD_HASH, .size = 100};
    struct playlist p = {.head = world_head("dev/cum-1"),
                         .bulletins = &bulletin,
                         .n_bulletins = 1,
                         .items = items,
                         .n_items = ITEMS,
                         .until_ms = 5};
    struct buf out = {0};
    struct complaint why = {0};
    assert_int_equal(doc_encode(DOC_PLAYLIST, &p, &out, &why), 0);
    struct arena *arena = arena_new();
    void *doc = NULL;
    assert_int_equal(doc_decode(DOC_PLAYLIST, out.data, out.len, arena, &doc, &why), 0);
    assert_int_equal(((struct playlist *)doc)->n_items, ITEMS);
    assert_string_equal(((struct playlist *)doc)->items[ITEMS - 1].id, ids[ITEMS - 1]);
    p.n_items = ITEMS + 1;
    assert_int_equal(doc_encode(DOC_PLAYLIST, &p, &out, &why), ERR_LIMIT);
    p.n_items = ITEMS;
    struct playlist_item first = items[0];
    items[0] = items[1];
    items[1] = first;
    assert_int_equal(doc_encode(DOC_PLAYLIST, &p, &out, &why), ERR_FORMAT);
    assert_string_equal(why.text, "items[1]: must come after the item before it, by start_ms, then id");
    arena_free(arena);
    buf_done(&out);
    free(ids);
    free(items);
}

static void test_key_twice(void **unused)
{
    (void)unused;
    struct world w;
    world_init(&w);
    struct buf out = {0};
    struct complaint why = {0};
    assert_int_equal(doc_encode(DOC_KEYS, &w.keys, &out, &why), 0);
    w.persons[2] = w.persons[0];
    w.persons[2].ended = KEY_COMPROMISED;
    w.persons[2].ended_ms = 1;
    assert_int_equal(doc_encode(DOC_KEYS, &w.keys, &out, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "persons: names the key"));
    buf_done(&out);
    world_done(&w);
}

static void test_strings_survive(void **unused)
{
    (void)unused;
    struct world w;
    world_init(&w);
    w.contents[0].text = "\"\\/\t\r\n Ặ 同 \xF0\x9F\x93\xA2";
    struct buf out = {0};
    struct complaint why = {0};
    struct bulletin *back = NULL;
    assert_int_equal(bulletin_encode(&w.bulletin, &out, &why), 0);
    assert_int_equal(bulletin_decode(out.data, out.len, w.arena, &back, &why), 0);
    assert_string_equal(back->contents[0].text, w.contents[0].text);
    buf_done(&out);
    world_done(&w);
}

/* A bulletin of 262144 bytes would need more contents than it may have, so the bound is asked of the reader. */
static void test_large_bulletin(void **unused)
{
    (void)unused;
    struct arena *arena = arena_new();
    struct bulletin *back = NULL;
    char *text = xcalloc(1, BLOB_DOC_MAX + 2);
    memset(text, ' ', BLOB_DOC_MAX + 1);
    assert_int_equal(bulletin_decode(text, BLOB_DOC_MAX + 1, arena, &back, NULL), ERR_LIMIT);
    assert_int_equal(bulletin_decode(text, BLOB_DOC_MAX, arena, &back, NULL), ERR_FORMAT);
    free(text);
    arena_free(arena);
}

/* --- what a bulletin means for a device --- */

static void test_bulletin_use(void **unused)
{
    (void)unused;
    struct world w;
    world_init(&w);
    struct media_ref vi = {WORLD_HASH, 10, 48000}, en = {WORLD_HASH, 10, 24001};
    w.contents[0] = (struct bulletin_content){"vi", "chào", &vi};
    w.contents[1] = (struct bulletin_content){"en", NULL, &en};
    w.contents[2] = (struct bulletin_content){"zh", "你好", NULL};
    w.bulletin.n_contents = 3;
    const char *zh_en_vi[] = {"zh", "en", "vi"}, *tyz[] = {"tyz"};
    struct texts all = {zh_en_vi, 3}, none = {tyz, 1}, en_only = {zh_en_vi + 1, 1};
    size_t picked[3];
    assert_int_equal(bulletin_pick(&w.bulletin, &all, picked, 3), 3);
    assert_int_equal(picked[0], 2);
    assert_int_equal(picked[1], 1);
    assert_int_equal(picked[2], 0);
    assert_int_equal(bulletin_pick(&w.bulletin, &none, picked, 3), 1);
    assert_int_equal(picked[0], 0);
    assert_int_equal(bulletin_pick(&w.bulletin, &all, picked, 2), 2);
    struct bulletin_use use = bulletin_use(&w.bulletin, &all, KIND_CLUSTER);
    assert_true(use.sound && use.text);
    assert_int_equal(use.sound_ms, 1501); /* 72001 frames, rounded up */
    use = bulletin_use(&w.bulletin, &all, KIND_BOARD);
    assert_true(!use.sound && use.text && use.sound_ms == 0);
    use = bulletin_use(&w.bulletin, &all, KIND_LOUDSPEAKER);
    assert_true(use.sound && !use.text);
    use = bulletin_use(&w.bulletin, &en_only, KIND_BOARD);
    assert_true(!use.sound && !use.text);
    world_done(&w);
}

static void test_versions(void **unused)
{
    (void)unused;
    assert_true(doc_version_cmp(1, 9, 2, 1) < 0);
    assert_true(doc_version_cmp(2, 1, 1, INT64_MAX) > 0);
    assert_true(doc_version_cmp(2, 5, 2, 5) == 0);
    assert_true(doc_version_cmp(2, 5, 2, 6) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),      cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_form_of_json),   cmocka_unit_test(test_full_playlist),
        cmocka_unit_test(test_key_twice),      cmocka_unit_test(test_strings_survive),
        cmocka_unit_test(test_large_bulletin), cmocka_unit_test(test_bulletin_use),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
