/* answer.c - see answer.h. */
#include "tools/loa/answer.h"

#include "playlists/base/file.h"
#include "playlists/documents.h"
#include "tools/loa/when.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { COLUMNS_MAX = 12, COLUMN_WIDTH_MAX = 64, PAGE_ITEMS = 200 };

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

/* A value as one line of text for people (appended). Control characters become spaces: a title must not move the
 * terminal's cursor. */
static void put_plain(struct buf *out, const json_t *value)
{
    char time[32];
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        for (const char *p = when_on_the_clock(text, time) ? time : text; *p; p++)
            buf_put(out, (unsigned char)*p < 0x20 || *p == 0x7f ? " " : p, 1);
    } else if (json_is_array(value)) {
        size_t i;
        const json_t *item;
        json_array_foreach((json_t *)(uintptr_t)value, i, item)
        {
            if (i > 0)
                buf_putf(out, json_is_object(item) ? "; " : ",");
            put_plain(out, item);
        }
    } else if (json_is_object(value)) {
        const char *name, *gap = "";
        const json_t *member;
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
            buf_putf(out, "%s%s ", gap, name);
            put_plain(out, member);
            gap = ", ";
        }
    } else if (value && !json_is_null(value)) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        buf_put(out, text ? text : "?", text ? strlen(text) : 1);
        free(text);
    }
}

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

void print_columns(const json_t *items, const void *how)
{
    const struct column *columns = how;
    size_t n = 0, i;
    int widths[COLUMNS_MAX] = {0};
    const json_t *item;
    setlocale(LC_CTYPE, "C.UTF-8");
    for (; columns[n].heading && n < COLUMNS_MAX; n++)
        widths[n] = width_of(columns[n].heading);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t c = 0; pass == 1 && c < n; c++)
            print_cell(columns[c].heading, widths[c], c + 1 == n);
        if (pass == 1)
            putchar('\n');
        json_array_foreach((json_t *)(uintptr_t)items, i, item)
        {
            for (size_t c = 0; c < n; c++) {
                struct buf text = {0};
                put_plain(&text, answer_at(item, columns[c].member));
                int width = width_of(buf_text(&text));
                if (pass == 1)
                    print_cell(buf_text(&text), widths[c], c + 1 == n);
                else if (width > widths[c])
                    widths[c] = width < COLUMN_WIDTH_MAX ? width : COLUMN_WIDTH_MAX;
                buf_done(&text);
            }
            if (pass == 1)
                putchar('\n');
        }
    }
}

static void print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    puts(text ? text : "null");
    free(text);
}

/* One of several things of a kind, on a line of its own. */
static void print_row(const json_t *row)
{
    struct buf text = {0};
    put_plain(&text, row);
    printf("  %s\n", buf_text(&text));
    buf_done(&text);
}

void print_value(const struct call *call, const json_t *value)
{
    if (call->json || !json_is_object(value)) {
        print_json(value);
        return;
    }
    const char *name;
    const json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        struct buf text = {0};
        bool rows = json_is_object(json_array_get(member, 0));
        if (!rows)
            put_plain(&text, member);
        if ((rows || text.len > 0) && strcmp(name, "cursor") != 0 && strcmp(name, "sealed") != 0)
            printf("%s: %s\n", name, buf_text(&text));
        for (size_t i = 0; rows && i < json_array_size(member); i++)
            print_row(json_array_get(member, i));
        buf_done(&text);
    }
}

static void print_items(const struct call *call, const json_t *items, const json_t *next, print_items_fn print,
                        const void *how)
{
    if (!call->json) {
        print(items, how);
        return;
    }
    json_t *whole = json_pack("{s:O,s:o}", "items", items, "next", next ? json_deep_copy(next) : json_null());
    print_json(whole);
    json_decref(whole);
}

int ask(const struct call *call, const char *method, const char *path, const json_t *body)
{
    struct client *client;
    struct complaint why = {0};
    int r = client_new(call, &client);
    if (r != EXIT_OK)
        return r;
    json_t *answer = NULL;
    if (client_send(client, method, path, body, &answer, &why) < 0)
        r = refuse(call, "%s", why.text);
    else
        print_value(call, answer);
    json_decref(answer);
    client_free(client);
    return r;
}

