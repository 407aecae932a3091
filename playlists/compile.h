/* compile.h - rules and bulletins in, the flat timeline of each device out. Pure: the same input gives the same bytes,
 * whatever the order of rules, bulletins, approvals and devices.
 *
 * compile_set: the rules of many devices. Each rule is expanded once; devices that are alike, so that the same rules
 * hold for them in the same way, share one timeline. Any thread, one at a time for each set.
 *
 * What always holds of a timeline:
 * - No two items of one class overlap in [start, start + length). The later one (by start, then the rule's id, then its
 *   place in the session) is moved behind the earlier one when its late_ms allows, else it is dropped. What must be
 *   carried (CARRY_MUST) is placed before all else of its class: the others go round it, the earlier ones too.
 * - What is dropped, cut or refused has a problem that says so.
 * - An occurrence keeps its id over recompiles from other moments, and over changes of other rules. */
#ifndef LOA_COMPILE_H
#define LOA_COMPILE_H

#include "playlists/limits.h"
#include "playlists/recur.h"
#include "playlists/session.h"

enum {
    PLAYLIST_ITEMS_MAX = 2000,
    HORIZON_DAYS = 30,
    LATE_DEFAULT_MS = 60000,
    SHOW_DEFAULT_MS = 60000, /* a text without sound to follow, when the rule does not say how long */
    END_MARGIN_MS = 2000,
};

/* Whether a unit below may have a say. Wire of the API: "direct", "offer", "must". */
enum rule_carry {
    CARRY_DIRECT, /* holds as it is */
    CARRY_OFFER,  /* holds where the commune has taken it */
    CARRY_MUST,   /* holds, and keeps its place; the commune may give it other times inside the window */
};
extern const char *const rule_carry_names[];

/* What a commune said to a rule from above. */
struct rule_placement {
    const char *area;
    bool taken, declined;
    const int32_t *times; /* seconds of the civil day in place of the rule's; none: the rule's */
    size_t n_times;
};

struct rule {
    const char *id;
    const char *unit; /* area id of who made it; NULL: nobody asks */
    struct recurrence recur;
    const char *bulletin;          /* hash of the revision to be used; NULL: a session */
    const struct session *session; /* NULL: a single bulletin */
    /* Targets: devices in any of these areas, or in any of these groups, or these ... */
    struct texts areas, groups, devices;
    struct texts kinds; /* ... only these kinds; empty: all ... */
    struct texts tags;  /* ... only those with one of these tags; empty: all ... */
    struct texts except_areas, except_groups, except_devices; /* ... and none of these. */
    enum rule_carry carry;
    const struct rule_placement *placements;
    size_t n_placements;
    enum air_class class;
    enum cut_policy policy;
    int64_t late_ms;     /* below 0: LATE_DEFAULT_MS */
    int64_t wait_ms;     /* priority: how long it waits for an item boundary; 0: it cuts; more than late_ms: never */
    int64_t catch_up_ms; /* may begin so long after its start when the box was off then */
    int64_t gain_mb;
    int64_t show_ms; /* 0: as long as the sound, or SHOW_DEFAULT_MS without one */
    struct texts zones;
    bool complete; /* a single bulletin only where it has all of the device's languages; of a session its own */
};

struct compile_bulletin {
    const char *hash;
    int64_t size;
    const struct bulletin *bulletin;
    const struct blob_ref *approvals;
    size_t n_approvals;
    bool filler; /* sessions may fill with it, by its category, at devices in its unit */
};

/* The device is in the area from from_ms on and before until_ms. */
struct membership {
    const char *area;
    int64_t from_ms, until_ms;
};

struct compile_device {
    const char *id;
    enum device_kind kind;
    struct texts languages; /* in the order in which they are spoken; SESSION_LANGUAGES_MAX count in sessions */
    struct texts tags, groups;
    const struct membership *areas; /* nearest first */
    size_t n_areas;
    struct limits limits;
};

