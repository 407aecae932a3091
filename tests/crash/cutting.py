"""Programs that are cut at their n-th call (loa-cut), and what every scenario of the campaign stands on."""

import hashlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("LOA_SOURCE_DIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("LOA_BUILD_DIR") or os.path.join(SOURCE, "build", "release")
os.environ["LOA_SOURCE_DIR"], os.environ["LOA_BUILD_DIR"] = SOURCE, BUILD
for folder in ("tools/site", "tests/integration/agent", "tests/integration/link", "tests/integration/controller"):
    sys.path.insert(0, os.path.join(SOURCE, folder))

CUTTER = os.path.join(BUILD, "tests", "crash", "loa-cut")
CUT, NO_TRACE = 9, 3
DEADLINE_S = float(os.environ.get("LOA_TEST_DEADLINE_S", "180"))
FORMS = ("before", "after", "strict", "eager", "torn")


class Violation(AssertionError):
    """An invariant does not hold."""


def check(holds, what):
    if not holds:
        raise Violation(what)


def until(look, what, seconds=DEADLINE_S, step=0.01):
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(step)


class Program:
    """One life of a program after another. `form`: before, after (killed there), strict, eager, torn (the power fails
    before the call, and `disk` is left as a power cut leaves it)."""

    def __init__(self, argv, folder, disk, env=None):
        self.argv, self.folder, self.disk = argv, folder, disk
        self.env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **(env or {})}  # no leak checker under a tracer
        self.process, self.image = None, None

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, at=None, form="before", seed=1, mark=None, marks=0):
        """`at`: None without a cutter, 0 only counts."""
        argv = self.argv
        self.under_cutter = at is not None
        if self.under_cutter:
            cutter = [CUTTER, "--at", str(at), "--report", self.path("report"), "--trace", self.path("trace")]
            cutter += ["--after"] if form == "after" else []
            cutter += ["--marks", str(marks)] + (["--mark", mark] if mark else [])
            if form not in ("before", "after"):
                self.image = self.path("image")
                cutter += ["--disk", self.disk, "--image", self.image, "--form", form, "--seed", str(seed)]
            argv = [*cutter, "--", *argv]
        with open(self.path("program.log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=self.env)

    def mark(self):
        """Tells the cutter that a part of the scenario begins."""
        if self.under_cutter and self.alive():
            self.process.send_signal(signal.SIGUSR1)

    def alive(self):
        return self.process.poll() is None

    def expect_life(self):
        """A life without a cut may not end by itself."""
        check(self.alive(), f"ended by itself, code {self.process.poll()}: {self.log()[-1500:]}")

    def stop(self):
        """Ends it in order; the exit code."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Violation(f"does not end in order: {self.log()[-1500:]}") from None

    def kill(self):
        if self.process and self.alive():
            self.process.kill()
            self.process.wait()

    def log(self):
        with open(self.path("program.log"), errors="replace") as file:
            return file.read()

    def report(self):
        """(calls counted, True when it was cut, the last call)."""
        with open(self.path("report")) as file:
            n, how, last = (file.read().strip() + "  ").split(" ", 2)
        return int(n), how == "cut", last.strip()

    def lose_power(self):
        """Put in place what a power cut left."""
        if self.image and os.path.isdir(self.image):
            os.rename(self.disk, self.path("disk.lost"))
            os.rename(self.image, self.disk)


def read_to_the_end(centre):
    """All that a program said before it died is taken in: sessions are read one after another, and ours comes last."""
    with socket.socket(socket.AF_UNIX) as ours:
        ours.settimeout(DEADLINE_S)
        ours.connect(centre.path)
        ours.shutdown(socket.SHUT_WR)
        check(ours.recv(1) == b"", "frames to a session that said nothing")


def whole_by_name(folder):
    """Every file named by a hash has that content."""
    for place, _, names in os.walk(folder):
        for name in names:
            if len(name) == 64 and set(name) <= set("0123456789abcdef"):
                with open(os.path.join(place, name), "rb") as file:
                    data = file.read()
                check(hashlib.sha256(data).hexdigest() == name, f"{name[:12]} of {len(data)} bytes is not what its name says")


class Peek:
    """A copy of a database, read as the program would find it; the real one is left alone."""

    def __init__(self, path):
        self.folder = tempfile.mkdtemp(prefix="loa-peek-")
        for end in ("", "-wal", "-journal"):
            if os.path.exists(path + end):
                shutil.copy(path + end, os.path.join(self.folder, "db" + end))
        self.db = sqlite3.connect(os.path.join(self.folder, "db"))

    def __enter__(self):
        try:
            said = self.db.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.DatabaseError as e:
            said = [(str(e),)]
        if said != [("ok",)]:
            self.__exit__()
            raise Violation(f"the database is damaged: {said[:3]}")
        return self

    def __exit__(self, *_):
        self.db.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def rows(self, sql, *values):
        """[] also when that table was not made yet."""
        try:
            return self.db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as e:
            check("no such table" in str(e), str(e))
            return []


class Scenario:
    """with Scenario(...) as s: s.play(...). A folder of its own; nothing is left."""

    program = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="loa-crash-")
        self.disk = os.path.join(self.folder, "disk")
        os.makedirs(self.disk)
        try:
            self.open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.program:
            self.program.kill()
        self.close()
        if not os.environ.get("LOA_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def open(self):
        raise NotImplementedError

    def close(self):
        pass

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def play(self, at, form, seed=1, mark=None, marks=0):
        """One scenario, cut at call `at`, gone on with after a restart, all invariants checked: (n, cut, last call)."""
        self.program.start(at, form, seed, mark, marks)
        self.drive()
        code = self.program.stop()
        check(code != NO_TRACE, self.program.log())
        n, was_cut, last = self.program.report()
        check(was_cut or code == 0, f"exit code {code}: {self.program.log()[-1500:]}")
        self.hung_up()
        self.died()
        self.program.lose_power()
        self.look_at_disk()
        self.program.start()
        self.drive(again=True)
        check(self.program.stop() == 0, f"exit code: {self.program.log()[-1500:]}")
        self.hung_up()
        self.look_at_disk()
        self.look_at_end()
        return n, was_cut, last

    def drive(self, again=False):
        """What happens to the program; returns early when it is dead, unless this is the life without a cut."""
        raise NotImplementedError

    def hung_up(self):
        """It is gone: what it said before is to be taken in."""

    def died(self):
        """The life that may have been cut is over."""

    def look_at_disk(self):
        pass

    def look_at_end(self):
        pass
