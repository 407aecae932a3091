/* json_read.c - see json_read.h. */
#include "playlists/json_read.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_EACH = 8 }; /* of text for a value, in what we read: the list seldom has to grow */

struct reader {
    const char *begin, *at, *end;
    struct arena *arena;
    struct json_value *values;
    uint32_t n, cap;
    int depth, max_depth;
    struct complaint *why;
};

static int wrong(const struct reader *r, const char *what)
{
    int line = 1, column = 1;
    for (const char *p = r->begin; p < r->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return complain(r->why, ERR_FORMAT, "is not the JSON of one object: %s (line %d, column %d)", what, line, column);
}

static uint32_t add(struct reader *r, enum json_kind kind)
{
    if (r->n == r->cap) {
        r->cap *= 2;
        struct json_value *grown = realloc(r->values, r->cap * sizeof(*grown));
        if (!grown)
            abort();
        r->values = grown;
    }
    r->values[r->n] = (struct json_value){.kind = kind, .next = r->n + 1};
    return r->n++;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* --- texts --- */

/* Four hex digits; -1. */
static int32_t hex4(const char *p)
{
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static char *put_code(char *to, int32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xE0 | code >> 12);
        } else {
            *to++ = (char)(0xF0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (code & 0x3F));
    return to;
}

/* `p` is behind "\u". Bytes used after that, or -1: no code point but NUL. */
static int read_code(const char *p, const char *end, int32_t *ret)
{
    int32_t code = end - p >= 4 ? hex4(p) : -1;
    if (code <= 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return -1;
    *ret = code;
    if (code < 0xD800 || code > 0xDBFF)
        return 4;
    int32_t low = end - p >= 10 && p[4] == '\\' && p[5] == 'u' ? hex4(p + 6) : -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    *ret = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    return 10;
}

/* A text with escapes: the plain one, in the arena. It never is longer than what stands there. -1: a wrong escape. */
static int64_t unescape(struct reader *r, const char *from, size_t len, const char **ret)
{
    static const char names[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    char *text = arena_alloc(r->arena, len), *to = text;
    const char *end = from + len;
    while (from < end) {
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        const char *name = from[1] != '\0' ? strchr(names, from[1]) : NULL;
        int32_t code = 0;
        int used = name ? 0 : from[1] == 'u' ? read_code(from + 2, end, &code) : -1;
        if (used < 0)
            return -1;
        to = put_code(to, name ? plain[name - names] : code);
        from += 2 + used;
    }
    *ret = text;
    return to - text;
}

/* `at` is on the opening mark. */
static int read_text(struct reader *r)
{
    uint32_t place = add(r, JSON_IS_TEXT);
    const char *from = ++r->at;
    bool escaped = false, foreign = false;
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        unsigned char c = (unsigned char)*r->at;
        if (c < 0x20)
            return wrong(r, "a control character stands in a text");
        foreign |= c >= 0x80;
        if (c == '\\') {
            escaped = true;
            r->at++;
        }
    }
    if (r->at >= r->end)
        return wrong(r, "a text has no end");
    size_t len = (size_t)(r->at - from);
    if (foreign && !utf8_valid(from, len))
        return wrong(r, "a text is not UTF-8");
    r->values[place].text = from;
    if (escaped) {
        int64_t plain = unescape(r, from, len, &r->values[place].text);
        if (plain < 0)
            return wrong(r, "a text has an escape that is none");
        len = (size_t)plain;
    }
    r->values[place].n = (uint32_t)len;
    r->at++;
    return 0;
}

/* --- numbers and words --- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* The end of the number at `p` as the grammar has it; NULL: none. */
static const char *number_end(const char *p, const char *end, bool *ret_real)
{
    p += p < end && *p == '-';
    const char *digits = p;
    p = skip_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1))
        return NULL;
    const char *whole = p;
    if (p < end && *p == '.') {
        const char *more = skip_digits(p + 1, end);
        if (more == p + 1)
            return NULL;
        p = more;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *more = skip_digits(p, end);
        if (more == p)
            return NULL;
        p = more;
    }
    *ret_real = p != whole;
    return p;
}

static bool read_int(const char *p, const char *end, int64_t *ret)
{
    bool minus = *p == '-';
    int64_t value = 0;
    for (p += minus; p < end; p++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, *p - '0', &value))
            return false;
    if (!minus && value == INT64_MIN)
        return false;
    *ret = minus ? value : -value;
    return true;
}

/* strtod() reads the point of whatever locale somebody set. */
static bool read_real(const char *p, const char *end, double *ret)
{
    char digits[JSON_DIGITS_MAX + 1];
    size_t len = (size_t)(end - p);
    memcpy(digits, p, len);
    digits[len] = '\0';
    char *point = strchr(digits, '.');
    if (point)
        *point = *localeconv()->decimal_point;
    *ret = strtod(digits, NULL);
    return isfinite(*ret);
}

