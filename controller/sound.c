/* sound.c - see sound.h. Three passes: source -> mono 48 kHz floats on disk, measured; floats -> gain, limiter, Opus;
 * Opus -> measured. The last two repeat with another gain or ceiling until the result keeps the limits. */
#include "controller/sound.h"

#include "controller/limiter.h"

#include <ebur128.h>
#include <math.h>
#include <samplerate.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 4096, OUT_CHUNK = CHUNK * 13, ROUNDS_MAX = 10 };

/* Loudness needs 400 ms: a shorter clip is measured as if it were repeated. */
enum { MEASURE_MIN_FRAMES = SOUND_RATE_HZ / 2 };

#define GAIN_MAX_DB     50.0
#define CEILING_MIN_DB  (-12.0)
#define LOUDNESS_WITHIN 0.3

struct meter {
    double loudness_lufs, peak_dbtp;
};

static void mono(const float *in, size_t frames, int channels, float *ret)
{
    for (size_t i = 0; i < frames; i++) {
        double sum = 0;
        for (int c = 0; c < channels; c++) {
            double v = (double)in[i * (size_t)channels + (size_t)c];
            sum += isfinite(v) ? fmax(-8.0, fmin(8.0, v)) : 0.0;
        }
        ret[i] = (float)(sum / channels);
    }
}

struct resampler {
    SRC_STATE *state; /* NULL: the rate is right already */
    double ratio;
    FILE *out; /* borrowed */
    int64_t frames;
    float buffer[OUT_CHUNK];
};

static int put_floats(struct resampler *rs, const float *data, size_t frames)
{
    rs->frames += (int64_t)frames;
    return fwrite(data, sizeof(float), frames, rs->out) == frames ? 0 : -1;
}

static int resample(struct resampler *rs, const float *in, size_t frames, bool last)
{
    if (!rs->state)
        return put_floats(rs, in, frames);
    SRC_DATA data = {.data_in = in, .input_frames = (long)frames, .src_ratio = rs->ratio, .end_of_input = last};
    for (;;) {
        data.data_out = rs->buffer;
        data.output_frames = OUT_CHUNK;
        if (src_process(rs->state, &data) != 0 || put_floats(rs, rs->buffer, (size_t)data.output_frames_gen) < 0)
            return -1;
        data.data_in += data.input_frames_used;
        data.input_frames -= data.input_frames_used;
        if (data.output_frames_gen < OUT_CHUNK && (data.input_frames <= 0 || data.input_frames_used == 0))
            return 0;
    }
}

static int check_info(const SF_INFO *info, struct problem *problem)
{
    if (info->channels < 1 || info->channels > SOUND_CHANNELS_MAX)
        return refuse(problem, 422, "sound", NULL, WORD_SOUND_CHANNELS, info->channels, SOUND_CHANNELS_MAX);
    if (info->samplerate < SOUND_SOURCE_RATE_MIN_HZ || info->samplerate > SOUND_SOURCE_RATE_MAX_HZ)
        return refuse(problem, 422, "sound", NULL, WORD_SOUND_RATE, info->samplerate, SOUND_SOURCE_RATE_MIN_HZ,
                      SOUND_SOURCE_RATE_MAX_HZ);
    return 0;
}

/* The header's frame count is not believed: what counts is what can be read. */
static int pour(SNDFILE *file, const SF_INFO *info, struct resampler *rs, struct problem *problem)
{
    float *in = malloc(sizeof(float) * CHUNK * (size_t)info->channels);
    float *mixed = malloc(sizeof(float) * CHUNK);
    int64_t longest = (int64_t)SOUND_LONGEST_S * info->samplerate, total = 0;
    sf_count_t got = 0;
    int r = 0;
    if (!in || !mixed)
        abort();
    while (r == 0 && (got = sf_readf_float(file, in, CHUNK)) > 0) {
        total += got;
        if (total > longest) {
            r = refuse(problem, 422, "sound", NULL, WORD_SOUND_LONG, SOUND_LONGEST_S / 60);
            break;
        }
        mono(in, (size_t)got, info->channels, mixed);
        if (resample(rs, mixed, (size_t)got, false) < 0)
            r = refuse(problem, 500, "store", NULL, WORD_STORE);
    }
    if (r == 0 && sf_error(file) != SF_ERR_NO_ERROR)
        r = refuse(problem, 422, "sound", NULL, WORD_SOUND_BROKEN, (double)total / info->samplerate, sf_strerror(file));
    if (r == 0 && resample(rs, mixed, 0, true) < 0)
        r = refuse(problem, 500, "store", NULL, WORD_STORE);
    if (r == 0 && total * 1000 < (int64_t)SOUND_SHORTEST_MS * info->samplerate)
        r = refuse(problem, 422, "sound", NULL, WORD_SOUND_SHORT, (double)total / info->samplerate);
    free(mixed);
    free(in);
    return r;
}

