/* api_bulletins.c - bulletins: immutable revisions, named by the hash of their bytes. */
#include "controller/api.h"
#include "controller/blobs.h"
#include "controller/places.h"
#include "controller/quotas.h"
#include "playlists/documents.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTENTS_MAX = 16 };

#define SQL_BULLETIN                                                                                                   \
    "SELECT b.n AS cursor__text, b.hash, b.size, b.body AS body__json, b.created_ms AS created__at,"                   \
    " (SELECT json_group_array(a.hash) FROM approvals a WHERE a.bulletin = b.hash) AS approvals__json"                 \
    " FROM bulletins b "

/* The members of the bulletin itself beside what the store knows of it. */
static json_t *spread(json_t *row)
{
    static const char *const optional[] = {"source", NULL};
    json_t *body = json_object_get(row, "body"), *content;
    size_t i;
    if (!row)
        return NULL;
    json_array_foreach(json_object_get(body, "contents"), i, content)
    {
        if (!json_object_get(content, "text"))
            json_object_set_new(content, "text", json_null());
        if (!json_object_get(content, "audio"))
            json_object_set_new(content, "audio", json_null());
    }
    for (i = 0; optional[i]; i++)
        if (!json_object_get(body, optional[i]))
            json_object_set_new(body, optional[i], json_null());
    json_object_update(row, body);
    json_object_del(row, "body");
    return row;
}

int api_bulletins_list(struct request *r)
{
    struct page page;
    json_t *row;
    size_t i;
    if (request_page(r, true, &page) < 0)
        return -1;
    json_t *rows = store_list(r->c->store,
                              SQL_SCOPE SQL_BULLETIN "WHERE b.n > ?2 AND (?4 IS NULL OR b.id = ?4) AND"
                                                     " (b.unit IN (SELECT id FROM scope) OR b.unit IN (SELECT id FROM"
                                                     " over)) ORDER BY b.n LIMIT ?3",
                              "siis", r->token.unit, page.after_n, page.limit + 1, request_query(r, "id"));
    json_array_foreach(rows, i, row) spread(row);
    return request_reply_page(r, &page, rows);
}

static json_t *find(struct request *r, const char *hash)
{
    return spread(store_one(r->c->store,
                            SQL_SCOPE SQL_BULLETIN
                            "WHERE b.hash = ?2 AND (b.unit IN (SELECT id FROM scope) OR b.unit IN"
                            " (SELECT id FROM over))",
                            "ss", r->token.unit, hash));
}

int api_bulletin(struct request *r)
{
    json_t *row = find(r, r->param[0]);
    return row ? request_reply(r, 200, row) : request_missing(r, "bulletin", r->param[0]);
}

int api_bulletin_content(struct request *r)
{
    json_t *row = find(r, r->param[0]);
    if (!row)
        return request_missing(r, "bulletin", r->param[0]);
    json_decref(row);
    r->response = blob_response(r->c, r->connection, r->param[0], "application/json", &r->status);
    return 0;
}

static int read_audio(struct request *r, const struct form *form, struct arena *arena, struct media_ref **ret)
{
    const char *hash = NULL;
    if (form_hash(form, "audio", false, &hash) < 0)
        return -1;
    if (!hash)
        return 0;
    json_t *row = store_one(r->c->store, "SELECT size, frames FROM media WHERE hash = ?", "s", hash);
    if (!row)
        return refuse(&r->problem, 422, "value", "audio", WORD_NO_MEDIA, form->path, hash);
    *ret = arena_alloc(arena, sizeof(**ret));
    **ret = (struct media_ref){.hash = hash,
                               .size = json_integer_value(json_object_get(row, "size")),
                               .frames = json_integer_value(json_object_get(row, "frames"))};
    json_decref(row);
    return 0;
}

static int read_contents(struct request *r, const struct form *form, struct arena *arena, struct bulletin *ret)
{
    const json_t *list;
    if (form_list(form, "contents", true, 1, CONTENTS_MAX, &list) < 0)
        return -1;
    ret->n_contents = json_array_size(list);
    ret->contents = arena_alloc(arena, ret->n_contents * sizeof(*ret->contents));
    for (size_t i = 0; i < ret->n_contents; i++) {
        struct form item;
        struct bulletin_content *content = &ret->contents[i];
        if (form_item(form, "contents", list, i, &item) < 0 || form_known(&item, "lang text audio") < 0 ||
            form_text(&item, "lang", true, 0, 100, &content->lang) < 0 ||
            form_text(&item, "text", false, 1, 4000, &content->text) < 0 ||
            read_audio(r, &item, arena, &content->audio) < 0)
            return -1;
        char full[64];
        snprintf(full, sizeof(full), "%slang", item.path);
        if (!language_valid(content->lang))
            return refuse(&r->problem, 422, "value", full, WORD_VALUE_ITEM, full, content->lang, "vi, zh, en");
        for (size_t j = 0; j < i; j++)
            if (strcmp(ret->contents[j].lang, content->lang) == 0)
                return refuse(&r->problem, 422, "value", full, WORD_VALUE_TWICE, full, content->lang);
        if (!content->text && !content->audio)
            return refuse(&r->problem, 422, "member", full, WORD_CONTENT_EMPTY, item.path);
    }
    return 0;
}

