"""Another call of the API while the centre compiles a whole province: 5,000 devices, 400 rules, 30 days, from nothing, and
while every document of them is sealed anew under a trust of a higher era.

No device is connected, and the measured calls come from a process of their own, so that what is measured is the
controller: how long each call takes, and how long its loop is at work in one turn (GET /status, "loop"). What the
machine itself does to them, its disk above all, is seen in as long a time with nothing else to do."""

import multiprocessing
import os
import sys
import time

from common import TOP, Failure, Keeper, Line, in_ms, noise, spread, wait_until

sys.path.insert(0, os.path.join(TOP, "tools", "fleet-agents"))

from crowd import COMMUNES, Caller, Crowd  # noqa: E402
from installation import Installation  # noqa: E402

NAME, MINUTES = "delay", 5
BULLETINS, EVERY_S = 12, 0.004
WHENS = ({"when": "daily"}, {"when": "weekly", "weekdays": ["mon", "wed", "fri"]}, {"when": "daily"},
         {"when": "monthly", "month_days": [1, 15]}, {"when": "lunar_days", "lunar_days": [2, 7, 12, 17, 22, 27]},
         {"when": "every", "every_days": 3, "anchor": "2026-01-01"})


def rule(i, hashes):
    """Nineteen in twenty are a commune's, the others hold for the province; once or twice a day."""
    minutes = [(i * 19 + k * 720) % 960 + 300 for k in range(1 + i % 2)]
    area = "a000" if i % 20 == 19 else f"a{i % COMMUNES + 1:03d}"
    return {"id": f"r-{i:04d}", "bulletin": hashes[i % len(hashes)], "areas": [area],
            "times": sorted({f"{m // 60:02d}:{m % 60:02d}" for m in minutes}), **WHENS[i % len(WHENS)]}


class Province(Crowd):
    """A centre whose devices are handed in, and are not there."""

    def prepare(self):
        Installation.prepare(self)
        self._calm_broker()
        self.boxes = self._make_keys()

    def add_rules(self, rules):
        hashes, caller = [noise(self, f"tin-{k}", 1 + k % 3, k).hash for k in range(BULLETINS)], Caller(self)
        for i in range(rules):
            caller.post("/rules", rule(i, hashes))


def call(ended, ready, sink, url, ca, token):
    """GET and a small write in turn, every few ms, until told to end; in a process of its own."""

    class Centre:
        pass

    class Pki:
        pass

    centre = Centre()
    centre.console, centre.token, centre.pki = url, token, Pki()
    centre.pki.ca = ca
    caller, took = Caller(centre), {"read": [], "write": []}
    caller.get("/whoami")
    ready.set()
    while not ended.wait(EVERY_S):
        began = time.monotonic()
        caller.get("/whoami")
        took["read"].append(1000 * (time.monotonic() - began))
        began = time.monotonic()
        caller.send("PATCH", "/groups/nhom", {"name": f"Nhóm {len(took['write'])}"})
        took["write"].append(1000 * (time.monotonic() - began))
    sink.send(took)


class Bystander:
    """What calls took while this was open: .took."""

    def __init__(self, province):
        self.province = province

    def __enter__(self):
        fork = multiprocessing.get_context("fork")
        self.ended, ready = fork.Event(), fork.Event()
        self.source, sink = fork.Pipe(False)
        self.process = fork.Process(target=call, args=(self.ended, ready, sink, self.province.console, self.province.pki.ca,
                                                       self.province.token), daemon=True)
        self.process.start()
        if not ready.wait(60):
            raise Failure("the API does not answer")
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.took = self.source.recv() if self.source.poll(60) else {"read": [], "write": []}
        self.process.join(60)


def loop(province):
    return Caller(province).get("/status")["loop"]


def turns_since(before, now):
    """How many turns were longer than 10 ms since, by the clock and by the CPU that they took."""
    return {"turns": now["turns"] - before["turns"],
            **{k: now[k]["10"] - before[k]["10"] for k in ("longer_than_ms", "cpu_longer_than_ms")},
            "longest_ms": now["longest_ms"], "longest_cpu_ms": now["longest_cpu_ms"]}


def at_rest(province):
    """All documents are worked out, and the broker has them."""
    caller = Caller(province)

    def rests():
        status = caller.get("/status")
        return status["compiling"] == 0 and status["waiting"] == 0

    wait_until(rests, 300, "the centre does not come to rest", 0.05)


def beside(province, work):
    """Calls while `work` is done, and the loop's turns meanwhile."""
    before = loop(province)
    began = time.monotonic()
    with Bystander(province) as others:
        work()
        took = time.monotonic() - began
    return {"seconds": took, "turns": turns_since(before, loop(province)), **{k: spread(v) for k, v in others.took.items()}}


def alone(province, seconds):
    def wait():
        wait_until(lambda: time.monotonic() > ends, seconds + 60, "the clock stands", 0.1)

    ends = time.monotonic() + seconds
    return beside(province, wait)


def compiled_from_nothing(province):
    """The centre is started again: it knows no timetable, and looks at every device's."""
    province.controller.stop(60)
    province.controller.start()
    province.wait_controller(60)
    return beside(province, lambda: at_rest(province))


def sealed_anew(province):
    """Under a higher era no document of the old one holds."""
    def renew():
        province.publish_trust(era=2)
        province.publish_keys(era=2)
        at_rest(province)

    return beside(province, renew)


def line(province, what, work):
    measured = work(province)
    rest = alone(province, measured["seconds"])
    later = {kind: {k: measured[kind][k] - rest[kind][k] for k in ("p50", "p99", "max")} for kind in ("read", "write")}
    turns = measured["turns"]
    said = "; ".join(f"{word} p99 {later[kind]['p99']:+.1f}, max {later[kind]['max']:+.1f} ms ({measured[kind]['n']} x)"
                     for kind, word in (("read", "GET"), ("write", "PATCH")))
    return Line(f"another call of the API during {what} ({measured['seconds']:.1f} s), later than alone", said, "p99 <= 10 ms",
                f"{turns['cpu_longer_than_ms']} of {turns['turns']} turns of the loop took more than 10 ms of CPU, "
                f"{turns['longer_than_ms']} by the clock; alone for as long: GET {in_ms(rest['read'], 1)}, PATCH "
                f"{in_ms(rest['write'], 1)}",
                max(later[kind]["p99"] for kind in later) <= 10, {"alone": rest, "meanwhile": measured})


def measure(bench):
    devices, rules = bench.few(5000, 500), bench.few(400, 40)
    with bench.folder() as folder, Keeper() as keeper, Province(keeper, bench.build, folder, devices) as province:
        province.prepare()
        province.start_centre()
        province.introduce()
        province.add_rules(rules)
        Caller(province).post("/groups", {"id": "nhom", "name": "Nhóm", "devices": []})
        at_rest(province)
        return [line(province, f"a full compile, {devices:,} devices, {rules} rules, 30 days", compiled_from_nothing),
                line(province, f"the sealing of all {2 * devices:,} documents anew", sealed_anew)]
