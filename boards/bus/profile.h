/* profile.h - what one model of amplifier, sign, relay or meter is like on a Modbus bus: data from one libconfig file,
 * no code.
 *
 * boards/profiles/README.md is the normative description of the file. Here: the plain values that come out of it, and
 * the pure codec between registers and values. A profile never changes once it is open; any thread may read it. */
#ifndef LOA_PROFILE_H
#define LOA_PROFILE_H

#include "playlists/base/bytes.h"
#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROFILE_POINTS_MAX = 128,
    PROFILE_STEPS_MAX = 32,
    PROFILE_NAME_MAX = 40,      /* bytes of a point's name */
    PROFILE_ZONES_MAX = 8,      /* zone_1 .. zone_8 */
    PROFILE_FAULTS_MAX = 32,    /* fault_* */
    PROFILE_LINES_MAX = 16,     /* text_1 .. text_16, or lines of one block */
    PROFILE_TEXT_REGS_MAX = 512 /* registers of one text point */
};

enum profile_kind {
    PROFILE_AMPLIFIER,
    PROFILE_SIGN,
    PROFILE_RELAY, /* a board of relays that switch mains */
    PROFILE_METER  /* an energy meter */
};

enum point_kind { POINT_COIL, POINT_DISCRETE, POINT_HOLDING, POINT_INPUT };
enum point_type { POINT_BIT, POINT_U16, POINT_S16, POINT_U32, POINT_S32, POINT_F32, POINT_TEXT };
enum point_access { POINT_READ = 1, POINT_WRITE = 2 };

/* A is the most significant byte of a value. ABCD: Modbus' own order; CDAB: words swapped; BADC: bytes swapped inside
 * each register; DCBA: both. In 16-bit values and text only the swap of bytes counts. */
enum point_order { ORDER_ABCD, ORDER_CDAB, ORDER_BADC, ORDER_DCBA };

enum text_encoding { ENCODING_UTF8, ENCODING_UCS2, ENCODING_UTF16, ENCODING_ASCII, ENCODING_GB18030, ENCODING_CP1258 };
enum text_pad { PAD_NUL, PAD_SPACE };

struct point {
    char name[PROFILE_NAME_MAX + 1];
    enum point_kind kind;
    uint16_t address; /* protocol address, from 0 */
    enum point_type type;
    unsigned access; /* POINT_READ | POINT_WRITE */
    enum point_order order;
    uint16_t n_regs; /* registers (or coils) it covers: 1, 2, or the length of a text */
    uint16_t mask;   /* bits of the one register that are this point; 0: all */
    double scale;    /* value = raw * scale + offset, in `unit` */
    double offset;
    double min, max;      /* of the value, both included; -INFINITY/INFINITY when not limited */
    double on, off;       /* values that mean yes and no, where the role is a switch, a fault or a trigger */
    const char *unit;     /* "" when none */
    const char *label_vi; /* what a person calls it; the name when the file gives none */
    const char *label_en;
    uint32_t poll_ms; /* 0: not polled */
    enum text_encoding encoding;
    enum text_pad pad;
    bool terminated;    /* text: one NUL must always fit behind it */
    int line;           /* sign text: which line (1..), 0 when not a line of its own */
    int verify;         /* index of the point that proves a write to this one, -1 when none */
    double tolerance;   /* of that proof, in the verifying point's unit */
    uint32_t settle_ms; /* wait before the first read of the proof */
    uint32_t within_ms; /* the proof must have come by then */
};

enum step_act {
    STEP_WRITE, /* write `value` to the point */
    STEP_TEXT,  /* write the wanted text to the text points, all lines */
    STEP_WAIT,  /* until the point reads `value` (within tolerance), at most `ms` */
    STEP_PULSE, /* write `value`, wait `ms`, write `back` */
    STEP_PAUSE  /* wait `ms` */
};

