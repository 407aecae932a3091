/* clock.h - the two clocks, read at the edge and handed inwards as values.
 *
 * Decisions never call these: `now` is an argument. The wall clock (Unix ms) may step; elapsed time (boot-time clock,
 * which also counts suspend) never does. Any thread. */
#ifndef LOA_CLOCK_H
#define LOA_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);    /* CLOCK_REALTIME in ms since 1970-01-01T00:00Z */
int64_t clock_elapsed_ms(void); /* CLOCK_BOOTTIME in ms since this boot */
int64_t clock_elapsed_ns(void); /* the same in ns */

/* True when the kernel says that the wall clock is disciplined (adjtimex, STA_UNSYNC clear). */
bool clock_kernel_synced(void);

/* This boot's id (/proc/sys/kernel/random/boot_id), 36 characters; "unknown" when it cannot be read. */
void clock_boot_id(char ret_id[37]);

/* Moment of this build in Unix ms: no certificate or document was made later than the code that reads it will accept
 * as "certainly past". Lower bound for time in TLS. */
int64_t clock_build_ms(void);

#endif
