/* plugin.c - ALSA PCM type "loa" (ioplug): hands a player's frames to a card process.
 *
 *     pcm.NAME { type loa socket "/path" }
 *
 * The ring and all counts lie in shared memory; the card's clock is known exactly, so the delay is exact between its
 * ticks too. A card that has gone makes `pointer` fail (ALSA then says XRUN) and `prepare` return -ENODEV, as PCMs of
 * real cards do: the player closes and opens again. alsa-lib serialises the calls of one PCM. */
#include "tools/soundcard/card_wire.h"

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT_MS = 1000 };

struct loa {
    snd_pcm_ioplug_t io;
    int socket;                 /* owned */
    int tick;                   /* owned eventfd of the card; -1 before hw_params */
    struct card_shared *shared; /* owned mapping; NULL before hw_params */
    size_t shared_len;
    uint8_t *ring; /* in the mapping */
    struct card_answer card;
    snd_pcm_uframes_t boundary;
    snd_pcm_uframes_t avail_min;
    uint64_t pointed;              /* frames taken that `pointer` has told since prepare */
    uint64_t written;              /* frames handed over since prepare */
    snd_pcm_uframes_t written_ptr; /* the application pointer that this is */
    bool gone;
};

/* Wait for one answer; descriptors that come with it go to ret_fds. */
static int receive(struct loa *loa, struct card_answer *ret_answer, int ret_fds[2])
{
    struct pollfd pfd = {.fd = loa->socket, .events = POLLIN};
    if (poll(&pfd, 1, ANSWER_TIMEOUT_MS) <= 0) {
        return -ENODEV;
    }
    struct iovec iov = {.iov_base = ret_answer, .iov_len = sizeof(*ret_answer)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(loa->socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got != (ssize_t)sizeof(*ret_answer) || ret_answer->magic != CARD_MAGIC) {
        return -ENODEV;
    }
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    if (ret_fds != NULL && head != NULL && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(2 * sizeof(int))) {
        memcpy(ret_fds, CMSG_DATA(head), 2 * sizeof(int));
    }
    return ret_answer->status;
}

static int ask(struct loa *loa, enum card_op op, uint32_t buffer_frames, int ret_fds[2])
{
    struct card_request request = {.magic = CARD_MAGIC, .op = op, .buffer_frames = buffer_frames};
    struct card_answer answer;
    if (loa->gone || send(loa->socket, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        loa->gone = true;
        return -ENODEV;
    }
    int r = receive(loa, &answer, ret_fds);
    if (r == -ENODEV || (r == 0 && answer.op != op)) {
        loa->gone = true;
        return -ENODEV;
    }
    return r;
}

/* Nothing comes unasked: a readable socket is the card's end. */
static bool card_gone(struct loa *loa)
{
    char byte;
    ssize_t got = recv(loa->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
        loa->gone = true;
    }
    return loa->gone;
}

/* Frames handed over, seen from the application pointer, which snd_pcm_rewind() may have moved back. */
static uint64_t handed_over(const struct loa *loa)
{
    snd_pcm_uframes_t ptr = loa->io.appl_ptr;
    if (ptr >= loa->written_ptr) {
        uint64_t forward = ptr - loa->written_ptr;
        return forward <= loa->io.buffer_size ? loa->written + forward : loa->written - (loa->boundary - forward);
    }
    uint64_t back = loa->written_ptr - ptr;
    return back <= loa->io.buffer_size ? loa->written - back : loa->written + (loa->boundary - back);
}

static int loa_start(snd_pcm_ioplug_t *io)
{
    return ask(io->private_data, CARD_START, 0, NULL);
}

static int loa_stop(snd_pcm_ioplug_t *io)
{
    return ask(io->private_data, CARD_STOP, 0, NULL);
}

static snd_pcm_sframes_t loa_pointer(snd_pcm_ioplug_t *io)
{
    struct loa *loa = io->private_data;
    if (loa->gone || loa->shared == NULL || card_gone(loa)) {
        return -ENODEV;
    }
    bool dry = atomic_load(&loa->shared->underrun) != 0;
    uint64_t taken = atomic_load_explicit(&loa->shared->taken_frames, memory_order_acquire);
    if (dry && taken == loa->pointed) {
        return -EPIPE; /* how far it came was told before: `avail` stays true, as a real card's does */
    }
    loa->pointed = taken;
    return (snd_pcm_sframes_t)(taken % loa->boundary);
}

static snd_pcm_sframes_t loa_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                      snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    struct loa *loa = io->private_data;
    if (loa->gone || loa->shared == NULL || atomic_load(&loa->shared->underrun) != 0) {
        return -EPIPE; /* nobody would ever take them */
    }
    uint64_t at = handed_over(loa);
    size_t frame_bytes = (size_t)io->channels * card_sample_bytes(loa->card.format);
    const uint8_t *from = (const uint8_t *)areas->addr + (areas->first + areas->step * offset) / 8;
    for (snd_pcm_uframes_t done = 0; done < size;) {
        snd_pcm_uframes_t place = (snd_pcm_uframes_t)((at + done) % io->buffer_size);
        snd_pcm_uframes_t n = io->buffer_size - place;
        n = n > size - done ? size - done : n;
        memcpy(loa->ring + place * frame_bytes, from + done * frame_bytes, n * frame_bytes);
        done += n;
    }
    loa->written = at + size;
    loa->written_ptr = (io->appl_ptr + size) % loa->boundary;
    atomic_store_explicit(&loa->shared->written_frames, loa->written, memory_order_release);
    return (snd_pcm_sframes_t)size;
}

static int loa_delay(snd_pcm_ioplug_t *io, snd_pcm_sframes_t *delayp)
{
    struct loa *loa = io->private_data;
    if (loa->gone || loa->shared == NULL || card_gone(loa)) {
        return -ENODEV;
    }
    if (atomic_load(&loa->shared->underrun) != 0) {
        return -EPIPE;
    }
    uint64_t written = handed_over(loa);
    uint64_t taken = atomic_load_explicit(&loa->shared->taken_frames, memory_order_acquire);
    struct card_pace pace = loa->shared->pace[atomic_load_explicit(&loa->shared->pace_told, memory_order_acquire) & 1];
    if (pace.anchor_frame == CARD_NO_ANCHOR) {
        *delayp = (snd_pcm_sframes_t)written;
        return 0;
    }
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t heard = card_heard_at(&pace, (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec);
    int64_t most = (int64_t)(taken + (uint64_t)loa->card.rate_hz * CARD_LATE_MS / 1000);
    heard = heard > most ? most : heard;
    heard = heard > (int64_t)written ? (int64_t)written : heard;
    *delayp = (snd_pcm_sframes_t)((int64_t)written - heard);
    return 0;
}

static void unmap(struct loa *loa)
{
    if (loa->shared != NULL) {
        (void)munmap(loa->shared, loa->shared_len);
        loa->shared = NULL;
    }
    if (loa->tick >= 0) {
        (void)close(loa->tick);
        loa->tick = -1;
    }
}

static int loa_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *params)
{
    struct loa *loa = io->private_data;
    (void)params;
    int fds[2] = {-1, -1};
    unmap(loa);
    int r = ask(loa, CARD_SETUP, (uint32_t)io->buffer_size, fds);
    if (r < 0 || fds[0] < 0) {
        return r < 0 ? r : -EIO;
    }
    size_t len = CARD_RING_OFFSET + (size_t)io->buffer_size * io->channels * card_sample_bytes(loa->card.format);
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    (void)close(fds[0]);
    loa->tick = fds[1];
    if (memory == MAP_FAILED) {
        return -errno;
    }
    loa->shared = memory;
    loa->shared_len = len;
    loa->ring = (uint8_t *)memory + CARD_RING_OFFSET;
    return 0;
}

static int loa_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params)
{
    struct loa *loa = io->private_data;
    int r = snd_pcm_sw_params_get_boundary(params, &loa->boundary);
    return r < 0 ? r : snd_pcm_sw_params_get_avail_min(params, &loa->avail_min);
}

