#!/usr/bin/python3
"""Twenty minutes of a whole installation under ASan, with faults: does anything leak or grow?

    tools/soak [--minutes 20] [--build build/asan] [--seed N] [--json FILE]

Four sites play an item every few seconds. What happens to them, by the seed: lines are cut, amplifiers and signs vanish,
sound cards die, a stolen broker stands before one site; agent, link and mosquitto are killed (never on the site
`steady`, and never the controller: on those growth is measured). At the end every program is asked to go, so that the
leak check speaks, and each item must have its one receipt."""

import argparse
import collections
import json
import os
import random
import signal
import sqlite3
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))

ITEM_EVERY_S, ITEM_S, SAMPLE_EVERY_S, FAULT_EVERY_S = 8, 3, 10, 6
WARM_S = 240         # caches fill, SQLite's pages and the allocator's arenas come to their size
GROWTH = 0.10        # of RSS over the rest, and GROWTH_KB more, is taken for noise
GROWTH_KB = 4096
ALLOWED_FDS = 4


def read_arguments():
    parser = argparse.ArgumentParser(prog="tools/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--build", default=os.path.join(TOP, "build", "asan"))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", help="write the figures here")
    return parser.parse_args()


def rss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def waiting_rows(place):
    """Rows of the outbox that the centre has not confirmed."""
    with sqlite3.connect(f"file:{place.path('vault', 'vault.db')}?mode=ro", uri=True, timeout=5) as db:
        return db.execute("select count(*) from outbox where stored_ms = 0").fetchone()[0]


