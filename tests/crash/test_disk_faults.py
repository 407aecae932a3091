"""Disks that fill up, answer with errors or turn read-only, under running programs: what plays goes on, it is told, nothing
is half done, and all is right again once the disk is."""

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import time
import unittest

import controller_scenario
import link_scenario
from agent_scenario import AgentScenario
from cutting import DEADLINE_S, Peek, Violation, until

from kit import read, sha
from link_kit import FETCHED, NOT_FETCHED, ONLINE, PUBLISH

FULL_SIZE, LATE_MS = "1m", 60000


def run(*argv, fine=(0,)):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode not in fine:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr.strip()} (this test mounts file systems: it needs root)")


@contextlib.contextmanager
def mounted(disk, *options):
    run("mount", *options, disk)
    try:
        yield
    finally:
        run("umount", "-l", disk)


def tmpfs(disk, size=FULL_SIZE):
    return mounted(disk, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")


def fill(folder):
    """To the last block."""
    path = os.path.join(folder, "filler")
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return path


class BadDiskAgent(AgentScenario):
    """An agent that plays every two seconds."""

    def begin(self):
        """Started, with all media there; then the plan."""
        self.plan(3600_000)
        self.program.start()
        blobs = self.path("disk", "vault", "blobs")
        until(lambda: all(os.path.exists(os.path.join(blobs, name[:2], name)) for name in self._wanted()), "media in the vault")
        self.plan(1500)

    def _wanted(self):
        bulletin, approvals = self.bulletins[0]
        return [bulletin, *approvals, json.loads(self.centre.blobs[bulletin])["contents"][0]["audio"]["hash"]]

    def plan(self, ahead_ms):
        start = int(time.time() * 1000) + ahead_ms
        rows = [(f"r{i}", 0, start + 2000 * i, {"late_ms": LATE_MS}) for i in range(7)]
        items = [{"id": f"{rule}.{at // 1000}", "bulletin": bulletin, "start_ms": at, "end_ms": at + LATE_MS + 2300, **more}
                 for rule, bulletin, at, more in rows]
        self.items = {item["id"]: item for item in items}
        self.order = [item["id"] for item in items]
        self.keys = {item["id"]: hashlib.sha256(item["id"].encode()).hexdigest()[:16] for item in items}
        self.centre.publish("playlist", self.centre.playlist(self.bulletins, items))
        self.newer = True

    def begun(self, index):
        key = self.keys[self.order[index]]
        return any(line[:2] == ["begin", key] for line in self.lines())

    def wait_begun(self, index):
        due = self.items[self.order[index]]["start_ms"] / 1000
        wait_s = max(due - time.time(), 0) + LATE_MS / 1000
        try:
            until(lambda: self.begun(index), f"item {index} to begin (due in {due - time.time():.1f} s)", wait_s)
        except Violation as e:
            raise Violation(f"{e}\nreceipts {self.centre.receipts()}\nlife {self.program.process.poll()}\n"
                            f"{self.program.log()[-4000:]}") from e

    def told(self):
        return self.centre.seen("event", code="vault_trouble") and self.centre.seen("event", code="vault_back")

    def disk_fails(self):
        """True when the newest health says that it fails."""
        told = self.centre.seen("health")
        return bool(told) and any(p["name"] == "disk" and p["state"] == "fault" and "cannot be written" in p["detail"]
                                  for p in told[-1]["parts"])

    def wait_fault(self, broken_at):
        """The centre hears of it while it lasts: health needs no disk."""
        until(self.disk_fails, "health says that the disk fails")
        print(f"  health says it after {time.time() - broken_at:.1f} s")


class AgentOnBadDisks(unittest.TestCase):
    def play(self, scenario, breaks, mends):
        """Items 0 and 1 before, 2 to 4 while the disk is broken, 5 and 6 after."""
        s = scenario
        s.begin()
        s.wait_begun(1)
        broken_at = time.time()
        breaks()
        s.wait_fault(broken_at)
        for index in (2, 3, 4):
            s.wait_begun(index)
        mended_at = time.time()
        mends()
        s.wait_begun(5)
        s.wait_begun(6)
        until(lambda: set(s.items) <= set(s.centre.receipts()) and s._all_stored(), f"receipts: {sorted(s.centre.receipts())}")
        until(s.told, "events of the vault's trouble and its end")
        trouble = s.centre.seen("event", code="vault_trouble")[0]["at_ms"] / 1000
        self.assertTrue(broken_at - 1 < trouble < mended_at + 1, "the event waited in memory and has its own time")
        self.assertEqual(s.program.stop(), 0, s.program.log()[-1500:])
        s.hung_up()
        s.look_at_disk()
        s.look_at_end()

    def test_full(self):
        """A megabyte for the vault: what plays goes on, an event says it, every receipt arrives once there is room."""
        def breaks():
            journal = sqlite3.connect(s.path("disk", "vault", "vault.db"), timeout=20)  # else there is old room in it
            journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            fill(s.disk)
            journal.close()

        with BadDiskAgent() as s, tmpfs(s.disk):
            self.play(s, breaks, lambda: os.unlink(os.path.join(s.disk, "filler")))

    def test_errors(self):
        """Every write and fsync below the vault fails with EIO, for a while."""
        with BadDiskAgent() as s:
            vault = s.path("disk", "vault", "vault.db")

            def breaks():
                self.strace = subprocess.Popen(
                    ["strace", "-f", "-qq", "-o", s.path("strace"), "-p", str(s.program.process.pid), "-P", vault, "-P", vault + "-wal", "-e",
                     "trace=pwrite64,fsync,fdatasync,ftruncate", "-e", "inject=pwrite64,fsync,fdatasync,ftruncate:error=EIO"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                until(lambda: "TracerPid:\t0" not in read(f"/proc/{s.program.process.pid}/status").decode() or
                      self.strace.poll() is not None, "strace at work")
                self.assertIsNone(self.strace.poll(), "nothing can be traced on this machine (ptrace), so no error can be injected")

            def mends():
                self.strace.send_signal(signal.SIGINT)
                self.strace.wait(DEADLINE_S)
                self.assertIn("EIO", read(s.path("strace")).decode(), "no write was made while they failed")
            self.play(s, breaks, mends)

    def test_read_only(self):
        """The file system turns read-only, as ext4 does after an error: what plays goes on, and health says it at once;
        repaired and started again, the box goes on where its disk was, and says what it must."""
        with BadDiskAgent() as s:
            image = s.path("ext4")
            with open(image, "wb") as file:
                file.truncate(16 << 20)
            run("mkfs.ext4", "-q", image)
            with mounted(s.disk, "-o", "loop", image):
                self._read_only(s, image)

    def _read_only(self, s, image):
        s.begin()
        s.wait_begun(1)
        until(lambda: s.order[0] in s.centre.receipts(), "the first receipt")
        broken_at = time.time()
        run("mount", "-o", "remount,abort", s.disk)
        s.wait_fault(broken_at)
        for index in (2, 3, 4):
            s.wait_begun(index)
        s.program.kill()
        s.hung_up()
        s.died()
        run("umount", s.disk)
        run("e2fsck", "-fp", image, fine=(0, 1))  # 1: errors were corrected
        run("mount", "-o", "loop", image, s.disk)
        s.look_at_disk()
        s.program.start()
        s.wait_begun(6)
        until(lambda: set(s.items) <= set(s.centre.receipts()) and s._all_stored(), f"receipts: {sorted(s.centre.receipts())}")
        self.assertEqual(s.program.stop(), 0, s.program.log()[-1500:])
        s.hung_up()
        self.assertFalse(s.centre.faults)


class LinkOnAFullDisk(unittest.TestCase):
    def test_full(self):
        """No room in the spool: the reason is told, messages go on, the download ends once there is room."""
        with link_scenario.prepared(), link_scenario.LinkScenario() as s, tmpfs(s.disk):
            os.makedirs(s.spool)
            data = os.urandom(600000)
            name = sha(data)
            s.blobs = {name: data}
            s.media.files[name] = data
            s.media.mode.clear()
            filler = fill(s.disk)
            s.program.start()
            s._begin()
            while not {ONLINE, NOT_FETCHED} <= {frame[0] for frame in s.client.seen}:
                self.assertIsNotNone(s.client.read())
            why = next(frame[4] for frame in s.client.seen if frame[0] == NOT_FETCHED)
            self.assertRegex(why.decode(), r"(?i)space|room|spool")
            self.assertIn(b"false", why)
            s._publish()
            s.client.send(PUBLISH, 0, 77, f"{s.name}/up", b"still here")
            s._arrived("up", "still here")
            os.unlink(filler)
            s.client.expect(FETCHED, name=name, deadline_s=60)
            s._fetched(name)
            self.assertEqual(s.program.stop(), 0)
            s.client.close()


class ControllerOnAFullDisk(unittest.TestCase):
    def test_full(self):
        """No room for the store: each call answers with a sentence and changes nothing; what is there is still served;
        records are not confirmed; all of it goes through once there is room."""
        with controller_scenario.prepared(), controller_scenario.ControllerScenario() as s:
            state = s.path("disk", "state")
            small = s.path("small")
            os.rename(state, small)
            os.makedirs(state)
            with tmpfs(state, "3m"):
                run("cp", "-a", small + "/.", state)
                self._full(s, state)

    def _full(self, s, state):
        s.program.start()
        s._listens()
        for name in ("areas", "device", "trust", "keys", "media", "bulletin", "approval", "rule", "records"):
            s.acked[name] = getattr(s, "step_" + name)()
        filler = fill(state)
        before = self.content(state)
        refused = [s.town.call("POST", "rules", {"id": f"rule-{i}", "bulletin": s.bulletin, "when": "daily", "times": ["06:00"], "areas": ["a001"]})
                   for i in range(2, 40)]
        refused = [a for a in refused if a.status >= 400]
        self.assertTrue(refused, "38 rules went into a full disk")
        refused.append(s.town.call("POST", "media?name=b.wav", read(controller_scenario.shared("sound.wav")) + b"x", type="audio/wav"))
        for answer in refused:
            self.assertIn(answer.status, (500, 503, 507), answer.body)
            self.assertEqual(answer.headers["content-type"], "application/problem+json")
            self.assertGreater(len(answer.json["detail"]), 20)
        after = self.content(state)
        self.assertEqual({k: v for k, v in after.items() if k != "rules"}, {k: v for k, v in before.items() if k != "rules"})
        self.assertEqual(s.get("devices/box-1")["name"], "Cụm loa")
        s.link.say("receipt", s.once(("receipt", 4), lambda: s._row("receipt", 4)))
        self.assertTrue(s.acked["media"]())
        os.unlink(filler)
        for name, there in s.acked.items():
            self.assertTrue(there(), name)
        s._rule("rule-after", "07:00")
        s._records(5)
        self.assertEqual(s.program.stop(), 0, s.program.log()[-1500:])
        s.hung_up()
        s.look_at_disk()
        self.assertEqual([f for f in os.listdir(os.path.join(state, "tmp"))], [])

    @staticmethod
    def content(state):
        with Peek(os.path.join(state, "controller.db")) as peek:
            tables = [name for name, in peek.rows("SELECT name FROM sqlite_master WHERE type='table'")]
            found = {name: peek.rows(f"SELECT count(*) FROM {name}") for name in tables
                     if name in ("areas", "devices", "media", "bulletins", "approvals", "rules", "receipts")}
        found["blobs"] = sorted(os.listdir(os.path.join(state, "blobs")))
        found["sources"] = sorted(os.listdir(os.path.join(state, "sources")))
        return found


if __name__ == "__main__":
    unittest.main()
