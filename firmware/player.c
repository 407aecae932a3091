/* player.c - the loop's side of the player: what was asked for, what has come of it. See player.h. */
#include "firmware/player.h"

#include "firmware/decoder.h"
#include "firmware/sounder.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <alsa/asoundlib.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PREPARE_EVERY_MS = 500 };

struct player {
    struct player_config config;
    struct player_events events;
    void *arg;
    int news_fd; /* owned eventfd, raised by both threads */
    uv_poll_t poll;
    struct decoder *decoder; /* owned */
    struct sounder *sounder; /* owned */
    struct track *on;        /* the item on; in `tracks` too, as is the next */
    struct track *next;
    struct track *tracks;  /* owned: all that a thread may still hold */
    unsigned rate_hz;      /* the card's, or the wish */
    uint32_t card_changes; /* those told */
    int64_t prepared_ms;
    bool stopped; /* all that is there was told to stop, so that orders stay few */
    bool silenced;
    bool realtime;
};

const char *player_end_name(enum player_end end)
{
    static const char *const names[] = {"drained", "stopped", "card_lost", "decode_error", "length_mismatch"};
    return (size_t)end < sizeof(names) / sizeof(names[0]) ? names[end] : "unknown";
}

/* alsa-lib prints to stderr by itself; the player tells its caller instead. */
static void hush(const char *file, int line, const char *function, int err, const char *fmt, ...)
{
    (void)file;
    (void)line;
    (void)function;
    (void)err;
    (void)fmt;
}

static void free_track(struct track *track)
{
    ring_done(&track->ring);
    free(track);
}

/* Free what both threads have let go. */
static void reap(struct player *player)
{
    for (struct track **at = &player->tracks; *at != NULL;) {
        struct track *track = *at;
        if (track->finished && atomic_load(&track->decoder_gone)) {
            *at = track->after;
            free_track(track);
        } else {
            at = &track->after;
        }
    }
}

static void wake(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) < 0) {
        return; /* full is raised enough */
    }
}

static void cancel_decoding(const struct player *player, struct track *track)
{
    atomic_store(&track->cancelled, true);
    wake(decoder_wake_fd(player->decoder));
}

static void finished(struct player *player, struct track *track)
{
    track->finished = true;
    if (player->on == track) {
        player->on = player->next;
        player->next = NULL;
    } else if (player->next == track) {
        player->next = NULL;
    }
    cancel_decoding(player, track);
    struct player_result result = track->result;
    if (player->events.finished != NULL) {
        player->events.finished(player->arg, &result);
    }
}

static void tell_card(struct player *player)
{
    struct sounder_card card;
    sounder_card(player->sounder, &card);
    player->rate_hz = card.rate_hz != 0 ? card.rate_hz : player->rate_hz;
    if (card.changes != player->card_changes) {
        player->card_changes = card.changes;
        if (player->events.card != NULL) {
            player->events.card(player->arg, card.healthy, card.error);
        }
    }
}

static void take_news(struct player *player)
{
    enum sounder_news news;
    struct track *track;
    tell_card(player);
    while (sounder_news(player->sounder, &news, &track)) {
        if (news == SOUNDER_FINISHED) {
            finished(player, track);
        } else if (player->events.started != NULL) {
            player->events.started(player->arg, track->id, track->heard_ns);
        }
    }
    reap(player);
}

static void on_news(uv_poll_t *poll, int status, int events)
{
    struct player *player = poll->data;
    uint64_t count;
    (void)status;
    (void)events;
    if (read(player->news_fd, &count, sizeof(count)) > 0) {
        take_news(player);
    }
}

static int check_config(const struct player_config *config)
{
    bool rate = config->rate_hz == 0 || (config->rate_hz >= 8000 && config->rate_hz <= 192000);
    bool device = config->device != NULL && config->device[0] != '\0' && strlen(config->device) < PLAYER_PATH_MAX;
    return rate && device && config->channels <= 2 ? 0 : -EINVAL;
}

static void free_parts(struct player *player)
{
    decoder_free(player->decoder);
    sounder_free(player->sounder);
    if (player->news_fd >= 0) {
        (void)close(player->news_fd);
    }
    free(player);
}

static int make_parts(struct player *player)
{
    player->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (player->news_fd < 0) {
        return -errno;
    }
    int r = sounder_new(&player->config, player->news_fd, &player->sounder);
    r = r < 0 ? r : decoder_new(sounder_wake_fd(player->sounder), player->news_fd, &player->decoder);
    return r < 0 ? r : sounder_start(player->sounder, decoder_wake_fd(player->decoder), &player->realtime);
}

int player_new(uv_loop_t *loop, const struct player_config *config, const struct player_events *events, void *arg,
               struct player **ret_player)
{
    int r = check_config(config);
    if (r < 0) {
        return r;
    }
    (void)snd_lib_error_set_handler(hush);
    struct player *player = xcalloc(1, sizeof(*player));
    player->config = *config;
    player->config.rate_hz = config->rate_hz == 0 ? PLAYER_MEDIA_RATE_HZ : config->rate_hz;
    player->config.channels = config->channels == 0 ? 1 : config->channels;
    player->config.card_wait_ms = config->card_wait_ms == 0 ? 10000 : config->card_wait_ms;
    player->rate_hz = player->config.rate_hz;
    player->events = *events;
    player->arg = arg;
    r = make_parts(player);
    r = r < 0 ? r : uv_poll_init(loop, &player->poll, player->news_fd);
    if (r < 0) {
        if (player->sounder != NULL) {
            sounder_stop(player->sounder);
        }
        free_parts(player);
        return r;
    }
    player->config.device = NULL; /* the sounder has its own */
    player->poll.data = player;
    (void)uv_poll_start(&player->poll, UV_READABLE, on_news); /* fails only for a closing handle */
    if (!player->realtime) {
        log_warn("player", "card=%s real-time scheduling refused; plays at normal priority", config->device);
    }
    *ret_player = player;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct player *player = handle->data;
    free_parts(player);
}

