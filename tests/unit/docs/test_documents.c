/* Limits: each member of each document, reading and writing, refused with a sentence that names it. */
#include "unit.h"

#include "playlists/codec.h"
#include "samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int decode(const char *tag, const char *text, struct complaint *why)
{
    struct arena *arena = arena_new();
    void *doc = NULL;
    struct bulletin *bulletin = NULL;
    int type = doc_type_of(tag);
    int err = type >= 0 ? doc_decode((enum doc_type)type, text, strlen(text), arena, &doc, why)
                        : bulletin_decode(text, strlen(text), arena, &bulletin, why);
    arena_free(arena);
    return err;
}

/* Replace (NULL: remove) one member of the example; reading it must be refused with this sentence. */
static void refuse(const char *tag, const char *path, const char *value, const char *sentence)
{
    json_t *json = wire_example(tag);
    json_put(json, path, value ? json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL);
    char *text = json_text(json);
    struct complaint why = {0};
    int err = decode(tag, text, &why);
    if (err != ERR_FORMAT && err != ERR_LIMIT)
        fail_msg("%s, %s = %s: %d", tag, path, value ? value : "(removed)", err);
    if (!strstr(why.text, sentence))
        fail_msg("%s, %s = %s: \"%s\" does not say \"%s\"", tag, path, value ? value : "(removed)", why.text, sentence);
    free(text);
}

static void accept(const char *tag, const char *path, const char *value)
{
    json_t *json = wire_example(tag);
    json_put(json, path, value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL);
    char *text = json_text(json);
    struct complaint why = {0};
    if (decode(tag, text, &why))
        fail_msg("%s, %s = %s: %s", tag, path, value ? value : "(removed)", why.text);
    free(text);
}

