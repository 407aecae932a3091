/* media.c - see media.h. */
#include "firmware/media.h"

#include "firmware/player.h"
#include "firmware/shape.h"
#include "playlists/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <samplerate.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_FRAMES = 2048 };

struct media {
    SNDFILE *file; /* owned */
    uint32_t file_rate_hz;
    uint32_t channels;
    uint64_t at;          /* frames of the file that have come out, those before the offset included */
    uint64_t expected;    /* at PLAYER_MEDIA_RATE_HZ; 0: not known */
    bool ended;           /* no more from the file */
    SRC_STATE *resampler; /* owned; NULL when rates agree */
    double ratio;
    float frames[BLOCK_FRAMES * MEDIA_CHANNELS_MAX];
    float mono[BLOCK_FRAMES]; /* waits for the resampler */
    size_t mono_at;
    size_t mono_end;
};

/* Rates that do not divide each other leave a frame of doubt. */
static bool length_agrees(const struct media *media, uint64_t file_frames)
{
    uint64_t length = shape_frames(file_frames, media->file_rate_hz, PLAYER_MEDIA_RATE_HZ);
    uint64_t doubt = media->file_rate_hz == PLAYER_MEDIA_RATE_HZ ? 0 : 1;
    return media->expected == 0 || (length <= media->expected + doubt && media->expected <= length + doubt);
}

static int wrong_length(const struct media *media, uint64_t file_frames, const char *word, struct complaint *why)
{
    return complain(why, -EMSGSIZE, "%s %" PRIu64 " frames at %d Hz; the sealed length is %" PRIu64, word,
                    shape_frames(file_frames, media->file_rate_hz, PLAYER_MEDIA_RATE_HZ), PLAYER_MEDIA_RATE_HZ,
                    media->expected);
}

static int check_header(const struct media *media, const SF_INFO *info, struct complaint *why)
{
    if (info->channels < 1 || info->channels > MEDIA_CHANNELS_MAX) {
        return complain(why, ERR_FORMAT, "%d channels; 1 to %d would be right", info->channels, MEDIA_CHANNELS_MAX);
    }
    if (info->samplerate < MEDIA_RATE_MIN_HZ || info->samplerate > MEDIA_RATE_MAX_HZ) {
        return complain(why, ERR_FORMAT, "a rate of %d Hz; %d to %d would be right", info->samplerate,
                        MEDIA_RATE_MIN_HZ, MEDIA_RATE_MAX_HZ);
    }
    bool known = info->frames > 0 && info->frames < SF_COUNT_MAX;
    uint64_t frames = known ? (uint64_t)info->frames : 0;
    if (media->expected != 0 && known && frames / media->file_rate_hz < PLAYER_ITEM_MAX_S &&
        !length_agrees(media, frames)) {
        return wrong_length(media, frames, "its header says", why);
    }
    if (known && frames / media->file_rate_hz >= PLAYER_ITEM_MAX_S) {
        return complain(why, ERR_LIMIT, "its header says %" PRIu64 " s; at most %d would be right",
                        frames / media->file_rate_hz, PLAYER_ITEM_MAX_S);
    }
    return 0;
}

/* Only a plain file: opening a pipe or a device would hang. */
static int open_plain(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return -EINVAL;
    }
    return fd;
}

static int open_file(struct media *media, const char *path, struct complaint *why)
{
    int fd = open_plain(path);
    if (fd < 0) {
        return complain(why, fd, "cannot be opened: %s", err_name(fd));
    }
    SF_INFO info;
    memset(&info, 0, sizeof(info));
    media->file = sf_open_fd(fd, SFM_READ, &info, SF_TRUE);
    if (media->file == NULL) {
        (void)close(fd);
        return complain(why, ERR_FORMAT, "not a sound file: %s", sf_strerror(NULL));
    }
    media->file_rate_hz = (uint32_t)(info.samplerate > 0 ? info.samplerate : 1);
    media->channels = (uint32_t)info.channels;
    return check_header(media, &info, why);
}

static int open_resampler(struct media *media, uint32_t rate_hz, struct complaint *why)
{
    if (rate_hz == media->file_rate_hz) {
        return 0;
    }
    int error = 0;
    media->ratio = (double)rate_hz / media->file_rate_hz;
    media->resampler = src_new(SRC_SINC_FASTEST, 1, &error);
    return media->resampler != NULL ? 0 : complain(why, -ENOMEM, "no resampler: %s", src_strerror(error));
}

