/* Each sentence takes the same arguments in both languages. */
#include "unit.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