static void test_sentences(void **unused)
{
    (void)unused;
    refuse("loa-playlist", "items[1].start_ms", "-5", "items[1].start_ms: is -5, it must be 0 to 4102444800000");
    refuse("loa-playlist", "items[0].class", "\"emergency\"",
           "items[0].class: is \"emergency\", it must be one of filler, normal, priority");
    refuse("loa-playlist", "items[0].bulletin", "1", "items[0].bulletin: is 1, but there are only 1 bulletins");
    refuse("loa-playlist", "items[0].bulletin", "-1", "items[0].bulletin: is -1, which only a relay's is");
    refuse("loa-playlist", "items[0].source", "\"VOV1\"", "items[0].source: is named beside a bulletin");
    refuse("loa-playlist", "items[2].source", NULL, "items[2].bulletin: is -1, which only a relay's is");
    refuse("loa-playlist", "items[0].languages", "[\"vi\",\"vi\"]", "items[0].languages: names \"vi\" twice");
    refuse("loa-playlist", "items[0].exempt", "\"\"", "items[0].exempt: has 0 bytes");
    refuse("loa-playlist", "items[0].catch_up_ms", "-1", "items[0].catch_up_ms: is -1");
    refuse("loa-playlist", "items[0].id", "\"chao-sang.1782882000.\"", "items[0].id: is \"chao-sang.1782882000.\"");
    refuse("loa-playlist", "items[0].id", "\"chao-sang.1782882000.R\"", "items[0].id: is \"chao-sang.1782882000.R\"");
    refuse("loa-playlist", "items[0].id", "\"chao-sang..r1\"", "items[0].id: is \"chao-sang..r1\"");
    refuse("loa-playlist", "items[0].id", "\"a.1.bcdefghijklmnopqr\"", "items[0].id: is \"a.1.bcdefghijklmnopqr\"");
    refuse("loa-playlist", "items[0].end_ms", "1782882000000", "items[0].end_ms: is not after start_ms");
    refuse("loa-playlist", "items[1].start_ms", "1782881999000", "items[1]: must come after the item before it");
    refuse("loa-playlist", "items[0].start_ms", "1782885600001", "items[0].end_ms: is not after start_ms");
    refuse("loa-playlist", "items[1].end_ms", "\"soon\"", "items[1].end_ms: is a text, it must be an integer");
    refuse("loa-playlist", "items[0].start_ms", "1.5", "items[0].start_ms: is a real number, it must be an integer");
    refuse("loa-playlist", "items[0].zones", "[\"zone_1\",\"zone_1\"]", "items[0].zones: names \"zone_1\" twice");
    refuse("loa-playlist", "items[0].zones[1]", "7", "items[0].zones[1]: is an integer, it must be a text");
    refuse("loa-playlist", "items", "{}", "items: is an object, it must be a list");
    refuse("loa-playlist", "bulletins[0].approvals[1].hash", "\"AB\"", "bulletins[0].approvals[1].hash: is \"AB\"");
    refuse("loa-playlist", "until_ms", "5", "until_ms: is before from_ms");
    refuse("loa-playlist", "aud", "\"dev/Cum\"", "aud: is \"dev/Cum\", it must be all, controller");
    refuse("loa-playlist", "exp", "1782878400", "exp: is not after iat");
    refuse("loa-playlist", "ver", "9007199254740992", "ver: is 9007199254740992");
    refuse("loa-playlist", "era", NULL, "era: is missing");
    refuse("loa-trust", "registrars", "[]", "registrars: has 0 entries, it must have 1 to 16");
    refuse("loa-trust", "schedulers[0].kid", "\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\"",
           "schedulers[0].kid: is not the thumbprint of x");
    refuse("loa-trust", "schedulers[0].x", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
           "schedulers[0].x: is no Ed25519 public key");
    refuse("loa-trust", "schedulers[0].x", "\"i2mYbDCgZjA0aU6n1iiH0veqzhcq6AYwhsJhsIJ5mKl\"", "schedulers[0].x: is");
    refuse("loa-trust", "quorums[0].persons", "0", "quorums[0].persons: is 0, it must be 1 to 9");
    refuse("loa-keys", "persons[1].ended_ms", NULL, "persons[1].ended_ms: is missing");
    refuse("loa-keys", "persons[0].ended_ms", "5", "persons[0].ended_ms: is set");
    refuse("loa-keys", "persons[0].roles", "[]", "persons[0].roles: has 0 entries");
    refuse("loa-config", "zone", "\"../../etc/passwd\"", "zone: is \"../../etc/passwd\", it must be a name of the tz");
    refuse("loa-config", "quiet_hours[0].from_min", "1440", "quiet_hours[0].from_min: is 1440");
    refuse("loa-config", "later[1].from_ms", "1798736400000", "later[1].from_ms: is not after the one before");
    refuse("loa-config", "areas[1]", "\"-a\"", "areas[1]: is \"-a\", it must be an id");
    refuse("loa-welcome", "floors[0].era", "2", "floors[0].era: is above the era of the welcome");
    refuse("loa-welcome", "nonce", "\"short\"", "nonce: is \"short\", it must be a nonce");
    refuse("loa-command", "kind", NULL, "kind: must be there for send_again");
    refuse("loa-command", "kind", "\"health\"", "kind: is \"health\", it must be one of receipt, event");
    refuse("loa-command", "store", NULL, "store: must be there for send_again");
    refuse("loa-command", "from", "0", "from: must be there for send_again");
    refuse("loa-config", "pinned[0].size", "67108865", "pinned[0].size: is 67108865");
    refuse("loa-receipt", "evidence.sound.frames", "-1", "evidence.sound.frames: is -1");
    refuse("loa-receipt", "occurrence", "\"a.b\"", "occurrence: is \"a.b\"");
    refuse("loa-receipt", "reason", "\"unknown\"", "reason: is \"unknown\"");
    refuse("loa-state", "grade", "\"good\"", "grade: is \"good\", it must be one of unknown, held, signed, synced");
    refuse("loa-health", "values[0].value", "1e300", "values[0].value: is 1e+300");
    refuse("loa-health", "values[0].value", "\"nan\"", "values[0].value: is a text, it must be a number");
    refuse("loa-approval", "until_ms", "1", "until_ms: is not after from_ms");
    refuse("bulletin", "contents[2].lang", "\"vi\"", "contents[2].lang: is \"vi\" a second time");
    refuse("bulletin", "contents[1].text", NULL, "contents[1].text: is missing, and audio too");
    refuse("bulletin", "title", "\"a\\nb\"", "title: is \"a?b\", it must be one line");
    refuse("bulletin", "title", "\"\"", "title: has 0 bytes, it must have 1 to 300");
    refuse("bulletin", "title", "null", "title: is null, it must be a text");
    refuse("bulletin", "contents[0].audio", "[]", "contents[0].audio: is a list, it must be an object");
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
    int err = decode("loa-command", text, &why);
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

/* --- every member, by the tables themselves --- */

struct probe {
    const char *tag;
    const struct shape *top;
    void *doc; /* decoded example */
    size_t n;
};

static void expect_write_refused(const struct probe *probe, const char *path)
{
    struct buf out = {0};
    struct complaint why = {0};
    buf_put(&out, "before", 6);
    int err = codec_encode(probe->top, probe->doc, DOC_INFLATED_MAX, &out, &why);
    char start[200];
    snprintf(start, sizeof(start), "%s: ", path);
    if ((err != ERR_FORMAT && err != ERR_LIMIT) || strncmp(why.text, start, strlen(start)) != 0)
        fail_msg("%s: writing %s gave %d, \"%s\"", probe->tag, path, err, why.text);
    assert_string_equal(buf_text(&out), "before");
    buf_done(&out);
}

static void probe_int(struct probe *probe, const struct field *f, int64_t *at, const char *path)
{
    const int64_t was = *at, bad[] = {f->max + 1, f->min - 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 4; i++) {
        char text[32], sentence[240];
        snprintf(text, sizeof(text), "%lld", (long long)bad[i]);
        snprintf(sentence, sizeof(sentence), "%s: is %s, it must be", path, text);
        refuse(probe->tag, path, text, sentence);
        *at = bad[i];
        if (f->required || *at != 0)
            expect_write_refused(probe, path);
        *at = was;
    }
}

static void probe_real(struct probe *probe, double *at, const char *path)
{
    const double was = *at, bad[] = {NAN, INFINITY, -INFINITY, 1e300};
    for (size_t i = 0; i < 4; i++) {
        *at = bad[i];
        expect_write_refused(probe, path);
    }
    *at = was;
}

static void probe_choice(struct probe *probe, const struct field *f, int *at, const char *path)
{
    const int was = *at, bad[] = {(int)f->max + 1, -1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < 4; i++) {
        *at = bad[i];
        expect_write_refused(probe, path);
    }
    *at = was;
    refuse(probe->tag, path, "\"no such name\"", "it must be one of");
}

static void probe_text(struct probe *probe, const struct field *f, const char **at, const char *path)
{
    const char *was = *at;
    size_t too_long = f->max ? (size_t)f->max + 1 : 65;
    char *text = xcalloc(1, too_long + 1), *quoted = NULL;
    memset(text, 'a', too_long);
    quoted = xasprintf("\"%s\"", text);
    refuse(probe->tag, path, quoted, path);
    refuse(probe->tag, path, "\"a\\u0000b\"", "is not the JSON of one object");
    const char *bad[] = {text, "\xFF", "\xED\xA0\x80", f->required ? NULL : text};
    for (size_t i = 0; i < 4; i++) {
        *at = bad[i];
        expect_write_refused(probe, path);
    }
    *at = was;
    free(quoted);
    free(text);
}

static void probe_texts(struct probe *probe, const struct field *f, struct texts *at, const char *path)
{
    struct texts was = *at;
    size_t n = (size_t)f->max + 1;
    const char **many = xcalloc(n, sizeof(*many));
    struct buf list = {0};
    buf_put(&list, "[", 1);
    for (size_t i = 0; i < n; i++) {
        many[i] = xasprintf("a%zu", i);
        buf_putf(&list, "%s\"a%zu\"", i ? "," : "", i);
    }
    buf_put(&list, "]", 1);
    refuse(probe->tag, path, buf_text(&list), "entries, it must have");
    *at = (struct texts){many, n};
    expect_write_refused(probe, path);
    *at = was;
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)many[i]);
    free(many);
    buf_done(&list);
}