static int go_to(struct media *media, uint64_t offset_frames, struct complaint *why)
{
    if (offset_frames == 0) {
        return 0;
    }
    uint64_t frame = shape_frames(offset_frames, PLAYER_MEDIA_RATE_HZ, media->file_rate_hz);
    sf_count_t got = sf_seek(media->file, (sf_count_t)frame, SEEK_SET);
    if (got != (sf_count_t)frame) {
        return complain(why, ERR_FORMAT, "cannot go on at frame %" PRIu64 ": %s", frame, sf_strerror(media->file));
    }
    media->at = frame;
    return 0;
}

int media_open(const char *path, uint32_t rate_hz, uint64_t offset_frames, uint64_t expected_frames,
               struct media **ret_media, struct complaint *why)
{
    struct media *media = xcalloc(1, sizeof(*media));
    media->expected = expected_frames;
    int r = open_file(media, path, why);
    r = r < 0 ? r : open_resampler(media, rate_hz, why);
    r = r < 0 ? r : go_to(media, offset_frames, why);
    if (r < 0) {
        media_close(media);
        return r;
    }
    *ret_media = media;
    return 0;
}

void media_close(struct media *media)
{
    if (media == NULL) {
        return;
    }
    if (media->resampler != NULL) {
        (void)src_delete(media->resampler);
    }
    if (media->file != NULL) {
        (void)sf_close(media->file);
    }
    free(media);
}

static float mix(const float *frame, uint32_t channels)
{
    float sum = 0;
    for (uint32_t c = 0; c < channels; c++) {
        sum += frame[c];
    }
    sum /= (float)channels;
    return sum > -8.0f && sum < 8.0f ? sum : 0.0f; /* also no number at all */
}

static int end_of_file(struct media *media, struct complaint *why)
{
    media->ended = true;
    if (sf_error(media->file) != SF_ERR_NO_ERROR) {
        return complain(why, ERR_FORMAT, "damaged after frame %" PRIu64 ": %s", media->at, sf_strerror(media->file));
    }
    return length_agrees(media, media->at) ? 0 : wrong_length(media, media->at, "it ends after", why);
}

/* Up to n mono samples at the file's rate. */
static int read_file(struct media *media, float *ret_samples, size_t n, struct complaint *why)
{
    if (media->ended) {
        return 0;
    }
    n = n < BLOCK_FRAMES ? n : BLOCK_FRAMES;
    sf_count_t got = sf_readf_float(media->file, media->frames, (sf_count_t)n);
    if (got <= 0) {
        return end_of_file(media, why);
    }
    for (sf_count_t i = 0; i < got; i++) {
        ret_samples[i] = mix(media->frames + (size_t)i * media->channels, media->channels);
    }
    media->at += (uint64_t)got;
    if (media->at / media->file_rate_hz >= PLAYER_ITEM_MAX_S) {
        return complain(why, ERR_LIMIT, "longer than %d s", PLAYER_ITEM_MAX_S);
    }
    uint64_t length = shape_frames(media->at, media->file_rate_hz, PLAYER_MEDIA_RATE_HZ);
    if (media->expected != 0 && length > media->expected + 1) {
        return wrong_length(media, media->at, "it goes on after", why);
    }
    return (int)got;
}

static int resample(struct media *media, float *ret_samples, size_t n, struct complaint *why)
{
    for (;;) {
        if (media->mono_at == media->mono_end && !media->ended) {
            int got = read_file(media, media->mono, BLOCK_FRAMES, why);
            if (got < 0) {
                return got;
            }
            media->mono_at = 0;
            media->mono_end = (size_t)got;
        }
        SRC_DATA data = {.data_in = media->mono + media->mono_at,
                         .data_out = ret_samples,
                         .input_frames = (long)(media->mono_end - media->mono_at),
                         .output_frames = (long)n,
                         .end_of_input = media->ended,
                         .src_ratio = media->ratio};
        int error = src_process(media->resampler, &data);
        if (error != 0) {
            return complain(why, ERR_FORMAT, "cannot be brought to the card's rate: %s", src_strerror(error));
        }
        media->mono_at += (size_t)data.input_frames_used;
        if (data.output_frames_gen > 0) {
            return (int)data.output_frames_gen;
        }
        if (media->ended && media->mono_at == media->mono_end) {
            return 0;
        }
    }
}

int media_read(struct media *media, float *ret_samples, size_t n, struct complaint *why)
{
    return media->resampler == NULL ? read_file(media, ret_samples, n, why) : resample(media, ret_samples, n, why);
}
