/* rtu.c - see rtu.h. */
#include "boards/bus/rtu.h"

#include "boards/bus/pdu.h"

#include <string.h>

enum { DIAGNOSTICS = 8, EXCEPTION = 0x80, CHAR_BITS = 11, FUNCTIONS = 32 };

uint16_t rtu_crc(const uint8_t *bytes, size_t len)
{
    unsigned crc = 0xFFFF;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
    }
    return (uint16_t)crc;
}

size_t rtu_seal(uint8_t *frame, size_t len)
{
    uint16_t crc = rtu_crc(frame, len);
    frame[len] = (uint8_t)crc; /* the one number of Modbus that goes low byte first */
    frame[len + 1] = (uint8_t)(crc >> 8);
    return len + 2;
}

bool rtu_whole(const uint8_t *frame, size_t len)
{
    return len >= 4 && rtu_crc(frame, len - 2) == (frame[len - 2] | frame[len - 1] << 8);
}

size_t rtu_answer_len(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    if (bytes[1] & EXCEPTION)
        return 5;
    switch (bytes[1]) {
    case PDU_READ_COILS:
    case PDU_READ_DISCRETE:
    case PDU_READ_HOLDING:
    case PDU_READ_INPUT:
        return len < 3 ? 0 : 5U + bytes[2];
    case PDU_WRITE_COIL:
    case PDU_WRITE_REGISTER:
    case PDU_WRITE_COILS:
    case PDU_WRITE_REGISTERS:
    case DIAGNOSTICS:
        return 8;
    default:
        return RTU_MAX + 1;
    }
}

int rtu_speed(uint32_t baud)
{
    static const uint32_t speeds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
        if (speeds[i] == baud)
            return (int)i;
    return -1;
}

int64_t rtu_chars_ns(uint32_t baud, size_t n)
{
    return (int64_t)n * CHAR_BITS * 1000000000 / (int64_t)baud;
}

int64_t rtu_gap_ns(uint32_t baud)
{
    return baud > 19200 ? 1750000 : rtu_chars_ns(baud, 7) / 2;
}

void rtu_owe(struct rtu_debts *debts, uint8_t unit, uint8_t function, int64_t now_ns)
{
    debts->units[unit].functions |= UINT32_C(1) << (function % FUNCTIONS);
    debts->units[unit].since_ns = now_ns;
}

bool rtu_owes(struct rtu_debts *debts, uint8_t unit, uint8_t function, int64_t now_ns)
{
    struct rtu_debt *debt = &debts->units[unit];
    int64_t keep_ms = debt->echoes ? RTU_KEEP_MS : RTU_FORGET_MS;
    if (debt->functions && now_ns - debt->since_ns > keep_ms * 1000000)
        rtu_settle(debts, unit);
    if (function == DIAGNOSTICS)
        return debt->probes > 0;
    return debt->functions >> (function % FUNCTIONS) & 1;
}

void rtu_doubt_all(struct rtu_debts *debts, int64_t now_ns)
{
    for (size_t i = 0; i < sizeof(debts->units) / sizeof(debts->units[0]); i++) {
        debts->units[i].functions = UINT32_MAX;
        debts->units[i].since_ns = now_ns;
    }
}

void rtu_settle(struct rtu_debts *debts, uint8_t unit)
{
    debts->units[unit].functions = 0;
    debts->units[unit].probes = 0;
}

void rtu_probe(struct rtu_debts *debts, uint8_t unit, uint8_t ret_frame[RTU_PROBE_LEN])
{
    struct rtu_debt *debt = &debts->units[unit];
    debt->probe++;
    debt->probes++;
    const uint8_t frame[] = {unit, DIAGNOSTICS, 0, 0, (uint8_t)(debt->probe >> 8), (uint8_t)debt->probe};
    memcpy(ret_frame, frame, sizeof(frame));
    rtu_seal(ret_frame, sizeof(frame));
}

bool rtu_probe_answered(struct rtu_debts *debts, const uint8_t *frame, size_t len)
{
    struct rtu_debt *debt = &debts->units[frame[0]];
    bool echo = len == RTU_PROBE_LEN && frame[1] == DIAGNOSTICS;
    bool refusal = len == 5 && frame[1] == (DIAGNOSTICS | EXCEPTION);
    if (debt->probes == 0 || (!echo && !refusal))
        return false;
    if (echo) {
        debt->echoes = true;
        if (frame[2] || frame[3] || (frame[4] << 8 | frame[5]) != debt->probe)
            return false;
    } else if (--debt->probes > 0) { /* a refusal has no number: they are counted */
        return false;
    }
    rtu_settle(debts, frame[0]);
    return true;
}
