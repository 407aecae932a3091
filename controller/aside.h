/* aside.h - threads beside the loop for calls that read much: a call is handed over whole, waits for its turn, takes
 * its steps with a reader in the place of the controller (request_aside()), and comes back to the loop.
 *
 * Loop thread only. As many calls wait as there are connections. */
#ifndef LOA_ASIDE_H
#define LOA_ASIDE_H

#include "controller/controller.h"

enum { ASIDE_THREADS = 2 };

struct request;
struct aside;

struct aside *aside_new(struct controller *c);
/* The call is a thread's until request_back() comes for it, on the loop; its connection is suspended already. */
void aside_take(struct aside *aside, struct request *r);
/* Have a free thread move the store's log into the database file if that is due; nobody waits for it. */
void aside_tidy(struct aside *aside);
/* Calls that wait are refused, those at work are waited for; nothing new begins. */
void aside_stop(struct aside *aside);
void aside_free(struct aside *aside); /* NULL is fine; after the loop has ended */

#endif