static int loa_prepare(snd_pcm_ioplug_t *io)
{
    struct loa *loa = io->private_data;
    if (loa->shared == NULL || card_gone(loa)) {
        return -ENODEV;
    }
    loa->pointed = 0;
    loa->written = 0;
    loa->written_ptr = 0;
    atomic_store(&loa->shared->written_frames, 0);
    return ask(loa, CARD_PREPARE, 0, NULL);
}

static int loa_close(snd_pcm_ioplug_t *io)
{
    struct loa *loa = io->private_data;
    unmap(loa);
    (void)close(loa->socket);
    free(loa);
    return 0;
}

static int loa_poll_count(snd_pcm_ioplug_t *io)
{
    (void)io;
    return 2;
}

static int loa_poll_fds(snd_pcm_ioplug_t *io, struct pollfd *pfd, unsigned int space)
{
    struct loa *loa = io->private_data;
    if (space < 2) {
        return -EINVAL;
    }
    pfd[0] = (struct pollfd){.fd = loa->tick, .events = POLLIN};
    pfd[1] = (struct pollfd){.fd = loa->socket, .events = POLLIN};
    return 2;
}

/* Writable when there is room; woken by each tick. The tick is taken back when there is nothing to do, and while
 * draining, where the room itself is no news. */
static int loa_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *pfd, unsigned int nfds, unsigned short *revents)
{
    struct loa *loa = io->private_data;
    if (nfds < 2 || loa->shared == NULL) {
        return -EINVAL;
    }
    *revents = 0;
    if (pfd[1].revents != 0 || atomic_load(&loa->shared->underrun) != 0) {
        *revents = POLLOUT | POLLERR;
        return 0;
    }
    uint64_t waiting = handed_over(loa) - atomic_load(&loa->shared->taken_frames);
    bool draining = io->state == SND_PCM_STATE_DRAINING;
    bool room = io->buffer_size - waiting >= loa->avail_min;
    uint64_t ticks;
    if ((draining || !room) && read(loa->tick, &ticks, sizeof(ticks)) < 0) {
        return 0;
    }
    if (room || draining) {
        *revents = POLLOUT;
    }
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = loa_start,
    .stop = loa_stop,
    .pointer = loa_pointer,
    .transfer = loa_transfer,
    .close = loa_close,
    .hw_params = loa_hw_params,
    .sw_params = loa_sw_params,
    .prepare = loa_prepare,
    .poll_descriptors_count = loa_poll_count,
    .poll_descriptors = loa_poll_fds,
    .poll_revents = loa_poll_revents,
    .delay = loa_delay,
};

