/* server.c - see server.h. */
#include "tools/modbus-sim/server.h"

#include "tools/modbus-sim/image.h"
#include "tools/modbus-sim/line.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { MASTERS_MAX = 32, MBAP_LEN = 6, ADU_MAX = 260 };

struct master {
    struct server *server;
    uv_tcp_t tcp;
    struct line line;
    uint8_t in[ADU_MAX * 4];
    size_t len;
    struct master *next, **prev;
};

struct server {
    uv_tcp_t tcp;
    const struct rack *rack;
    struct master *masters;
    size_t n_masters;
};

struct packet {
    uv_write_t write;
    uint8_t bytes[];
};

struct slave *rack_find(const struct rack *rack, uint8_t unit)
{
    for (size_t i = 0; i < rack->n; i++)
        if (slave_unit(rack->slaves[i]) == unit)
            return rack->slaves[i];
    return NULL;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop(struct master *master)
{
    if (uv_is_closing((uv_handle_t *)&master->tcp))
        return;
    line_clear(&master->line);
    *master->prev = master->next;
    if (master->next)
        master->next->prev = master->prev;
    master->server->n_masters--;
    uv_close((uv_handle_t *)&master->tcp, on_closed);
}

static void on_sent(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
}

static void put(void *arg, const uint8_t *bytes, size_t len)
{
    struct master *master = arg;
    struct packet *packet = xcalloc(1, sizeof(*packet) + len);
    packet->write.data = packet;
    memcpy(packet->bytes, bytes, len);
    uv_buf_t buf = uv_buf_init((char *)packet->bytes, (unsigned)len);
    if (uv_write(&packet->write, (uv_stream_t *)&master->tcp, &buf, 1, on_sent) < 0)
        free(packet);
}

/* `adu` is a whole request, unit and function included. */
static void answer(struct master *master, const uint8_t *adu, size_t len)
{
    struct slave *slave = rack_find(master->server->rack, adu[MBAP_LEN]);
    int64_t now_ms = clock_elapsed_ms();
    struct reply reply = {.frame = {adu[MBAP_LEN], adu[MBAP_LEN + 1] | 0x80, EXCEPTION_NO_TARGET}, .len = 3};
    if (slave)
        slave_serve(slave, adu + MBAP_LEN, len - MBAP_LEN, now_ms, &reply);
    if (reply.len == 0)
        return;
    uint8_t out[LINE_ADU_MAX];
    memcpy(out, adu, MBAP_LEN);
    put16(out + 4, (unsigned)reply.len);
    memcpy(out + MBAP_LEN, reply.frame, reply.len);
    line_send(&master->line, &reply, out, MBAP_LEN + reply.len, now_ms);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct master *master = handle->data;
    *ret_buf = uv_buf_init((char *)master->in + master->len, (unsigned)(sizeof(master->in) - master->len));
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct master *master = stream->data;
    if (n < 0) {
        drop(master);
        return;
    }
    master->len += (size_t)n;
    while (master->len > MBAP_LEN) {
        size_t length = get16(master->in + 4);
        if (get16(master->in + 2) != 0 || length < 2 || length > ADU_MAX - 6) {
            drop(master);
            return;
        }
        if (master->len < 6 + length)
            return;
        answer(master, master->in, 6 + length);
        master->len -= 6 + length;
        memmove(master->in, master->in + 6 + length, master->len);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    if (status < 0)
        return;
    struct master *master = xcalloc(1, sizeof(*master));
    master->server = server;
    master->tcp.data = master;
    master->line = (struct line){.loop = listener->loop, .put = put, .arg = master};
    uv_tcp_init(listener->loop, &master->tcp);
    master->next = server->masters;
    master->prev = &server->masters;
    if (master->next)
        master->next->prev = &master->next;
    server->masters = master;
    server->n_masters++;
    if (uv_accept(listener, (uv_stream_t *)&master->tcp) < 0 || server->n_masters > MASTERS_MAX) {
        drop(master);
        return;
    }
    uv_tcp_nodelay(&master->tcp, 1);
    uv_read_start((uv_stream_t *)&master->tcp, on_alloc, on_bytes);
}

static int listen_on(struct server *server, uv_loop_t *loop, const char *address, int port, int *ret_port)
{
    struct sockaddr_storage at;
    int r = uv_ip4_addr(address, port, (struct sockaddr_in *)&at);
    if (r < 0)
        r = uv_ip6_addr(address, port, (struct sockaddr_in6 *)&at);
    uv_tcp_init(loop, &server->tcp);
    r = r < 0 ? r : uv_tcp_bind(&server->tcp, (struct sockaddr *)&at, 0);
    r = r < 0 ? r : uv_listen((uv_stream_t *)&server->tcp, 16, on_connection);
    int len = sizeof(at);
    r = r < 0 ? r : uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&at, &len);
    if (r == 0) /* the port is at the same place in both families */
        *ret_port = (int)ntohs(((struct sockaddr_in *)&at)->sin_port);
    return r;
}

int server_new(uv_loop_t *loop, const struct rack *rack, const char *address, int port, struct server **ret_server,
               int *ret_port, struct complaint *why)
{
    struct server *server = xcalloc(1, sizeof(*server));
    server->tcp.data = server;
    server->rack = rack;
    int r = listen_on(server, loop, address, port, ret_port);
    if (r < 0) {
        uv_close((uv_handle_t *)&server->tcp, on_closed);
        return complain(why, r, "cannot listen on %s:%d: %s", address, port, uv_strerror(r));
    }
    *ret_server = server;
    return 0;
}

void server_drop_masters(struct server *server)
{
    while (server->masters)
        drop(server->masters);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    server_drop_masters(server);
    uv_close((uv_handle_t *)&server->tcp, on_closed);
}
