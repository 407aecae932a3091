/* rtu.h - Modbus RTU frames (Modbus over Serial Line V1.02) and who still owes an answer. Pure; `now` is an argument.
 *
 * RTU carries no transaction number: a late answer looks just like the answer to the next request of the same kind. So
 * each request that was not answered leaves a debt: its unit may still answer that function. Until the debt is settled
 * no answer of that unit and function is believed. Slaves answer in order, so it is settled by any answer that can only
 * belong to a later request: one of a function that is not owed, or the echo of a probe. A probe is function 8
 * sub-function 0 (return query data) with a number of its own, the transaction number that RTU lacks. A slave that does
 * not know function 8 answers it with an exception, which serves as well; for one that does not answer it at all only
 * time is left: RTU_FORGET_MS of silence. A bus that has just been opened knows of no debts, so everybody owes
 * everything: the program before us may have asked. */
#ifndef LOA_RTU_H
#define LOA_RTU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RTU_MAX = 256,        /* bytes of a frame with its CRC */
    RTU_PROBE_LEN = 8,    /* bytes of a probe and of its echo */
    RTU_FORGET_MS = 3000, /* a debt of a unit that never answered a probe */
    RTU_KEEP_MS = 60000   /* of one that did */
};

uint16_t rtu_crc(const uint8_t *bytes, size_t len);
/* Put the CRC behind `len` bytes (room for two more); returns the length of the frame. */
size_t rtu_seal(uint8_t *frame, size_t len);
bool rtu_whole(const uint8_t *frame, size_t len); /* its CRC holds */

/* How long the answer is that begins with these bytes. 0: too few to tell; more than RTU_MAX: none that we know. */
size_t rtu_answer_len(const uint8_t *bytes, size_t len);

/* Bits a second that a tty can be set to; the index of it, or -1. */
int rtu_speed(uint32_t baud);
/* Time of `n` characters of 11 bits, and the silence between two frames: 3.5 of them, 1.75 ms above 19200 (2.5.1.1). */
int64_t rtu_chars_ns(uint32_t baud, size_t n);
int64_t rtu_gap_ns(uint32_t baud);

struct rtu_debt {
    uint32_t functions; /* bit f: function f may still be answered */
    int64_t since_ns;   /* of the newest of them */
    uint16_t probe;     /* number of the newest probe */
    unsigned probes;    /* sent and not answered */
    bool echoes;        /* this unit knows function 8 */
};

struct rtu_debts {
    struct rtu_debt units[256];
};

void rtu_owe(struct rtu_debts *debts, uint8_t unit, uint8_t function, int64_t now_ns);
bool rtu_owes(struct rtu_debts *debts, uint8_t unit, uint8_t function, int64_t now_ns);
/* Nobody knows what was asked before: any unit may owe any answer. */
void rtu_doubt_all(struct rtu_debts *debts, int64_t now_ns);
/* Everything that was asked of this unit has been answered, or never will be. */
void rtu_settle(struct rtu_debts *debts, uint8_t unit);

/* Make the next probe of this unit. */
void rtu_probe(struct rtu_debts *debts, uint8_t unit, uint8_t ret_frame[RTU_PROBE_LEN]);
/* Take in a whole frame of this unit with function 8 or its exception. True: it answers the newest probe, and all debts
 * are settled. */
bool rtu_probe_answered(struct rtu_debts *debts, const uint8_t *frame, size_t len);

#endif
