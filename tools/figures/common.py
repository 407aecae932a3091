"""What every figure stands on: lines of the table, percentiles, an installation for as long as a measurement takes, and
what a process costs."""

import contextlib
import dataclasses
import math
import os
import shutil
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools", "site"))

import content  # noqa: E402
from installation import Installation  # noqa: E402
from place import Plan  # noqa: E402
from process import Failure, Keeper, wait_until  # noqa: E402,F401


@dataclasses.dataclass
class Line:
    """One row. `held`: is the goal met; None where there is no goal. `values`: the bare numbers, for --json."""

    figure: str
    measured: str
    goal: str = ""
    peer: str = ""
    held: bool = None
    values: dict = dataclasses.field(default_factory=dict)


def percentile(values, share):
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def spread(values):
    return {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}


def in_ms(values, digits=2):
    return ", ".join(f"{k} {values[k]:.{digits}f}" for k in ("p50", "p99", "max")) + f" ms ({values['n']} x)"


class Bench:
    def __init__(self, build, quick, say):
        self.build, self.quick, self.say = os.path.abspath(build), quick, say

    def few(self, whole, quick):
        """How many: all, or as many as --quick has time for."""
        return quick if self.quick else whole

    def exe(self, *path):
        found = os.path.join(self.build, *path)
        if not os.access(found, os.X_OK):
            raise Failure(f"{found} is not there; build first (without --build, tools/bench does)")
        return found

    @contextlib.contextmanager
    def folder(self, below=None):
        path = tempfile.mkdtemp(prefix="loa-bench-", dir=below)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def installation(self, plans, kind=Installation, **options):
        """A whole one with these sites, everybody connected and settled."""
        with self.folder() as folder, Keeper() as keeper, kind(keeper, self.build, folder, sites=plans, **options) as i:
            i.start(60)
            yield i


def loudspeaker(device, **more):
    """A site with a sound card and nothing else, so that nothing else is measured."""
    return Plan(device, "loudspeaker", "a001", device, **more)


def noise(installation, name, seconds, seed=1):
    """A sample: noise of this length, handed in and approved for everywhere."""
    path = os.path.join(installation.make_dir("content"), name + ".wav")
    installation.keeper.run(["sox", "-R", "-n", "-r", "48000", "-c", "1", "-b", "16", path, "synth", str(seconds), "pinknoise",
                             "band", str(400 + 137 * seed), "400", "gain", "-n", "-12"])
    sample = content.Sample(name, "Thử " + name, "thử", {"vi": "thử"}, sounds={"vi": path})
    installation.add_sample(sample)
    return sample


def fetched(installation, sample):
    """Until every site has the sound of this sample."""
    media = next(c["media"]["vi"] for c in installation.content if c["hash"] == sample.hash)
    wait_until(lambda: all(s.has_blob(media) for s in installation.sites), 60, "the sound was not fetched")


class Cost:
    """What a process has cost so far: CPU of all its threads, and memory as the kernel counts it."""

    @staticmethod
    def cpu_s(pid):
        used = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/task/{task}/schedstat") as file:
                used += int(file.read().split()[0])
        return used / 1e9

    @staticmethod
    def memory_kib(pid):
        found = {}
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in ("Rss", "Pss", "Private_Dirty"):
                    found[name.lower()] = int(rest.split()[0])
        return found


def watched(pids, seconds):
    """{name: {cpu (percent of a core), rss, pss, private_dirty (KiB)}} over some seconds of doing nothing but watching."""
    import time
    before, began = {name: Cost.cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
    wait_until(lambda: time.monotonic() - began >= seconds, seconds + 10, "the clock stands", 0.2)
    took = time.monotonic() - began
    return {name: {"cpu": 100 * (Cost.cpu_s(pid) - before[name]) / took, **Cost.memory_kib(pid)} for name, pid in pids.items()}
