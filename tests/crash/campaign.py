#!/usr/bin/env python3
"""The crash campaign: a program is killed, or loses its power, at its n-th call that touches disk or socket; it is
started again, and everything that must hold is looked at. For all n of a scenario, many at a time.

  campaign.py --program agent|link|controller [--form before|after|strict|eager|torn]
              [--from N] [--to M] [--every K] [--seed S] [--jobs J] [--mark K]

--every takes one n out of K, beginning at an offset that --seed gives (printed). --mark K: n counts from the K-th line
of the outputs' log (agent), or from the K-th welcome that confirms more than the one before
(controller). Without --to it goes on until n is not reached any more. Exit code 1: an invariant failed.
LOA_BUILD_DIR: the build whose programs are tested. LOA_KEEP=1 leaves the folders."""

import argparse
import contextlib
import multiprocessing
import os
import random
import sys
import time

from cutting import FORMS, Violation

BEYOND = 60  # the scenario is over when so many calls beyond its end were asked for in a row (at least 3 runs)


def scenario_of(program):
    if program == "agent":
        from agent_scenario import AgentScenario as scenario
    elif program == "link":
        from link_scenario import LinkScenario as scenario
    else:
        from controller_scenario import ControllerScenario as scenario
    return scenario


def ground_of(program):
    """What all runs of a program share, around them."""
    if program == "link":
        from link_scenario import prepared
    elif program == "controller":
        from controller_scenario import prepared
    else:
        prepared = contextlib.nullcontext
    return prepared()


def one(task):
    """(n, calls counted, cut, last call, what failed)."""
    program, form, at, seed, mark = task
    try:
        with scenario_of(program)() as scenario:
            calls, cut, last = scenario.play(at, form, seed + at, "outputs.log" if program == "agent" else None, mark)
        return at, calls, cut, last, None
    except Violation as e:
        return at, 0, True, "", str(e)
    except Exception as e:
        return at, 0, True, "", repr(e)


class Campaign:
    def __init__(self, program, form="before", seed=1, jobs=8, mark=0, stop_at_failure=False):
        self.program, self.form, self.seed, self.jobs, self.mark = program, form, seed, jobs, mark
        self.stop_at_failure = stop_at_failure
        self.reached, self.failures, self.runs, self.calls = 0, [], 0, 0

    def run(self, numbers, say=print):
        """Every n of the range `numbers`, in turn, until the scenario is over. True: all invariants hold."""
        idle, began = 0, time.monotonic()
        enough = max(3, BEYOND // numbers.step)
        with ground_of(self.program), multiprocessing.Pool(self.jobs) as pool:
            tasks = ((self.program, self.form, at, self.seed, self.mark) for at in numbers)
            for at, calls, cut, last, why in self._each(pool, tasks):
                self.runs += 1
                idle = 0 if cut else idle + 1
                if why:
                    self.failures.append((at, why))
                    say(f"FAILED {self.program} {self.form} n={at} seed={self.seed}: {why}", flush=True)
                elif cut:
                    self.reached = max(self.reached, at)
                else:
                    self.calls = max(self.calls, calls)
                if idle >= enough or (why and self.stop_at_failure):
                    break
            pool.close()
            pool.join()  # those under way end by themselves and tidy up
        self.seconds = time.monotonic() - began
        say(self.summary(), flush=True)
        return not self.failures

    def _each(self, pool, tasks):
        """Like imap_unordered, but takes no more tasks than it has hands."""
        waiting = []
        for task in tasks:
            waiting.append(pool.apply_async(one, (task,)))
            while len(waiting) >= self.jobs:
                yield from self._ready(waiting)
        while waiting:
            yield from self._ready(waiting)

    @staticmethod
    def _ready(waiting):
        waiting[0].wait(0.02)
        for result in [r for r in waiting if r.ready()]:
            waiting.remove(result)
            yield result.get()

    def summary(self):
        return (f"{self.program} {self.form}: {self.runs} runs, n reached {self.reached}, seed {self.seed}, "
                f"{len(self.failures)} failures, {self.seconds:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", choices=("agent", "link", "controller"), required=True)
    parser.add_argument("--form", choices=FORMS, default="before")
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--to", type=int, default=1000000)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LOA_SEED") or random.randrange(1, 10000)))
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--mark", type=int, default=0)
    given = parser.parse_args()
    campaign = Campaign(given.program, given.form, given.seed, given.jobs, given.mark)
    first = given.first + (given.seed % given.every if given.every > 1 else 0)
    sys.exit(0 if campaign.run(range(first, given.to + 1, given.every)) else 1)


if __name__ == "__main__":
    main()
