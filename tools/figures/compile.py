"""Compiling a province: 5,000 devices, 30 days, 400 rules from nothing, and after one commune's rule has changed."""

import json

from common import Keeper, Line, in_ms, spread

NAME, MINUTES = "compile", 1
DEVICES, RULES, DAYS = 5000, 400, 30


def measure(bench):
    with Keeper() as keeper:
        runs = []
        for _ in range(bench.few(5, 2)):
            _, out, _ = keeper.run([bench.exe("tools/figures/compile_speed"), DEVICES, RULES, DAYS], "compile_speed")
            runs.append(json.loads(out))
    full, peak = max(r["full_s"] for r in runs), max(r["peak_kib"] for r in runs) / 1024
    changes = spread([ms for r in runs for ms in r["change_ms"]])
    of = runs[0]
    return [
        Line(f"full compile, {DEVICES:,} devices, {DAYS} days, {RULES} rules: time on one core (worst of {len(runs)})",
             f"{full:.2f} s; {of['items']:,} items in {of['timelines']} different timelines", "<= 1.0 s",
             f"written out for every single device: {max(r['write_all_s'] for r in runs):.2f} s more", full <= 1.0, {"runs": runs}),
        Line("full compile: peak memory", f"{peak:.0f} MiB", "<= 256 MiB",
             f"before it begins {of['before_kib'] / 1024:.0f} MiB", peak <= 256, {"peak_mib": peak}),
        Line("one rule of one commune changed: its devices compiled again", in_ms(changes), "<= 20 ms", "",
             changes["max"] <= 20, changes),
    ]
