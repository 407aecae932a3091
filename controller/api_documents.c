/* api_documents.c - what persons sign elsewhere and hand in here: trust, keys, approvals. */
#include "controller/api.h"
#include "controller/blobs.h"
#include "controller/mandate.h"
#include "controller/places.h"
#include "controller/planner.h"
#include "controller/publisher.h"

#include <string.h>

#define SQL_APPROVAL                                                                                                   \
    "SELECT a.n AS cursor__text, a.hash, a.size, a.bulletin, a.kid, a.person, a.name, a.areas AS areas__json, "        \
    "a.class,"                                                                                                         \
    " a.from_ms AS from__at, a.until_ms AS until__at, a.created_ms AS created__at FROM approvals a "

static int tell(struct request *r, const char *word, unsigned status, bool whole)
{
    json_t *row = store_one(r->c->store,
                            "SELECT era, ver, iat_s * 1000 AS issued__at, exp_s * 1000 AS expires__at, hash,"
                            " body AS document__json, sealed FROM documents WHERE word = ? AND device = ''"
                            " ORDER BY era DESC, ver DESC LIMIT 1",
                            "s", word);
    if (!row)
        return request_missing(r, word, "-");
    if (!whole) {
        json_object_del(row, "document");
        json_object_del(row, "sealed");
    }
    return request_reply(r, status, row);
}

static int adopt(struct request *r, enum doc_type type)
{
    bool same;
    if (mandate_adopt(r->c->mandate, type, (const char *)r->body.data, r->body.len, r->now_ms, &r->problem, &same) < 0)
        return -1;
    publisher_send_soon(r->c->publisher);
    if (!same)
        publisher_touch_all(r->c->publisher);
    return tell(r, doc_word(type), same ? 200 : 201, false);
}

int api_trust(struct request *r)
{
    return tell(r, "trust", 200, true);
}

int api_keys(struct request *r)
{
    return tell(r, "keys", 200, true);
}

int api_trust_new(struct request *r)
{
    return adopt(r, DOC_TRUST);
}

int api_keys_new(struct request *r)
{
    return adopt(r, DOC_KEYS);
}

int api_approvals_list(struct request *r)
{
    struct page page;
    if (request_page(r, true, &page) < 0)
        return -1;
    return request_reply_page(
        r, &page,
        store_list(r->c->store,
                   SQL_SCOPE SQL_APPROVAL "JOIN bulletins b ON b.hash = a.bulletin WHERE a.n > ?2 AND (?4 IS NULL OR"
                                          " a.bulletin = ?4) AND (b.unit IN (SELECT id FROM scope) OR b.unit IN"
                                          " (SELECT id FROM over)) ORDER BY a.n LIMIT ?3",
                   "siis", r->token.unit, page.after_n, page.limit + 1, request_query(r, "bulletin")));
}

static const struct person_key *person_of(struct request *r, const char *kid)
{
    const struct keys *keys = mandate_authority(r->c->mandate)->keys;
    for (size_t i = 0; keys && i < keys->n_persons; i++)
        if (strcmp(keys->persons[i].kid, kid) == 0)
            return &keys->persons[i];
    return NULL;
}

/* All devices that have an item of this bulletin. */
static void touch_bulletin(struct request *r, const char *hash)
{
    json_t *rules = store_list(r->c->store,
                               "SELECT body AS body__json FROM rules WHERE ended_ms IS NULL AND (id IN (SELECT rule"
                               " FROM rule_bulletins WHERE bulletin = ?1) OR EXISTS (SELECT 1 FROM json_each(body,"
                               " '$.session.topics') t JOIN bulletins b ON b.hash = ?1 WHERE"
                               " json_extract(t.value, '$.topic') = json_extract(b.body, '$.category')))",
                               "s", hash);
    json_t *rule;
    size_t i;
    json_array_foreach(rules, i, rule) publisher_touch_meant(r->c->publisher, json_object_get(rule, "body"));
    json_decref(rules);
}

/* The answer to what was handed in: an area may come later, but who signed is told of a slip of the pen at once. */
static int approval_reply(struct request *r, unsigned status, const char *hash)
{
    json_t *row = store_one(r->c->store, SQL_APPROVAL "WHERE a.hash = ?", "s", hash), *warnings = json_array(), *area;
    size_t i;
    json_array_foreach(json_object_get(row, "areas"), i, area)
    {
        struct problem said = {0};
        if (area_exists(r->c->store, json_string_value(area)))
            continue;
        refuse(&said, 200, "", NULL, WORD_WARN_NO_AREA, json_string_value(area));
        json_array_append_new(warnings, json_string(r->english ? said.en : said.vi));
    }
    json_object_set_new(row, "warnings", warnings);
    return request_reply(r, status, row);
}

static int keep_approval(struct request *r, const struct approval *a, const char *kid, const char *text, size_t len)
{
    const struct person_key *person = person_of(r, kid);
    struct hash hash;
    json_t *areas = json_array();
    for (size_t i = 0; i < a->areas.n; i++)
        json_array_append_new(areas, json_string(a->areas.at[i]));
    int n = blob_write(r->c->settings, text, len, &hash);
    if (n >= 0)
        n = store_run(r->c->store,
                      "INSERT INTO approvals (hash, size, bulletin, kid, person, name, areas, class, from_ms, until_ms,"
                      " created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "sissssjsiii", hash.hex, (int64_t)len, a->bulletin, kid, person ? person->person : "",
                      person ? person->name : NULL, areas, air_class_names[a->class], a->from_ms, a->until_ms,
                      r->now_ms);
    json_decref(areas);
    if (n < 0)
        return request_store_failed(r);
    touch_bulletin(r, a->bulletin);
    return approval_reply(r, 201, hash.hex);
}

static int judge_approval(struct request *r, struct arena *arena, const char *text, size_t len)
{
    struct seal_header header;
    struct complaint why = {0};
    struct held_version none = {0};
    void *doc = NULL;
    enum refusal refusal =
        judge_open(mandate_authority(r->c->mandate), DOC_APPROVAL, text, len, arena, &doc, &header, &why);
    const struct approval *a = doc;
    if (refusal == REFUSAL_NONE)
        refusal = judge_head(&a->head, "all", &none, mandate_era(r->c->mandate), r->now_ms, NULL, &why);
    if (refusal == REFUSAL_NONE && a->until_ms <= r->now_ms) {
        refusal = REFUSAL_EXPIRED;
        complain(&why, ERR_EXPIRED, "until_ms: the approval ended before it was handed in");
    }
    if (refusal != REFUSAL_NONE)
        return refuse_document(&r->problem, refusal, &why);
    const struct person_key *person = person_of(r, header.kid);
    if (!person || !texts_have(&person->roles, "approver"))
        return refuse(&r->problem, 422, "document", NULL, WORD_NOT_APPROVER, header.kid);
    if (store_number(r->c->store, 0, "SELECT 1 FROM bulletins WHERE hash = ?", "s", a->bulletin) != 1)
        return refuse_missing(&r->problem, 422, "document", "bulletin", "bulletin", a->bulletin);
    return keep_approval(r, a, header.kid, text, len);
}

int api_approvals_new(struct request *r)
{
    const char *text = (const char *)r->body.data;
    size_t len = r->body.len;
    sealed_trim(&text, &len);
    struct hash hash = hash_of(text, len);
    if (store_number(r->c->store, 0, "SELECT 1 FROM approvals WHERE hash = ?", "s", hash.hex) == 1)
        return approval_reply(r, 200, hash.hex);
    struct arena *arena = arena_new();
    int result = judge_approval(r, arena, text, len);
    arena_free(arena);
    return result;
}
