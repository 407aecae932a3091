/* fuzz_rtu - slaves on a serial line that say anything at any time: bytes in pieces, cut, late, unasked, sealed or not.
 * The tty and the clock are this file's, so that a second of the line costs microseconds.
 *
 * Whatever they say: an exchange ends within its bound, and what it answers with stands, whole and under its CRC, in
 * what came after the request was written.
 *
 * Input: the line's speed and the number of requests, two bytes for each request, then the tape (see `play`). */
#include "boards/bus/pdu.h"
#include "boards/bus/rtu.h"
#include "boards/bus/wire.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* NOLINTBEGIN: --wrap asks for these names */
int64_t __wrap_clock_elapsed_ns(void);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *wait, const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *wait, const sigset_t *mask);
ssize_t __real_read(int fd, void *into, size_t room);
ssize_t __wrap_read(int fd, void *into, size_t room);
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);
int __wrap_tcgetattr(int fd, struct termios *ret);
int __wrap_tcsetattr(int fd, int when, const struct termios *line);
int __wrap_tcflush(int fd, int what);
/* NOLINTEND */

static const char tty[] = "/dev/tty-of-the-fuzzer";
static const uint32_t bauds[] = {1200, 9600, 19200, 115200};
static const struct bus_request requests[] = {
    {.act = BUS_READ, .unit = 1, .kind = POINT_HOLDING, .address = 100, .count = 2},
    {.act = BUS_READ, .unit = 1, .kind = POINT_INPUT, .address = 0, .count = 7},
    {.act = BUS_READ, .unit = 2, .kind = POINT_COIL, .address = 5, .count = 11},
    {.act = BUS_READ, .unit = 1, .kind = POINT_HOLDING, .address = 200, .count = 2},
    {.act = BUS_WRITE, .unit = 1, .kind = POINT_COIL, .address = 3, .count = 1, .values = {1}},
    {.act = BUS_WRITE, .unit = 1, .kind = POINT_HOLDING, .address = 7, .count = 1, .values = {0x1234}},
    {.act = BUS_WRITE, .unit = 2, .kind = POINT_HOLDING, .address = 7, .count = 3, .values = {1, 2, 3}},
    {.act = BUS_MODIFY, .unit = 2, .kind = POINT_HOLDING, .address = 1, .count = 1, .mask = 4, .values = {4}},
};
enum {
    REQUESTS = sizeof(requests) / sizeof(requests[0]),
    EXCHANGES = 6,
    PIECES = 32,
    PIECE = 80,
    HEARD = 4096,
    CALLS = 20000, /* no exchange needs so many looks at the line */
    IO_MS = 360,   /* as bus.c gives it */
    MS = 1000000
};

struct piece {
    int64_t due_ns;
    uint8_t bytes[PIECE];
    size_t len;
};

/* What lies before the master. */
static struct line {
    int fd; /* stands for the tty; -1: closed */
    int64_t now_ns;
    unsigned calls;
    const uint8_t *tape;
    size_t left;
    struct piece pieces[PIECES]; /* on their way, in order */
    size_t n;
    uint8_t asked[PDU_MAX + 2], heard[HEARD]; /* the newest frame, and what came since */
    size_t asked_len, heard_len;
    bool gone, torn, full;
} line;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* --- the slaves --- */

static uint8_t next_byte(void)
{
    if (line.left == 0)
        return 0;
    line.left--;
    return *line.tape++;
}

static void say(int64_t at_ns, const uint8_t *bytes, size_t len)
{
    if (line.n == PIECES || len == 0 || len > PIECE)
        return;
    struct piece *piece = &line.pieces[line.n++];
    piece->due_ns = at_ns;
    piece->len = len;
    memcpy(piece->bytes, bytes, len);
}

static void say_from_tape(int64_t at_ns, bool sealed)
{
    uint8_t bytes[PIECE];
    size_t len = next_byte() % 64;
    for (size_t i = 0; i < len; i++)
        bytes[i] = next_byte();
    say(at_ns, bytes, sealed ? rtu_seal(bytes, len) : len);
}

