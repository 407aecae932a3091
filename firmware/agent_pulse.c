/* agent_pulse.c - does every part of the agent move? What the watchdog asks before it is fed. */
#include "firmware/agent_parts.h"

const char *agent_stuck(const struct agent *agent)
{
    return pulse_missed(&agent->pulse) ? "the agent's tick" : stage_stuck(agent->stage);
}
