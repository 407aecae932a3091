/* serve.h - the Unix socket that the client attaches to. One client at a time; the newer connection wins, since a
 * client that was killed may linger. Loop thread. */
#ifndef LOA_LINK_SERVE_H
#define LOA_LINK_SERVE_H

#include "playlists/link/settings.h"
#include "playlists/link/tls.h"

#include <uv.h>

struct serve;

/* Listen at settings->socket with mode 0660; a socket file on which nobody answers is replaced. Borrows all. */
MUST_USE int serve_new(uv_loop_t *loop, const struct settings *settings, struct tls *tls, struct serve **ret_serve,
                       struct complaint *why);
/* NULL is fine. The socket file is removed, the session is dropped without DISCONNECT: the client does not know that
 * the link goes, so the will tells the truth. */
void serve_free(struct serve *serve);
/* Name of a part that does not move though it should; NULL: all do. */
const char *serve_stuck(const struct serve *serve);

#endif
