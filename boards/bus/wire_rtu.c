/* wire_rtu.c - Modbus RTU over a tty (see wire.h).
 *
 * Framed here and not by libmodbus, whose RTU side waits for each byte anew (a slave that sends one byte every 0.4 s
 * holds the bus for 25 s), takes a late answer for the answer to the next request, and waits with select(). Here one
 * deadline bounds everything; a frame is believed only when unit, function, length and CRC hold, silence follows it,
 * and no earlier request could have brought it (rtu.h has the rules of that). Before each request the line has been
 * silent for 3.5 characters, and what came unasked is thrown away; a babbler that never lets it fall silent cannot keep
 * an urgent write from being sent.
 *
 * The tty is locked (flock), so that two programs never talk at once, and opened again when it went away: at most every
 * OPEN_MIN_MS, growing to OPEN_MAX_MS, unless the request is urgent. */
#include "boards/bus/pdu.h"
#include "boards/bus/rtu.h"
#include "boards/bus/wire.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

enum {
    OPEN_MIN_MS = 200,
    OPEN_MAX_MS = 2000,
    PAUSE_MS = 20,       /* within a frame: adapters on USB hold bytes back for up to 16 ms */
    URGENT_WAIT_MS = 50, /* for silence, at most */
    BLIND_WAIT_MS = 60,  /* for the echo of a write that is not believed anyway */
    MS = 1000000
};

struct wire_rtu {
    struct wire wire;
    char *device;
    uint32_t baud;
    char parity;
    uint8_t stop_bits;
    int fd;
    int open_error; /* of the last try */
    int64_t pause_ms, retry_ns;
    int64_t free_ns; /* nothing was on the line since; may lie ahead while a frame of ours is leaving */
    struct rtu_debts debts;
};

static struct wire_rtu *rtu_of(struct wire *wire)
{
    return (struct wire_rtu *)wire;
}

static void close_rtu(struct wire *wire)
{
    struct wire_rtu *rtu = rtu_of(wire);
    if (rtu->fd >= 0)
        close(rtu->fd);
    rtu->fd = -1;
}

static void free_rtu(struct wire *wire)
{
    close_rtu(wire);
    free(rtu_of(wire)->device);
    free(wire);
}

/* ---- the tty ---- */

/* glibc says EINVAL of a line that keeps no parity (a pseudo-terminal) when nothing else was to change: so it opens the
 * first time and never again. Parity alone is no reason not to speak; a wrong one is heard as silence anyhow. */
static int apply(int fd, const struct termios *line)
{
    struct termios is;
    if (tcsetattr(fd, TCSANOW, line) == 0)
        return 0;
    int error = -errno;
    bool all_but_parity = error == -EINVAL && tcgetattr(fd, &is) == 0 && cfgetospeed(&is) == cfgetospeed(line) &&
                          ((is.c_cflag ^ line->c_cflag) & (CSIZE | CSTOPB | CREAD)) == 0;
    return all_but_parity ? 0 : error;
}

static int set_line(const struct wire_rtu *rtu, int fd)
{
    static const speed_t speeds[] = {B1200, B2400, B4800, B9600, B19200, B38400, B57600, B115200};
    struct termios line;
    if (tcgetattr(fd, &line) < 0)
        return -errno;
    cfmakeraw(&line);
    line.c_cflag &= (tcflag_t) ~(CSTOPB | PARENB | PARODD | CRTSCTS);
    line.c_cflag |= CLOCAL | CREAD | CS8;
    if (rtu->stop_bits == 2)
        line.c_cflag |= CSTOPB;
    if (rtu->parity != 'N')
        line.c_cflag |= PARENB;
    if (rtu->parity == 'O')
        line.c_cflag |= PARODD;
    line.c_iflag |= rtu->parity != 'N' ? INPCK | IGNPAR : IGNPAR; /* a damaged byte is dropped: the CRC tells */
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    speed_t speed = speeds[rtu_speed(rtu->baud)];
    if (cfsetispeed(&line, speed) < 0 || cfsetospeed(&line, speed) < 0)
        return -errno;
    int r = apply(fd, &line);
    if (r == 0)
        tcflush(fd, TCIOFLUSH);
    return r;
}

