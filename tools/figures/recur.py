"""Occurrences of recurring rules per second, beside libical's iterator on the same rules."""

import json

from common import Keeper, Line

NAME, MINUTES = "recur", 1
YEARS = 20


def measure(bench):
    with Keeper() as keeper:
        _, out, _ = keeper.run([bench.exe("tools/figures/recur_speed"), YEARS, bench.few(1, 0.2)], "recur_speed")
    lines = []
    for row in map(json.loads, out.splitlines()):
        lines.append(Line(f"occurrences of {row['rule']}, {YEARS} years", f"{row['ours']:,.0f}/s", "",
                          f"libical {row['libical']:,.0f}/s (x {row['ours'] / row['libical']:.1f})", None, row))
    return lines
