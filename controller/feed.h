/* feed.h - the readers of /stream: who hears of what, in server-sent events. Loop thread only.
 *
 * Each reader sees only devices of its unit. A reader that falls FEED_BEHIND_MAX bytes behind is cut off. */
#ifndef LOA_FEED_H
#define LOA_FEED_H

#include "controller/request.h"

enum { FEED_READERS_MAX = 200, FEED_OF_TOKEN_MAX = 5, FEED_BEHIND_MAX = 1024 * 1024, FEED_KEEPALIVE_MS = 15000 };

struct feed;
struct feed *feed_new(struct controller *c);
/* This token was revoked: end its streams. (On keepalive the store is asked as well.) */
void feed_end_token(struct feed *feed, const char *token);
/* End all streams; call before the listener stops. */
void feed_end(struct feed *feed);
void feed_free(struct feed *feed); /* NULL is fine; after the listener stopped */

/* Somebody reads. */
bool feed_heard(const struct feed *feed);
/* `device` NULL: for all readers. `data` is borrowed. */
void feed_emit(struct feed *feed, const char *device, const char *kind, const json_t *data);
/* Answer a request with the stream; `device` NULL: all of the unit. 0, or -1 with the problem. */
int feed_join(struct feed *feed, struct request *r, const char *device);

#endif
