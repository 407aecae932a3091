/* post.c - see post.h: the client's side of the socket to loa-link. */
#include "playlists/base/post.h"

#include "playlists/base/bytes.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MIN_MS = 250, RETRY_MAX_MS = 2000 };

struct post {
    uv_loop_t *loop;
    char *socket_path; /* owned */
    struct post_events events;
    void *arg;
    uv_timer_t retry;
    unsigned retry_ms;
    struct post_dial *dial;  /* a connect under way, or NULL */
    struct frame_conn *conn; /* owned; NULL without a socket */
    bool online, closing;
};

/* Outlives its post when that is freed while the connect is under way. */
struct post_dial {
    uv_connect_t req;
    uv_pipe_t *pipe;
    struct post *post; /* NULL: nobody waits any more */
};

static void dial(struct post *post);

static void on_retry(uv_timer_t *timer)
{
    dial(timer->data);
}

/* Between a half and the whole of a step that doubles: clients that lost the link together do not come back together.
 */
static void retry_later(struct post *post)
{
    unsigned step_ms = post->retry_ms;
    post->retry_ms = step_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : step_ms * 2;
    uv_timer_start(&post->retry, on_retry, step_ms / 2 + random_below(step_ms / 2 + 1), 0);
}

static void on_message(struct post *post, const struct frame *frame)
{
    if (post->events.message)
        post->events.message(post->arg, frame->name, frame->body, frame->body_len, frame->flags & POST_RETAIN);
}

static void on_offline(struct post *post, const struct frame *frame)
{
    post->online = false;
    struct buf why = {0};
    buf_put(&why, frame->body, frame->body_len);
    if (post->events.offline)
        post->events.offline(post->arg, buf_text(&why));
    buf_done(&why);
}

static void on_nack(struct post *post, const struct frame *frame)
{
    struct buf why = {0};
    buf_put(&why, frame->body, frame->body_len);
    if (post->events.refused)
        post->events.refused(post->arg, frame->id, buf_text(&why));
    buf_done(&why);
}

static int on_fetched(struct post *post, const struct frame *frame)
{
    json_t *body = json_loadb((const char *)frame->body, frame->body_len, JSON_REJECT_DUPLICATES, NULL);
    const char *path = NULL;
    json_int_t size = -1;
    int r = ERR_FORMAT;
    if (body && json_unpack(body, "{s:s, s:I}", "path", &path, "size", &size) == 0 && size >= 0 &&
        hash_valid(frame->name)) {
        r = 0;
        if (post->events.fetched)
            post->events.fetched(post->arg, frame->id, frame->name, path, (uint64_t)size);
    }
    json_decref(body);
    return r;
}

static int on_not_fetched(struct post *post, const struct frame *frame)
{
    json_t *body = json_loadb((const char *)frame->body, frame->body_len, JSON_REJECT_DUPLICATES, NULL);
    const char *why = NULL;
    int final = 0;
    int r = ERR_FORMAT;
    if (body && json_unpack(body, "{s:s, s:b}", "why", &why, "final", &final) == 0) {
        r = 0;
        if (post->events.not_fetched)
            post->events.not_fetched(post->arg, frame->id, frame->name, why, final != 0);
    }
    json_decref(body);
    return r;
}

static void lose(struct post *post, int reason)
{
    frame_conn_close(post->conn);
    post->conn = NULL;
    post->online = false;
    if (reason < 0)
        log_warn("post", "socket=%s lost: %s, trying again", post->socket_path, err_name(reason));
    retry_later(post);
    if (post->events.disconnected)
        post->events.disconnected(post->arg);
}

