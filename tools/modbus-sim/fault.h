/* fault.h - what is wrong with the answers of a simulated slave, told by one word from the command line or the panel.
 * README.md lists the words. Pure. */
#ifndef LOA_SIM_FAULT_H
#define LOA_SIM_FAULT_H

#include "playlists/base/errors.h"

#include <stddef.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_SILENT,
    FAULT_LATE,    /* value: ms */
    FAULT_DRIBBLE, /* value: ms for each byte */
    FAULT_WRONG_UNIT,
    FAULT_WRONG_FUNCTION,
    FAULT_GARBAGE,
    FAULT_SHORT,
    FAULT_TWICE,
    FAULT_EXCEPTION, /* value: Modbus exception code; the device does nothing */
    FAULT_GONE,      /* value: ms until it is back */
    FAULT_FROZEN     /* what is read stands still */
};

struct fault {
    enum fault_kind kind;
    long value;
    unsigned every; /* one answer in so many; 1: all */
};

enum { FAULT_WORD_MAX = 40 };

/* "late", "late:700", "late:700/3", "none", ... ERR_FORMAT and a sentence when there is no such thing. */
MUST_USE int fault_read(const char *word, struct fault *ret, struct complaint *why);
void fault_write(const struct fault *fault, char ret[FAULT_WORD_MAX]);

#endif
