/* Limits: each member of each document, reading and writing, by the tables themselves. */
#include "unit.h"

#include "playlists/codec.h"
#include "samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        example_refuse(probe->tag, path, text, sentence);
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
    example_refuse(probe->tag, path, "\"no such name\"", "it must be one of");
}

static void probe_text(struct probe *probe, const struct field *f, const char **at, const char *path)
{
    const char *was = *at;
    size_t too_long = f->max ? (size_t)f->max + 1 : 65;
    char *text = xcalloc(1, too_long + 1), *quoted = NULL;
    memset(text, 'a', too_long);
    quoted = xasprintf("\"%s\"", text);
    example_refuse(probe->tag, path, quoted, path);
    example_refuse(probe->tag, path, "\"a\\u0000b\"", "is not the JSON of one object");
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
    example_refuse(probe->tag, path, buf_text(&list), "entries, it must have");
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
    example_refuse(probe->tag, path, text, "entries, it must have");
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
    example_refuse(probe->tag, path, "null", "is null, it must be");
    probe->n++;
}

static void probe_shape(struct probe *probe, const struct shape *shape, void *value, const char *prefix)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct field *f = &shape->fields[i];
        char *path = xasprintf("%s%s", prefix, f->name);
        probe_field(probe, f, value, path);
        if (f->required)
            example_refuse(probe->tag, path, NULL, "is missing");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
