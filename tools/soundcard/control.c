/* control.c - see control.h. */
#include "tools/soundcard/control.h"

#include "playlists/base/bytes.h"
#include "tools/soundcard/unix_socket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TELL_TIMEOUT_MS = 3000 };

int control_init(struct control *control, const char *path, struct complaint *why)
{
    *control = (struct control){.listener = -1};
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        control->clients[i].fd = -1;
    }
    if (path == NULL) {
        return 0;
    }
    int fd = unix_socket_listen(path, SOCK_STREAM, why);
    if (fd < 0) {
        return fd;
    }
    control->listener = fd;
    control->path = xstrdup(path);
    return 0;
}

static void drop_client(struct control *control, size_t i)
{
    (void)close(control->clients[i].fd);
    control->clients[i].fd = -1;
    control->clients[i].len = 0;
}

void control_done(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0) {
            drop_client(control, i);
        }
    }
    if (control->listener >= 0) {
        (void)close(control->listener);
        (void)unlink(control->path);
    }
    free(control->path);
}

size_t control_poll_fds(const struct control *control, struct pollfd *ret_fds)
{
    size_t n = 0;
    if (control->listener >= 0) {
        ret_fds[n++] = (struct pollfd){.fd = control->listener, .events = POLLIN};
    }
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0) {
            ret_fds[n++] = (struct pollfd){.fd = control->clients[i].fd, .events = POLLIN};
        }
    }
    return n;
}

static void accept_client(struct control *control)
{
    int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (size_t i = 0; fd >= 0 && i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd < 0) {
            control->clients[i].fd = fd;
            return;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int answer(char ret[CONTROL_ANSWER_MAX], struct card *card, const char *line)
{
    struct fault fault;
    struct complaint why = {.text = ""};
    if (fault_parse(line, &fault, &why) < 0) {
        for (char *c = why.text; *c != '\0'; c++) { /* the line may hold anything */
            *c = *c == '"' || *c == '\\' || (unsigned char)*c < 32 || (unsigned char)*c > 126 ? '\'' : *c;
        }
        return snprintf(ret, CONTROL_ANSWER_MAX, "{\"error\": \"%.300s\"}\n", why.text);
    }
    card_obey(card, &fault);
    bool gone = card->faults.gone_until_ns != 0;
    bool still = card->faults.still_until_ns != 0;
    return snprintf(ret, CONTROL_ANSWER_MAX,
                    "{\"ok\": true, \"state\": \"%s\", \"busy\": %s, \"running\": %s, \"ppm\": %" PRId32
                    ", \"frames\": %" PRIu64 ", \"streams\": %" PRIu32 ", \"underruns\": %" PRIu32 "}\n",
                    gone    ? "gone"
                    : still ? "still"
                            : "here",
                    card->faults.busy_until_ns != 0 ? "true" : "false", card->stream.running ? "true" : "false",
                    card->config.ppm, card->head, card->streams, card->underruns);
}

/* False: it cannot be talked with. */
static bool speak(int fd, struct card *card, const char *line)
{
    char text[CONTROL_ANSWER_MAX];
    int len = answer(text, card, line);
    return send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) == len;
}

static void hear_client(struct control *control, size_t i, struct card *card)
{
    int fd = control->clients[i].fd;
    char *line = control->clients[i].line;
    size_t len = control->clients[i].len;
    ssize_t got = recv(fd, line + len, FAULT_LINE_MAX - 1 - len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) { /* also when the line fills all there is */
        drop_client(control, i);
        return;
    }
    len += (size_t)got;
    line[len] = '\0';
    for (char *end = memchr(line, '\n', len); end != NULL; end = memchr(line, '\n', len)) {
        *end = '\0';
        if (!speak(fd, card, line)) {
            drop_client(control, i);
            return;
        }
        len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, len + 1);
    }
    control->clients[i].len = len;
}

void control_serve(struct control *control, const struct pollfd *fds, size_t n, struct card *card)
{
    for (size_t k = 0; k < n; k++) {
        if (fds[k].revents == 0) {
            continue;
        }
        if (fds[k].fd == control->listener) {
            accept_client(control);
        }
        for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
            if (control->clients[i].fd >= 0 && control->clients[i].fd == fds[k].fd) {
                hear_client(control, i, card);
            }
        }
    }
}

static int exchange(int fd, const char *line, char *ret_answer)
{
    char words[FAULT_LINE_MAX + 1];
    int len = snprintf(words, sizeof(words), "%.*s\n", FAULT_LINE_MAX - 2, line);
    if (send(fd, words, (size_t)len, MSG_NOSIGNAL) != len) {
        return -EIO;
    }
    for (size_t have = 0; have < CONTROL_ANSWER_MAX - 1;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        ssize_t got = poll(&pfd, 1, TELL_TIMEOUT_MS) > 0 ? recv(fd, ret_answer + have, 1, 0) : 0;
        if (got <= 0) {
            return -ETIMEDOUT;
        }
        if (ret_answer[have] == '\n') {
            ret_answer[have] = '\0';
            return 0;
        }
        have++;
    }
    return ERR_FORMAT;
}

int control_tell(const char *path, const char *line, char ret_answer[CONTROL_ANSWER_MAX], struct complaint *why)
{
    int fd = unix_socket_connect(path, SOCK_STREAM, why);
    if (fd < 0) {
        return fd;
    }
    int r = exchange(fd, line, ret_answer);
    (void)close(fd);
    return r < 0 ? complain(why, r, "the card at %s does not answer", path) : 0;
}
