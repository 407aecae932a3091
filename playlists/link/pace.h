/* pace.h - does a download go fast enough to keep its place? Pure: time and bytes come in as arguments.
 *
 * The mean over each whole window counts, not the momentary speed: a server that sends a little every now and then
 * would look alive for ever. */
#ifndef LOA_LINK_PACE_H
#define LOA_LINK_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_floor {
    int64_t bytes_s; /* at least 1 */
    int64_t over_ms; /* length of a window */
};

struct pace {
    int64_t since_ms; /* the window began */
    int64_t got;      /* bytes there were then; -1: the server was not waited for */
};

void pace_begin(struct pace *pace, int64_t now_ms, int64_t got);
/* `got`: bytes so far, or -1 when it is not the server that is waited for: such a window does not count. True: the
 * window that ends here was below the floor. Ask at least once per window. */
bool pace_slow(struct pace *pace, const struct pace_floor *floor, int64_t now_ms, int64_t got);

#endif
