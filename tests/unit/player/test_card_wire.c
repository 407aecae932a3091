/* test_card_wire.c - the virtual card's clock and its recording's header. */
#include "unit.h"

#include "tools/soundcard/card_wire.h"
#include "tools/soundcard/faults.h"
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

static void a_stream_knows_where_it_is(void **state)
{
    (void)state;
    struct card_pace pace = {
        .start_mono_ns = 1000, .rate_mhz = 48000000, .anchor_frame = 4800, .still_frame = CARD_MOVES};
    assert_int_equal(card_heard_at(&pace, 1000), -4800);
    assert_int_equal(card_heard_at(&pace, 1000 + 200000000), 4800);
    pace.still_frame = 6000;
    assert_int_equal(card_heard_at(&pace, 1000 + 200000000), 1200);
}

static void faults_are_words(void **state)
{
    (void)state;
    struct fault fault;
    struct complaint why = {.text = ""};
    assert_int_equal(fault_parse("vanish", &fault, &why), 0);
    assert_true(fault.kind == FAULT_VANISH && fault.ms == 0);
    assert_int_equal(fault_parse("busy 2500", &fault, &why), 0);
    assert_true(fault.kind == FAULT_BUSY && fault.ms == 2500);
    assert_int_equal(fault_parse("underrun", &fault, &why), 0);
    assert_true(fault.number == 1 && fault.ms == 200);
    assert_int_equal(fault_parse("underrun 5  40", &fault, &why), 0);
    assert_true(fault.number == 5 && fault.ms == 40);
    assert_int_equal(fault_parse("ppm -200", &fault, &why), 0);
    assert_true(fault.kind == FAULT_PPM && fault.number == -200);
    static const char *const bad[] = {"",         "vanished",        "vanish x",   "vanish 0",  "vanish -1",
                                      "busy 1 2", "busy 9999999999", "underrun 0", "ppm",       "ppm 1001",
                                      "ppm 1.5",  "return 5",        "status x",   "freeze 1x", " vanish"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why.text[0] = '\0';
        assert_true(fault_parse(bad[i], &fault, &why) < 0);
        assert_true(why.text[0] != '\0');
    }
}

static void faults_end_by_themselves(void **state)
{
    (void)state;
    struct faults faults = {.dry_left = 0};
    faults_set(&faults, &(struct fault){.kind = FAULT_VANISH, .ms = 5}, 100);
    faults_set(&faults, &(struct fault){.kind = FAULT_FREEZE}, 100);
    faults_pass(&faults, 5000099);
    assert_true(faults.gone_until_ns != 0);
    faults_pass(&faults, 5000100);
    assert_true(faults.gone_until_ns == 0 && faults.still_until_ns == INT64_MAX);
    faults_set(&faults, &(struct fault){.kind = FAULT_UNDERRUN, .number = 2, .ms = 10}, 0);
    assert_true(faults_dry(&faults, 0));
    assert_false(faults_dry(&faults, 9999999));
    assert_true(faults_dry(&faults, 10000000));
    assert_false(faults_dry(&faults, 90000000));
    faults_set(&faults, &(struct fault){.kind = FAULT_RETURN}, 0);
    assert_true(faults.still_until_ns == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_and_frames_agree),
        cmocka_unit_test(a_stream_knows_where_it_is),
        cmocka_unit_test(faults_are_words),
        cmocka_unit_test(faults_end_by_themselves),
        cmocka_unit_test(header_of_a_short_recording),
        cmocka_unit_test(header_beyond_four_gib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