static int set_limits(struct loa *loa)
{
    static const unsigned formats[] = {SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S32_LE, SND_PCM_FORMAT_FLOAT_LE};
    static const unsigned accesses[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};
    snd_pcm_ioplug_t *io = &loa->io;
    const struct card_answer *card = &loa->card;
    if (card->format > CARD_FLOAT || card->channels < 1 || card->channels > CARD_CHANNELS_MAX ||
        card->rate_hz < CARD_RATE_MIN_HZ || card->rate_hz > CARD_RATE_MAX_HZ) {
        return -EIO;
    }
    unsigned frame_bytes = card->channels * card_sample_bytes(card->format);
    unsigned buffer_max = card->rate_hz * CARD_BUFFER_MS_MAX / 1000 * frame_bytes;
    unsigned period_min = CARD_PERIOD_MIN_FRAMES * frame_bytes;
    int r = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, accesses);
    r = r < 0 ? r : snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, &formats[card->format]);
    r = r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, card->channels, card->channels);
    r = r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, card->rate_hz, card->rate_hz);
    r = r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, period_min, buffer_max / 2);
    r = r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 2 * period_min, buffer_max);
    return r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 1024);
}

static int connect_card(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)close(fd);
        return -ENODEV;
    }
    return fd;
}

static int open_pcm(snd_pcm_t **pcmp, const char *name, const char *path, snd_pcm_stream_t stream, int mode)
{
    struct loa *loa = calloc(1, sizeof(*loa));
    if (loa == NULL) {
        return -ENOMEM;
    }
    loa->tick = -1;
    loa->socket = connect_card(path);
    int r = loa->socket < 0 ? loa->socket : receive(loa, &loa->card, NULL);
    loa->io = (snd_pcm_ioplug_t){.version = SND_PCM_IOPLUG_VERSION,
                                 .name = "Loa virtual sound card",
                                 .flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA,
                                 .callback = &callbacks,
                                 .private_data = loa};
    r = r < 0 ? r : snd_pcm_ioplug_create(&loa->io, name, stream, mode);
    if (r < 0) {
        if (loa->socket >= 0) {
            (void)close(loa->socket);
        }
        free(loa);
        return r;
    }
    r = set_limits(loa);
    if (r < 0) {
        (void)snd_pcm_ioplug_delete(&loa->io); /* closes and frees */
        return r;
    }
    *pcmp = loa->io.pcm;
    return 0;
}

/* alsa-lib looks this one up by name, and the version symbol below. */
SND_PCM_PLUGIN_DEFINE_FUNC(loa);
SND_DLSYM_BUILD_VERSION(SND_PCM_PLUGIN_ENTRY(loa), SND_PCM_DLSYM_VERSION)

SND_PCM_PLUGIN_DEFINE_FUNC(loa)
{
    (void)root;
    const char *path = NULL;
    if (stream != SND_PCM_STREAM_PLAYBACK) {
        return -EINVAL;
    }
    snd_config_iterator_t i;
    snd_config_iterator_t next;
    snd_config_for_each(i, next, conf)
    {
        snd_config_t *entry = snd_config_iterator_entry(i);
        const char *id = NULL;
        if (snd_config_get_id(entry, &id) < 0 || strcmp(id, "comment") == 0 || strcmp(id, "type") == 0 ||
            strcmp(id, "hint") == 0) {
            continue;
        }
        if (strcmp(id, "socket") == 0 && snd_config_get_string(entry, &path) == 0) {
            continue;
        }
        SNDERR("pcm type loa: \"%s\" is not right; socket \"/path\" would be", id);
        return -EINVAL;
    }
    if (path == NULL) {
        SNDERR("pcm type loa: socket \"/path\" is missing");
        return -EINVAL;
    }
    return open_pcm(pcmp, name, path, stream, mode);
}
