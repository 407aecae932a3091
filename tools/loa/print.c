/* print.c - see print.h. */
#include "tools/loa/print.h"

#include "tools/loa/when.h"
#include "tools/loa/words.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { COLUMNS_MAX = 24, COLUMN_WIDTH_MAX = 64, DEEP_MAX = 6, HASH_LEN = 64, HASH_SHOWN = 12 };

const json_t *answer_at(const json_t *object, const char *path)
{
    char name[64];
    while (object && *path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        object = json_object_get(object, name);
        path += len + (path[len] == '.');
    }
    return object;
}

const char *answer_text(const json_t *object, const char *path, const char *otherwise)
{
    const char *text = json_string_value(answer_at(object, path));
    return text ? text : otherwise;
}

/* --- one line --- */

static void put_text(struct buf *out, const char *lang, const char *member, const char *value)
{
    char time[32];
    const char *text = when_on_the_clock(value, time) ? time : word_of_value(lang, member, value);
    for (const char *p = text; *p; p++)
        buf_put(out, (unsigned char)*p < 0x20 || *p == 0x7f ? " " : p, 1);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void put_number(struct buf *out, const char *member, const json_t *value)
{
    double number = json_number_value(value);
    if (ends_with(member, "_ms"))
        buf_putf(out, "%g %s", number >= 1000 ? number / 1000 : number, number >= 1000 ? "s" : "ms");
    else if (ends_with(member, "_mb"))
        buf_putf(out, "%g dB", number / 100);
    else if (json_is_integer(value))
        buf_putf(out, "%lld", (long long)json_integer_value(value));
    else
        buf_putf(out, "%g", number);
}

/* "05:00-19:00" of a window, "12-23..01-03" of days; what else is said of it in brackets behind. */
static void put_range(struct buf *out, const char *lang, const json_t *range)
{
    const char *from = answer_text(range, "from", "?"), *to = answer_text(range, "to", "?");
    const char *name, *gap = " (";
    const json_t *more;
    put_text(out, lang, "", from);
    if (strcmp(from, to) != 0) {
        buf_putf(out, "%s", strchr(from, ':') ? "-" : "..");
        put_text(out, lang, "", to);
    }
    json_object_foreach((json_t *)(uintptr_t)range, name, more)
    {
        char word[64];
        if (strcmp(name, "from") == 0 || strcmp(name, "to") == 0 || json_is_false(more) || json_is_null(more))
            continue;
        buf_putf(out, "%s%s", gap, word_of_member(lang, name, word));
        gap = ", ";
        if (!json_is_true(more)) {
            buf_putf(out, " ");
            put_plain(out, lang, name, more);
        }
    }
    buf_putf(out, "%s", *gap == ',' ? ")" : "");
}

static void put_object(struct buf *out, const char *lang, const json_t *object)
{
    const char *name, *gap = "";
    const json_t *member;
    char word[64];
    if (json_is_string(json_object_get(object, "from")) && json_is_string(json_object_get(object, "to"))) {
        put_range(out, lang, object);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)object, name, member)
    {
        if (json_is_null(member))
            continue;
        buf_putf(out, "%s%s ", gap, word_of_member(lang, name, word));
        put_plain(out, lang, name, member);
        gap = ", ";
    }
}

void put_plain(struct buf *out, const char *lang, const char *member, const json_t *value)
{
    size_t i;
    const json_t *item;
    bool vi = strcmp(lang, "en") != 0;
    if (json_is_string(value))
        put_text(out, lang, member, json_string_value(value));
    else if (json_is_number(value))
        put_number(out, member, value);
    else if (json_is_boolean(value))
        buf_putf(out, "%s", json_is_true(value) ? (vi ? "có" : "yes") : (vi ? "không" : "no"));
    else if (json_is_object(value))
        put_object(out, lang, value);
    json_array_foreach((json_t *)(uintptr_t)value, i, item)
    {
        if (i > 0)
            buf_putf(out, json_is_object(item) ? "; " : ",");
        put_plain(out, lang, member, item);
    }
}

/* --- tables --- */

static int width_of(const char *text)
{
    mbstate_t state = {0};
    int width = 0;
    for (size_t left = strlen(text); left > 0;) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, left, &state);
        if (n == 0 || n > left)
            return width + (int)left;
        int w = wcwidth(c);
        width += w > 0 ? w : 0;
        text += n;
        left -= n;
    }
    return width;
}

static void print_cell(const char *text, int width, bool last)
{
    printf("%s", text);
    int gap = width + 2 - width_of(text);
    if (!last)
        printf("%*s", gap > 2 ? gap : 2, "");
}

/* What is printed how: the language, how far to the right, and whether hashes may be short. */
struct manner {
    const char *lang;
    int indent;
    bool short_hashes;
};

static bool is_hash(const char *text)
{
    return strlen(text) == HASH_LEN && strspn(text, "0123456789abcdef") == HASH_LEN;
}

