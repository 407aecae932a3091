/* watchdog.c - see watchdog.h. */
#include "playlists/base/watchdog.h"

#include "playlists/base/bytes.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct watchdog {
    uv_timer_t timer;
    watchdog_stuck_fn stuck;
    void *arg;
    const char *told_stuck; /* the part named in the log and the status; NULL: none */
    bool told_failure;
    int fd; /* owned; -1: nobody is to be told */
    struct sockaddr_un to;
    socklen_t to_len;
};

static void tell(struct watchdog *w, const char *text)
{
    if (w->fd < 0)
        return;
    ssize_t n = sendto(w->fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&w->to, w->to_len);
    if (n < 0 && !w->told_failure)
        log_warn("watchdog", "the service manager cannot be told: %s; it may restart this program", strerror(errno));
    w->told_failure = n < 0;
}

/* A path, or '@' and a name in the abstract namespace. */
static void open_socket(struct watchdog *w)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    w->fd = -1;
    if (len < 2 || len >= sizeof(w->to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    w->to.sun_family = AF_UNIX;
    memcpy(w->to.sun_path, path, len);
    if (path[0] == '@')
        w->to.sun_path[0] = '\0';
    w->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    w->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* 0: it is not asked for, or of another process. */
static uint64_t interval_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    long long value = strtoll(usec, NULL, 10);
    return value >= 4000 ? (uint64_t)value / 4000 : 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct watchdog *w = timer->data;
    const char *stuck = w->stuck(w->arg);
    if (!stuck)
        tell(w, w->told_stuck ? "STATUS=\nWATCHDOG=1" : "WATCHDOG=1");
    if (stuck && stuck != w->told_stuck) {
        char status[200];
        log_err("watchdog", "%s does not come back; to be restarted if that goes on", stuck);
        snprintf(status, sizeof(status), "STATUS=%s does not come back", stuck);
        tell(w, status);
    }
    w->told_stuck = stuck;
}

struct watchdog *watchdog_start(uv_loop_t *loop, watchdog_stuck_fn stuck, void *arg)
{
    struct watchdog *w = xcalloc(1, sizeof(*w));
    w->stuck = stuck;
    w->arg = arg;
    open_socket(w);
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    uint64_t every_ms = w->fd < 0 ? 0 : interval_ms();
    tell(w, "READY=1");
    if (every_ms > 0)
        uv_timer_start(&w->timer, on_timer, 0, every_ms);
    return w;
}

void watchdog_stopping(struct watchdog *w)
{
    if (w)
        tell(w, "STOPPING=1");
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void watchdog_free(struct watchdog *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    uv_close((uv_handle_t *)&w->timer, on_closed);
}
