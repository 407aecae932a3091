/* points.h - the points of one unit on a bus: polled readings, writes, and proof. What amplifier and sign stand on.
 *
 * Loop thread. Each call with a points_fn returns at once and ends once, later, through it, unless points_free() comes
 * first: then it never ends. `why` is a sentence, "" when result is 0; borrowed for the call. */
#ifndef LOA_POINTS_H
#define LOA_POINTS_H

#include "boards/bus/amplifier.h" /* struct reading */
#include "boards/bus/bus.h"

struct points;

typedef void (*points_fn)(void *arg, int result, const char *why);
struct points_events {
    void (*read)(void *arg, int index);           /* a new reading (or a bad one: not valid) of this point */
    void (*reachable)(void *arg, bool reachable); /* on the edge only */
};

/* Begins to poll at once. Borrows bus and profile; `name` is copied. */
struct points *points_new(struct bus *bus, const struct profile *profile, uint8_t unit, const char *name,
                          const struct points_events *events, void *arg);
void points_free(struct points *points);

/* False when the profile polls nothing: then only writes can tell whether the unit is there. */
bool points_polls(const struct points *points);
/* Drop everything that is under way but polls: it never ends. Urgent writes go on; with `deaf` they do not end either,
 * else they do. A request that is on the bus already is completed before any that is asked from now on. */
void points_abandon(struct points *points, bool deaf);

struct reading points_reading(const struct points *points, int index);
const char *points_text(const struct points *points, int index); /* last text read; "" when none */
bool points_reachable(const struct points *points);              /* false also while its bus hangs */
/* What is wrong, in a sentence: its bus hangs, `own` (what the driver has to say), or it does not answer; else "". */
void points_problem(const struct points *points, const char *own, char *ret_problem, size_t size);
int64_t points_reachable_since(const struct points *points);

/* Write without proof. */
void points_put(struct points *points, int index, double value, bool urgent, points_fn fn, void *arg);
void points_put_text(struct points *points, int index, const char *text, points_fn fn, void *arg);
/* Write, then prove by the point's `verify`: ERR_DEVICE when the proof does not come in time. */
void points_set(struct points *points, int index, double value, points_fn fn, void *arg);
/* Read once, outside the polls. */
void points_get(struct points *points, int index, points_fn fn, void *arg);
/* Read until the point has this value, at most within_ms. ERR_DEVICE when it has not. */
void points_wait(struct points *points, int index, double value, uint32_t within_ms, points_fn fn, void *arg);
/* Read the verify point of text point `index` until it is the same text. Without one: 0 at once. */
void points_prove_text(struct points *points, int index, const char *text, points_fn fn, void *arg);

bool point_is_on(const struct point *point, double value);
bool point_is_off(const struct point *point, double value);
/* What the verify point should read once `value` is written to `point`, and back again. */
double point_proof(const struct point *point, const struct point *verify, double value);

#endif
