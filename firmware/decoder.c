/* decoder.c - see decoder.h. */
#include "firmware/decoder.h"

#include "firmware/media.h"
#include "playlists/base/bytes.h"
#include "playlists/base/pulse.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BLOCK = 4096, LOOK_AGAIN_MS = DECODER_AHEAD_MS / 8 };

struct job {
    struct track *track; /* borrowed; NULL: free */
    struct media *media; /* owned by the thread */
};

struct decoder {
    pthread_t thread;
    int wake;       /* owned */
    int tell_sound; /* borrowed */
    int tell_loop;  /* borrowed */
    _Atomic bool quit;
    struct pulse pulse;
    pthread_mutex_t lock; /* of `fresh` */
    struct track *fresh[DECODER_TRACKS_MAX];
    struct job jobs[DECODER_TRACKS_MAX]; /* the thread's */
    float block[BLOCK];
};

static void raise_fd(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) < 0) {
        return; /* full is raised enough */
    }
}

static void let_go(struct decoder *decoder, struct job *job)
{
    struct track *track = job->track;
    media_close(job->media);
    *job = (struct job){.track = NULL};
    atomic_store(&track->decoder_gone, true); /* from here on the loop may free it */
    raise_fd(decoder->tell_loop);
}

static void take_fresh(struct decoder *decoder)
{
    (void)pthread_mutex_lock(&decoder->lock);
    for (size_t i = 0; i < DECODER_TRACKS_MAX; i++) {
        for (size_t j = 0; decoder->fresh[i] != NULL && j < DECODER_TRACKS_MAX; j++) {
            if (decoder->jobs[j].track == NULL) {
                decoder->jobs[j].track = decoder->fresh[i];
                decoder->fresh[i] = NULL;
            }
        }
    }
    (void)pthread_mutex_unlock(&decoder->lock);
}

static void end_source(struct decoder *decoder, struct track *track, int r)
{
    track->error = r;
    complain_prefix(r < 0 ? &track->why : NULL, "%s", track->path);
    enum track_source source = r == 0 ? TRACK_WHOLE : r == -EMSGSIZE ? TRACK_ODD : TRACK_BROKEN;
    atomic_store_explicit(&track->source, (int)source, memory_order_release);
    raise_fd(decoder->tell_sound);
}

/* (Re)open at the rate that the card wants. */
static int open_job(struct job *job, uint32_t rate_hz)
{
    struct track *track = job->track;
    media_close(job->media);
    job->media = NULL;
    ring_reset(&track->ring);
    int r = media_open(track->path, rate_hz, track->offset_frames, track->expected_frames, &job->media, &track->why);
    atomic_store_explicit(&track->ring_hz, rate_hz, memory_order_release);
    return r;
}

/* One block for one track; true when there was something to do. */
static bool work(struct decoder *decoder, struct job *job)
{
    struct track *track = job->track;
    if (atomic_load(&track->cancelled)) {
        let_go(decoder, job);
        return true;
    }
    uint32_t wanted = atomic_load_explicit(&track->wanted_hz, memory_order_acquire);
    if (wanted != atomic_load(&track->ring_hz)) {
        atomic_store(&track->source, TRACK_DECODING);
        int r = open_job(job, wanted);
        if (r < 0) {
            end_source(decoder, track, r);
        }
        return true;
    }
    size_t room = ring_room(&track->ring);
    if (atomic_load(&track->source) != TRACK_DECODING || room < BLOCK) {
        return false;
    }
    int n = media_read(job->media, decoder->block, BLOCK, &track->why);
    if (n > 0) {
        (void)ring_put(&track->ring, decoder->block, (size_t)n);
    } else {
        end_source(decoder, track, n);
    }
    return true;
}

static void wait(struct decoder *decoder)
{
    bool any = false;
    for (size_t i = 0; i < DECODER_TRACKS_MAX; i++) {
        any = any || (decoder->jobs[i].track != NULL && atomic_load(&decoder->jobs[i].track->source) == TRACK_DECODING);
    }
    struct pollfd pfd = {.fd = decoder->wake, .events = POLLIN};
    uint64_t count;
    if (!any) {
        pulse_rest(&decoder->pulse);
    }
    /* Full rings drain in real time and tell nobody (the sound thread has better to do). */
    if (poll(&pfd, 1, any ? LOOK_AGAIN_MS : -1) > 0 && read(decoder->wake, &count, sizeof(count)) < 0) {
        return;
    }
}

static void *run(void *arg)
{
    struct decoder *decoder = arg;
    while (!atomic_load(&decoder->quit)) {
        pulse_within(&decoder->pulse, PULSE_STEP_MS);
        take_fresh(decoder);
        bool busy = false;
        for (size_t i = 0; i < DECODER_TRACKS_MAX; i++) {
            busy = (decoder->jobs[i].track != NULL && work(decoder, &decoder->jobs[i])) || busy;
        }
        if (!busy) {
            wait(decoder);
        }
    }
    take_fresh(decoder);
    for (size_t i = 0; i < DECODER_TRACKS_MAX; i++) {
        if (decoder->jobs[i].track != NULL) {
            let_go(decoder, &decoder->jobs[i]);
        }
    }
    pulse_rest(&decoder->pulse);
    return NULL;
}

int decoder_new(int tell_sound, int tell_loop, struct decoder **ret_decoder)
{
    struct decoder *decoder = xcalloc(1, sizeof(*decoder));
    decoder->tell_sound = tell_sound;
    decoder->tell_loop = tell_loop;
    decoder->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (decoder->wake < 0) {
        int r = -errno;
        free(decoder);
        return r;
    }
    (void)pthread_mutex_init(&decoder->lock, NULL);
    int r = pthread_create(&decoder->thread, NULL, run, decoder);
    if (r != 0) {
        (void)close(decoder->wake);
        (void)pthread_mutex_destroy(&decoder->lock);
        free(decoder);
        return -r;
    }
    (void)pthread_setname_np(decoder->thread, "loa-decoder");
    *ret_decoder = decoder;
    return 0;
}

void decoder_free(struct decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    atomic_store(&decoder->quit, true);
    raise_fd(decoder->wake);
    (void)pthread_join(decoder->thread, NULL);
    (void)pthread_mutex_destroy(&decoder->lock);
    (void)close(decoder->wake);
    free(decoder);
}

int decoder_add(struct decoder *decoder, struct track *track)
{
    int r = -ENOSPC;
    (void)pthread_mutex_lock(&decoder->lock);
    for (size_t i = 0; r < 0 && i < DECODER_TRACKS_MAX; i++) {
        if (decoder->fresh[i] == NULL) {
            decoder->fresh[i] = track;
            r = 0;
        }
    }
    (void)pthread_mutex_unlock(&decoder->lock);
    raise_fd(decoder->wake);
    return r;
}

bool decoder_stuck(const struct decoder *decoder)
{
    return pulse_missed(&decoder->pulse);
}

int decoder_wake_fd(const struct decoder *decoder)
{
    return decoder->wake;
}
