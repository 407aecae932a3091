"""What one agent needs from the bytes of a changed playlist on its socket to its decision: verified, stored whole and for
good, adopted, the arbiter asked.

The real loa-agent; this end of its socket is one thread that does nothing but send and listen. The clock runs from the
first byte written to the arrival of the state that names the new version; the agent seals that after its decision, so
what is measured is a little more than what is asked for. One playlist at a time, at uneven intervals, one item changed
each, sealed before the clock starts. Beside each, one write of as many bytes to the same disk is brought down and
timed, and the whole is done again with the vault in memory: what the disk takes, and what the agent."""

import json
import os
import random
import re
import select
import shutil
import subprocess
import sys
import time

from common import TOP, Cost, Failure, Keeper, Line, in_ms, spread

NAME, MINUTES = "decide", 3
SIZES = ((10, 2), (300, 20), (1200, 40))  # items, bulletins
EACH_DAY, GOAL_MS = 40, 5
MEMORY = "/dev/shm"


def far_end():
    """The centre of the agent's own tests, but of one thread: nothing of it runs while the clock does."""
    sys.path.insert(0, os.path.join(TOP, "tests", "integration", "agent"))
    import centre
    import jose
    import socket
    import struct

    class FarEnd(centre.Centre):
        def open(self):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            self.listener.listen(1)
            self.data, self.held, self.at = b"", {}, 0

        def accept(self, seconds):
            self.listener.settimeout(seconds)
            self.session, _ = self.listener.accept()

        def until(self, done, seconds):
            """Take what comes until `done()`; False when that took longer."""
            end = time.monotonic() + seconds
            while not done():
                left = end - time.monotonic()
                if left <= 0 or not select.select([self.session], [], [], left)[0]:
                    return False
                more = self.session.recv(1 << 20)
                self.at = time.monotonic_ns()
                if not more:
                    raise Failure("the agent has left")
                self.data += more
                self._frames()
            return True

        def _frames(self):
            while len(self.data) >= 4:
                size = 4 + struct.unpack(">I", self.data[:4])[0]
                if len(self.data) < size:
                    return
                kind, flags, number, name_len = struct.unpack(">BBIH", self.data[4:12])
                name, body = self.data[12:12 + name_len].decode(), self.data[12 + name_len:size]
                self.data = self.data[size:]
                if kind == centre.PUBLISH and name.endswith("/state"):
                    for held in jose.read(body)[1].get("held", []):
                        self.held.setdefault((held["doc"], held["ver"]), self.at)
                self._frame(kind, flags, number, name, body)

        def time_of(self, playlist, sealed):
            """Nanoseconds from the first byte to the state."""
            message = centre.frame(centre.MESSAGE, 0, 0, self.topic("playlist"), sealed.encode())
            key = ("playlist", playlist["ver"])
            began = time.monotonic_ns()
            self.session.sendall(message)
            if not self.until(lambda: key in self.held, 20):
                raise Failure("the agent did not adopt a playlist")
            return self.held[key] - began

    return FarEnd


class Disk:
    """How long this disk takes to bring down as many bytes as a document has."""

    def __init__(self, folder):
        self.file = os.open(os.path.join(folder, "probe"), os.O_RDWR | os.O_CREAT)
        self.place = 0

    def time_of(self, size):
        began = time.monotonic_ns()
        os.pwrite(self.file, b"\x5a" * size, self.place * 65536)
        os.fdatasync(self.file)
        self.place = (self.place + 1) % 16
        return time.monotonic_ns() - began

    def close(self):
        os.close(self.file)


def make_playlist(end, bulletins, items, number):
    """The same as the one before, but for one item; written as the controller does, without what is usual."""
    step_ms, listed = 86400000 // EACH_DAY, []
    for k in range(items):
        start_ms = end.first_ms + k * step_ms + (1000 * (1 + number % 600) if k == number * 7 % items else 0)
        listed.append({"id": f"r-{k % EACH_DAY}.{start_ms // 1000}", "bulletin": k % len(bulletins), "start_ms": start_ms,
                       "end_ms": start_ms + 122000, "class": "normal", "late_ms": 60000, "show_ms": 60000})
    named = [{**end.sized(bulletin), "approvals": [end.sized(a) for a in approvals]} for bulletin, approvals in bulletins]
    return {**end.head(f"dev/{end.device}", ver=int(time.time() * 1000) + number), "config_ver": 0, "from_ms": end.first_ms,
            "until_ms": end.first_ms + 31 * 86400000, "bulletins": named, "items": sorted(listed, key=lambda i: i["start_ms"])}