class Soak:
    def __init__(self, world, arguments):
        self.world, self.arguments = world, arguments
        self.dice = random.Random(arguments.seed)
        self.steady = world.site("ls-steady")
        self.undo = []  # (when, what): each fault ends
        self.done = collections.Counter()
        self.samples = collections.defaultdict(list)
        self.rules = []

    # Faults

    def later(self, seconds, act):
        self.undo.append((time.monotonic() + seconds, act))

    def fault(self):
        place = self.dice.choice(self.world.sites)
        kinds = [self.cut_line, self.lose_hardware]
        if place is not self.steady:
            kinds += [self.kill_agent, self.kill_link, self.kill_card]
        if place.thief:
            kinds += [self.turn_hostile] * 3
        if self.dice.random() < 0.08:
            kinds = [self.kill_broker]
        self.dice.choice(kinds)(place)

    def cut_line(self, place):
        if not place.relays or self.done[("cut", place.device)]:
            return
        self.done["line cut"] += 1
        self.done[("cut", place.device)] = 1
        place.cut()

        def mend():
            self.done[("cut", place.device)] = 0
            place.mend()

        self.later(self.dice.uniform(1, 20), mend)

    def lose_hardware(self, place):
        simulator = self.dice.choice(place.simulators)
        self.done["hardware offline"] += 1
        simulator.set(offline=True)
        self.later(self.dice.uniform(0.5, 10), lambda: simulator.set(offline=False))

    def kill_agent(self, place):
        self.done["agent killed"] += 1
        place.agent.kill()
        place.agent.start()

    def kill_link(self, place):
        self.done["link killed"] += 1
        place.link.kill()
        place.link.start()

    def kill_card(self, place):
        if place.card:
            self.done["card killed"] += 1
            place.card.kill()
            self.later(self.dice.uniform(0.5, 6), place.start_card)

    def kill_broker(self, _place):
        self.done["broker killed"] += 1
        self.world.broker.process.kill()
        self.later(self.dice.uniform(0.2, 5), self.world.broker.process.start)

    def turn_hostile(self, place):
        self.done["broker stolen"] += 1
        place.thief.hostile()
        self.later(self.dice.uniform(3, 15), place.thief.honest)

    def end_faults(self, all=False):
        now = time.monotonic()
        due = [act for when, act in self.undo if all or when <= now]
        self.undo = [] if all else [(when, act) for when, act in self.undo if when > now]
        for act in due:
            act()

    # Measures

    def watched(self):
        return {"controller": self.world.controller, "controller link": self.world.link, "steady agent": self.steady.agent,
                "steady link": self.steady.link}

    def measure(self):
        for name, process in self.watched().items():
            if not process.alive():
                raise AssertionError(f"{name} ended: {process.log_tail()}")
            self.samples[name].append((time.monotonic(), rss_kb(process.pid), descriptors(process.pid)))
        self.samples["rows"].append((time.monotonic(), sum(waiting_rows(p) for p in self.world.sites), 0))

    # The course of it

    def plan_items(self, samples, seconds):
        first = int(time.time()) + 15
        for k in range(int(seconds // ITEM_EVERY_S)):
            at = first + ITEM_EVERY_S * k
            if at > time.time() + 60:
                yield
            self.rules.append(self.world.on_air_at(samples[k % len(samples)], at, "--policy", "resume", show_s=ITEM_S))

    def run(self):
        seconds = self.arguments.minutes * 60
        samples = [self.world.bulletin({"vi": f"bài {k}"}, seconds=ITEM_S) for k in range(4)]
        begun = time.monotonic()
        planning = self.plan_items(samples, seconds - 30)
        planned = False
        next_fault = next_sample = begun
        while time.monotonic() < begun + seconds:
            now = time.monotonic()
            if not planned:
                planned = next(planning, "over") == "over"
            if now >= next_fault:
                next_fault = now + self.dice.uniform(0.5, 2 * FAULT_EVERY_S)
                self.fault()
            if now >= next_sample:
                next_sample = now + SAMPLE_EVERY_S
                self.measure()
                print(f"{now - begun:6.0f} s  " + "  ".join(f"{k} {v[-1][1]}" for k, v in self.samples.items()), flush=True)
            self.end_faults()
            time.sleep(0.2)  # the pace of the looks
        self.end_faults(all=True)
        self.settle()
        self.measure()
        self.check_receipts()
        return self.judge(begun)

    def settle(self):
        from world import wait_until
        wait_until(self.world.broker.answers, 20, "mosquitto is not back")
        for place in self.world.sites:
            if place.thief:
                place.thief.honest()
            place.wait_settled(90)
        self.world.wait_time(self.rules[-1]["at"] + ITEM_S + 2)
        wait_until(lambda: sum(waiting_rows(p) for p in self.world.sites) == 0, 120, "the outboxes do not empty", 1)

    def check_receipts(self):
        """Each occurrence has one receipt on each site, and no number is there twice."""
        for place in self.world.sites:
            receipts = self.world.api.receipts(place.device)
            marks = [(r["store"], r["n"]) for r in receipts]
            if len(marks) != len(set(marks)):
                raise AssertionError(f"{place.device}: a receipt is there twice")
            told = collections.Counter(r["occurrence"] for r in receipts)
            missing = [r["occurrence"] for r in self.rules if told[r["occurrence"]] == 0]
            twice = [o for o, n in told.items() if n > 1]
            reasons = collections.Counter(r["reason"] for r in receipts)
            print(f"{place.device}: {len(receipts)} receipts, {dict(reasons)}; without one: {len(missing)}; more than one: {len(twice)}")
            self.done[f"receipts of {place.device}"] = len(receipts)
            if twice:
                raise AssertionError(f"{place.device}: two receipts of {twice[:3]}")
            if missing:  # rules come a minute ahead, no fault lasts that long
                raise AssertionError(f"{place.device}: no receipt of {missing[:3]}, {len(missing)} in all")

    def judge(self, begun):
        figures, wrong = {}, []
        for name in self.watched():
            warm = [s for s in self.samples[name] if s[0] - begun > min(WARM_S, self.arguments.minutes * 20)]
            third = max(1, len(warm) // 3)
            early, late = (statistics.median(s[1] for s in part) for part in (warm[:third], warm[-third:]))
            fds = statistics.median(s[2] for s in warm[:third]), statistics.median(s[2] for s in warm[-third:])
            figures[name] = {"rss_kb_early": early, "rss_kb_late": late, "fds_early": fds[0], "fds_late": fds[1]}
            if late > early * (1 + GROWTH) + GROWTH_KB:
                wrong.append(f"{name} grew from {early} to {late} kB")
            if fds[1] > fds[0] + ALLOWED_FDS:
                wrong.append(f"{name}: descriptors grew from {fds[0]} to {fds[1]}")
        figures["rows_at_the_end"] = self.samples["rows"][-1][1]
        figures["done"] = {k: v for k, v in self.done.items() if isinstance(k, str)}
        return figures, wrong


def leaks(world):
    """Ask every program to go; what a leak check or another sanitizer wrote is found by World itself. Names those that
    did not end by themselves."""
    stubborn = []
    for process in [p for s in world.sites for p in (s.agent, s.link)] + [world.controller, world.link]:
        if not process.stop(30) or process.code() not in (0, -signal.SIGTERM):
            stubborn.append(f"{process.name}: ended with {process.code()}")
    return stubborn


def main():
    arguments = read_arguments()
    os.environ["LOA_BUILD_DIR"], os.environ["LOA_SOURCE_DIR"] = os.path.abspath(arguments.build), TOP
    # A small quarantine, else the sanitizer's own memory grows for the first hours.
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=8:detect_leaks=1"
    import kit
    print(f"seed {arguments.seed}, {arguments.minutes:g} minutes, {arguments.build}", flush=True)
    metal = {"tang-am": "amplifier"}
    plans = [kit.site("ls-steady", "cluster", {"tang-am": "amplifier", "bang": "sign"}, relay=True),
             kit.site("ls-loa-02", "loudspeaker", metal, relay=True), kit.site("ls-loa-03", "loudspeaker", metal, stolen=arguments.seed),
             kit.site("ls-bang-04", "board", {"bang": "sign"}, relay=True)]
    with kit.World(plans) as world:
        soak = Soak(world, arguments)
        figures, wrong = soak.run()
        wrong += leaks(world)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(dict(figures, seed=arguments.seed, minutes=arguments.minutes), file, indent=2)
    for sentence in wrong:
        print("WRONG:", sentence)
    print("soak:", "failed" if wrong else "no leak, no growth")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
