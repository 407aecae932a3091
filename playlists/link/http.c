/* http.c - see http.h. */
#include "playlists/link/http.h"

#include "playlists/base/bytes.h"
#include "playlists/base/pulse.h"

#include <stdlib.h>

enum { SIGN_OF_LIFE_MS = 60000 };

struct http {
    uv_loop_t *loop;
    CURLM *multi; /* owned */
    http_done_fn done;
    uv_timer_t *timer; /* owned */
    unsigned under_way;
    struct pulse pulse; /* while anything is under way curl looks at its speed each second */
};

struct http_socket {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd; /* curl's */
};

static void promise(struct http *http)
{
    if (http->under_way > 0)
        pulse_within(&http->pulse, SIGN_OF_LIFE_MS);
    else
        pulse_rest(&http->pulse);
}

static void collect(struct http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result; /* the message dies with the next call */
        void *arg = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &arg);
        curl_multi_remove_handle(http->multi, easy);
        http->under_way--;
        http->done(arg, result);
    }
    promise(http);
}

static void on_timer(uv_timer_t *timer)
{
    struct http *http = timer->data;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(http);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct http *http = arg;
    if (timeout_ms < 0)
        uv_timer_stop(http->timer);
    else
        uv_timer_start(http->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *s = poll->data;
    struct http *http = s->http;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    int running;
    curl_multi_socket_action(http->multi, s->fd, flags, &running);
    collect(http);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* Curl says what it waits for on a socket; it says REMOVE before it closes one. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    (void)easy;
    struct http *http = arg;
    struct http_socket *s = socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            curl_multi_assign(http->multi, fd, NULL);
            uv_poll_stop(&s->poll);
            uv_close((uv_handle_t *)&s->poll, free_handle);
        }
        return 0;
    }
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        s->http = http;
        s->fd = fd;
        if (uv_poll_init(http->loop, &s->poll, fd) < 0) {
            free(s);
            return -1;
        }
        s->poll.data = s;
        curl_multi_assign(http->multi, fd, s);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&s->poll, events, on_poll);
    return 0;
}

struct http *http_new(uv_loop_t *loop, http_done_fn done)
{
    struct http *http = xcalloc(1, sizeof(*http));
    http->loop = loop;
    http->done = done;
    http->multi = curl_multi_init();
    if (!http->multi)
        abort();
    http->timer = xcalloc(1, sizeof(*http->timer));
    uv_timer_init(loop, http->timer);
    http->timer->data = http;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 2L);
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    curl_multi_cleanup(http->multi);
    uv_close((uv_handle_t *)http->timer, free_handle);
    free(http);
}

void http_start(struct http *http, CURL *easy, void *arg)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, arg);
    curl_multi_add_handle(http->multi, easy);
    http->under_way++;
    promise(http);
}

void http_drop(struct http *http, CURL *easy)
{
    curl_multi_remove_handle(http->multi, easy);
    http->under_way--;
    promise(http);
}

bool http_stuck(const struct http *http)
{
    return pulse_missed(&http->pulse);
}
