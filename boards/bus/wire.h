/* wire.h - the one connection of a bus; belongs to the bus thread alone. Blocking, each call bounded by its deadline.
 *
 * Two kinds stand behind it: Modbus TCP (wire_tcp.c) and Modbus RTU over a tty (wire_rtu.c). */
#ifndef LOA_WIRE_H
#define LOA_WIRE_H

#include "boards/bus/bus.h"

#include <sys/socket.h>

struct wire;

/* What a kind of wire can do. `exchange` does one BUS_READ or BUS_WRITE on a wire that is open. */
struct wire_ops {
    int (*open)(struct wire *wire, const struct sockaddr_storage *to, bool urgent, int64_t deadline_elapsed_ns);
    void (*close)(struct wire *wire);
    bool (*usable)(struct wire *wire); /* open, and what is there is the other side still */
    int (*exchange)(struct wire *wire, const struct bus_request *request, int64_t deadline_elapsed_ns,
                    uint16_t *ret_values, uint8_t *ret_exception);
    bool (*survives)(int result); /* may the connection be used again after an exchange that ended so? */
    void (*free)(struct wire *wire);
};

/* The beginning of each kind's own struct. */
struct wire {
    const struct wire_ops *ops;
    bool unconnected;
};

struct wire *wire_tcp_new(void);
/* `device` is copied. baud is one that rtu_speed() knows, parity 'N', 'E' or 'O', stop bits 1 or 2. */
struct wire *wire_rtu_new(const char *device, uint32_t baud, char parity, uint8_t stop_bits);
void wire_free(struct wire *wire); /* NULL is fine */

/* Do one request. Connects when there is no connection, or when the one there is is not usable any more (`to` is for
 * TCP). Returns as bus_answer.result. `ret_values` has room for request->count. */
MUST_USE int wire_do(struct wire *wire, const struct sockaddr_storage *to, const struct bus_request *request,
                     int64_t deadline_elapsed_ns, uint16_t *ret_values, uint8_t *ret_exception);
/* True when the last wire_do() failed before anything was sent. */
bool wire_unconnected(const struct wire *wire);

#endif
