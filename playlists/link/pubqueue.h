/* pubqueue.h - publishes on their way to the broker: those in libmosquitto's hands, and those that wait for a place
 * there.
 *
 * libmosquitto queues without bound, in memory, so it is given at most PUBQUEUE_HANDS at a time; what waits is bounded
 * in number and bytes, and what does not fit is refused, never dropped in silence. A value without I/O; loop thread. */
#ifndef LOA_LINK_PUBQUEUE_H
#define LOA_LINK_PUBQUEUE_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PUBQUEUE_HANDS = 20, PUBQUEUE_MAX = 256, PUBQUEUE_MAX_BYTES = 4 * 1024 * 1024 };

struct publish {
    struct publish *next;
    uint32_t id; /* the client's */
    uint8_t flags;
    size_t len;
    uint8_t *payload; /* owned, inside the same allocation as this */
    char topic[];
};

struct pubqueue {
    struct publish *first, **tail; /* owned */
    size_t count, bytes;
    struct {
        bool used, qos0;
        int mid; /* libmosquitto's */
        uint32_t id;
    } hands[PUBQUEUE_HANDS];
};

void pubqueue_init(struct pubqueue *queue);
void pubqueue_done(struct pubqueue *queue);

/* Copy one publish to the end. -ENOBUFS when full. */
MUST_USE int pubqueue_add(struct pubqueue *queue, uint32_t id, const char *topic, const void *payload, size_t len,
                          uint8_t flags);

/* Take the first that waits, if there is a free place in libmosquitto's hands; its place is *ret_hand: note the message
 * id there. NULL: nothing to do. The caller frees it with publish_free(). */
struct publish *pubqueue_next(struct pubqueue *queue, int *ret_hand);
void publish_free(struct publish *publish);

/* libmosquitto is done with `mid`: true and the client's id when it was one of ours. */
bool pubqueue_acked(struct pubqueue *queue, int mid, uint32_t *ret_id, bool *ret_qos0);

/* The session is gone: take out one id that was not acknowledged, those in hands first, until false. */
bool pubqueue_fail(struct pubqueue *queue, uint32_t *ret_id);

#endif
