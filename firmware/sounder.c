/* sounder.c - see sounder.h. What the samples are is voice.c's; this is the thread, the card's coming and going, and
 * the beat: every BEAT_MS the card is asked how far it is and filled up to PLAYER_FILL_MS ahead. */
#include "firmware/sounder.h"

#include "firmware/mail.h"
#include "firmware/motion.h"
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
    DRY_SOON_MS = 200,    /* running dry again so soon after a restart ... */
    DRY_MAX = 10,         /* ... so many times: it is lost, too */
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
    int64_t base;       /* the voice's position that is the card's first frame since it was last empty */
    int64_t started_ns; /* when that was */
    bool moves;         /* it has taken something since */
    struct motion motion;
    int dry_in_a_row;
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

static void retry_later(struct sounder *sounder, int64_t now)
{
    sounder->retry_at_ns = now + sounder->retry_ms * MS;
    sounder->retry_ms = sounder->retry_ms * 2 < RETRY_LAST_MS ? sounder->retry_ms * 2 : RETRY_LAST_MS;
}

static void lose_card(struct sounder *sounder, int error)
{
    int64_t now = clock_elapsed_ns();
    voice_lose_card(&sounder->voice, now, error);
    tell_health(sounder, false, error);
    close_card(sounder); /* may take a second when nobody answers */
    sounder->was_lost = true;
    sounder->dry_in_a_row = 0;
    sounder->last_error = error;
    retry_later(sounder, now);
}

static int write_zeros(struct sounder *sounder, int64_t left)
{
    struct pcm_out *out = &sounder->out;
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
    return 0;
}

static int64_t frames_of_ms(const struct sounder *sounder, int64_t ms, int64_t most)
{
    int64_t frames = (int64_t)sounder->out.rate_hz * ms / 1000;
    return frames < most ? frames : most;
}

/* Of zeros, before the card is seen to move: little, so that a start follows soon; more when that little ran dry. */
static int64_t prefill_ms(const struct sounder *sounder)
{
    int64_t ms = PREFILL_MS + (int64_t)sounder->dry_in_a_row * PREFILL_MS;
    return ms < PLAYER_FILL_MS ? ms : PLAYER_FILL_MS;
}

/* Zeros first, so that the clock runs and the delay means something. */
static int start_card(struct sounder *sounder)
{
    sounder->base = sounder->voice.written;
    sounder->moves = false;
    int r = write_zeros(sounder, frames_of_ms(sounder, prefill_ms(sounder), sounder->out.buffer_frames / 2));
    sounder->started_ns = clock_elapsed_ns();
    motion_begin(&sounder->motion, sounder->started_ns, sounder->base);
    return r < 0 ? r : pcm_out_start(&sounder->out);
}

/* Only a card that moves is one: a frozen card opens as well as any other. */
static void card_moves(struct sounder *sounder)
{
    sounder->moves = true;
    sounder->retry_ms = RETRY_FIRST_MS;
    if (sounder->was_lost) {
        (void)atomic_fetch_add(&sounder->reopened, 1);
        sounder->was_lost = false;
    }
    voice_have_card(&sounder->voice);
    tell_health(sounder, true, 0);
}

static void open_card(struct sounder *sounder, int64_t now)
{
    struct pcm_out *out = &sounder->out;
    int r = pcm_out_open(out, sounder->device, sounder->config.rate_hz, sounder->config.channels, BUFFER_MS);
    if (r == 0) {
        if (voice_set_rate(&sounder->voice, out->rate_hz)) {
            raise_fd(sounder->wake_decoder);
        }
        r = start_card(sounder);
    }
    if (r < 0) {
        close_card(sounder);
        sounder->last_error = r;
        retry_later(sounder, now);
        tell_health(sounder, false, r);
        return;
    }
    atomic_store(&sounder->rate_hz, out->rate_hz);
    atomic_store(&sounder->channels, out->channels);
    atomic_store(&sounder->open, true);
}

/* Cut what the card holds; it goes on with zeros. */
static void silence(struct sounder *sounder)
{
    struct pcm_moment moment;
    if (sounder->out.pcm != NULL && pcm_out_measure(&sounder->out, &moment) == 0) {
        voice_moment(&sounder->voice, moment.at_ns, sounder->voice.written - moment.delay_frames,
                     sounder->base + moment.consumed_frames);
    }
    if (sounder->out.pcm != NULL) {
        pcm_out_drop(&sounder->out);
    }
    sounder->voice.at_ns = clock_elapsed_ns();
    voice_silence(&sounder->voice);
    if (sounder->out.pcm != NULL) {
        int r = pcm_out_restart(&sounder->out);
        r = r < 0 ? r : start_card(sounder);
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

static void lack_card(struct sounder *sounder, int64_t now)
{
    voice_lack_card(&sounder->voice, now, (int64_t)sounder->config.card_wait_ms * MS, sounder->last_error);
}

static int fill(struct sounder *sounder, const struct pcm_moment *moment)
{
    int64_t ms = sounder->moves ? PLAYER_FILL_MS : prefill_ms(sounder);
    int64_t left = frames_of_ms(sounder, ms, sounder->out.buffer_frames * 3 / 4) - moment->delay_frames;
    left = left < moment->room_frames ? left : moment->room_frames;
    if (!sounder->moves) {
        return write_zeros(sounder, left); /* a card that never moves takes no sound along */
    }
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
    int64_t taken = sounder->base + moment.consumed_frames;
    if (motion_stood_ns(&sounder->motion, moment.at_ns, heard, taken) > STANDSTILL_MS * MS) {
        return -ETIMEDOUT;
    }
    voice_moment(&sounder->voice, moment.at_ns, heard, taken);
    if (!sounder->moves && moment.consumed_frames > 0) {
        card_moves(sounder);
    }
    if (!sounder->moves) {
        lack_card(sounder, moment.at_ns);
    }
    return fill(sounder, &moment);
}

/* A card that has gone may look like one that ran dry: only one that can be prepared again has run dry. */
static void mend(struct sounder *sounder, int error)
{
    int64_t now = clock_elapsed_ns();
    if (error != -EPIPE && error != -ESTRPIPE) {
        lose_card(sounder, error);
        return;
    }
    int64_t taken = sounder->base + pcm_out_consumed(&sounder->out);
    sounder->dry_in_a_row = now - sounder->started_ns < DRY_SOON_MS * MS ? sounder->dry_in_a_row + 1 : 0;
    int r = pcm_out_restart(&sounder->out);
    if (r < 0) {
        lose_card(sounder, r);
        return;
    }
    voice_xrun(&sounder->voice, now, taken);
    (void)atomic_fetch_add(&sounder->xruns, 1);
    r = sounder->dry_in_a_row < DRY_MAX ? start_card(sounder) : -EIO;
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
        lack_card(sounder, now);
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

bool sounder_stuck(const struct sounder *sounder)
{
    return pulse_missed(&sounder->pulse);
}
