/* sounder.c - see sounder.h. What the samples are is voice.c's; this is the thread, the card's coming and going, and
 * the beat: every BEAT_MS the card is asked how far it is and filled up to PLAYER_FILL_MS ahead. */
#include "firmware/sounder.h"

#include "firmware/mail.h"
#include "firmware/pcm_out.h"
#include "firmware/voice.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/pulse.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BEAT_MS = 10,
    PREFILL_MS = 20,
    BUFFER_MS = 4 * PLAYER_FILL_MS,
    STANDSTILL_MS = 1000, /* a card that puts out nothing for so long is lost */
    RETRY_FIRST_MS = 100,
    RETRY_LAST_MS = 2000,
    PRIORITY = 40,
};
#define MS ((int64_t)1000000)

struct sounder {
    struct player_config config;
    char *device; /* owned */
    pthread_t thread;
    bool started;
    int wake;         /* owned */
    int tell_loop;    /* borrowed */
    int wake_decoder; /* borrowed */
    struct mail orders;
    struct mail news;
    struct pulse pulse;

    /* the thread's */
    struct voice voice;
    struct pcm_out out;
    bool quit;
    int64_t warm_until_ns;
    int64_t retry_at_ns;
    int64_t retry_ms;
    int64_t moved_ns; /* when the card was last seen to move */
    bool was_lost;
    int last_error;
    float block[PCM_OUT_BLOCK];

    /* told to the loop */
    _Atomic bool open;
    _Atomic bool healthy;
    _Atomic int error;
    _Atomic unsigned rate_hz;
    _Atomic unsigned channels;
    _Atomic uint32_t xruns;
    _Atomic uint32_t reopened;
    _Atomic uint32_t changes;
};

static void raise_fd(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) < 0) {
        return; /* full is raised enough */
    }
}

static void tell(void *arg, struct track *track, bool finished)
{
    struct sounder *sounder = arg;
    bool put = mail_put(&sounder->news, (struct letter){finished ? SOUNDER_FINISHED : SOUNDER_STARTED, track});
    assert(put); /* two letters a track at most */
    (void)put;
    if (finished) {
        sounder->warm_until_ns = clock_elapsed_ns() + PLAYER_LINGER_MS * MS;
    }
    raise_fd(sounder->tell_loop);
}

static void tell_health(struct sounder *sounder, bool healthy, int error)
{
    bool first = atomic_load(&sounder->changes) == 0;
    if (!first && atomic_load(&sounder->healthy) == healthy) {
        return;
    }
    atomic_store(&sounder->error, error);
    atomic_store(&sounder->healthy, healthy);
    (void)atomic_fetch_add(&sounder->changes, 1);
    raise_fd(sounder->tell_loop);
}

static void close_card(struct sounder *sounder)
{
    pcm_out_close(&sounder->out);
    atomic_store(&sounder->open, false);
}

static void lose_card(struct sounder *sounder, int error)
{
    int64_t now = clock_elapsed_ns();
    close_card(sounder);
    voice_lose_card(&sounder->voice, now, error);
    sounder->was_lost = true;
    sounder->last_error = error;
    sounder->retry_ms = RETRY_FIRST_MS;
    sounder->retry_at_ns = now + sounder->retry_ms * MS;
    tell_health(sounder, false, error);
}

/* Zeros first, so that the clock runs and the delay means something. */
static int prefill(struct sounder *sounder)
{
    struct pcm_out *out = &sounder->out;
    int64_t left = (int64_t)out->rate_hz * PREFILL_MS / 1000;
    left = left < out->buffer_frames / 2 ? left : out->buffer_frames / 2;
    for (size_t i = 0; i < PCM_OUT_BLOCK; i++) {
        sounder->block[i] = 0;
    }
    while (left > 0) {
        size_t n = left < PCM_OUT_BLOCK ? (size_t)left : PCM_OUT_BLOCK;
        int r = pcm_out_write(out, sounder->block, n);
        if (r < 0) {
            return r;
        }
        voice_skip(&sounder->voice, n);
        left -= (int64_t)n;
    }
    sounder->moved_ns = clock_elapsed_ns();
    return pcm_out_start(out);
}

static void open_card(struct sounder *sounder, int64_t now)
{
    struct pcm_out *out = &sounder->out;
    int r = pcm_out_open(out, sounder->device, sounder->config.rate_hz, sounder->config.channels, BUFFER_MS);
    if (r == 0) {
        if (voice_set_rate(&sounder->voice, out->rate_hz)) {
            raise_fd(sounder->wake_decoder);
        }
        r = prefill(sounder);
    }
    if (r < 0) {
        close_card(sounder);
        sounder->last_error = r;
        sounder->retry_at_ns = now + sounder->retry_ms * MS;
        sounder->retry_ms = sounder->retry_ms * 2 < RETRY_LAST_MS ? sounder->retry_ms * 2 : RETRY_LAST_MS;
        tell_health(sounder, false, r);
        return;
    }
    atomic_store(&sounder->rate_hz, out->rate_hz);
    atomic_store(&sounder->channels, out->channels);
    atomic_store(&sounder->open, true);
    if (sounder->was_lost) {
        (void)atomic_fetch_add(&sounder->reopened, 1);
        sounder->was_lost = false;
    }
    sounder->retry_ms = RETRY_FIRST_MS;
    tell_health(sounder, true, 0);
}

