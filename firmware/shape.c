/* shape.c - see shape.h. */
#include "firmware/shape.h"

#include "firmware/player.h"

#include <math.h>
#include <string.h>

struct ramp ramp_at(float value)
{
    return (struct ramp){.now = value, .target = value};
}

void ramp_aim(struct ramp *ramp, float target, uint32_t frames)
{
    ramp->target = target;
    ramp->step = frames == 0 ? target - ramp->now : (target - ramp->now) / (float)frames;
}

float ramp_next(struct ramp *ramp)
{
    float value = ramp->now;
    if (ramp->now == ramp->target) {
        return value;
    }
    float next = ramp->now + ramp->step;
    bool past = ramp->step >= 0 ? next >= ramp->target : next <= ramp->target;
    /* A last step smaller than rounding would leave a residue, and silence must be exactly zero. */
    ramp->now = past || fabsf(next - ramp->target) < fabsf(ramp->step) / 2 ? ramp->target : next;
    return value;
}

float shape_gain(int32_t gain_mb)
{
    return gain_mb <= PLAYER_GAIN_MIN_MB ? 0.0f : gain_mb == 0 ? 1.0f : powf(10.0f, (float)gain_mb / 2000.0f);
}

void shape_block(float *samples, size_t n, struct ramp *gain, struct ramp *envelope, uint64_t left,
                 uint32_t ramp_frames)
{
    for (size_t i = 0; i < n; i++) {
        float factor = ramp_next(gain) * ramp_next(envelope);
        uint64_t here = left == UINT64_MAX ? UINT64_MAX : left > i ? left - i : 0;
        if (here < ramp_frames) {
            factor *= (float)here / (float)ramp_frames;
        }
        samples[i] *= factor;
    }
}

/* n * rate / 1e9 to the nearest, without overflow for months of ns. */
static int64_t frames_of_ns(int64_t ns, uint32_t rate_hz)
{
    int64_t seconds = ns / 1000000000;
    int64_t rest = ns % 1000000000 * (int64_t)rate_hz;
    int64_t half = rest < 0 ? -500000000 : 500000000;
    return seconds * (int64_t)rate_hz + (rest + half) / 1000000000;
}

int64_t shape_place(int64_t start_ns, int64_t now_ns, int64_t delay_frames, uint32_t rate_hz)
{
    return frames_of_ns(start_ns - now_ns, rate_hz) - delay_frames;
}

int64_t shape_heard_at(int64_t now_ns, int64_t behind, uint32_t rate_hz)
{
    int64_t seconds = behind / (int64_t)rate_hz;
    int64_t rest = behind % (int64_t)rate_hz;
    return now_ns - seconds * 1000000000 - rest * 1000000000 / (int64_t)rate_hz;
}

uint64_t shape_frames(uint64_t frames, uint32_t from_hz, uint32_t to_hz)
{
    if (from_hz == to_hz || from_hz == 0) {
        return from_hz == 0 ? 0 : frames;
    }
    return (frames * to_hz + from_hz / 2) / from_hz;
}

static size_t put_sample(float sample, enum shape_format format, uint8_t *ret)
{
    int16_t s16 = 0;
    int32_t s32 = 0;
    switch (format) {
    case SHAPE_S16:
        sample = sample * 32768.0f;
        s16 = sample >= 32767.0f ? INT16_MAX : sample <= -32768.0f ? INT16_MIN : (int16_t)lrintf(sample);
        memcpy(ret, &s16, sizeof(s16));
        return sizeof(s16);
    case SHAPE_S32:
        s32 = sample >= 1.0f ? INT32_MAX : sample <= -1.0f ? INT32_MIN : (int32_t)lrint((double)sample * 2147483648.0);
        memcpy(ret, &s32, sizeof(s32));
        return sizeof(s32);
    case SHAPE_FLOAT:
        sample = sample > 1.0f ? 1.0f : sample < -1.0f ? -1.0f : sample;
        memcpy(ret, &sample, sizeof(sample));
        return sizeof(sample);
    }
    return 0;
}

void shape_encode(const float *samples, size_t n, enum shape_format format, unsigned channels, void *ret_frames)
{
    uint8_t *at = ret_frames;
    for (size_t i = 0; i < n; i++) {
        for (unsigned c = 0; c < channels; c++) {
            at += put_sample(samples[i], format, at);
        }
    }
}
