/* boots.h - one box's clocks, over boots made by hand, and what its timekeeper makes of them. */
#ifndef LOA_UNIT_TIME_BOOTS_H
#define LOA_UNIT_TIME_BOOTS_H

#include "unit.h"

#include "playlists/timekeeper.h"

#define T0      INT64_C(1782882000000) /* 2026-07-01T05:00:00Z */
#define BUILD   INT64_C(1780000000000)
#define LIMIT   (T0 + 30 * DAY_MS)
#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define KID     "0123456789abcdefghijABCDEFGHIJ0123456789xyz"

extern struct timekeeper tk;
extern struct clocks clocks;

/* A first boot, at T0 by the wall clock, never trusted. */
int set_up(void **state);
void boot(const char *name, int64_t wall_ms, int64_t elapsed_ms);
void pass(int64_t ms);
/* The agent starts anew: what is kept is the stored fields only. */
void restart(void);
void welcome(int64_t time_ms);
struct time_now look(void);
void assert_time(enum time_grade grade, int64_t now_ms);

#endif
