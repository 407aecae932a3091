/* evidence.h - what the outputs proved of one airing, as plain values: the words between stage and receipts.
 *
 * Free of the headers of the wire and of the hardware, which both have their own idea of evidence. */
#ifndef LOA_EVIDENCE_H
#define LOA_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { EVIDENCE_TEXT_MAX = 2048, EVIDENCE_FAULTS_MAX = 16, EVIDENCE_FAULT_LEN = 65 };

struct airing_sound {
    bool asked;
    int64_t frames_expected, frames, xruns; /* at 48 kHz */
    int64_t first_elapsed_ns;               /* first frame heard; 0: none */
    int64_t start_error_us;
};

struct airing_horns {
    bool asked; /* an amplifier took part */
    bool commanded, power, seen;
    int64_t level_mb, temperature_c;
    char faults[EVIDENCE_FAULTS_MAX][EVIDENCE_FAULT_LEN]; /* "<amplifier>.<point>" */
    int n_faults;
};

struct airing_panels {
    bool asked; /* a sign took part */
    bool written, read_back, cut;
    char text[EVIDENCE_TEXT_MAX]; /* read back, page after page */
};

struct airing_evidence {
    struct airing_sound sound;
    struct airing_horns horns;
    struct airing_panels panels;
    char problem[480]; /* one sentence; empty when all went well */
};

/* How one amplifier or sign is, for health and events. */
/* Bits of part_report.faults beside those of the profile's fault points, which are 32 at most. */
#define FAULT_CONTRADICTED (UINT64_C(1) << 32) /* meter and relay disagree */
#define FAULT_NOT_SHOWN    (UINT64_C(1) << 33) /* a sign does not show what it should */

struct part_report {
    const char *name; /* borrowed */
    bool reachable;
    int64_t since_elapsed_ms; /* since when it is (un)reachable */
    bool faulty;              /* fault points are set, or it does not do what is wanted */
    uint64_t faults;          /* which: a bit each (FAULT_* above the points'); 0: none */
    bool has_temperature, has_level;
    double temperature_c, level_db;
    char problem[240]; /* one sentence; empty when all is well */
};

#endif
