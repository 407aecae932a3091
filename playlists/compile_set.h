/* compile_set.h - inside of a compile set, for the files compile_*.c. */
#ifndef LOA_COMPILE_SET_H
#define LOA_COMPILE_SET_H

#include "playlists/compile.h"

enum {
    SET_FILLERS_MAX = 256, /* of one session */
    PLAYLIST_BULLETINS_MAX = 500,
    TIMELINE_SPOTS_MAX = 50000, /* before clashes; beyond, a rule has no more than a playlist holds */
};
#define SET_DAY_MS  INT64_C(86400000)
#define SET_SPAN_MS (60 * SET_DAY_MS) /* what began longer ago is over: late, catch-up and length are days at most */
#define NO_ID       UINT32_MAX

/* What rules call by name: areas, groups, tags, devices, each a space of its own. */
enum name_of { NAME_AREA, NAME_GROUP, NAME_TAG, NAME_DEVICE };

struct ids {
    uint32_t *at; /* owned */
    size_t n;
};

/* Instants of a rule's recurrence, with its own times or with those of a placement. */
struct expansion {
    const int32_t *times; /* NULL: the rule's own */
    size_t n_times;
    int64_t *start_s; /* owned */
    size_t n;
    struct expansion *next;
};

struct slot {
    const struct rule *rule; /* NULL: free */
    struct ids areas, groups, devices, tags, except_areas, except_groups, except_devices;
    struct ids placements;        /* areas of rule->placements, in their order */
    unsigned kinds;               /* bits; 0: all */
    struct expansion *expansions; /* owned */
    uint64_t seen;                /* the last gathering that met it */
};

struct place {
    uint32_t area;
    int64_t from_ms, until_ms;
};

/* A device, as far as rules can tell it from others. */
struct profile {
    enum device_kind kind;
    uint32_t device; /* NO_ID: no rule names it */
    uint32_t *groups, *tags;
    size_t n_groups, n_tags;
    struct place *places; /* nearest first */
    size_t n_places;
    struct texts languages;
    struct limits limits;
};

/* A rule at a device for some of the time. */
struct plan {
    const struct rule *rule;
    int64_t from_ms, until_ms; /* occurrences that begin in it */
    const struct expansion *expansion;
    const struct compile_bulletin *bulletin; /* of a single one */
    struct session_measure single;
    struct session_measure *parts, opening, closing; /* of a session */
    const struct compile_bulletin **part_bulletins;  /* NULL: a relay, or nobody has it */
    const struct compile_bulletin *opening_bulletin, *closing_bulletin;
    struct session_filler *fillers;
    const struct compile_bulletin **filler_bulletins;
    size_t n_fillers;
    size_t n_incomplete; /* parts that are left out since they lack a language */
    size_t n_spots;
    bool sound;
};

/* One item to be. */
struct spot {
    int64_t start_ms; /* where it is now */
    int64_t occurrence_s;
    int64_t length_ms;
    int64_t moved_ms; /* behind another one */
    uint32_t plan;
    uint32_t nth;
    uint16_t index; /* of the part or filler */
    uint16_t seq;   /* within its occurrence */
    uint8_t of;     /* enum piece_of */
    uint8_t class;
    uint8_t n_languages; /* of the device's; 0: all */
    bool ended_early;
    const char *exempt;
};

/* Quiet hours of the device within the set's time. */
struct quiet {
    struct limit_span *at; /* owned */
    size_t n;
};

/* What of a rule has sound and may be on its day: it counts for the limits of the day, whether the day has room for it
 * or not. */
struct sounding {
    int64_t start_ms, length_ms;
    const struct rule *rule;
};

/* Days on which the same things are said at the same times, under the same limits, want the same: the first of them is
 * laid, and stands for the others. (What fills a slot differs from day to day, but not how long the slot is.) */
enum { SOUNDING_DAYS_MAX = 400, SOUNDING_NONE = UINT16_MAX };

struct soundings {
    int64_t from_ms, until_ms;
    int64_t first_day;   /* the day of from_ms */
    struct sounding *at; /* owned; day by day, in the order in which the day is given to them */
    size_t n, cap;
    uint64_t keys[SOUNDING_DAYS_MAX]; /* what is to be said on the day */
    uint16_t like[SOUNDING_DAYS_MAX]; /* the day, counted from the first, that stands for it; SOUNDING_NONE: nothing */
};

