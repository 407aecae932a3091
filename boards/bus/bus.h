/* bus.h - one Modbus bus: a thread that owns the device behind it, and the loop-thread side that talks to it.
 *
 * All calls belong to the loop thread and return at once; each request ends once, on the same thread, through its
 * bus_done_fn. One exchange lasts at most BUS_LIMIT_MS on the bus, connecting included, however the slave behaves: a
 * silent, late or dribbling one ends with -ETIMEDOUT, an answer of another unit, function or length is never believed
 * (ERR_DEVICE), nor is a late one taken for the answer to a later request: over TCP the connection is made anew, over
 * RTU rtu.h keeps account. A unit that failed BUS_DEAD_AFTER times in a row is backed off: its requests end at once
 * with -EHOSTDOWN until its next try is due; urgent ones are always tried. Urgent requests go before all others, and
 * among each sort those of units that answer before those of units that did not. A tty that is missing, taken or
 * vanished is tried again for ever; until it is there requests end with its error. */
#ifndef LOA_BUS_H
#define LOA_BUS_H

#include "boards/bus/profile.h"
#include "playlists/base/errors.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    BUS_LIMIT_MS = 400,
    BUS_DEAD_AFTER = 3,
    BUS_QUEUE_MAX = 128,
    BUS_URGENT_MAX = 32,
    BUS_VALUES_MAX = 125,
    BUS_PATIENCE_MS = 2000
};

enum bus_transport { BUS_TCP, BUS_RTU };

struct bus_config {
    enum bus_transport transport;
    const char *host;        /* TCP: numeric or a name. RTU: path of the tty. Copied */
    uint16_t port;           /* TCP */
    uint32_t baud;           /* RTU: 1200 to 115200 */
    char parity;             /* RTU: 'N', 'E', 'O' */
    uint8_t stop_bits;       /* RTU: 1, 2 */
    uint32_t backoff_min_ms; /* first pause of a dead unit; 0: 1000 */
    uint32_t backoff_max_ms; /* longest; 0: 10000 */
};

enum bus_act {
    BUS_READ,
    BUS_WRITE,
    BUS_MODIFY /* one holding register: read it, replace the bits of `mask` by those of values[0], write it */
};

struct bus_request {
    enum bus_act act;
    uint8_t unit; /* 1..247; 0 and 255 too where a TCP device wants them */
    enum point_kind kind;
    uint16_t address;
    uint16_t count; /* registers or coils */
    uint16_t mask;
    uint16_t values[BUS_VALUES_MAX]; /* to write; coils are 0 or 1 */
    bool urgent;                     /* before all others, and also to a unit that is backed off */
    bool multiple_only;              /* write one value with function 15/16 too */
    uint32_t pause_ms;               /* since the last exchange on this bus, at least; at most 200 */
};

/* result: 0 and `values` (count of the request; read only), or
 *   -ETIMEDOUT, -ECONNREFUSED and other connection errors, -EHOSTUNREACH (the host's name is not resolved yet),
 * -EHOSTDOWN (backed off, not sent), ERR_DEVICE (an answer that does not belong to the request), ERR_LIMIT (the device
 * refused by a Modbus exception, see `exception`), -ECANCELED (bus_free, or replaced by a newer urgent write to the
 * same place). `values` is borrowed for the call. */
struct bus_answer {
    int result;
    uint8_t exception; /* Modbus exception code, 0 when none */
    const uint16_t *values;
    int64_t at_elapsed_ms; /* when the exchange ended */
};
typedef void (*bus_done_fn)(void *arg, const struct bus_answer *answer);

/* What one unit did since the bus was made. */
struct bus_counters {
    uint64_t requests, answers;
    uint64_t timeouts;    /* silent, late, dribbling */
    uint64_t unreachable; /* no connection */
    uint64_t exceptions;
    uint64_t disbelieved; /* wrong unit, function, length, transaction */
    uint32_t failures_in_row;
    int64_t last_answer_elapsed_ms; /* 0: never */
    int64_t retry_elapsed_ms;       /* backed off until then; 0: not backed off */
};

struct bus;

/* Start the thread; connects at the first request. ERR_FORMAT with a sentence for a configuration that cannot be. The
 * caller owns *ret_bus. Make TCP buses before many other descriptors are open: libmodbus waits with select(), so a
 * descriptor above 1023 is refused (-EMFILE). */
MUST_USE int bus_new(uv_loop_t *loop, const struct bus_config *config, struct bus **ret_bus, struct complaint *why);
/* Every request that waits ends with -ECANCELED before this returns; memory is released once the thread (at most
 * BUS_LIMIT_MS later) and the loop have let go: run the loop on. NULL is fine. */
void bus_free(struct bus *bus);

/* Queue a request (copied). 0, -EINVAL (impossible values), -ENOBUFS (queue full, nothing queued: the newest is
 * refused). An urgent write replaces an urgent write to the same unit, kind and address that has not begun. `done` may
 * be NULL; `owner` names the caller for bus_forget(). */
MUST_USE int bus_ask(struct bus *bus, const struct bus_request *request, bus_done_fn done, void *arg,
                     const void *owner);
/* Drop the callbacks of all requests of `owner`, and those that have not begun altogether. Call before `owner` dies. */
void bus_forget(struct bus *bus, const void *owner);

void bus_counters(const struct bus *bus, uint8_t unit, struct bus_counters *ret_counters);
/* What it was backed off for is mended (its mains are back): try it at once. */
void bus_revive(struct bus *bus, uint8_t unit);
uint16_t
bus_registers_max(const struct bus *bus); /* that one answer can carry within the bound, at this line's speed */
/* An exchange is under way for far longer than BUS_LIMIT_MS: the thread hangs in its device. */
bool bus_stuck(const struct bus *bus);
const char *bus_name(const struct bus *bus); /* "tcp:127.0.0.1:502", "rtu:/dev/ttyUSB0" */
uv_loop_t *bus_loop(const struct bus *bus);

#endif
