/* Registers <-> values: every type in every order, limits, text in every encoding. */
#include "unit.h"

#include "boards/bus/profile.h"

#include <math.h>
#include <string.h>

static struct point number(enum point_type type, enum point_order order)
{
    bool two = type == POINT_U32 || type == POINT_S32 || type == POINT_F32;
    return (struct point){.name = "p",
                          .kind = POINT_HOLDING,
                          .type = type,
                          .order = order,
                          .n_regs = two ? 2 : 1,
                          .scale = 1,
                          .min = -INFINITY,
                          .max = INFINITY,
                          .on = 1,
                          .unit = ""};
}

/* The bytes on the wire, written out from the standard and from the meaning of the letters. */
static void test_known_bytes(void **state)
{
    (void)state;
    static const struct {
        enum point_type type;
        enum point_order order;
        double value;
        uint16_t regs[2];
    } cases[] = {
        {POINT_U16, ORDER_ABCD, 0x1234, {0x1234, 0}},
        {POINT_U16, ORDER_CDAB, 0x1234, {0x1234, 0}},
        {POINT_U16, ORDER_BADC, 0x1234, {0x3412, 0}},
        {POINT_U16, ORDER_DCBA, 0x1234, {0x3412, 0}},
        {POINT_S16, ORDER_ABCD, -2, {0xFFFE, 0}},
        {POINT_S16, ORDER_BADC, -2, {0xFEFF, 0}},
        {POINT_U32, ORDER_ABCD, 0x12345678, {0x1234, 0x5678}},
        {POINT_U32, ORDER_CDAB, 0x12345678, {0x5678, 0x1234}},
        {POINT_U32, ORDER_BADC, 0x12345678, {0x3412, 0x7856}},
        {POINT_U32, ORDER_DCBA, 0x12345678, {0x7856, 0x3412}},
        {POINT_S32, ORDER_ABCD, -2, {0xFFFF, 0xFFFE}},
        {POINT_S32, ORDER_DCBA, -2, {0xFEFF, 0xFFFF}},
        {POINT_F32, ORDER_ABCD, -12.25, {0xC144, 0}},
        {POINT_F32, ORDER_CDAB, -12.25, {0, 0xC144}},
        {POINT_F32, ORDER_BADC, -12.25, {0x44C1, 0}},
        {POINT_F32, ORDER_DCBA, -12.25, {0, 0x44C1}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct point p = number(cases[i].type, cases[i].order);
        uint16_t regs[2] = {0, 0};
        double back = NAN;
        assert_int_equal(profile_encode(&p, cases[i].value, regs, NULL), 0);
        assert_int_equal(regs[0], cases[i].regs[0]);
        assert_int_equal(regs[1], cases[i].regs[1]);
        assert_int_equal(profile_decode(&p, regs, &back, NULL), 0);
        assert_true(back == cases[i].value);
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    static const double values[] = {0,     1,      -1,    255,          256,           -128,
                                    32767, -32768, 65535, 2147483647.0, -2147483648.0, 4294967295.0};
    for (int type = POINT_BIT; type <= POINT_F32; type++)
        for (int order = ORDER_ABCD; order <= ORDER_DCBA; order++)
            for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                struct point p = number((enum point_type)type, (enum point_order)order);
                uint16_t regs[2] = {0, 0};
                double back = NAN;
                struct complaint why = {0};
                int r = profile_encode(&p, values[i], regs, &why);
                if (r < 0) {
                    assert_int_equal(r, ERR_LIMIT);
                    assert_true(strlen(why.text) > 10);
                    continue;
                }
                assert_int_equal(profile_decode(&p, regs, &back, NULL), 0);
                assert_true(type == POINT_F32 ? (float)back == (float)values[i] : back == values[i]);
            }
}

static void test_scale_and_limits(void **state)
{
    (void)state;
    struct point p = number(POINT_S16, ORDER_ABCD);
    p.scale = 0.1;
    p.offset = -20;
    p.min = -60;
    p.max = 0.3;
    uint16_t regs[2];
    double back;
    assert_int_equal(profile_encode(&p, 0.3, regs, NULL), 0);
    assert_int_equal(regs[0], 203);
    assert_int_equal(profile_decode(&p, regs, &back, NULL), 0);
    assert_true(fabs(back - 0.3) < 1e-9);
    static const double bad[] = {0.4, -60.1, 1e300};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(profile_encode(&p, bad[i], regs, NULL), ERR_LIMIT);
    assert_int_equal(profile_encode(&p, NAN, regs, NULL), ERR_LIMIT);
    assert_int_equal(profile_encode(&p, INFINITY, regs, NULL), ERR_LIMIT);
    regs[0] = 204;
    assert_int_equal(profile_decode(&p, regs, &back, NULL), ERR_LIMIT);
}

static void test_type_limits(void **state)
{
    (void)state;
    static const struct {
        enum point_type type;
        double low, high;
    } cases[] = {{POINT_BIT, 0, 1},
                 {POINT_U16, 0, 65535},
                 {POINT_S16, -32768, 32767},
                 {POINT_U32, 0, 4294967295.0},
                 {POINT_S32, -2147483648.0, 2147483647.0},
                 {POINT_F32, -3.4e38, 3.4e38}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct point p = number(cases[i].type, ORDER_CDAB);
        double step = cases[i].type == POINT_F32 ? 1e38 : 1;
        uint16_t regs[2];
        assert_int_equal(profile_encode(&p, cases[i].low, regs, NULL), 0);
        assert_int_equal(profile_encode(&p, cases[i].high, regs, NULL), 0);
        assert_int_equal(profile_encode(&p, cases[i].low - step, regs, NULL), ERR_LIMIT);
        assert_int_equal(profile_encode(&p, cases[i].high + step, regs, NULL), ERR_LIMIT);
    }
}

static void test_not_a_number_is_not_believed(void **state)
{
    (void)state;
    struct point p = number(POINT_F32, ORDER_ABCD);
    double back = 5;
    struct complaint why = {0};
    const uint16_t nan_regs[] = {0x7FC0, 0};
    const uint16_t inf_regs[] = {0xFF80, 0};
    assert_int_equal(profile_decode(&p, nan_regs, &back, &why), ERR_LIMIT);
    assert_int_equal(profile_decode(&p, inf_regs, &back, &why), ERR_LIMIT);
    assert_true(back == 5);
}

static void test_masks(void **state)
{
    (void)state;
    struct point p = number(POINT_U16, ORDER_DCBA);
    p.mask = 0x0070;
    uint16_t reg = 0xFFDF;
    double back;
    assert_int_equal(profile_decode(&p, &reg, &back, NULL), 0);
    assert_true(back == 5);
    assert_int_equal(profile_encode(&p, 5, &reg, NULL), 0);
    assert_int_equal(reg, 0x0050);
    assert_int_equal(profile_encode(&p, 8, &reg, NULL), ERR_LIMIT);
    struct point bit = number(POINT_BIT, ORDER_ABCD);
    reg = 0x0100;
    assert_int_equal(profile_decode(&bit, &reg, &back, NULL), ERR_LIMIT);
    bit.mask = 0x0100;
    assert_int_equal(profile_decode(&bit, &reg, &back, NULL), 0);
    assert_true(back == 1);
}

static struct point text_point(enum text_encoding encoding, enum point_order order, uint16_t n_regs)
{
    return (struct point){.name = "t",
                          .kind = POINT_HOLDING,
                          .type = POINT_TEXT,
                          .encoding = encoding,
                          .order = order,
                          .n_regs = n_regs,
                          .unit = ""};
}

static void check_text(const struct point *p, const char *text)
{
    uint16_t regs[PROFILE_TEXT_REGS_MAX];
    struct buf back = {0};
    struct complaint why = {0};
    assert_int_equal(profile_encode_text(p, text, regs, &why), 0);
    assert_int_equal(profile_decode_text(p, regs, &back, &why), 0);
    assert_true(profile_same_text(buf_text(&back), text));
    buf_done(&back);
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "A", "Hello", "Thông báo: đường ế Ộ ngập", "a\nb"};
    for (int order = ORDER_ABCD; order <= ORDER_DCBA; order++)
        for (int pad = PAD_NUL; pad <= PAD_SPACE; pad++)
            for (int encoding = ENCODING_UTF8; encoding <= ENCODING_CP1258; encoding++)
                for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                    struct point p = text_point((enum text_encoding)encoding, (enum point_order)order, 40);
                    p.pad = (enum text_pad)pad;
                    if (encoding != ENCODING_ASCII || i < 3)
                        check_text(&p, texts[i]);
                }
    struct point p = text_point(ENCODING_GB18030, ORDER_BADC, 40);
    check_text(&p, "边境通知 Đường");
    p = text_point(ENCODING_UTF16, ORDER_ABCD, 4);
    check_text(&p, "😀é");
}

