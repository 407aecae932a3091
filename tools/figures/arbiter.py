"""Steps of the arbiter per second, and its allocations: a month of one device, asked as the agent asks."""

import json

from common import Keeper, Line

NAME, MINUTES = "arbiter", 1


def measure(bench):
    lines = []
    with Keeper() as keeper:
        for items in (10, 300, 1200):
            _, out, _ = keeper.run([bench.exe("tools/figures/arbiter_speed"), items, bench.few(3, 0.5)], "arbiter_speed")
            values = json.loads(out)
            each = values["allocations"] / values["steps"]
            lines.append(Line(f"arbiter, timetable of {items} items", f"{values['per_second']:,.0f} steps/s, {each:g} allocations each",
                              "0 allocations", f"bare copy of its ledger ({values['ledger_bytes']} bytes): {values['copies']:,.0f}/s",
                              values["allocations"] == 0, values))
    return lines
