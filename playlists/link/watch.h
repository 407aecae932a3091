/* watch.h - a socket that belongs to a library, seen from outside: polled, and asked what the library does not tell.
 *
 * What is polled is a duplicate of the library's descriptor: the library closes its own whenever it likes, and a number
 * that another thread reuses must never be watched. Loop thread. */
#ifndef LOA_LINK_WATCH_H
#define LOA_LINK_WATCH_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <uv.h>

struct watch {       /* zero-initialise */
    uv_poll_t *poll; /* owned; NULL: nothing is watched */
    int fd;          /* owned while there is a poll */
    int events;      /* that it waits for; -1: none yet */
};

/* Begin to watch the socket behind `fd`, for nothing yet. `data` is that of the handle. */
MUST_USE int watch_open(struct watch *watch, uv_loop_t *loop, int fd, void *data);
void watch_close(struct watch *watch); /* harmless when nothing is watched */
void watch_for(struct watch *watch, int events, uv_poll_cb done);

bool watch_connected(const struct watch *watch);
/* The peer has closed it and nothing is left to be read. */
bool watch_ended(const struct watch *watch);
/* Take the error that the socket keeps; 0: none. */
int watch_error(const struct watch *watch);

#endif
