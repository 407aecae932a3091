/* watchdog.h - what the service manager is told: ready, alive, stopping (sd_notify(3)).
 *
 * Fed at a quarter of WATCHDOG_USEC, from the loop, and only while the program says that no part of it is stuck; else
 * the service manager ends it and starts it again. The datagrams are our own: libsystemd would bring four more
 * libraries for them. Without NOTIFY_SOCKET in the environment nothing is told and nothing fed. Loop thread. */
#ifndef LOA_WATCHDOG_H
#define LOA_WATCHDOG_H

#include <uv.h>

struct watchdog;

/* Name of a part that does not move; NULL: all do. */
typedef const char *(*watchdog_stuck_fn)(void *arg);

/* The program is ready. Never fails; what cannot be told is logged once. The caller owns it. */
struct watchdog *watchdog_start(uv_loop_t *loop, watchdog_stuck_fn stuck, void *arg);
void watchdog_stopping(struct watchdog *watchdog); /* an orderly end begins; fed on */
/* NULL is fine; memory is released once the loop let go. */
void watchdog_free(struct watchdog *watchdog);

#endif
