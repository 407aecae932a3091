/* decoder.h - the thread that turns media files into samples, for all tracks that there are.
 *
 * Fills the ring of each track ahead, in turn, so that the next one is ready before the one on has ended. Functions
 * belong to the loop thread. */
#ifndef LOA_DECODER_H
#define LOA_DECODER_H

#include "firmware/track.h"

enum { DECODER_TRACKS_MAX = 12, DECODER_AHEAD_MS = 2000 };

struct decoder;

/* `tell_sound`, `tell_loop`: eventfds (borrowed) raised when a track's source has changed, and when a track is let go.
 */
MUST_USE int decoder_new(int tell_sound, int tell_loop, struct decoder **ret_decoder);
void decoder_free(struct decoder *decoder); /* joins; every track is let go. NULL is fine */

/* Begin with this track. -ENOSPC: too many. */
MUST_USE int decoder_add(struct decoder *decoder, struct track *track);

/* eventfd (owned by the decoder): raise it after changing a track's `cancelled` or `wanted_hz`. Any thread, no lock. */
int decoder_wake_fd(const struct decoder *decoder);
/* The thread did not come back when it should have. */
bool decoder_stuck(const struct decoder *decoder);

#endif
