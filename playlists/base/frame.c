/* frame.c - see frame.h. */
#include "playlists/base/frame.h"

#include "playlists/base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX_LEN = 4, HEAD_LEN = 8, READ_CHUNK = 64 * 1024 };
/* Frames are handed out for this long at a time; then whatever else the loop has to do has its turn. */
#define TURN_NS (UINT64_C(3) * 1000 * 1000)

struct frame_conn {
    uv_pipe_t *pipe;  /* owned */
    uv_idle_t resume; /* hands out what was read before a pause, or did not fit into a turn */
    frame_fn on_frame;
    frame_gone_fn on_gone;
    frame_drained_fn on_drained; /* may be NULL */
    void *arg;
    struct buf in;
    size_t in_used;   /* bytes at the front of `in` that were handed out */
    unsigned handles; /* still open in the loop */
    bool paused, closing, gone;
};

struct frame_write {
    uv_write_t req;
    struct frame_conn *conn;
    uint8_t bytes[];
};

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_u32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

int frame_parse(const uint8_t *data, size_t len, char name_buf[FRAME_NAME_MAX + 1], struct frame *ret_frame,
                size_t *ret_used)
{
    if (len < PREFIX_LEN)
        return 0;
    uint32_t rest = get_u32(data);
    if (rest < HEAD_LEN)
        return ERR_FORMAT;
    if (rest > HEAD_LEN + FRAME_NAME_MAX + FRAME_BODY_MAX)
        return ERR_LIMIT;
    if (len < PREFIX_LEN + HEAD_LEN)
        return 0;
    size_t name_len = (size_t)data[10] << 8 | data[11];
    if (name_len > FRAME_NAME_MAX)
        return ERR_LIMIT;
    if (name_len > rest - HEAD_LEN)
        return ERR_FORMAT;
    size_t body_len = rest - HEAD_LEN - name_len;
    if (body_len > FRAME_BODY_MAX)
        return ERR_LIMIT;
    if (len < PREFIX_LEN + (size_t)rest)
        return 0;
    const uint8_t *name = data + PREFIX_LEN + HEAD_LEN;
    if (!utf8_valid((const char *)name, name_len))
        return ERR_FORMAT;
    memcpy(name_buf, name, name_len);
    name_buf[name_len] = '\0';
    *ret_frame = (struct frame){.type = data[4],
                                .flags = data[5],
                                .id = get_u32(data + 6),
                                .name = name_buf,
                                .body = name + name_len,
                                .body_len = body_len};
    *ret_used = PREFIX_LEN + (size_t)rest;
    return 1;
}

static void tell_gone(struct frame_conn *conn, int reason)
{
    if (conn->gone || conn->closing)
        return;
    conn->gone = true;
    uv_read_stop((uv_stream_t *)conn->pipe);
    uv_idle_stop(&conn->resume);
    conn->on_gone(conn->arg, reason);
}

static void on_resume(uv_idle_t *idle);

static bool open_to_read(const struct frame_conn *conn)
{
    return !conn->paused && !conn->closing && !conn->gone;
}

/* Hand out the whole frames that were read, as many as fit into a turn. A callback may pause or close the connection
 * under us. */
static void hand_out(struct frame_conn *conn)
{
    uint64_t until_ns = uv_hrtime() + TURN_NS;
    while (open_to_read(conn)) {
        char name[FRAME_NAME_MAX + 1];
        struct frame frame;
        size_t used;
        int r = frame_parse(conn->in.data + conn->in_used, conn->in.len - conn->in_used, name, &frame, &used);
        if (r < 0) {
            tell_gone(conn, r);
            return;
        }
        if (r == 0)
            break;
        conn->in_used += used;
        conn->on_frame(conn->arg, &frame);
        if (open_to_read(conn) && uv_hrtime() > until_ns) {
            uv_read_stop((uv_stream_t *)conn->pipe);
            uv_idle_start(&conn->resume, on_resume);
            break;
        }
    }
    buf_drop(&conn->in, conn->in_used);
    conn->in_used = 0;
}

