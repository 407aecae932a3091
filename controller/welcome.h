/* welcome.h - the controller's answer to a device's session: signed time, what is still valid, what is stored. Loop
 * thread. */
#ifndef LOA_WELCOME_H
#define LOA_WELCOME_H

#include "controller/controller.h"

/* Build and seal it; the time in it is read last. On 0 the caller owns *ret_sealed. */
MUST_USE int welcome_seal(struct controller *c, const struct doc_head *head, const char *device, const char *nonce,
                          char **ret_sealed, struct complaint *why);

#endif
