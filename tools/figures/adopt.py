"""From a rule changed by the API to the playlist adopted by the agent: put in, and ended, for one device.

Adopted is when the agent has stored the new playlist and asked its arbiter; it says so by its state, whose arrival at the
broker's other side is what is measured, so the way back is in it."""

import threading
import time

from common import Failure, Line, in_ms, loudspeaker, noise, spread, wait_until
import jose

NAME, MINUTES = "adopt", 2


class Ear:
    """Versions of the playlist that a device says it holds, with the moment at which that was heard."""

    def __init__(self, installation, device):
        self.heard, self.lock = {}, threading.Condition()
        self.client = installation.broker.client("observer", self._hear, [f"loa/1/dev/{device}/state"], "bench-ear")

    def _hear(self, message):
        now = time.monotonic()
        _, payload = jose.read(bytes(message.payload).decode())
        for held in payload.get("held", []):
            if held["doc"] == "playlist":
                with self.lock:
                    self.heard.setdefault((held["era"], held["ver"]), now)
                    self.lock.notify_all()

    def newer_than(self, known, seconds=20):
        """When the first version was heard that was not known."""
        with self.lock:
            if not self.lock.wait_for(lambda: set(self.heard) - known, seconds):
                raise Failure("the device did not adopt a playlist")
            return self.heard[min(set(self.heard) - known)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def changes(api, sample, device):
    """Pairs of a rule that is put in, and ended again."""
    number = 0
    while True:
        number += 1
        rule = api.post("/rules", {"bulletin": sample.hash, "when": "once", "date": _in_days(3),
                                   "times": [f"{number % 24:02d}:{number // 24 % 60:02d}:00"], "devices": [device]})
        yield
        api.send("DELETE", f"/rules/{rule['id']}")
        yield


def _in_days(days):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86400))


def measure(bench):
    with bench.installation([loudspeaker("ls-1")]) as i:
        sample = noise(i, "ngan", 0.5)
        i.sites[0].wait_settled()
        ear, times = Ear(i, "ls-1"), []
        try:
            wait_until(lambda: ear.heard, 10, "no state of the device")
            change = changes(i.api, sample, "ls-1")
            for _ in range(bench.few(120, 20)):
                known = set(ear.heard)
                began = time.monotonic()
                next(change)
                times.append((ear.newer_than(known) - began) * 1000)
        finally:
            ear.close()
    values = spread(times)
    return [Line("rule changed by API -> playlist adopted", in_ms(values, 1), "p99 <= 300 ms", "", values["p99"] <= 300, values)]