/* As a slave that is well would answer, with values of its own. */
static void say_right(int64_t at_ns, uint8_t value)
{
    uint8_t bytes[PIECE];
    memcpy(bytes, line.asked, sizeof(bytes) < sizeof(line.asked) ? sizeof(bytes) : sizeof(line.asked));
    size_t len = 6;
    unsigned count = (unsigned)bytes[4] << 8 | bytes[5];
    if (bytes[1] <= PDU_READ_INPUT) {
        size_t data = bytes[1] <= PDU_READ_DISCRETE ? (count + 7) / 8 : 2U * count;
        data = data < 60 ? data : 60;
        bytes[2] = (uint8_t)data;
        memset(bytes + 3, value, data);
        len = 3 + data;
    }
    say(at_ns, bytes, rtu_seal(bytes, len));
}

static void mishap(uint8_t which)
{
    line.gone |= which % 4 == 0;
    line.torn |= which % 4 == 1;
    line.full |= which % 4 == 2;
}

/* What the tape says to the request that was just written (or before any): up to its next 0. */
static void play(void)
{
    int64_t at_ns = line.now_ns;
    for (unsigned steps = 0; line.left > 0 && steps < PIECES; steps++) {
        switch (next_byte() & 7) {
        case 0:
            return;
        case 1:
            at_ns += next_byte() * INT64_C(256000);
            break;
        case 2:
            at_ns += next_byte() * INT64_C(4) * MS;
            break;
        case 3:
            say_from_tape(at_ns, false);
            break;
        case 4:
            say_from_tape(at_ns, true);
            break;
        case 5:
            say(at_ns, line.asked, line.asked_len < PIECE ? line.asked_len : 0);
            break;
        case 6:
            say_right(at_ns, next_byte());
            break;
        default:
            mishap(next_byte());
            break;
        }
    }
}

/* --- the tty --- */

int64_t __wrap_clock_elapsed_ns(void) /* NOLINT */
{
    return line.now_ns;
}

int __wrap_open(const char *path, int flags, ...) /* NOLINT */
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (strcmp(path, tty) != 0)
        return __real_open(path, flags, mode);
    line.gone = false;
    line.n = 0;
    line.fd = __real_open("/dev/null", O_RDWR | O_CLOEXEC);
    return line.fd;
}

int __wrap_flock(int fd, int how) /* NOLINT */
{
    return fd == line.fd ? 0 : __real_flock(fd, how);
}

int __wrap_tcgetattr(int fd, struct termios *ret) /* NOLINT */
{
    (void)fd;
    memset(ret, 0, sizeof(*ret));
    return 0;
}

int __wrap_tcsetattr(int fd, int when, const struct termios *now) /* NOLINT */
{
    (void)fd;
    (void)when;
    (void)now;
    return 0;
}

int __wrap_tcflush(int fd, int what) /* NOLINT */
{
    (void)fd;
    (void)what;
    return 0;
}

static int look(struct pollfd *pfd, int64_t wait_ns)
{
    require(++line.calls < CALLS);
    line.now_ns += 1000;
    pfd->revents = 0;
    if (line.gone)
        pfd->revents = POLLHUP | POLLIN;
    else if (line.n > 0 && line.pieces[0].due_ns <= line.now_ns + wait_ns)
        pfd->revents = POLLIN;
    if (pfd->revents == 0)
        line.now_ns += wait_ns;
    else if (!line.gone && line.pieces[0].due_ns > line.now_ns)
        line.now_ns = line.pieces[0].due_ns;
    return pfd->revents != 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) /* NOLINT */
{
    return n == 1 && fds->fd == line.fd ? look(fds, (int64_t)timeout_ms * MS) : __real_poll(fds, n, timeout_ms);
}

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *wait, const sigset_t *mask) /* NOLINT */
{
    if (n != 1 || fds->fd != line.fd)
        return __real_ppoll(fds, n, wait, mask);
    require(wait && wait->tv_sec >= 0 && wait->tv_nsec >= 0);
    return look(fds, wait->tv_sec * INT64_C(1000000000) + wait->tv_nsec);
}

