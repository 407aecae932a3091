/* conduct.h - what a broker may send to a link that asks for QoS 0 and 1 only. No I/O.
 *
 * libmosquitto keeps each message of QoS 2 until it is released, and each answer until the broker takes it, without
 * bound: a broker that floods either way would fill the memory of the box. It tells of packets by its debug log alone.
 */
#ifndef LOA_LINK_CONDUCT_H
#define LOA_LINK_CONDUCT_H

#include <stdbool.h>

struct conduct {   /* of one connection; zero-initialise */
    unsigned owed; /* messages that came while acknowledgements could not leave */
};

/* One line of the library's debug log. `unsent`: the broker does not take what waits for it. True: a whole packet came.
 * *ret_fault is set when the broker is to be left: what it did, to be put behind its name. */
bool conduct_heard(struct conduct *conduct, const char *line, bool unsent, const char **ret_fault);

#endif
