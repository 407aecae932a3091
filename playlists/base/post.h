/* post.h - the socket between loa-link (the postman) and its client (agent or controller), and the client's side of it.
 *
 * One attach is one MQTT session: the client hands over its last will and its exact subscriptions; when the socket
 * closes, the link drops MQTT without DISCONNECT, so that the will is published and the next attach gets all retained
 * messages again. The link is trusted with nothing: the client checks all it brings.
 *
 * Frames (see frame.h for the layout). Client to link:
 * - ATTACH: body JSON {"will": {"topic", "payload"} | absent, "subscribe": [topics, at most 256]}. The first frame
 *   (only TIME and SPREAD may come before it), once per connection. The will is text (UTF-8), QoS 1, retained.
 * - SUBSCRIBE, UNSUBSCRIBE: name = topic filter. Subscribed to again, what the broker keeps comes again. Flag
 * POST_BRIEF: for this MQTT session only, and for none when none stands; after the next ONLINE it is asked for anew. So
 * thousands of filters, one for each device, are asked for as fast as their messages are taken, and not all at once.
 * What comes by them comes at QoS 0: mosquitto reads one TLS record of a connection in each of its rounds, and
 * acknowledging every word of ten thousand devices fills those of the centre's. For what is kept, or said again.
 * - PUBLISH: id, flags POST_RETAIN | POST_QOS0, name = topic, body = payload (at most 64 KiB).
 * - FETCH: id, flags POST_URGENT, name = SHA-256 in hex, body JSON {"size": bytes}. A hash that is being fetched
 *   already takes on the new id, size and urgency; only the new id is answered.
 * - CANCEL: id of a FETCH; also throws away what came so far.
 * - TIME: body JSON {"signed_ms": newest signed time}, for TLS: max(clock, signed, build). Replaces the last one, so
 *   that a time that is no longer believed can be taken back; outlives the connection.
 * - SPREAD: body JSON {"spread_s": 0 to 86400}: the window of the first try to reconnect, in place of the configured
 *   one; more than POST_SPREAD_MAX_S counts as that. Outlives the connection.
 *
 * A frame that breaks these rules, or one subscription more than POST_FILTERS_MAX, ends the connection. One client at a
 * time: a new connection takes the place of the old one, which is closed. Link to client:
 * - ONLINE: the session stands and all subscriptions are acknowledged.
 * - OFFLINE: body = why, one sentence; the link goes on trying by itself. Told when a session ends and when an attempt
 *   fails for another reason than the last; comes before the NACKs of what the session took with it.
 * - MESSAGE: flags POST_RETAIN when it came as retained, name = topic, body = payload. May come before ONLINE.
 * - ACK: id: the broker acknowledged this PUBLISH (says nothing about its storage at the other end); never for
 *   POST_QOS0.
 * - NACK: id, body = why ("offline", "full", "too large", "bad topic"); this PUBLISH was dropped. After "offline" it
 *   may have arrived nevertheless: send it again, the receiver counts it once.
 * - FETCHED: id, name = hash, body JSON {"path", "size"}; the file is the client's now (move it away).
 * - NOT_FETCHED: id, name = hash, body JSON {"why": sentence, "final": bool}. Not final: the link itself retries until
 *   cancelled, and this only tells, once per kind of failure. Final (404, 410, larger than said, too many asked for, no
 *   media server configured): given up.
 *
 * Loop thread only. */
#ifndef LOA_POST_H
#define LOA_POST_H

#include "playlists/base/frame.h"

#include <stdbool.h>

enum post_type {
    POST_ATTACH = 1,
    POST_SUBSCRIBE = 2,
    POST_UNSUBSCRIBE = 3,
    POST_PUBLISH = 4,
    POST_FETCH = 5,
    POST_CANCEL = 6,
    POST_TIME = 7,
    POST_SPREAD = 8,
    POST_ONLINE = 16,
    POST_OFFLINE = 17,
    POST_MESSAGE = 18,
    POST_ACK = 19,
    POST_NACK = 20,
    POST_FETCHED = 21,
    POST_NOT_FETCHED = 22,
};

enum { POST_RETAIN = 1, POST_QOS0 = 2, POST_URGENT = 4, POST_BRIEF = 8 };
enum {
    POST_PAYLOAD_MAX = 64 * 1024,
    POST_SUBSCRIPTIONS_MAX = 256,
    POST_FILTERS_MAX = 131072,
    POST_SPREAD_MAX_S = 3600
};

/* What the client is told. Any member may be NULL. Texts and bytes are borrowed for the call. */
struct post_events {
    /* The socket to the link stands: call post_attach() now. Called again after each reconnect, with a session that
     * knows nothing of the last one: pending publishes and fetches are gone without an answer. */
    void (*connected)(void *arg);
    void (*disconnected)(void *arg);
    void (*online)(void *arg);
    void (*offline)(void *arg, const char *why);
    void (*message)(void *arg, const char *topic, const void *payload, size_t len, bool retained);
    void (*acked)(void *arg, uint32_t id);
    void (*refused)(void *arg, uint32_t id, const char *why);
    void (*fetched)(void *arg, uint32_t id, const char *hash, const char *path, uint64_t size);
    void (*not_fetched)(void *arg, uint32_t id, const char *hash, const char *why, bool final);
};

struct post; /* the client's side; reconnects to the socket by itself (every 250 ms to 2 s, with jitter) */

/* `socket_path` is copied; `events` is copied; `arg` is handed to each. Begins to connect at once. */
MUST_USE int post_new(uv_loop_t *loop, const char *socket_path, const struct post_events *events, void *arg,
                      struct post **ret_post);
void post_free(struct post *post); /* NULL is fine; no event comes after it; memory is released once the loop let go */

/* Each returns 0, -ENOTCONN without a socket, -ENOBUFS when the queue to the link is full, -EMSGSIZE, -EINVAL for a
 * text that is not UTF-8. `will_topic` NULL: no will. */
MUST_USE int post_attach(struct post *post, const char *will_topic, const void *will, size_t will_len,
                         const char *const *topics, size_t n_topics);
MUST_USE int post_subscribe(struct post *post, const char *topic);
MUST_USE int post_subscribe_brief(struct post *post, const char *topic);
MUST_USE int post_unsubscribe(struct post *post, const char *topic);
MUST_USE int post_publish(struct post *post, uint32_t id, const char *topic, const void *payload, size_t len,
                          unsigned flags);
MUST_USE int post_fetch(struct post *post, uint32_t id, const char *hash, uint64_t size, bool urgent);
MUST_USE int post_cancel(struct post *post, uint32_t id);
MUST_USE int post_time(struct post *post, int64_t signed_ms);
MUST_USE int post_spread(struct post *post, int64_t spread_s);
bool post_online(const struct post *post);

#endif
