/* agent_pulse.c - does every part of the agent move? What the watchdog asks before it is fed. */
#include "firmware/agent_parts.h"

const char *agent_stuck(const struct agent *agent)
{
    if (pulse_missed(&agent->pulse))
        return "the agent's tick";
    const char *sound = stage_stuck(agent->stage);
    bool quiet = stage_quiet(agent->stage, BUS_QUIET_MS);
    if (sound || !agent_bus_restarts(clock_elapsed_ms() - agent->born_elapsed_ms, quiet))
        return sound;
    return stage_stuck_bus(agent->stage);
}
