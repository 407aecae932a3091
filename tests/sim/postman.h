/* postman.h - the far end of an agent's socket: speaks the frames of playlists/base/post.h as loa-link does, or as a
 * link that was broken into. One client at a time, in this process and on its loop. */
#ifndef LOA_POSTMAN_H
#define LOA_POSTMAN_H

#include "playlists/base/post.h"

struct postman;

/* What the agent does. Bytes are borrowed for the call. */
struct postman_events {
    void (*attached)(void *arg, const char *will_topic, const char *will, size_t will_len);
    void (*subscribed)(void *arg, const char *topic); /* once more, after attaching */
    void (*published)(void *arg, uint32_t id, const char *topic, const void *payload, size_t len, bool retain);
    void (*fetch)(void *arg, uint32_t id, const char *hash);
    void (*gone)(void *arg); /* the attached client's socket ended, by whomever */
};

struct postman *postman_new(uv_loop_t *loop, const char *path, const struct postman_events *events, void *arg);
void postman_free(struct postman *postman); /* NULL is fine */

void postman_listen(struct postman *postman, bool listening); /* false: nobody is behind the path */
void postman_hang_up(struct postman *postman);                /* end the connection, if there is one */
bool postman_attached(const struct postman *postman);

/* Send one frame; without a client nothing happens. */
void postman_send(struct postman *postman, enum post_type type, unsigned flags, uint32_t id, const char *name,
                  const void *body, size_t len);
/* The first `n` bytes of that frame, then the connection ends. */
void postman_break(struct postman *postman, enum post_type type, const char *name, const void *body, size_t len,
                   size_t n);
/* Any bytes at all. */
void postman_babble(struct postman *postman, const void *bytes, size_t len);

#endif
