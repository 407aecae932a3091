/* test_card_wire.c - the virtual card's clock and its recording's header. */
#include "unit.h"

#include "tools/soundcard/card_wire.h"
#include "tools/soundcard/wav_out.h"

#include <string.h>

static void clock_and_frames_agree(void **state)
{
    (void)state;
    const int64_t start = 123456789;
    const uint64_t rates[] = {8000000, 44100000, 48000000, 48004800, 192000000};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(card_frame_at(start, rates[i], start), 0);
        assert_int_equal(card_frame_at(start, rates[i], start - 5), 0);
        assert_int_equal(card_frame_at(start, rates[i], start + 1000 * INT64_C(1000000000)), rates[i]);
        for (uint64_t frame = 1; frame < UINT64_C(1) << 44; frame = frame * 3 + 1) {
            int64_t at = card_time_of(start, rates[i], frame);
            assert_int_equal(card_frame_at(start, rates[i], at - 1), frame - 1);
            assert_int_equal(card_frame_at(start, rates[i], at + 1), frame);
        }
    }
}

static uint32_t u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void header_of_a_short_recording(void **state)
{
    (void)state;
    uint8_t header[WAV_OUT_HEADER_MAX];
    /* 2026-11-21T02:03:04.5Z */
    size_t len = wav_out_header(header, 48000, 1, INT64_C(1795226584500000000), 48000);
    assert_memory_equal(header, "RIFF", 4);
    assert_int_equal(u32(header + 4), len - 8 + 96000);
    assert_memory_equal(header + len - 8, "data", 4);
    assert_int_equal(u32(header + len - 4), 96000);
    const uint8_t *bext = header + 12 + 8 + 28;
    assert_memory_equal(bext, "bext", 4);
    assert_memory_equal(bext + 8 + 320, "2026-11-2102:03:04", 18);
    assert_int_equal(u32(bext + 8 + 338), (2 * 3600 + 3 * 60 + 4) * 48000u + 24000u);
}

static void header_beyond_four_gib(void **state)
{
    (void)state;
    uint8_t header[WAV_OUT_HEADER_MAX];
    uint64_t frames = UINT64_C(3) << 30;
    size_t len = wav_out_header(header, 48000, 1, 0, frames);
    assert_memory_equal(header, "RF64", 4);
    assert_memory_equal(header + 12, "ds64", 4);
    assert_int_equal(u32(header + 4), UINT32_MAX);
    assert_int_equal(u32(header + 28) | (uint64_t)u32(header + 32) << 32, frames * 2);
    assert_int_equal(u32(header + 36) | (uint64_t)u32(header + 40) << 32, frames);
    assert_int_equal(len, wav_out_header(header, 48000, 1, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_and_frames_agree),
        cmocka_unit_test(header_of_a_short_recording),
        cmocka_unit_test(header_beyond_four_gib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
