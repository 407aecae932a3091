/* fleet.h - the devices as they speak over the link: each word is believed only when the box that stands at the place
 * sealed it. Answers sessions with welcomes, carries commands, and owns the controller's side of the link. Loop thread
 * only. */
#ifndef LOA_FLEET_H
#define LOA_FLEET_H

#include "controller/controller.h"

struct fleet;

MUST_USE int fleet_new(struct controller *c, struct fleet **ret);
void fleet_free(struct fleet *fleet); /* NULL is fine */

/* "online", or "offline" with *ret_why (borrowed, may be empty). */
const char *fleet_link(const struct fleet *fleet, const char **ret_why);

/* Hand a payload to the link. 0, or negative: not now. */
MUST_USE int fleet_publish(struct fleet *fleet, uint32_t id, const char *topic, const void *payload, size_t len,
                           bool retain);

/* Begin to write what shares the next commit, in a few milliseconds; end with store_leave(). Nothing of it may be told
 * before. ERR_STORE: nothing is open. */
MUST_USE int fleet_gather(struct fleet *fleet);

/* A device is new: read what the broker keeps of it. */
void fleet_listen(struct fleet *fleet, const char *device);
/* Another box stands there: what the former one said about its session counts no more. */
void fleet_forget(struct fleet *fleet, const char *device);
/* Store an event of the controller about a device, and tell it to the readers of the stream. */
void fleet_note(struct fleet *fleet, const char *device, const char *code, const char *about, const char *detail);
/* A command was stored: send it now if the device is there. */
void fleet_command(struct fleet *fleet);

enum { COMMAND_LIFE_MS = 30000, COMMAND_AGAIN_MS = 3000 };

#define SQL_COMMAND                                                                                                    \
    "SELECT n AS cursor__text, id, device, command, status, created_ms AS created__at, expires_ms AS expires__at,"     \
    " sent_ms AS sent__at, answered_ms AS answered__at, ok AS ok__bool, detail, kind, store, from_n AS \"from\""       \
    " FROM commands "

#endif
