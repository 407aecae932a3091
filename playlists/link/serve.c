/* serve.c - see serve.h. */
#include "playlists/link/serve.h"

#include "playlists/base/bytes.h"
#include "playlists/base/log.h"
#include "playlists/base/post.h"
#include "playlists/link/backoff.h"
#include "playlists/link/fetch.h"
#include "playlists/link/session.h"

#include <errno.h>
#include <jansson.h>
#include <mosquitto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The broker is not read while this much waits for a slow client; FRAME_QUEUE_MAX leaves room for what is under way. */
enum { SLOW_BYTES = 4 * 1024 * 1024, SWIFT_BYTES = 1024 * 1024, BACKLOG = 4 };
#define TIME_MAX_MS 253402300799000 /* the end of the year 9999 */
enum { SPREAD_TOLD_MAX_S = 86400 };

struct serve {
    uv_loop_t *loop;
    const struct settings *settings;
    struct tls *tls;
    struct tls_time known;
    uv_pipe_t *listener;     /* owned */
    uv_timer_t *farewell;    /* owned; drops a client from a clean stack */
    struct frame_conn *conn; /* owned; the client, or NULL */
    struct session *session; /* owned; NULL before ATTACH */
    struct fetch *fetch;     /* owned */
    bool attached_before;    /* some client was attached since the start */
    int64_t spread_ms;       /* window of a first try, as configured or as a client said */
};

static void drop_client(struct serve *s)
{
    frame_conn_close(s->conn);
    s->conn = NULL;
    session_free(s->session);
    s->session = NULL;
    fetch_forget_all(s->fetch);
    uv_timer_stop(s->farewell);
}

static void on_farewell(uv_timer_t *timer)
{
    struct serve *s = timer->data;
    log_warn("serve", "the client does not read what it is sent, dropped");
    drop_client(s);
}

static void send_to_client(void *arg, const struct frame *frame)
{
    struct serve *s = arg;
    if (!s->conn)
        return;
    if (frame_send(s->conn, frame) < 0)
        uv_timer_start(s->farewell, on_farewell, 0, 0);
    else if (s->session && frame_queued(s->conn) > SLOW_BYTES)
        session_pause(s->session, true);
}

static void on_drained(void *arg)
{
    struct serve *s = arg;
    if (s->session && frame_queued(s->conn) < SWIFT_BYTES)
        session_pause(s->session, false);
}

static void on_gone(void *arg, int reason)
{
    struct serve *s = arg;
    if (reason < 0)
        log_warn("serve", "the client is dropped: %s; its will is published", err_name(reason));
    else
        log_info("serve", "the client is gone; its will is published");
    drop_client(s);
}

