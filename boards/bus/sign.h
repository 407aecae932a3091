/* sign.h - one text sign, driven by its profile, whatever bus it hangs on.
 *
 * Desired state: what should be shown, or blank. The driver runs the profile's sequence (clear, write, commit, ...),
 * reads the text back, compares, tries again; a sign that lost its text is noticed at the next poll and written again.
 * Until somebody wants otherwise it is blank. Everything on the loop thread; nothing blocks. */
#ifndef LOA_SIGN_H
#define LOA_SIGN_H

#include "boards/bus/amplifier.h" /* struct reading */
#include "boards/bus/bus.h"
#include "boards/bus/profile.h"

struct sign;

enum sign_phase {
    SIGN_UNKNOWN, /* nothing asserted yet since the start or since the device came back */
    SIGN_BLANK,   /* blank, proven if the profile allows proof */
    SIGN_WRITING,
    SIGN_SHOWN, /* written; see read_back_equal */
    SIGN_FAILED /* the last try failed; another follows */
};

enum { SIGN_TEXT_MAX = 2048 }; /* bytes of UTF-8 that are kept of a text */

struct sign_status {
    bool reachable;
    int64_t reachable_elapsed_ms; /* since when it is (un)reachable */
    enum sign_phase phase;
    bool want_blank;
    char wanted[SIGN_TEXT_MAX];   /* after wrapping and cutting, lines joined by '\n' */
    char shown[SIGN_TEXT_MAX];    /* last read back; "" when blank or never read */
    bool can_read_back;           /* every text point has a verify point */
    bool written;                 /* the whole sequence was acknowledged for what is wanted now */
    bool read_back_equal;         /* `shown` was read back after that and is the same text (NFC) */
    int64_t read_back_elapsed_ms; /* when */
    bool cut;                     /* the text was too long for the sign: it ends with an ellipsis */
    uint32_t times_lost;          /* how often it had lost its text and was written again, since sign_show() */
    uint32_t faults;              /* bit i: profile->faults[i] reads 1 */
    struct reading brightness;
    char problem[240]; /* one sentence; empty when all is well */
};

struct sign_result {
    int code; /* 0: written (and proven, if the profile allows proof); -ECANCELED: replaced by a newer wish;
                 ERR_DEVICE: read back different; ERR_FORMAT, ERR_LIMIT: this text cannot be shown;
                 else the bus's code. After a failure that is not the text's fault the sign keeps trying. */
    bool written;
    bool read_back_equal;
    bool cut;
    const char *shown; /* borrowed for the call */
    const char *why;   /* one sentence, "" when code is 0; borrowed for the call */
    int64_t at_elapsed_ms;
};

typedef void (*sign_changed_fn)(void *arg, const struct sign_status *status);
typedef void (*sign_done_fn)(void *arg, const struct sign_result *result);

/* Make the sign at `unit` and begin to poll it, wanting blank. Borrowing and errors as amplifier_new(). */
MUST_USE int sign_new(struct bus *bus, const struct profile *profile, uint8_t unit, const char *name,
                      sign_changed_fn changed, void *arg, struct sign **ret_sign);
void sign_free(struct sign *sign); /* NULL is fine; writes nothing; a pending call ends with -ECANCELED */

/* Show this UTF-8 text; '\n' begins a new line. Brought to NFC, wrapped to the profile's columns, cut to its lines. A
 * text that the encoding cannot carry is refused here: ERR_FORMAT and a sentence that names the character (the sign
 * goes on showing what it did, `done` is not called). `done` (may be NULL) comes once: at the first success, when three
 * tries have failed, or when a newer wish replaces it. */
MUST_USE int sign_show(struct sign *sign, const char *text, sign_done_fn done, void *arg, struct complaint *why);

/* Blank: the profile's silence write at once and urgent, then its `blank` sequence, then proof. `done` as above. */
void sign_blank(struct sign *sign, sign_done_fn done, void *arg);

void sign_status(const struct sign *sign, struct sign_status *ret_status);

/* Pure: NFC, wrap to the profile's lines x columns, cut at a word boundary with an ellipsis. The result (lines joined
 * by '\n', at most SIGN_TEXT_MAX with terminator) is what sign_show() will write. ERR_FORMAT: not UTF-8, control
 * characters, or not representable; ERR_LIMIT: empty or more than the points can hold. */
MUST_USE int sign_layout(const struct profile *profile, const char *text, char ret_text[SIGN_TEXT_MAX], bool *ret_cut,
                         struct complaint *why);

#endif
