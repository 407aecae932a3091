/* test_meaning.c - every code that a device or the planner may write has words in both languages. */
#include "unit.h"

#include "controller/meaning.h"

#include "playlists/base/file.h"
#include "playlists/compile.h"
#include "playlists/judge.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { SOURCE_MAX = 256 * 1024 };

static void assert_words(json_t *words, const char *vi, const char *en)
{
    assert_true(json_is_object(words));
    assert_string_equal(json_string_value(json_object_get(words, "vi")), vi);
    assert_string_equal(json_string_value(json_object_get(words, "en")), en);
    json_decref(words);
}

static void assert_known(const char *code, json_t *words)
{
    if (!json_is_object(words))
        fail_msg("no words for %s", code);
    json_decref(words);
}

static void test_each_code_has_words(void **state)
{
    char detail[64];
    (void)state;
    for (size_t i = 1; refusal_names[i]; i++) {
        snprintf(detail, sizeof(detail), "%s: it is so", refusal_names[i]);
        assert_known(detail, meaning_of_detail(detail));
    }
    for (size_t i = 1; item_verdict_names[i]; i++) {
        snprintf(detail, sizeof(detail), "%s: it is so", item_verdict_names[i]);
        assert_known(detail, meaning_of_detail(detail));
    }
    for (size_t i = 0; problem_names[i]; i++)
        assert_known(problem_names[i], meaning_of_problem(problem_names[i]));
}

/* The codes that stand as the first text of a call of `function` in these files. Returns how many. */
static size_t each_event(const char *pattern, const char *function)
{
    glob_t files;
    size_t n = 0;
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct buf text = {0};
        assert_true(file_read_whole(files.gl_pathv[i], SOURCE_MAX, &text) >= 0);
        for (const char *at = buf_text(&text); (at = strstr(at, function)); at++) {
            const char *quote = strchr(at, '"'), *end = strchr(at, ';');
            char code[64] = "";
            if (!quote || !end || end < quote || sscanf(quote, "\"%63[a-z_]\"", code) != 1)
                continue; /* its own definition, or a code that is handed on */
            assert_known(code, meaning_of_event(code, "x", "y"));
            n++;
        }
        buf_done(&text);
    }
    globfree(&files);
    return n;
}

static void test_each_event_of_the_sources_has_words(void **state)
{
    (void)state;
    assert_true(each_event(LOA_SOURCE_DIR "/firmware/*.c", "_event(") >= 15);
    assert_true(each_event(LOA_SOURCE_DIR "/controller/*.c", "fleet_note(") >= 6);
}

static void test_what_people_read(void **state)
{
    (void)state;
    assert_words(meaning_of_detail("quorum: 1 of 2 distinct persons have approved"), "mới có 1 trong 2 người duyệt",
                 "1 of 2 persons have approved");
    assert_words(meaning_of_detail("out_of_scope: the approval of lan covers no area of this device; "
                                   "compromised_key: loa-approval: the key x of minh is compromised"),
                 "phê duyệt không gồm địa bàn của thiết bị này; khóa đã ký bị lộ, không còn giá trị",
                 "the approval does not cover this device's area; the key that signed it is compromised");
    assert_words(meaning_of_event("document_refused", "playlist", "older: loa-playlist: is version 1.1"),
                 "từ chối lịch phát: cũ hơn bản đang giữ", "refused playlist: it is older than the one that is held");
    assert_words(meaning_of_event("unreachable", "tang-am", "no answer from unit 3"), "tang-am không trả lời",
                 "tang-am does not answer");
    assert_words(meaning_of_event("record_twin", "receipt 7", ""),
                 "hai nội dung khác nhau cùng một số nhật ký: nhật ký phát 7",
                 "two contents came under one number: receipt 7");
    assert_true(json_is_null(meaning_of_detail("card default: ENODEV")));
    assert_true(json_is_null(meaning_of_detail("")));
    assert_true(json_is_null(meaning_of_detail(NULL)));
    assert_true(json_is_null(meaning_of_event("of_tomorrow", NULL, NULL)));
    assert_known("no about", meaning_of_event("unreachable", NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code_has_words),
        cmocka_unit_test(test_each_event_of_the_sources_has_words),
        cmocka_unit_test(test_what_people_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
