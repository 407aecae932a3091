/* serial.c - see serial.h. */
#include "tools/modbus-sim/serial.h"

#include "tools/modbus-sim/line.h"

#include "boards/bus/pdu.h"
#include "boards/bus/rtu.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { DIAGNOSTICS = 8, MASK_WRITE = 22, STALE_MS = 50 };

struct serial {
    uv_loop_t *loop;
    const struct rack *rack;
    char *path;
    uint32_t baud;
    int master, slave; /* the slave's end stays open here, or the master's end fails while nobody has it; -1: pulled */
    uv_poll_t *poll;   /* NULL: pulled */
    struct line line;
    uint8_t in[2 * RTU_MAX];
    size_t len;
    int64_t last_ms; /* when the newest byte came */
};

static void put(void *arg, const uint8_t *bytes, size_t len)
{
    struct serial *serial = arg;
    if (serial->master >= 0 && write(serial->master, bytes, len) < 0 && errno != EAGAIN)
        serial->len = 0; /* nobody is there to hear it */
}

/* Length of the request that begins so; 0: too few bytes to tell, more than RTU_MAX: none. */
static size_t request_len(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    if ((bytes[1] >= PDU_READ_COILS && bytes[1] <= PDU_WRITE_REGISTER) || bytes[1] == DIAGNOSTICS)
        return 8;
    if (bytes[1] == MASK_WRITE)
        return 10;
    if (bytes[1] == PDU_WRITE_COILS || bytes[1] == PDU_WRITE_REGISTERS)
        return len < 7 ? 0 : 9U + bytes[6];
    return RTU_MAX + 1;
}

static void answer(struct serial *serial, const uint8_t *adu, size_t len)
{
    int64_t now_ms = clock_elapsed_ms();
    for (size_t i = 0; i < serial->rack->n; i++) {
        struct slave *slave = serial->rack->slaves[i];
        struct reply reply;
        if (adu[0] != 0 && adu[0] != slave_unit(slave))
            continue;
        slave_serve(slave, adu, len - 2, now_ms, &reply);
        if (reply.len == 0)
            continue;
        uint8_t out[LINE_ADU_MAX];
        memcpy(out, reply.frame, reply.len);
        size_t n = rtu_seal(out, reply.len);
        if (serial->baud)
            reply.due_ms += (rtu_chars_ns(serial->baud, len + n) + rtu_gap_ns(serial->baud)) / 1000000 + 1;
        line_send(&serial->line, &reply, out, n, now_ms);
    }
}

/* Serve every whole request; what cannot be one is passed over byte by byte. */
static void cut_frames(struct serial *serial)
{
    size_t at = 0;
    while (at < serial->len) {
        const uint8_t *frame = serial->in + at;
        size_t left = serial->len - at;
        size_t n = request_len(frame, left);
        if (n == 0 || (n <= RTU_MAX && n > left))
            break;
        bool whole = n <= RTU_MAX && rtu_whole(frame, n);
        if (whole)
            answer(serial, frame, n);
        at += whole ? n : 1;
    }
    serial->len -= at;
    memmove(serial->in, serial->in + at, serial->len);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct serial *serial = poll->data;
    (void)status;
    (void)events;
    int64_t now_ms = clock_elapsed_ms();
    if (now_ms - serial->last_ms > STALE_MS || serial->len == sizeof(serial->in))
        serial->len = 0; /* a piece whose rest never came */
    ssize_t n = read(serial->master, serial->in + serial->len, sizeof(serial->in) - serial->len);
    if (n <= 0)
        return;
    serial->last_ms = now_ms;
    serial->len += (size_t)n;
    cut_frames(serial);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void pull(struct serial *serial)
{
    if (serial->poll) {
        uv_poll_stop(serial->poll);
        uv_close((uv_handle_t *)serial->poll, on_poll_closed);
        unlink(serial->path);
    }
    serial->poll = NULL;
    line_clear(&serial->line);
    if (serial->master >= 0)
        close(serial->master);
    if (serial->slave >= 0)
        close(serial->slave);
    serial->master = serial->slave = -1;
    serial->len = 0;
}

static int open_pty(struct serial *serial, char *ret_name, size_t size)
{
    serial->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (serial->master < 0 || grantpt(serial->master) < 0 || unlockpt(serial->master) < 0 ||
        ptsname_r(serial->master, ret_name, size) != 0)
        return -errno;
    serial->slave = open(ret_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios line;
    if (serial->slave < 0 || tcgetattr(serial->slave, &line) < 0)
        return -errno;
    cfmakeraw(&line);
    return tcsetattr(serial->slave, TCSANOW, &line) < 0 ? -errno : 0;
}

static int make_link(const char *target, const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        unlink(path);
    return symlink(target, path) < 0 ? -errno : 0;
}

static int plug_in(struct serial *serial, struct complaint *why)
{
    char name[128];
    int r = open_pty(serial, name, sizeof(name));
    if (r == 0)
        r = make_link(name, serial->path);
    if (r < 0) {
        pull(serial);
        return complain(why, r, "%s: cannot be made a serial port: %s", serial->path, err_name(r));
    }
    serial->poll = xcalloc(1, sizeof(*serial->poll));
    serial->poll->data = serial;
    uv_poll_init(serial->loop, serial->poll, serial->master);
    uv_poll_start(serial->poll, UV_READABLE, on_readable);
    return 0;
}

int serial_plug(struct serial *serial, bool plugged, struct complaint *why)
{
    if (plugged == serial_plugged(serial))
        return 0;
    if (plugged)
        return plug_in(serial, why);
    pull(serial);
    return 0;
}

bool serial_plugged(const struct serial *serial)
{
    return serial->poll != NULL;
}

int serial_new(uv_loop_t *loop, const struct rack *rack, const char *path, uint32_t baud, struct serial **ret_serial,
               struct complaint *why)
{
    struct serial *serial = xcalloc(1, sizeof(*serial));
    serial->loop = loop;
    serial->rack = rack;
    serial->path = xstrdup(path);
    serial->baud = baud;
    serial->master = serial->slave = -1;
    serial->line = (struct line){.loop = loop, .put = put, .arg = serial};
    int r = plug_in(serial, why);
    if (r < 0) {
        serial_free(serial);
        return r;
    }
    *ret_serial = serial;
    return 0;
}

void serial_free(struct serial *serial)
{
    if (!serial)
        return;
    pull(serial);
    free(serial->path);
    free(serial);
}
