/* json_read.c - see json_read.h. yajl is the grammar; here is what it leaves open, and the list. */
#include "playlists/json_read.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum { BYTES_EACH = 8 }; /* of text for a value, in what we read: the list seldom has to grow */

struct reader {
    const char *begin, *end;
    struct arena *arena;
    struct json_value *values;
    uint32_t n, cap;
    uint32_t *open; /* places of the objects and lists around what is read now */
    int depth, max_depth;
    const char *wrong; /* why it goes no further; NULL: as far as the grammar goes it is right */
    bool too_deep;
};

static int go_no_further(struct reader *r, const char *what)
{
    r->wrong = what;
    return 0;
}

static struct json_value *around(struct reader *r)
{
    return r->depth > 0 ? &r->values[r->open[r->depth - 1]] : NULL;
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

/* A value and not a name. NULL: it stands alone, which is neither object nor list. */
static struct json_value *add_value(struct reader *r, enum json_kind kind)
{
    struct json_value *outer = around(r);
    if (!outer) {
        r->wrong = "'{' or '[' is expected here";
        return NULL;
    }
    if (outer->kind == JSON_IS_LIST)
        outer->n++; /* an object counts its names */
    return add(r, kind);
}

static int on_word(struct reader *r, enum json_kind kind, bool yes)
{
    struct json_value *value = add_value(r, kind);
    if (value)
        value->yes = yes;
    return value != NULL;
}

static int on_null(void *arg)
{
    return on_word(arg, JSON_IS_NULL, false);
}

static int on_bool(void *arg, int yes)
{
    return on_word(arg, JSON_IS_BOOL, yes != 0);
}

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

/* Of yajl's own numbers, reals are read in whatever locale somebody set. */
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

static int on_number(void *arg, const char *text, size_t len)
{
    struct reader *r = arg;
    if (len > JSON_DIGITS_MAX)
        return go_no_further(r, "a number has too many digits");
    struct json_value *value = add_value(r, JSON_IS_INT);
    if (!value)
        return 0;
    bool fits = short_int(text, len, &value->integer) || any_number(text, len, value);
    return fits ? 1 : go_no_further(r, "a number is too big");
}

/* Without escapes it stays where it stands; else yajl's own copy lives no longer than this call. */
static int take_text(struct reader *r, struct json_value *value, const unsigned char *bytes, size_t len)
{
    const char *text = (const char *)bytes;
    if (memchr(text, '\0', len))
        return go_no_further(r, "a text holds NUL");
    bool in_place = text >= r->begin && text < r->end;
    value->text = in_place ? text : arena_strndup(r->arena, text, len);
    value->n = (uint32_t)len;
    return 1;
}

static int on_text(void *arg, const unsigned char *text, size_t len)
{
    struct json_value *value = add_value(arg, JSON_IS_TEXT);
    return value && take_text(arg, value, text, len);
}

static bool same_name(const struct json_value *a, const struct json_value *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

static int on_name(void *arg, const unsigned char *text, size_t len)
{
    struct reader *r = arg;
    const struct json_value *name = add(r, JSON_IS_TEXT), *before = around(r) + 1;
    if (around(r)->n++ >= JSON_NAMES_MAX)
        return go_no_further(r, "an object has too many names");
    if (!take_text(r, &r->values[r->n - 1], text, len))
        return 0;
    for (; before < name; before = &r->values[before[1].next])
        if (same_name(before, name))
            return go_no_further(r, "duplicate name in an object");
    return 1;
}

static int begin(struct reader *r, enum json_kind kind)
{
    r->too_deep = r->depth == r->max_depth;
    if (r->too_deep)
        return 0;
    const struct json_value *value = r->depth > 0 ? add_value(r, kind) : add(r, kind);
    r->open[r->depth++] = (uint32_t)(value - r->values);
    return 1;
}

static int on_object(void *arg)
{
    return begin(arg, JSON_IS_OBJECT);
}

static int on_list(void *arg)
{
    return begin(arg, JSON_IS_LIST);
}

static int on_end(void *arg)
{
    struct reader *r = arg;
    around(r)->next = r->n;
    r->depth--;
    return 1;
}

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

/* What RFC 8259 forbids and yajl takes, anywhere in the text. NULL: nothing of it. */
static const char *not_plain(const char *text, size_t len)
{
    if (len == 0)
        return "nothing is there";
    size_t plain = ascii_words(text, len);
    if (!utf8_valid(text + plain, len - plain))
        return "it is not UTF-8 text without NUL";
    if (memchr(text, '\v', len) || memchr(text, '\f', len))
        return "a control character stands in it";
    return NULL;
}

/* The code of the "\uXXXX" at `p`; -1: none stands there. */
static int32_t escaped_code(const char *p, const char *end)
{
    char digits[5] = "";
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    memcpy(digits, p + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (int32_t)strtol(digits, NULL, 16) : -1;
}

/* yajl makes something of half a surrogate pair: another reader would make something else. A backslash outside of texts
 * is the grammar's to refuse. */
static bool pairs_are_whole(const char *text, const char *end)
{
    for (const char *p = text; (p = memchr(p, '\\', (size_t)(end - p))) != NULL;) {
        int32_t code = escaped_code(p, end);
        bool high = code >= 0xD800 && code <= 0xDBFF;
        int32_t low = high ? escaped_code(p + 6, end) : 0xDC00;
        if ((code >= 0xDC00 && code <= 0xDFFF) || low < 0xDC00 || low > 0xDFFF)
            return false;
        p += high ? 12 : code >= 0 ? 6 : 2;
        if (p >= end)
            break;
    }
    return true;
}

static int refuse(const struct reader *r, const char *what, size_t at, struct complaint *why)
{
    int line = 1, column = 1;
    for (const char *p = r->begin; p < r->end && p < r->begin + at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return complain(why, ERR_FORMAT, "is not the JSON of one object: %s (line %d, column %d)", what, line, column);
}

static bool all_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p == end;
}

static int parse(struct reader *r, struct complaint *why)
{
    static const yajl_callbacks callbacks = {.yajl_null = on_null,
                                             .yajl_boolean = on_bool,
                                             .yajl_number = on_number,
                                             .yajl_string = on_text,
                                             .yajl_start_map = on_object,
                                             .yajl_map_key = on_name,
                                             .yajl_end_map = on_end,
                                             .yajl_start_array = on_list,
                                             .yajl_end_array = on_end};
    const unsigned char *text = (const unsigned char *)r->begin;
    size_t len = (size_t)(r->end - r->begin);
    yajl_handle handle = yajl_alloc(&callbacks, NULL, r);
    if (!handle)
        abort();
    yajl_config(handle, yajl_dont_validate_strings, 1);  /* not_plain() has */
    yajl_config(handle, yajl_allow_trailing_garbage, 1); /* else it takes a text without end for none */
    yajl_status status = yajl_parse(handle, text, len);
    size_t at = yajl_get_bytes_consumed(handle);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(handle);
    if (status == yajl_status_ok && !all_space(r->begin + at, r->end))
        r->wrong = "something stands behind its end";
    int err = 0;
    if (r->too_deep) {
        err = complain(why, ERR_LIMIT, "is nested deeper than %d levels", r->max_depth);
    } else if (r->wrong) {
        err = refuse(r, r->wrong, at, why);
    } else if (status != yajl_status_ok) {
        unsigned char *said = yajl_get_error(handle, 0, text, len);
        said[strcspn((char *)said, "\n")] = '\0';
        err = refuse(r, (char *)said, at, why);
        yajl_free_error(handle, said);
    }
    yajl_free(handle);
    return err;
}

int json_read(const char *text, size_t len, int max_depth, struct arena *arena, struct json_value **ret_values,
              struct complaint *why)
{
    struct reader r = {.begin = text, .end = text + len, .arena = arena, .max_depth = max_depth};
    const char *wrong = not_plain(text, len);
    if (!wrong && !pairs_are_whole(text, r.end))
        wrong = "a text has half of a surrogate pair";
    if (wrong)
        return refuse(&r, wrong, 0, why);
    make_room(&r, (uint32_t)(len / BYTES_EACH + 16));
    r.open = xcalloc((size_t)max_depth, sizeof(*r.open));
    int err = parse(&r, why);
    free(r.open);
    if (err == 0)
        *ret_values = r.values;
    else
        free(r.values);
    return err;
}
