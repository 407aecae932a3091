/* server.h - Modbus TCP as a slave: several masters at once, all units of the rack (MBAP framing, Modbus Messaging on
 * TCP/IP V1.0b). Loop thread. */
#ifndef LOA_SIM_SERVER_H
#define LOA_SIM_SERVER_H

#include "tools/modbus-sim/rack.h"

#include <uv.h>

struct server;

/* Listen on address:port; port 0 takes a free one, *ret_port says which. Borrows the rack. */
MUST_USE int server_new(uv_loop_t *loop, const struct rack *rack, const char *address, int port,
                        struct server **ret_server, int *ret_port, struct complaint *why);
void server_drop_masters(struct server *server); /* as when the mains go */
void server_free(struct server *server);         /* NULL is fine */

#endif
