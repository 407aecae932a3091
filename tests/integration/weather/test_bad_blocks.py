"""A card with blocks that cannot be read: the recording that lies on them breaks off, with an honest receipt; what comes
next is not touched; and the recording is fetched again, so that its next item is heard whole."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "agent"))
from bench import Bench, Keeper, sound, wait_until  # noqa: E402

LONG_S, SHORT_S = 7, 2


class BadBlocks:
    """Every read of this file fails with EIO from now on, in all threads, until `mend`."""

    def __init__(self, pid, path, log):
        self.log = log
        self.strace = subprocess.Popen(["strace", "-f", "-qq", "-o", log, "-p", str(pid), "-P", path, "-e", "trace=read,pread64,readv,preadv",
                                        "-e", "inject=read,pread64,readv,preadv:error=EIO"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.strace.poll() is not None or self._traced(pid), 20, "strace does not begin")
        if self.strace.poll() is not None:
            raise AssertionError("nothing can be traced on this machine (ptrace), so no read can be made to fail")

    def _traced(self, pid):
        """All of its threads."""
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as file:
                if "TracerPid:\t0\n" in file.read():
                    return False
        return True

    def failed(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read().count("EIO")

    def mend(self):
        self.strace.send_signal(signal.SIGTERM)
        self.strace.wait(20)


class BadBlocksTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loa-blocks-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.keeper = Keeper()
        self.addCleanup(self.keeper.stop_all)
        self.bench = Bench(self.keeper, self.folder).start()
        self.addCleanup(self.bench.centre.close)

    def bulletin(self, seconds, seed):
        samples, media = self.bench.media(seconds, seed)
        name = self.bench.centre.bulletin([{"lang": "vi", "audio": media}], id=f"b{seed}")
        return samples, media["hash"], (name, [self.bench.centre.approval(name)])

    def on_disk(self, name):
        return self.bench.path("vault", "blobs", name[:2], name)

    def test_a_recording_that_cannot_be_read(self):
        bench, centre = self.bench, self.bench.centre
        centre.begin()
        bad, bad_name, first = self.bulletin(LONG_S, 1)
        good, good_name, second = self.bulletin(SHORT_S, 2)
        at = bench.soon(9)
        later = at + LONG_S + 3
        again = later + SHORT_S + int(7 * bench.pace)
        items = [bench.item("bad", 0, at, LONG_S), bench.item("good", 1, later, SHORT_S), bench.item("again", 0, again, LONG_S)]
        centre.publish("playlist", centre.playlist([first, second], items))
        wait_until(lambda: all(os.path.exists(self.on_disk(n)) for n in (bad_name, good_name)), 30, "media")
        wait_until(lambda: time.time() > at + 1, 60, "the first item")
        blocks = BadBlocks(bench.agent.pid, self.on_disk(bad_name), os.path.join(self.folder, "strace"))
        self.addCleanup(lambda: blocks.strace.poll() is None and blocks.mend())
        receipt = bench.wait_receipt(items[0]["id"], LONG_S + 60)
        heard = receipt["evidence"]["sound"]
        self.assertGreater(blocks.failed(), 0, "nothing was read while reads failed")
        self.assertEqual(receipt["reason"], "fault", receipt)
        self.assertLess(heard["frames"], heard["frames_expected"], receipt)
        self.assertGreater(heard["frames"], sound.RATE_HZ, receipt)
        self.assertIn("Input/output error", receipt.get("detail", ""), receipt)
        bench.wait_event("blob_damaged", 40, about=bad_name)
        blocks.mend()
        for item, samples, due in ((items[1], good, later), (items[2], bad, again)):
            told = bench.wait_receipt(item["id"], max(due - time.time(), 0) + LONG_S + 60)
            self.assertEqual(told["reason"], "on_time", told)
            bench.wait_recorded(due + len(samples) / sound.RATE_HZ + 0.5)
            self.assertGreater(bench.heard(samples, due)[0], 0.9, item["id"])
        self.assertEqual(centre.fetches.count(bad_name), 2)


if __name__ == "__main__":
    unittest.main()
