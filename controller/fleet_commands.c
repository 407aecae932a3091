/* fleet_commands.c - commands on their way: sent in the session in which they were sent first, again until they are
 * answered, and ended by their time. */
#include "controller/feed.h"
#include "controller/fleet_own.h"
#include "controller/mandate.h"
#include "playlists/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS_AT_ONCE = 64 };

static const char *text_of(const json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

static int send_command(struct fleet *f, const json_t *row)
{
    const char *id = text_of(row, "id"), *device = text_of(row, "device"), *nonce = text_of(row, "nonce");
    char aud[64], topic[100], *sealed = NULL;
    struct command cmd = {.nonce = nonce,
                          .id = id,
                          .command = text_of(row, "command"),
                          .kind = text_of(row, "kind"),
                          .store = text_of(row, "store"),
                          .from = json_integer_value(json_object_get(row, "from_n"))};
    int64_t now_ms = clock_wall_ms();
    cmd.head = fleet_head(f, device, 1, aud);
    cmd.head.exp_s = (json_integer_value(json_object_get(row, "expires_ms")) + 999) / 1000;
    snprintf(topic, sizeof(topic), "loa/1/dev/%s/cmd", device);
    int r = seal_doc(&f->c->scheduler, DOC_COMMAND, &cmd, false, &sealed, NULL);
    if (r == 0)
        r = fleet_publish(f, fleet_own_id(f), topic, sealed, strlen(sealed), false);
    free(sealed);
    if (r == 0)
        r = store_run(f->c->store, "UPDATE commands SET status = 'sent', sent_ms = ?, nonce = ? WHERE id = ?", "iss",
                      now_ms, nonce, id);
    return r;
}

void commands_expire(struct fleet *f, int64_t now_ms)
{
    json_t *rows = store_list(f->c->store,
                              "SELECT id, device FROM commands WHERE status IN ('waiting', 'sent') AND expires_ms <= ?",
                              "i", now_ms);
    json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "id"));
        if (store_run(f->c->store, "UPDATE commands SET status = 'expired' WHERE id = ?", "s", id) < 0)
            continue;
        json_t *told = store_one(f->c->store, SQL_COMMAND "WHERE id = ?", "s", id);
        feed_emit(f->c->feed, json_string_value(json_object_get(row, "device")), "command", told);
        json_decref(told);
    }
    json_decref(rows);
}

void fleet_command(struct fleet *fleet)
{
    int64_t now_ms = clock_wall_ms();
    if (!fleet->online || !mandate_schedules(fleet->c->mandate, fleet->c->scheduler.kid))
        return;
    /* A command belongs to the session in which it was first sent. */
    json_t *rows = store_list(fleet->c->store,
                              "SELECT c.id, c.device, c.command, c.kind, c.store, c.from_n, c.expires_ms, s.nonce"
                              " FROM commands c JOIN states s"
                              " ON s.device = c.device AND s.up = 1 AND (c.nonce IS NULL OR c.nonce = s.nonce)"
                              " WHERE c.status IN ('waiting', 'sent') AND c.expires_ms > ? AND"
                              " coalesce(c.sent_ms, 0) <= ? ORDER BY c.n"
                              " LIMIT ?",
                              "iii", now_ms, now_ms - COMMAND_AGAIN_MS, (int64_t)COMMANDS_AT_ONCE);
    json_t *row;
    size_t i;
    json_array_foreach(rows, i, row) if (send_command(fleet, row) < 0) break;
    json_decref(rows);
}
