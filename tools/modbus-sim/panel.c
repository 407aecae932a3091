/* panel.c - see panel.h. */
#include "tools/modbus-sim/panel.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VIEWERS_MAX = 16, LINE_MAX_LEN = 4096, BACKLOG_MAX = 256 * 1024 };

struct viewer {
    struct panel *panel;
    uv_pipe_t pipe;
    char in[LINE_MAX_LEN];
    size_t len;
    struct viewer *next, **prev;
};

struct panel {
    uv_pipe_t pipe;
    struct slave *slave;
    struct server *server;
    struct serial *serial; /* NULL: no tty */
    char *path;
    char *last; /* what was told; owned */
    struct viewer *viewers;
    size_t n_viewers;
};

struct line {
    uv_write_t write;
    char *text; /* owned */
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop(struct viewer *viewer)
{
    if (uv_is_closing((uv_handle_t *)&viewer->pipe))
        return;
    *viewer->prev = viewer->next;
    if (viewer->next)
        viewer->next->prev = viewer->prev;
    viewer->panel->n_viewers--;
    uv_close((uv_handle_t *)&viewer->pipe, on_closed);
}

static void on_sent(uv_write_t *write, int status)
{
    (void)status;
    struct line *line = write->data;
    free(line->text);
    free(line);
}

/* A viewer that does not read is let go rather than kept for. */
static void say(struct viewer *viewer, const char *text)
{
    if (uv_stream_get_write_queue_size((uv_stream_t *)&viewer->pipe) > BACKLOG_MAX) {
        drop(viewer);
        return;
    }
    struct line *line = xcalloc(1, sizeof(*line));
    line->text = xasprintf("%s\n", text);
    line->write.data = line;
    uv_buf_t buf = uv_buf_init(line->text, (unsigned)strlen(line->text));
    if (uv_write(&line->write, (uv_stream_t *)&viewer->pipe, &buf, 1, on_sent) < 0)
        on_sent(&line->write, 0);
}

static char *view(const struct panel *panel)
{
    json_t *object = device_panel(slave_device(panel->slave));
    char fault[FAULT_WORD_MAX];
    fault_write(slave_fault(panel->slave), fault);
    json_object_set_new(object, "unit", json_integer(slave_unit(panel->slave)));
    json_object_set_new(object, "fault", json_string(fault));
    if (panel->serial)
        json_object_set_new(object, "tty", json_boolean(serial_plugged(panel->serial)));
    char *text = json_dumps(object, JSON_REAL_PRECISION(6));
    json_decref(object);
    return text;
}

void panel_refresh(struct panel *panel)
{
    if (!panel)
        return;
    char *now = view(panel);
    if (panel->last && strcmp(now, panel->last) == 0) {
        free(now);
        return;
    }
    free(panel->last);
    panel->last = now;
    struct viewer *next;
    for (struct viewer *viewer = panel->viewers; viewer; viewer = next) {
        next = viewer->next;
        say(viewer, now);
    }
}

static int set_fault(struct panel *panel, const json_t *value, struct complaint *why)
{
    struct fault fault;
    if (!json_is_string(value))
        return complain(why, ERR_FORMAT, "'fault' must be a text");
    int r = fault_read(json_string_value(value), &fault, why);
    if (r == 0)
        slave_set_fault(panel->slave, &fault, clock_elapsed_ms());
    return r;
}

static int set_one(struct panel *panel, const char *name, const json_t *value, struct complaint *why)
{
    if (strcmp(name, "fault") == 0)
        return set_fault(panel, value, why);
    if (strcmp(name, "tty") != 0)
        return device_set(slave_device(panel->slave), name, value, why);
    if (!panel->serial || !json_is_boolean(value))
        return complain(why, ERR_FORMAT, "'tty' must be true or false, and there must be one (--tty)");
    return serial_plug(panel->serial, json_is_true(value), why);
}

static int obey_set(struct panel *panel, json_t *set, struct complaint *why)
{
    const char *name;
    json_t *value;
    if (!json_is_object(set))
        return complain(why, ERR_FORMAT, "'set' must be an object");
    json_object_foreach(set, name, value)
    {
        int r = set_one(panel, name, value, why);
        if (r < 0)
            return r;
    }
    return 0;
}

static int obey(struct panel *panel, const char *text, size_t len, struct complaint *why)
{
    json_error_t error;
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        json_decref(object);
        return complain(why, ERR_FORMAT, "this is not a JSON object on one line");
    }
    int r;
    if (json_object_get(object, "set"))
        r = obey_set(panel, json_object_get(object, "set"), why);
    else if (json_is_true(json_object_get(object, "power_cycle"))) {
        r = 0;
        device_power_cycle(slave_device(panel->slave), clock_elapsed_ms());
        server_drop_masters(panel->server);
    } else {
        r = complain(why, ERR_FORMAT, "a command is {\"set\": {...}} or {\"power_cycle\": true}");
    }
    json_decref(object);
    device_tick(slave_device(panel->slave), clock_elapsed_ms());
    return r;
}

