/* control.h - the hand at the card while it runs: one line of words (faults.h), one line of JSON in return.
 *
 * Unix stream socket; {"ok": true, "state": "here" | "gone" | "still", "busy": b, "running": b, "ppm": n, "frames": n,
 * "streams": n, "underruns": n} or {"error": "..."}. A line that is too long ends the connection. One thread. */
#ifndef LOA_CARD_CONTROL_H
#define LOA_CARD_CONTROL_H

#include "tools/soundcard/card.h"
#include "tools/soundcard/faults.h"

#include <poll.h>

enum { CONTROL_CLIENTS_MAX = 8, CONTROL_ANSWER_MAX = 400 };

struct control {
    int listener; /* owned; -1: nobody can speak */
    char *path;   /* owned */
    struct {
        int fd; /* owned; -1: free */
        size_t len;
        char line[FAULT_LINE_MAX];
    } clients[CONTROL_CLIENTS_MAX];
};

/* `path` NULL: no socket. */
MUST_USE int control_init(struct control *control, const char *path, struct complaint *why);
void control_done(struct control *control);

/* Descriptors to poll (at most 1 + CONTROL_CLIENTS_MAX), and what to do when poll has returned. */
size_t control_poll_fds(const struct control *control, struct pollfd *ret_fds);
void control_serve(struct control *control, const struct pollfd *fds, size_t n, struct card *card);

/* The other end: say one line to the card at `path`. The answer, without its line end, also when it is a refusal. */
MUST_USE int control_tell(const char *path, const char *line, char ret_answer[CONTROL_ANSWER_MAX],
                          struct complaint *why);

#endif
