/* net.h - what lies between centre and agent: broker, media server and a link (postman.h). Honest unless hooks take a
 * message into their own hands. Everything is delayed by `latency_ms` at least, in order. Loop thread. */
#ifndef LOA_NET_H
#define LOA_NET_H

#include "tests/sim/centre.h"
#include "tests/sim/postman.h"

struct net;

/* A hook returns true when it has seen to the message; else the honest way is taken. */
struct net_hooks {
    bool (*down)(void *arg, const char *topic, const void *payload, size_t len, bool retain);
    bool (*up)(void *arg, uint32_t id, const char *topic, const void *payload, size_t len, bool retain);
    bool (*fetch)(void *arg, uint32_t id, const char *hash);
    bool (*attached)(void *arg); /* the session stands, nothing was said yet */
};

struct net *net_new(uv_loop_t *loop, const char *socket_path, const char *spool, struct centre **centre);
void net_free(struct net *net);                                            /* memory is released once the loop let go */
void net_hooks(struct net *net, const struct net_hooks *hooks, void *arg); /* NULL: honest again */
struct postman *net_postman(struct net *net);

/* Told of every publish of the agent, before anybody touches it. */
typedef void (*net_tap_fn)(void *arg, const char *topic, const void *payload, size_t len);
void net_tap(struct net *net, net_tap_fn tap, void *arg);

void net_there(struct net *net, bool there); /* false: no link; with its end the session's will is published */
void net_latency(struct net *net, int64_t latency_ms);

/* From the centre. Retained ones are kept for the next session. */
void net_publish(struct net *net, const char *topic, const void *payload, size_t len, bool retain);

/* The honest deeds, for hooks that do them late, twice or wrongly. `in_ms` comes on top of the latency. */
void net_retain(struct net *net, const char *topic, const void *payload, size_t len);
void net_to_agent(struct net *net, const char *topic, const void *payload, size_t len, bool retained, int64_t in_ms);
void net_to_centre(struct net *net, const char *topic, const void *payload, size_t len, int64_t in_ms);
void net_answer(struct net *net, enum post_type type, uint32_t id, const char *name, const char *body, int64_t in_ms);
void net_hand_over(struct net *net, uint32_t id, const char *hash, const void *data, size_t len, int64_t in_ms);
void net_online(struct net *net); /* ONLINE and all retained messages */

/* Publishes of records that the agent sent and nobody acknowledged: now, and at most ever. */
size_t net_waiting(const struct net *net, size_t *ret_most);

#endif
