/* calls.h - the system calls that touch disk or socket, as the cutter sees them from outside the program.
 *
 * Counted is what leaves a trace on the disk or on the wire, or takes something from the wire: a kill before any other
 * call cannot be told from a kill before the next one of these. Standard streams, devices and /proc do not count. */
#ifndef LOA_CRASH_CALLS_H
#define LOA_CRASH_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum call_kind { CALL_OTHER, CALL_WRITE, CALL_SYNC, CALL_MAKE, CALL_REMOVE, CALL_RENAME, CALL_SOCKET, CALL_TAKE };

enum { CALL_PATH_MAX = 1024 };

/* One call of one thread. */
struct call {
    int nr;
    const char *name;
    enum call_kind kind;
    uint64_t args[6];
    bool counted;
    char path[CALL_PATH_MAX]; /* what it is about: absolute, or a way through /proc; "socket:[...]" */
    char to[CALL_PATH_MAX];   /* CALL_RENAME: the new name */
};

/* The numbers of all that is looked at, for a seccomp filter. */
size_t calls_numbers(int *ret, size_t cap);

/* Say what the call that thread `tid` is about to make is about. */
void call_look(pid_t tid, int nr, const uint64_t args[6], struct call *ret);

#endif