void player_free(struct player *player)
{
    if (player == NULL) {
        return;
    }
    sounder_stop(player->sounder);
    take_news(player);
    decoder_free(player->decoder); /* the tracks are nobody's now */
    player->decoder = NULL;
    reap(player);
    assert(player->tracks == NULL);
    (void)uv_poll_stop(&player->poll);
    uv_close((uv_handle_t *)&player->poll, on_closed);
}

void player_prepare(struct player *player)
{
    int64_t now_ms = clock_elapsed_ns() / 1000000;
    if (player->prepared_ms == 0 || now_ms - player->prepared_ms >= PREPARE_EVERY_MS) {
        player->prepared_ms = now_ms;
        sounder_order(player->sounder, SOUNDER_PREPARE, NULL);
    }
}

static int check_item(const struct player *player, const struct player_item *item)
{
    if (item->id == 0 || item->path == NULL || item->path[0] == '\0' || item->start_elapsed_ns < 0 ||
        item->latest_elapsed_ns < 0) {
        return -EINVAL;
    }
    if (strlen(item->path) >= PLAYER_PATH_MAX) {
        return -ENAMETOOLONG;
    }
    const uint64_t longest = (uint64_t)PLAYER_ITEM_MAX_S * PLAYER_MEDIA_RATE_HZ;
    if (item->gain_mb < PLAYER_GAIN_MIN_MB || item->gain_mb > PLAYER_GAIN_MAX_MB || item->offset_frames > longest ||
        item->expected_frames > longest) {
        return -ERANGE;
    }
    size_t n = 0;
    for (const struct track *track = player->tracks; track != NULL; track = track->after) {
        if (!track->finished && track->id == item->id) {
            return -EINVAL;
        }
        n++;
    }
    return player->next != NULL || n >= SOUNDER_TRACKS_MAX ? -EBUSY : 0;
}

static struct track *make_track(const struct player *player, const struct player_item *item)
{
    struct track *track = xcalloc(1, sizeof(*track));
    memcpy(track->path, item->path, strlen(item->path) + 1);
    track->id = item->id;
    track->start_ns = item->start_elapsed_ns;
    track->latest_ns = item->latest_elapsed_ns == 0 ? INT64_MAX : item->latest_elapsed_ns;
    track->offset_frames = item->offset_frames;
    track->expected_frames = item->expected_frames;
    atomic_store(&track->gain_mb, item->gain_mb);
    atomic_store(&track->wanted_hz, player->rate_hz);
    atomic_store(&track->phase, PLAYER_WAITING);
    ring_init(&track->ring, (size_t)player->rate_hz * DECODER_AHEAD_MS / 1000);
    return track;
}

int player_play(struct player *player, const struct player_item *item)
{
    int r = check_item(player, item);
    if (r < 0) {
        return r;
    }
    struct track *track = make_track(player, item);
    r = decoder_add(player->decoder, track);
    if (r < 0) {
        free_track(track);
        return -EBUSY;
    }
    track->after = player->tracks;
    player->tracks = track;
    if (player->on == NULL) {
        player->on = track;
    } else {
        player->next = track;
    }
    player->stopped = false;
    player->silenced = false;
    sounder_order(player->sounder, SOUNDER_PLAY, track);
    return 0;
}

void player_stop(struct player *player)
{
    if (player->on != NULL && !player->stopped) {
        player->stopped = true;
        player->next = NULL; /* what was next ends by itself; its place is free */
        sounder_order(player->sounder, SOUNDER_STOP, NULL);
    }
}

void player_drop_next(struct player *player)
{
    if (player->next != NULL) {
        sounder_order(player->sounder, SOUNDER_DROP, player->next);
        player->next = NULL;
    }
}

void player_silence(struct player *player)
{
    if (player->on != NULL && !player->silenced) {
        player->stopped = true;
        player->silenced = true;
        player->next = NULL;
        sounder_order(player->sounder, SOUNDER_SILENCE, NULL);
    }
}

int player_set_gain(struct player *player, int32_t gain_mb)
{
    if (gain_mb < PLAYER_GAIN_MIN_MB || gain_mb > PLAYER_GAIN_MAX_MB) {
        return -ERANGE;
    }
    if (player->on == NULL) {
        return ERR_STATE;
    }
    atomic_store(&player->on->gain_mb, gain_mb);
    return 0;
}

const char *player_stuck(const struct player *player)
{
    if (sounder_stuck(player->sounder)) {
        return "the sound thread";
    }
    return decoder_stuck(player->decoder) ? "the decoder" : NULL;
}

void player_status(const struct player *player, struct player_status *ret_status)
{
    struct sounder_card card;
    sounder_card(player->sounder, &card);
    *ret_status = (struct player_status){
        .phase = PLAYER_IDLE,
        .next_id = player->next == NULL ? 0 : player->next->id,
        .card_open = card.open,
        .card_healthy = card.healthy,
        .card_error = card.error,
        .rate_hz = card.rate_hz,
        .channels = card.channels,
        .xruns = card.xruns,
        .reopened = card.reopened,
        .realtime = player->realtime,
    };
    if (player->on != NULL) {
        uint32_t rate_hz = card.rate_hz == 0 ? PLAYER_MEDIA_RATE_HZ : card.rate_hz;
        ret_status->id = player->on->id;
        ret_status->phase = (enum player_phase)atomic_load(&player->on->phase);
        ret_status->played_frames = shape_frames(atomic_load(&player->on->played), rate_hz, PLAYER_MEDIA_RATE_HZ);
    }
}
