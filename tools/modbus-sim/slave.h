/* slave.h - one simulated slave: its unit, its device, and what is wrong with its answers. Behind any transport: here a
 * frame is unit, function, data. Loop thread; time is an argument (elapsed ms). */
#ifndef LOA_SIM_SLAVE_H
#define LOA_SIM_SLAVE_H

#include "tools/modbus-sim/device.h"
#include "tools/modbus-sim/fault.h"

enum { SLAVES_MAX = 32, SLAVE_FRAME_MAX = 254 };

struct slave;

/* Takes over the device. `journal` (may be NULL) gets one JSON line for each write that was taken. */
MUST_USE int slave_new(uint8_t unit, struct device *device, const char *journal, struct slave **ret_slave,
                       struct complaint *why);
void slave_free(struct slave *slave); /* NULL is fine */

uint8_t slave_unit(const struct slave *slave);
struct device *slave_device(const struct slave *slave);
const struct fault *slave_fault(const struct slave *slave);
void slave_set_fault(struct slave *slave, const struct fault *fault, int64_t now_ms);
void slave_tick(struct slave *slave, int64_t now_ms); /* what is gone comes back */
bool slave_gone(const struct slave *slave);           /* cut off from its bus: it hears and says nothing */

/* How an answer goes out. A slave answers in order: an answer never passes an earlier one that is late. */
struct reply {
    uint8_t frame[SLAVE_FRAME_MAX];
    size_t len;            /* 0: nothing is said */
    enum fault_kind spoil; /* FAULT_GARBAGE, FAULT_SHORT, FAULT_TWICE: done to the bytes on the line; else FAULT_NONE */
    int64_t due_ms;        /* elapsed; in the past: now */
    uint32_t byte_ms;      /* between two bytes; 0: all at once */
};

/* Do what a master asks (it is for this unit, or for all: then nothing is answered). */
void slave_serve(struct slave *slave, const uint8_t *frame, size_t len, int64_t now_ms, struct reply *ret_reply);

#endif
