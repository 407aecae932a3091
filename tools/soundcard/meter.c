/* meter.c - level meter with listeners on a Unix socket. See meter.h. */
#include "tools/soundcard/meter.h"

#include "playlists/base/bytes.h"
#include "tools/soundcard/unix_socket.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int meter_level_mb(double mean_square)
{
    if (mean_square <= 0) {
        return METER_SILENCE_MB;
    }
    long level = lround(1000.0 * log10(mean_square / (32768.0 * 32768.0)));
    return level < METER_SILENCE_MB ? METER_SILENCE_MB : (int)level;
}

int meter_init(struct meter *meter, const char *path, uint32_t rate_hz, uint32_t channels, struct complaint *why)
{
    *meter = (struct meter){.listener = -1, .channels = channels, .block_frames = rate_hz * METER_BLOCK_MS / 1000};
    for (size_t i = 0; i < METER_CLIENTS_MAX; i++) {
        meter->clients[i] = -1;
    }
    if (path == NULL) {
        return 0;
    }
    int fd = unix_socket_listen(path, SOCK_STREAM, why);
    if (fd < 0) {
        return fd;
    }
    meter->listener = fd;
    meter->path = xstrdup(path);
    return 0;
}

void meter_done(struct meter *meter)
{
    for (size_t i = 0; i < METER_CLIENTS_MAX; i++) {
        if (meter->clients[i] >= 0) {
            (void)close(meter->clients[i]);
        }
    }
    if (meter->listener >= 0) {
        (void)close(meter->listener);
        (void)unlink(meter->path);
    }
    free(meter->path);
}

uint32_t meter_room(const struct meter *meter)
{
    return meter->block_frames - meter->in_block;
}

static void drop_client(struct meter *meter, size_t i)
{
    (void)close(meter->clients[i]);
    meter->clients[i] = -1;
}

static void tell(struct meter *meter, int64_t end_unix_ms)
{
    double mean = (meter->sum + meter->last_sum) / (2.0 * meter->block_frames * meter->channels);
    char line[96];
    int len = snprintf(line, sizeof(line), "{\"rms_mb\": %d, \"at_unix_ms\": %" PRId64 "}\n", meter_level_mb(mean),
                       end_unix_ms);
    for (size_t i = 0; i < METER_CLIENTS_MAX; i++) {
        if (meter->clients[i] < 0) {
            continue;
        }
        ssize_t sent = send(meter->clients[i], line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent != len && (sent >= 0 || (errno != EAGAIN && errno != EINTR))) {
            drop_client(meter, i); /* half a line would spoil all that follow */
        }
    }
}

void meter_put(struct meter *meter, const int16_t *frames, uint32_t n, int64_t end_unix_ms)
{
    for (size_t i = 0; frames != NULL && i < (size_t)n * meter->channels; i++) {
        meter->sum += (double)frames[i] * frames[i];
    }
    meter->in_block += n;
    if (meter->in_block < meter->block_frames) {
        return;
    }
    tell(meter, end_unix_ms);
    meter->last_sum = meter->sum;
    meter->sum = 0;
    meter->in_block = 0;
}

size_t meter_poll_fds(const struct meter *meter, struct pollfd *ret_fds)
{
    size_t n = 0;
    if (meter->listener >= 0) {
        ret_fds[n++] = (struct pollfd){.fd = meter->listener, .events = POLLIN};
    }
    for (size_t i = 0; i < METER_CLIENTS_MAX; i++) {
        if (meter->clients[i] >= 0) {
            ret_fds[n++] = (struct pollfd){.fd = meter->clients[i], .events = POLLIN};
        }
    }
    return n;
}

static void accept_client(struct meter *meter)
{
    int fd = accept4(meter->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (size_t i = 0; fd >= 0 && i < METER_CLIENTS_MAX; i++) {
        if (meter->clients[i] < 0) {
            meter->clients[i] = fd;
            return;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* Listeners have nothing to say: what they send is thrown away, and their end is seen. */
static void hear_client(struct meter *meter, int fd)
{
    char waste[256];
    ssize_t got = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) {
        return;
    }
    for (size_t i = 0; i < METER_CLIENTS_MAX; i++) {
        if (meter->clients[i] == fd) {
            drop_client(meter, i);
        }
    }
}

void meter_serve(struct meter *meter, const struct pollfd *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].revents == 0) {
            continue;
        }
        if (fds[i].fd == meter->listener) {
            accept_client(meter);
        } else {
            hear_client(meter, fds[i].fd);
        }
    }
}