static void on_gone(void *arg, int reason)
{
    lose(arg, reason);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct post *post = arg;
    int r = 0;
    switch (frame->type) {
    case POST_ONLINE:
        post->online = true;
        if (post->events.online)
            post->events.online(post->arg);
        break;
    case POST_OFFLINE:
        on_offline(post, frame);
        break;
    case POST_MESSAGE:
        on_message(post, frame);
        break;
    case POST_ACK:
        if (post->events.acked)
            post->events.acked(post->arg, frame->id);
        break;
    case POST_NACK:
        on_nack(post, frame);
        break;
    case POST_FETCHED:
        r = on_fetched(post, frame);
        break;
    case POST_NOT_FETCHED:
        r = on_not_fetched(post, frame);
        break;
    default:
        r = ERR_FORMAT;
        break;
    }
    if (r < 0 && !post->closing && post->conn)
        lose(post, r);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_dialled(uv_connect_t *req, int status)
{
    struct post_dial *d = (struct post_dial *)req;
    struct post *post = d->post;
    uv_pipe_t *pipe = d->pipe;
    free(d);
    if (!post) {
        uv_close((uv_handle_t *)pipe, free_handle);
        return;
    }
    post->dial = NULL;
    if (status < 0) {
        uv_close((uv_handle_t *)pipe, free_handle);
        retry_later(post);
        return;
    }
    post->retry_ms = RETRY_MIN_MS;
    post->conn = frame_conn_new(pipe, on_frame, on_gone, post);
    if (post->events.connected)
        post->events.connected(post->arg);
}

static void dial(struct post *post)
{
    struct post_dial *d = xcalloc(1, sizeof(*d));
    d->pipe = xcalloc(1, sizeof(*d->pipe));
    d->post = post;
    post->dial = d;
    uv_pipe_init(post->loop, d->pipe, 0);
    uv_pipe_connect(&d->req, d->pipe, post->socket_path, on_dialled);
}

int post_new(uv_loop_t *loop, const char *socket_path, const struct post_events *events, void *arg,
             struct post **ret_post)
{
    struct post *post = xcalloc(1, sizeof(*post));
    post->loop = loop;
    post->socket_path = xstrdup(socket_path);
    post->events = *events;
    post->arg = arg;
    post->retry_ms = RETRY_MIN_MS;
    uv_timer_init(loop, &post->retry);
    post->retry.data = post;
    dial(post);
    *ret_post = post;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct post *post = handle->data;
    free(post->socket_path);
    free(post);
}

void post_free(struct post *post)
{
    if (!post || post->closing)
        return;
    post->closing = true;
    post->online = false;
    post->events = (struct post_events){0};
    if (post->dial)
        post->dial->post = NULL;
    frame_conn_close(post->conn);
    post->conn = NULL;
    uv_close((uv_handle_t *)&post->retry, on_timer_closed);
}

static int send_frame(struct post *post, const struct frame *frame)
{
    return post->conn ? frame_send(post->conn, frame) : -ENOTCONN;
}

static int send_json(struct post *post, struct frame frame, json_t *body)
{
    if (!body)
        return -EINVAL;
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (!text)
        return -EINVAL;
    frame.body = (const uint8_t *)text;
    frame.body_len = strlen(text);
    int r = send_frame(post, &frame);
    free(text);
    return r;
}

int post_attach(struct post *post, const char *will_topic, const void *will, size_t will_len, const char *const *topics,
                size_t n_topics)
{
    if (n_topics > POST_SUBSCRIPTIONS_MAX || will_len > POST_PAYLOAD_MAX)
        return -EMSGSIZE;
    json_t *list = json_array();
    for (size_t i = 0; i < n_topics; i++)
        json_array_append_new(list, json_string(topics[i]));
    if (json_array_size(list) != n_topics) { /* a topic that is not UTF-8 */
        json_decref(list);
        return -EINVAL;
    }
    json_t *body = will_topic ? json_pack("{s:o, s:{s:s, s:s%}}", "subscribe", list, "will", "topic", will_topic,
                                          "payload", (const char *)will, will_len)
                              : json_pack("{s:o}", "subscribe", list);
    return send_json(post, (struct frame){.type = POST_ATTACH}, body);
}

int post_subscribe(struct post *post, const char *topic)
{
    return send_frame(post, &(struct frame){.type = POST_SUBSCRIBE, .name = topic});
}

int post_subscribe_brief(struct post *post, const char *topic)
{
    return send_frame(post, &(struct frame){.type = POST_SUBSCRIBE, .flags = POST_BRIEF, .name = topic});
}

int post_unsubscribe(struct post *post, const char *topic)
{
    return send_frame(post, &(struct frame){.type = POST_UNSUBSCRIBE, .name = topic});
}

int post_publish(struct post *post, uint32_t id, const char *topic, const void *payload, size_t len, unsigned flags)
{
    if (len > POST_PAYLOAD_MAX)
        return -EMSGSIZE;
    return send_frame(
        post,
        &(struct frame){
            .type = POST_PUBLISH, .flags = (uint8_t)flags, .id = id, .name = topic, .body = payload, .body_len = len});
}

int post_fetch(struct post *post, uint32_t id, const char *hash, uint64_t size, bool urgent)
{
    uint8_t flags = urgent ? POST_URGENT : 0;
    return send_json(post, (struct frame){.type = POST_FETCH, .flags = flags, .id = id, .name = hash},
                     json_pack("{s:I}", "size", (json_int_t)size));
}

int post_cancel(struct post *post, uint32_t id)
{
    return send_frame(post, &(struct frame){.type = POST_CANCEL, .id = id});
}

int post_time(struct post *post, int64_t signed_ms)
{
    return send_json(post, (struct frame){.type = POST_TIME}, json_pack("{s:I}", "signed_ms", (json_int_t)signed_ms));
}

int post_spread(struct post *post, int64_t spread_s)
{
    return send_json(post, (struct frame){.type = POST_SPREAD}, json_pack("{s:I}", "spread_s", (json_int_t)spread_s));
}

bool post_online(const struct post *post)
{
    return post->online;
}
