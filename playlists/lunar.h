/* lunar.h - the Vietnamese lunar calendar: days of the months that begin with the new moon, for UTC+7.
 *
 * The rules are those of the calendar in force in Vietnam since 1968 (decision 121/CP of 8 August 1967: the seventh
 * time zone): a month begins on the day (UTC+7) in which the new moon falls; the eleventh month holds the winter
 * solstice; where thirteen months begin between two eleventh ones, the first of them in which no principal term falls
 * (the sun reaching a multiple of 30 degrees of longitude) repeats the number of the one before as its leap month.
 *
 * Astronomy: J. Meeus, Astronomical Algorithms, 2nd edition (1998): new moons by chapter 49 (to some seconds), the sun
 * by the terms of VSOP87 in chapter 32 and appendix III (to 1", 25 s); TT - UT by the polynomials of Espenak and Meeus
 * (NASA/TP-2006-214141), which is a forecast for the years to come. All months of the known years agree with an
 * ephemeris (PyEphem 4.1). Of new moons within a minute of midnight, where the forecast of TT - UT may decide, there
 * are 2054-05-08, 2077-11-15, 2085-10-18, 2150-05-26 and 2175-01-22; principal terms never come within 8 minutes of a
 * month's beginning.
 *
 * Known are the lunar years LUNAR_FIRST_YEAR to LUNAR_LAST_YEAR; all else is refused. Pure; the table of months is made
 * at the first call (some milliseconds). Any thread. */
#ifndef LOA_LUNAR_H
#define LOA_LUNAR_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stdint.h>

enum { LUNAR_FIRST_YEAR = 1976, LUNAR_LAST_YEAR = 2199 };

struct lunar_date {
    int year;       /* of the Tết that it begins with: 2026 from 2026-02-17 on */
    int month, day; /* 1..12, 1..30 */
    bool leap;
    int month_days; /* 29 or 30 */
};

/* Which lunar date is that day (days since 1970)? -ERANGE: outside the years that are known. */
MUST_USE int lunar_date(int64_t day, struct lunar_date *ret);

/* The day of a lunar date. -ERANGE: a year that is not known; -ENOENT: the year has no such month, or the month no such
 * day. */
MUST_USE int lunar_day(int year, int month, bool leap, int day, int64_t *ret_day);

/* The month that the year has twice; 0: none. -ERANGE. */
MUST_USE int lunar_leap_month(int year);

/* The first and the last day that are known. */
int64_t lunar_first_day(void);
int64_t lunar_last_day(void);

#endif
