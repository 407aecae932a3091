/* wire.h - the one connection of a bus; belongs to the bus thread alone. Blocking, each call bounded by its deadline.
 */
#ifndef LOA_WIRE_H
#define LOA_WIRE_H

#include "boards/bus/bus.h"

#include <sys/socket.h>

struct wire;

struct wire *wire_new(void);
void wire_free(struct wire *wire);
void wire_close(struct wire *wire); /* the next exchange connects anew */

/* Do one request. Connects when there is no connection, or when the one there is was closed by the other side or holds
 * bytes that nobody asked for. Returns as bus_answer.result; after anything but 0 and ERR_LIMIT the connection is
 * closed. `ret_values` has room for request->count. */
MUST_USE int wire_do(struct wire *wire, const struct sockaddr_storage *to, const struct bus_request *request,
                     int64_t deadline_elapsed_ns, uint16_t *ret_values, uint8_t *ret_exception);
/* True when the last wire_do() failed before anything was sent. */
bool wire_unconnected(const struct wire *wire);

#endif
