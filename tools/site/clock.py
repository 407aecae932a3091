"""A wall clock for one program that a test sets while the program runs (tests/clock/shim.c, by LD_PRELOAD).

libfaketime would do the same, but it can hang before main() under a sanitizer, which reads the clock while it starts.
"""
import mmap
import os
import struct
import time


class Clock:
    """The wall clock of the programs that are started with its env(). Elapsed time stays real."""

    def __init__(self, build_dir, path, at=None, synced=None):
        """`at`: Unix time that it shows now (None: the real one). `synced`: what the kernel says; None: as it is."""
        self.path = path
        self.library = os.path.join(build_dir, "tests", "clock", "libloa-test-clock.so")
        if not os.path.exists(self.library):
            raise FileNotFoundError(f"{self.library}: build the target loa-test-clock")
        with open(path, "wb") as f:
            f.write(struct.pack("=qq", 0, -1))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16)
        if at is not None:
            self.set(at)
        self.say_synced(synced)

    def env(self):
        return {"LD_PRELOAD": self.library, "LOA_TEST_CLOCK": self.path}

    def _ahead_ns(self):
        return struct.unpack("=q", self.map[0:8])[0]

    def now(self):
        return time.time() + self._ahead_ns() / 1e9

    def set(self, unix_s):
        self.map[0:8] = struct.pack("=q", int((unix_s - time.time()) * 1e9))

    def step(self, seconds):
        self.map[0:8] = struct.pack("=q", self._ahead_ns() + int(seconds * 1e9))

    def say_synced(self, synced):
        """True, False, or None for what the kernel really says."""
        self.map[8:16] = struct.pack("=q", -1 if synced is None else int(synced))

    def close(self):
        self.map.close()
