/* serial.h - Modbus RTU as slaves on a pty: whoever opens the link has the bus. Loop thread.
 *
 * Frames are cut by their length and CRC; a request for a unit that is not here is not answered, one for all (unit 0)
 * is carried out by each slave. */
#ifndef LOA_SIM_SERIAL_H
#define LOA_SIM_SERIAL_H

#include "tools/modbus-sim/rack.h"

#include <uv.h>

struct serial;

/* Make a pty and a symbolic link to it at `path` (a link left over there is replaced). With a `baud` each answer takes
 * the time that question and answer would take on a line; 0: none. Borrows the rack. */
MUST_USE int serial_new(uv_loop_t *loop, const struct rack *rack, const char *path, uint32_t baud,
                        struct serial **ret_serial, struct complaint *why);
/* Pull the adapter out (the link and the tty are gone) and plug it in again. */
MUST_USE int serial_plug(struct serial *serial, bool plugged, struct complaint *why);
bool serial_plugged(const struct serial *serial);
void serial_free(struct serial *serial); /* NULL is fine */

#endif
