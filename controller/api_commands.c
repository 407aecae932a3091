/* api_commands.c - the few true commands: they expire in seconds and are answered. */
#include "controller/api.h"
#include "controller/feed.h"
#include "controller/fleet.h"
#include "controller/places.h"

#include <sodium.h>

static const char *const command_names[] = {"restart", NULL};

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

int api_commands_new(struct request *r)
{
    struct form form = {.object = r->json, .problem = &r->problem};
    unsigned char bytes[8];
    char id[17];
    int command = 0;
    if (in_scope(r) < 0 || form_known(&form, "command") < 0 ||
        form_choice(&form, "command", true, command_names, &command) < 0)
        return -1;
    if (store_number(r->c->store, 0, "SELECT count(*) FROM commands WHERE device = ? AND status IN ('waiting', 'sent')",
                     "s", r->param[0]) >= WAITING_MAX) {
        refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
        r->problem.retry_after_s = COMMAND_LIFE_MS / 1000;
        return -1;
    }
    random_bytes(bytes, sizeof(bytes));
    sodium_bin2hex(id, sizeof(id), bytes, sizeof(bytes));
    if (store_run(r->c->store,
                  "INSERT INTO commands (id, device, command, token, status, created_ms, expires_ms) VALUES"
                  " (?, ?, ?, ?, 'waiting', ?, ?)",
                  "ssssii", id, r->param[0], command_names[command], r->token.id, r->now_ms,
                  r->now_ms + COMMAND_LIFE_MS) < 0)
        return request_store_failed(r);
    fleet_command(r->c->fleet);
    json_t *row = store_one(r->c->store, SQL_COMMAND "WHERE id = ?", "s", id);
    feed_emit(r->c->feed, r->param[0], "command", row);
    return request_reply(r, 202, row);
}
