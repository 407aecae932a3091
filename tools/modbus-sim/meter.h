/* meter.h - listens to the sound card: newline JSON {"rms_mb": hundredths of dBFS, "at_unix_ms": ...} from a Unix
 * socket, about every 50 ms. Connects again by itself; without a line for 300 ms there is silence. Loop thread. */
#ifndef LOA_SIM_METER_H
#define LOA_SIM_METER_H

#include "tools/modbus-sim/device.h"

#include <uv.h>

struct meter;

struct meter *meter_new(uv_loop_t *loop, struct device *device, const char *path);
void meter_tick(struct meter *meter, int64_t now_ms); /* connects, and notices that the card is gone; NULL is fine */
void meter_free(struct meter *meter);                 /* NULL is fine */

#endif
