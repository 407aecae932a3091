/* server.c - see server.h. */
#include "tools/modbus-sim/server.h"

#include "boards/bus/pdu.h"
#include "tools/modbus-sim/image.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MASTERS_MAX = 32, MBAP_LEN = 7, ADU_MAX = 260, MASK_WRITE = 22 };

struct master {
    struct server *server;
    uv_tcp_t tcp;
    uint8_t in[ADU_MAX * 4];
    size_t len;
    struct master *next, **prev;
};

struct server {
    uv_tcp_t tcp;
    struct device *device;
    uint8_t unit;
    int journal;
    struct master *masters;
    size_t n_masters;
};

struct reply {
    uv_write_t write;
    uint8_t adu[ADU_MAX];
};

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void keep_journal(struct server *server, enum point_kind kind, unsigned address, unsigned count,
                         const uint16_t *values)
{
    if (server->journal < 0)
        return;
    struct buf line = {0};
    buf_putf(&line, "{\"at_unix_ms\": %lld, \"unit\": %u, \"kind\": \"%s\", \"address\": %u, \"values\": [",
             (long long)clock_wall_ms(), server->unit, point_kind_name(kind), address);
    for (unsigned i = 0; i < count; i++)
        buf_putf(&line, "%s%u", i ? ", " : "", values[i]);
    buf_putf(&line, "]}\n");
    if (write(server->journal, line.data, line.len) < 0)
        server->journal = -1;
    buf_done(&line);
}

/* Each handler gets the PDU from the function code on, writes an answer PDU, and returns its length, or minus a Modbus
 * exception code. */
static int do_read(struct server *server, enum point_kind kind, const uint8_t *pdu, size_t len, uint8_t *out)
{
    bool bits = kind == POINT_COIL || kind == POINT_DISCRETE;
    if (len != 5)
        return -EXCEPTION_VALUE;
    unsigned count = get16(pdu + 3);
    if (count < 1 || count > (bits ? 2000U : 125U))
        return -EXCEPTION_VALUE;
    uint16_t values[2000];
    int exception = device_read(server->device, kind, (uint16_t)get16(pdu + 1), (uint16_t)count, values);
    if (exception)
        return -exception;
    size_t n_bytes = bits ? (count + 7) / 8 : count * 2;
    out[1] = (uint8_t)n_bytes;
    memset(out + 2, 0, n_bytes);
    for (unsigned i = 0; i < count; i++) {
        if (!bits)
            put16(out + 2 + 2 * i, values[i]);
        else if (values[i])
            out[2 + i / 8] = (uint8_t)(out[2 + i / 8] | 1U << (i % 8));
    }
    return (int)(2 + n_bytes);
}

static int do_write(struct server *server, enum point_kind kind, unsigned address, unsigned count,
                    const uint16_t *values)
{
    int exception = device_write(server->device, kind, (uint16_t)address, (uint16_t)count, values, clock_elapsed_ms());
    if (!exception)
        keep_journal(server, kind, address, count, values);
    return exception;
}

static int write_one(struct server *server, const uint8_t *pdu, size_t len, uint8_t *out)
{
    if (len != 5)
        return -EXCEPTION_VALUE;
    bool coil = pdu[0] == PDU_WRITE_COIL;
    uint16_t value = (uint16_t)get16(pdu + 3);
    if (coil && value != 0 && value != 0xFF00)
        return -EXCEPTION_VALUE;
    if (coil)
        value = value != 0;
    int exception = do_write(server, coil ? POINT_COIL : POINT_HOLDING, get16(pdu + 1), 1, &value);
    memcpy(out, pdu, 5);
    return exception ? -exception : 5;
}

static int write_several(struct server *server, const uint8_t *pdu, size_t len, uint8_t *out)
{
    bool coils = pdu[0] == PDU_WRITE_COILS;
    if (len < 7)
        return -EXCEPTION_VALUE;
    unsigned count = get16(pdu + 3);
    size_t n_bytes = coils ? (count + 7) / 8 : count * 2;
    if (count < 1 || count > 123 || pdu[5] != n_bytes || len != 6 + n_bytes)
        return -EXCEPTION_VALUE;
    uint16_t values[123];
    for (unsigned i = 0; i < count; i++)
        values[i] = (uint16_t)(coils ? (pdu[6 + i / 8] >> (i % 8)) & 1U : get16(pdu + 6 + 2 * i));
    int exception = do_write(server, coils ? POINT_COIL : POINT_HOLDING, get16(pdu + 1), count, values);
    memcpy(out, pdu, 5);
    return exception ? -exception : 5;
}

