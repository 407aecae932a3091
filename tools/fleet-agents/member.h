/* member.h - one agent of the fleet with its link: firmware/agent.h and loa-link's code as they are, outputs.h below.
 *
 * Loop thread. */
#ifndef LOA_FLEET_MEMBER_H
#define LOA_FLEET_MEMBER_H

#include "firmware/site.h"
#include "tools/fleet-agents/postman.h"

#include <stdbool.h>

/* Where the members of one fleet find their things. Device i is called <prefix>-<i, five digits>; its certificate is
 * <dir>/certs/<id>.crt, its signing key <dir>/keys/<id>.jwk, its vault and spool lie in <vaults>/<id>, its socket is
 * <sockets>/<id>. Borrowed; must outlive them. */
struct member_ground {
    const char *dir, *vaults, *sockets, *prefix;
    const char *roots[2];
    const struct site *site; /* every box is wired alike */
    struct postman_ground postman;
};

struct member;

/* `at_unix_ms`: another version of its playlist is in force, and the arbiter has decided by it. */
typedef void (*member_adopted_fn)(void *arg, unsigned index, int64_t ver, int64_t at_unix_ms);

struct member *member_new(uv_loop_t *loop, const struct member_ground *ground, unsigned index,
                          member_adopted_fn adopted, void *arg);
/* Start both halves. After a failure only member_stop() and member_free() are right. */
MUST_USE int member_start(struct member *member, struct complaint *why);
void member_stop(struct member *member); /* gone from the network, vault closed; NULL is fine */
void member_free(struct member *member); /* once the loop has let go; NULL is fine */

/* To be given to outputs_watch_decisions(). */
void member_decided(void *arg, const struct site *site);

struct member_look {
    bool online;   /* its session stands */
    bool welcomed; /* the controller has read this session's state and answered it */
    bool holds;    /* a configuration and a playlist are in force */
};
void member_look(const struct member *member, struct member_look *ret);

/* An agent that ended in order (command "restart") is made anew, as its supervisor would. */
MUST_USE int member_revive(struct member *member, struct complaint *why);

#endif
