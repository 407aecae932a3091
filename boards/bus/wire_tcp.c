/* wire_tcp.c - Modbus TCP over libmodbus (see wire.h).
 *
 * libmodbus waits with select() and keeps its time-out anew for each byte unless the byte time-out is zero: then the
 * response time-out bounds the whole answer, since Linux's select() counts it down. Its own checks do not look at the
 * unit, and its raw requests all bear transaction 0: so the request is sent here, libmodbus takes in the answer, and
 * this file and pdu.c judge it. The connection is made here too, without blocking, since modbus_connect() has a
 * time-out of its own. */
#include "boards/bus/pdu.h"
#include "boards/bus/wire.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>

enum { MBAP_LEN = 6 }; /* header before the unit */

struct wire_tcp {
    struct wire wire;
    modbus_t *modbus;     /* owned, with its socket; NULL: not connected */
    uint16_t transaction; /* of the last request; goes on over reconnects, so that no old answer fits */
};

static struct wire_tcp *tcp_of(struct wire *wire)
{
    return (struct wire_tcp *)wire;
}

static void close_tcp(struct wire *wire)
{
    struct wire_tcp *tcp = tcp_of(wire);
    if (!tcp->modbus)
        return;
    modbus_close(tcp->modbus);
    modbus_free(tcp->modbus);
    tcp->modbus = NULL;
}

static void free_tcp(struct wire *wire)
{
    close_tcp(wire);
    free(wire);
}

static int64_t left_ns(int64_t deadline_ns)
{
    return deadline_ns - clock_elapsed_ns();
}

/* Wait until a connect has ended. 0 or -errno. */
static int await_connect(int fd, int64_t deadline_ns)
{
    int64_t left = left_ns(deadline_ns);
    if (left <= 0)
        return -ETIMEDOUT;
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    int n = ppoll(&pfd, 1, &wait, NULL);
    if (n == 0)
        return -ETIMEDOUT;
    if (n < 0)
        return -errno;
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

static int open_socket(const struct sockaddr_storage *to, int64_t deadline_ns, int *ret_fd)
{
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = 0;
    int on = 1;
    socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (fd >= FD_SETSIZE) /* select() beyond it writes past its set */
        r = -EMFILE;
    else if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        r = -errno;
    else if (connect(fd, (const struct sockaddr *)to, len) < 0)
        r = errno == EINPROGRESS ? await_connect(fd, deadline_ns) : -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int open_tcp(struct wire *wire, const struct sockaddr_storage *to, bool urgent, int64_t deadline_ns)
{
    (void)urgent;
    int fd = -1;
    int r = open_socket(to, deadline_ns, &fd);
    if (r < 0)
        return r;
    modbus_t *modbus = modbus_new_tcp(NULL, 502); /* the address is not used: the socket is ours */
    if (!modbus) {
        close(fd);
        return -ENOMEM;
    }
    modbus_set_socket(modbus, fd);
    modbus_set_error_recovery(modbus, MODBUS_ERROR_RECOVERY_NONE);
    modbus_set_byte_timeout(modbus, 0, 0);
    tcp_of(wire)->modbus = modbus;
    return 0;
}

/* Neither closed by the other side nor holding bytes that no request of ours is waiting for. */
static bool is_usable(struct wire *wire)
{
    const struct wire_tcp *tcp = tcp_of(wire);
    char byte;
    if (!tcp->modbus)
        return false;
    return recv(modbus_get_socket(tcp->modbus), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Errors of libmodbus about an answer's form all mean: not to be believed. */
static int code_of(int error)
{
    return error >= MODBUS_ENOBASE || error <= 0 ? ERR_DEVICE : -error;
}

/* A request is far smaller than any socket's buffer: what does not go out at once never will in time. */
static int send_request(struct wire_tcp *wire, const struct bus_request *request)
{
    uint8_t adu[MBAP_LEN + PDU_MAX] = {0};
    size_t len = pdu_request(request, adu + MBAP_LEN);
    wire->transaction++;
    adu[0] = (uint8_t)(wire->transaction >> 8);
    adu[1] = (uint8_t)wire->transaction;
    adu[4] = (uint8_t)(len >> 8);
    adu[5] = (uint8_t)len;
    ssize_t n = send(modbus_get_socket(wire->modbus), adu, MBAP_LEN + len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    return (size_t)n == MBAP_LEN + len ? 0 : -EIO;
}

static int exchange(struct wire *wire, const struct bus_request *request, int64_t deadline_ns, uint16_t *ret_values,
                    uint8_t *ret_exception)
{
    struct wire_tcp *tcp = tcp_of(wire);
    int r = send_request(tcp, request);
    if (r < 0)
        return r;
    int64_t left_us = left_ns(deadline_ns) / 1000;
    if (left_us <= 0)
        return -ETIMEDOUT;
    modbus_set_response_timeout(tcp->modbus, (uint32_t)(left_us / 1000000), (uint32_t)(left_us % 1000000));
    uint8_t answer[MODBUS_MAX_ADU_LENGTH];
    int n = modbus_receive_confirmation(tcp->modbus, answer);
    if (n < 0)
        return code_of(errno);
    if (n <= MBAP_LEN || (answer[0] << 8 | answer[1]) != tcp->transaction || answer[2] || answer[3] ||
        (answer[4] << 8 | answer[5]) != n - MBAP_LEN)
        return ERR_DEVICE;
    return pdu_answer(request, answer + MBAP_LEN, (size_t)(n - MBAP_LEN), ret_values, ret_exception);
}

/* Whatever went wrong, bytes of it may still be on their way. */
static bool survives(int result)
{
    return result == 0 || result == ERR_LIMIT;
}

struct wire *wire_tcp_new(void)
{
    static const struct wire_ops ops = {.open = open_tcp,
                                        .close = close_tcp,
                                        .usable = is_usable,
                                        .exchange = exchange,
                                        .survives = survives,
                                        .free = free_tcp};
    struct wire_tcp *tcp = xcalloc(1, sizeof(*tcp));
    tcp->wire.ops = &ops;
    return &tcp->wire;
}
