/* publisher.h - desired state: for each device a configuration and a playlist, and for all the trust and the keys.
 * Compares with what was published and with what devices report, and publishes only the difference; renews what would
 * expire. A change that reaches few devices goes before one that reaches many. Compiling and sealing is done off the
 * loop (drafts.h). Loop thread only. */
#ifndef LOA_PUBLISHER_H
#define LOA_PUBLISHER_H

#include "controller/controller.h"

struct publisher;

struct publisher *publisher_new(struct controller *c);
void publisher_free(struct publisher *publisher); /* NULL is fine */

/* Something about it changed: look at it again in a few milliseconds. */
void publisher_touch(struct publisher *publisher, const char *device);
void publisher_touch_list(struct publisher *publisher, const json_t *devices);
/* All devices that a rule's canonical body is meant for, and all that there are. */
void publisher_touch_meant(struct publisher *publisher, const json_t *body);
void publisher_touch_all(struct publisher *publisher);
/* A trust or keys document is new. */
void publisher_send_soon(struct publisher *publisher);

/* The device's state of this session: what it lacks is published again, what it holds above ours is overtaken. */
void publisher_reported(struct publisher *publisher, const char *device, const json_t *state);

/* It is known what the broker and the devices hold: from now on it publishes. Before that it only makes. */
void publisher_may_send(struct publisher *publisher);

/* From the link; `full`: it has no room. */
void publisher_online(struct publisher *publisher);
void publisher_offline(struct publisher *publisher);
void publisher_acked(struct publisher *publisher, uint32_t id);
void publisher_refused(struct publisher *publisher, uint32_t id, bool full);

/* Ids of publishes that are not the publisher's begin here. */
#define PUBLISHER_ID_END UINT32_C(0x80000000)

/* Devices whose documents are being worked out, or are to be; changes whose devices are still looked for count as one.
 */
int64_t publisher_compiling(const struct publisher *publisher);

/* Documents that the broker has not acknowledged. */
int64_t publisher_waiting(struct controller *c);

#endif
