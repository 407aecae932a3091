/* json_read.c - see json_read.h. RFC 8259 from its first byte to its last, in one pass. */
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
    const char *wrong; /* why it goes no further */
    bool too_deep;
};

static bool go_no_further(struct reader *r, const char *what)
{
    r->wrong = r->at < r->end ? what : "it ends too early";
    return false;
}

/* The next byte that is no space; NUL, which no text has, at the end. */
static char next(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
    return r->at < r->end ? *r->at : '\0';
}

static void make_room(struct reader *r, uint32_t cap)
{
    struct json_value *grown = realloc(r->values, cap * sizeof(*grown));
    if (!grown)
        abort();
    r->values = grown;
    r->cap = cap;
}

static struct json_value *add(struct reader *r, enum json_kind kind)
{
    if (r->n == r->cap)
        make_room(r, r->cap * 2);
    struct json_value *value = &r->values[r->n++];
    *value = (struct json_value){.kind = kind, .next = r->n};
    return value;
}

/* --- numbers and words --- */

/* Up to 18 digits fit, whatever they are. False: something else stands there. */
static bool short_int(const char *text, size_t len, int64_t *ret)
{
    bool minus = text[0] == '-';
    int64_t value = 0;
    if (len > 18)
        return false;
    for (size_t i = minus; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *ret = minus ? -value : value;
    return true;
}

/* Reals are read in whatever locale somebody set. */
static bool any_number(const char *text, size_t len, struct json_value *value)
{
    char digits[JSON_DIGITS_MAX + 1];
    memcpy(digits, text, len);
    digits[len] = '\0';
    errno = 0;
    if (!strpbrk(digits, ".eE")) {
        value->integer = strtoll(digits, NULL, 10);
        return errno == 0;
    }
    char *point = strchr(digits, '.');
    if (point)
        *point = *localeconv()->decimal_point;
    value->kind = JSON_IS_REAL;
    value->real = strtod(digits, NULL);
    return isfinite(value->real);
}

static const char *behind_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Behind the number at `p`; NULL: that is none. */
static const char *behind_number(const char *p, const char *end)
{
    p += *p == '-';
    const char *digits = p;
    p = behind_digits(p, end);
    if (p == digits || (*digits == '0' && p > digits + 1))
        return NULL;
    if (p < end && *p == '.') {
        digits = ++p;
        p = behind_digits(p, end);
        if (p == digits)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        digits = p;
        p = behind_digits(p, end);
        if (p == digits)
            return NULL;
    }
    return p;
}

static bool read_number(struct reader *r)
{
    const char *from = r->at, *behind = behind_number(from, r->end);
    if (!behind)
        return go_no_further(r, "a number is not written as JSON has it");
    size_t len = (size_t)(behind - from);
    if (len > JSON_DIGITS_MAX)
        return go_no_further(r, "a number has too many digits");
    struct json_value *value = add(r, JSON_IS_INT);
    if (!short_int(from, len, &value->integer) && !any_number(from, len, value))
        return go_no_further(r, "a number is too big");
    r->at = behind;
    return true;
}

static bool read_word(struct reader *r, const char *word, enum json_kind kind, bool yes)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return go_no_further(r, "a value is expected here");
    add(r, kind)->yes = yes;
    r->at += len;
    return true;
}

/* --- texts --- */

/* The code of the "\uXXXX" at `p`; -1: none stands there. */
static int32_t escaped_code(const char *p, const char *end)
{
    char digits[5] = "";
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    memcpy(digits, p + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (int32_t)strtol(digits, NULL, 16) : -1;
}

/* The character that the escape at r->at stands for, which is passed; -1: none. */
static int32_t read_escape(struct reader *r)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found = r->end - r->at > 1 && r->at[1] ? strchr(plain, r->at[1]) : NULL;
    if (found) {
        r->at += 2;
        return (unsigned char)meant[found - plain];
    }
    int32_t code = escaped_code(r->at, r->end);
    bool high = code >= 0xD800 && code <= 0xDBFF;
    int32_t low = high ? escaped_code(r->at + 6, r->end) : 0xDC00;
    if (code < 0)
        (void)go_no_further(r, "an escape is none that JSON has");
    else if (code == 0)
        (void)go_no_further(r, "a text holds NUL");
    else if ((code >= 0xDC00 && code <= 0xDFFF) || low < 0xDC00 || low > 0xDFFF)
        (void)go_no_further(r, "a text has half of a surrogate pair");
    if (r->wrong)
        return -1;
    r->at += high ? 12 : 6;
    return high ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : code;
}

static char *put_utf8(char *to, int32_t code)
{
    int tail = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    *to++ = (char)(leads[tail] | code >> 6 * tail);
    while (tail-- > 0)
        *to++ = (char)(0x80 | (code >> 6 * tail & 0x3F));
    return to;
}

/* To the closing quote or the first byte that a text cannot hold as it is. */
static void pass_plain(struct reader *r)
{
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20)
        r->at++;
}

/* What an escape means is never longer than the escape. */
static bool read_escaped(struct reader *r, struct json_value *value, const char *from)
{
    const char *close = r->at;
    while (close < r->end && *close != '"')
        close += *close == '\\' && r->end - close > 1 ? 2 : 1;
    char *text = arena_alloc(r->arena, (size_t)(close - from) + 1), *to = text;
    for (;;) {
        size_t plain = (size_t)(r->at - from);
        memcpy(to, from, plain);
        to += plain;
        if (r->at < r->end && *r->at == '"')
            break;
        if (r->at >= r->end || *r->at != '\\')
            return go_no_further(r, "a control character stands in a text");
        int32_t code = read_escape(r);
        if (code < 0)
            return false;
        to = put_utf8(to, code);
        from = r->at;
        pass_plain(r);
    }
    r->at++;
    value->text = text;
    value->n = (uint32_t)(to - text);
    return true;
}

