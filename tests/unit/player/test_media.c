/* test_media.c - files in, mono samples out, lies refused. */
#include "unit.h"

#include "firmware/media.h"
#include "firmware/player.h"
#include "playlists/base/bytes.h"

#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/loa-media-XXXXXX";

static char *make(const char *name, int rate, int channels, int frames)
{
    char *path = xasprintf("%s/%s", folder, name);
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    for (int i = 0; i < frames; i++) {
        float frame[16];
        for (int c = 0; c < channels; c++) {
            frame[c] = (float)i / 100000.0f + (c % 2 == 0 ? 0.25f : -0.25f);
        }
        assert_int_equal(sf_writef_float(file, frame, 1), 1);
    }
    (void)sf_close(file);
    return path;
}

/* All samples of a file: count, or the error. */
static int drain(const char *path, uint32_t rate_hz, uint64_t offset, uint64_t expected, float *ret_first)
{
    struct media *media = NULL;
    struct complaint why = {.text = ""};
    int r = media_open(path, rate_hz, offset, expected, &media, &why);
    if (r < 0) {
        assert_true(why.text[0] != '\0');
        return r;
    }
    float block[1000];
    int total = 0;
    for (r = media_read(media, block, 1000, &why); r > 0; r = media_read(media, block, 1000, &why)) {
        if (total == 0 && ret_first != NULL) {
            *ret_first = block[0];
        }
        total += r;
    }
    media_close(media);
    return r < 0 ? r : total;
}

static void channels_are_mixed(void **state)
{
    (void)state;
    char *path = make("stereo.wav", 48000, 2, 5000);
    float first = 9;
    assert_int_equal(drain(path, 48000, 0, 5000, &first), 5000);
    assert_true(fabsf(first) < 1e-6f);
    assert_int_equal(drain(path, 48000, 1000, 5000, &first), 4000);
    assert_true(fabsf(first - 0.01f) < 1e-6f);
    assert_int_equal(drain(path, 48000, 5000, 5000, NULL), 0);
    free(path);
}

static void rates_are_brought_together(void **state)
{
    (void)state;
    char *path = make("r44.wav", 44100, 1, 44100);
    int total = drain(path, 48000, 0, 48000, NULL);
    assert_in_range(total, 47990, 48010);
    total = drain(path, 16000, 24000, 48000, NULL);
    assert_in_range(total, 7990, 8010);
    free(path);
}

static void lengths_must_agree(void **state)
{
    (void)state;
    char *path = make("len.wav", 48000, 1, 5000);
    assert_int_equal(drain(path, 48000, 0, 4999, NULL), -EMSGSIZE);
    assert_int_equal(drain(path, 48000, 0, 5001, NULL), -EMSGSIZE);
    assert_int_equal(drain(path, 48000, 0, 0, NULL), 5000);
    assert_int_equal(drain(path, 48000, 6000, 0, NULL), ERR_FORMAT);
    free(path);
}

static void what_is_out_of_bounds_is_refused(void **state)
{
    (void)state;
    char *path = make("nine.wav", 48000, 9, 100);
    assert_int_equal(drain(path, 48000, 0, 0, NULL), ERR_FORMAT);
    free(path);
    path = make("slow.wav", 4000, 1, 100);
    assert_int_equal(drain(path, 48000, 0, 0, NULL), ERR_FORMAT);
    free(path);
    path = make("fast.wav", 200000, 1, 100);
    assert_int_equal(drain(path, 48000, 0, 0, NULL), ERR_FORMAT);
    free(path);
    assert_int_equal(drain("/nowhere/x.wav", 48000, 0, 0, NULL), -ENOENT);
    assert_int_equal(drain(folder, 48000, 0, 0, NULL), -EINVAL);
    assert_int_equal(drain("/dev/zero", 48000, 0, 0, NULL), -EINVAL);
}

static void no_numbers_are_silence(void **state)
{
    (void)state;
    char *path = xasprintf("%s/nan.wav", folder);
    SF_INFO info = {.samplerate = 48000, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    const float bad[4] = {NAN, INFINITY, -INFINITY, 1e30f};
    assert_int_equal(sf_writef_float(file, bad, 4), 4);
    (void)sf_close(file);
    struct media *media = NULL;
    float out[8];
    assert_int_equal(media_open(path, 48000, 0, 4, &media, NULL), 0);
    assert_int_equal(media_read(media, out, 8, NULL), 4);
    for (int i = 0; i < 4; i++) {
        assert_true(out[i] == 0.0f);
    }
    media_close(media);
    free(path);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"stereo.wav", "r44.wav",  "len.wav", "nine.wav",
                                        "slow.wav",   "fast.wav", "nan.wav"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = xasprintf("%s/%s", folder, names[i]);
        (void)unlink(path);
        free(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_are_mixed),     cmocka_unit_test(rates_are_brought_together),
        cmocka_unit_test(lengths_must_agree),     cmocka_unit_test(what_is_out_of_bounds_is_refused),
        cmocka_unit_test(no_numbers_are_silence),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
