/* wav_out.h - a recording that is a valid WAV file at any moment.
 *
 * Broadcast WAV (EBU Tech 3285 v1, chunk `bext` with the UTC date and time of frame 0), 16 bit; beyond 4 GiB the same
 * header turns into RF64 (EBU Tech 3306). The header is rewritten by wav_out_commit() after the data it counts. Beside
 * it: PATH.json {"start_unix_ms", "rate", "channels"} and PATH.times, JSON lines {"frame", "unix_ns"}. One thread. */
#ifndef LOA_WAV_OUT_H
#define LOA_WAV_OUT_H

#include "playlists/base/errors.h"

#include <stddef.h>
#include <stdint.h>

enum { WAV_OUT_HEADER_MAX = 800 };

struct wav_out;

/* Replaces what is at `path`. `start_unix_ns`: wall time of frame 0. */
MUST_USE int wav_out_open(const char *path, uint32_t rate_hz, uint32_t channels, int64_t start_unix_ns,
                          struct wav_out **ret_wav, struct complaint *why);

/* Append `n` frames (NULL: zeros). 0 or -errno; a part may have been written, and the next call goes on. */
MUST_USE int wav_out_put(struct wav_out *wav, const int16_t *frames, size_t n);

/* Make the header true, and note that the next frame is put out at `unix_ns`. */
MUST_USE int wav_out_commit(struct wav_out *wav, int64_t unix_ns);

/* Commits and closes. NULL is fine. */
void wav_out_close(struct wav_out *wav, int64_t unix_ns);

/* Pure: the header of a recording with `frames` frames; returns its length, the same for any number of frames. */
size_t wav_out_header(uint8_t ret_header[WAV_OUT_HEADER_MAX], uint32_t rate_hz, uint32_t channels,
                      int64_t start_unix_ns, uint64_t frames);

#endif
