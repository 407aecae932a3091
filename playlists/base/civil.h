/* civil.h - civil time of an explicit zone (tz database), never the process's. Pure once a zone is loaded.
 *
 * Any thread; a zone is constant once loaded.
 *
 * Dates are days since 1970-01-01 in the proleptic Gregorian calendar. Zones come from TZif files (RFC 8536, version 2
 * and later, with the footer rule for times past the last transition). */
#ifndef LOA_CIVIL_H
#define LOA_CIVIL_H

#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stdint.h>

/* Days outside -700,000,000 .. 700,000,000 (about 1.9 million years) are taken for the nearer end, everywhere here. */
int64_t civil_days(int year, int month, int day); /* month 1..12; day may overflow */
void civil_date(int64_t days, int *ret_year, int *ret_month, int *ret_day);
bool civil_date_valid(int year, int month, int day);
int civil_weekday(int64_t days); /* 1 = Monday .. 7 = Sunday (ISO 8601) */

/* "YYYY-MM-DD" and "HH:MM" or "HH:MM:SS" (24 h; "24:00" is refused). ERR_FORMAT. */
MUST_USE int civil_parse_date(const char *text, int64_t *ret_days);
MUST_USE int civil_parse_time(const char *text, int32_t *ret_second_of_day);

struct zone;
/* Load by name ("Asia/Ho_Chi_Minh") from `dir` (NULL: /usr/share/zoneinfo). Names with "..", a leading '/', or other
 * bytes than A-Za-z0-9_+-/ are refused. The caller owns *ret. */
MUST_USE int zone_load(const char *dir, const char *name, struct zone **ret, struct complaint *why);
/* The same from the bytes of a TZif file. */
MUST_USE int zone_parse(const char *name, const void *data, size_t len, struct zone **ret, struct complaint *why);
void zone_free(struct zone *zone); /* NULL is fine */
const char *zone_name(const struct zone *zone);

int32_t zone_offset_s(const struct zone *zone, int64_t unix_s); /* seconds east of UTC at this instant */

/* The first instant after `after_s` from which on another offset holds. False: none, the offset stays for ever. */
bool zone_next_change(const struct zone *zone, int64_t after_s, int64_t *ret_at_s);

/* The instant of a civil time. In a gap (clocks go forward) the instant as if the offset before the gap still held;
 * in an overlap (clocks go back) the first of the two. *ret_fold (may be NULL): 0 plain, -1 gap, 1 overlap. */
int64_t zone_instant_s(const struct zone *zone, int64_t days, int32_t second_of_day, int *ret_fold);

/* Days and second of day at an instant. */
void zone_civil(const struct zone *zone, int64_t unix_s, int64_t *ret_days, int32_t *ret_second_of_day);

/* RFC 3339 with the zone's offset: "2026-07-01T05:00:00.000+07:00" (29 characters). */
void zone_format(const struct zone *zone, int64_t unix_ms, char ret[32]);

#endif
