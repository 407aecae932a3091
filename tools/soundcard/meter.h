/* meter.h - a level meter on the frames that a card puts out, told to any number of listeners.
 *
 * Unix stream socket; every METER_BLOCK_MS one JSON line {"rms_mb": n, "at_unix_ms": t}: n is the root mean square of
 * the last two blocks over all channels in hundredths of a dB below full scale (a full-scale sine: -301), -12000 for
 * digital silence; t is when the last of these frames is put out. A listener that does not read misses lines. One
 * thread. */
#ifndef LOA_METER_H
#define LOA_METER_H

#include "playlists/base/errors.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

enum { METER_BLOCK_MS = 50, METER_CLIENTS_MAX = 32, METER_SILENCE_MB = -12000 };

struct meter {
    int listener;                   /* owned; -1: nobody can listen */
    int clients[METER_CLIENTS_MAX]; /* owned; -1: free */
    char *path;                     /* owned */
    uint32_t channels;
    uint32_t block_frames;
    uint32_t in_block; /* frames gathered */
    double sum;        /* of squares, of the block that is being gathered */
    double last_sum;   /* of the block before */
};

/* `path` NULL: no socket. */
MUST_USE int meter_init(struct meter *meter, const char *path, uint32_t rate_hz, uint32_t channels,
                        struct complaint *why);
void meter_done(struct meter *meter);

/* Frames to come until the block is full, at least 1: meter_put() takes at most this many. */
uint32_t meter_room(const struct meter *meter);
/* Count frames (NULL: zeros); a full block is told to the listeners. */
void meter_put(struct meter *meter, const int16_t *frames, uint32_t n, int64_t end_unix_ms);

/* Descriptors to poll (at most 1 + METER_CLIENTS_MAX), and what to do when poll has returned. */
size_t meter_poll_fds(const struct meter *meter, struct pollfd *ret_fds);
void meter_serve(struct meter *meter, const struct pollfd *fds, size_t n);

/* Pure: level of a mean square of 16-bit samples. */
int meter_level_mb(double mean_square);

#endif
