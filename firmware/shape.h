/* shape.h - the arithmetic of the player: where a frame lands in time, ramps, samples as the card wants them.
 *
 * Pure; safe in the sound thread: no allocation, no lock. */
#ifndef LOA_SHAPE_H
#define LOA_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value that reaches its target in a straight line. */
struct ramp {
    float now;
    float target;
    float step; /* a frame */
};

struct ramp ramp_at(float value);                                /* at rest */
void ramp_aim(struct ramp *ramp, float target, uint32_t frames); /* there after `frames` frames */
float ramp_next(struct ramp *ramp);                              /* the value of this frame */

/* Factor for a gain in hundredths of a decibel; PLAYER_GAIN_MIN_MB and below: exactly 0. */
float shape_gain(int32_t gain_mb);

/* Bring a block into shape: each sample times gain, times envelope, times a straight line to 0 over the last
 * `ramp_frames` frames when `left` frames (this block's first one included) are left of the sound; left UINT64_MAX: no
 * end in sight. */
void shape_block(float *samples, size_t n, struct ramp *gain, struct ramp *envelope, uint64_t left,
                 uint32_t ramp_frames);

/* Frames of silence to write before a sound that is to be heard at `start_ns`, when at `now_ns` the card had
 * `delay_frames` to put out before the next frame written. Nearest frame; at most 0 when it is late. */
int64_t shape_place(int64_t start_ns, int64_t now_ns, int64_t delay_frames, uint32_t rate_hz);

/* When the frame `behind` frames before the one that is heard at `now_ns` was heard. */
int64_t shape_heard_at(int64_t now_ns, int64_t behind, uint32_t rate_hz);

/* Frames at one rate counted at another, to the nearest; 0 for a rate of 0. Good up to 2^40 frames. */
uint64_t shape_frames(uint64_t frames, uint32_t from_hz, uint32_t to_hz);

enum shape_format { SHAPE_S16, SHAPE_S32, SHAPE_FLOAT };
enum { SHAPE_SAMPLE_MAX = 4 };

/* Mono to interleaved little-endian samples, each channel the same; saturates; s16 is exact for what was s16 before. */
void shape_encode(const float *samples, size_t n, enum shape_format format, unsigned channels, void *ret_frames);

#endif