/* Cut what the card holds; it goes on with zeros. */
static void silence(struct sounder *sounder)
{
    struct pcm_moment moment;
    if (sounder->out.pcm != NULL && pcm_out_measure(&sounder->out, &moment) == 0) {
        voice_moment(&sounder->voice, moment.at_ns, sounder->voice.written - moment.delay_frames);
    }
    if (sounder->out.pcm != NULL) {
        pcm_out_drop(&sounder->out);
    }
    sounder->voice.at_ns = clock_elapsed_ns();
    voice_silence(&sounder->voice);
    if (sounder->out.pcm != NULL) {
        int r = pcm_out_restart(&sounder->out);
        r = r < 0 ? r : prefill(sounder);
        if (r < 0) {
            lose_card(sounder, r);
        }
    }
}

static void obey(struct sounder *sounder, const struct letter *letter)
{
    if (sounder->out.pcm == NULL) {
        sounder->voice.at_ns = clock_elapsed_ns(); /* without a card no beat keeps it fresh */
    }
    switch ((enum sounder_order)letter->what) {
    case SOUNDER_PLAY:
        if (voice_add(&sounder->voice, letter->about)) {
            raise_fd(sounder->wake_decoder);
        }
        return;
    case SOUNDER_STOP:
        voice_stop(&sounder->voice);
        return;
    case SOUNDER_DROP:
        voice_drop(&sounder->voice, letter->about);
        return;
    case SOUNDER_SILENCE:
        silence(sounder);
        return;
    case SOUNDER_PREPARE:
        sounder->warm_until_ns = clock_elapsed_ns() + PLAYER_LINGER_MS * MS;
        return;
    case SOUNDER_QUIT:
        silence(sounder);
        sounder->quit = true;
        return;
    }
}

static int fill(struct sounder *sounder, const struct pcm_moment *moment)
{
    const struct pcm_out *out = &sounder->out;
    int64_t ahead = (int64_t)out->rate_hz * PLAYER_FILL_MS / 1000;
    ahead = ahead < out->buffer_frames * 3 / 4 ? ahead : out->buffer_frames * 3 / 4;
    int64_t left = ahead - moment->delay_frames;
    left = left < moment->room_frames ? left : moment->room_frames;
    while (left > 0) {
        size_t n = left < PCM_OUT_BLOCK ? (size_t)left : PCM_OUT_BLOCK;
        voice_fill(&sounder->voice, sounder->block, n);
        int r = pcm_out_write(&sounder->out, sounder->block, n);
        if (r < 0) {
            return r;
        }
        left -= (int64_t)n;
    }
    return 0;
}

/* One beat with an open card. */
static int serve(struct sounder *sounder)
{
    struct pcm_moment moment;
    int r = pcm_out_measure(&sounder->out, &moment);
    if (r < 0) {
        return r;
    }
    int64_t heard = sounder->voice.written - moment.delay_frames;
    if (heard != sounder->voice.heard) {
        sounder->moved_ns = moment.at_ns;
    } else if (moment.at_ns - sounder->moved_ns > STANDSTILL_MS * MS) {
        return -ETIMEDOUT;
    }
    voice_moment(&sounder->voice, moment.at_ns, heard);
    return fill(sounder, &moment);
}

static void mend(struct sounder *sounder, int error)
{
    if (error != -EPIPE && error != -ESTRPIPE) {
        lose_card(sounder, error);
        return;
    }
    voice_xrun(&sounder->voice, clock_elapsed_ns());
    (void)atomic_fetch_add(&sounder->xruns, 1);
    int r = pcm_out_restart(&sounder->out);
    r = r < 0 ? r : prefill(sounder);
    if (r < 0) {
        lose_card(sounder, r);
    }
}

