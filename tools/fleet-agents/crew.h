/* crew.h - the members of one process: all on one loop, made little by little, counted, ended together.
 *
 * What it tells on standard output, one line each, flushed five times a second:
 *   count AT MADE ONLINE WELCOMED HOLDING BEGUN OVER CUT    when a number changed; AT in Unix ms, the last three since
 *                                                           the start: airings that began, ended by themselves, were
 * cut adopted AT INDEX VER                                    agent INDEX acts on playlist VER from AT on Loop thread.
 */
#ifndef LOA_FLEET_CREW_H
#define LOA_FLEET_CREW_H

#include "tools/fleet-agents/member.h"

/* Run members first .. first + n - 1 until SIGTERM or SIGINT. A member that cannot be made ends it. */
MUST_USE int crew_run(const struct member_ground *ground, unsigned first, unsigned n, struct complaint *why);

#endif
