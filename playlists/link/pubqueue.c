/* pubqueue.c - see pubqueue.h. */
#include "playlists/link/pubqueue.h"

#include "playlists/base/bytes.h"
#include "playlists/base/post.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void pubqueue_init(struct pubqueue *queue)
{
    memset(queue, 0, sizeof(*queue));
    queue->tail = &queue->first;
}

void pubqueue_done(struct pubqueue *queue)
{
    uint32_t id;
    while (pubqueue_fail(queue, &id))
        ;
}

int pubqueue_add(struct pubqueue *queue, uint32_t id, const char *topic, const void *payload, size_t len, uint8_t flags)
{
    size_t topic_size = strlen(topic) + 1;
    size_t bytes = topic_size + len;
    if (queue->count >= PUBQUEUE_MAX || bytes > PUBQUEUE_MAX_BYTES - queue->bytes)
        return -ENOBUFS;
    struct publish *p = xcalloc(1, sizeof(*p) + bytes);
    p->id = id;
    p->flags = flags;
    p->len = len;
    memcpy(p->topic, topic, topic_size);
    p->payload = (uint8_t *)p->topic + topic_size;
    if (len)
        memcpy(p->payload, payload, len);
    *queue->tail = p;
    queue->tail = &p->next;
    queue->count++;
    queue->bytes += bytes;
    return 0;
}

static struct publish *take_first(struct pubqueue *queue)
{
    struct publish *p = queue->first;
    if (!p)
        return NULL;
    queue->first = p->next;
    if (!queue->first)
        queue->tail = &queue->first;
    queue->count--;
    queue->bytes -= strlen(p->topic) + 1 + p->len;
    return p;
}

struct publish *pubqueue_next(struct pubqueue *queue, int *ret_hand)
{
    if (!queue->first)
        return NULL;
    for (int i = 0; i < PUBQUEUE_HANDS; i++) {
        if (queue->hands[i].used)
            continue;
        struct publish *p = take_first(queue);
        queue->hands[i].used = true;
        queue->hands[i].mid = 0; /* no message id of MQTT is 0 */
        queue->hands[i].id = p->id;
        queue->hands[i].qos0 = p->flags & POST_QOS0;
        *ret_hand = i;
        return p;
    }
    return NULL;
}

void publish_free(struct publish *publish)
{
    free(publish);
}

bool pubqueue_acked(struct pubqueue *queue, int mid, uint32_t *ret_id, bool *ret_qos0)
{
    for (int i = 0; i < PUBQUEUE_HANDS; i++) {
        if (!queue->hands[i].used || queue->hands[i].mid != mid)
            continue;
        queue->hands[i].used = false;
        *ret_id = queue->hands[i].id;
        *ret_qos0 = queue->hands[i].qos0;
        return true;
    }
    return false;
}

bool pubqueue_fail(struct pubqueue *queue, uint32_t *ret_id)
{
    for (int i = 0; i < PUBQUEUE_HANDS; i++) {
        if (!queue->hands[i].used)
            continue;
        queue->hands[i].used = false;
        *ret_id = queue->hands[i].id;
        return true;
    }
    struct publish *p = take_first(queue);
    if (!p)
        return false;
    *ret_id = p->id;
    publish_free(p);
    return true;
}
