/* meter.c - see meter.h. */
#include "tools/modbus-sim/meter.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 500, STALE_MS = 300, SILENT_MB = -12000 };

/* One connection; lives until its handle is closed. */
struct ear {
    uv_pipe_t pipe;
    uv_connect_t connect;
    struct meter *meter; /* NULL: let go */
    char in[4096];
    size_t len;
};

struct meter {
    uv_loop_t *loop;
    struct device *device;
    char *path;
    struct ear *ear; /* NULL: not connected */
    int64_t retry_ms, heard_ms;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void let_go(struct ear *ear)
{
    if (uv_is_closing((uv_handle_t *)&ear->pipe))
        return;
    if (ear->meter) {
        ear->meter->ear = NULL;
        ear->meter->retry_ms = clock_elapsed_ms() + RETRY_MS;
        ear->meter = NULL;
    }
    uv_close((uv_handle_t *)&ear->pipe, on_closed);
}

static void on_line(struct meter *meter, const char *text, size_t len)
{
    json_t *object = json_loadb(text, len, 0, NULL);
    const json_t *rms = json_object_get(object, "rms_mb");
    if (json_is_number(rms)) {
        double mb = json_number_value(rms);
        meter->heard_ms = clock_elapsed_ms();
        device_hear(meter->device, mb < SILENT_MB ? SILENT_MB : mb > 0 ? 0 : (int)mb);
        device_tick(meter->device, meter->heard_ms);
    }
    json_decref(object);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct ear *ear = handle->data;
    if (ear->len == sizeof(ear->in))
        ear->len = 0; /* no line is that long: begin anew */
    *ret_buf = uv_buf_init(ear->in + ear->len, (unsigned)(sizeof(ear->in) - ear->len));
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct ear *ear = stream->data;
    if (n < 0) {
        let_go(ear);
        return;
    }
    ear->len += (size_t)n;
    char *end;
    while ((end = memchr(ear->in, '\n', ear->len))) {
        size_t used = (size_t)(end - ear->in) + 1;
        if (ear->meter)
            on_line(ear->meter, ear->in, used - 1);
        ear->len -= used;
        memmove(ear->in, ear->in + used, ear->len);
    }
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct ear *ear = connect->data;
    if (status < 0)
        let_go(ear);
    else
        uv_read_start((uv_stream_t *)&ear->pipe, on_alloc, on_bytes);
}

static void listen_in(struct meter *meter)
{
    struct ear *ear = xcalloc(1, sizeof(*ear));
    ear->meter = meter;
    ear->pipe.data = ear;
    ear->connect.data = ear;
    meter->ear = ear;
    uv_pipe_init(meter->loop, &ear->pipe, 0);
    uv_pipe_connect(&ear->connect, &ear->pipe, meter->path, on_connected);
}

struct meter *meter_new(uv_loop_t *loop, struct device *device, const char *path)
{
    struct meter *meter = xcalloc(1, sizeof(*meter));
    meter->loop = loop;
    meter->device = device;
    meter->path = xstrdup(path);
    return meter;
}

void meter_tick(struct meter *meter, int64_t now_ms)
{
    if (!meter)
        return;
    if (!meter->ear && now_ms >= meter->retry_ms)
        listen_in(meter);
    if (now_ms - meter->heard_ms > STALE_MS)
        device_hear(meter->device, SILENT_MB);
}

void meter_free(struct meter *meter)
{
    if (!meter)
        return;
    if (meter->ear)
        let_go(meter->ear);
    free(meter->path);
    free(meter);
}
