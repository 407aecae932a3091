/* excess.h - days on which a rule and the others together want more than limits of a day allow (LIMIT_SESSIONS_PER_DAY,
 * LIMIT_MINUTES_PER_DAY). Counted is what compile() counts, also that which it then leaves out. Pure: any thread. */
#ifndef LOA_EXCESS_H
#define LOA_EXCESS_H

#include "playlists/compile.h"

/* Looked at are so many civil days of the device, from the day of the rule's next time on: a year. */
enum { EXCESS_DAYS = 366, EXCESS_OTHERS_MAX = 3 };

/* One line of limits that is broken. What the rule breaks by itself is not told. */
struct excess {
    const struct limit_line *line; /* borrowed from a device */
    const struct compile_device *device;
    bool worse;       /* the rule wants more of the day than its former version: that one is among the others, by id */
    int64_t start_ms; /* the rule's first occurrence of the first such day, and of that day: */
    int64_t wanted;   /* sessions, or minutes as begun, of all together */
    const struct rule *others[EXCESS_OTHERS_MAX]; /* borrowed; in the order in which the day is given to them */
    size_t n_others;                              /* all of them */
    bool days[EXCESS_DAYS];                       /* on which it is so, from the first one that is looked at */
    size_t n_devices;
};

size_t excess_days(const struct excess *excess); /* how many */

struct excess_report {
    struct excess *at; /* those that refuse and are worse first, then by start; in the arena */
    size_t n;
};

#endif
