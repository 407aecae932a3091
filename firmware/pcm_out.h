/* pcm_out.h - the ALSA card as the sound thread sees it: mono in, whatever the card takes out.
 *
 * Sound thread only. Opening and closing allocate; the rest does not. Errors are -errno: -EPIPE and -ESTRPIPE (ran dry,
 * suspended) are mended by pcm_out_restart(), all others by closing and opening again. */
#ifndef LOA_PCM_OUT_H
#define LOA_PCM_OUT_H

#include "firmware/shape.h"
#include "playlists/base/errors.h"

#include <alsa/asoundlib.h>
#include <stdbool.h>

enum { PCM_OUT_BLOCK = 480, PCM_OUT_CHANNELS_MAX = 2 };

struct pcm_out {
    snd_pcm_t *pcm; /* owned; NULL: closed */
    unsigned rate_hz;
    unsigned channels;
    enum shape_format format;
    int64_t buffer_frames;
    bool running;
    int64_t handed_frames;   /* taken by the card's buffer since it was last empty */
    int64_t consumed_frames; /* of these, the card has taken out again, as last known */
    uint8_t encoded[PCM_OUT_BLOCK * PCM_OUT_CHANNELS_MAX * SHAPE_SAMPLE_MAX];
};

struct pcm_moment {
    int64_t at_ns;           /* clock_elapsed_ns() */
    int64_t delay_frames;    /* then, before the next frame written would be heard */
    int64_t room_frames;     /* that can be written */
    int64_t consumed_frames; /* of those handed over since the buffer was last empty, the card has taken out again */
};

/* `rate_hz` and `channels` are wishes. The buffer holds at least `buffer_ms` where the card allows it. */
MUST_USE int pcm_out_open(struct pcm_out *out, const char *device, unsigned rate_hz, unsigned channels,
                          unsigned buffer_ms);
void pcm_out_close(struct pcm_out *out); /* drops what it holds; closed already is fine */

MUST_USE int pcm_out_measure(struct pcm_out *out, struct pcm_moment *ret_moment);
/* After an error: how far the card came (consumed_frames), as it tells by itself; never more than it told. */
int64_t pcm_out_consumed(struct pcm_out *out);
/* Hand over n frames, at most PCM_OUT_BLOCK and what there is room for. */
MUST_USE int pcm_out_write(struct pcm_out *out, const float *samples, size_t n);
MUST_USE int pcm_out_start(struct pcm_out *out);
/* After -EPIPE, -ESTRPIPE or pcm_out_drop(): empty and ready to be filled and started. */
MUST_USE int pcm_out_restart(struct pcm_out *out);
/* Silence now: throw away what has not been heard. */
void pcm_out_drop(struct pcm_out *out);

#endif
