/* fuzz_modbus - slaves that answer anything. The first byte picks the request, the second what is asked: even: the pure
 * parts of RTU and of the answer's body; odd: the TCP wire itself, libmodbus included, against a socket that holds the
 * answer (above 127: with the request's transaction number in front, so that it is read on).
 *
 * Nothing is believed that does not belong to the request: a write only by its own echo, a read only with the values
 * that its bytes hold. */
#include "boards/bus/pdu.h"
#include "boards/bus/rtu.h"
#include "boards/bus/wire.h"
#include "playlists/base/clock.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags); /* NOLINT */
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags); /* NOLINT: --wrap asks for these names */

static const struct bus_request requests[] = {
    {.act = BUS_READ, .unit = 1, .kind = POINT_HOLDING, .address = 100, .count = 2},
    {.act = BUS_READ, .unit = 1, .kind = POINT_INPUT, .address = 0, .count = BUS_VALUES_MAX},
    {.act = BUS_READ, .unit = 17, .kind = POINT_COIL, .address = 5, .count = 11},
    {.act = BUS_READ, .unit = 247, .kind = POINT_DISCRETE, .address = 65535, .count = 1},
    {.act = BUS_WRITE, .unit = 1, .kind = POINT_COIL, .address = 3, .count = 1, .values = {1}},
    {.act = BUS_WRITE, .unit = 1, .kind = POINT_HOLDING, .address = 7, .count = 1, .values = {0x1234}},
    {.act = BUS_WRITE, .unit = 2, .kind = POINT_HOLDING, .address = 7, .count = 3, .values = {1, 2, 3}},
    {.act = BUS_WRITE, .unit = 2, .kind = POINT_COIL, .address = 0, .count = 9, .values = {1, 0, 1}},
    {.act = BUS_MODIFY, .unit = 3, .kind = POINT_HOLDING, .address = 1, .count = 1, .mask = 4, .values = {4}},
};
enum { REQUESTS = sizeof(requests) / sizeof(requests[0]), MBAP_LEN = 6 };

static int listener = -1;
static struct sockaddr_storage at;
static const uint8_t *answer;
static size_t answer_len;
static bool with_number;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What lies in the answer by the letter of the protocol. */
static void check_values(const struct bus_request *request, const uint8_t *body, const uint16_t *values)
{
    bool bits = request->kind == POINT_COIL || request->kind == POINT_DISCRETE;
    for (size_t i = 0; request->act == BUS_READ && i < request->count; i++) {
        unsigned bit = (unsigned)body[3 + i / 8] >> (i % 8) & 1U;
        require(values[i] == (bits ? bit : (unsigned)(body[3 + 2 * i] << 8 | body[4 + 2 * i])));
    }
}

static void pure(const struct bus_request *request, const uint8_t *bytes, size_t len)
{
    static struct rtu_debts debts;
    uint16_t values[BUS_VALUES_MAX] = {0};
    uint8_t exception = 0;
    int r = request->act == BUS_MODIFY ? ERR_DEVICE : pdu_answer(request, bytes, len, values, &exception);
    if (r == 0) {
        require(bytes[0] == request->unit);
        check_values(request, bytes, values);
    }
    require(r == 0 || r == ERR_DEVICE || (r == ERR_LIMIT && exception != 0));
    size_t want = rtu_answer_len(bytes, len);
    require(want == 0 || want >= 4);
    if (want > 0 && want <= len && want <= RTU_MAX)
        rtu_whole(bytes, want);
    rtu_owe(&debts, request->unit, 3, 1);
    if (len >= 4 && len <= RTU_MAX && rtu_whole(bytes, len) && rtu_probe_answered(&debts, bytes, len))
        require(!rtu_owes(&debts, bytes[0], 3, 2));
}

/* The slave: what the wire has just sent is answered, and the connection ends. */
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags) /* NOLINT */
{
    ssize_t sent = __real_send(fd, bytes, len, flags);
    int slave = accept(listener, NULL, NULL);
    if (slave >= 0) {
        uint8_t all[602];
        size_t number = with_number ? 2 : 0;
        memcpy(all, bytes, number);
        memcpy(all + number, answer, answer_len);
        ssize_t told = __real_send(slave, all, number + answer_len, MSG_NOSIGNAL);
        require(told == (ssize_t)(number + answer_len) || told < 0); /* the other side may be gone */
        shutdown(slave, SHUT_WR);
        close(slave);
    }
    return sent;
}

static void listen_somewhere(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    require(listener >= 0 && bind(listener, (struct sockaddr *)&in, len) == 0 && listen(listener, 4) == 0);
    require(getsockname(listener, (struct sockaddr *)&in, &len) == 0);
    memcpy(&at, &in, sizeof(in));
}

static void over_tcp(const struct bus_request *request, const uint8_t *bytes, size_t len)
{
    if (listener < 0)
        listen_somewhere();
    answer = bytes;
    answer_len = len < 600 ? len : 600;
    uint16_t values[BUS_VALUES_MAX] = {0};
    uint8_t exception = 0;
    struct wire *wire = wire_tcp_new();
    int r = wire_do(wire, &at, request, clock_elapsed_ns() + 20 * 1000000, values, &exception);
    wire_free(wire);
    require(r <= 0);
    require(r != ERR_LIMIT || exception != 0);
    if (r == 0 && request->act == BUS_READ) {
        size_t skipped = with_number ? 2 : 0;
        check_values(request, bytes + MBAP_LEN - skipped, values);
    }
    require(r != 0 || request->act != BUS_MODIFY); /* it takes two answers, one connection gives one */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    const struct bus_request *request = &requests[data[0] % REQUESTS];
    with_number = data[1] > 127;
    if (data[1] % 2)
        over_tcp(request, data + 2, len - 2);
    else
        pure(request, data + 2, len - 2);
    return 0;
}
