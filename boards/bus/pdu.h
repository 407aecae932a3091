/* pdu.h - Modbus requests and answers as bytes (Modbus Application Protocol V1.1b3, chapter 6). Pure.
 *
 * A frame here is unit, function, data: without the MBAP header or the CRC of a transport. */
#ifndef LOA_PDU_H
#define LOA_PDU_H

#include "boards/bus/bus.h"

#include <stddef.h>

enum { PDU_MAX = 254 }; /* unit and the longest PDU of 253 bytes */

enum pdu_function {
    PDU_READ_COILS = 1,
    PDU_READ_DISCRETE = 2,
    PDU_READ_HOLDING = 3,
    PDU_READ_INPUT = 4,
    PDU_WRITE_COIL = 5,
    PDU_WRITE_REGISTER = 6,
    PDU_WRITE_COILS = 15,
    PDU_WRITE_REGISTERS = 16
};

/* True when the request can be put on a bus at all. */
bool pdu_possible(const struct bus_request *request);
/* The frame of a BUS_READ or BUS_WRITE; returns its length. The request is possible. */
size_t pdu_request(const struct bus_request *request, uint8_t ret_frame[PDU_MAX]);
/* Does this frame answer this request? 0 and, for a read, request->count values; ERR_LIMIT and the exception code; or
 * ERR_DEVICE when it is of another unit, function, length or place. */
MUST_USE int pdu_answer(const struct bus_request *request, const uint8_t *frame, size_t len, uint16_t *ret_values,
                        uint8_t *ret_exception);

#endif
