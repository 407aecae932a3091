/* postman.h - the code of loa-link in this process: one socket, one session, one certificate for each agent.
 *
 * Apart from member.h, since the link's settings and the agent's bear the same name. Loop thread. */
#ifndef LOA_FLEET_POSTMAN_H
#define LOA_FLEET_POSTMAN_H

#include "playlists/base/errors.h"

#include <stdint.h>
#include <uv.h>

/* What all links of a fleet share. Borrowed; must outlive them. */
struct postman_ground {
    const char *host;
    int port, keepalive_s;
    const char *ca, *key; /* PEM files; one key pair for all certificates */
    const char *media;    /* base address of the media server; NULL: nothing is fetched */
    int64_t spread_ms, backoff_max_ms;
};

struct postman;

/* Listen at `socket`; texts are copied. `cert`: PEM file, its common name is `id`. */
MUST_USE int postman_new(uv_loop_t *loop, const struct postman_ground *ground, const char *id, const char *cert,
                         const char *socket, const char *spool, struct postman **ret_postman, struct complaint *why);
void postman_stop(struct postman *postman); /* closes socket and session; NULL is fine */
void postman_free(struct postman *postman); /* once the loop has let go; NULL is fine */

#endif
