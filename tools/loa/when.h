/* when.h - instants as people type them and as the API writes them. */
#ifndef LOA_WHEN_H
#define LOA_WHEN_H

#include "playlists/base/civil.h"

#include <stdbool.h>

#define WHEN_ZONE "Asia/Ho_Chi_Minh" /* where nobody says another */

/* "2026-07-01T05:00:00Z", "...+07:00", "2026-07-01T05:00" in `zone`, or "2026-07-01": the day's beginning, or with
 * `day_end` its end. ERR_FORMAT and a sentence that names `what`. */
MUST_USE int when_parse(const char *text, const struct zone *zone, bool day_end, const char *what, int64_t *ret_unix_ms,
                        struct complaint *why);
/* "now", "+10s", "+5m", "+2h" (to a week): the whole second then or next. False: it is none of these. */
bool when_relative(const char *text, int64_t now_ms, int64_t *ret_unix_s);
/* A time of the day as people write it, "5:00", "17h30", "5h" or "05:00:00", as "05:00" or "05:00:00". False, with
 * `ret` undefined: it is none. */
bool when_time(const char *text, char ret[16]);
/* RFC 3339 in UTC with milliseconds, as the API takes it. */
void when_format_utc(int64_t unix_ms, char ret[32]);
/* "2026-06-30T22:00:00.000Z", as the API writes it, into "2026-07-01 05:00:00" of WHEN_ZONE, as people's clocks say it.
 * `ret` may be `utc`. False, with `ret` as it was: it is no such instant, or the zone is not there. */
bool when_on_the_clock(const char *utc, char ret[32]);

#endif
