/* recur.h - when a rule holds: days of a civil calendar and times of the day in a zone, as instants of UTC.
 *
 * Pure; a recurrence is a value whose lists, zone and calendar are borrowed. Any thread.
 *
 * A civil time that a zone skips (gap) or has twice (overlap) is zone_instant_s()'s: in a gap the instant as if the
 * offset before it still held (02:30 becomes 03:30 of the new time), in an overlap the first of the two, once. A day
 * that a zone skips whole (Pacific/Apia, 2011-12-30) falls on the next one's instants. */
#ifndef LOA_RECUR_H
#define LOA_RECUR_H

#include "playlists/base/civil.h"
#include "playlists/holidays.h"

#include <stddef.h>

enum recur_when {
    WHEN_ONCE,        /* date */
    WHEN_DAILY,       /* each day */
    WHEN_WEEKLY,      /* weekdays */
    WHEN_MONTHLY,     /* month_days */
    WHEN_MONTHLY_NTH, /* each of weekdays that is one of nths in its month */
    WHEN_EVERY,       /* each every_days-th day counted from anchor, before it too */
    WHEN_LUNAR_DAYS,  /* lunar_days of each lunar month, leap months included */
    WHEN_LUNAR_DATES, /* any of lunar_dates */
    WHEN_HOLIDAYS,    /* the calendar's days */
};
/* Wire of the API: "once", "daily", "weekly", "monthly", "monthly_nth", "every", "lunar_days", "lunar_dates",
 * "holidays". */
extern const char *const recur_when_names[];

/* What a holiday does to the days that the rest has chosen. Wire: "usual", "skip", "only". */
enum recur_holidays { ON_HOLIDAYS_USUAL, ON_HOLIDAYS_SKIP, ON_HOLIDAYS_ONLY };
extern const char *const recur_holidays_names[];

enum {
    RECUR_TIMES_MAX = 48,
    RECUR_EXCEPT_MAX = 1000,
    RECUR_DATES_MAX = 64, /* lunar_dates */
    RECUR_SEASONS_MAX = 16,
    RECUR_EVERY_MAX = 3660, /* days */
    RECUR_LAST = 1,         /* bit 0 of month_days, nths and lunar_days: the last one of the month */
};

/* Which months a lunar date means when a year has its month twice. Wire: "no", "only", "both". */
enum recur_leap { LEAP_NO, LEAP_ONLY, LEAP_BOTH };
extern const char *const recur_leap_names[];

/* Days of the year, both ends included; from after to runs over the new year. A single day has two equal ends. A day
 * that a year or month lacks (29 February, lunar 30 of a month of 29 days) is skipped; a range that ends there ends
 * with the month. */
struct recur_range {
    uint8_t from_month, from_day; /* 1..12, 1..31 (lunar: 30) */
    uint8_t to_month, to_day;
    bool lunar;           /* months and days of the lunar calendar; in lunar_dates always */
    enum recur_leap leap; /* of lunar ranges within one month. One over several months begins and ends in plain months,
                             and holds in the leap month that lies between (LEAP_NO only) */
};

struct recurrence {
    enum recur_when when;
    const struct zone *zone;
    int32_t times[RECUR_TIMES_MAX]; /* seconds of the civil day, any order */
    size_t n_times;
    int64_t date; /* WHEN_ONCE: days since 1970 */
    int64_t from_date,
        until_date;      /* first and last day, inclusive, for all but WHEN_ONCE; INT64_MIN, INT64_MAX: open */
    uint8_t weekdays;    /* bit 0 = Monday .. bit 6 = Sunday */
    uint8_t nths;        /* bits 1..5: first .. fifth; RECUR_LAST */
    uint32_t month_days; /* bits 1..31; RECUR_LAST */
    uint32_t lunar_days; /* bits 1..30; RECUR_LAST */
    int32_t every_days;  /* 1..RECUR_EVERY_MAX */
    int64_t anchor;
    const struct recur_range *lunar_dates;
    size_t n_lunar_dates;
    const struct recur_range *seasons; /* holds in any of these only; none: all the year */
    size_t n_seasons;
    const int64_t *except; /* days on which it does not hold, ascending; of WHEN_ONCE too */
    size_t n_except;
    enum recur_holidays holidays;    /* of all but WHEN_ONCE and WHEN_HOLIDAYS */
    const struct holidays *calendar; /* NULL: no day is a holiday */
    uint64_t calendar_days;          /* bits of holidays_bit(): which of the calendar's days are meant; 0: all */
};

/* "03-10" as month and day of the year: of the solar one (29 February is one), or of the lunar one (1 to 30 of each
 * month). ERR_FORMAT. */
MUST_USE int recur_parse_day(const char *text, bool lunar, uint8_t *ret_month, uint8_t *ret_day);

/* Does it hold on that day of its zone? Outside what is known of the lunar calendar (lunar.h) no lunar day holds. */
bool recur_on(const struct recurrence *recur, int64_t day);

/* The instants in [from_ms, until_ms), none before 1970, ascending, each once (two times on one instant are one). At
 * most `cap` are written, the earliest; returns how many. When it is `cap` there may be more: ask again from behind the
 * last. [a, b) and [b, c) together are [a, c). */
size_t recur_expand(const struct recurrence *recur, int64_t from_ms, int64_t until_ms, int64_t *ret_start_s,
                    size_t cap);

/* The last instant of all. INT64_MIN: there is none; INT64_MAX: without an end (until_date open). */
int64_t recur_last_s(const struct recurrence *recur);

#endif
