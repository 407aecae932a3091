/* documents.h - every document of the wire as a C value. playlists/WIRE.md describes the same fields in words.
 *
 * One table per document (document_tables.h) drives decoding, limits and encoding, so that the three cannot disagree. A
 * decoded document lives in the arena that was handed in; nothing in it is freed by itself. All text is valid UTF-8.
 * Optional texts are NULL when absent, optional lists have count 0. Times named *_ms are Unix milliseconds, `iat`/`exp`
 * are Unix seconds (NumericDate, RFC 7519 section 2). Any thread. */
#ifndef LOA_DOCUMENTS_H
#define LOA_DOCUMENTS_H

#include "playlists/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DOC_SEALED_MAX = 64 * 1024,     /* bytes of one sealed document on the wire */
    DOC_INFLATED_MAX = 1024 * 1024, /* bytes of a payload after inflating */
    BLOB_DOC_MAX = 256 * 1024,      /* bytes of a bulletin or approval that travels as a blob */
    MEDIA_MAX = 64 * 1024 * 1024,   /* bytes of one media file */
    CONFIG_WINDOWS_MAX = 24,        /* ceilings, or quiet hours, that hold at one time */
    CONFIG_LATER_MAX = 4,
    DOC_RATE_HZ = 48000, /* frames are counted at this rate everywhere */
};

enum doc_type {
    DOC_TRUST,
    DOC_KEYS,
    DOC_CONFIG,
    DOC_PLAYLIST,
    DOC_WELCOME,
    DOC_COMMAND,
    DOC_STATE,
    DOC_RECEIPT,
    DOC_EVENT,
    DOC_REPLY,
    DOC_HEALTH,
    DOC_APPROVAL, /* travels as a blob beside its bulletin */
    DOC_TYPES,
};

/* "loa-trust", ... : the `typ` of the JOSE header. */
const char *doc_typ(enum doc_type type);
/* The word in topics, floors and states: "trust", "playlist", ... */
const char *doc_word(enum doc_type type);
/* -1 when no such type is known. */
int doc_type_of(const char *typ);

/* Four named classes, in rising order; never free numbers. Wire: "filler", "normal", "priority", "emergency". */
enum air_class { CLASS_FILLER, CLASS_NORMAL, CLASS_PRIORITY, CLASS_EMERGENCY };
extern const char *const air_class_names[]; /* NULL-terminated, by enum value; likewise all *_names below */

/* What becomes of an item that was cut. Wire: "drop", "resume", "restart". */
enum cut_policy { CUT_DROP, CUT_RESUME, CUT_RESTART };
extern const char *const cut_policy_names[];

enum device_kind { KIND_LOUDSPEAKER, KIND_BOARD, KIND_CLUSTER, KIND_GATEWAY, KIND_MOBILE };
extern const char *const device_kind_names[];

/* How far the time may be trusted (DESIGN, Time). Wire: "unknown", "held", "signed", "synced". */
enum time_grade { GRADE_UNKNOWN, GRADE_HELD, GRADE_SIGNED, GRADE_SYNCED };
extern const char *const time_grade_names[];

/* Why something was or was not on air; the last word of every decision. Wire: lower case of the name. */
enum reason {
    REASON_ON_TIME,
    REASON_LATE,      /* began after its instant, within its limit; or never, when started_ms is 0 */
    REASON_PREEMPTED, /* cut by something higher, and not resumed */
    REASON_PAUSED,
    REASON_QUIET_HOURS,
    REASON_NO_TIME,
    REASON_NO_MEDIA,     /* bulletin, approval or sound not here, or not what its hash says */
    REASON_NOT_APPROVED, /* detail: which condition failed */
    REASON_SILENCED,
    REASON_RECALLED,
    REASON_EXPIRED,   /* past its end before it could begin */
    REASON_FAULT,     /* the outputs failed */
    REASON_CANCELLED, /* the playlist no longer names it, while it was on */
    REASON_RESTARTED, /* the box or the agent went down while it was on; not resumed */
    REASONS,
};
extern const char *const reason_names[];

/* Ends of a person's key: none, earlier signatures hold, none ever held. Wire: "none", "retired", "compromised". */
enum key_end { KEY_LIVE, KEY_RETIRED, KEY_COMPROMISED };
extern const char *const key_end_names[];