static int read_bulletin(struct request *r, struct arena *arena, struct bulletin *ret)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    *ret = (struct bulletin){.unit = r->token.unit, .class = CLASS_NORMAL};
    if (form_known(&form, "id title category source answerable unit class contents") < 0 ||
        form_id(&form, "id", false, &ret->id) < 0 || form_text(&form, "title", true, 1, 300, &ret->title) < 0 ||
        form_text(&form, "category", true, 1, 40, &ret->category) < 0 ||
        form_text(&form, "source", false, 1, 200, &ret->source) < 0 ||
        form_text(&form, "answerable", true, 1, 200, &ret->answerable) < 0 ||
        form_id(&form, "unit", false, &ret->unit) < 0 ||
        form_choice(&form, "class", false, air_class_names, &ret->class) < 0 || read_contents(r, &form, arena, ret) < 0)
        return -1;
    if (!area_in_unit(r->c->store, ret->unit, r->token.unit))
        return refuse(&r->problem, 403, "scope", "unit", WORD_SCOPE, ret->unit, r->token.unit);
    return area_exists(r->c->store, ret->unit)
               ? 0
               : refuse(&r->problem, 422, "value", "unit", WORD_NO_AREA, "unit", ret->unit);
}

static int encode(struct request *r, const struct bulletin *bulletin, struct buf *ret)
{
    struct complaint why = {0};
    if (bulletin_encode(bulletin, ret, &why) < 0)
        return refuse(&r->problem, 422, "value", NULL, WORD_BULLETIN, why.text);
    return 0;
}

static int keep(struct request *r, const struct bulletin *b, struct buf *bytes)
{
    struct hash hash;
    if (blob_write(r->c->settings, bytes->data, bytes->len, &hash) < 0 ||
        store_run(r->c->store,
                  "INSERT INTO bulletins (hash, id, revision, size, class, unit, title, body, created_ms)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "ssiiisssi", hash.hex, b->id, b->revision, (int64_t)bytes->len, (int64_t)b->class, b->unit, b->title,
                  buf_text(bytes), r->now_ms) < 0)
        return request_store_failed(r);
    return request_reply(r, 201, find(r, hash.hex));
}

/* The newest revision of this id, compared by its bytes; then the next one. */
static int add_revision(struct request *r, struct bulletin *bulletin)
{
    struct buf bytes = {0};
    int result = 0;
    json_t *last =
        store_one(r->c->store, "SELECT hash, revision, unit FROM bulletins WHERE id = ? ORDER BY revision DESC LIMIT 1",
                  "s", bulletin->id);
    if (last && !area_in_unit(r->c->store, json_string_value(json_object_get(last, "unit")), r->token.unit))
        result = refuse_taken(&r->problem, "bulletin", bulletin->id);
    bulletin->revision = last ? json_integer_value(json_object_get(last, "revision")) : 1;
    if (result == 0)
        result = encode(r, bulletin, &bytes);
    struct hash hash = hash_of(bytes.data, bytes.len);
    if (result == 0 && last && strcmp(hash.hex, json_string_value(json_object_get(last, "hash"))) == 0) {
        result = request_reply(r, 200, find(r, hash.hex));
    } else if (result == 0) {
        bulletin->revision += last ? 1 : 0;
        bytes.len = 0;
        result = encode(r, bulletin, &bytes);
        if (result == 0)
            result = quota_check(r, QUOTA_BULLETINS, bulletin->unit);
        if (result == 0)
            result = keep(r, bulletin, &bytes);
    }
    json_decref(last);
    buf_done(&bytes);
    return result;
}

int api_bulletins_new(struct request *r)
{
    struct arena *arena = arena_new();
    struct bulletin bulletin;
    unsigned char bytes[6];
    char id[24] = "b-";
    random_bytes(bytes, sizeof(bytes));
    sodium_bin2hex(id + 2, sizeof(id) - 2, bytes, sizeof(bytes));
    int result = read_bulletin(r, arena, &bulletin);
    if (result == 0) {
        bulletin.id = bulletin.id ? bulletin.id : id;
        result = add_revision(r, &bulletin);
    }
    arena_free(arena);
    return result;
}
