#include "samples.h"

#include "playlists/base/file.h"

#include "unit.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *wire_text(void)
{
    static struct buf text;
    if (text.len == 0)
        assert_int_equal(file_read_whole(LOA_SOURCE_DIR "/playlists/WIRE.md", 1024 * 1024, &text), 0);
    return buf_text(&text);
}

json_t *wire_example(const char *tag)
{
    char fence[64];
    snprintf(fence, sizeof(fence), "```json %s\n", tag);
    const char *at = strstr(wire_text(), fence);
    if (!at)
        fail_msg("WIRE.md has no example of %s", tag);
    at += strlen(fence);
    const char *end = strstr(at, "\n```");
    assert_non_null(end);
    json_error_t error;
    json_t *json = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("example of %s: %s at line %d", tag, error.text, error.line);
    return json;
}

void json_put(json_t *root, const char *path, json_t *value)
{
    char name[64];
    json_t *at = root;
    for (;;) {
        size_t len = strcspn(path, ".[");
        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        path += len;
        if (*path == '\0')
            break;
        at = json_object_get(at, name);
        while (*path == '[') {
            size_t index = strtoul(path + 1, NULL, 10);
            path = strchr(path, ']') + 1;
            if (*path == '\0') {
                assert_int_equal(value ? json_array_set_new(at, index, value) : json_array_remove(at, index), 0);
                return;
            }
            at = json_array_get(at, index);
        }
        assert_non_null(at);
        path++;
    }
    if (value)
        assert_int_equal(json_object_set_new(at, name, value), 0);
    else
        assert_int_equal(json_object_del(at, name), 0);
}

char *json_text(json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(text);
    json_decref(root);
    return text;
}

int example_decode(const char *tag, const char *text, struct complaint *why)
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

void example_refuse(const char *tag, const char *path, const char *value, const char *sentence)
{
    json_t *json = wire_example(tag);
    json_put(json, path, value ? json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL);
    char *text = json_text(json);
    struct complaint why = {0};
    int err = example_decode(tag, text, &why);
    if (err != ERR_FORMAT && err != ERR_LIMIT)
        fail_msg("%s, %s = %s: %d", tag, path, value ? value : "(removed)", err);
    if (!strstr(why.text, sentence))
        fail_msg("%s, %s = %s: \"%s\" does not say \"%s\"", tag, path, value ? value : "(removed)", why.text, sentence);
    free(text);
}

char *craft(const struct signer *signer, const char *header, const void *payload, size_t len)
{
    char *h = b64url_encode(header, strlen(header));
    char *p = b64url_encode(payload, len);
    char *input = xasprintf("%s.%s", h, p);
    unsigned char signature[64];
    crypto_sign_detached(signature, NULL, (const unsigned char *)input, strlen(input), signer->secret);
    char *s = b64url_encode(signature, sizeof(signature));
    char *compact = xasprintf("%s.%s", input, s);
    free(h);
    free(p);
    free(s);
    free(input);
    return compact;
}

struct doc_head world_head(const char *aud)
{
    return (struct doc_head){aud, WORLD_ERA, WORLD_NOW_S * 1000, WORLD_NOW_S, WORLD_NOW_S + 86400};
}

static struct texts texts_of(struct arena *arena, const char *a, const char *b, const char *c)
{
    const char *all[] = {a, b, c};
    struct texts t = {arena_alloc(arena, sizeof(all)), 0};
    for (size_t i = 0; i < 3; i++)
        if (all[i])
            t.at[t.n++] = all[i];
    return t;
}

static void make_persons(struct world *w)
{
    static const char *const who[] = {"an", "bich", "an"};
    for (size_t i = 0; i < 3; i++) {
        signer_generate(&w->person[i]);
        w->persons[i] = (struct person_key){.kid = w->person[i].kid,
                                            .x = w->person[i].x,
                                            .person = who[i],
                                            .roles = texts_of(w->arena, "approver", NULL, NULL),
                                            .areas = texts_of(w->arena, "dong-dang", NULL, NULL),
                                            .class = CLASS_PRIORITY};
    }
    w->keys = (struct keys){.head = world_head("all"), .persons = w->persons, .n_persons = 3};
}

static void make_trust(struct world *w)
{
    signer_generate(&w->root[0]);
    signer_generate(&w->root[1]);
    signer_generate(&w->registrar);
    signer_generate(&w->scheduler);
    signer_generate(&w->box);
    signer_generate(&w->stranger);
    w->registrars[0] = (struct public_key){w->registrar.kid, w->registrar.x, "registrar"};
    w->schedulers[0] = (struct public_key){w->scheduler.kid, w->scheduler.x, NULL};
    w->quorums[0] = (struct quorum){.class = CLASS_PRIORITY, .persons = 2};
    w->quorums[1] =
        (struct quorum){.class = CLASS_NORMAL, .areas = texts_of(w->arena, "huu-nghi", NULL, NULL), .persons = 2};
    w->trust = (struct trust){.head = world_head("all"),
                              .registrars = w->registrars,
                              .n_registrars = 1,
                              .schedulers = w->schedulers,
                              .n_schedulers = 1,
                              .quorums = w->quorums,
                              .n_quorums = 2};
}

void world_init(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->arena = arena_new();
    make_trust(w);
    make_persons(w);
    w->config = (struct config){.head = world_head("dev/cum-1"),
                                .kind = KIND_CLUSTER,
                                .zone = "Asia/Ho_Chi_Minh",
                                .areas = texts_of(w->arena, "thon-1", "dong-dang", "lang-son"),
                                .languages = texts_of(w->arena, "vi", "zh", "en")};
    w->approval = (struct approval){.head = world_head("all"),
                                    .bulletin = WORLD_HASH,
                                    .areas = texts_of(w->arena, "dong-dang", NULL, NULL),
                                    .class = CLASS_PRIORITY,
                                    .from_ms = (WORLD_NOW_S - 3600) * 1000,
                                    .until_ms = (WORLD_NOW_S + 3600) * 1000};
    w->contents[0] = (struct bulletin_content){.lang = "vi", .text = "Xin chào"};
    w->bulletin = (struct bulletin){.id = "chao",
                                    .revision = 1,
                                    .title = "Chào",
                                    .category = "thông báo",
                                    .answerable = "An",
                                    .unit = "dong-dang",
                                    .class = CLASS_PRIORITY,
                                    .contents = w->contents,
                                    .n_contents = 1};
    w->authority = (struct authority){.trust = &w->trust, .keys = &w->keys, .box_x = w->box.x};
    strcpy(w->authority.root_x[0], w->root[0].x);
    strcpy(w->authority.root_x[1], w->root[1].x);
}

void world_done(struct world *w)
{
    arena_free(w->arena);
}
