/* text.c - registers <-> UTF-8 text, and when two texts are the same. Pure; see profile.h.
 *
 * Every encoding is a string of bytes, the first of each pair in a register's high byte; UCS-2 and UTF-16 are big
 * endian there. ORDER_BADC and ORDER_DCBA swap the two bytes of each register. */
#include "boards/bus/profile.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* A new encoding is a line here, one in the enum and a name in profile_point.c. */
static const struct {
    int unit;          /* bytes of one code unit */
    int32_t highest;   /* code point; for those that are not left to iconv */
    const char *iconv; /* NULL: done here */
} encodings[] = {
    [ENCODING_UTF8] = {1, 0x10FFFF, NULL},  [ENCODING_UCS2] = {2, 0xFFFF, NULL},
    [ENCODING_UTF16] = {2, 0x10FFFF, NULL}, [ENCODING_ASCII] = {1, 0x7F, NULL},
    [ENCODING_GB18030] = {1, 0, "GB18030"}, [ENCODING_CP1258] = {1, 0, "CP1258"},
};

static void put16(struct buf *buf, int32_t unit)
{
    uint8_t bytes[2] = {(uint8_t)(unit >> 8), (uint8_t)unit};
    buf_put(buf, bytes, 2);
}

/* 0, or -EILSEQ when the encoding has no such character. */
static int put_char(enum text_encoding encoding, int32_t code, const char *utf8, size_t len, struct buf *buf)
{
    if (code > encodings[encoding].highest)
        return -EILSEQ;
    if (encodings[encoding].unit == 1)
        buf_put(buf, utf8, len);
    else if (code > 0xFFFF) {
        put16(buf, 0xD800 + ((code - 0x10000) >> 10));
        put16(buf, 0xDC00 + ((code - 0x10000) & 0x3FF));
    } else {
        put16(buf, code);
    }
    return 0;
}

/* Convert a whole string by iconv. -EILSEQ: a character cannot be carried (or the input is no text in `from`). */
static int convert(const char *to, const char *from, const char *text, size_t len, struct buf *ret)
{
    iconv_t cd = iconv_open(to, from);
    if (cd == (iconv_t)-1)
        return -ENOSYS;
    char out[256];
    char *in = (char *)(uintptr_t)text;
    int r = 0;
    bool flushed = false;
    while (!flushed) {
        char *end = out;
        size_t room = sizeof(out);
        flushed = len == 0;
        size_t n = flushed ? iconv(cd, NULL, NULL, &end, &room) : iconv(cd, &in, &len, &end, &room);
        buf_put(ret, out, sizeof(out) - room);
        if (n == (size_t)-1 && errno != E2BIG) {
            r = -EILSEQ;
            break;
        }
        if (n == (size_t)-1)
            flushed = false;
    }
    iconv_close(cd);
    return r;
}

static int refuse_char(const struct point *point, int32_t code, const char *utf8, size_t len, size_t nth,
                       struct complaint *why)
{
    return complain(why, ERR_FORMAT, "%s: character %zu, '%.*s' (U+%04X), cannot be written in %s", point->name, nth,
                    (int)len, utf8, (unsigned)code, text_encoding_name(point->encoding));
}

static int encode_chars(const struct point *point, const char *text, size_t len, struct buf *bytes,
                        struct complaint *why)
{
    const char *by_iconv = encodings[point->encoding].iconv;
    if (by_iconv && convert(by_iconv, "UTF-8", text, len, bytes) == 0)
        return 0;
    bytes->len = 0;
    size_t nth = 1;
    for (size_t i = 0; i < len; nth++) {
        utf8proc_int32_t code;
        size_t used = (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &code);
        int r = by_iconv ? convert(by_iconv, "UTF-8", text + i, used, bytes)
                         : put_char(point->encoding, code, text + i, used, bytes);
        if (r == -ENOSYS)
            return complain(why, ERR_FORMAT, "%s: this system has no converter for %s", point->name,
                            text_encoding_name(point->encoding));
        if (r < 0)
            return refuse_char(point, code, text + i, used, nth, why);
        i += used;
    }
    return 0;
}

static bool swapped(const struct point *point)
{
    return point->order == ORDER_BADC || point->order == ORDER_DCBA;
}

static void to_regs(const struct point *point, struct buf *bytes, uint16_t *ret_regs)
{
    size_t unit = (size_t)encodings[point->encoding].unit;
    static const char zero[2];
    if (point->terminated)
        buf_put(bytes, zero, unit);
    const char *pad = point->pad == PAD_NUL ? zero : unit == 1 ? " " : "\0 ";
    while (bytes->len < (size_t)point->n_regs * 2)
        buf_put(bytes, pad, unit);
    for (size_t i = 0; i < point->n_regs; i++) {
        uint8_t high = bytes->data[2 * i];
        uint8_t low = bytes->data[2 * i + 1];
        ret_regs[i] = (uint16_t)(swapped(point) ? low << 8 | high : high << 8 | low);
    }
}

