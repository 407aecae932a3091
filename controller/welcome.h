/* welcome.h - the controller's answer to a device's session: signed time, what is still valid, what is stored. Loop
 * thread. */
#ifndef LOA_WELCOME_H
#define LOA_WELCOME_H

#include "controller/controller.h"

/* Build and seal it; the time in it is read last. `spread_s`: the window over which lost sessions are made anew. On 0
 * the caller owns *ret_sealed. */
MUST_USE int welcome_seal(struct controller *c, const struct doc_head *head, const char *device, const char *nonce,
                          int64_t spread_s, char **ret_sealed, struct complaint *why);

/* The window for so many boxes, where none is configured: a broker on two cores takes some 300 new TLS sessions a
 * second. 5 to 3600 s. */
int64_t welcome_spread_s(int64_t boxes);

#endif