int ask_bytes(const struct call *call, const char *path, const char *type, const void *data, size_t len)
{
    struct client *client;
    struct complaint why = {0};
    int r = client_new(call, &client);
    if (r != EXIT_OK)
        return r;
    json_t *answer = NULL;
    if (client_send_bytes(client, "POST", path, type, data, len, &answer, &why) < 0)
        r = refuse(call, "%s", why.text);
    else
        print_value(call, answer);
    json_decref(answer);
    client_free(client);
    return r;
}

int ask_document(const struct call *call, const char *path, const char *file)
{
    struct buf data = {0};
    int r = file_read_whole(file, DOC_SEALED_MAX + 2, &data);
    if (r < 0) {
        buf_done(&data);
        return refuse(call, "%s: cannot be read: %s", file,
                      r == -EFBIG ? "it is larger than any sealed document" : err_name(r));
    }
    while (data.len > 0 && (data.data[data.len - 1] == '\n' || data.data[data.len - 1] == '\r'))
        data.len--;
    if (data.len == 0)
        r = refuse(call, "%s: is empty; a sealed document (three parts with dots between) would be right", file);
    else
        r = ask_bytes(call, path, "application/jose", data.data, data.len);
    buf_done(&data);
    return r;
}

void query_add(struct buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    char *escaped = client_escape(value);
    buf_putf(path, "%c%s=%s", strchr(buf_text(path), '?') ? '&' : '?', name, escaped);
    free(escaped);
}

/* One page into `all`. *next: the cursor of the page behind it (owned by *page). */
static int take_page(struct client *client, const char *path, const char *after, int64_t limit, json_t *all,
                     json_t **ret_page, struct complaint *why)
{
    struct buf whole = {0};
    buf_putf(&whole, "%s", path);
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)limit);
    query_add(&whole, "limit", number);
    query_add(&whole, "after", after);
    json_t *page = NULL;
    int r = client_send(client, "GET", buf_text(&whole), NULL, &page, why);
    buf_done(&whole);
    if (r < 0)
        return r;
    json_t *items = json_object_get(page, "items");
    if (!json_is_array(items)) {
        json_decref(page);
        return complain(why, ERR_FORMAT, "the controller's answer has no list of items");
    }
    json_array_extend(all, items);
    *ret_page = page;
    return 0;
}

int ask_list(const struct call *call, const char *path, const struct column *columns)
{
    return ask_list_as(call, path, print_columns, columns);
}

int ask_list_as(const struct call *call, const char *path, print_items_fn print, const void *how)
{
    struct client *client;
    struct complaint why = {0};
    int64_t limit = 100;
    int r = call_number(call, "limit", 0, 1000000, &limit);
    if (r == EXIT_OK)
        r = client_new(call, &client);
    if (r != EXIT_OK)
        return r;
    json_t *all = json_array();
    json_t *page = NULL;
    char *after = NULL;
    do {
        int64_t left = limit ? limit - (int64_t)json_array_size(all) : PAGE_ITEMS;
        json_decref(page);
        page = NULL;
        if (take_page(client, path, after, left < PAGE_ITEMS ? left : PAGE_ITEMS, all, &page, &why) < 0)
            break;
        free(after);
        const char *next = answer_text(page, "next", NULL);
        after = next ? xstrdup(next) : NULL;
    } while (after && (limit == 0 || (int64_t)json_array_size(all) < limit));
    if (*why.text)
        r = refuse(call, "%s", why.text);
    else
        print_items(call, all, answer_at(page, "next"), print, how);
    free(after);
    json_decref(page);
    json_decref(all);
    client_free(client);
    return r;
}

json_t *option_list(const struct call *call, const char *name)
{
    if (!call_option(call, name))
        return NULL;
    json_t *list = json_array();
    const char *value;
    for (size_t i = 0; (value = call_option_at(call, name, i)); i++) {
        while (*value) {
            size_t len = strcspn(value, ",");
            if (len > 0)
                json_array_append_new(list, json_stringn(value, len));
            value += len + (value[len] == ',');
        }
    }
    return list;
}
