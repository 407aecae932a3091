/* line.h - bytes on their way to a master: at once, late, or one by one. Loop thread. */
#ifndef LOA_SIM_LINE_H
#define LOA_SIM_LINE_H

#include "tools/modbus-sim/slave.h"

#include <uv.h>

struct parcel;

/* One connection, or the pty. `put` sends bytes; it may not call back into the line. */
struct line {
    uv_loop_t *loop;
    void (*put)(void *arg, const uint8_t *bytes, size_t len);
    void *arg;
    struct parcel *parcels;
};

enum { LINE_ADU_MAX = 264 };

/* Send `adu`, the reply as this transport frames it, in the way that the reply asks for. */
void line_send(struct line *line, const struct reply *reply, const uint8_t *adu, size_t len, int64_t now_ms);
void line_clear(struct line *line); /* what has not gone out never will */

#endif
