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
        size_t len = strcspn(p + 1, "sdu%") + 1;
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_options)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
