/* watch.c - see watch.h. */
#include "playlists/link/watch.h"

#include "playlists/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int watch_open(struct watch *watch, uv_loop_t *loop, int fd, void *data)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return -errno;
    uv_poll_t *poll = xcalloc(1, sizeof(*poll));
    int r = uv_poll_init(loop, poll, own);
    if (r < 0) {
        free(poll);
        close(own);
        return r;
    }
    poll->data = data;
    *watch = (struct watch){.poll = poll, .fd = own, .events = -1};
    return 0;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void watch_close(struct watch *watch)
{
    if (!watch->poll)
        return;
    uv_poll_stop(watch->poll);
    uv_close((uv_handle_t *)watch->poll, free_handle);
    watch->poll = NULL;
    close(watch->fd);
    watch->fd = -1;
}

void watch_for(struct watch *watch, int events, uv_poll_cb done)
{
    if (events == watch->events)
        return; /* libuv would take it out of the kernel's set and put it in again */
    watch->events = events;
    uv_poll_start(watch->poll, events, done);
}

bool watch_connected(const struct watch *watch)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    return getpeername(watch->fd, (struct sockaddr *)&peer, &len) == 0;
}

bool watch_ended(const struct watch *watch)
{
    char byte;
    ssize_t n = recv(watch->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

int watch_error(const struct watch *watch)
{
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}