/* One for all connections of the thread: libuv reads into it and hands it to on_read() before it asks for the next. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    static _Thread_local char chunk[READ_CHUNK];
    (void)handle;
    (void)suggested;
    *ret = uv_buf_init(chunk, READ_CHUNK);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *chunk)
{
    struct frame_conn *conn = stream->data;
    if (n > 0) {
        buf_put(&conn->in, chunk->base, (size_t)n);
        hand_out(conn);
    } else if (n < 0) {
        tell_gone(conn, n == UV_EOF ? 0 : (int)n);
    }
}

static void on_resume(uv_idle_t *idle)
{
    struct frame_conn *conn = idle->data;
    uv_idle_stop(idle);
    hand_out(conn);
    if (open_to_read(conn) && !uv_is_active((uv_handle_t *)idle))
        uv_read_start((uv_stream_t *)conn->pipe, on_alloc, on_read);
}

struct frame_conn *frame_conn_new(uv_pipe_t *pipe, frame_fn on_frame, frame_gone_fn on_gone, void *arg)
{
    struct frame_conn *conn = xcalloc(1, sizeof(*conn));
    conn->pipe = pipe;
    conn->on_frame = on_frame;
    conn->on_gone = on_gone;
    conn->arg = arg;
    conn->handles = 2;
    pipe->data = conn;
    uv_idle_init(pipe->loop, &conn->resume);
    conn->resume.data = conn;
    buf_put(&conn->in, "", 0);
    uv_read_start((uv_stream_t *)pipe, on_alloc, on_read);
    return conn;
}

static void on_written(uv_write_t *req, int status)
{
    struct frame_write *write = (struct frame_write *)req;
    struct frame_conn *conn = write->conn;
    free(write);
    if (conn->closing)
        return;
    if (status < 0)
        tell_gone(conn, status);
    else if (conn->on_drained)
        conn->on_drained(conn->arg);
}

int frame_send(struct frame_conn *conn, const struct frame *frame)
{
    const char *name = frame->name ? frame->name : "";
    size_t name_len = strlen(name);
    if (name_len > FRAME_NAME_MAX || frame->body_len > FRAME_BODY_MAX)
        return -EMSGSIZE;
    if (conn->closing || conn->gone)
        return -ENOTCONN;
    size_t total = PREFIX_LEN + HEAD_LEN + name_len + frame->body_len;
    if (frame_queued(conn) + total > FRAME_QUEUE_MAX)
        return -ENOBUFS;
    struct frame_write *write = xcalloc(1, sizeof(*write) + total);
    write->conn = conn;
    uint8_t *p = write->bytes;
    put_u32(p, (uint32_t)(total - PREFIX_LEN));
    p[4] = frame->type;
    p[5] = frame->flags;
    put_u32(p + 6, frame->id);
    p[10] = (uint8_t)(name_len >> 8);
    p[11] = (uint8_t)name_len;
    memcpy(p + PREFIX_LEN + HEAD_LEN, name, name_len);
    if (frame->body_len)
        memcpy(p + PREFIX_LEN + HEAD_LEN + name_len, frame->body, frame->body_len);
    uv_buf_t out = uv_buf_init((char *)p, (unsigned)total);
    int r = uv_write(&write->req, (uv_stream_t *)conn->pipe, &out, 1, on_written);
    if (r < 0)
        free(write);
    return r;
}

size_t frame_queued(const struct frame_conn *conn)
{
    return conn->closing ? 0 : uv_stream_get_write_queue_size((const uv_stream_t *)conn->pipe);
}

void frame_watch(struct frame_conn *conn, frame_drained_fn on_drained)
{
    conn->on_drained = on_drained;
}

void frame_pause(struct frame_conn *conn, bool paused)
{
    if (conn->closing || conn->gone || conn->paused == paused)
        return;
    conn->paused = paused;
    if (paused) {
        uv_read_stop((uv_stream_t *)conn->pipe);
        uv_idle_stop(&conn->resume);
        return;
    }
    uv_idle_start(&conn->resume, on_resume); /* and reads on */
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct frame_conn *conn = handle->data;
    if (--conn->handles > 0)
        return;
    buf_done(&conn->in);
    free(conn->pipe);
    free(conn);
}

void frame_conn_close(struct frame_conn *conn)
{
    if (!conn || conn->closing)
        return;
    conn->closing = true;
    uv_close((uv_handle_t *)conn->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&conn->resume, on_handle_closed);
}