struct texts {
    const char **at;
    size_t n;
};

/* What every sealed payload begins with. */
struct doc_head {
    const char *aud; /* "all" (trust, keys, approval), "dev/<id>" (down), "controller" (up) */
    int64_t era;
    int64_t ver;
    int64_t iat_s;
    int64_t exp_s;
};

/* (era, ver) in order: <0, 0, >0. */
int doc_version_cmp(int64_t era_a, int64_t ver_a, int64_t era_b, int64_t ver_b);

struct public_key {
    const char *kid;  /* RFC 7638 thumbprint: base64url(SHA-256 of the canonical JWK) */
    const char *x;    /* Ed25519 public key, base64url, 43 characters (RFC 8037) */
    const char *name; /* for people; optional */
};

/* How many distinct persons must approve. The strictest matching line counts; none: one person. */
struct quorum {
    int class;          /* enum air_class */
    struct texts areas; /* empty: everywhere */
    int64_t persons;    /* 1 to 9 */
};

struct trust {
    struct doc_head head;
    struct public_key *registrars;
    size_t n_registrars;
    struct public_key *schedulers;
    size_t n_schedulers;
    struct quorum *quorums;
    size_t n_quorums;
};

struct person_key {
    const char *kid;
    const char *x;
    const char *person; /* id of the person: two keys of one person count once */
    const char *name;
    struct texts roles; /* "approver", "emergency", "silence", "source" */
    struct texts areas; /* area ids in which it counts */
    int class;          /* highest class it may approve */
    int ended;          /* enum key_end */
    int64_t ended_ms;   /* moment of the end; signatures of a retired key hold up to it */
};

struct keys {
    struct doc_head head;
    struct person_key *persons;
    size_t n_persons;
};

struct day_window {
    int64_t from_min; /* minute of the civil day, 0..1439 */
    int64_t to_min;   /* end, exclusive, 0..1440; below from_min: past midnight */
    int64_t gain_mb;  /* ceiling in hundredths of dB (gain windows only), at most 0 */
};

struct blob_ref {
    const char *hash;
    int64_t size;
};

struct profile_ref {
    const char *name;
    const char *hash;
    int64_t size;
};

/* Windows that take the place of all before from a moment on. */
struct config_hours {
    int64_t from_ms;
    struct day_window *gain_ceilings;
    size_t n_gain_ceilings;
    struct day_window *quiet_hours;
    size_t n_quiet_hours;
};

struct config {
    struct doc_head head;
    int kind;               /* enum device_kind */
    const char *zone;       /* tz database name */
    struct texts areas;     /* every area the device belongs to, own first, up to the province, former ones too */
    struct texts languages; /* in the order in which they are spoken and shown, e.g. "vi", "zh", "en" */
    struct day_window *gain_ceilings;
    size_t n_gain_ceilings;
    struct day_window *quiet_hours;
    size_t n_quiet_hours;
    struct config_hours *later; /* ascending */
    size_t n_later;
    int64_t delay_ms;       /* of this place against its neighbours, 0..1000 */
    int64_t heard_level_mb; /* amplifier output at or above this counts as seen */
    struct profile_ref *profiles;
    size_t n_profiles;
    struct blob_ref *pinned; /* media and other blobs that are fetched and never evicted: emergency clips */
    size_t n_pinned;
};

struct playlist_bulletin {
    const char *hash;
    int64_t size;
    struct blob_ref *approvals;
    size_t n_approvals;
};

struct playlist_item {
    const char *id;     /* occurrence, "<rule>.<start in Unix s>[.<part>]": names the same airing for ever */
    int64_t bulletin;   /* index into bulletins; -1: a relay */
    const char *source; /* relay: what is put through; NULL: a bulletin */
    int64_t start_ms;
    int64_t end_ms;         /* the last moment at which it may be on, whatever happened */
    int class;              /* enum air_class; emergency needs an order and is refused here */
    int policy;             /* enum cut_policy */
    int64_t late_ms;        /* later than this after start: not begun */
    int64_t wait_ms;        /* priority: how long it waits for an item boundary before it cuts */
    int64_t gain_mb;        /* -6000..0 */
    int64_t show_ms;        /* a text stays at least this long; 0: as long as the sound */
    struct texts zones;     /* loudspeaker zones; empty: all */
    struct texts languages; /* only these of the device's; empty: all of them */
    const char *exempt;     /* number of the order by which quiet hours do not hold it; NULL: they hold it */
    int64_t catch_up_ms; /* begins so long after its start when the box was off at its start; 0: late_ms alone counts */
};

