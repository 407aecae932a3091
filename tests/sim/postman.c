/* postman.c - see postman.h. */
#include "tests/sim/postman.h"

#include "playlists/base/bytes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct postman {
    uv_loop_t *loop;
    char *path;
    struct postman_events events;
    void *arg;
    uv_pipe_t *listener; /* NULL: nobody listens */
    uv_pipe_t *client;   /* NULL: none */
    bool attached;
    struct buf in;
    char chunk[65536];
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_pipe(uv_pipe_t **pipe)
{
    if (*pipe) {
        (*pipe)->data = NULL;
        uv_close((uv_handle_t *)*pipe, free_handle);
    }
    *pipe = NULL;
}

void postman_hang_up(struct postman *postman)
{
    bool was = postman->attached;
    close_pipe(&postman->client);
    postman->attached = false;
    postman->in.len = 0;
    if (was)
        postman->events.gone(postman->arg);
}

bool postman_attached(const struct postman *postman)
{
    return postman->attached;
}

/* --- to the agent --- */

struct letter_out {
    uv_write_t req;
    uint8_t bytes[];
};

static void on_written(uv_write_t *req, int status)
{
    (void)status; /* a client that is gone tells so by its read */
    free(req);
}

static void write_bytes(struct postman *postman, const void *bytes, size_t len)
{
    if (!postman->client || len == 0)
        return;
    struct letter_out *out = xcalloc(1, sizeof(*out) + len);
    memcpy(out->bytes, bytes, len);
    uv_buf_t buf = uv_buf_init((char *)out->bytes, (unsigned)len);
    if (uv_write(&out->req, (uv_stream_t *)postman->client, &buf, 1, on_written) < 0)
        free(out);
}

static void put_number(struct buf *buf, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0) {
        uint8_t byte = (uint8_t)(value >> (8 * bytes));
        buf_put(buf, &byte, 1);
    }
}

static void make_frame(enum post_type type, unsigned flags, uint32_t id, const char *name, const void *body, size_t len,
                       struct buf *ret)
{
    size_t name_len = name ? strlen(name) : 0;
    put_number(ret, 1 + 1 + 4 + 2 + name_len + len, 4);
    put_number(ret, type, 1);
    put_number(ret, flags, 1);
    put_number(ret, id, 4);
    put_number(ret, name_len, 2);
    buf_put(ret, name ? name : "", name_len);
    buf_put(ret, body ? body : "", len);
}

void postman_send(struct postman *postman, enum post_type type, unsigned flags, uint32_t id, const char *name,
                  const void *body, size_t len)
{
    struct buf frame = {0};
    make_frame(type, flags, id, name, body, len, &frame);
    write_bytes(postman, frame.data, frame.len);
    buf_done(&frame);
}

void postman_break(struct postman *postman, enum post_type type, const char *name, const void *body, size_t len,
                   size_t n)
{
    struct buf frame = {0};
    make_frame(type, 0, 0, name, body, len, &frame);
    /* Written before the pipe is closed: what does not fit is cut all the more. */
    uv_buf_t buf = uv_buf_init((char *)frame.data, (unsigned)(n < frame.len ? n : frame.len));
    if (postman->client)
        (void)uv_try_write((uv_stream_t *)postman->client, &buf, 1);
    buf_done(&frame);
    postman_hang_up(postman);
}

void postman_babble(struct postman *postman, const void *bytes, size_t len)
{
    write_bytes(postman, bytes, len);
}

/* --- from the agent --- */

static void attach(struct postman *postman, const struct frame *frame)
{
    const char *topic = NULL, *will = NULL;
    size_t will_len = 0;
    json_t *body = json_loadb((const char *)frame->body, frame->body_len, 0, NULL);
    if (body)
        json_unpack(body, "{s:{s:s, s:s%}}", "will", "topic", &topic, "payload", &will, &will_len);
    postman->attached = true;
    postman->events.attached(postman->arg, topic, will, will_len);
    json_decref(body);
}

static void take(struct postman *postman, const struct frame *frame)
{
    if (frame->type == POST_ATTACH)
        attach(postman, frame);
    else if (frame->type == POST_SUBSCRIBE)
        postman->events.subscribed(postman->arg, frame->name);
    else if (frame->type == POST_PUBLISH)
        postman->events.published(postman->arg, frame->id, frame->name, frame->body, frame->body_len,
                                  frame->flags & POST_RETAIN);
    else if (frame->type == POST_FETCH)
        postman->events.fetch(postman->arg, frame->id, frame->name);
}

static void read_frames(struct postman *postman)
{
    char name[FRAME_NAME_MAX + 1];
    struct frame frame;
    size_t used = 0, at = 0;
    struct buf in = postman->in; /* an event may hang up, which empties ours */
    postman->in = (struct buf){0};
    uv_pipe_t *client = postman->client;
    while (postman->client == client && frame_parse(in.data + at, in.len - at, name, &frame, &used) == 1) {
        at += used;
        take(postman, &frame);
    }
    if (postman->client == client && at < in.len)
        buf_put(&postman->in, in.data + at, in.len - at);
    buf_done(&in);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    struct postman *postman = handle->data;
    (void)size;
    *ret = postman ? uv_buf_init(postman->chunk, sizeof(postman->chunk)) : uv_buf_init(NULL, 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct postman *postman = stream->data;
    if (!postman || n == 0)
        return;
    if (n < 0) {
        postman_hang_up(postman);
        return;
    }
    buf_put(&postman->in, buf->base, (size_t)n);
    read_frames(postman);
}

static void on_client(uv_stream_t *listener, int status)
{
    struct postman *postman = listener->data;
    if (status < 0 || !postman)
        return;
    postman_hang_up(postman); /* the new one takes the place of the old */
    postman->client = xcalloc(1, sizeof(*postman->client));
    uv_pipe_init(postman->loop, postman->client, 0);
    postman->client->data = postman;
    if (uv_accept(listener, (uv_stream_t *)postman->client) == 0)
        uv_read_start((uv_stream_t *)postman->client, on_alloc, on_read);
    else
        close_pipe(&postman->client);
}

void postman_listen(struct postman *postman, bool listening)
{
    if (listening == (postman->listener != NULL))
        return;
    if (!listening) {
        close_pipe(&postman->listener);
        unlink(postman->path);
        return;
    }
    postman->listener = xcalloc(1, sizeof(*postman->listener));
    uv_pipe_init(postman->loop, postman->listener, 0);
    postman->listener->data = postman;
    if (uv_pipe_bind(postman->listener, postman->path) < 0 ||
        uv_listen((uv_stream_t *)postman->listener, 4, on_client) < 0)
        abort(); /* a folder of our own */
}

struct postman *postman_new(uv_loop_t *loop, const char *path, const struct postman_events *events, void *arg)
{
    struct postman *postman = xcalloc(1, sizeof(*postman));
    postman->loop = loop;
    postman->path = xstrdup(path);
    postman->events = *events;
    postman->arg = arg;
    return postman;
}

void postman_free(struct postman *postman)
{
    if (!postman)
        return;
    postman_hang_up(postman);
    postman_listen(postman, false);
    buf_done(&postman->in);
    free(postman->path);
    free(postman);
}
