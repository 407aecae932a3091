/* api_people.c - the controller itself, and tokens. */
#include "controller/api.h"
#include "controller/feed.h"
#include "controller/fleet.h"
#include "controller/mandate.h"
#include "controller/places.h"
#include "controller/publisher.h"
#include "controller/turns.h"

static const char *const role_words[] = {"viewer", "technician", "operator", "approver", "admin", NULL};

#define SQL_TOKEN                                                                                                      \
    "SELECT tokens.n AS cursor__text, tokens.id, tokens.unit, tokens.role, tokens.note, created_ms AS created__at, "   \
    "revoked_ms AS revoked__at FROM tokens "

static json_t *in_force(struct request *r, const char *word)
{
    json_t *row = store_one(r->c->store,
                            "SELECT era, ver, exp_s * 1000 AS expires__at FROM documents WHERE word = ? AND device = ''"
                            " ORDER BY era DESC, ver DESC LIMIT 1",
                            "s", word);
    return row ? row : json_null();
}

int api_status(struct request *r)
{
    const char *why;
    const char *link = fleet_link(r->c->fleet, &why);
    int64_t devices = store_number(
        r->c->store, 0, SQL_SCOPE "SELECT count(*) FROM devices JOIN scope ON scope.id = area", "s", r->token.unit);
    int64_t online = store_number(r->c->store, 0,
                                  SQL_SCOPE "SELECT count(*) FROM devices d JOIN scope ON scope.id = d.area"
                                            " JOIN states s ON s.device = d.id WHERE s.up = 1 AND s.seen_ms > ?2",
                                  "si", r->token.unit, r->now_ms - DEVICE_SILENT_MS);
    json_t *reply =
        json_pack("{s:s, s:o, s:I, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "software", LOA_VERSION, "now",
                  json_instant(r->now_ms), "epoch",
                  (json_int_t)store_number(r->c->store, 1, "SELECT value FROM meta WHERE key = 'epoch'", ""), "link",
                  link, "link_detail", *why ? json_string(why) : json_null(), "trust", in_force(r, "trust"), "keys",
                  in_force(r, "keys"), "devices", (json_int_t)devices, "online", (json_int_t)online, "waiting",
                  (json_int_t)publisher_waiting(r->c), "compiling", (json_int_t)publisher_compiling(r->c->publisher),
                  "loop", turns_json(r->c->turns));
    return request_reply(r, 200, reply);
}

int api_whoami(struct request *r)
{
    return request_reply(
        r, 200, store_one(r->c->store, "SELECT id, unit, role, note FROM tokens WHERE id = ?", "s", r->token.id));
}

int api_tokens_list(struct request *r)
{
    struct page page;
    if (request_page(r, true, &page) < 0)
        return -1;
    return request_reply_page(r, &page,
                              store_list(r->c->store,
                                         SQL_SCOPE SQL_TOKEN "JOIN scope ON scope.id = unit WHERE n > ?2 ORDER BY n"
                                                             " LIMIT ?3",
                                         "sii", r->token.unit, page.after_n, page.limit + 1));
}

int api_tokens_new(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    const char *unit = NULL, *note = "";
    int role = 0;
    struct token token;
    char text[96];
    if (form_known(&form, "unit role note") < 0 || form_id(&form, "unit", true, &unit) < 0 ||
        form_choice(&form, "role", true, role_words, &role) < 0 || form_text(&form, "note", false, 0, 200, &note) < 0)
        return -1;
    if (!area_in_unit(r->c->store, unit, r->token.unit))
        return refuse(&r->problem, 403, "scope", "unit", WORD_SCOPE, unit, r->token.unit);
    if (!area_exists(r->c->store, unit))
        return refuse(&r->problem, 422, "value", "unit", WORD_NO_AREA, "unit", unit);
    if (people_add(r->c->store, unit, role_of(role_words[role]), note, r->now_ms, &token, text) < 0)
        return request_store_failed(r);
    json_t *reply = store_one(r->c->store, SQL_TOKEN "WHERE id = ?", "s", token.id);
    json_object_set_new(reply, "token", json_string(text));
    return request_reply(r, 201, reply);
}

int api_token_end(struct request *r)
{
    json_t *row = store_one(r->c->store, SQL_SCOPE SQL_TOKEN "JOIN scope ON scope.id = unit WHERE tokens.id = ?2", "ss",
                            r->token.unit, r->param[0]);
    json_decref(row);
    if (!row)
        return request_missing(r, "token", r->param[0]);
    if (store_run(r->c->store, "UPDATE tokens SET revoked_ms = coalesce(revoked_ms, ?) WHERE id = ?", "is", r->now_ms,
                  r->param[0]) < 0)
        return request_store_failed(r);
    feed_end_token(r->c->feed, r->param[0]);
    return request_reply(r, 200, store_one(r->c->store, SQL_TOKEN "WHERE id = ?", "s", r->param[0]));
}
