/* simclock.h - time, chance and a boot for everything in this process, all of them a test's to say.
 *
 * The executable itself defines clock_gettime, time, gettimeofday, adjtimex, epoll_wait and epoll_pwait, so libuv and
 * all other libraries read this clock. It stands still while code runs. When the loop would sleep with nothing ready,
 * it jumps to the moment of the next timer instead. Work for the thread pool is done at once, on the loop thread, and
 * told a moment later; random numbers come from a seed: so the same seed gives the same run, byte for byte.
 *
 * Three times: true time, which the centre has; the box's wall clock, which may be anything; elapsed time since the
 * box's boot. */
#ifndef LOA_SIMCLOCK_H
#define LOA_SIMCLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* From here on time is simulated: it is `true_ms`, the box has just booted with a right wall clock, not disciplined. */
void sim_clock_start(int64_t true_ms, uint64_t seed);
void sim_clock_end(void); /* real time again */

int64_t sim_true_ms(void);
int64_t sim_real_ms(void); /* monotonic, of the machine: for reports of how long a test took */

/* The box's clock. */
void sim_wall_step(int64_t by_ms);
void sim_wall_set(int64_t wall_ms);
void sim_synced(bool synced); /* what the kernel says of the wall clock */
void sim_reboot(void);        /* elapsed time begins anew, another boot id; the wall clock goes on */

/* A stream of numbers of its own (splitmix64): what a test decides by chance does not hang on what the agent draws. */
struct chance {
    uint64_t state;
};
uint64_t chance_next(struct chance *chance);
uint32_t chance_below(struct chance *chance, uint32_t bound); /* [0, bound) */
bool chance_hit(struct chance *chance, uint32_t percent);

#endif