static void test_text_registers(void **state)
{
    (void)state;
    uint16_t regs[8];
    struct point p = text_point(ENCODING_UTF8, ORDER_ABCD, 2);
    assert_int_equal(profile_encode_text(&p, "ABC", regs, NULL), 0);
    assert_int_equal(regs[0], 0x4142);
    assert_int_equal(regs[1], 0x4300);
    p.order = ORDER_DCBA;
    p.pad = PAD_SPACE;
    assert_int_equal(profile_encode_text(&p, "ABC", regs, NULL), 0);
    assert_int_equal(regs[0], 0x4241);
    assert_int_equal(regs[1], 0x2043);
    p = text_point(ENCODING_UCS2, ORDER_BADC, 2);
    assert_int_equal(profile_encode_text(&p, "ế", regs, NULL), 0);
    assert_int_equal(regs[0], 0xBF1E);
}

static void test_text_refusals(void **state)
{
    (void)state;
    uint16_t regs[8];
    struct complaint why = {0};
    struct point p = text_point(ENCODING_UCS2, ORDER_ABCD, 2);
    assert_int_equal(profile_encode_text(&p, "a😀", regs, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "character 2, '😀' (U+1F600), cannot be written in ucs-2"));
    assert_int_equal(profile_encode_text(&p, "abc", regs, &why), ERR_LIMIT);
    assert_int_equal(profile_encode_text(&p, "\xff", regs, &why), ERR_FORMAT);
    p.terminated = true;
    assert_int_equal(profile_encode_text(&p, "ab", regs, &why), ERR_LIMIT);
    p = text_point(ENCODING_CP1258, ORDER_ABCD, 4);
    assert_int_equal(profile_encode_text(&p, "边", regs, &why), ERR_FORMAT);
    assert_non_null(strstr(why.text, "'边'"));
}