static void probe_shape(struct probe *probe, const struct shape *shape, void *value, const char *prefix);

static void probe_list(struct probe *probe, const struct field *f, char *base, const char *path)
{
    size_t *n = (size_t *)(void *)(base + f->count_offset), was = *n;
    char *items = *(char **)(void *)(base + f->offset);
    for (size_t i = 0; i < was; i++) {
        char *below = xasprintf("%s[%zu].", path, i);
        probe_shape(probe, f->shape, items + i * f->shape->size, below);
        free(below);
    }
    *n = (size_t)f->max + 1;
    expect_write_refused(probe, path);
    *n = was;
    json_t *many = json_array();
    for (int64_t i = 0; i <= f->max; i++)
        json_array_append_new(many, json_object());
    char *text = json_text(many);
    refuse(probe->tag, path, text, "entries, it must have");
    free(text);
}

/* Only members that the example shows can be replaced in it. */
static void probe_field(struct probe *probe, const struct field *f, char *base, const char *path)
{
    void *at = base + f->offset;
    switch (f->kind) {
    case FIELD_INT:
        probe_int(probe, f, at, path);
        break;
    case FIELD_REAL:
        probe_real(probe, at, path);
        break;
    case FIELD_BOOL:
        break;
    case FIELD_CHOICE:
        probe_choice(probe, f, at, path);
        break;
    case FIELD_TEXT:
        probe_text(probe, f, at, path);
        break;
    case FIELD_TEXTS:
        probe_texts(probe, f, at, path);
        break;
    case FIELD_OBJECT:
        if (*(void **)at) {
            char *below = xasprintf("%s.", path);
            probe_shape(probe, f->shape, *(void **)at, below);
            free(below);
        }
        break;
    case FIELD_LIST:
        probe_list(probe, f, base, path);
        break;
    }
    refuse(probe->tag, path, "null", "is null, it must be");
    probe->n++;
}