static void name_format(const SF_INFO *info, struct sound_result *ret)
{
    SF_FORMAT_INFO name = {.format = info->format & SF_FORMAT_TYPEMASK};
    bool known = sf_command(NULL, SFC_GET_FORMAT_INFO, &name, sizeof(name)) == 0 && name.name;
    snprintf(ret->format, sizeof(ret->format), "%s", known ? name.name : "?");
    char *paren = strstr(ret->format, " (");
    if (paren)
        *paren = '\0';
    ret->channels = info->channels;
    ret->rate_hz = info->samplerate;
}

static int read_source(const char *source, FILE *out, struct sound_result *ret, int64_t *ret_frames,
                       struct problem *problem)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(source, SFM_READ, &info);
    if (!file)
        return refuse(problem, 422, "sound", NULL, WORD_SOUND_UNREADABLE, sf_strerror(NULL));
    struct resampler *rs = calloc(1, sizeof(*rs));
    if (!rs)
        abort();
    rs->out = out;
    int r = check_info(&info, problem), code = 0;
    if (r == 0 && info.samplerate != SOUND_RATE_HZ) {
        rs->ratio = (double)SOUND_RATE_HZ / info.samplerate;
        rs->state = src_new(SRC_SINC_MEDIUM_QUALITY, 1, &code);
        if (!rs->state)
            r = refuse(problem, 422, "sound", NULL, WORD_SOUND_UNREADABLE, src_strerror(code));
    }
    if (r == 0)
        r = pour(file, &info, rs, problem);
    if (r == 0)
        name_format(&info, ret);
    *ret_frames = rs->frames;
    if (rs->state)
        src_delete(rs->state);
    free(rs);
    sf_close(file);
    return r;
}

/* Integrated loudness of the floats on disk; -HUGE_VAL for silence. */
static double measure_floats(FILE *file, int64_t frames)
{
    ebur128_state *meter = ebur128_init(1, SOUND_RATE_HZ, EBUR128_MODE_I);
    float chunk[CHUNK];
    double loudness = -HUGE_VAL;
    if (!meter)
        abort();
    int64_t fed = 0;
    do {
        size_t n;
        rewind(file);
        while ((n = fread(chunk, sizeof(float), CHUNK, file)) > 0) {
            ebur128_add_frames_float(meter, chunk, n);
            fed += (int64_t)n;
        }
    } while (frames > 0 && fed > 0 && fed < MEASURE_MIN_FRAMES * 2 && frames < MEASURE_MIN_FRAMES);
    ebur128_loudness_global(meter, &loudness);
    ebur128_destroy(&meter);
    return loudness;
}

static SNDFILE *open_opus(const char *target)
{
    SF_INFO info = {.samplerate = SOUND_RATE_HZ, .channels = 1, .format = SF_FORMAT_OGG | SF_FORMAT_OPUS};
    SNDFILE *file = sf_open(target, SFM_WRITE, &info);
    double level = 0.9; /* about 32 kbit/s mono */
    if (file)
        sf_command(file, SFC_SET_COMPRESSION_LEVEL, &level, sizeof(level));
    return file;
}

/* Floats through gain and limiter into Opus; the limiter's delay is dropped from the front and made up at the end. */
static int encode(FILE *floats, const char *target, double gain_db, double ceiling_db)
{
    SNDFILE *file = open_opus(target);
    if (!file)
        return -1;
    struct limiter limiter;
    limiter_init(&limiter, pow(10.0, ceiling_db / 20), 80.0, SOUND_RATE_HZ);
    double gain = pow(10.0, gain_db / 20);
    float chunk[CHUNK];
    size_t skip = limiter_delay(), tail = limiter_delay(), n;
    int r = 0;
    rewind(floats);
    while (r == 0) {
        n = fread(chunk, sizeof(float), CHUNK, floats);
        if (n == 0 && tail == 0)
            break;
        if (n == 0) {
            n = tail;
            tail = 0;
            memset(chunk, 0, sizeof(float) * n);
        }
        for (size_t i = 0; i < n; i++)
            chunk[i] = limiter_step(&limiter, (float)(chunk[i] * gain));
        size_t drop = skip < n ? skip : n;
        skip -= drop;
        sf_count_t left = (sf_count_t)(n - drop);
        if (sf_writef_float(file, chunk + drop, left) != left)
            r = -1;
    }
    return sf_close(file) == 0 ? r : -1;
}

