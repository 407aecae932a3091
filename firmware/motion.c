/* motion.c - see motion.h. */
#include "firmware/motion.h"

void motion_begin(struct motion *motion, int64_t now_ns, int64_t taken)
{
    *motion = (struct motion){.heard = INT64_MIN, .heard_ns = now_ns, .taken = taken, .taken_ns = now_ns};
}

int64_t motion_stood_ns(struct motion *motion, int64_t now_ns, int64_t heard, int64_t taken)
{
    if (heard != motion->heard) {
        motion->heard = heard;
        motion->heard_ns = now_ns;
    }
    if (taken != motion->taken) {
        motion->taken = taken;
        motion->taken_ns = now_ns;
    }
    return now_ns - (motion->heard_ns < motion->taken_ns ? motion->heard_ns : motion->taken_ns);
}
