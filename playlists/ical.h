/* ical.h - rules as an iCalendar object (RFC 5545), for calendars of people. Pure; any thread.
 *
 * One VEVENT for each rule and time of day. What an RRULE can say is said so, with days left out as EXDATE; lunar
 * days, holidays and seasons that are no whole months become the RDATEs between the two moments that were asked for.
 * Times (of DTSTART, EXDATE) stand in their rule's zone (TZID) with a VTIMEZONE that lists its changes until
 * ICAL_ZONE_YEARS behind the second moment. In gaps and overlaps of a zone RFC 5545 (3.3.5) means the same instants as
 * recur.h. Lines end with CRLF and are folded at 75 octets, never inside a character. */
#ifndef LOA_ICAL_H
#define LOA_ICAL_H

#include "playlists/base/bytes.h"
#include "playlists/recur.h"

enum { ICAL_ZONE_YEARS = 5 };

struct ical_event {
    const char *uid;         /* of the rule; "-HHMMSS" follows it */
    const char *summary;     /* any UTF-8 text */
    const char *description; /* NULL: none */
    const char *location;    /* NULL: none */
    const char *category;    /* NULL: none */
    int64_t length_s;        /* 0: an instant */
    const struct recurrence *recur;
};

/* Append to `ret` what holds in [from_ms, until_ms), and what an RRULE says beyond. `stamp_ms`: DTSTAMP. -EFBIG: it
 * would be longer than `max_len` bytes by more than one event; `ret` then ends in the midst of it. */
MUST_USE int ical_write(const char *name, const struct ical_event *events, size_t n_events, int64_t from_ms,
                        int64_t until_ms, int64_t stamp_ms, size_t max_len, struct buf *ret);

#endif
