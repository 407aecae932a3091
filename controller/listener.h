/* listener.h - one HTTPS port: libmicrohttpd in external epoll mode, its descriptor nested in the loop. TLS 1.2 or
 * later, always. Loop thread only; handlers run inside listener's own turn of the loop. */
#ifndef LOA_LISTENER_H
#define LOA_LISTENER_H

#include "controller/settings.h"

#include <microhttpd.h>
#include <uv.h>

struct listener;

/* As MHD_AccessHandlerCallback and MHD_RequestCompletedCallback. */
struct listener_handler {
    MHD_AccessHandlerCallback access;
    MHD_RequestCompletedCallback completed; /* may be NULL */
    void *arg;
};

/* Read certificate and key (and the clients' authority) and say what is wrong with them, or with the number of files
 * that may be open, which is raised to what the system allows; binds nothing. */
MUST_USE int listener_check(const struct settings_listener *settings, const char *name, struct complaint *why);

/* Bind and serve. Connections are limited by address and in all; who sends no request within seconds is cut off.
 * `settings` is borrowed. On 0 stop with listener_stop(). */
MUST_USE int listener_start(uv_loop_t *loop, const struct settings_listener *settings, const char *name,
                            const struct listener_handler *handler, struct listener **ret, struct complaint *why);
int listener_port(const struct listener *listener);
/* Requests wait and nobody looks at them. */
bool listener_stuck(const struct listener *listener);
/* Let the server look at its connections soon: needed after MHD_resume_connection(). */
void listener_kick(struct listener *listener);
/* The caller of this connection is known: it may be idle for longer. */
void listener_admit(struct MHD_Connection *connection);
/* Close all connections and the port; no connection may be suspended any more. NULL is fine. Frees once the loop let
 * go. */
void listener_stop(struct listener *listener);

/* Common name of the client certificate of this connection, checked against client_ca now. False: none that holds. */
bool listener_peer(struct MHD_Connection *connection, char ret_name[64]);

/* Headers that every answer carries. `page`: the page's content policy, else nothing may be loaded. */
void answer_headers(struct MHD_Response *response, bool page);

#endif
