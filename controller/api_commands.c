/* api_commands.c - the few true commands: they expire in seconds and are answered. */
#include "controller/api.h"
#include "controller/feed.h"
#include "controller/fleet.h"
#include "controller/places.h"

#include <sodium.h>
#include <stdlib.h>

enum { COMMAND_RESTART, COMMAND_SEND_AGAIN };
static const char *const command_names[] = {[COMMAND_RESTART] = "restart", [COMMAND_SEND_AGAIN] = "send_again", NULL};
static const char *const kind_names[] = {"receipt", "event", NULL};

enum { WAITING_MAX = 8 };

static int in_scope(struct request *r)
{
    return device_in_unit(r->c->store, r->param[0], r->token.unit) ? 0 : request_missing(r, "device", r->param[0]);
}

int api_commands_list(struct request *r)
{
    struct page page;
    if (request_page(r, true, &page) < 0 || in_scope(r) < 0)
        return -1;
    return request_reply_page(r, &page,
                              store_list(r->c->store, SQL_COMMAND "WHERE device = ? AND n > ? ORDER BY n LIMIT ?",
                                         "sii", r->param[0], page.after_n, page.limit + 1));
}

/* What is asked for; all texts borrowed from the request or `store_now`. */
struct asked {
    int command;
    const char *kind, *store; /* NULL: not send_again */
    int64_t from;
};

/* send_again: the store is the one that the device's last state names, unless another one is meant. */
static int read_again(struct request *r, const struct form *form, const char *store_now, struct asked *ret)
{
    int kind = 0;
    if (form_choice(form, "kind", true, kind_names, &kind) < 0 ||
        form_int(form, "from", true, 1, INT64_C(9007199254740991), &ret->from) < 0 ||
        form_text(form, "store", false, 1, 64, &ret->store) < 0)
        return -1;
    ret->kind = kind_names[kind];
    if (!ret->store)
        ret->store = store_now;
    if (!ret->store)
        return refuse(&r->problem, 409, "conflict", "store", WORD_NO_STORE, r->param[0]);
    return 0;
}

static int read_asked(struct request *r, const char *store_now, struct asked *ret)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    *ret = (struct asked){0};
    if (form_known(&form, "command kind store from") < 0 ||
        form_choice(&form, "command", true, command_names, &ret->command) < 0)
        return -1;
    if (ret->command == COMMAND_SEND_AGAIN)
        return read_again(r, &form, store_now, ret);
    return form_known(&form, "command");
}

/* 0, or -1 with the problem. */
static int store_command(struct request *r, const struct asked *asked, const char *id)
{
    if (store_number(r->c->store, 0, "SELECT count(*) FROM commands WHERE device = ? AND status IN ('waiting', 'sent')",
                     "s", r->param[0]) >= WAITING_MAX) {
        refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
        r->problem.retry_after_s = COMMAND_LIFE_MS / 1000;
        return -1;
    }
    if (store_run(r->c->store,
                  "INSERT INTO commands (id, device, command, token, status, created_ms, expires_ms, kind, store,"
                  " from_n) VALUES (?1, ?2, ?3, ?4, 'waiting', ?5, ?6, ?7, ?8, nullif(?9, 0))",
                  "ssssiissi", id, r->param[0], command_names[asked->command], r->token.id, r->now_ms,
                  r->now_ms + COMMAND_LIFE_MS, asked->kind, asked->store, asked->from) < 0)
        return request_store_failed(r);
    return 0;
}

/* Stored, so that it may leave. */
static int tell_command(struct request *r)
{
    fleet_command(r->c->fleet);
    json_t *row = store_one(r->c->store, SQL_COMMAND "WHERE id = ?", "s", json_string_value(r->about));
    feed_emit(r->c->feed, r->param[0], "command", row);
    return request_reply(r, 202, row);
}

int api_commands_new(struct request *r)
{
    unsigned char bytes[8];
    struct asked asked;
    char id[17];
    if (in_scope(r) < 0)
        return -1;
    char *store_now =
        store_text(r->c->store, "SELECT json_extract(body, '$.store') FROM states WHERE device = ?", "s", r->param[0]);
    random_bytes(bytes, sizeof(bytes));
    sodium_bin2hex(id, sizeof(id), bytes, sizeof(bytes));
    int result = read_asked(r, store_now, &asked) < 0 ? -1 : store_command(r, &asked, id);
    free(store_now);
    return result < 0 ? -1 : request_on_loop(r, tell_command, json_string(id));
}
