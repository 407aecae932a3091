/* pty_script.h - Modbus RTU slaves on a pty that follow a script: what is said to each request is decided by the test.
 */
#ifndef LOA_TEST_PTY_SCRIPT_H
#define LOA_TEST_PTY_SCRIPT_H

#include "boards/bus/rtu.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Say to the request (without its CRC) of `len` bytes whatever is wanted, on `fd`. */
typedef void (*pty_fn)(int fd, const uint8_t *request, size_t len, void *arg);

struct pty_script {
    int master, slave, stop[2];
    char path[64];
    pty_fn answer;
    void *arg;
    atomic_int requests;
    pthread_t thread;
};

static inline size_t pty_request_len(const uint8_t *in, size_t len)
{
    if (len < 8)
        return 0;
    return in[1] == 15 || in[1] == 16 ? 9U + in[6] : 8;
}

static void *pty_thread(void *arg)
{
    struct pty_script *script = arg;
    uint8_t in[512];
    size_t len = 0;
    struct pollfd fds[] = {{.fd = script->master, .events = POLLIN}, {.fd = script->stop[0], .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        ssize_t n = read(script->master, in + len, sizeof(in) - len);
        if (n <= 0)
            continue;
        len += (size_t)n;
        for (size_t want; (want = pty_request_len(in, len)) > 0 && want <= len;) {
            size_t used = rtu_whole(in, want) ? want : 1;
            if (used == want) {
                atomic_fetch_add(&script->requests, 1);
                script->answer(script->master, in, want - 2, script->arg);
            }
            len -= used;
            memmove(in, in + used, len);
        }
    }
    return NULL;
}

static inline bool pty_open(struct pty_script *script)
{
    struct termios line;
    script->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (script->master < 0 || grantpt(script->master) || unlockpt(script->master) ||
        ptsname_r(script->master, script->path, sizeof(script->path)))
        return false;
    script->slave = open(script->path, O_RDWR | O_NOCTTY);
    if (script->slave < 0 || tcgetattr(script->slave, &line))
        return false;
    cfmakeraw(&line);
    return tcsetattr(script->slave, TCSANOW, &line) == 0;
}

static inline bool pty_start(struct pty_script *script, pty_fn answer, void *arg)
{
    memset(script, 0, sizeof(*script));
    script->answer = answer;
    script->arg = arg;
    return pty_open(script) && pipe(script->stop) == 0 &&
           pthread_create(&script->thread, NULL, pty_thread, script) == 0;
}

static inline void pty_stop(struct pty_script *script)
{
    if (write(script->stop[1], "", 1) == 1)
        pthread_join(script->thread, NULL);
    close(script->stop[0]);
    close(script->stop[1]);
    close(script->master);
    close(script->slave);
}

/* Put bytes and their CRC on the line. */
static inline void pty_say(int fd, const uint8_t *bytes, size_t len)
{
    uint8_t frame[RTU_MAX];
    memcpy(frame, bytes, len);
    len = rtu_seal(frame, len);
    if (write(fd, frame, len) < 0)
        abort();
}

#endif