struct timeline {
    const struct compile_set *set;
    struct arena *arena;
    struct profile profile;
    uint64_t hash; /* of the key */
    struct buf key;
    struct quiet quiet[2]; /* by limit_action */
    struct plan *plans;    /* by rule, in the arena */
    size_t n_plans;
    struct spot *spots; /* owned; by start, rule and place in the session */
    size_t n_spots;
    int64_t end_ms;                   /* what begins later was too much; INT64_MAX: nothing was */
    struct compile_problem *problems; /* owned */
    size_t n_problems, cap_problems;
    struct soundings *soundings; /* borrowed; only these are asked for, between two moments. NULL: all is laid */
    struct timeline *next;
};

enum { SET_BUCKETS = 4096 };

struct name {
    enum name_of of;
    const char *text;
    struct ids slots; /* rules that name it as a target */
    struct name *next;
    uint32_t id;
};

struct compile_set {
    int64_t from_ms, until_ms;
    int64_t back_ms; /* occurrences are known from here on, so that days are whole and chains begin alike */
    struct arena *arena;
    const struct compile_bulletin **bulletins; /* by hash; owned */
    size_t n_bulletins, cap_bulletins;
    struct slot *slots; /* owned */
    size_t n_slots, cap_slots;
    struct name **names; /* by id; owned */
    size_t n_names, cap_names;
    struct name *by_text[SET_BUCKETS];
    struct timeline *timelines[SET_BUCKETS];
    size_t n_timelines;
    uint64_t gathering;
};

int64_t add_saturated(int64_t a, int64_t b);
/* As whole occurrence ids compare: the id of the rule with a dot behind it. */
int rule_id_cmp(const char *a, const char *b);

/* What show_ms becomes for a bulletin that is used so. */
int64_t item_show_ms(const struct bulletin_use *use, int64_t show_ms);

int64_t rule_late_ms(const struct rule *rule);  /* with the default */
int64_t rule_begin_ms(const struct rule *rule); /* the longer of lateness and catching up */

/* Late beyond its own limit by this much a part of a session may be all the same, and what was moved: what comes before
 * takes its outputs a little longer than it is. */
enum { PART_LATE_MS = LATE_DEFAULT_MS, MOVED_LATE_MS = 5000 };
int64_t spot_late_ms(const struct spot *spot, const struct rule *rule);

size_t set_bulletin_index(const struct compile_set *set, const char *hash); /* where it stands, or would */
const struct compile_bulletin *set_bulletin(const struct compile_set *set, const char *hash);
/* The id of a name; NO_ID: no rule ever said it. */
uint32_t set_name(const struct compile_set *set, enum name_of of, const char *text);
/* The instants of a rule, with these times in place of its own (NULL: its own). */
const struct expansion *set_expand(struct compile_set *set, struct slot *slot, const int32_t *times, size_t n_times);
/* The rule holds for the profile at that moment, as far as targets go. */
bool slot_targets(const struct slot *slot, const struct profile *profile, int64_t at_ms);

uint64_t set_hash(uint64_t hash, const void *data, size_t len);
/* Timelines with which the rule has to do (NULL: all) are made again when they are asked for. */
void set_drop_timelines(struct compile_set *set, const struct slot *slot);

/* The lists are the caller's, by profile_done(); the rest is borrowed. */
struct profile set_profile(const struct compile_set *set, const struct compile_device *device);
void profile_done(struct profile *profile);
/* What is the same for devices that are alike, and for no others; appended. */
void profile_key(const struct profile *profile, struct buf *key);

/* The first moment of quiet hours in [from_ms, to_ms); to_ms: none. */
int64_t timeline_quiet_from(const struct timeline *timeline, enum limit_action action, int64_t from_ms, int64_t to_ms);
/* Fill in plans, spots and problems of a timeline whose profile is set. */
void timeline_make(struct compile_set *set, struct timeline *timeline);
/* Plans of all rules that hold for the profile at some time, in the order of their rules. */
void timeline_plan(struct compile_set *set, struct timeline *timeline);
/* Each occurrence in its parts, as limits allow: spots in no order. */
void timeline_lay(struct timeline *timeline, struct spot **ret_spots, size_t *ret_n);
/* One reason more: `start_ms` of the occurrence, `other` NULL when there is none. Not told of what is over. */
void timeline_problem(struct timeline *timeline, const struct rule *rule, enum problem_what what,
                      const struct rule *other, int64_t start_ms, bool warning);

#endif
