/* stream.c - see stream.h. */
#include "tools/soundcard/stream.h"

#include "playlists/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void stream_init(struct card_stream *stream)
{
    *stream = (struct card_stream){.socket = -1, .tick = -1};
}

void stream_done(struct card_stream *stream)
{
    if (stream->shared != NULL) {
        (void)munmap(stream->shared, stream->shared_len);
    }
    if (stream->tick >= 0) {
        (void)close(stream->tick);
    }
    if (stream->socket >= 0) {
        (void)close(stream->socket);
    }
    stream_init(stream);
}

/* One answer, with descriptors when there are any. */
static int send_answer(int fd, struct card_answer *answer, const int *fds, size_t n_fds)
{
    answer->magic = CARD_MAGIC;
    struct iovec iov = {.iov_base = answer, .iov_len = sizeof(*answer)};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    memset(&control, 0, sizeof(control));
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds > 0) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(head), fds, n_fds * sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*answer) ? 0 : -EIO;
}

int stream_attach(struct card_stream *stream, int fd, int status, struct card_answer *hello)
{
    hello->op = CARD_HELLO;
    hello->status = status < 0 ? status : stream->socket >= 0 ? -EBUSY : 0;
    int r = send_answer(fd, hello, NULL, 0);
    if (hello->status < 0 || r < 0) {
        (void)close(fd);
        return hello->status < 0 ? hello->status : r;
    }
    stream_init(stream);
    stream->socket = fd;
    return 0;
}

int stream_receive(struct card_stream *stream, struct card_request *ret_request)
{
    ssize_t got = recv(stream->socket, ret_request, sizeof(*ret_request), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (got <= 0) {
        return -ECONNRESET;
    }
    if (got != (ssize_t)sizeof(*ret_request) || ret_request->magic != CARD_MAGIC) {
        log_warn("card", "a player does not keep to the wire, cut off");
        return ERR_FORMAT;
    }
    return 1;
}

/* Shared memory that neither side can shrink, and the eventfd of ticks. */
static int set_up(struct card_stream *stream, uint32_t buffer_frames, const struct card_answer *answer, int *ret_memory)
{
    if (stream->shared != NULL) {
        (void)munmap(stream->shared, stream->shared_len);
        (void)close(stream->tick);
        stream->shared = NULL;
        stream->tick = -1;
        stream->running = false;
    }
    if (buffer_frames < 2 * CARD_PERIOD_MIN_FRAMES ||
        buffer_frames > (uint64_t)answer->rate_hz * CARD_BUFFER_MS_MAX / 1000) {
        return -EINVAL;
    }
    size_t len = CARD_RING_OFFSET + (size_t)buffer_frames * answer->channels * card_sample_bytes(answer->format);
    int fd = memfd_create("loa-card", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -errno;
    }
    void *memory = MAP_FAILED;
    int tick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (tick >= 0 && ftruncate(fd, (off_t)len) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED) {
        int r = -errno;
        (void)close(fd);
        if (tick >= 0) {
            (void)close(tick);
        }
        return r;
    }
    stream->shared = memory;
    stream->shared_len = len;
    stream->ring = (const uint8_t *)memory + CARD_RING_OFFSET;
    stream->buffer_frames = buffer_frames;
    stream->tick = tick;
    *ret_memory = fd;
    return 0;
}

static void reset(struct card_stream *stream)
{
    stream->running = false;
    stream->taken = 0;
    stream->anchor = CARD_NO_ANCHOR;
    atomic_store(&stream->shared->taken_frames, 0);
    atomic_store(&stream->shared->underrun, 0);
}

static int do_request(struct card_stream *stream, uint32_t op, uint64_t head)
{
    if (stream->shared == NULL) {
        return -EBADFD;
    }
    switch (op) {
    case CARD_PREPARE:
        reset(stream);
        return 0;
    case CARD_START:
        if (stream->running) {
            return -EBADFD;
        }
        stream->anchor = head;
        stream->running = true;
        return 0;
    case CARD_STOP:
        stream->running = false;
        return 0;
    default:
        return -EINVAL;
    }
}

int stream_answer(struct card_stream *stream, const struct card_request *request, struct card_answer *answer,
                  uint64_t head, const struct card_pace *pace)
{
    struct card_pace now = *pace;
    answer->op = request->op;
    if (request->op != CARD_SETUP) {
        answer->status = do_request(stream, request->op, head);
        now.anchor_frame = stream->anchor;
        stream_tell_pace(stream, &now);
        return send_answer(stream->socket, answer, NULL, 0);
    }
    int memory = -1;
    answer->status = set_up(stream, request->buffer_frames, answer, &memory);
    if (answer->status < 0) {
        return send_answer(stream->socket, answer, NULL, 0);
    }
    reset(stream);
    now.anchor_frame = stream->anchor;
    stream_tell_pace(stream, &now);
    int r = send_answer(stream->socket, answer, (int[]){memory, stream->tick}, 2);
    (void)close(memory);
    return r;
}

static int16_t sample_of(const uint8_t *at, enum card_format format)
{
    int16_t s16 = 0;
    int32_t s32 = 0;
    float real = 0;
    switch (format) {
    case CARD_S16:
        memcpy(&s16, at, sizeof(s16));
        return s16;
    case CARD_S32:
        memcpy(&s32, at, sizeof(s32));
        return (int16_t)(s32 / 65536);
    case CARD_FLOAT:
        memcpy(&real, at, sizeof(real));
        real = real * 32768.0f;
        return real >= 32767.0f ? INT16_MAX : real > -32768.0f ? (int16_t)lrintf(real) : INT16_MIN; /* NaN: the last */
    }
    return 0;
}

int stream_take(struct card_stream *stream, enum card_format format, uint32_t channels, int16_t *ret_frames, uint32_t n)
{
    uint64_t written = atomic_load_explicit(&stream->shared->written_frames, memory_order_acquire);
    uint64_t there = written - stream->taken;
    if (written < stream->taken || there > stream->buffer_frames) {
        there = 0; /* nonsense: as if it had written nothing */
    }
    uint32_t m = there < n ? (uint32_t)there : n;
    size_t bytes = card_sample_bytes(format);
    for (uint32_t i = 0; i < m; i++) {
        const uint8_t *frame = stream->ring + (stream->taken + i) % stream->buffer_frames * channels * bytes;
        for (uint32_t c = 0; c < channels; c++) {
            ret_frames[i * channels + c] = sample_of(frame + c * bytes, format);
        }
    }
    memset(ret_frames + (size_t)m * channels, 0, (size_t)(n - m) * channels * sizeof(*ret_frames));
    stream->taken += m;
    if (m == n) {
        return 0;
    }
    stream_stop_dry(stream);
    return -EPIPE;
}

void stream_stop_dry(struct card_stream *stream)
{
    stream->running = false;
    atomic_store(&stream->shared->taken_frames, stream->taken);
    atomic_store(&stream->shared->underrun, 1);
}

void stream_tell_pace(struct card_stream *stream, const struct card_pace *pace)
{
    if (stream->shared == NULL) {
        return;
    }
    uint32_t other = 1 - (atomic_load(&stream->shared->pace_told) & 1);
    stream->shared->pace[other] = *pace;
    atomic_store_explicit(&stream->shared->pace_told, other, memory_order_release);
}

void stream_tick(struct card_stream *stream)
{
    if (stream->shared == NULL) {
        return;
    }
    atomic_store_explicit(&stream->shared->taken_frames, stream->taken, memory_order_release);
    uint64_t one = 1;
    if (write(stream->tick, &one, sizeof(one)) < 0) {
        return; /* full: the player is awake enough */
    }
}
