/* test_shape.c - where frames land, ramps, encoding. */
#include "unit.h"

#include "firmware/player.h"
#include "firmware/shape.h"

#include <math.h>
#include <string.h>

static void placement(void **state)
{
    (void)state;
    const int64_t now = 5000000000;
    assert_int_equal(shape_place(now + 1000000000, now, 0, 48000), 48000);
    assert_int_equal(shape_place(now + 1000000000, now, 4800, 48000), 43200);
    assert_int_equal(shape_place(now, now, 100, 48000), -100);
    assert_int_equal(shape_place(0, now, 0, 48000), -240000);
    assert_int_equal(shape_place(now + 10400, now, 0, 48000), 0); /* 0.4992 frames */
    assert_int_equal(shape_place(now + 10500, now, 0, 48000), 1); /* 0.504 frames */
    assert_int_equal(shape_place(now - 10500, now, 0, 48000), -1);
    assert_int_equal(shape_place(now + 86400 * 365 * INT64_C(1000000000), now, 0, 192000),
                     86400 * 365 * INT64_C(192000));
    assert_int_equal(shape_heard_at(now, 48000, 48000), now - 1000000000);
    assert_int_equal(shape_heard_at(now, -24000, 48000), now + 500000000);
    for (int64_t frames = 0; frames < 500000; frames += 777) { /* there and back */
        assert_int_equal(shape_place(shape_heard_at(now, -frames, 44100), now, 0, 44100), frames);
    }
}

static void counting_at_other_rates(void **state)
{
    (void)state;
    assert_int_equal(shape_frames(44100, 44100, 48000), 48000);
    assert_int_equal(shape_frames(12345, 48000, 48000), 12345);
    assert_int_equal(shape_frames(5, 0, 48000), 0);
    assert_int_equal(shape_frames(UINT64_C(4) * 3600 * 48000, 48000, 192000), UINT64_C(4) * 3600 * 192000);
}

static void ramps_reach_their_target_exactly(void **state)
{
    (void)state;
    for (uint32_t frames = 0; frames < 2000; frames += 7) {
        struct ramp ramp = ramp_at(0.37f);
        ramp_aim(&ramp, 0, frames);
        float last = 1;
        for (uint32_t i = 0; i < frames + 2; i++) {
            float value = ramp_next(&ramp);
            assert_true(value <= last && value >= 0);
            last = value;
        }
        assert_true(ramp.now == 0.0f);
    }
}

static void a_block_ends_in_a_ramp(void **state)
{
    (void)state;
    float samples[1000];
    for (size_t i = 0; i < 1000; i++) {
        samples[i] = 1;
    }
    struct ramp gain = ramp_at(0.5f);
    struct ramp envelope = ramp_at(0);
    ramp_aim(&envelope, 1, 100);
    shape_block(samples, 600, &gain, &envelope, 1000, 100);
    shape_block(samples + 600, 400, &gain, &envelope, 400, 100);
    assert_true(samples[0] == 0.0f);
    assert_true(fabsf(samples[50] - 0.25f) < 0.01f);
    assert_true(samples[500] == 0.5f && samples[899] == 0.5f);
    assert_true(fabsf(samples[950] - 0.25f) < 0.01f);
    assert_true(samples[999] > 0 && samples[999] < 0.01f);
}

static void gains(void **state)
{
    (void)state;
    assert_true(shape_gain(0) == 1.0f);
    assert_true(shape_gain(PLAYER_GAIN_MIN_MB) == 0.0f);
    assert_true(fabsf(shape_gain(-602) - 0.5f) < 0.001f);
    assert_true(fabsf(shape_gain(600) - 1.9953f) < 0.001f);
}

static void sixteen_bits_survive(void **state)
{
    (void)state;
    for (int value = INT16_MIN; value <= INT16_MAX; value++) {
        float sample = (float)value / 32768.0f;
        int16_t out[2];
        int32_t wide;
        shape_encode(&sample, 1, SHAPE_S16, 2, out);
        shape_encode(&sample, 1, SHAPE_S32, 1, &wide);
        assert_int_equal(out[0], value);
        assert_int_equal(out[1], value);
        assert_int_equal(wide, value * 65536);
    }
}

static void loud_saturates(void **state)
{
    (void)state;
    const float loud[2] = {7.0f, -7.0f};
    int16_t s16[2];
    int32_t s32[2];
    float real[2];
    shape_encode(loud, 2, SHAPE_S16, 1, s16);
    shape_encode(loud, 2, SHAPE_S32, 1, s32);
    shape_encode(loud, 2, SHAPE_FLOAT, 1, real);
    assert_true(s16[0] == INT16_MAX && s16[1] == INT16_MIN);
    assert_true(s32[0] == INT32_MAX && s32[1] == INT32_MIN);
    assert_true(real[0] == 1.0f && real[1] == -1.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placement),
        cmocka_unit_test(counting_at_other_rates),
        cmocka_unit_test(ramps_reach_their_target_exactly),
        cmocka_unit_test(a_block_ends_in_a_ramp),
        cmocka_unit_test(gains),
        cmocka_unit_test(sixteen_bits_survive),
        cmocka_unit_test(loud_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
