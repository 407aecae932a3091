/* client.h - the controller's HTTP API as a command sees it: one request, one answer; or one stream of events.
 *
 * TLS always: the controller must prove its name with a certificate of the given authority. Whatever goes wrong is a
 * sentence in `why`, the controller's own (problem+json, RFC 9457) when it sent one. One thread. */
#ifndef LOA_CLIENT_H
#define LOA_CLIENT_H

#include "playlists/base/bytes.h"
#include "tools/loa/command.h"

enum { CLIENT_ANSWER_MAX = 64 * 1024 * 1024 };

struct client; /* one connection; opened by client_new from --url, --ca, --token-file and the environment */

/* EXIT_OK and *ret_client, or EXIT_USAGE / EXIT_REFUSED after saying what is missing. */
MUST_USE int client_new(const struct call *call, struct client **ret_client);
void client_free(struct client *client); /* NULL is fine */

/* `path` begins below the address: "/api/v1/rules?limit=50". `body` may be NULL. On 0 *ret_answer (may be NULL when
 * nobody wants it) is a new reference, JSON null when the answer has no body. Negative otherwise. */
MUST_USE int client_send(struct client *client, const char *method, const char *path, const json_t *body,
                         json_t **ret_answer, struct complaint *why);
/* The same with bytes of any type as the body. */
MUST_USE int client_send_bytes(struct client *client, const char *method, const char *path, const char *type,
                               const void *data, size_t len, json_t **ret_answer, struct complaint *why);
/* The same with a file as the body, sent as it is read. */
MUST_USE int client_send_file(struct client *client, const char *method, const char *path, const char *type,
                              const char *file, json_t **ret_answer, struct complaint *why);
/* Fetch bytes (appended to ret), at most `max`. */
MUST_USE int client_get_bytes(struct client *client, const char *path, size_t max, struct buf *ret,
                              struct complaint *why);

/* One event of a stream (text/event-stream). `data` is terminated. Return false to end the stream. */
typedef bool (*client_event_fn)(void *arg, const char *event, const char *data);
/* Returns 0 when on_event ended it, negative when the connection broke. */
MUST_USE int client_stream(struct client *client, const char *path, client_event_fn on_event, void *arg,
                           struct complaint *why);

/* Percent-encode one part of a path or a query; the caller owns the result. */
char *client_escape(const char *text);

#endif