struct playlist {
    struct doc_head head;
    int64_t config_ver; /* the configuration that it was compiled for */
    int64_t from_ms;
    int64_t until_ms; /* the horizon */
    struct playlist_bulletin *bulletins;
    size_t n_bulletins;
    struct playlist_item *items; /* by start, then id */
    size_t n_items;
};

struct doc_floor {
    const char *doc; /* doc_word */
    int64_t era, ver;
};

struct stored_mark {
    const char *kind;  /* "receipt" or "event" */
    const char *store; /* store id of the vault */
    int64_t upto;      /* this row, and all that it comes after, are stored */
    const char *hash;  /* SHA-256 of the sealed bytes of that row; absent: upto is 0, or nothing is known of it */
};

struct welcome {
    struct doc_head head;
    const char *nonce;
    int64_t time_ms;
    struct doc_floor *floors;
    size_t n_floors;
    struct stored_mark *stored;
    size_t n_stored;
    int64_t spread_s; /* window over which to spread answers and the next reconnect */
    int64_t epoch;    /* of the controller's store; a restored one counts up */
};

struct command {
    struct doc_head head;
    const char *nonce; /* of the session it is meant for */
    const char *id;
    const char *command; /* "restart", "send_again" */
    /* send_again only: all rows of this kind and store id from this number on */
    const char *kind; /* "receipt" or "event" */
    const char *store;
    int64_t from;
};

struct held_doc {
    const char *doc;
    int64_t era, ver;
    const char *hash; /* SHA-256 of the sealed bytes */
};

struct outbox_head {
    const char *kind;
    int64_t last; /* highest number made */
};

struct state {
    struct doc_head head;
    const char *device;
    bool on; /* false: the last will */
    const char *nonce;
    const char *store;
    const char *serial;
    const char *software;
    const char *grade; /* time_grade_names; absent in a will */
    const char *boot;
    const char *on_air; /* occurrence id, absent when idle */
    struct held_doc *held;
    size_t n_held;
    struct outbox_head *outbox;
    size_t n_outbox;
};

struct sound_evidence {
    int64_t frames_expected; /* at 48 kHz */
    int64_t frames;          /* consumed by the DAC */
    int64_t xruns;
    int64_t start_error_us; /* first frame against the instant aimed at; positive: after it */
};

struct amplifier_evidence {
    bool commanded;        /* power, mute, gain, relays were written and read back */
    bool power;            /* power was seen while playing */
    bool seen;             /* output level reached the threshold while playing */
    int64_t level_mb;      /* highest output level read while playing, hundredths of dB */
    int64_t temperature_c; /* last read, whole degrees */
    struct texts faults;   /* fault points that were set */
};

struct sign_evidence {
    bool written;
    bool read_back;   /* what the sign holds equals what was sent */
    bool cut;         /* the text did not fit and was shortened */
    const char *text; /* what was read back */
};

struct evidence {
    struct sound_evidence *sound;         /* NULL: no sound was asked for */
    struct amplifier_evidence *amplifier; /* NULL: no amplifier here */
    struct sign_evidence *sign;           /* NULL: no text was asked for, or no sign here */
};

struct receipt {
    struct doc_head head;
    const char *device;
    const char *store;
    int64_t n;
    const char *prev; /* SHA-256 of the sealed bytes of number n - 1; absent: n is 1, or that row is gone */
    const char *occurrence;
    const char *bulletin; /* hash; NULL: a relay */
    int class;
    int64_t planned_ms;
    int64_t started_ms; /* 0: never began */
    int64_t ended_ms;   /* 0: never began */
    int reason;         /* enum reason */
    const char *detail; /* optional: which condition, for people */
    const char *exempt; /* what let it pass quiet hours: number of the order, or "emergency"; NULL: nothing had to */
    const char *grade;
    struct evidence *evidence; /* NULL: never began */
};