def prepare(end, n_bulletins):
    end.first_ms = (int(time.time()) + 7200) * 1000
    made = [end.bulletin([{"lang": "vi", "text": f"Lịch tiêm chủng của thôn {k}: sáng thứ Hai, tại nhà văn hóa."}], id=f"b{k}")
            for k in range(n_bulletins)]
    until_ms = int((time.time() + 90 * 86400) * 1000)
    return [(bulletin, [end.approval(bulletin, until_ms=until_ms, exp=until_ms // 1000)]) for bulletin in made]


class Run:
    """One agent, one size of playlist."""

    def __init__(self, bench, keeper, folder, items, n_bulletins):
        self.end = far_end()(folder, "ls-do-01")
        self.agent = start_agent(bench, keeper, folder, self.end)
        self.items, self.number, self.dice = items, 0, random.Random(items)
        self.end.accept(20)
        self.end.until(lambda: self.end.nonce, 20)
        for word, doc in (("trust", self.end.trust()), ("keys", self.end.keys()), ("config", self.end.config(kind="board"))):
            self.end.publish(word, doc)
        self.bulletins = prepare(self.end, n_bulletins)
        self.first_ms = self.change()[0] / 1e6
        self.end.until(lambda: len(set(self.end.fetches)) == 2 * n_bulletins, 30)
        self.pause(2)  # what was fetched is judged, and the disk is quiet again
        self.size = 0

    def pause(self, seconds):
        self.end.until(lambda: False, seconds)

    def change(self):
        self.number += 1
        playlist = make_playlist(self.end, self.bulletins, self.items, self.number)
        sealed = self.end.seal("playlist", json.dumps(playlist, ensure_ascii=False, separators=(",", ":")).encode(), deflate=True)
        self.size = len(sealed)
        return self.end.time_of(playlist, sealed), len(sealed)

    def times(self, n, disk=None):
        """({n, p50, ...} of the agent, the same of the disk or None, CPU milliseconds of each)."""
        ours, disks, spent = [], [], Cost.cpu_s(self.agent.pid)
        for _ in range(n):
            ours.append(self.change()[0] / 1e6)
            self.pause(self.dice.uniform(0.05, 0.12))
            if disk:
                disks.append(disk.time_of(self.size) / 1e6)
        return spread(ours), spread(disks) if disks else None, (Cost.cpu_s(self.agent.pid) - spent) * 1000 / n

    def syncs(self, folder, n):
        """How often it waits for the disk with each; None where it may not be watched."""
        path = os.path.join(folder, "syncs")
        watcher = subprocess.Popen(["strace", "-f", "-q", "-e", "trace=fsync,fdatasync", "-o", path, "-p", str(self.agent.pid)],
                                   stderr=subprocess.DEVNULL) if shutil.which("strace") else None
        if not watcher:
            return None
        self.pause(1)
        for _ in range(n):
            self.change()
            self.pause(0.05)
        watcher.terminate()
        watcher.wait()
        if not os.path.exists(path):
            return None
        with open(path) as file:
            return len(re.findall(r"sync\(", file.read())) / n

    def close(self):
        self.end.close()


def measure(bench):
    lines = []
    os.environ["LOA_SOURCE_DIR"], os.environ["LOA_BUILD_DIR"] = TOP, bench.build
    for items, n_bulletins in SIZES:
        with bench.folder() as folder, Keeper() as keeper:
            run, disk = Run(bench, keeper, folder, items, n_bulletins), Disk(folder)
            values, disks, cpu_ms = run.times(bench.few(300, 40), disk)
            syncs = run.syncs(folder, 20)
            size = run.size
            keeper.stop_all()
            run.close()
            disk.close()
        memory = in_memory(bench, items, n_bulletins)
        values.update(sealed_bytes=size, cpu_ms=cpu_ms, first_ms=run.first_ms, syncs=syncs, disk=disks, in_memory=memory)
        peer = f"one write of {size} bytes to this disk: {in_ms(disks)}"
        if memory:
            peer += f"; the same with the vault in memory: {in_ms(memory)}"
        lines.append(Line(f"bytes -> decision, one agent, one of {items} items changed ({n_bulletins} bulletins)",
                          in_ms(values) + f"; CPU {cpu_ms:.2f} ms" + (f", {syncs:.1f} waits for the disk" if syncs else ""),
                          f"p99 <= {GOAL_MS} ms", peer, values["p99"] <= GOAL_MS, values))
    return lines


def in_memory(bench, items, n_bulletins):
    if not os.access(MEMORY, os.W_OK):
        return None
    with bench.folder(MEMORY) as folder, Keeper() as keeper:
        run = Run(bench, keeper, folder, items, n_bulletins)
        values, _, _ = run.times(bench.few(150, 40))
        keeper.stop_all()
        run.close()
    return values


def start_agent(bench, keeper, folder, centre):
    import jose
    from cryptography.hazmat.primitives import serialization
    path = lambda name: os.path.join(folder, name)  # noqa: E731
    raw = centre.box.private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                           serialization.NoEncryption())
    with open(os.open(path("box.jwk"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        json.dump({"kty": "OKP", "crv": "Ed25519", "x": centre.box.x, "kid": centre.box.kid, "d": jose.b64(raw)}, file)
    with open(path("agent.cfg"), "w") as file:
        file.write(f'device = "ls-do-01"; serial = "B-1"; vault = "{path("vault")}"; link = "{centre.path}";\n'
                   f'roots = ["{centre.root.x}", "{centre.spare.x}"]; key = "{path("box.jwk")}"; spool = "{centre.spool}";\n')
    with open(path("site.cfg"), "w") as file:
        file.write("")
    return keeper.process("agent", [bench.exe("firmware/loa-agent"), "--config", path("agent.cfg"), "--site", path("site.cfg")],
                          path("agent.log")).start()