static int open_tty(const struct wire_rtu *rtu, int *ret_fd)
{
    int fd = open(rtu->device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -EBUSY : set_line(rtu, fd);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int open_rtu(struct wire *wire, const struct sockaddr_storage *to, bool urgent, int64_t deadline_ns)
{
    struct wire_rtu *rtu = rtu_of(wire);
    int64_t now = clock_elapsed_ns();
    (void)to;
    (void)deadline_ns;
    if (now < rtu->retry_ns && !urgent)
        return rtu->open_error;
    rtu->open_error = open_tty(rtu, &rtu->fd);
    if (rtu->open_error < 0) {
        rtu->pause_ms = rtu->pause_ms * 2 < OPEN_MAX_MS ? rtu->pause_ms * 2 : OPEN_MAX_MS;
        rtu->retry_ns = now + rtu->pause_ms * MS;
        return rtu->open_error;
    }
    rtu->pause_ms = OPEN_MIN_MS / 2;
    rtu->free_ns = now;
    rtu_doubt_all(&rtu->debts, now);
    return 0;
}

static bool is_usable(struct wire *wire)
{
    struct pollfd pfd = {.fd = rtu_of(wire)->fd, .events = POLLIN};
    return pfd.fd >= 0 && poll(&pfd, 1, 0) >= 0 && !(pfd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* After a wrong or missing answer the line is as good as before; after anything else the tty is gone. */
static bool survives(int result)
{
    return result == 0 || result == ERR_LIMIT || result == ERR_DEVICE || result == -ETIMEDOUT;
}

/* ---- bytes ---- */

/* Wait for bytes until `until_ns`. Their number, 0 when none came, or -errno when the tty is gone. */
static int take(struct wire_rtu *rtu, uint8_t *into, size_t room, int64_t until_ns)
{
    int64_t left = until_ns - clock_elapsed_ns();
    left = left > 0 ? left : 0;
    struct pollfd pfd = {.fd = rtu->fd, .events = POLLIN};
    struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    int n = ppoll(&pfd, 1, &wait, NULL);
    if (n <= 0)
        return n == 0 || errno == EINTR ? 0 : -errno;
    ssize_t got = read(rtu->fd, into, room);
    if (got < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (got == 0)
        return -EIO; /* hung up */
    int64_t now = clock_elapsed_ns();
    rtu->free_ns = now > rtu->free_ns ? now : rtu->free_ns;
    return (int)got;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* An answer that nobody waits for: its unit is one that answers late, or twice. */
static void note_strays(struct wire_rtu *rtu, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = rtu_answer_len(bytes + at, len - at);
        if (n == 0 || n > len - at || !rtu_whole(bytes + at, n))
            return;
        rtu_owe(&rtu->debts, bytes[at], bytes[at + 1] & 0x7F, clock_elapsed_ns());
        at += n;
    }
}

/* Wait until the line has been silent for 3.5 characters, throwing away what comes. */
static int await_silence(struct wire_rtu *rtu, bool urgent, int64_t deadline_ns)
{
    uint8_t strays[RTU_MAX];
    size_t len = 0;
    int64_t limit_ns = urgent ? earlier(deadline_ns, clock_elapsed_ns() + URGENT_WAIT_MS * MS) : deadline_ns;
    for (;;) {
        int64_t quiet_ns = rtu->free_ns + rtu_gap_ns(rtu->baud);
        int n = take(rtu, strays + len, sizeof(strays) - len, earlier(quiet_ns, limit_ns));
        if (n < 0)
            return n;
        int64_t now = clock_elapsed_ns();
        if (now >= limit_ns && !urgent) /* silent or not: its answer could not come in time */
            return -ETIMEDOUT;
        if (n == 0 && now >= quiet_ns)
            break;
        if (now >= limit_ns)
            break;
        len += (size_t)n;
        if (len == sizeof(strays))
            len = 0; /* a babbler; its bytes mean nothing */
    }
    note_strays(rtu, strays, len);
    return 0;
}

static int send_frame(struct wire_rtu *rtu, const uint8_t *frame, size_t len)
{
    ssize_t n = write(rtu->fd, frame, len);
    rtu->free_ns = clock_elapsed_ns() + rtu_chars_ns(rtu->baud, len);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return (size_t)n == len ? 0 : -ETIMEDOUT; /* the rest would go out at an odd time: the CRC spoils it */
}

/* ---- answers ---- */

struct ear {
    uint8_t unit, function;
    int64_t deadline_ns;
    uint8_t in[2 * RTU_MAX];
    size_t len;
    bool junk; /* something came that is no answer */
};

/* A whole frame for us must be followed by silence: else it was a piece of something longer. */
static int take_end(struct wire_rtu *rtu, struct ear *ear, size_t len)
{
    if (ear->len > len)
        return ERR_DEVICE;
    int n = take(rtu, ear->in + len, 1, clock_elapsed_ns() + rtu_gap_ns(rtu->baud));
    return n < 0 ? n : n > 0 ? ERR_DEVICE : (int)len;
}

static void drop(struct ear *ear, size_t n)
{
    ear->len -= n;
    memmove(ear->in, ear->in + n, ear->len);
}

/* Judge what has been heard so far. The length of the frame that was waited for, 0: listen on, or a code. */
static int judge(struct wire_rtu *rtu, struct ear *ear, bool *ret_hopeless)
{
    for (;;) {
        size_t n = rtu_answer_len(ear->in, ear->len);
        bool whole = n > 0 && n <= ear->len && rtu_whole(ear->in, n);
        *ret_hopeless = !whole && n > 0 && (n > RTU_MAX || n <= ear->len);
        if (!whole)
            return 0;
        uint8_t function = ear->in[1] & 0x7F;
        if (ear->in[0] == ear->unit && function == ear->function)
            return take_end(rtu, ear, n);
        if (!rtu_owes(&rtu->debts, ear->in[0], function, clock_elapsed_ns()))
            return ERR_DEVICE;
        drop(ear, n); /* late; somebody gave up on it long ago */
    }
}

/* Listen until a frame of this unit and function is whole: its length, or a code. What cannot become one is dropped
 * once silence follows it; what has begun well is waited for until the deadline. */
static int hear(struct wire_rtu *rtu, struct ear *ear)
{
    for (;;) {
        bool hopeless = false;
        int r = judge(rtu, ear, &hopeless);
        if (r != 0)
            return r;
        bool foreign = ear->len > 0 && (hopeless || ear->in[0] != ear->unit);
        int64_t until_ns = ear->deadline_ns;
        if (foreign)
            until_ns = earlier(until_ns, clock_elapsed_ns() + PAUSE_MS * MS);
        if (ear->len == sizeof(ear->in))
            return ERR_DEVICE;
        int n = take(rtu, ear->in + ear->len, sizeof(ear->in) - ear->len, until_ns);
        if (n < 0)
            return n;
        ear->len += (size_t)n;
        if (n == 0 && foreign) {
            ear->junk = true;
            ear->len = 0;
        }
        if (n == 0 && clock_elapsed_ns() >= ear->deadline_ns)
            return ear->junk ? ERR_DEVICE : -ETIMEDOUT;
    }
}

/* Make sure that nothing is owed by this unit any more. */
static int probe(struct wire_rtu *rtu, uint8_t unit, int64_t deadline_ns)
{
    uint8_t frame[RTU_PROBE_LEN];
    int r = await_silence(rtu, false, deadline_ns);
    if (r < 0)
        return r;
    rtu_probe(&rtu->debts, unit, frame);
    r = send_frame(rtu, frame, sizeof(frame));
    struct ear ear = {.unit = unit, .function = frame[1], .deadline_ns = deadline_ns};
    while (r == 0 && (r = hear(rtu, &ear)) > 0) {
        if (rtu_probe_answered(&rtu->debts, ear.in, (size_t)r))
            return 0;
        drop(&ear, (size_t)r);
        r = 0;
    }
    return r;
}

static int put_request(struct wire_rtu *rtu, const struct bus_request *request, int64_t deadline_ns,
                       uint8_t *ret_function)
{
    if (clock_elapsed_ns() >= deadline_ns)
        return -ETIMEDOUT;
    uint8_t frame[PDU_MAX + 2];
    size_t len = rtu_seal(frame, pdu_request(request, frame));
    *ret_function = frame[1];
    int r = await_silence(rtu, request->urgent, deadline_ns);
    return r < 0 ? r : send_frame(rtu, frame, len);
}

/* An urgent write to a unit that owes the same answer goes out at once all the same; whatever comes is not believed. */
static void put_blind(struct wire_rtu *rtu, const struct bus_request *request, int64_t deadline_ns)
{
    struct ear ear = {.unit = request->unit};
    if (put_request(rtu, request, deadline_ns, &ear.function) < 0)
        return;
    rtu_owe(&rtu->debts, request->unit, ear.function, clock_elapsed_ns());
    ear.deadline_ns = earlier(deadline_ns, clock_elapsed_ns() + BLIND_WAIT_MS * MS);
    (void)hear(rtu, &ear);
}

static int exchange(struct wire *wire, const struct bus_request *request, int64_t deadline_ns, uint16_t *ret_values,
                    uint8_t *ret_exception)
{
    struct wire_rtu *rtu = rtu_of(wire);
    uint8_t frame[PDU_MAX];
    pdu_request(request, frame);
    if (rtu_owes(&rtu->debts, request->unit, frame[1], clock_elapsed_ns())) {
        if (request->urgent)
            put_blind(rtu, request, deadline_ns);
        int r = probe(rtu, request->unit, deadline_ns);
        if (r < 0)
            return r;
    }
    struct ear ear = {.unit = request->unit, .deadline_ns = deadline_ns};
    int r = put_request(rtu, request, deadline_ns, &ear.function);
    if (r < 0)
        return r;
    rtu_owe(&rtu->debts, request->unit, ear.function, clock_elapsed_ns());
    r = hear(rtu, &ear);
    if (r < 0)
        return r;
    r = pdu_answer(request, ear.in, (size_t)r - 2, ret_values, ret_exception);
    if (r == 0 || r == ERR_LIMIT)
        rtu_settle(&rtu->debts, request->unit);
    return r;
}

struct wire *wire_rtu_new(const char *device, uint32_t baud, char parity, uint8_t stop_bits)
{
    static const struct wire_ops ops = {.open = open_rtu,
                                        .close = close_rtu,
                                        .usable = is_usable,
                                        .exchange = exchange,
                                        .survives = survives,
                                        .free = free_rtu};
    struct wire_rtu *rtu = xcalloc(1, sizeof(*rtu));
    rtu->wire.ops = &ops;
    rtu->device = xstrdup(device);
    rtu->baud = baud;
    rtu->parity = parity;
    rtu->stop_bits = stop_bits;
    rtu->fd = -1;
    rtu->pause_ms = OPEN_MIN_MS / 2;
    return &rtu->wire;
}