/* Without escapes it stays where it stands. */
static bool read_text(struct reader *r)
{
    struct json_value *value = add(r, JSON_IS_TEXT);
    const char *from = ++r->at;
    pass_plain(r);
    if (r->at >= r->end || *r->at != '"')
        return read_escaped(r, value, from);
    value->text = from;
    value->n = (uint32_t)(r->at++ - from);
    return true;
}

/* --- objects and lists --- */

static bool read_value(struct reader *r);

static bool same_name(const struct json_value *a, const struct json_value *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

static bool read_name(struct reader *r, uint32_t object)
{
    if (next(r) != '"')
        return go_no_further(r, "a name in quotes is expected here");
    uint32_t place = r->n;
    if (!read_text(r))
        return false;
    if (r->values[object].n++ >= JSON_NAMES_MAX)
        return go_no_further(r, "an object has too many names");
    const struct json_value *name = &r->values[place];
    for (const struct json_value *before = &r->values[object + 1]; before < name; before = &r->values[before[1].next])
        if (same_name(before, name))
            return go_no_further(r, "duplicate name in an object");
    if (next(r) != ':')
        return go_no_further(r, "':' is expected here");
    r->at++;
    return true;
}

static bool read_object(struct reader *r)
{
    uint32_t place = (uint32_t)(add(r, JSON_IS_OBJECT) - r->values);
    do {
        r->at++; /* the brace, or the comma */
        if (r->values[place].n == 0 && next(r) == '}')
            break;
        if (!read_name(r, place) || !read_value(r))
            return false;
    } while (next(r) == ',');
    if (next(r) != '}')
        return go_no_further(r, "',' or '}' is expected here");
    r->at++;
    r->values[place].next = r->n;
    return true;
}

static bool read_list(struct reader *r)
{
    uint32_t place = (uint32_t)(add(r, JSON_IS_LIST) - r->values);
    do {
        r->at++; /* the bracket, or the comma */
        if (r->values[place].n == 0 && next(r) == ']')
            break;
        r->values[place].n++;
        if (!read_value(r))
            return false;
    } while (next(r) == ',');
    if (next(r) != ']')
        return go_no_further(r, "',' or ']' is expected here");
    r->at++;
    r->values[place].next = r->n;
    return true;
}

static bool read_nest(struct reader *r, bool (*read)(struct reader *r))
{
    r->too_deep = r->depth == r->max_depth;
    if (r->too_deep)
        return false;
    r->depth++;
    bool right = read(r);
    r->depth--;
    return right;
}

static bool read_value(struct reader *r)
{
    switch (next(r)) {
    case '{':
        return read_nest(r, read_object);
    case '[':
        return read_nest(r, read_list);
    case '"':
        return read_text(r);
    case 't':
        return read_word(r, "true", JSON_IS_BOOL, true);
    case 'f':
        return read_word(r, "false", JSON_IS_BOOL, false);
    case 'n':
        return read_word(r, "null", JSON_IS_NULL, false);
    default:
        if (r->at < r->end && (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')))
            return read_number(r);
        return go_no_further(r, "a value is expected here");
    }
}

static bool read_all(struct reader *r)
{
    char first = next(r);
    if (first != '{' && first != '[')
        return go_no_further(r, "'{' or '[' is expected here");
    if (!read_value(r))
        return false;
    return next(r) == '\0' || go_no_further(r, "something stands behind its end");
}

/* --- the whole --- */

/* utf8_valid() looks at each byte, and most documents are ASCII. */
static size_t ascii_words(const char *text, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t at = 0;
    for (uint64_t word; at + sizeof(word) <= len; at += sizeof(word)) {
        memcpy(&word, text + at, sizeof(word));
        if (((word - ones) | word) & tops) /* a byte is 0 or above 0x7F */
            break;
    }
    return at;
}

/* What no JSON text has, anywhere in it. NULL: nothing of it. */
static const char *not_plain(const char *text, size_t len)
{
    if (len == 0)
        return "nothing is there";
    size_t plain = ascii_words(text, len);
    return utf8_valid(text + plain, len - plain) ? NULL : "it is not UTF-8 text without NUL";
}

static int refuse(const struct reader *r, struct complaint *why)
{
    int line = 1, column = 1;
    for (const char *p = r->begin; p < r->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return complain(why, ERR_FORMAT, "is not the JSON of one object: %s (line %d, column %d)", r->wrong, line, column);
}

int json_read(const char *text, size_t len, int max_depth, struct arena *arena, struct json_value **ret_values,
              struct complaint *why)
{
    struct reader r = {.begin = text, .at = text, .end = text + len, .arena = arena, .max_depth = max_depth};
    r.wrong = not_plain(text, len);
    if (r.wrong)
        return refuse(&r, why);
    make_room(&r, (uint32_t)(len / BYTES_EACH + 16));
    if (read_all(&r)) {
        *ret_values = r.values;
        return 0;
    }
    free(r.values);
    if (r.too_deep)
        return complain(why, ERR_LIMIT, "is nested deeper than %d levels", max_depth);
    return refuse(&r, why);
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
