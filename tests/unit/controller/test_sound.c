/* Intake: the limiter's ceiling, and loudness and true peak of what comes out, measured anew here. */
#include "unit.h"

#include "controller/limiter.h"
#include "controller/sound.h"

#include <ebur128.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[40];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/loa-sound-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static const char *in_dir(char ret[80], const char *name)
{
    snprintf(ret, 80, "%s/%s", dir, name);
    return ret;
}

static int teardown(void **state)
{
    char path[80];
    (void)state;
    unlink(in_dir(path, "in"));
    unlink(in_dir(path, "out"));
    return rmdir(dir);
}

static unsigned long seed = 12345;

static double noise(void)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (double)(seed >> 33) / (double)(1UL << 30) - 1.0;
}

/* Like speech: bursts of harmonics with pauses, and hard peaks when `spiky`. */
static void write_sound(int rate, int channels, double seconds, double level, int format, bool spiky)
{
    char path[80];
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_open(in_dir(path, "in"), SFM_WRITE, &info);
    assert_non_null(file);
    for (int i = 0; i < (int)(seconds * rate); i++) {
        double t = (double)i / rate, burst = fmod(t, 0.5) < 0.35 ? 1.0 : 0.02, v = 0;
        for (int h = 1; h < 9; h++)
            v += sin(2 * M_PI * 140 * h * t + h) / h;
        v = level * burst * (0.5 * v + 0.1 * noise());
        if (spiky && i % (rate / 4) == 7)
            v = 0.99;
        float frame[8];
        for (int c = 0; c < channels; c++)
            frame[c] = (float)fmax(-1, fmin(1, v));
        sf_writef_float(file, frame, 1);
    }
    sf_close(file);
}

static int take_in(struct sound_result *ret, struct problem *problem)
{
    char in[80], out[80], scratch[80];
    memset(problem, 0, sizeof(*problem));
    return sound_take_in(in_dir(in, "in"), in_dir(out, "out"), in_dir(scratch, "scratch"), ret, problem);
}

static void measure(double *ret_lufs, double *ret_dbtp, int64_t *ret_frames)
{
    char path[80];
    SF_INFO info = {0};
    SNDFILE *file = sf_open(in_dir(path, "out"), SFM_READ, &info);
    float chunk[1024];
    sf_count_t n;
    double peak;
    assert_non_null(file);
    assert_int_equal(info.samplerate, 48000);
    assert_int_equal(info.channels, 1);
    assert_int_equal(info.format & SF_FORMAT_SUBMASK, SF_FORMAT_OPUS);
    ebur128_state *meter = ebur128_init(1, 48000, EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK);
    *ret_frames = 0;
    while ((n = sf_readf_float(file, chunk, 1024)) > 0) {
        ebur128_add_frames_float(meter, chunk, (size_t)n);
        *ret_frames += n;
    }
    ebur128_loudness_global(meter, ret_lufs);
    ebur128_true_peak(meter, 0, &peak);
    *ret_dbtp = 20 * log10(peak);
    ebur128_destroy(&meter);
    sf_close(file);
}

static void nothing_leaves_the_limiter_above_its_ceiling(void **state)
{
    (void)state;
    struct limiter limiter;
    limiter_init(&limiter, 0.5, 80, 48000);
    float quiet_in[400];
    for (int i = 0; i < 200000; i++) {
        float in = (float)(noise() * (i % 20000 < 500 ? 4.0 : 0.9));
        assert_true(fabsf(limiter_step(&limiter, in)) <= 0.5f + 1e-6f);
    }
    limiter_init(&limiter, 0.5, 80, 48000);
    for (int i = 0; i < 400; i++) {
        quiet_in[i] = (float)(0.4 * noise());
        float out = limiter_step(&limiter, quiet_in[i]);
        if (i >= LIMITER_LOOKAHEAD) /* below the ceiling: the same samples, later */
            assert_float_equal(out, quiet_in[i - LIMITER_LOOKAHEAD], 1e-6);
    }
}

static void comes_out_at_the_target(void **state)
{
    static const struct {
        int rate, channels, format;
        double level;
        bool spiky;
    } cases[] = {{44100, 2, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 0.02, false},
                 {48000, 1, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 0.9, false},
                 {8000, 1, SF_FORMAT_WAV | SF_FORMAT_ULAW, 0.3, false},
                 {22050, 1, SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.2, false},
                 {96000, 1, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 0.1, true},
                 {48000, 1, SF_FORMAT_OGG | SF_FORMAT_OPUS, 0.2, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sound_result result = {0};
        struct problem problem;
        double lufs, dbtp, within_lu = cases[i].spiky ? 1.5 : 0.5;
        int64_t frames;
        write_sound(cases[i].rate, cases[i].channels, 3.0, cases[i].level, cases[i].format, cases[i].spiky);
        if (take_in(&result, &problem) != 0)
            fail_msg("case %zu: %s", i, problem.en);
        measure(&lufs, &dbtp, &frames);
        print_message("case %zu: %.2f LUFS %.2f dBTP %lld frames\n", i, lufs, dbtp, (long long)frames);
        assert_true(dbtp <= -1.0);
        assert_float_equal(lufs, -16.0, within_lu);
        assert_float_equal(result.loudness_lufs, lufs, 0.01);
        assert_float_equal(result.true_peak_dbtp, dbtp, 0.01);
        assert_int_equal(result.frames, frames);
        assert_true(llabs(frames - 3 * 48000) <= 480);
        assert_int_equal(result.rate_hz, cases[i].rate);
    }
}

static void short_and_quiet_ones_are_told_apart(void **state)
{
    struct sound_result result;
    struct problem problem;
    (void)state;
    write_sound(16000, 1, 0.25, 0.3, SF_FORMAT_WAV | SF_FORMAT_PCM_16, false);
    assert_int_equal(take_in(&result, &problem), 0);
    assert_true(result.true_peak_dbtp <= -1.0);
    assert_true(llabs(result.frames - 12000) <= 48);
    write_sound(16000, 1, 0.15, 0.3, SF_FORMAT_WAV | SF_FORMAT_PCM_16, false);
    assert_int_equal(take_in(&result, &problem), -1);
    assert_int_equal(problem.status, 422);
    assert_non_null(strstr(problem.en, "0.150 seconds"));
    write_sound(16000, 1, 1.0, 0.0001, SF_FORMAT_WAV | SF_FORMAT_FLOAT, false);
    assert_int_equal(take_in(&result, &problem), -1);
    assert_non_null(strstr(problem.en, "silent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaves_the_limiter_above_its_ceiling),
        cmocka_unit_test_setup_teardown(comes_out_at_the_target, setup, teardown),
        cmocka_unit_test_setup_teardown(short_and_quiet_ones_are_told_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
