/* session.h - a slot of broadcasting: signature tune, parts in their order, what fills the rest, closing tune.
 *
 * session_lay() decides what is said when inside a slot. Pure, deterministic; any thread.
 *
 * - The opening comes first; then the parts, `plays` times, with a gap between; then fillers, as long as one fits;
 *   then the closing. Opening and closing are kept as long as one part is.
 * - Too long for the slot: first languages are dropped, the device's last one from all of it, as long as more than one
 *   is left (LANGUAGES_DROP); then parts are cut, those of the lowest class first, of these the last one first. A part
 *   is cut whole, unless OVERRUN_MID_SENTENCE allows that the last one to be cut is ended early instead.
 * - Fillers are drawn by the weights of their topics from a sequence that the seed fixes, none twice before all that
 *   fit were there once. So devices with the same pool and the same parts say the same. */
#ifndef LOA_SESSION_H
#define LOA_SESSION_H

#include "playlists/base/bytes.h"
#include "playlists/documents.h"

enum {
    SESSION_PARTS_MAX = 64,
    SESSION_PLAYS_MAX = 20,
    SESSION_TOPICS_MAX = 16,
    SESSION_LANGUAGES_MAX = 16,
    SESSION_PIECES_MAX = 512, /* of one slot: what is beyond is cut */
    SESSION_LENGTH_MAX_MS = 86400000,
};

/* Wire of the API: "cut", "mid_sentence". */
enum session_overrun { OVERRUN_CUT, OVERRUN_MID_SENTENCE };
extern const char *const session_overrun_names[];

/* Wire of the API: "drop", "complete" (a bulletin is said in all languages of the device that it has, or not). */
enum session_languages { LANGUAGES_DROP, LANGUAGES_COMPLETE };
extern const char *const session_languages_names[];

struct session_part {
    const char *bulletin; /* hash of the revision; NULL: a relay */
    const char *source;   /* relay: what is put through */
    int64_t length_ms;    /* relay: how long */
    int class;            /* enum air_class, at most priority; below 0: the rule's */
};

struct session_topic {
    const char *topic; /* category of bulletins */
    int64_t weight;    /* 1..1000 */
};

struct session {
    int64_t length_ms;             /* of the slot; 0: as long as its parts, never cut, never filled */
    const char *opening, *closing; /* bulletins by hash; NULL: none */
    const struct session_part *parts;
    size_t n_parts;
    int64_t plays; /* below 1: once */
    int64_t gap_ms;
    const struct session_topic *topics;
    size_t n_topics;
    enum session_overrun overrun;
    enum session_languages languages;
};

/* How long something takes at a device with the first 1, 2, ... of its languages; below 0: it has nothing for it. A
 * device without languages counts as having one. */
struct session_measure {
    int64_t length_ms[SESSION_LANGUAGES_MAX];
};

/* A bulletin that may fill. */
struct session_filler {
    const char *hash;
    size_t topic; /* index into topics */
    struct session_measure measure;
};

struct session_case {
    const struct session *session;
    const struct session_measure *opening, *closing; /* NULL: none */
    const struct session_measure *parts;             /* n_parts */
    const struct session_filler *fillers;            /* by hash */
    size_t n_fillers;
    size_t n_languages; /* of the device, 1..SESSION_LANGUAGES_MAX */
    enum air_class class;
    int64_t room_ms; /* how long the slot may be; not above length_ms unless that is 0 */
    uint64_t seed;   /* of rule and slot */
};

enum piece_of { PIECE_OPENING, PIECE_PART, PIECE_FILLER, PIECE_CLOSING };

struct session_piece {
    enum piece_of of;
    size_t index;      /* of the part or the filler */
    uint32_t nth;      /* how often the same content came before, in the slot as its rule has it */
    int64_t offset_ms; /* from the slot's start */
    int64_t length_ms;
    enum air_class class;
    bool ended_early; /* it takes longer than length_ms */
};

struct session_layout {
    struct session_piece pieces[SESSION_PIECES_MAX]; /* by offset */
    size_t n_pieces;
    size_t n_languages; /* how many of the device's are said */
    size_t n_cut;       /* parts (of all plays) that are left out or ended early */
    size_t n_empty;     /* parts that have nothing for this device */
    int64_t length_ms;  /* end of the last piece */
};

/* Nothing of it fits or has anything for the device: n_pieces is 0. */
void session_lay(const struct session_case *wanted, struct session_layout *ret);

/* How long the slot is at a device when nothing is dropped, cut or filled. */
int64_t session_length_ms(const struct session_case *wanted);

/* The seed of a slot. */
uint64_t session_seed(const char *rule, int64_t slot_s);

#endif
