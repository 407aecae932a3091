/* sound.h - a recording as handed in, made into what loudspeakers play: 48 kHz mono Ogg Opus of about 32 kbit/s at -16
 * LUFS (EBU R 128) and at most -1 dBTP (ITU-R BS.1770-4), measured on the decoded result.
 *
 * Blocking and long (seconds for an hour of sound): for a worker thread. Bounded memory: all passes stream. */
#ifndef LOA_SOUND_H
#define LOA_SOUND_H

#include "controller/problem.h"

#include <stdint.h>

enum {
    SOUND_RATE_HZ = 48000,
    SOUND_LONGEST_S = 3600,
    SOUND_SHORTEST_MS = 200,
    SOUND_CHANNELS_MAX = 8,
    SOUND_SOURCE_RATE_MIN_HZ = 4000,
    SOUND_SOURCE_RATE_MAX_HZ = 384000,
};
#define SOUND_TARGET_LUFS (-16.0)
#define SOUND_SILENT_LUFS (-60.0)
#define SOUND_PEAK_DBTP   (-1.0)

struct sound_result {
    int64_t frames; /* at 48 kHz, of the decoded result */
    double loudness_lufs, true_peak_dbtp;
    char format[24]; /* of the source: "WAV", "FLAC", "Ogg Vorbis", ... */
    int channels, rate_hz;
};

/* Read `source`, write `target` (replaced; not synced), using `scratch` (a path of its own, removed at the end). 0, or
 * -1 with the sentence. `target` may be left behind on failure. */
int sound_take_in(const char *source, const char *target, const char *scratch, struct sound_result *ret,
                  struct problem *problem);

#endif