enum problem_what {
    PROBLEM_NO_BULLETIN,
    PROBLEM_NOTHING_HERE,
    PROBLEM_EMERGENCY,
    PROBLEM_HORIZON,
    PROBLEM_CLASH,     /* `other` was earlier, or must be carried */
    PROBLEM_SLOT_FULL, /* nothing of the session fits */
    PROBLEM_CUT,       /* parts of the session are left out or ended early */
    PROBLEM_LANGUAGE_DROPPED,
    PROBLEM_LANGUAGE_MISSING, /* a bulletin lacks one of the device's languages, and the rule wants all */
    PROBLEM_QUIET_HOURS,
    PROBLEM_LIMIT_SESSIONS,
    PROBLEM_LIMIT_SESSION_MINUTES,
    PROBLEM_LIMIT_MINUTES,
    PROBLEM_LIMIT_DAYS,
    PROBLEM_NOT_TAKEN,
    PROBLEM_DECLINED,
    PROBLEMS,
};
/* A word each: "no such bulletin", "nothing in it for this device", "emergency needs an order", "horizon shortened",
 * "clash", "slot full", "cut", "language dropped", "language missing", "quiet hours", "limit: sessions", "limit:
 * session minutes", "limit: minutes", "limit: days", "not taken", "declined". */
extern const char *const problem_names[];

/* What was left out, and why: one for each rule, reason and other rule. */
struct compile_problem {
    const char *rule;
    enum problem_what what;
    const char *why;   /* problem_names[what] */
    const char *other; /* the other rule; NULL: there is none */
    int64_t start_ms;  /* of the first occurrence that it concerns */
    int64_t count;     /* of occurrences */
    bool warning;      /* a limit that only warns: it plays nevertheless */
};

struct compile_result {
    struct playlist_bulletin *bulletins;
    size_t n_bulletins;
    struct playlist_item *items;
    size_t n_items;
    int64_t until_ms;                 /* the horizon that was reached */
    struct compile_problem *problems; /* by rule, reason, other rule */
    size_t n_problems;
};

/* How long the item keeps its outputs: the longer of its sound and of the time its text stays. The agent's length_ms
 * for the arbiter. */
int64_t item_length_ms(const struct bulletin_use *use, int64_t show_ms);

/* True when the rule's targets include the device at that moment. Placements are not asked. */
bool rule_targets(const struct rule *rule, const struct compile_device *device, int64_t at_ms);

/* A set of rules and bulletins, and what becomes of them at devices, between two moments. Rules, bulletins and all that
 * they point to are borrowed until they are replaced or the set is freed; devices only for the call. Of several rules
 * with one id the one with the lowest bulletin hash counts. */
struct compile_set;
struct compile_set *compile_set_new(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins,
                                    size_t n_bulletins, int64_t from_ms, int64_t until_ms);
void compile_set_free(struct compile_set *set); /* NULL is fine */

/* From now on this is the rule with its id (NULL: there is none with that id). Timelines that have nothing to do with
 * the old and the new one stay as they are. */
void compile_set_rule(struct compile_set *set, const char *id, const struct rule *rule);
/* The same for the bulletin with this hash. */
void compile_set_bulletin(struct compile_set *set, const char *hash, const struct compile_bulletin *bulletin);

/* What the rules make of a device; of alike devices the same one. Owned by the set, valid until a rule or bulletin
 * changes. */
struct timeline;
const struct timeline *compile_set_timeline(struct compile_set *set, const struct compile_device *device);
size_t compile_set_timelines(const struct compile_set *set); /* how many different ones there are */

size_t timeline_items(const struct timeline *timeline); /* in the set's time, and a little before */

/* All items with end_ms > from_ms and start_ms < until_ms, by start, then id; bulletins once, in the order of their
 * first use, approvals by hash. [from_ms, until_ms) lies within the set's. At most `max_items` (then the horizon
 * shortens to the first that did not fit). end_ms = start + late_ms (or catch_up_ms, if that is more) + length +
 * END_MARGIN_MS; of what is ended early its start + length. All results, texts too, live in `arena`. */
void timeline_write(const struct timeline *timeline, int64_t from_ms, int64_t until_ms, size_t max_items,
                    struct arena *arena, struct compile_result *ret);

/* One device alone: a set, its timeline, written out. */
void compile(const struct rule *rules, size_t n_rules, const struct compile_bulletin *bulletins, size_t n_bulletins,
             const struct compile_device *device, int64_t from_ms, int64_t until_ms, size_t max_items,
             struct arena *arena, struct compile_result *ret);

#endif
