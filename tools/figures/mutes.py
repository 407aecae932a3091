"""A mute to an amplifier that shares its bus with ten slaves that are dead: from the asking to the amplifier's answer, by
the agent's own bus over RTU (19200 baud), while all eleven are polled and all are muted at once."""

import json
import os

from common import TOP, Keeper, Line, in_ms, spread, wait_until

NAME, MINUTES = "mutes", 2
DEAD, UNIT, GOAL_MS = 10, 40, 1000


def measure(bench):
    with bench.folder() as folder, Keeper() as keeper:
        tty, journal = os.path.join(folder, "rs485"), os.path.join(folder, "journal")
        profile = os.path.join(TOP, "boards", "profiles", "amplifier-sim-a100.cfg")
        keeper.process("bus", [bench.exe("tools/modbus-sim/loa-modbus-sim"), "--tty", tty, "--baud", "19200", "--profile", profile,
                               "--unit", str(UNIT), "--journal", journal], os.path.join(folder, "bus.log")).start()
        wait_until(lambda: os.path.exists(tty), 30, "there is no bus")
        rounds = bench.few(20, 4)
        _, out, _ = keeper.run([bench.exe("tools/figures/mute_speed"), tty, UNIT, DEAD, rounds], "mute_speed", seconds=240)
        with open(journal) as file:
            written = sum(1 for line in file if json.loads(line)["values"] == [1])
    times = [float(line) for line in out.split()]
    return [Line(f"mute of one amplifier, {DEAD} dead slaves on its bus", in_ms(spread(times), 0),
                 f"max <= {GOAL_MS} ms", f"the amplifier's journal has {written} of {rounds} mutes",
                 max(times) <= GOAL_MS and written == rounds, dict(spread(times), written=written))]
