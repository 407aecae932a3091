/* wav_out.c - Broadcast WAV kept valid while it grows. See wav_out.h. */
#include "tools/soundcard/wav_out.h"

#include "playlists/base/bytes.h"
#include "playlists/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BEXT_LEN = 602, DS64_LEN = 28, FMT_LEN = 16, PUT_MAX = 8192 };

struct wav_out {
    int fd;      /* owned */
    FILE *times; /* owned */
    uint32_t rate_hz;
    uint32_t channels;
    int64_t start_unix_ns;
    uint64_t data_bytes; /* written behind the header, counted from frame 0 */
    size_t header_len;
    int16_t zeros[PUT_MAX];
};

static uint8_t *put_le(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
    return at + bytes;
}

static uint8_t *put_chunk(uint8_t *at, const char id[5], uint32_t len)
{
    memcpy(at, id, 4);
    return put_le(at + 4, len, 4);
}

/* EBU Tech 3285 v1, table of the Broadcast Audio Extension chunk. Dates are UTC: the site's zone is not the file's. */
static uint8_t *put_bext(uint8_t *at, uint32_t rate_hz, int64_t start_unix_ns)
{
    at = put_chunk(at, "bext", BEXT_LEN);
    memset(at, 0, BEXT_LEN);
    time_t seconds = (time_t)(start_unix_ns / 1000000000);
    struct tm tm;
    memset(&tm, 0, sizeof(tm));
    (void)gmtime_r(&seconds, &tm);
    char date[32];
    char hour[32];
    (void)strftime(date, sizeof(date), "%Y-%m-%d", &tm);
    (void)strftime(hour, sizeof(hour), "%H:%M:%S", &tm);
    (void)snprintf((char *)at, 256, "what the sound card put out; times in UTC");
    (void)snprintf((char *)at + 256, 32, "loa-card");
    memcpy(at + 320, date, 10);
    memcpy(at + 330, hour, 8);
    uint64_t since_midnight_ns = (uint64_t)(seconds % 86400) * 1000000000u + (uint64_t)(start_unix_ns % 1000000000);
    (void)put_le(at + 338, since_midnight_ns / 1000 * rate_hz / 1000000, 8);
    (void)put_le(at + 346, 1, 2);
    return at + BEXT_LEN;
}

size_t wav_out_header(uint8_t ret_header[WAV_OUT_HEADER_MAX], uint32_t rate_hz, uint32_t channels,
                      int64_t start_unix_ns, uint64_t frames)
{
    const uint32_t header_len = 12 + 8 + DS64_LEN + 8 + BEXT_LEN + 8 + FMT_LEN + 8;
    uint64_t data = frames * channels * 2;
    uint64_t riff = data + header_len - 8;
    int big = riff > UINT32_MAX;
    uint8_t *at = put_chunk(ret_header, big ? "RF64" : "RIFF", big ? UINT32_MAX : (uint32_t)riff);
    memcpy(at, "WAVE", 4);
    at = put_chunk(at + 4, big ? "ds64" : "JUNK", DS64_LEN);
    memset(at, 0, DS64_LEN);
    if (big) {
        (void)put_le(put_le(put_le(at, riff, 8), data, 8), frames, 8);
    }
    at = put_bext(at + DS64_LEN, rate_hz, start_unix_ns);
    at = put_chunk(at, "fmt ", FMT_LEN);
    at = put_le(at, 1, 2);
    at = put_le(at, channels, 2);
    at = put_le(at, rate_hz, 4);
    at = put_le(at, (uint64_t)rate_hz * channels * 2, 4);
    at = put_le(at, (uint64_t)channels * 2, 2);
    at = put_le(at, 16, 2);
    (void)put_chunk(at, "data", big ? UINT32_MAX : (uint32_t)data);
    return header_len;
}

static int write_at(int fd, const void *data, size_t len, uint64_t offset)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int put_header(struct wav_out *wav)
{
    uint8_t header[WAV_OUT_HEADER_MAX];
    wav->header_len =
        wav_out_header(header, wav->rate_hz, wav->channels, wav->start_unix_ns, wav->data_bytes / (wav->channels * 2));
    return write_at(wav->fd, header, wav->header_len, 0);
}

static int put_sidecar(const struct wav_out *wav, const char *path)
{
    char *name = xasprintf("%s.json", path);
    char *text =
        xasprintf("{\"start_unix_ms\": %" PRId64 ".%06" PRId64 ", \"rate\": %" PRIu32 ", \"channels\": %" PRIu32 "}\n",
                  wav->start_unix_ns / 1000000, wav->start_unix_ns % 1000000, wav->rate_hz, wav->channels);
    int r = file_write_whole(name, text, strlen(text), 0644);
    free(text);
    free(name);
    return r;
}

static int open_files(struct wav_out *wav, const char *path)
{
    wav->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (wav->fd < 0) {
        return -errno;
    }
    char *name = xasprintf("%s.times", path);
    wav->times = fopen(name, "we");
    int r = wav->times == NULL ? -errno : put_sidecar(wav, path);
    free(name);
    return r < 0 ? r : put_header(wav);
}

int wav_out_open(const char *path, uint32_t rate_hz, uint32_t channels, int64_t start_unix_ns, struct wav_out **ret_wav,
                 struct complaint *why)
{
    struct wav_out *wav = xcalloc(1, sizeof(*wav));
    wav->rate_hz = rate_hz;
    wav->channels = channels;
    wav->start_unix_ns = start_unix_ns;
    int r = open_files(wav, path);
    if (r < 0) {
        if (wav->times != NULL) {
            (void)fclose(wav->times);
        }
        if (wav->fd >= 0) {
            (void)close(wav->fd);
        }
        free(wav);
        return complain(why, r, "cannot record to %s: %s", path, err_name(r));
    }
    *ret_wav = wav;
    return 0;
}

int wav_out_put(struct wav_out *wav, const int16_t *frames, size_t n)
{
    size_t left = n * wav->channels;
    while (left > 0) {
        size_t part = frames == NULL && left > PUT_MAX ? PUT_MAX : left;
        int r = write_at(wav->fd, frames == NULL ? wav->zeros : frames, part * 2, wav->header_len + wav->data_bytes);
        if (r < 0) {
            return r;
        }
        wav->data_bytes += part * 2;
        left -= part;
    }
    return 0;
}

static int commit(struct wav_out *wav, int64_t unix_ns)
{
    int r = put_header(wav);
    if (r < 0) {
        return r;
    }
    (void)fprintf(wav->times, "{\"frame\": %" PRIu64 ", \"unix_ns\": %" PRId64 "}\n",
                  wav->data_bytes / (wav->channels * 2), unix_ns);
    return fflush(wav->times) == 0 ? 0 : -errno;
}

int wav_out_commit(struct wav_out *wav, int64_t unix_ns)
{
    return commit(wav, unix_ns);
}

void wav_out_close(struct wav_out *wav, int64_t unix_ns)
{
    if (wav == NULL) {
        return;
    }
    (void)commit(wav, unix_ns); /* nothing is left to be done about a full disk here */
    (void)fclose(wav->times);
    (void)close(wav->fd);
    free(wav);
}
