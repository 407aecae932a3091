/* WIRE.md and the tables of the documents say the same, and each example is a document. */
#include "unit.h"

#include "rows.h"
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From "## title" to the next heading of that depth; the caller frees. */
static char *section(const char *title)
{
    char heading[64];
    snprintf(heading, sizeof(heading), "\n## %s\n", title);
    const char *at = strstr(wire_text(), heading);
    if (!at)
        fail_msg("WIRE.md has no section %s", title);
    const char *end = strstr(at + 1, "\n## ");
    size_t len = end ? (size_t)(end - at) : strlen(at);
    char *text = xcalloc(1, len + 1);
    memcpy(text, at, len);
    return text;
}

struct row_search {
    const char *title;
    const char *text;
    size_t n;
};

static void find_row(void *arg, const char *row)
{
    struct row_search *search = arg;
    search->n++;
    if (!strstr(search->text, row))
        fail_msg("WIRE.md, %s: this row is missing or differs: %s", search->title, row);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        n++;
    return n;
}

static void check_table(const char *title, const struct shape *shape, size_t skip)
{
    char *text = section(title);
    struct row_search search = {title, text, 0};
    rows_walk(shape, "", skip, find_row, &search);
    assert_int_equal(count(text, "\n| `"), search.n); /* and no row that the code does not know */
    free(text);
}

enum { HEAD_FIELDS = 5 };

static void test_tables(void **unused)
{
    (void)unused;
    for (int type = 0; type < DOC_TYPES; type++)
        check_table(doc_typ((enum doc_type)type), documents_shape((enum doc_type)type), HEAD_FIELDS);
    check_table("Bulletin", documents_bulletin_shape(), 0);
}

static void test_head(void **unused)
{
    (void)unused;
    char *text = section("Head");
    for (int type = 0; type < DOC_TYPES; type++) {
        struct shape head = *documents_shape((enum doc_type)type);
        head.n_fields = HEAD_FIELDS;
        struct row_search search = {"Head", text, 0};
        rows_walk(&head, "", 0, find_row, &search);
    }
    free(text);
}

/* What was read and written again is the same JSON. */
static void check_example(const char *tag, const struct shape *shape)
{
    json_t *json = wire_example(tag);
    char *text = json_dumps(json, 0);
    struct arena *arena = arena_new();
    struct complaint why = {0};
    void *doc = NULL;
    if (codec_decode(shape, text, strlen(text), DOC_INFLATED_MAX, arena, &doc, &why))
        fail_msg("%s: %s", tag, why.text);
    struct buf again = {0};
    if (codec_encode(shape, doc, DOC_INFLATED_MAX, &again, &why))
        fail_msg("%s: %s", tag, why.text);
    json_t *back = json_loadb((const char *)again.data, again.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_equal(json, back))
        fail_msg("%s: became %s", tag, buf_text(&again));
    json_decref(back);
    json_decref(json);
    buf_done(&again);
    arena_free(arena);
    free(text);
}

static void test_examples(void **unused)
{
    (void)unused;
    for (int type = 0; type < DOC_TYPES; type++)
        check_example(doc_typ((enum doc_type)type), documents_shape((enum doc_type)type));
    check_example("bulletin", documents_bulletin_shape());
}

static void check_names(const char *title, const char *const *names)
{
    char *text = section(title);
    for (size_t i = 0; names[i]; i++) {
        char name[64];
        snprintf(name, sizeof(name), "`%s`", names[i]);
        if (!strstr(text, name))
            fail_msg("WIRE.md, %s: %s is missing", title, name);
    }
    free(text);
}

static void test_names(void **unused)
{
    (void)unused;
    check_names("Refusals", refusal_names);
    check_names("Reasons", reason_names);
    check_names("What may go on air", item_verdict_names);
}

static void test_topics(void **unused)
{
    (void)unused;
    for (int type = 0; type < DOC_TYPES; type++) {
        assert_int_equal(doc_type_of(doc_typ((enum doc_type)type)), type);
        char name[64];
        snprintf(name, sizeof(name), "`%s`", doc_typ((enum doc_type)type));
        assert_non_null(strstr(wire_text(), name));
    }
    assert_int_equal(doc_type_of("loa-order"), -1);
    assert_int_equal(doc_type_of("loa-inforce"), -1);
    assert_non_null(strstr(wire_text(), "`loa-order`"));
    assert_non_null(strstr(wire_text(), "`loa-inforce`"));
    assert_non_null(strstr(wire_text(), "`live/<session>`"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables), cmocka_unit_test(test_head),   cmocka_unit_test(test_examples),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
