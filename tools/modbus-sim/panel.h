/* panel.h - the front panel on a Unix socket, JSON lines both ways. Loop thread.
 *
 * To each client, on connect and on each change: the panel object of device_panel(), with the slave's unit
 * and fault, and whether the tty is there. From it, one object a line:
 *   {"set": {"wire": false}}  {"set": {"fault_fan": true, "temperature": 80}}  {"set": {"offline": true}}
 *   {"power_cycle": true}  {"set": {"fault": "late:700"}}  {"set": {"tty": false}}
 * answered by {"ok": true} or {"error": sentence}. */
#ifndef LOA_SIM_PANEL_H
#define LOA_SIM_PANEL_H

#include "tools/modbus-sim/serial.h"
#include "tools/modbus-sim/server.h"

struct panel;

/* Listens on `path` (a socket left over there is replaced). Borrows all; `serial` may be NULL. */
MUST_USE int panel_new(uv_loop_t *loop, struct slave *slave, struct server *server, struct serial *serial,
                       const char *path, struct panel **ret_panel, struct complaint *why);
void panel_refresh(struct panel *panel); /* tell everybody if something changed; NULL is fine */
void panel_free(struct panel *panel);    /* removes the socket; NULL is fine */

#endif