struct step {
    enum step_act act;
    int point; /* index; -1 for STEP_PAUSE and STEP_TEXT */
    double value;
    double back;
    uint32_t ms;
};

enum line_break { BREAK_LF, BREAK_CRLF, BREAK_CR, BREAK_PAD }; /* PAD: each line filled up to `columns` with spaces */

struct profile {
    enum profile_kind kind;
    const char *model;
    const char *maker;
    uint16_t max_read;  /* registers in one request, 1..125 */
    uint16_t max_write; /* registers in one request, 1..123 */
    uint32_t pause_ms;  /* the device wants this between two requests */
    bool multiple_only; /* never use functions 5 and 6: the device knows only 15 and 16 */

    struct point points[PROFILE_POINTS_MAX];
    size_t n_points;

    int silence; /* index of the point of the one safe write; -1 for relays and meters only */
    double silence_value;

    /* Roles: index of a point, or -1. */
    int power, power_state, mute, gain, temperature, output_level; /* amplifier */
    int zones[PROFILE_ZONES_MAX];                                  /* zone_1, or a relay's channel_1, is [0] */
    int faults[PROFILE_FAULTS_MAX];                                /* in the file's order */
    size_t n_faults;
    uint32_t power_up_ms; /* from power on to being ready to play */
    int active_power;     /* meter, W */

    int text[PROFILE_LINES_MAX]; /* sign: one block is [0] alone */
    size_t n_text;
    int clear, commit, brightness;
    enum line_break line_break;
    uint16_t lines, columns; /* 0: not limited; columns count a wide (CJK) character as two */
    struct step show[PROFILE_STEPS_MAX];
    size_t n_show;
    struct step blank[PROFILE_STEPS_MAX]; /* after the silence write; may be empty */
    size_t n_blank;

    struct cfg *cfg; /* owns the texts */
};

/* Read and check a whole file. Every complaint begins with file:line. On 0 the caller owns *ret_profile. */
MUST_USE int profile_open(const char *path, struct profile **ret_profile, struct complaint *why);
void profile_free(struct profile *profile); /* NULL is fine */

int profile_find(const struct profile *profile, const char *name); /* index, or -1 */
const char *point_kind_name(enum point_kind kind);                 /* "coil", "discrete", "holding", "input" */
const char *point_type_name(enum point_type type);
const char *text_encoding_name(enum text_encoding encoding);
const char *profile_kind_name(enum profile_kind kind); /* "amplifier", "sign", "relay", "meter" */

/* Pure codec. Registers are host-order numbers as Modbus carries them; a coil is one of 0 and 1 in regs[0].
 *
 * Encode a number: ERR_LIMIT when NaN, infinite, outside min..max or outside what the type can carry. For a point with
 * a mask only its bits are set in regs[0]; the caller merges the others. Writes point->n_regs registers. */
MUST_USE int profile_encode(const struct point *point, double value, uint16_t *ret_regs, struct complaint *why);
/* ERR_LIMIT when the value is NaN or outside min..max: not to be believed. */
MUST_USE int profile_decode(const struct point *point, const uint16_t *regs, double *ret_value, struct complaint *why);

/* UTF-8 to registers, padded to point->n_regs. ERR_FORMAT: not UTF-8, or a character that the encoding cannot carry
 * (named in the sentence); ERR_LIMIT: too long. */
MUST_USE int profile_encode_text(const struct point *point, const char *text, uint16_t *ret_regs,
                                 struct complaint *why);
/* Registers to UTF-8: up to the first NUL, trailing padding dropped; appended to `ret`. ERR_FORMAT for bytes that do
 * not follow the encoding. */
MUST_USE int profile_decode_text(const struct point *point, const uint16_t *regs, struct buf *ret,
                                 struct complaint *why);

/* True when two texts are the same to a reader: equal in Unicode NFC, trailing white space of each line and empty
 * lines at the end not counted. */
bool profile_same_text(const char *a, const char *b);

#endif
