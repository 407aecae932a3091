/* unix_socket.h - listen at a path, or speak to who listens there. */
#ifndef LOA_UNIX_SOCKET_H
#define LOA_UNIX_SOCKET_H

#include "playlists/base/errors.h"

/* Listen at `path` (at most 107 bytes), non-blocking, mode 0660. A socket that nobody listens at any more is replaced;
 * -EADDRINUSE when somebody does, or when something else than a socket lies there. Returns the descriptor. */
MUST_USE int unix_socket_listen(const char *path, int type, struct complaint *why);

/* Returns the connected descriptor, blocking. */
MUST_USE int unix_socket_connect(const char *path, int type, struct complaint *why);

#endif
