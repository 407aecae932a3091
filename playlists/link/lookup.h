/* lookup.h - the numeric addresses of a host, without blocking the loop. Loop thread. */
#ifndef LOA_LINK_LOOKUP_H
#define LOA_LINK_LOOKUP_H

#include "playlists/base/errors.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <uv.h>

enum { LOOKUP_MAX = 8 };

struct addresses {
    char text[LOOKUP_MAX][INET6_ADDRSTRLEN];
    int n;
};

/* `n` may be 0. `why` is NULL, or says why the name could not be looked up. */
typedef void (*lookup_fn)(void *arg, const struct addresses *found, const char *why);

struct lookup;

/* True: `host` is an address itself, and *ret holds it. */
bool lookup_numeric(const char *host, struct addresses *ret);
/* `found` comes once, later, unless it is cancelled first. On 0 *ret is valid until then. */
MUST_USE int lookup_start(uv_loop_t *loop, const char *host, lookup_fn found, void *arg, struct lookup **ret);
void lookup_cancel(struct lookup *lookup); /* NULL is fine */

#endif
