/* card.c - the clock and the mill of the virtual card. See card.h; the stream's requests are in stream.c. */
#include "tools/soundcard/card.h"

#include "playlists/base/log.h"
#include "tools/soundcard/stream.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Wall time at which a frame is put out, by the wall clock as it stands now. */
static int64_t unix_ns_of(const struct card *card, uint64_t frame)
{
    int64_t mono = card_time_of(card->start_mono_ns, card->rate_mhz, frame);
    return clock_ns(CLOCK_REALTIME) + (mono - clock_ns(CLOCK_MONOTONIC));
}

static uint64_t true_rate_mhz(const struct card_config *config)
{
    return (uint64_t)((int64_t)config->rate_hz * 1000 + (int64_t)config->rate_hz * config->ppm / 1000);
}

int card_init(struct card *card, const struct card_config *config, struct complaint *why)
{
    memset(card, 0, sizeof(*card));
    card->config = *config;
    card->still_frame = CARD_MOVES;
    stream_init(&card->stream);
    card->rate_mhz = true_rate_mhz(config);
    int r = meter_init(&card->meter, config->meter_socket, config->rate_hz, config->channels, why);
    if (r < 0) {
        return r;
    }
    card->start_mono_ns = clock_ns(CLOCK_MONOTONIC);
    r = wav_out_open(config->recording, config->rate_hz, config->channels, unix_ns_of(card, 0), &card->wav, why);
    if (r < 0) {
        meter_done(&card->meter);
    }
    return r;
}

void card_done(struct card *card)
{
    stream_done(&card->stream);
    wav_out_close(card->wav, unix_ns_of(card, card->head));
    meter_done(&card->meter);
}

static void stop_recording(struct card *card, int error)
{
    log_err("card", "recording=%s write failed: %s; the card goes on without a recording", card->config.recording,
            err_name(error));
    wav_out_close(card->wav, unix_ns_of(card, card->head));
    card->wav = NULL;
}

/* Put out n frames (NULL: zeros), at most a meter block. */
static void put_out(struct card *card, const int16_t *frames, uint32_t n)
{
    int r = card->wav == NULL ? 0 : wav_out_put(card->wav, frames, n);
    card->head += n;
    if (r < 0) {
        stop_recording(card, r);
    }
    meter_put(&card->meter, frames, n, unix_ns_of(card, card->head) / 1000000);
}

static void commit(struct card *card)
{
    if (card->wav == NULL || card->head - card->committed_at < card->config.rate_hz) {
        return;
    }
    card->committed_at = card->head;
    int r = wav_out_commit(card->wav, unix_ns_of(card, card->head));
    if (r < 0) {
        stop_recording(card, r);
    }
}

/* True when frames of the stream are wanted now. */
static bool wants_frames(struct card *card, int64_t now_ns)
{
    if (!card->stream.running || card->still_frame != CARD_MOVES) {
        return false;
    }
    if (faults_dry(&card->faults, now_ns)) {
        stream_stop_dry(&card->stream);
        card->underruns++;
        return false;
    }
    return true;
}

/* The stream is told where it is. */
static void tell_pace(struct card *card)
{
    struct card_pace pace = {.start_mono_ns = card->start_mono_ns,
                             .rate_mhz = card->rate_mhz,
                             .anchor_frame = card->stream.anchor,
                             .still_frame = card->still_frame};
    stream_tell_pace(&card->stream, &pace);
}

/* Follow the faults: what is gone has no stream, and what stood still goes on where it stood. */
static void follow_faults(struct card *card, int64_t now_ns)
{
    faults_pass(&card->faults, now_ns);
    if (card->faults.gone_until_ns != 0) {
        stream_done(&card->stream);
    }
    bool still = card->faults.still_until_ns != 0;
    if (still == (card->still_frame != CARD_MOVES)) {
        return;
    }
    card->still_frame = still ? card->head : CARD_MOVES;
    if (!still && card->stream.running) {
        card->stream.anchor = card->head - card->stream.taken;
    }
    tell_pace(card);
}

void card_obey(struct card *card, const struct fault *fault)
{
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    card_advance(card);
    if (fault->kind == FAULT_PPM) {
        uint64_t frame = card_frame_at(card->start_mono_ns, card->rate_mhz, now_ns);
        card->config.ppm = (int32_t)fault->number;
        card->rate_mhz = true_rate_mhz(&card->config);
        card->start_mono_ns = now_ns - card_time_of(0, card->rate_mhz, frame);
        tell_pace(card);
    }
    faults_set(&card->faults, fault, now_ns);
    follow_faults(card, now_ns);
}

void card_advance(struct card *card)
{
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t ahead = (uint64_t)card->config.rate_hz * CARD_TICK_MS / 1000;
    uint64_t target = card_frame_at(card->start_mono_ns, card->rate_mhz, now_ns) + ahead;
    while (card->head < target) {
        uint64_t due = target - card->head;
        uint32_t n = meter_room(&card->meter);
        n = due < n ? (uint32_t)due : n;
        n = n > CARD_BLOCK_FRAMES ? CARD_BLOCK_FRAMES : n;
        bool sound = wants_frames(card, now_ns);
        if (sound && stream_take(&card->stream, card->config.format, card->config.channels, card->block, n) < 0) {
            card->underruns++;
        }
        put_out(card, sound ? card->block : NULL, n);
    }
    stream_tick(&card->stream);
    commit(card);
    follow_faults(card, now_ns);
}

int64_t card_next_tick_ns(const struct card *card)
{
    uint32_t ms = card->stream.running ? CARD_TICK_MS : CARD_IDLE_TICK_MS;
    uint64_t step = (uint64_t)card->config.rate_hz * ms / 1000;
    uint64_t now = card_frame_at(card->start_mono_ns, card->rate_mhz, clock_ns(CLOCK_MONOTONIC));
    return card_time_of(card->start_mono_ns, card->rate_mhz, (now / step + 1) * step);
}

void card_attach(struct card *card, int fd)
{
    struct card_answer hello = {
        .rate_hz = card->config.rate_hz, .channels = card->config.channels, .format = card->config.format};
    follow_faults(card, clock_ns(CLOCK_MONOTONIC));
    int status = card->faults.gone_until_ns != 0 ? -ENODEV : card->faults.busy_until_ns != 0 ? -EBUSY : 0;
    if (stream_attach(&card->stream, fd, status, &hello) == 0) {
        card->streams++;
    }
}

void card_serve(struct card *card)
{
    struct card_request request;
    int r = stream_receive(&card->stream, &request);
    if (r == 0) {
        return;
    }
    if (r < 0) {
        stream_done(&card->stream);
        return;
    }
    if (request.op == CARD_START) {
        card_advance(card); /* up to this very moment, so that the stream begins now and not at the last tick */
    }
    struct card_answer answer = {
        .rate_hz = card->config.rate_hz, .channels = card->config.channels, .format = card->config.format};
    struct card_pace pace = {
        .start_mono_ns = card->start_mono_ns, .rate_mhz = card->rate_mhz, .still_frame = card->still_frame};
    if (stream_answer(&card->stream, &request, &answer, card->head, &pace) < 0) {
        stream_done(&card->stream);
    }
}
