/* pcm_out.c - see pcm_out.h. */
#include "firmware/pcm_out.h"

#include "playlists/base/clock.h"

#include <errno.h>

enum { MEASURE_TRIES = 4, MEASURE_NS_MAX = 200000, PERIOD_MS = 10 };

static int choose_format(struct pcm_out *out, snd_pcm_hw_params_t *hw)
{
    static const snd_pcm_format_t formats[] = {SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S32_LE, SND_PCM_FORMAT_FLOAT_LE};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (snd_pcm_hw_params_set_format(out->pcm, hw, formats[i]) == 0) {
            out->format = (enum shape_format)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int choose_channels(struct pcm_out *out, snd_pcm_hw_params_t *hw, unsigned channels)
{
    unsigned other = channels == 1 ? 2 : 1;
    int r = snd_pcm_hw_params_set_channels(out->pcm, hw, channels);
    out->channels = channels;
    if (r < 0) {
        r = snd_pcm_hw_params_set_channels(out->pcm, hw, other);
        out->channels = other;
    }
    return r;
}

static int choose_sizes(struct pcm_out *out, snd_pcm_hw_params_t *hw, unsigned buffer_ms)
{
    snd_pcm_uframes_t period = (snd_pcm_uframes_t)out->rate_hz * PERIOD_MS / 1000;
    snd_pcm_uframes_t buffer = (snd_pcm_uframes_t)out->rate_hz * buffer_ms / 1000;
    int dir = 0;
    int r = snd_pcm_hw_params_set_period_size_near(out->pcm, hw, &period, &dir);
    return r < 0 ? r : snd_pcm_hw_params_set_buffer_size_near(out->pcm, hw, &buffer);
}

static int set_hardware(struct pcm_out *out, unsigned rate_hz, unsigned channels, unsigned buffer_ms)
{
    snd_pcm_hw_params_t *hw;
    snd_pcm_hw_params_alloca(&hw);
    int r = snd_pcm_hw_params_any(out->pcm, hw);
    r = r < 0 ? r : snd_pcm_hw_params_set_access(out->pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED);
    r = r < 0 ? r : choose_format(out, hw);
    r = r < 0 ? r : choose_channels(out, hw, channels);
    out->rate_hz = rate_hz;
    r = r < 0 ? r : snd_pcm_hw_params_set_rate_near(out->pcm, hw, &out->rate_hz, NULL);
    r = r < 0 ? r : choose_sizes(out, hw, buffer_ms);
    r = r < 0 ? r : snd_pcm_hw_params(out->pcm, hw);
    snd_pcm_uframes_t buffer = 0;
    r = r < 0 ? r : snd_pcm_hw_params_get_buffer_size(hw, &buffer);
    out->buffer_frames = (int64_t)buffer;
    return r < 0 ? r : 0;
}

/* We start it ourselves, and it stops when it runs dry. */
static int set_software(struct pcm_out *out)
{
    snd_pcm_sw_params_t *sw;
    snd_pcm_sw_params_alloca(&sw);
    snd_pcm_uframes_t never = 0;
    int r = snd_pcm_sw_params_current(out->pcm, sw);
    r = r < 0 ? r : snd_pcm_sw_params_get_boundary(sw, &never);
    r = r < 0 ? r : snd_pcm_sw_params_set_start_threshold(out->pcm, sw, never);
    r = r < 0 ? r : snd_pcm_sw_params_set_stop_threshold(out->pcm, sw, (snd_pcm_uframes_t)out->buffer_frames);
    return r < 0 ? r : snd_pcm_sw_params(out->pcm, sw);
}

int pcm_out_open(struct pcm_out *out, const char *device, unsigned rate_hz, unsigned channels, unsigned buffer_ms)
{
    *out = (struct pcm_out){.pcm = NULL};
    int r = snd_pcm_open(&out->pcm, device, SND_PCM_STREAM_PLAYBACK, SND_PCM_NONBLOCK);
    if (r < 0) {
        out->pcm = NULL;
        return r;
    }
    r = set_hardware(out, rate_hz, channels, buffer_ms);
    r = r < 0 ? r : set_software(out);
    r = r < 0 ? r : snd_pcm_prepare(out->pcm);
    if (r < 0) {
        pcm_out_close(out);
        return r;
    }
    return 0;
}

void pcm_out_close(struct pcm_out *out)
{
    if (out->pcm != NULL) {
        (void)snd_pcm_drop(out->pcm); /* a lost card refuses; closing is what counts */
        (void)snd_pcm_close(out->pcm);
    }
    *out = (struct pcm_out){.pcm = NULL};
}

/* What is not in the buffer any more has been taken out of it. */
static void note_room(struct pcm_out *out, int64_t room)
{
    int64_t waiting = out->buffer_frames - room;
    int64_t consumed = out->handed_frames - (waiting > 0 ? waiting : 0);
    out->consumed_frames = consumed > out->consumed_frames ? consumed : out->consumed_frames;
}

int64_t pcm_out_consumed(struct pcm_out *out)
{
    snd_pcm_status_t *status;
    snd_pcm_status_alloca(&status);
    if (snd_pcm_status(out->pcm, status) == 0) {
        note_room(out, (int64_t)snd_pcm_status_get_avail(status));
    }
    return out->consumed_frames;
}

int pcm_out_measure(struct pcm_out *out, struct pcm_moment *ret_moment)
{
    for (int try = 1;; try++) {
        int64_t before = clock_elapsed_ns();
        snd_pcm_sframes_t room = snd_pcm_avail_update(out->pcm);
        snd_pcm_sframes_t delay = 0;
        int r = room < 0 ? (int)room : snd_pcm_delay(out->pcm, &delay);
        if (r < 0) {
            return r;
        }
        int64_t after = clock_elapsed_ns();
        if (after - before <= MEASURE_NS_MAX || try == MEASURE_TRIES) {
            note_room(out, room);
            *ret_moment = (struct pcm_moment){
                .at_ns = after, .delay_frames = delay, .room_frames = room, .consumed_frames = out->consumed_frames};
            return 0;
        }
    }
}

int pcm_out_write(struct pcm_out *out, const float *samples, size_t n)
{
    shape_encode(samples, n, out->format, out->channels, out->encoded);
    snd_pcm_sframes_t done = snd_pcm_writei(out->pcm, out->encoded, n);
    if (done < 0) {
        return (int)done;
    }
    out->handed_frames += done;
    return (size_t)done == n ? 0 : -EIO;
}

int pcm_out_start(struct pcm_out *out)
{
    int r = snd_pcm_start(out->pcm);
    out->running = r == 0;
    return r;
}

int pcm_out_restart(struct pcm_out *out)
{
    out->running = false;
    out->handed_frames = 0;
    out->consumed_frames = 0;
    return snd_pcm_prepare(out->pcm);
}

void pcm_out_drop(struct pcm_out *out)
{
    out->running = false;
    (void)snd_pcm_drop(out->pcm); /* a card that refuses this is lost, which the restart finds out */
}
