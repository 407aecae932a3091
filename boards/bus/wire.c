/* wire.c - what both kinds of wire have in common (see wire.h). */
#include "boards/bus/wire.h"

void wire_free(struct wire *wire)
{
    if (wire)
        wire->ops->free(wire);
}

bool wire_unconnected(const struct wire *wire)
{
    return wire->unconnected;
}

static int modify(struct wire *wire, const struct bus_request *request, int64_t deadline_ns, uint8_t *ret_exception)
{
    struct bus_request part = *request;
    part.act = BUS_READ;
    uint16_t value;
    int r = wire->ops->exchange(wire, &part, deadline_ns, &value, ret_exception);
    if (r < 0)
        return r;
    part.act = BUS_WRITE;
    part.values[0] = (uint16_t)((value & ~request->mask) | (request->values[0] & request->mask));
    return wire->ops->exchange(wire, &part, deadline_ns, &value, ret_exception);
}

int wire_do(struct wire *wire, const struct sockaddr_storage *to, const struct bus_request *request,
            int64_t deadline_elapsed_ns, uint16_t *ret_values, uint8_t *ret_exception)
{
    const struct wire_ops *ops = wire->ops;
    wire->unconnected = false;
    if (!ops->usable(wire)) {
        ops->close(wire);
        int r = ops->open(wire, to, request->urgent, deadline_elapsed_ns);
        if (r < 0) {
            wire->unconnected = true;
            return r;
        }
    }
    int r = request->act == BUS_MODIFY ? modify(wire, request, deadline_elapsed_ns, ret_exception)
                                       : ops->exchange(wire, request, deadline_elapsed_ns, ret_values, ret_exception);
    if (!ops->survives(r))
        ops->close(wire);
    return r;
}
