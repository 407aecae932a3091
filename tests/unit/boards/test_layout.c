/* Text brought onto a sign: wrapping, cutting, and what is refused. */
#include "unit.h"

#include "boards/bus/layout.h"
#include "boards/bus/sign.h"

#include <stdlib.h>
#include <string.h>

static struct profile profile_of(uint16_t lines, uint16_t columns, uint16_t n_regs, enum text_encoding encoding)
{
    struct profile p = {.kind = PROFILE_SIGN, .lines = lines, .columns = columns, .n_points = 1, .n_text = 1};
    p.points[0] = (struct point){.name = "text",
                                 .type = POINT_TEXT,
                                 .kind = POINT_HOLDING,
                                 .encoding = encoding,
                                 .n_regs = n_regs,
                                 .verify = -1};
    return p;
}

static void check(const struct profile *p, const char *text, const char *wanted, bool wanted_cut)
{
    char out[SIGN_TEXT_MAX];
    bool cut = !wanted_cut;
    struct complaint why = {0};
    assert_int_equal(sign_layout(p, text, out, &cut, &why), 0);
    assert_string_equal(out, wanted);
    assert_int_equal(cut, wanted_cut);
}

static void test_wrap(void **state)
{
    (void)state;
    struct profile p = profile_of(3, 10, 100, ENCODING_UTF8);
    check(&p, "ngắn", "ngắn", false);
    check(&p, "mưa lớn gây ngập lụt", "mưa lớn\ngây ngập\nlụt", false);
    check(&p, "a\nb\r\nc", "a\nb\nc", false);
    check(&p, "một hai ba bốn năm sáu bảy tám chín", "một hai ba\nbốn năm\nsáu bảy…", true);
    check(&p, "abcdefghijklmno", "abcdefghij\nklmno", false);
    check(&p, "边境通知边境通知", "边境通知边\n境通知", false);
    check(&p, "1\n2\n3\n4", "1\n2\n3…", true);
    check(&p, "a\n\nb", "a\n\nb", false);
    check(&p, "e\xCC\x82\xCC\x81", "ế", false);
}

static void test_cut_to_registers(void **state)
{
    (void)state;
    struct profile p = profile_of(0, 0, 5, ENCODING_UTF8);
    check(&p, "abc defghij klm", "abc…", true);
    p = profile_of(0, 0, 5, ENCODING_ASCII);
    check(&p, "abc defghij klm", "abc...", true);
    p = profile_of(0, 0, 4, ENCODING_UCS2);
    check(&p, "边境通知边境", "边境通…", true);
}

static void test_refusals(void **state)
{
    (void)state;
    struct profile p = profile_of(2, 20, 50, ENCODING_ASCII);
    char out[SIGN_TEXT_MAX];
    bool cut;
    struct complaint why = {0};
    assert_int_equal(sign_layout(&p, "", out, &cut, &why), ERR_LIMIT);
    assert_int_equal(sign_layout(&p, " \n ", out, &cut, &why), ERR_LIMIT);
    assert_int_equal(sign_layout(&p, "a\x01", out, &cut, &why), ERR_FORMAT);
    assert_int_equal(sign_layout(&p, "\xff", out, &cut, &why), ERR_FORMAT);
    assert_int_equal(sign_layout(&p, "Lạng", out, &cut, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "'ạ'"));
}

static void test_parts(void **state)
{
    (void)state;
    struct profile p = profile_of(2, 4, 50, ENCODING_UTF8);
    p.line_break = BREAK_PAD;
    char *part = sign_part(&p, 0, "ế\nb");
    assert_string_equal(part, "ế   b   ");
    free(part);
    p.line_break = BREAK_CRLF;
    part = sign_part(&p, 0, "a\nb");
    assert_string_equal(part, "a\r\nb");
    free(part);
    p.points[0].line = 1;
    part = sign_part(&p, 1, "a\nb");
    assert_string_equal(part, "b");
    free(part);
    part = sign_part(&p, 2, "a\nb");
    assert_string_equal(part, "");
    free(part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrap), cmocka_unit_test(test_cut_to_registers),
                                       cmocka_unit_test(test_refusals), cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
