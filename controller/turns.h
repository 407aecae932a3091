/* turns.h - how long the loop is at work without a pause: the longest that anybody's call waits for others' work.
 *
 * A turn is what the loop does from one wait for events to the next. Its time is counted by the wall clock, since that
 * is what a caller waits, and by the CPU of the loop's thread, which tells work of ours from a machine that is busy
 * with others. Loop thread only. */
#ifndef LOA_TURNS_H
#define LOA_TURNS_H

#include <jansson.h>
#include <uv.h>

/* Longer than so many milliseconds. */
enum { TURNS_LIMITS = 7 };
extern const unsigned turns_limits_ms[TURNS_LIMITS];

struct turns;

/* Before anything else waits on the loop. The loop's end is not held up by it. */
struct turns *turns_new(uv_loop_t *loop);
void turns_free(struct turns *turns); /* NULL is fine; closes its handle, the loop frees the rest */

/* {"turns": 4711, "longer_than_ms": {"1": 12, ...}, "cpu_longer_than_ms": {"1": 3, ...}, "longest_ms": 4.2,
 * "longest_cpu_ms": 1.1}: counts since the start; the longest of the last one to two minutes. New reference. */
json_t *turns_json(struct turns *turns);

#endif
