/* voice.c - see voice.h. */
#include "firmware/voice.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void voice_init(struct voice *voice, voice_fn tell, void *arg)
{
    *voice = (struct voice){.tell = tell, .arg = arg};
}

static bool want_rate(const struct voice *voice, struct track *track)
{
    if (voice->rate_hz == 0 || atomic_load(&track->wanted_hz) == voice->rate_hz) {
        return false;
    }
    atomic_store_explicit(&track->wanted_hz, voice->rate_hz, memory_order_release);
    return true;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Where a track's frames end so far; it has begun. */
static int64_t end_of(const struct voice *voice, const struct track *track)
{
    return track->state == TRACK_WRITTEN ? track->end_pos : voice->written;
}

/* Programme frames of a track that the card has taken, lost ones included. */
static int64_t passed(const struct voice *voice, const struct track *track)
{
    if (track->state == TRACK_WAITING) {
        return 0;
    }
    int64_t span = least(voice->proven, end_of(voice, track)) - track->begin_pos;
    return most(0, span - track->starved);
}

static int64_t played(const struct voice *voice, const struct track *track)
{
    return most(0, passed(voice, track) - track->lost);
}

static void fill_result(const struct voice *voice, struct track *track)
{
    struct player_result *result = &track->result;
    int64_t behind = track->state == TRACK_WRITTEN ? most(0, voice->heard - track->end_pos) : 0;
    uint32_t rate_hz = track->rate_hz == 0 ? PLAYER_MEDIA_RATE_HZ : track->rate_hz;
    int64_t resume = track->skipped + passed(voice, track) - (track->end == PLAYER_CARD_LOST ? track->lost_last : 0);
    *result = (struct player_result){.id = track->id,
                                     .end = track->end,
                                     .xruns = track->xruns,
                                     .losses = track->losses,
                                     .starvings = track->starvings};
    result->heard = track->heard_ns != 0;
    result->start_elapsed_ns = track->heard_ns;
    result->end_elapsed_ns = shape_heard_at(voice->at_ns, behind, rate_hz);
    result->played_frames = shape_frames((uint64_t)played(voice, track), rate_hz, PLAYER_MEDIA_RATE_HZ);
    result->lost_frames = shape_frames((uint64_t)(track->lost + track->skipped), rate_hz, PLAYER_MEDIA_RATE_HZ);
    result->resume_frames =
        track->offset_frames + shape_frames((uint64_t)most(0, resume), rate_hz, PLAYER_MEDIA_RATE_HZ);
    result->starved_frames = (uint64_t)track->starved;
    if (track->end == PLAYER_DECODE_ERROR || track->end == PLAYER_LENGTH_MISMATCH) {
        result->error = track->error;
        result->why = track->why;
    } else if (track->end == PLAYER_CARD_LOST) {
        result->error = track->card_error;
        (void)complain(&result->why, 0, "no sound card: %s", strerror(-track->card_error));
    }
}

static void finish(struct voice *voice, size_t index)
{
    struct track *track = voice->tracks[index];
    fill_result(voice, track);
    voice->n--;
    memmove(voice->tracks + index, voice->tracks + index + 1, (voice->n - index) * sizeof(voice->tracks[0]));
    voice->tell(voice->arg, track, true);
}

bool voice_set_rate(struct voice *voice, uint32_t rate_hz)
{
    bool changed = false;
    voice->rate_hz = rate_hz;
    voice->ramp_frames = rate_hz * PLAYER_RAMP_MS / 1000;
    for (size_t i = 0; i < voice->n;) {
        struct track *track = voice->tracks[i];
        if (track->state != TRACK_WAITING && track->rate_hz != rate_hz) {
            track->end = PLAYER_CARD_LOST; /* its positions mean nothing on this card; the caller can resume it */
            finish(voice, i);
            continue;
        }
        changed = want_rate(voice, track) || changed;
        i++;
    }
    return changed;
}

bool voice_add(struct voice *voice, struct track *track)
{
    assert(voice->n < VOICE_TRACKS_MAX);
    voice->tracks[voice->n++] = track;
    return want_rate(voice, track);
}

static void fade_out(const struct voice *voice, struct track *track)
{
    size_t there = ring_count(&track->ring);
    track->fade_left = there < voice->ramp_frames ? (uint32_t)there : voice->ramp_frames;
    ramp_aim(&track->envelope, 0, track->fade_left);
}

/* True when the track is over already. */
static bool stop_one(struct voice *voice, size_t index)
{
    struct track *track = voice->tracks[index];
    if (track->state == TRACK_WAITING) {
        track->end = PLAYER_STOPPED;
        finish(voice, index);
        return true;
    }
    if (track->state == TRACK_PLAYING && !track->fading) {
        track->fading = true;
        fade_out(voice, track);
    }
    return false;
}

void voice_stop(struct voice *voice)
{
    for (size_t i = 0; i < voice->n;) {
        i += stop_one(voice, i) ? 0 : 1;
    }
}

void voice_drop(struct voice *voice, struct track *track)
{
    for (size_t i = 0; i < voice->n; i++) {
        if (voice->tracks[i] == track) {
            (void)stop_one(voice, i);
            return;
        }
    }
}

void voice_silence(struct voice *voice)
{
    while (voice->n > 0) {
        voice->tracks[0]->end = PLAYER_STOPPED;
        finish(voice, 0);
    }
    voice->heard = voice->written;
    voice->proven = voice->written;
}

static enum player_end end_by_source(int source)
{
    return source == TRACK_BROKEN ? PLAYER_DECODE_ERROR : source == TRACK_ODD ? PLAYER_LENGTH_MISMATCH : PLAYER_DRAINED;
}

/* A waiting track that will never sound: known to be broken before its start, or empty. */
static bool is_stillborn(const struct track *track)
{
    int source = atomic_load_explicit(&track->source, memory_order_acquire);
    uint32_t ring_hz = atomic_load_explicit(&track->ring_hz, memory_order_acquire);
    if (track->state != TRACK_WAITING || source == TRACK_DECODING || ring_hz != atomic_load(&track->wanted_hz)) {
        return false;
    }
    return source != TRACK_WHOLE || ring_count(&track->ring) == 0;
}

static void look_at(struct voice *voice, struct track *track)
{
    if (track->state == TRACK_WAITING) {
        return;
    }
    atomic_store(&track->played, (uint64_t)played(voice, track));
    if (track->heard_ns == 0 && voice->proven > track->begin_pos) {
        track->heard_ns = shape_heard_at(voice->at_ns, voice->heard - track->begin_pos, track->rate_hz);
        atomic_store(&track->phase, PLAYER_PLAYING);
        voice->tell(voice->arg, track, false);
    }
    if (track->heard_ns != 0 && (track->fading || track->state == TRACK_WRITTEN)) {
        atomic_store(&track->phase, PLAYER_ENDING);
    }
}

void voice_moment(struct voice *voice, int64_t at_ns, int64_t heard, int64_t taken)
{
    voice->at_ns = at_ns;
    voice->heard = heard;
    voice->proven = most(voice->proven, least(heard, taken));
    for (size_t i = 0; i < voice->n;) {
        struct track *track = voice->tracks[i];
        look_at(voice, track);
        if (is_stillborn(track)) {
            track->end = end_by_source(atomic_load(&track->source));
            finish(voice, i);
        } else if (track->state == TRACK_WRITTEN && voice->proven >= track->end_pos) {
            finish(voice, i);
        } else {
            i++;
        }
    }
}

static void begin(const struct voice *voice, struct track *track)
{
    track->state = TRACK_PLAYING;
    track->rate_hz = voice->rate_hz;
    track->begin_pos = voice->written;
    track->sound_pos = voice->written;
    track->gain_now_mb = atomic_load(&track->gain_mb);
    track->gain = ramp_at(shape_gain(track->gain_now_mb));
    track->envelope = ramp_at(0);
    ramp_aim(&track->envelope, 1, voice->ramp_frames);
}

/* Enough samples to begin, or to go on after starving. */
static bool is_ready(const struct voice *voice, const struct track *track)
{
    if (atomic_load_explicit(&track->ring_hz, memory_order_acquire) != voice->rate_hz) {
        return false;
    }
    return atomic_load_explicit(&track->source, memory_order_acquire) != TRACK_DECODING ||
           ring_count(&track->ring) >= (size_t)voice->rate_hz * VOICE_READY_MS / 1000;
}

static void write_out(const struct voice *voice, struct track *track, enum player_end end)
{
    track->state = TRACK_WRITTEN;
    track->end = end;
    track->end_pos = voice->written;
}

static size_t put_zeros(struct voice *voice, float *ret_samples, size_t n)
{
    memset(ret_samples, 0, n * sizeof(*ret_samples));
    voice->written += (int64_t)n;
    return n;
}

static size_t wait_for_start(struct voice *voice, struct track *track, float *ret_samples, size_t n)
{
    int64_t until = shape_place(track->start_ns, voice->at_ns, voice->written - voice->heard, voice->rate_hz);
    if (until > 0) {
        return put_zeros(voice, ret_samples, (size_t)least(until, (int64_t)n));
    }
    if (!is_ready(voice, track)) {
        return put_zeros(voice, ret_samples, n);
    }
    begin(voice, track);
    return 0;
}

static void follow_gain(const struct voice *voice, struct track *track)
{
    int32_t gain_mb = atomic_load_explicit(&track->gain_mb, memory_order_relaxed);
    if (gain_mb != track->gain_now_mb) {
        track->gain_now_mb = gain_mb;
        ramp_aim(&track->gain, shape_gain(gain_mb), voice->ramp_frames);
    }
}

static void begin_starving(struct track *track)
{
    track->starving = true;
    track->starvings++;
}

/* Frames that may be taken now. Without an end in sight the last ramp's worth stays back: should the decoder fall
 * behind, the sound can still fade out. */
static size_t usable(const struct voice *voice, struct track *track, bool whole, size_t there)
{
    if (!track->fading && !whole && there <= voice->ramp_frames && track->fade_left == 0) {
        fade_out(voice, track);
        if (track->fade_left == 0) {
            begin_starving(track);
        }
    }
    if (track->fade_left > 0 || track->fading) {
        return there < track->fade_left ? there : track->fade_left;
    }
    return whole ? there : there > voice->ramp_frames ? there - voice->ramp_frames : 0;
}

/* After the decoder was late: zeros until it is well ahead again. */
static size_t starve(struct voice *voice, struct track *track, float *ret_samples, size_t n)
{
    if (track->fading) {
        write_out(voice, track, PLAYER_STOPPED);
        return 0;
    }
    if (is_ready(voice, track)) {
        track->starving = false;
        ramp_aim(&track->envelope, 1, voice->ramp_frames);
        return 0;
    }
    track->starved += (int64_t)n;
    return put_zeros(voice, ret_samples, n);
}

static size_t play(struct voice *voice, struct track *track, float *ret_samples, size_t n)
{
    if (track->starving) {
        return starve(voice, track, ret_samples, n);
    }
    follow_gain(voice, track);
    int source = atomic_load_explicit(&track->source, memory_order_acquire); /* before the count, which is final then */
    bool whole = source != TRACK_DECODING;
    size_t there = ring_count(&track->ring);
    size_t most_now = usable(voice, track, whole, there);
    size_t k = ring_take(&track->ring, ret_samples, n < most_now ? n : most_now);
    shape_block(ret_samples, k, &track->gain, &track->envelope, whole ? there : UINT64_MAX, voice->ramp_frames);
    voice->written += (int64_t)k;
    track->sound_pos = voice->written;
    bool faded = false;
    if (track->fade_left > 0) {
        track->fade_left -= (uint32_t)k;
        faded = track->fade_left == 0;
    }
    if (track->fading && track->fade_left == 0) {
        write_out(voice, track, PLAYER_STOPPED);
    } else if (whole && k == there) {
        write_out(voice, track, end_by_source(source));
    } else if (faded) {
        begin_starving(track);
    }
    return k;
}

void voice_fill(struct voice *voice, float *ret_samples, size_t n)
{
    for (size_t done = 0; done < n;) {
        struct track *track = NULL;
        for (size_t i = 0; track == NULL && i < voice->n; i++) {
            track = voice->tracks[i]->state != TRACK_WRITTEN ? voice->tracks[i] : NULL;
        }
        if (track == NULL) {
            done += put_zeros(voice, ret_samples + done, n - done);
        } else if (track->state == TRACK_WAITING) {
            done += wait_for_start(voice, track, ret_samples + done, n - done);
        } else {
            done += play(voice, track, ret_samples + done, n - done);
        }
    }
}

void voice_skip(struct voice *voice, size_t n)
{
    for (size_t i = 0; i < voice->n; i++) {
        if (voice->tracks[i]->state == TRACK_PLAYING) {
            voice->tracks[i]->starved += (int64_t)n;
        }
    }
    voice->written += (int64_t)n;
}

/* The sound was torn off: it goes on with a ramp. */
static void soften(const struct voice *voice, struct track *track)
{
    if (!track->fading && !track->starving && track->fade_left == 0) {
        track->envelope = ramp_at(0);
        ramp_aim(&track->envelope, 1, voice->ramp_frames);
    }
}

/* What the card had of a track and did not put out. */
static void lose_part(const struct voice *voice, struct track *track)
{
    track->lost_last = most(0, track->sound_pos - most(track->begin_pos, voice->proven));
    if (track->heard_ns != 0) {
        track->lost += track->lost_last;
        return;
    }
    track->skipped += track->lost_last; /* its first frame is one that the card puts out when it goes on */
    track->begin_pos = voice->written;
    track->end_pos = voice->written;
    track->starved = 0;
}

void voice_xrun(struct voice *voice, int64_t at_ns, int64_t taken)
{
    taken = least(taken, voice->written);
    voice_moment(voice, at_ns, taken, taken);
    for (size_t i = 0; i < voice->n; i++) {
        struct track *track = voice->tracks[i];
        if (track->state == TRACK_WAITING) {
            continue;
        }
        lose_part(voice, track);
        track->xruns += track->state == TRACK_PLAYING || track->lost_last > 0;
        if (track->state == TRACK_WRITTEN && track->heard_ns == 0) { /* nothing of it will ever be heard */
            track->end = PLAYER_CARD_LOST;
            track->card_error = -EPIPE;
        }
        soften(voice, track);
    }
    voice_moment(voice, at_ns, voice->written, voice->written);
}

void voice_lose_card(struct voice *voice, int64_t at_ns, int error)
{
    for (size_t i = 0; i < voice->n; i++) {
        struct track *track = voice->tracks[i];
        track->card_error = error;
        if (track->state == TRACK_WAITING) {
            continue;
        }
        lose_part(voice, track);
        track->losses += track->missing_ns == 0; /* one that never moved is still the same loss */
        if (track->state == TRACK_WRITTEN && track->lost_last > 0) {
            track->end = PLAYER_CARD_LOST;
        }
        soften(voice, track);
    }
    voice_moment(voice, at_ns, voice->written, voice->written);
}

static bool is_too_late(const struct track *track, int64_t now_ns)
{
    return track->state == TRACK_WAITING && now_ns > track->latest_ns;
}

void voice_have_card(struct voice *voice)
{
    for (size_t i = 0; i < voice->n; i++) {
        voice->tracks[i]->missing_ns = 0;
    }
}

void voice_lack_card(struct voice *voice, int64_t now_ns, int64_t wait_ns, int error)
{
    voice->at_ns = now_ns;
    for (size_t i = 0; i < voice->n;) {
        struct track *track = voice->tracks[i];
        bool due = track->state != TRACK_WAITING || track->start_ns <= now_ns;
        track->missing_ns = !due ? 0 : track->missing_ns == 0 ? now_ns : track->missing_ns;
        if (is_stillborn(track)) {
            track->end = end_by_source(atomic_load(&track->source));
            finish(voice, i);
        } else if (due && (now_ns - track->missing_ns >= wait_ns || is_too_late(track, now_ns))) {
            track->end = PLAYER_CARD_LOST;
            track->card_error = error;
            finish(voice, i);
        } else if (track->fading) {
            track->end = PLAYER_STOPPED;
            finish(voice, i);
        } else {
            i++;
        }
    }
}

int64_t voice_needs_card_ns(const struct voice *voice, int64_t ahead_ns)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < voice->n; i++) {
        const struct track *track = voice->tracks[i];
        at = track->state != TRACK_WAITING ? INT64_MIN : least(at, track->start_ns - ahead_ns);
        if (at == INT64_MIN) {
            break;
        }
    }
    return at;
}