static void test_undecodable_text(void **state)
{
    (void)state;
    struct buf out = {0};
    const uint16_t bad_utf8[] = {0x41FF, 0};
    const uint16_t lone[] = {0xD800, 0x0041};
    const uint16_t ascii[] = {0xC3A9, 0};
    struct point p = text_point(ENCODING_UTF8, ORDER_ABCD, 2);
    assert_int_equal(profile_decode_text(&p, bad_utf8, &out, NULL), ERR_FORMAT);
    p.encoding = ENCODING_ASCII;
    assert_int_equal(profile_decode_text(&p, ascii, &out, NULL), ERR_FORMAT);
    p.encoding = ENCODING_UTF16;
    assert_int_equal(profile_decode_text(&p, lone, &out, NULL), ERR_FORMAT);
    p.encoding = ENCODING_GB18030;
    assert_int_equal(profile_decode_text(&p, bad_utf8, &out, NULL), ERR_FORMAT);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void test_same_text(void **state)
{
    (void)state;
    assert_true(profile_same_text("e\xCC\x82\xCC\x81", "ế"));
    assert_true(profile_same_text("a  \r\nb\n\n", "a\nb"));
    assert_false(profile_same_text("a", "b"));
    assert_false(profile_same_text(" a", "a"));
    assert_false(profile_same_text("\xff", "\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_bytes),
                                       cmocka_unit_test(test_round_trips),
                                       cmocka_unit_test(test_scale_and_limits),
                                       cmocka_unit_test(test_type_limits),
                                       cmocka_unit_test(test_masks),
                                       cmocka_unit_test(test_not_a_number_is_not_believed),
                                       cmocka_unit_test(test_texts),
                                       cmocka_unit_test(test_text_registers),
                                       cmocka_unit_test(test_text_refusals),
                                       cmocka_unit_test(test_undecodable_text),
                                       cmocka_unit_test(test_same_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
