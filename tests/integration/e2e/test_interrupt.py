"""Ctrl-C at any moment of the demo, also while it starts: no process, socket, mount or file of it is left."""

import glob
import json
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest

from world import BUILD, SOURCE, Failure, wait_until

DEMO = [os.path.join(SOURCE, "tools", "demo")]
SEED = int(os.environ.get("LOA_SEED") or random.randrange(1 << 30))


def processes(mark):
    """Processes whose environment carries the mark: whatever the demo started, also what lost its parent."""
    found = []
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(folder + "/environ", "rb") as file:
                if mark.encode() in file.read().split(b"\0"):
                    with open(folder + "/stat") as stat:
                        if stat.read().rpartition(")")[2].split()[0] != "Z":
                            found.append(int(os.path.basename(folder)))
        except OSError:
            continue
    return [p for p in found if p != os.getpid()]


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class Interrupt(unittest.TestCase):
    def start(self, *args):
        self.tmp = tempfile.mkdtemp(prefix="loa-int-")
        self.mark = f"LOA_TEST_MARK={os.getpid()}-{time.monotonic_ns()}"
        name, value = self.mark.split("=")
        env = dict(os.environ, TMPDIR=self.tmp, LOA_BUILD_DIR=BUILD, **{name: value})
        self.log = open(os.path.join(self.tmp, "demo.log"), "wb")
        self.demo = subprocess.Popen(DEMO + list(args), stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                     env=env, start_new_session=True)

    def tearDown(self):
        for pid in processes(self.mark):
            os.kill(pid, signal.SIGKILL)
        self.log.close()
        subprocess.run(["rm", "-rf", self.tmp], check=True)

    def said(self):
        return text_of(os.path.join(self.tmp, "demo.log"))

    def interrupt_and_look(self, number=signal.SIGINT):
        os.killpg(self.demo.pid, number)  # as a terminal does: the whole foreground group
        self.demo.wait(timeout=120)
        try:
            wait_until(lambda: not processes(self.mark), 10, "not ended")
        except Failure:
            self.fail(f"left running: {[self.what(p) for p in processes(self.mark)]}")
        self.assertEqual([n for n in os.listdir(self.tmp) if n != "demo.log"], [], self.said()[-2000:])
        self.assertNotIn(self.tmp, text_of("/proc/mounts"))
        sockets = text_of("/proc/net/unix")
        self.assertNotIn(self.tmp, sockets)

    @staticmethod
    def what(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return str(pid)

    def test_1_at_any_moment_of_the_start(self):
        print(f"LOA_SEED={SEED}", flush=True)
        chance = random.Random(SEED)
        for moment in (0.05, chance.uniform(0.3, 1.5), chance.uniform(1.5, 4), chance.uniform(4, 9)):
            with self.subTest(moment=moment):
                self.start()
                try:
                    self.demo.wait(timeout=moment)  # the moment at which somebody presses Ctrl-C
                    self.fail("the demo ended by itself: " + self.said())
                except subprocess.TimeoutExpired:
                    pass
                self.interrupt_and_look()
                self.tearDown()

    def test_2_while_it_plays(self):
        self.start()
        wait_until(lambda: "đúng giờ" in self.said() or self.demo.poll() is not None, 120, "nothing was played:\n" + self.said()[-2000:])
        self.assertIsNone(self.demo.poll(), self.said())
        self.interrupt_and_look(signal.SIGTERM)

    def test_3_headless_writes_its_file_and_restarts_what_is_killed(self):
        folder = tempfile.mkdtemp(prefix="loa-int-dir-")
        self.addCleanup(subprocess.run, ["rm", "-rf", folder], check=True)
        path = os.path.join(folder, "demo.json")
        self.start("--headless", "--dir", folder, "--seconds", "600")
        wait_until(lambda: os.path.exists(path) or self.demo.poll() is not None, 120, "no demo.json:\n" + self.said()[-2000:])
        self.assertIsNone(self.demo.poll(), self.said())

        def about():
            with open(path, encoding="utf-8") as file:
                return json.load(file)

        first = about()
        self.assertLessEqual({"console", "console_ca", "token", "broker", "pids", "sites"}, set(first))
        self.assertEqual({"host", "port", "ca", "cert", "key"}, set(first["broker"]))
        self.assertLessEqual({"controller", "link", "mosquitto"}, set(first["pids"]))
        self.assertEqual({s["kind"] for s in first["sites"]}, {"loudspeaker", "board", "cluster"})
        for place in first["sites"]:
            self.assertLessEqual({"agent", "link"}, set(place["pids"]))
            self.assertEqual("recording" in place, place["kind"] != "board")
            for unit in place["modbus"]:
                self.assertLessEqual({"name", "profile", "transport", "host", "port", "unit", "panel"}, set(unit))
        os.kill(first["sites"][0]["pids"]["agent"], signal.SIGKILL)
        os.kill(first["pids"]["controller"], signal.SIGKILL)
        wait_until(lambda: about()["sites"][0]["pids"]["agent"] != first["sites"][0]["pids"]["agent"]
                   and about()["pids"]["controller"] != first["pids"]["controller"], 30, "what was killed was not started again")
        for pid in (about()["sites"][0]["pids"]["agent"], about()["pids"]["controller"]):
            os.kill(pid, 0)
        self.interrupt_and_look()
        left = [os.path.join(f, n) for f, _, names in os.walk(folder) for n in names if not os.path.isfile(os.path.join(f, n))]
        self.assertEqual(left, [], "sockets are left")


if __name__ == "__main__":
    unittest.main()