/* Returns how long to wait, in ms; -1: until woken. */
static int beat(struct sounder *sounder)
{
    int64_t now = clock_elapsed_ns();
    int64_t needed = voice_needs_card_ns(&sounder->voice, PLAYER_AHEAD_MS * MS);
    if (needed > now && sounder->warm_until_ns <= now) {
        if (sounder->out.pcm != NULL) {
            close_card(sounder);
        }
        voice_lack_card(&sounder->voice, now, INT64_MAX, 0); /* nothing is due; finds what will never sound */
        int64_t ms = (needed - now) / MS;
        return needed == INT64_MAX ? -1 : ms > 60000 ? 60000 : (int)ms;
    }
    if (sounder->out.pcm == NULL && now >= sounder->retry_at_ns) {
        open_card(sounder, now);
    }
    if (sounder->out.pcm == NULL) {
        voice_lack_card(&sounder->voice, now, (int64_t)sounder->config.card_wait_ms * MS, sounder->last_error);
        int64_t ms = (sounder->retry_at_ns - now) / MS + 1;
        return ms < RETRY_FIRST_MS ? (int)ms : RETRY_FIRST_MS;
    }
    int r = serve(sounder);
    if (r < 0) {
        mend(sounder, r);
    }
    return BEAT_MS;
}

static void *run(void *arg)
{
    struct sounder *sounder = arg;
    while (!sounder->quit) {
        pulse_within(&sounder->pulse, PULSE_STEP_MS);
        struct letter letter;
        while (mail_take(&sounder->orders, &letter)) {
            obey(sounder, &letter);
        }
        int wait_ms = sounder->quit ? 0 : beat(sounder);
        if (wait_ms < 0) {
            pulse_rest(&sounder->pulse);
        } else {
            pulse_within(&sounder->pulse, wait_ms + PULSE_STEP_MS);
        }
        struct pollfd pfd = {.fd = sounder->wake, .events = POLLIN};
        uint64_t count;
        if (poll(&pfd, 1, wait_ms) > 0 && read(sounder->wake, &count, sizeof(count)) < 0) {
            continue;
        }
    }
    close_card(sounder);
    pulse_rest(&sounder->pulse);
    return NULL;
}

int sounder_new(const struct player_config *config, int tell_loop, struct sounder **ret_sounder)
{
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0) {
        return -errno;
    }
    struct sounder *sounder = xcalloc(1, sizeof(*sounder));
    sounder->config = *config;
    sounder->device = xstrdup(config->device);
    sounder->config.device = sounder->device;
    sounder->wake = wake;
    sounder->tell_loop = tell_loop;
    sounder->wake_decoder = -1;
    sounder->retry_ms = RETRY_FIRST_MS;
    atomic_store(&sounder->healthy, true);
    voice_init(&sounder->voice, tell, sounder);
    *ret_sounder = sounder;
    return 0;
}

int sounder_wake_fd(const struct sounder *sounder)
{
    return sounder->wake;
}

int sounder_start(struct sounder *sounder, int wake_decoder, bool *ret_realtime)
{
    sounder->wake_decoder = wake_decoder;
    int r = pthread_create(&sounder->thread, NULL, run, sounder);
    if (r != 0) {
        return -r;
    }
    sounder->started = true;
    (void)pthread_setname_np(sounder->thread, "loa-sound");
    struct sched_param param = {.sched_priority = PRIORITY};
    *ret_realtime = pthread_setschedparam(sounder->thread, SCHED_FIFO, &param) == 0;
    return 0;
}

void sounder_stop(struct sounder *sounder)
{
    if (sounder->started) {
        sounder_order(sounder, SOUNDER_QUIT, NULL);
        (void)pthread_join(sounder->thread, NULL);
        sounder->started = false;
    }
}

void sounder_free(struct sounder *sounder)
{
    if (sounder == NULL) {
        return;
    }
    sounder_stop(sounder);
    (void)close(sounder->wake);
    free(sounder->device);
    free(sounder);
}

void sounder_order(struct sounder *sounder, enum sounder_order order, struct track *track)
{
    bool put = mail_put(&sounder->orders, (struct letter){(int)order, track});
    assert(put); /* the loop hands over a few orders a track at most */
    (void)put;
    raise_fd(sounder->wake);
}

bool sounder_news(struct sounder *sounder, enum sounder_news *ret_news, struct track **ret_track)
{
    struct letter letter;
    if (!mail_take(&sounder->news, &letter)) {
        return false;
    }
    *ret_news = (enum sounder_news)letter.what;
    *ret_track = letter.about;
    return true;
}

bool sounder_stuck(const struct sounder *sounder)
{
    return pulse_missed(&sounder->pulse);
}

void sounder_card(const struct sounder *sounder, struct sounder_card *ret_card)
{
    *ret_card = (struct sounder_card){
        .open = atomic_load(&sounder->open),
        .healthy = atomic_load(&sounder->healthy),
        .error = atomic_load(&sounder->error),
        .rate_hz = atomic_load(&sounder->rate_hz),
        .channels = atomic_load(&sounder->channels),
        .xruns = atomic_load(&sounder->xruns),
        .reopened = atomic_load(&sounder->reopened),
        .changes = atomic_load(&sounder->changes),
    };
}
