"""Figures with thousands of devices, by tools/fleet: a rule changed while 5,000 are connected, for one of them and for all,
and what that costs and whom it delays."""

import json
import os

from common import TOP, Keeper, Line, in_ms

NAME, MINUTES = "crowds", 6


def fleet(bench, keeper, folder, agents, scenario, *more):
    out = os.path.join(folder, f"{scenario}.json")
    keeper.run([os.path.join(TOP, "tools", "fleet"), "--build", bench.build, "--agents", agents, "--scenario", scenario, "--json", out,
                *more], f"tools/fleet --agents {agents} --scenario {scenario}", seconds=3600)
    with open(out) as file:
        return json.load(file)


def find(figures, key):
    """The scenario's own dictionary, wherever the file keeps it."""
    if isinstance(figures, dict):
        if key in figures:
            return figures[key]
        figures = list(figures.values())
    if isinstance(figures, list):
        return next((found for found in (find(part, key) for part in figures) if found is not None), None)
    return None


def changed_for_all(figures, many):
    """The province's change: when all had it, what it cost the centre, and how it went with others' calls meanwhile."""
    change, alone = find(figures, "province"), find(figures, "calls_alone_ms")
    adopted, calls = change["adopted_ms"], change["calls_meanwhile_ms"]
    cost = change["cpu_ms_a_change"]["controller"] / many
    later = {k: calls[k] - alone[k] for k in ("p50", "p99", "max")}
    return [Line(f"rule changed for all {many} devices -> adopted by the last", f"{adopted['max'] / 1000:.1f} s", "",
                 f"controller: CPU {cost:.2f} ms a device", None, change),
            Line("another call of the API meanwhile, later than alone", f"p99 {later['p99']:.1f}, max {later['max']:.1f} ms ({calls['n']} x)",
                 "p99 <= 10 ms", f"alone: {in_ms(alone, 1)}", later["p99"] <= 10, {"alone": alone, "meanwhile": calls})]


def measure(bench):
    many = bench.few(5000, 500)
    lines = []
    with bench.folder() as folder, Keeper() as keeper:
        figures = fleet(bench, keeper, folder, many, "rule-change")
        change = find(figures, "device")
        values = change["adopted_ms"]
        lines.append(Line(f"rule changed -> adopted, {many} devices connected", in_ms(values, 1), "p99 <= 300 ms", "",
                          values["p99"] <= 300, change))
        lines += changed_for_all(figures, many)
    return lines
