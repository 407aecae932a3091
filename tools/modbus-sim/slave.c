/* slave.c - see slave.h. */
#include "tools/modbus-sim/slave.h"

#include "boards/bus/pdu.h"
#include "tools/modbus-sim/image.h"

#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIAGNOSTICS = 8, MASK_WRITE = 22 };

struct slave {
    struct device *device; /* owned */
    uint8_t unit;
    int journal;
    struct fault fault;
    unsigned answers; /* since the fault was set */
    int64_t gone_until_ms;
    int64_t due_ms; /* of the newest answer */
};

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void keep_journal(struct slave *slave, enum point_kind kind, unsigned address, unsigned count,
                         const uint16_t *values)
{
    if (slave->journal < 0)
        return;
    struct buf line = {0};
    buf_putf(&line, "{\"at_unix_ms\": %lld, \"unit\": %u, \"kind\": \"%s\", \"address\": %u, \"values\": [",
             (long long)clock_wall_ms(), slave->unit, point_kind_name(kind), address);
    for (unsigned i = 0; i < count; i++)
        buf_putf(&line, "%s%u", i ? ", " : "", values[i]);
    buf_putf(&line, "]}\n");
    if (write(slave->journal, line.data, line.len) < 0)
        slave->journal = -1;
    buf_done(&line);
}

/* Each handler gets the PDU from the function code on, writes an answer PDU, and returns its length, or minus a Modbus
 * exception code. */
static int do_read(struct slave *slave, enum point_kind kind, const uint8_t *pdu, size_t len, uint8_t *out)
{
    bool bits = kind == POINT_COIL || kind == POINT_DISCRETE;
    if (len != 5)
        return -EXCEPTION_VALUE;
    unsigned count = get16(pdu + 3);
    if (count < 1 || count > (bits ? 2000U : 125U))
        return -EXCEPTION_VALUE;
    uint16_t values[2000];
    int exception = device_read(slave->device, kind, (uint16_t)get16(pdu + 1), (uint16_t)count, values);
    if (exception)
        return -exception;
    size_t n_bytes = bits ? (count + 7) / 8 : count * 2;
    out[1] = (uint8_t)n_bytes;
    memset(out + 2, 0, n_bytes);
    for (unsigned i = 0; i < count; i++) {
        if (!bits)
            put16(out + 2 + 2 * i, values[i]);
        else if (values[i])
            out[2 + i / 8] = (uint8_t)(out[2 + i / 8] | 1U << (i % 8));
    }
    return (int)(2 + n_bytes);
}

static int do_write(struct slave *slave, enum point_kind kind, unsigned address, unsigned count, const uint16_t *values)
{
    int exception = device_write(slave->device, kind, (uint16_t)address, (uint16_t)count, values, clock_elapsed_ms());
    if (!exception)
        keep_journal(slave, kind, address, count, values);
    return exception;
}

static int write_one(struct slave *slave, const uint8_t *pdu, size_t len, uint8_t *out)
{
    if (len != 5)
        return -EXCEPTION_VALUE;
    bool coil = pdu[0] == PDU_WRITE_COIL;
    uint16_t value = (uint16_t)get16(pdu + 3);
    if (coil && value != 0 && value != 0xFF00)
        return -EXCEPTION_VALUE;
    if (coil)
        value = value != 0;
    int exception = do_write(slave, coil ? POINT_COIL : POINT_HOLDING, get16(pdu + 1), 1, &value);
    memcpy(out, pdu, 5);
    return exception ? -exception : 5;
}

static int write_several(struct slave *slave, const uint8_t *pdu, size_t len, uint8_t *out)
{
    bool coils = pdu[0] == PDU_WRITE_COILS;
    if (len < 7)
        return -EXCEPTION_VALUE;
    unsigned count = get16(pdu + 3);
    size_t n_bytes = coils ? (count + 7) / 8 : count * 2;
    if (count < 1 || count > 123 || pdu[5] != n_bytes || len != 6 + n_bytes)
        return -EXCEPTION_VALUE;
    uint16_t values[123];
    for (unsigned i = 0; i < count; i++)
        values[i] = (uint16_t)(coils ? (pdu[6 + i / 8] >> (i % 8)) & 1U : get16(pdu + 6 + 2 * i));
    int exception = do_write(slave, coils ? POINT_COIL : POINT_HOLDING, get16(pdu + 1), count, values);
    memcpy(out, pdu, 5);
    return exception ? -exception : 5;
}

static int write_masked(struct slave *slave, const uint8_t *pdu, size_t len, uint8_t *out)
{
    if (len != 7)
        return -EXCEPTION_VALUE;
    uint16_t value = 0;
    int exception = device_read(slave->device, POINT_HOLDING, (uint16_t)get16(pdu + 1), 1, &value);
    if (exception)
        return -exception;
    unsigned and_mask = get16(pdu + 3);
    value = (uint16_t)((value & and_mask) | (get16(pdu + 5) & ~and_mask));
    exception = do_write(slave, POINT_HOLDING, get16(pdu + 1), 1, &value);
    memcpy(out, pdu, 7);
    return exception ? -exception : 7;
}

/* Sub-function 0, return query data; the counters behind the others are not kept. */
static int loop_back(const uint8_t *pdu, size_t len, uint8_t *out)
{
    if (len != 5 || get16(pdu + 1) != 0)
        return len < 3 ? -EXCEPTION_VALUE : -EXCEPTION_FUNCTION;
    memcpy(out, pdu, 5);
    return 5;
}

