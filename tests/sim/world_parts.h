/* world_parts.h - inside of a world: world.c runs it, world_watch.c watches it. */
#ifndef LOA_WORLD_PARTS_H
#define LOA_WORLD_PARTS_H

#include "tests/sim/sim.h"
#include "tools/fleet-agents/outputs.h"

void world_output(void *arg, const struct outputs_change *change);
void world_tap(void *arg, const char *topic, const void *payload, size_t len);

#endif
