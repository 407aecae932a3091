/* media.h - one media file as mono sound at the rate that is asked for.
 *
 * The file is hostile until proven otherwise: kind of file, channels, rate and length are bounded, what its header says
 * is compared with what comes out, samples that are no numbers become silence. Blocking; one thread a file. */
#ifndef LOA_MEDIA_H
#define LOA_MEDIA_H

#include "playlists/base/errors.h"

#include <stddef.h>
#include <stdint.h>

enum { MEDIA_CHANNELS_MAX = 8, MEDIA_RATE_MIN_HZ = 8000, MEDIA_RATE_MAX_HZ = 192000 };

struct media;

/* Open at `offset_frames`; it and `expected_frames` (0: not known) count at PLAYER_MEDIA_RATE_HZ. -errno when it cannot
 * be opened, ERR_FORMAT when it is not sound we take, ERR_LIMIT when too long, -EMSGSIZE when its header shows another
 * length than the expected. */
MUST_USE int media_open(const char *path, uint32_t rate_hz, uint64_t offset_frames, uint64_t expected_frames,
                        struct media **ret_media, struct complaint *why);
void media_close(struct media *media); /* NULL is fine */

/* Up to `n` samples; 0: the end. ERR_FORMAT, ERR_LIMIT, or -EMSGSIZE when it ends before or goes on after the expected
 * length. */
MUST_USE int media_read(struct media *media, float *ret_samples, size_t n, struct complaint *why);

#endif
