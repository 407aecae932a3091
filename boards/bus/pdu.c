/* pdu.c - see pdu.h. */
#include "boards/bus/pdu.h"

#include <string.h>

static bool of_bits(enum point_kind kind)
{
    return kind == POINT_COIL || kind == POINT_DISCRETE;
}

bool pdu_possible(const struct bus_request *request)
{
    bool writable = request->kind == POINT_COIL || request->kind == POINT_HOLDING;
    if (request->act != BUS_READ && !writable)
        return false;
    if (request->act == BUS_MODIFY && (request->kind != POINT_HOLDING || request->count != 1))
        return false;
    unsigned most = request->act == BUS_READ ? BUS_VALUES_MAX : 123;
    return request->count >= 1 && request->count <= most && (unsigned)request->address + request->count <= 65536;
}

static void put(uint8_t *frame, size_t *at, unsigned value)
{
    frame[(*at)++] = (uint8_t)(value >> 8);
    frame[(*at)++] = (uint8_t)value;
}

static uint8_t function_of(const struct bus_request *request)
{
    static const uint8_t reads[] = {[POINT_COIL] = PDU_READ_COILS,
                                    [POINT_DISCRETE] = PDU_READ_DISCRETE,
                                    [POINT_HOLDING] = PDU_READ_HOLDING,
                                    [POINT_INPUT] = PDU_READ_INPUT};
    if (request->act == BUS_READ)
        return reads[request->kind];
    bool several = request->count > 1 || request->multiple_only;
    if (of_bits(request->kind))
        return several ? PDU_WRITE_COILS : PDU_WRITE_COIL;
    return several ? PDU_WRITE_REGISTERS : PDU_WRITE_REGISTER;
}

size_t pdu_request(const struct bus_request *request, uint8_t ret_frame[PDU_MAX])
{
    uint8_t function = function_of(request);
    size_t at = 0;
    ret_frame[at++] = request->unit;
    ret_frame[at++] = function;
    put(ret_frame, &at, request->address);
    if (function == PDU_WRITE_COIL) {
        put(ret_frame, &at, request->values[0] ? 0xFF00 : 0);
        return at;
    }
    if (function == PDU_WRITE_REGISTER) {
        put(ret_frame, &at, request->values[0]);
        return at;
    }
    put(ret_frame, &at, request->count);
    if (function == PDU_WRITE_REGISTERS) {
        ret_frame[at++] = (uint8_t)(request->count * 2);
        for (size_t i = 0; i < request->count; i++)
            put(ret_frame, &at, request->values[i]);
    } else if (function == PDU_WRITE_COILS) {
        size_t n_bytes = (request->count + 7U) / 8;
        ret_frame[at++] = (uint8_t)n_bytes;
        memset(ret_frame + at, 0, n_bytes);
        for (size_t i = 0; i < request->count; i++)
            if (request->values[i])
                ret_frame[at + i / 8] = (uint8_t)(ret_frame[at + i / 8] | 1U << (i % 8));
        at += n_bytes;
    }
    return at;
}

static int read_answer(const struct bus_request *request, const uint8_t *data, size_t len, uint16_t *ret_values)
{
    size_t n_bytes = of_bits(request->kind) ? (request->count + 7U) / 8 : request->count * 2U;
    if (len != 1 + n_bytes || data[0] != n_bytes)
        return ERR_DEVICE;
    for (size_t i = 0; i < request->count; i++) {
        unsigned bit = (unsigned)data[1 + i / 8] >> (i % 8) & 1U;
        ret_values[i] = of_bits(request->kind) ? (uint16_t)bit : (uint16_t)(data[1 + 2 * i] << 8 | data[2 + 2 * i]);
    }
    return 0;
}

int pdu_answer(const struct bus_request *request, const uint8_t *frame, size_t len, uint16_t *ret_values,
               uint8_t *ret_exception)
{
    uint8_t function = function_of(request);
    if (len < 3 || frame[0] != request->unit || (frame[1] & 0x7F) != function)
        return ERR_DEVICE;
    if (frame[1] & 0x80) {
        if (len != 3 || frame[2] == 0)
            return ERR_DEVICE;
        *ret_exception = frame[2];
        return ERR_LIMIT;
    }
    if (request->act == BUS_READ)
        return read_answer(request, frame + 2, len - 2, ret_values);
    /* a write is answered by its own address and value or count */
    uint8_t sent[PDU_MAX];
    pdu_request(request, sent);
    return len == 6 && memcmp(frame, sent, 6) == 0 ? 0 : ERR_DEVICE;
}