static void probe_shape(struct probe *probe, const struct shape *shape, void *value, const char *prefix)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *f = &shape->fields[i];
        char *path = xasprintf("%s%s", prefix, f->name);
        probe_field(probe, f, value, path);
        if (f->required)
            refuse(probe->tag, path, NULL, "is missing");
        free(path);
    }
}

static void probe_document(const char *tag, const struct shape *shape)
{
    struct arena *arena = arena_new();
    char *text = json_text(wire_example(tag));
    struct probe probe = {tag, shape, NULL, 0};
    struct complaint why = {0};
    assert_int_equal(codec_decode(shape, text, strlen(text), DOC_INFLATED_MAX, arena, &probe.doc, &why), 0);
    probe_shape(&probe, shape, probe.doc, "");
    struct buf out = {0}; /* nothing was left changed */
    assert_int_equal(codec_encode(shape, probe.doc, DOC_INFLATED_MAX, &out, &why), 0);
    buf_done(&out);
    free(text);
    arena_free(arena);
}

static void test_every_member(void **unused)
{
    (void)unused;
    for (int type = 0; type < DOC_TYPES; type++)
        probe_document(doc_typ((enum doc_type)type), documents_shape((enum doc_type)type));
    probe_document("bulletin", documents_bulletin_shape());
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
        cmocka_unit_test(test_sentences),       cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_form_of_json),    cmocka_unit_test(test_every_member),
        cmocka_unit_test(test_full_playlist),   cmocka_unit_test(test_key_twice),
        cmocka_unit_test(test_strings_survive), cmocka_unit_test(test_large_bulletin),
        cmocka_unit_test(test_bulletin_use),    cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
