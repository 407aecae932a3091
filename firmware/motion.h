/* motion.h - whether a card moves. One that works does so in both ways: by its delay, and by what it takes; a frozen
 * one may still do either. A plain value; frames counted as the caller likes. */
#ifndef LOA_MOTION_H
#define LOA_MOTION_H

#include <stdint.h>

struct motion {
    int64_t heard, heard_ns; /* where it was last seen, and since when */
    int64_t taken, taken_ns;
};

/* The card begins now, having taken this much. */
void motion_begin(struct motion *motion, int64_t now_ns, int64_t taken);
/* The card is here now. Returns for how long it has stood still in one way or the other, in ns. */
int64_t motion_stood_ns(struct motion *motion, int64_t now_ns, int64_t heard, int64_t taken);

#endif