struct event {
    struct doc_head head;
    const char *device;
    const char *store;
    int64_t n;
    const char *prev; /* as of a receipt */
    int64_t at_ms;
    const char *code;  /* "document_refused", "clock_step", "amplifier_fault", ... lower case with underscores */
    const char *about; /* what it concerns: a document word, a point, an occurrence */
    const char *detail;
};

struct reply {
    struct doc_head head;
    const char *device;
    const char *nonce;
    const char *id; /* of the command */
    bool ok;
    const char *detail;
};

struct health_part {
    const char *name;  /* "sound", "amplifier", "sign", "disk", "clock", ... */
    const char *state; /* "ok", "warn", "fault", "off" */
    const char *detail;
};

struct health_value {
    const char *name;
    double value;
    const char *unit;
};

struct health {
    struct doc_head head;
    const char *device;
    int64_t at_ms;
    struct health_part *parts;
    size_t n_parts;
    struct health_value *values;
    size_t n_values;
};

struct approval {
    struct doc_head head;
    const char *bulletin; /* hash */
    struct texts areas;   /* scope */
    int class;            /* highest class of use */
    int64_t from_ms, until_ms;
};

struct media_ref {
    const char *hash;
    int64_t size;
    int64_t frames; /* at 48 kHz, of the decoded sound */
};

struct bulletin_content {
    const char *lang;        /* BCP 47 primary tag: "vi", "zh", "en", "tyz", ... */
    const char *text;        /* optional, at most 4000 bytes */
    struct media_ref *audio; /* optional */
};

/* Not sealed: named by the hash of its bytes, and signed through its approvals. */
struct bulletin {
    const char *id;
    int64_t revision;
    const char *title;
    const char *category;
    const char *source;     /* number of the source document; optional */
    const char *answerable; /* person answerable for the content */
    const char *unit;       /* area id of the unit that made it */
    int class;              /* highest class of use */
    struct bulletin_content *contents;
    size_t n_contents;
};

/* Decode the payload of `type` into a fresh struct of that type in `arena` (struct trust for DOC_TRUST, ...). Duplicate
 * members, wrong types, values out of bounds, depth above 8, bad UTF-8: ERR_FORMAT or ERR_LIMIT with a sentence that
 * names the member ("items[3].start_ms: ..."). Unknown members are ignored. */
MUST_USE int doc_decode(enum doc_type type, const void *payload, size_t len, struct arena *arena, void **ret_doc,
                        struct complaint *why);
/* Encode to compact JSON into `ret` (appended). The same limits hold: what cannot be decoded is not written. */
MUST_USE int doc_encode(enum doc_type type, const void *doc, struct buf *ret, struct complaint *why);

MUST_USE int bulletin_decode(const void *data, size_t len, struct arena *arena, struct bulletin **ret,
                             struct complaint *why);
MUST_USE int bulletin_encode(const struct bulletin *bulletin, struct buf *ret, struct complaint *why);

/* Which contents of a bulletin a device uses, in its order: those of its languages that the bulletin has; none of them
 * there: the bulletin's first. Indices into contents; returns how many (0 only for a bulletin without contents). */
size_t bulletin_pick(const struct bulletin *bulletin, const struct texts *languages, size_t *ret_index, size_t cap);

/* What one device makes of a bulletin: whether it has sound and text for it, and how long the sound is. Both the
 * planner and the agent ask this, so that they agree. */
struct bulletin_use {
    bool sound, text;
    int64_t sound_ms; /* all languages in turn, rounded up */
};
struct bulletin_use bulletin_use(const struct bulletin *bulletin, const struct texts *languages, enum device_kind kind);

/* The first of the languages for which the bulletin has nothing that such a device says or shows; NULL: it is complete.
 */
const char *bulletin_lacks(const struct bulletin *bulletin, const struct texts *languages, enum device_kind kind);

/* Which of the device's languages an item uses: those that the item names and the bulletin has, in the device's order;
 * none: all of the device's. `room` holds the result's texts. */
enum { DEVICE_LANGUAGES_MAX = 8 };
struct texts item_languages(const struct bulletin *bulletin, const struct texts *device, const struct texts *named,
                            const char *room[DEVICE_LANGUAGES_MAX]);

bool texts_have(const struct texts *list, const char *text);
bool texts_meet(const struct texts *a, const struct texts *b); /* a common member */

#endif
