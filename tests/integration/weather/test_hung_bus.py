"""A driver that never returns: the thread of the amplifier's bus hangs in a system call (strace holds it there). What is
on goes on and the next item begins on its second; the amplifier is told as out of reach, nothing stale is believed, and
the watchdog is fed on, since a restart would only cut the sound. Once the call returns all is well again."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("agent", "packaging"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))
from bench import Bench, Keeper, sound, wait_until  # noqa: E402
from test_watchdog import Manager  # noqa: E402

LONG_S, SHORT_S, GAP_S = 20, 2, 2
CALLS = "sendto,recvfrom,select,pselect6,poll,ppoll,connect"


def threads(pid, name):
    """Ids of the threads with this name, in the order in which they were made."""
    found = []
    for tid in sorted(int(t) for t in os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as file:
            if file.read().strip() == name:
                found.append(tid)
    return found


class Hung:
    """A thread that does not come back from its next call to a device, until `mend`."""

    def __init__(self, tid, log):
        self.log = log
        self.strace = subprocess.Popen(["strace", "-qq", "-o", log, "-p", str(tid), "-e", "trace=" + CALLS, "-e",
                                        f"inject={CALLS}:delay_enter=600000000"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.strace.poll() is not None or not self._traced(tid, 0), 20, "strace does not begin")
        if self.strace.poll() is not None:
            raise AssertionError("nothing can be traced on this machine (ptrace), so no thread can be made to hang")

    @staticmethod
    def _traced(tid, by):
        with open(f"/proc/{tid}/status", encoding="utf-8") as file:
            return f"TracerPid:\t{by}\n" in file.read()

    def mend(self):
        self.strace.send_signal(signal.SIGTERM)
        self.strace.wait(20)


class HungBus(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loa-hung-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.keeper = Keeper()
        self.addCleanup(self.keeper.stop_all)
        self.bench = Bench(self.keeper, self.folder)
        self.manager = Manager(os.path.join(self.folder, "notify"))
        self.bench.agent.env = self.manager.env
        self.bench.start()
        self.centre = self.bench.centre
        self.played = []  # (samples, instant, occurrence)
        self.addCleanup(self.centre.close)

    def plan(self, *seconds):
        """Items one after the other, all of their media in the vault before the first."""
        bulletins, items, at = [], [], self.bench.soon(9)
        for k, length in enumerate(seconds):
            number = len(self.played) + 1
            samples, media = self.bench.media(length, seed=number)
            bulletin = self.centre.bulletin([{"lang": "vi", "audio": media}], id=f"b{number}")
            bulletins.append((bulletin, [self.centre.approval(bulletin)]))
            items.append(self.bench.item(f"r{number}", k, at, length))
            self.played.append((samples, at, f"r{number}.{at}"))
            at += length + GAP_S
        self.centre.publish("playlist", self.centre.playlist(bulletins, items))

    def receipt(self, k):
        """Of an item that was heard whole, on its second."""
        samples, at, occurrence = self.played[k]
        receipt = self.bench.wait_receipt(occurrence, max(at - time.time(), 0) + LONG_S + 60)
        self.assertEqual(receipt["reason"], "on_time", receipt)
        heard = receipt["evidence"]["sound"]
        self.assertEqual(heard["frames"], heard["frames_expected"], receipt)
        self.bench.wait_recorded(at + len(samples) / sound.RATE_HZ + 0.5)
        match, lag_s = self.bench.heard(samples, at)
        self.assertGreater(match, 0.9, occurrence)
        self.assertLess(abs(lag_s), 0.02, occurrence)
        return receipt

    def part(self):
        """What the newest health says of the amplifier."""
        told = self.centre.seen("health")
        return next((p for p in told[-1]["parts"] if p["name"] == "amply"), {}) if told else {}

    def test_a_bus_that_hangs(self):
        self.centre.begin()
        self.plan(LONG_S, SHORT_S)
        wait_until(lambda: time.time() > self.played[0][1] + 2, 60, "the first item")
        wait_until(lambda: self.part().get("state") == "ok", 20, f"the amplifier is well: {self.part()}")
        tids = threads(self.bench.agent.pid, "loa-bus")
        self.assertEqual(len(tids), 2)
        hung = Hung(tids[0], os.path.join(self.folder, "strace"))
        self.addCleanup(lambda: hung.strace.poll() is None and hung.mend())
        told = self.bench.wait_event("unreachable", 40, about="amply")
        self.assertIn("hangs", told["detail"])
        wait_until(lambda: self.part().get("state") == "fault", 20, "health tells it")
        values = [v["name"] for v in self.centre.seen("health")[-1]["values"]]
        self.assertNotIn("amply.temperature", values, "an old reading is told as today's")
        self.receipt(0)
        second = self.receipt(1)
        self.assertFalse(second["evidence"]["amplifier"]["commanded"], second)
        self.manager.wait("WATCHDOG=1", 3)
        self.assertEqual(self.manager.count("does not come back"), 0)
        hung.mend()
        self.bench.wait_event("reachable", 40, about="amply")
        self.plan(SHORT_S)
        third = self.receipt(2)
        self.assertTrue(third["evidence"]["amplifier"]["commanded"], third)


if __name__ == "__main__":
    unittest.main()
