/* panel.h - the front panel on a Unix socket, JSON lines both ways. Loop thread.
 *
 * To each client, on connect and on each change: the panel object of device_panel(). From it, one object a line:
 *   {"set": {"wire": false}}  {"set": {"fault_fan": true, "temperature": 80}}  {"set": {"offline": true}}
 *   {"power_cycle": true}
 * answered by {"ok": true} or {"error": sentence}. */
#ifndef LOA_SIM_PANEL_H
#define LOA_SIM_PANEL_H

#include "tools/modbus-sim/device.h"
#include "tools/modbus-sim/server.h"

struct panel;

/* Listens on `path` (a socket left over there is replaced). Borrows device and server. */
MUST_USE int panel_new(uv_loop_t *loop, struct device *device, struct server *server, const char *path,
                       struct panel **ret_panel, struct complaint *why);
void panel_refresh(struct panel *panel); /* tell everybody if something changed; NULL is fine */
void panel_free(struct panel *panel);    /* removes the socket; NULL is fine */

#endif
