/* limits.h - what a place allows: quiet hours, ceilings, how much a day, on which days, and the exemptions from that.
 *
 * A device has the lines of all areas on its path and its own; all of them hold, so the strictest counts. Each line
 * either warns or refuses. Pure values and questions; lists are borrowed. Any thread. */
#ifndef LOA_LIMITS_H
#define LOA_LIMITS_H

#include "playlists/base/civil.h"
#include "playlists/documents.h"

/* Wire of the API: the names in lower case. */
enum limit_what {
    LIMIT_QUIET_HOURS,         /* windows in which nothing below emergency is heard or shown */
    LIMIT_GAIN_CEILING,        /* windows with a highest gain, for one noise class; kept by the device */
    LIMIT_SESSIONS_PER_DAY,    /* number: occurrences with sound that begin on a civil day */
    LIMIT_MINUTES_PER_SESSION, /* number */
    LIMIT_MINUTES_PER_DAY,     /* number: minutes of sound that begin on a civil day */
    LIMIT_WEEKDAYS,            /* weekdays on which there may be sound */
    LIMITS,
};
extern const char *const limit_what_names[]; /* NULL-terminated, by enum value; likewise below */

enum limit_action { LIMIT_WARN, LIMIT_REFUSE };
extern const char *const limit_action_names[]; /* "warn", "refuse" */

/* Where a device stands, by QCVN 26: at ordinary homes, or near schools, clinics and temples. */
enum noise_class { NOISE_ORDINARY, NOISE_SPECIAL };
extern const char *const noise_class_names[]; /* "ordinary", "special" */

struct limit_line {
    enum limit_what what;
    enum limit_action action;
    const struct day_window *windows; /* quiet hours, ceilings; none: a line that says "none here" */
    size_t n_windows;
    int64_t number;
    uint8_t weekdays;      /* those allowed; bit 0 = Monday .. bit 6 = Sunday */
    int64_t from_ms;       /* holds for what begins in [from_ms, until_ms) ... */
    int64_t until_ms;      /* ... 0: without an end */
    const char *area;      /* whose line it is; NULL: the device's own */
    const char *authority; /* the legal text that it follows; NULL: none was given */
};

/* A written order that lifts limits at the device for some days. */
struct exemption {
    const char *order;             /* its number, which reaches playlist and receipt */
    int64_t from_date, until_date; /* first and last civil day */
    uint32_t limits;               /* bits 1 << enum limit_what */
};

struct limits {
    const struct zone *zone; /* of the device; NULL: no limits at all */
    const struct limit_line *lines;
    size_t n_lines;
    const struct exemption *exemptions;
    size_t n_exemptions;
};

/* 21:00-05:00: what holds where neither an area on the path nor the device says anything about quiet hours. */
extern const struct day_window limits_quiet_default;

/* The first moment in [from_ms, to_ms) that lies in quiet hours of lines with this action; to_ms: none does.
 * `ret_line` (may be NULL): which line. */
int64_t limits_quiet_from(const struct limits *limits, enum limit_action action, int64_t from_ms, int64_t to_ms,
                          const struct limit_line **ret_line);

/* All quiet hours of lines with this action between two moments, joined, ascending. The caller frees *ret. */
struct limit_span {
    int64_t from_ms, to_ms;
};
size_t limits_quiet_spans(const struct limits *limits, enum limit_action action, int64_t from_ms, int64_t to_ms,
                          struct limit_span **ret);
/* The first moment in [from_ms, to_ms) that lies in one of the spans; to_ms: none does. */
int64_t limits_span_from(const struct limit_span *spans, size_t n, int64_t from_ms, int64_t to_ms);

/* The lowest number of the lines about `what` with this action that hold at `at_ms`; INT64_MAX: none. */
int64_t limits_number(const struct limits *limits, enum limit_what what, enum limit_action action, int64_t at_ms,
                      const struct limit_line **ret_line);

/* Sound may begin at `at_ms` by the weekdays of lines with this action. */
bool limits_day_open(const struct limits *limits, enum limit_action action, int64_t at_ms,
                     const struct limit_line **ret_line);

/* The number of the order that lifts this limit on the civil day of `at_ms` (the lowest, when there are several);
 * NULL: none. */
const char *limits_exempt(const struct limits *limits, enum limit_what what, int64_t at_ms);

/* The civil day of an instant at the device. */
int64_t limits_day(const struct limits *limits, int64_t at_ms);

#endif