static int write_masked(struct server *server, const uint8_t *pdu, size_t len, uint8_t *out)
{
    if (len != 7)
        return -EXCEPTION_VALUE;
    uint16_t value = 0;
    int exception = device_read(server->device, POINT_HOLDING, (uint16_t)get16(pdu + 1), 1, &value);
    if (exception)
        return -exception;
    unsigned and_mask = get16(pdu + 3);
    value = (uint16_t)((value & and_mask) | (get16(pdu + 5) & ~and_mask));
    exception = do_write(server, POINT_HOLDING, get16(pdu + 1), 1, &value);
    memcpy(out, pdu, 7);
    return exception ? -exception : 7;
}

static int serve(struct server *server, const uint8_t *pdu, size_t len, uint8_t *out)
{
    out[0] = pdu[0];
    switch (pdu[0]) {
    case PDU_READ_COILS:
        return do_read(server, POINT_COIL, pdu, len, out);
    case PDU_READ_DISCRETE:
        return do_read(server, POINT_DISCRETE, pdu, len, out);
    case PDU_READ_HOLDING:
        return do_read(server, POINT_HOLDING, pdu, len, out);
    case PDU_READ_INPUT:
        return do_read(server, POINT_INPUT, pdu, len, out);
    case PDU_WRITE_COIL:
    case PDU_WRITE_REGISTER:
        return write_one(server, pdu, len, out);
    case PDU_WRITE_COILS:
    case PDU_WRITE_REGISTERS:
        return write_several(server, pdu, len, out);
    case MASK_WRITE:
        return write_masked(server, pdu, len, out);
    default:
        return -EXCEPTION_FUNCTION;
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop(struct master *master)
{
    if (uv_is_closing((uv_handle_t *)&master->tcp))
        return;
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

static void answer(struct master *master, const uint8_t *adu, size_t len)
{
    struct server *server = master->server;
    if (device_offline(server->device))
        return;
    struct reply *reply = xcalloc(1, sizeof(*reply));
    reply->write.data = reply;
    memcpy(reply->adu, adu, MBAP_LEN);
    uint8_t *out = reply->adu + MBAP_LEN;
    int n = adu[6] == server->unit ? serve(server, adu + MBAP_LEN, len - MBAP_LEN, out) : -EXCEPTION_NO_TARGET;
    if (n < 0) {
        out[0] = (uint8_t)(adu[MBAP_LEN] | 0x80);
        out[1] = (uint8_t)-n;
        n = 2;
    }
    put16(reply->adu + 4, (unsigned)n + 1);
    uv_buf_t buf = uv_buf_init((char *)reply->adu, (unsigned)(MBAP_LEN + n));
    if (uv_write(&reply->write, (uv_stream_t *)&master->tcp, &buf, 1, on_sent) < 0)
        free(reply);
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
    while (master->len >= MBAP_LEN + 1) {
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

int server_new(uv_loop_t *loop, struct device *device, uint8_t unit, const char *address, int port, const char *journal,
               struct server **ret_server, int *ret_port, struct complaint *why)
{
    struct server *server = xcalloc(1, sizeof(*server));
    server->tcp.data = server;
    server->device = device;
    server->unit = unit;
    server->journal = -1;
    int r = listen_on(server, loop, address, port, ret_port);
    if (r < 0)
        complain(why, r, "cannot listen on %s:%d: %s", address, port, uv_strerror(r));
    if (r == 0 && journal) {
        server->journal = open(journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (server->journal < 0)
            r = complain(why, -errno, "%s: cannot be written: %s", journal, strerror(errno));
    }
    if (r < 0) {
        uv_close((uv_handle_t *)&server->tcp, on_closed);
        return r;
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
    if (server->journal >= 0)
        close(server->journal);
    uv_close((uv_handle_t *)&server->tcp, on_closed);
}