static void on_line(struct viewer *viewer, const char *text, size_t len)
{
    struct complaint why = {0};
    int r = obey(viewer->panel, text, len, &why);
    json_t *reply = r < 0 ? json_pack("{s:s}", "error", why.text) : json_pack("{s:b}", "ok", 1);
    char *line = json_dumps(reply, 0);
    json_decref(reply);
    say(viewer, line);
    free(line);
    panel_refresh(viewer->panel);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct viewer *viewer = handle->data;
    *ret_buf = uv_buf_init(viewer->in + viewer->len, (unsigned)(sizeof(viewer->in) - viewer->len));
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct viewer *viewer = stream->data;
    if (n < 0) {
        drop(viewer);
        return;
    }
    viewer->len += (size_t)n;
    char *end;
    while (!uv_is_closing((uv_handle_t *)stream) && (end = memchr(viewer->in, '\n', viewer->len))) {
        size_t used = (size_t)(end - viewer->in) + 1;
        on_line(viewer, viewer->in, used - 1);
        viewer->len -= used;
        memmove(viewer->in, viewer->in + used, viewer->len);
    }
    if (viewer->len == sizeof(viewer->in))
        drop(viewer);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct panel *panel = listener->data;
    if (status < 0)
        return;
    struct viewer *viewer = xcalloc(1, sizeof(*viewer));
    viewer->panel = panel;
    viewer->pipe.data = viewer;
    uv_pipe_init(listener->loop, &viewer->pipe, 0);
    viewer->next = panel->viewers;
    viewer->prev = &panel->viewers;
    if (viewer->next)
        viewer->next->prev = &viewer->next;
    panel->viewers = viewer;
    panel->n_viewers++;
    if (uv_accept(listener, (uv_stream_t *)&viewer->pipe) < 0 || panel->n_viewers > VIEWERS_MAX) {
        drop(viewer);
        return;
    }
    uv_read_start((uv_stream_t *)&viewer->pipe, on_alloc, on_bytes);
    panel_refresh(panel);
    char *now = view(panel);
    say(viewer, now);
    free(now);
}

static void remove_leftover(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}

int panel_new(uv_loop_t *loop, struct slave *slave, struct server *server, struct serial *serial, const char *path,
              struct panel **ret_panel, struct complaint *why)
{
    struct panel *panel = xcalloc(1, sizeof(*panel));
    panel->slave = slave;
    panel->server = server;
    panel->serial = serial;
    panel->pipe.data = panel;
    remove_leftover(path);
    uv_pipe_init(loop, &panel->pipe, 0);
    int r = uv_pipe_bind(&panel->pipe, path);
    r = r < 0 ? r : uv_listen((uv_stream_t *)&panel->pipe, 8, on_connection);
    if (r < 0) {
        uv_close((uv_handle_t *)&panel->pipe, on_closed);
        return complain(why, r, "%s: cannot listen there: %s", path, uv_strerror(r));
    }
    panel->path = xstrdup(path);
    *ret_panel = panel;
    return 0;
}

void panel_free(struct panel *panel)
{
    if (!panel)
        return;
    while (panel->viewers)
        drop(panel->viewers);
    unlink(panel->path);
    free(panel->path);
    free(panel->last);
    uv_close((uv_handle_t *)&panel->pipe, on_closed);
}
