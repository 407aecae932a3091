/* Each sentence takes the same arguments in both languages. */
#include "unit.h"

#include "tools/loa/command.h"
#include "tools/loa/sentences.h"

#include <stdio.h>
#include <string.h>

/* "%s: %.*s" -> "s.*s" */
static void conversions(const char *format, char ret[64])
{
    size_t n = 0;
    for (const char *p = strchr(format, '%'); p; p = strchr(p, '%')) {
        size_t len = strcspn(p + 1, "sduf%") + 1;
        assert_true(n + len < 64);
        memcpy(ret + n, p + 1, len);
        n += len;
        p += 1 + len;
    }
    ret[n] = '\0';
}

static void test_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_sentences; i++) {
        char en[64], vi[64];
        conversions(sentences[i].en, en);
        conversions(sentences[i].vi, vi);
        if (strcmp(en, vi) != 0)
            fail_msg("%s: takes %s, in Vietnamese %s", sentences[i].en, en, vi);
        assert_ptr_equal(sentence_in("vi", sentences[i].en), sentences[i].vi);
        assert_ptr_equal(sentence_in("en", sentences[i].en), sentences[i].en);
    }
    assert_string_equal(sentence_in("vi", "%s"), "%s");
}

static void check_options(const struct option_spec *options)
{
    for (const struct option_spec *o = options; o && o->name; o++)
        if (sentence_in("vi", o->help) == o->help)
            fail_msg("--%s: \"%s\" has no Vietnamese in option_words.c", o->name, o->help);
}

/* --help speaks the language of the officials. */
static void test_options(void **state)
{
    (void)state;
    check_options(common_options);
    for (size_t t = 0; command_tables[t]; t++)
        for (const struct cli_command *c = command_tables[t]; c->group; c++)
            check_options(c->options);
}

static bool has_example(const struct cli_command *c)
{
    char begins[64];
    snprintf(begins, sizeof(begins), "loa %s%s%s", c->group, c->name ? " " : "", c->name ? c->name : "");
    for (const struct cli_example *e = examples; e->group; e++)
        if (strcmp(e->group, c->group) == 0 && (!c->name || (e->name && strcmp(e->name, c->name) == 0)))
            return strncmp(e->line, begins, strlen(begins)) == 0;
    return false;
}

/* Nobody learns a command by its options alone. */
static void test_examples(void **state)
{
    (void)state;
    for (size_t t = 0; command_tables[t]; t++)
        for (const struct cli_command *c = command_tables[t]; c->group; c++)
            if (!has_example(c))
                fail_msg("loa %s %s has no example in examples.c", c->group, c->name ? c->name : "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_options),
                                       cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
