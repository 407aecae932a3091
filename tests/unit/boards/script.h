/* script.h - a Modbus TCP slave that follows a script: what it answers to each request is decided by the test. */
#ifndef LOA_TEST_SCRIPT_H
#define LOA_TEST_SCRIPT_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answer the request of `len` bytes on `fd` in whatever way. False: hang up. */
typedef bool (*script_fn)(int fd, const uint8_t *request, size_t len, void *arg);

struct script {
    int listener, stop[2];
    uint16_t port;
    script_fn answer;
    void *arg;
    atomic_int requests, connections;
    pthread_t thread;
};

/* True while `fd` has something to read and nobody said stop. */
static bool script_wait(const struct script *script, int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = script->stop[0], .events = POLLIN}};
    return poll(fds, 2, -1) > 0 && !fds[1].revents;
}

static void script_serve(struct script *script, int fd)
{
    uint8_t request[300];
    while (script_wait(script, fd)) {
        ssize_t n = recv(fd, request, sizeof(request), 0);
        if (n <= 0)
            return;
        atomic_fetch_add(&script->requests, 1);
        if (!script->answer(fd, request, (size_t)n, script->arg))
            return;
    }
}

static void *script_thread(void *arg)
{
    struct script *script = arg;
    while (script_wait(script, script->listener)) {
        int fd = accept(script->listener, NULL, NULL);
        atomic_fetch_add(&script->connections, 1);
        script_serve(script, fd);
        close(fd);
    }
    return NULL;
}

static bool script_start(struct script *script, script_fn answer, void *arg)
{
    memset(script, 0, sizeof(*script));
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    script->answer = answer;
    script->arg = arg;
    script->listener = socket(AF_INET, SOCK_STREAM, 0);
    return pipe(script->stop) == 0 && bind(script->listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
           listen(script->listener, 8) == 0 && getsockname(script->listener, (struct sockaddr *)&at, &len) == 0 &&
           (script->port = ntohs(at.sin_port)) != 0 &&
           pthread_create(&script->thread, NULL, script_thread, script) == 0;
}

static void script_stop(struct script *script)
{
    if (write(script->stop[1], "", 1) == 1)
        pthread_join(script->thread, NULL);
    close(script->stop[0]);
    close(script->stop[1]);
    close(script->listener);
}

#endif