ssize_t __wrap_read(int fd, void *into, size_t room) /* NOLINT */
{
    if (fd != line.fd)
        return __real_read(fd, into, room);
    if (line.gone)
        return 0;
    if (line.n == 0 || line.pieces[0].due_ns > line.now_ns) {
        errno = EAGAIN;
        return -1;
    }
    struct piece *piece = &line.pieces[0];
    size_t len = piece->len < room ? piece->len : room;
    memcpy(into, piece->bytes, len);
    if (line.heard_len + len <= HEARD) {
        memcpy(line.heard + line.heard_len, piece->bytes, len);
        line.heard_len += len;
    }
    piece->len -= len;
    memmove(piece->bytes, piece->bytes + len, piece->len);
    if (piece->len == 0)
        memmove(line.pieces, line.pieces + 1, --line.n * sizeof(line.pieces[0]));
    return (ssize_t)len;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len) /* NOLINT */
{
    if (fd != line.fd)
        return __real_write(fd, bytes, len);
    bool torn = line.torn, full = line.full;
    line.torn = line.full = false;
    errno = line.gone ? EIO : EAGAIN;
    if (line.gone || full)
        return -1;
    require(len <= sizeof(line.asked) && rtu_whole(bytes, len));
    memcpy(line.asked, bytes, len);
    line.asked_len = len;
    line.heard_len = 0;
    if (torn)
        return (ssize_t)len / 2;
    play();
    return (ssize_t)len;
}

/* --- what must hold --- */

/* A frame that came since the newest request was written, and says just this. */
static bool was_heard(const struct bus_request *request, int result, const uint16_t *values, uint8_t exception)
{
    for (size_t at = 0; at + 4 < line.heard_len; at++) {
        uint16_t said[BUS_VALUES_MAX] = {0};
        uint8_t refused = 0;
        size_t len = rtu_answer_len(line.heard + at, line.heard_len - at);
        if (len == 0 || len > line.heard_len - at || len > RTU_MAX || !rtu_whole(line.heard + at, len))
            continue;
        if (pdu_answer(request, line.heard + at, len - 2, said, &refused) != result)
            continue;
        bool read = result == 0 && request->act == BUS_READ;
        if (read ? memcmp(said, values, request->count * sizeof(said[0])) == 0 : refused == exception)
            return true;
    }
    return false;
}

static void ask(struct wire *wire, uint8_t which, uint8_t how)
{
    struct bus_request request = requests[which % REQUESTS];
    uint16_t values[BUS_VALUES_MAX] = {0};
    uint8_t exception = 0;
    request.urgent = (how & 1) != 0;
    line.now_ns += (how >> 1) * INT64_C(60) * MS; /* up to 7.6 s: debts are forgotten, doors tried again */
    line.calls = 0;
    int64_t began_ns = line.now_ns;
    int r = wire_do(wire, NULL, &request, began_ns + INT64_C(1) * IO_MS * MS, values, &exception);
    require(line.now_ns - began_ns <= INT64_C(1) * BUS_LIMIT_MS * MS);
    require(r <= 0 && (r != ERR_LIMIT || exception != 0));
    if ((r == 0 || r == ERR_LIMIT) && request.act != BUS_MODIFY)
        require(was_heard(&request, r, values, exception));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t n = 1 + data[1] % EXCHANGES;
    if (size < 2 + 2 * n)
        return 0;
    memset(&line, 0, sizeof(line));
    line.fd = -1;
    line.now_ns = INT64_C(1000) * MS;
    line.tape = data + 2 + 2 * n;
    line.left = size - 2 - 2 * n;
    struct wire *wire = wire_rtu_new(tty, bauds[data[0] % 4], 'E', 1);
    for (size_t i = 0; i < n; i++)
        ask(wire, data[2 + 2 * i], data[3 + 2 * i]);
    wire_free(wire);
    return 0;
}