static void put_cell(struct buf *out, const struct manner *manner, const json_t *item, const char *path)
{
    const char *dot = strrchr(path, '.');
    put_plain(out, manner->lang, dot ? dot + 1 : path, answer_at(item, path));
    if (manner->short_hashes && is_hash(buf_text(out))) {
        char hash[HASH_SHOWN + 1];
        snprintf(hash, sizeof(hash), "%s", buf_text(out));
        buf_drop(out, out->len);
        buf_putf(out, "%s…", hash);
    }
}

static void widen(int *width, const char *text)
{
    int own = width_of(text);
    if (own > *width)
        *width = own < COLUMN_WIDTH_MAX ? own : COLUMN_WIDTH_MAX;
}

static void print_row(const struct manner *manner, const json_t *item, const struct column *columns, size_t n,
                      const int *widths)
{
    printf("%*s", manner->indent, "");
    for (size_t c = 0; c < n; c++) {
        struct buf text = {0};
        char word[64];
        if (item)
            put_cell(&text, manner, item, columns[c].member);
        else
            buf_putf(&text, "%s", word_of_member(manner->lang, columns[c].heading, word));
        print_cell(buf_text(&text), widths[c], c + 1 == n);
        buf_done(&text);
    }
    putchar('\n');
}

static void print_table(const struct manner *manner, const json_t *items, const struct column *columns)
{
    size_t n = 0, i;
    int widths[COLUMNS_MAX] = {0};
    const json_t *item;
    char word[64];
    setlocale(LC_CTYPE, "C.UTF-8");
    for (; n < COLUMNS_MAX && columns[n].heading; n++)
        widen(&widths[n], word_of_member(manner->lang, columns[n].heading, word));
    json_array_foreach((json_t *)(uintptr_t)items, i, item) for (size_t c = 0; c < n; c++)
    {
        struct buf text = {0};
        put_cell(&text, manner, item, columns[c].member);
        widen(&widths[c], buf_text(&text));
        buf_done(&text);
    }
    print_row(manner, NULL, columns, n, widths);
    json_array_foreach((json_t *)(uintptr_t)items, i, item) print_row(manner, item, columns, n, widths);
}

void print_columns(const struct call *call, const json_t *items, const void *how)
{
    print_table(&(struct manner){.lang = call->lang}, items, how);
}

/* --- one thing with its members --- */

/* For programs only. What a code means stands in its place. */
static bool hidden(const json_t *object, const char *name)
{
    return strcmp(name, "cursor") == 0 || strcmp(name, "sealed") == 0 ||
           (strcmp(name, "why") == 0 && json_is_object(json_object_get(object, "meaning")));
}

static bool says_something(const json_t *value)
{
    return value && !json_is_null(value) && !(json_is_array(value) && json_array_size(value) == 0) &&
           !(json_is_object(value) && json_object_size(value) == 0) &&
           !(json_is_string(value) && json_string_length(value) == 0);
}

/* A column for each member that at least one row fills; in the order in which rows bring them. */
static void find_columns(const char *lang, const json_t *rows, struct column ret[COLUMNS_MAX + 1])
{
    size_t i, n = 0;
    const json_t *row, *value;
    const char *name;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) json_object_foreach((json_t *)(uintptr_t)row, name, value)
    {
        size_t c = 0;
        while (c < n && strcmp(ret[c].heading, name) != 0)
            c++;
        if (c < n || n == COLUMNS_MAX || hidden(row, name) || !says_something(value))
            continue;
        bool meaning = strcmp(name, "meaning") == 0;
        ret[n++] = (struct column){name, !meaning ? name : strcmp(lang, "en") == 0 ? "meaning.en" : "meaning.vi"};
    }
    ret[n] = (struct column){NULL, NULL};
}

static void print_members(const struct manner *manner, const json_t *object, int deep)
{
    const char *name;
    const json_t *value;
    struct manner inner = {manner->lang, manner->indent + 2, true};
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        struct column columns[COLUMNS_MAX + 1];
        struct buf text = {0};
        char word[64];
        bool range = json_is_string(json_object_get(value, "from")) && json_is_string(json_object_get(value, "to"));
        if (hidden(object, name) || !says_something(value))
            continue;
        bool how_many = json_is_integer(value) && strcmp(name, "created") == 0; /* elsewhere it is an instant */
        printf("%*s%s:", manner->indent, "", word_of_member(manner->lang, how_many ? "newly made" : name, word));
        if (json_is_object(json_array_get(value, 0)) && !json_object_get(json_array_get(value, 0), "to")) {
            putchar('\n');
            find_columns(manner->lang, value, columns);
            print_table(&inner, value, columns);
        } else if (json_is_object(value) && !range && deep < DEEP_MAX) {
            putchar('\n');
            print_members(&inner, value, deep + 1);
        } else {
            put_plain(&text, manner->lang, name, value);
            printf(" %s\n", buf_text(&text));
        }
        buf_done(&text);
    }
}

void print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    puts(text ? text : "null");
    free(text);
}

void print_value(const struct call *call, const json_t *value)
{
    if (call->json || !json_is_object(value))
        print_json(value);
    else
        print_members(&(struct manner){.lang = call->lang}, value, 0);
}