/* JSON of one frame; duplicate keys are refused. NULL when it is none. */
static json_t *body_of(const struct frame *frame)
{
    json_t *body = json_loadb((const char *)frame->body, frame->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (body && !json_is_object(body)) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static int read_will(json_t *body, struct mqtt_will *ret_will)
{
    json_t *will = json_object_get(body, "will");
    if (!will)
        return 0;
    const char *topic, *payload;
    size_t topic_len, len;
    if (json_unpack(will, "{s:s%, s:s%}", "topic", &topic, &topic_len, "payload", &payload, &len) < 0)
        return ERR_FORMAT;
    if (topic_len == 0 || topic_len > FRAME_NAME_MAX || len > POST_PAYLOAD_MAX)
        return ERR_LIMIT;
    if (mosquitto_pub_topic_check(topic) != MOSQ_ERR_SUCCESS)
        return ERR_FORMAT;
    ret_will->topic = xstrdup(topic);
    ret_will->payload = xcalloc(1, len + 1);
    memcpy(ret_will->payload, payload, len);
    ret_will->len = len;
    return 0;
}

static int subscribe_all(struct session *session, json_t *list)
{
    size_t i;
    json_t *item;
    if (json_array_size(list) > POST_SUBSCRIPTIONS_MAX)
        return ERR_LIMIT;
    json_array_foreach(list, i, item)
    {
        const char *filter = json_string_value(item);
        if (!filter || json_string_length(item) > FRAME_NAME_MAX)
            return ERR_FORMAT;
        int r = session_subscribe(session, filter, false);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Only the first try of the process is spread: after a power cut all boxes start at once; a client that restarts alone
 * need not wait. */
static int64_t first_delay_ms(struct serve *s)
{
    struct backoff backoff = {.spread_ms = s->attached_before ? 0 : s->spread_ms};
    uint32_t chance;
    random_bytes(&chance, sizeof(chance));
    return backoff_delay_ms(&backoff, 0, chance);
}

static int on_attach(struct serve *s, const struct frame *frame)
{
    if (s->session)
        return ERR_STATE;
    json_t *body = body_of(frame);
    if (!body)
        return ERR_FORMAT;
    struct mqtt_will will = {0};
    json_t *list = json_object_get(body, "subscribe");
    int r = read_will(body, &will);
    if (r == 0 && list && !json_is_array(list))
        r = ERR_FORMAT;
    if (r == 0) {
        s->session = session_new(s->loop, s->settings, s->tls, &s->known, &will, first_delay_ms(s), send_to_client, s);
        s->attached_before = true;
        session_spread(s->session, s->spread_ms);
        r = subscribe_all(s->session, list);
    }
    json_decref(body);
    return r;
}

static int on_fetch(struct serve *s, const struct frame *frame)
{
    json_t *body = body_of(frame);
    json_t *size = json_object_get(body, "size");
    int r = ERR_FORMAT;
    if (hash_valid(frame->name) && json_is_integer(size) && json_integer_value(size) >= 0) {
        fetch_add(s->fetch, frame->id, frame->name, (uint64_t)json_integer_value(size), frame->flags & POST_URGENT);
        r = 0;
    }
    json_decref(body);
    return r;
}

static int on_time(struct serve *s, const struct frame *frame)
{
    json_t *body = body_of(frame);
    json_t *signed_ms = json_object_get(body, "signed_ms");
    int64_t value = json_is_integer(signed_ms) ? json_integer_value(signed_ms) : -1;
    json_decref(body);
    if (value < 0 || value > TIME_MAX_MS)
        return ERR_FORMAT;
    if (value == s->known.signed_ms)
        return 0;
    s->known.signed_ms = value;
    if (s->session)
        session_time_changed(s->session);
    fetch_time_changed(s->fetch);
    return 0;
}

static int on_spread(struct serve *s, const struct frame *frame)
{
    json_t *body = body_of(frame);
    json_t *spread_s = json_object_get(body, "spread_s");
    int64_t value = json_is_integer(spread_s) ? json_integer_value(spread_s) : -1;
    json_decref(body);
    if (value < 0 || value > SPREAD_TOLD_MAX_S)
        return ERR_FORMAT;
    s->spread_ms = (value < POST_SPREAD_MAX_S ? value : POST_SPREAD_MAX_S) * 1000;
    if (s->session)
        session_spread(s->session, s->spread_ms);
    return 0;
}

static int take_frame(struct serve *s, const struct frame *frame)
{
    if (frame->type == POST_ATTACH)
        return on_attach(s, frame);
    if (frame->type == POST_TIME)
        return on_time(s, frame);
    if (frame->type == POST_SPREAD)
        return on_spread(s, frame);
    if (!s->session)
        return ERR_STATE;
    switch (frame->type) {
    case POST_SUBSCRIBE:
        return session_subscribe(s->session, frame->name, frame->flags & POST_BRIEF);
    case POST_UNSUBSCRIBE:
        session_unsubscribe(s->session, frame->name);
        return 0;
    case POST_PUBLISH:
        session_publish(s->session, frame);
        return 0;
    case POST_FETCH:
        return on_fetch(s, frame);
    case POST_CANCEL:
        fetch_cancel(s->fetch, frame->id);
        return 0;
    default:
        return ERR_FORMAT;
    }
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct serve *s = arg;
    int r = take_frame(s, frame);
    if (r == 0)
        return;
    log_warn("serve", "the client sent a frame of type %u that is not right here (%s), dropped with its session",
             frame->type, err_name(r));
    drop_client(s);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct serve *s = listener->data;
    if (status < 0) {
        log_warn("serve", "a client could not be accepted: %s", uv_strerror(status));
        return;
    }
    uv_pipe_t *pipe = xcalloc(1, sizeof(*pipe));
    uv_pipe_init(s->loop, pipe, 0);
    if (uv_accept(listener, (uv_stream_t *)pipe) < 0) {
        uv_close((uv_handle_t *)pipe, free_handle);
        return;
    }
    if (s->conn)
        log_warn("serve", "a new client takes the place of the old one");
    drop_client(s);
    s->conn = frame_conn_new(pipe, on_frame, on_gone, s);
    frame_watch(s->conn, on_drained);
}

/* Remove a socket file that a killed link left. */
static int clear_stale(const char *path, struct complaint *why)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return complain(why, -EEXIST, "%s: exists and is not a socket; remove it or choose another 'socket'", path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1); /* its length was checked with the settings */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (r != -ECONNREFUSED)
        return complain(why, -EADDRINUSE, "%s: another loa-link answers on this socket; stop it first", path);
    return unlink(path) < 0 ? complain(why, -errno, "%s: cannot be replaced: %s", path, err_name(-errno)) : 0;
}

static int listen_at(struct serve *s, const char *path, struct complaint *why)
{
    int r = clear_stale(path, why);
    if (r < 0)
        return r;
    mode_t old = umask(0117);
    r = uv_pipe_bind(s->listener, path);
    umask(old);
    if (r == 0)
        r = uv_listen((uv_stream_t *)s->listener, BACKLOG, on_connection);
    if (r < 0)
        return complain(why, r, "%s: cannot listen there: %s", path, uv_strerror(r));
    return 0;
}

int serve_new(uv_loop_t *loop, const struct settings *settings, struct tls *tls, struct serve **ret_serve,
              struct complaint *why)
{
    struct serve *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->settings = settings;
    s->spread_ms = settings->spread_ms;
    s->tls = tls;
    s->listener = xcalloc(1, sizeof(*s->listener));
    uv_pipe_init(loop, s->listener, 0);
    s->listener->data = s;
    s->farewell = xcalloc(1, sizeof(*s->farewell));
    uv_timer_init(loop, s->farewell);
    s->farewell->data = s;
    s->fetch = fetch_new(loop, settings, &s->known, send_to_client, s);
    int r = listen_at(s, settings->socket, why);
    if (r < 0) {
        serve_free(s);
        return r;
    }
    log_info("serve", "socket=%s listening", settings->socket);
    *ret_serve = s;
    return 0;
}

const char *serve_stuck(const struct serve *s)
{
    return fetch_stuck(s->fetch) ? "the downloads" : NULL;
}

void serve_free(struct serve *s)
{
    if (!s)
        return;
    drop_client(s);
    fetch_free(s->fetch);
    uv_close((uv_handle_t *)s->listener, free_handle);
    uv_close((uv_handle_t *)s->farewell, free_handle);
    free(s);
}
