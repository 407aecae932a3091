/* clash.h - a rule against the other rules at the devices that both reach, and the ways out that operators know; and
 * where the limits of a day are too narrow for all of them (excess.h).
 *
 * Two occurrences clash when one of them would keep the other from being said as planned: they overlap at a device and
 * are of one class, or of two classes above filler. Sessions count with their whole slot. Pure: any thread. */
#ifndef LOA_CLASH_H
#define LOA_CLASH_H

#include "playlists/excess.h"

enum { CLASH_DAYS_MAX = 1000 };

struct clash {
    const struct rule *other;         /* borrowed */
    int64_t from_ms, to_ms;           /* of the first overlap */
    int64_t start_ms, other_start_ms; /* of the two occurrences that overlap first */
    int64_t other_end_ms;             /* where the other one's ends */
    uint8_t weekdays;                 /* on which they overlap, in the rule's zone; bit 0 = Monday */
    bool every_week;                  /* on each of these weekdays on which the rule holds */
    const int64_t *days;              /* civil days (the rule's zone) on which they overlap, ascending */
    size_t n_days;
    const int64_t *other_days; /* civil days (the other one's zone) of the other's occurrences that are hit: exceptions
                                  of it, in the way `replace` */
    size_t n_other_days;
    bool other_whole; /* all occurrences that the other one has from here on are hit: replacing ends it */
    size_t n_devices; /* on which they overlap */
};

/* Other times for the rule at which nothing clashes, one for each of its own in their order. */
struct clash_way {
    bool possible;
    int32_t times[RECUR_TIMES_MAX]; /* seconds of the civil day, whole minutes */
    size_t n_times;
};

struct clash_report {
    struct clash *clashes; /* by their first overlap, then the other rule's id; in the arena */
    size_t n;
    struct clash_way after;               /* behind what is there, as near as can be */
    struct clash_way shift;               /* the nearest free times, before or behind */
    size_t n_devices;                     /* that the rule reaches */
    struct excess_report excess;          /* what the rule and the others together want too much of */
    struct excess_report excess_replaced; /* the same in the way `replace` */
};

/* `others` may hold the rule itself (by id): it is not compared with itself; it is its
 * former version. Devices that the rule does not reach do no
 * harm. Looked at is [from_ms, until_ms). New times keep out of quiet hours that refuse, and stay on their civil day.
 * The other way out, `replace`, is in each clash: exceptions of the other rule, or its end. */
void clash_find(const struct rule *rule, const struct rule *others, size_t n_others,
                const struct compile_bulletin *bulletins, size_t n_bulletins, const struct compile_device *devices,
                size_t n_devices, int64_t from_ms, int64_t until_ms, struct arena *arena, struct clash_report *ret);

#endif
