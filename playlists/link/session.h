/* session.h - the MQTT session of one attach: connects, subscribes, publishes, comes back by itself.
 *
 * Online means: connected and every subscription acknowledged. Frames for the client leave through `send`; the session
 * ends (will published) with session_free(). Loop thread. */
#ifndef LOA_LINK_SESSION_H
#define LOA_LINK_SESSION_H

#include "playlists/base/frame.h"
#include "playlists/link/mqtt.h"

/* Take one frame for the client; it may not free the session from inside. */
typedef void (*link_send_fn)(void *arg, const struct frame *frame);

struct session;

/* Begin with the first try `delay_ms` from now. Borrows settings, tls and known; consumes what `will` points to. */
struct session *session_new(uv_loop_t *loop, const struct settings *settings, struct tls *tls,
                            const struct tls_time *known, const struct mqtt_will *will, int64_t delay_ms,
                            link_send_fn send, void *arg);
void session_free(struct session *session); /* NULL is fine */

/* `brief`: for the connection that stands, if one does. ERR_FORMAT: no valid filter. ERR_LIMIT: more than
 * POST_FILTERS_MAX. */
MUST_USE int session_subscribe(struct session *session, const char *filter, bool brief);
void session_unsubscribe(struct session *session, const char *filter);
/* Answered by ACK or NACK through `send`. */
void session_publish(struct session *session, const struct frame *publish);
void session_time_changed(struct session *session); /* a refusal for reasons of time may hold no longer */
/* Window of the first try after a good session, in place of the configured one. */
void session_spread(struct session *session, int64_t spread_ms);
void session_pause(struct session *session, bool paused);

#endif