static int decode_and_measure(const char *target, int64_t *ret_frames, struct meter *ret)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(target, SFM_READ, &info);
    if (!file || info.channels != 1 || info.samplerate != SOUND_RATE_HZ) {
        if (file)
            sf_close(file);
        return -1;
    }
    ebur128_state *meter = ebur128_init(1, SOUND_RATE_HZ, EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK);
    if (!meter)
        abort();
    float chunk[CHUNK];
    sf_count_t n;
    int64_t frames = 0;
    while ((n = sf_readf_float(file, chunk, CHUNK)) > 0) {
        ebur128_add_frames_float(meter, chunk, (size_t)n);
        frames += n;
    }
    for (int64_t fed = frames; frames > 0 && frames < MEASURE_MIN_FRAMES && fed < 2 * MEASURE_MIN_FRAMES;) {
        sf_seek(file, 0, SEEK_SET);
        while ((n = sf_readf_float(file, chunk, CHUNK)) > 0) {
            ebur128_add_frames_float(meter, chunk, (size_t)n);
            fed += n;
        }
    }
    double peak = 0;
    ebur128_loudness_global(meter, &ret->loudness_lufs);
    ebur128_true_peak(meter, 0, &peak);
    ret->peak_dbtp = peak > 0 ? 20 * log10(peak) : -200.0;
    ebur128_destroy(&meter);
    int r = sf_error(file);
    sf_close(file);
    *ret_frames = frames;
    return r == SF_ERR_NO_ERROR && frames > 0 ? 0 : -1;
}

/* Limiting takes loudness away and coding adds peaks: aim again with what was measured. */
static int aim(FILE *floats, const char *target, double loudness_lufs, struct sound_result *ret,
               struct problem *problem)
{
    double gain_db = fmin(SOUND_TARGET_LUFS - loudness_lufs, GAIN_MAX_DB);
    double ceiling_db = SOUND_PEAK_DBTP - 0.5;
    struct meter got = {0};
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (encode(floats, target, gain_db, ceiling_db) < 0 || decode_and_measure(target, &ret->frames, &got) < 0)
            return refuse(problem, 500, "store", NULL, WORD_STORE);
        double over_db = got.peak_dbtp - SOUND_PEAK_DBTP, off_db = SOUND_TARGET_LUFS - got.loudness_lufs;
        bool quiet_enough = over_db <= 0;
        if (quiet_enough && (fabs(off_db) <= LOUDNESS_WITHIN || round >= ROUNDS_MAX / 2 || gain_db >= GAIN_MAX_DB))
            break;
        if (!quiet_enough)
            ceiling_db = fmax(CEILING_MIN_DB, ceiling_db - over_db - 0.2);
        if (round < ROUNDS_MAX / 2 && fabs(off_db) > LOUDNESS_WITHIN)
            gain_db = fmin(gain_db + off_db, GAIN_MAX_DB);
    }
    ret->loudness_lufs = round(got.loudness_lufs * 100) / 100;
    ret->true_peak_dbtp = round(got.peak_dbtp * 100) / 100;
    if (got.peak_dbtp > SOUND_PEAK_DBTP)
        return refuse(problem, 422, "sound", NULL, WORD_SOUND_PEAK, got.peak_dbtp);
    return 0;
}

int sound_take_in(const char *source, const char *target, const char *scratch, struct sound_result *ret,
                  struct problem *problem)
{
    FILE *floats = fopen(scratch, "w+be");
    if (!floats)
        return refuse(problem, 500, "store", NULL, WORD_STORE);
    unlink(scratch);
    struct sound_result result = {0};
    int64_t frames = 0;
    int r = read_source(source, floats, &result, &frames, problem);
    double loudness = r == 0 && fflush(floats) == 0 ? measure_floats(floats, frames) : -HUGE_VAL;
    if (r == 0 && !(loudness >= SOUND_SILENT_LUFS))
        r = refuse(problem, 422, "sound", NULL, WORD_SOUND_SILENT, SOUND_SILENT_LUFS);
    if (r == 0)
        r = aim(floats, target, loudness, &result, problem);
    fclose(floats);
    if (r == 0)
        *ret = result;
    return r;
}
