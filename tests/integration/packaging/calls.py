"""Which system calls the programs really make, and which of those their units would refuse. Long form, by hand:

    LOA_BUILD_DIR=build/release python3 -B tests/integration/packaging/calls.py

A site with card, amplifier and sign plays one bulletin, loses its link and its centre for a while, and plays a second
one, every program under strace. Prints both sets for each; ends with 1 when a unit lacks a call."""

import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from world import SOURCE, World, site, wait_until  # noqa: E402

from unit import Unit  # noqa: E402

UNITS = {"agent": "agent/loa-agent", "link": "agent/loa-link", "controller": "controller/loa-controller",
         "controller-link": "controller/loa-controller-link"}
# Made only by root: SQLite gives its files the owner of the database.
OF_ROOT = {"fchown"}
DEVICE = "ls-goi-01"


class Traced(World):
    def __init__(self, plans):
        super().__init__(plans)
        self.traces = tempfile.mkdtemp(prefix="loa-calls-")
        self.runs = 0

    def processes_traced(self):
        place = self.sites[0]
        return {"agent": place.agent, "link": place.link, "controller": self.controller, "controller-link": self.link}

    def prepare(self):
        super().prepare()
        for name, process in self.processes_traced().items():
            process.plain = process.argv
            self.trace(name, process)

    def trace(self, name, process):
        self.runs += 1
        out = os.path.join(self.traces, f"{name}.{self.runs}")
        # The tracer has a session of its own: what is started and signalled is the program.
        process.argv = ["strace", "-DDD", "-f", "-c", "-o", out, *process.plain]

    def again(self, name):
        process = self.processes_traced()[name]
        process.stop(10)
        self.trace(name, process)
        process.start()

    def used(self, name):
        """Union over all its runs."""
        found = set()
        for out in os.listdir(self.traces):
            if out.rsplit(".", 1)[0] != name:
                continue
            path = os.path.join(self.traces, out)
            wait_until(lambda p=path: os.path.getsize(p) > 0, 10, f"{name}: strace's summary")
            with open(path, encoding="ascii") as lines:
                found |= {line.split()[-1] for line in lines if re.match(r"\s*[0-9.]+ ", line)} - {"total"}
        return found


def play(world):
    rule = world.on_air_at(world.bulletin({"vi": "Sáng thứ Bảy, tiêm chủng"}, seconds=3))
    receipt = world.receipt(DEVICE, rule)
    assert receipt["reason"] == "on_time", receipt


def main():
    lacking = 0
    with Traced([site(DEVICE, "cluster", {"tang-am": "amplifier", "bang": "sign"})]) as world:
        play(world)
        for name in ("link", "controller-link", "controller", "agent"):
            world.again(name)
        world.wait_controller()
        world.sites[0].wait_online(30)
        play(world)
        for process in world.processes_traced().values():
            process.stop(10)
        for name, unit in UNITS.items():
            used = world.used(name)
            allowed = Unit(os.path.join(SOURCE, "tools", "packaging", unit + ".service")).calls()
            refused = used - allowed - OF_ROOT
            lacking += len(refused)
            print(f"{name}: {len(used)} calls used, {len(allowed)} allowed, refused: {sorted(refused) or 'none'}")
            print("   ", " ".join(sorted(used)))
        shutil.rmtree(world.traces)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
