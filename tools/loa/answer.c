/* answer.c - see answer.h. */
#include "tools/loa/answer.h"
#include "tools/loa/sentences.h"

#include "playlists/base/file.h"
#include "playlists/documents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_ITEMS = 200 };

static void print_items(const struct call *call, const json_t *items, const json_t *next, print_items_fn print,
                        const void *how)
{
    if (!call->json) {
        print(call, items, how);
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
                      r == -EFBIG ? "it is larger than any sealed document" : error_in(call->lang, r));
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