static int serve(struct slave *slave, const uint8_t *pdu, size_t len, uint8_t *out)
{
    out[0] = pdu[0];
    switch (pdu[0]) {
    case PDU_READ_COILS:
        return do_read(slave, POINT_COIL, pdu, len, out);
    case PDU_READ_DISCRETE:
        return do_read(slave, POINT_DISCRETE, pdu, len, out);
    case PDU_READ_HOLDING:
        return do_read(slave, POINT_HOLDING, pdu, len, out);
    case PDU_READ_INPUT:
        return do_read(slave, POINT_INPUT, pdu, len, out);
    case PDU_WRITE_COIL:
    case PDU_WRITE_REGISTER:
        return write_one(slave, pdu, len, out);
    case PDU_WRITE_COILS:
    case PDU_WRITE_REGISTERS:
        return write_several(slave, pdu, len, out);
    case MASK_WRITE:
        return write_masked(slave, pdu, len, out);
    case DIAGNOSTICS:
        return loop_back(pdu, len, out);
    default:
        return -EXCEPTION_FUNCTION;
    }
}

/* ---- what is wrong ---- */

static void refuse(uint8_t *out, int exception)
{
    out[0] |= 0x80;
    out[1] = (uint8_t)exception;
}

static void misbehave(struct slave *slave, struct reply *reply, int64_t now_ms)
{
    switch (slave->fault.kind) {
    case FAULT_SILENT:
        reply->len = 0;
        break;
    case FAULT_LATE:
        reply->due_ms = now_ms + slave->fault.value;
        break;
    case FAULT_DRIBBLE:
        reply->byte_ms = (uint32_t)slave->fault.value;
        break;
    case FAULT_WRONG_UNIT:
        reply->frame[0] = reply->frame[0] < 247 ? (uint8_t)(reply->frame[0] + 1) : 1;
        break;
    case FAULT_WRONG_FUNCTION: /* of the same shape where there is one: the other kind of register, of coil, of write */
        reply->frame[1] = (uint8_t)(reply->frame[1] <= 4 ? 5 - reply->frame[1] : reply->frame[1] ^ 3);
        break;
    case FAULT_GARBAGE:
    case FAULT_SHORT:
    case FAULT_TWICE:
        reply->spoil = slave->fault.kind;
        break;
    default:
        break;
    }
}

void slave_serve(struct slave *slave, const uint8_t *frame, size_t len, int64_t now_ms, struct reply *ret_reply)
{
    struct reply reply = {.due_ms = slave->due_ms > now_ms ? slave->due_ms : now_ms};
    if (!slave_gone(slave) && len >= 2) {
        bool wrong = slave->fault.kind != FAULT_NONE && ++slave->answers % slave->fault.every == 0;
        int n = 2;
        reply.frame[0] = slave->unit;
        if (wrong && slave->fault.kind == FAULT_EXCEPTION) {
            reply.frame[1] = frame[1];
            refuse(reply.frame + 1, (int)slave->fault.value);
        } else if ((n = serve(slave, frame + 1, len - 1, reply.frame + 1)) < 0) {
            refuse(reply.frame + 1, -n);
            n = 2;
        }
        reply.len = frame[0] == slave->unit ? (size_t)n + 1 : 0;
        if (wrong)
            misbehave(slave, &reply, reply.due_ms);
        slave->due_ms = reply.len ? reply.due_ms + (int64_t)reply.byte_ms * (int64_t)reply.len : slave->due_ms;
    }
    *ret_reply = reply;
}

void slave_set_fault(struct slave *slave, const struct fault *fault, int64_t now_ms)
{
    slave->fault = *fault;
    slave->answers = 0;
    slave->gone_until_ms = fault->kind == FAULT_GONE ? now_ms + fault->value : 0;
    device_freeze(slave->device, fault->kind == FAULT_FROZEN);
}

const struct fault *slave_fault(const struct slave *slave)
{
    return &slave->fault;
}

void slave_tick(struct slave *slave, int64_t now_ms)
{
    if (slave->fault.kind == FAULT_GONE && now_ms >= slave->gone_until_ms)
        slave->fault = (struct fault){.every = 1};
    device_tick(slave->device, now_ms);
}

bool slave_gone(const struct slave *slave)
{
    return slave->fault.kind == FAULT_GONE || device_offline(slave->device);
}

/* ---- */

int slave_new(uint8_t unit, struct device *device, const char *journal, struct slave **ret_slave, struct complaint *why)
{
    int fd = -1;
    if (journal && (fd = open(journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        return complain(why, -errno, "%s: cannot be written: %s", journal, strerror(errno));
    struct slave *slave = xcalloc(1, sizeof(*slave));
    *slave = (struct slave){.unit = unit, .device = device, .journal = fd, .fault = {.every = 1}};
    *ret_slave = slave;
    return 0;
}

void slave_free(struct slave *slave)
{
    if (!slave)
        return;
    if (slave->journal >= 0)
        close(slave->journal);
    device_free(slave->device);
    free(slave);
}

uint8_t slave_unit(const struct slave *slave)
{
    return slave->unit;
}

struct device *slave_device(const struct slave *slave)
{
    return slave->device;
}
