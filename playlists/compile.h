/* compile.h - rules and bulletins in, the flat timeline of one device out. Pure: the same input gives the same bytes.
 *
 * Once and daily for now; a further recurrence is a further member of enum rule_when and one function that lists its
 * days. */
#ifndef LOA_COMPILE_H
#define LOA_COMPILE_H

#include "playlists/base/civil.h"
#include "playlists/documents.h"

/* Wire of the API: "once", "daily". */
enum rule_when { WHEN_ONCE, WHEN_DAILY };
extern const char *const rule_when_names[];

enum { RULE_TIMES_MAX = 48, PLAYLIST_ITEMS_MAX = 2000, HORIZON_DAYS = 30 };

struct rule {
    const char *id;
    const char *bulletin; /* hash of the revision to be used */
    enum rule_when when;
    int64_t date;                  /* once: days since 1970 in the zone */
    int64_t from_date, until_date; /* daily: first and last day, inclusive; INT64_MIN / INT64_MAX: open */
    int32_t times[RULE_TIMES_MAX]; /* seconds of the civil day */
    size_t n_times;
    const struct zone *zone;
    struct texts areas;   /* targets: devices in any of these areas */
    struct texts devices; /* and these devices */
    struct texts kinds;   /* only these kinds; empty: all */
    enum air_class class;
    enum cut_policy policy;
    int64_t late_ms, wait_ms, gain_mb, show_ms;
    struct texts zones;
};

struct compile_bulletin {
    const char *hash;
    int64_t size;
    const struct bulletin *bulletin;
    const struct blob_ref *approvals;
    size_t n_approvals;
};

struct compile_device {
    const char *id;
    enum device_kind kind;
    struct texts areas;
    struct texts languages;
};

/* What was left out, and why. */
struct compile_problem {
    const char *rule;
    int64_t start_ms;
    const char *why; /* "no such bulletin", "nothing in it for this device", "horizon shortened", ... */
};

struct compile_result {
    struct playlist_bulletin *bulletins;
    size_t n_bulletins;
    struct playlist_item *items;
    size_t n_items;
    int64_t until_ms; /* the horizon that was reached */
    struct compile_problem *problems;
    size_t n_problems;
};

/* True when the rule's targets include the device. */
bool rule_targets(const struct rule *rule, const struct compile_device *device);

/* All occurrences with end_ms > from_ms and start_ms < until_ms. Order of rules and bulletins does not matter. At most
 * `max_items` (then the horizon shortens to the first that did not fit). All results live in `arena`. */
void compile(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins, size_t n_bulletins,
             const struct compile_device *device, int64_t from_ms, int64_t until_ms, size_t max_items,
             struct arena *arena, struct compile_result *ret);

#endif