static int read_number(struct reader *r)
{
    bool real = false;
    const char *end = number_end(r->at, r->end, &real);
    if (!end)
        return wrong(r, "a value is expected here");
    if (end - r->at > JSON_DIGITS_MAX)
        return wrong(r, "a number has too many digits");
    uint32_t place = add(r, real ? JSON_IS_REAL : JSON_IS_INT);
    struct json_value *value = &r->values[place];
    bool fits = real ? read_real(r->at, end, &value->real) : read_int(r->at, end, &value->integer);
    if (!fits)
        return wrong(r, "a number is too big");
    r->at = end;
    return 0;
}

static int read_word(struct reader *r)
{
    static const struct {
        const char *word;
        size_t len;
        enum json_kind kind;
        bool yes;
    } words[] = {{"true", 4, JSON_IS_BOOL, true}, {"false", 5, JSON_IS_BOOL, false}, {"null", 4, JSON_IS_NULL, false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((size_t)(r->end - r->at) < words[i].len || memcmp(r->at, words[i].word, words[i].len) != 0)
            continue;
        uint32_t place = add(r, words[i].kind);
        r->values[place].yes = words[i].yes;
        r->at += words[i].len;
        return 0;
    }
    return read_number(r);
}

/* --- objects and lists --- */

static int read_value(struct reader *r);

static bool same_name(const struct json_value *a, const struct json_value *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

/* The name that was read last, against those before it. */
static int check_name(struct reader *r, uint32_t object, uint32_t name)
{
    const struct json_value *values = r->values;
    if (values[object].n >= JSON_NAMES_MAX)
        return wrong(r, "an object has too many names");
    for (uint32_t at = object + 1; at < name; at = values[at + 1].next)
        if (same_name(&values[at], &values[name]))
            return wrong(r, "duplicate name in an object");
    return 0;
}

/* `name: `, without the value. */
static int read_name(struct reader *r, uint32_t object)
{
    if (r->at >= r->end || *r->at != '"')
        return wrong(r, "a name is expected here");
    uint32_t name = r->n;
    int err = read_text(r);
    if (err == 0)
        err = check_name(r, object, name);
    if (err)
        return err;
    skip_space(r);
    if (r->at >= r->end || *r->at != ':')
        return wrong(r, "':' is expected here");
    r->at++;
    skip_space(r);
    return 0;
}

/* `at` is on the opening bracket. */
static int read_all(struct reader *r, enum json_kind kind, char close)
{
    uint32_t place = add(r, kind);
    if (++r->depth > r->max_depth)
        return complain(r->why, ERR_LIMIT, "is nested deeper than %d levels", r->max_depth);
    r->at++;
    skip_space(r);
    bool empty = r->at < r->end && *r->at == close;
    while (!empty) {
        int err = kind == JSON_IS_OBJECT ? read_name(r, place) : 0;
        if (err == 0)
            err = read_value(r);
        if (err)
            return err;
        r->values[place].n++;
        skip_space(r);
        if (r->at < r->end && *r->at == close)
            break;
        if (r->at >= r->end || *r->at != ',')
            return wrong(r, kind == JSON_IS_OBJECT ? "',' or '}' is expected here" : "',' or ']' is expected here");
        r->at++;
        skip_space(r);
    }
    r->at++;
    r->depth--;
    r->values[place].next = r->n;
    return 0;
}

static int read_value(struct reader *r)
{
    char c = r->at < r->end ? *r->at : '\0';
    switch (c) {
    case '{':
        return read_all(r, JSON_IS_OBJECT, '}');
    case '[':
        return read_all(r, JSON_IS_LIST, ']');
    case '"':
        return read_text(r);
    default:
        return read_word(r);
    }
}

int json_read(const char *text, size_t len, int max_depth, struct arena *arena, struct json_value **ret_values,
              struct complaint *why)
{
    struct reader r = {
        .begin = text, .at = text, .end = text + len, .arena = arena, .max_depth = max_depth, .why = why};
    r.cap = (uint32_t)(len / BYTES_EACH + 16);
    r.values = xcalloc(r.cap, sizeof(*r.values));
    skip_space(&r);
    int err = 0;
    if (r.at >= r.end || (*r.at != '{' && *r.at != '['))
        err = wrong(&r, "'{' is expected here");
    if (err == 0)
        err = read_value(&r);
    if (err == 0)
        skip_space(&r);
    if (err == 0 && r.at < r.end)
        err = wrong(&r, "something stands behind its end");
    if (err) {
        free(r.values);
        return err;
    }
    *ret_values = r.values;
    return 0;
}

const struct json_value *json_member(const struct json_value *values, const struct json_value *object, const char *name,
                                     uint32_t *hint)
{
    uint32_t first = (uint32_t)(object - values) + 1, at = *hint;
    struct json_value wanted = {.text = name, .n = (uint32_t)strlen(name)};
    for (uint32_t i = 0; i < object->n; i++) {
        if (at >= object->next)
            at = first;
        uint32_t behind = values[at + 1].next;
        if (same_name(&values[at], &wanted)) {
            *hint = behind;
            return &values[at + 1];
        }
        at = behind;
    }
    return NULL;
}