int profile_encode_text(const struct point *point, const char *text, uint16_t *ret_regs, struct complaint *why)
{
    size_t len = strlen(text);
    if (point->type != POINT_TEXT)
        return complain(why, ERR_FORMAT, "%s is a number, not text", point->name);
    if (!utf8_valid(text, len))
        return complain(why, ERR_FORMAT, "%s: the text is not UTF-8", point->name);
    struct buf bytes = {0};
    int r = encode_chars(point, text, len, &bytes, why);
    size_t unit = (size_t)encodings[point->encoding].unit;
    size_t room = (size_t)point->n_regs * 2 - (point->terminated ? unit : 0);
    if (r == 0 && bytes.len > room)
        r = complain(why, ERR_LIMIT, "%s: the text needs %zu bytes in %s, there is room for %zu", point->name,
                     bytes.len, text_encoding_name(point->encoding), room);
    if (r == 0)
        to_regs(point, &bytes, ret_regs);
    buf_done(&bytes);
    return r;
}

/* Big-endian UTF-16 to UTF-8; a lone surrogate is -EILSEQ. */
static int from_utf16(const uint8_t *bytes, size_t len, bool pairs, struct buf *ret)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        int32_t code = bytes[i] << 8 | bytes[i + 1];
        if (code >= 0xD800 && code < 0xDC00 && pairs && i + 3 < len) {
            int32_t low = bytes[i + 2] << 8 | bytes[i + 3];
            if (low < 0xDC00 || low > 0xDFFF)
                return -EILSEQ;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            i += 2;
        }
        utf8proc_uint8_t utf8[4];
        if (!utf8proc_codepoint_valid(code))
            return -EILSEQ;
        buf_put(ret, utf8, (size_t)utf8proc_encode_char(code, utf8));
    }
    return 0;
}

static bool is_unit(const uint8_t *bytes, size_t unit, uint8_t value)
{
    return unit == 1 ? bytes[0] == value : bytes[0] == 0 && bytes[1] == value;
}

/* Bytes before the first NUL, less trailing padding. */
static size_t text_len(const struct point *point, const uint8_t *bytes, size_t len)
{
    size_t unit = (size_t)encodings[point->encoding].unit;
    size_t end = 0;
    while (end < len && !is_unit(bytes + end, unit, 0))
        end += unit;
    while (point->pad == PAD_SPACE && end >= unit && is_unit(bytes + end - unit, unit, ' '))
        end -= unit;
    return end;
}

int profile_decode_text(const struct point *point, const uint16_t *regs, struct buf *ret, struct complaint *why)
{
    if (point->type != POINT_TEXT)
        return complain(why, ERR_FORMAT, "%s is a number, not text", point->name);
    uint8_t bytes[PROFILE_TEXT_REGS_MAX * 2];
    for (size_t i = 0; i < point->n_regs; i++) {
        bytes[2 * i] = (uint8_t)(swapped(point) ? regs[i] : regs[i] >> 8);
        bytes[2 * i + 1] = (uint8_t)(swapped(point) ? regs[i] >> 8 : regs[i]);
    }
    size_t len = text_len(point, bytes, (size_t)point->n_regs * 2);
    struct buf text = {0};
    int r = 0;
    if (encodings[point->encoding].iconv)
        r = convert("UTF-8", encodings[point->encoding].iconv, (const char *)bytes, len, &text);
    else if (encodings[point->encoding].unit == 2)
        r = from_utf16(bytes, len, point->encoding == ENCODING_UTF16, &text);
    else
        buf_put(&text, bytes, len);
    if (r == 0 && point->encoding == ENCODING_ASCII)
        for (size_t i = 0; i < len; i++)
            r = bytes[i] > 0x7F ? -EILSEQ : r;
    if (r == 0 && utf8_valid((const char *)text.data, text.len))
        buf_put(ret, text.data, text.len);
    else
        r = complain(why, ERR_FORMAT, "%s: the registers hold no %s text", point->name,
                     text_encoding_name(point->encoding));
    buf_done(&text);
    return r;
}

/* NFC, line ends as '\n', no white space at the end of a line or of the text. Heap; NULL when it is not UTF-8. */
static char *reader_view(const char *text)
{
    utf8proc_uint8_t *nfc = NULL;
    if (utf8proc_map((const utf8proc_uint8_t *)text, 0, &nfc, UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE) <
        0)
        return NULL;
    size_t out = 0;
    for (const char *p = (const char *)nfc; *p; p++) {
        bool end_of_line = *p == '\n' || *p == '\r';
        while (end_of_line && out > 0 && (nfc[out - 1] == ' ' || nfc[out - 1] == '\t'))
            out--;
        nfc[out++] = (utf8proc_uint8_t)(end_of_line ? '\n' : *p);
        if (*p == '\r' && p[1] == '\n')
            p++;
    }
    while (out > 0 && strchr(" \t\n", nfc[out - 1]))
        out--;
    nfc[out] = 0;
    return (char *)nfc;
}

bool profile_same_text(const char *a, const char *b)
{
    char *view_a = reader_view(a);
    char *view_b = reader_view(b);
    bool same = view_a && view_b && strcmp(view_a, view_b) == 0;
    free(view_a);
    free(view_b);
    return same;
}
