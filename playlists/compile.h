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

enum {
    RULE_TIMES_MAX = 48,
    PLAYLIST_ITEMS_MAX = 2000,
    HORIZON_DAYS = 30,
    LATE_DEFAULT_MS = 60000,
    SHOW_DEFAULT_MS = 60000, /* a text without sound to follow, when the rule does not say how long */
    END_MARGIN_MS = 2000,
};

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
    int64_t late_ms; /* below 0: LATE_DEFAULT_MS */
    int64_t wait_ms, gain_mb;
    int64_t show_ms; /* 0: as long as the sound, or SHOW_DEFAULT_MS without one */
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
    int64_t start_ms; /* of the first occurrence that is left out by it */
    const char *why;  /* "no such bulletin", "nothing in it for this device", "emergency needs an order", "horizon
                         shortened" */
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

/* How long the item keeps its outputs: the longer of its sound and of the time its text stays. The agent's length_ms
 * for the arbiter. */
int64_t item_length_ms(const struct bulletin_use *use, int64_t show_ms);

/* True when the rule's targets include the device. */
bool rule_targets(const struct rule *rule, const struct compile_device *device);

/* All occurrences with end_ms > from_ms and start_ms < until_ms, by start, then id; bulletins once, in the order of
 * their first use, approvals by hash. Order of rules, bulletins and approvals does not matter. At most `max_items`
 * (then the horizon shortens to the first that did not fit). end_ms = start + late_ms + length + END_MARGIN_MS. An
 * instant in a gap or overlap of the zone is zone_instant_s()'s; two times of a rule that fall on one instant are one
 * occurrence. All results, texts too, live in `arena`. */
void compile(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins, size_t n_bulletins,
             const struct compile_device *device, int64_t from_ms, int64_t until_ms, size_t max_items,
             struct arena *arena, struct compile_result *ret);

#endif
