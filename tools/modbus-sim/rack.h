/* rack.h - all slaves of one simulated bus. */
#ifndef LOA_SIM_RACK_H
#define LOA_SIM_RACK_H

#include "tools/modbus-sim/slave.h"

struct rack {
    struct slave *slaves[SLAVES_MAX]; /* owned */
    size_t n;
};

struct slave *rack_find(const struct rack *rack, uint8_t unit); /* NULL: no such unit */

#endif
