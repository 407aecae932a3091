"""Memory and CPU of loa-agent and loa-link, idle and playing, beside snapclient on the same kind of card."""

import contextlib
import math
import os
import shutil
import threading
import time

import numpy

from common import Line, fetched, loudspeaker, noise, wait_until, watched
from broker import free_port, listens
from process import Failure

NAME, MINUTES = "weight", 4
RATE, BLOCK_MS = 48000, 20


class Snapcast:
    """snapserver fed by a pipe in real time, and snapclient on a virtual card of its own."""

    def __init__(self, bench, i):
        for program in ("snapserver", "snapclient"):
            if not shutil.which(program):
                raise Failure(f"{program} is not there; right would be: tools/install-packages bench")
        self.folder = i.make_dir("snapcast")
        self.pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(self.pipe)
        self.port, self.recording = free_port(), os.path.join(self.folder, "snap.wav")
        conf, card_socket = os.path.join(self.folder, "asound.conf"), i.socket("snap.card")
        config = os.path.join(self.folder, "snapserver.conf")
        with open(config, "w") as file:
            file.write(f"[server]\ndatadir = {self.folder}\n[http]\nenabled = false\n[tcp]\nenabled = false\n"
                       f"[stream]\nport = {self.port}\nbind_to_address = 127.0.0.1\n"
                       f"source = pipe://{self.pipe}?name=loa&sampleformat={RATE}:16:1&codec=flac\n[logging]\nsink = stderr\n")
        log = i.log("snapcast")
        self.card = i.keeper.process("snap card", [bench.exe("tools/soundcard/loa-card"), "--socket", card_socket, "--recording",
                                                   self.recording, "--conf", conf], log)
        self.server = i.keeper.process("snapserver", ["snapserver", "--config", config], log, cwd=self.folder)
        self.client = i.keeper.process("snapclient", ["snapclient", "--host", "127.0.0.1", "--port", self.port, "--soundcard", "default",
                                                      "--hostID", "loa-bench", "--logsink", "stderr"], log, cwd=self.folder,
                                       env={"ALSA_CONFIG_PATH": conf})
        self.conf, self.playing, self.over = conf, threading.Event(), threading.Event()
        self.feeder = threading.Thread(target=self._feed, daemon=True)

    def start(self):
        self.card.start()
        wait_until(lambda: os.path.exists(self.conf), 10, "snapclient's card is not there")
        self.server.start()
        wait_until(lambda: listens(self.port) or not self.server.alive(), 10, "snapserver does not listen")
        self.feeder.start()
        self.client.start()

    def _feed(self):
        """Noise in real time while it plays; nothing at all while it is idle."""
        rng = numpy.random.default_rng(1)
        noise_of = (rng.uniform(-0.3, 0.3, RATE) * 32767).astype("<i2")
        count = RATE * BLOCK_MS // 1000
        with contextlib.suppress(BrokenPipeError), open(self.pipe, "wb", buffering=0) as pipe:
            due = time.monotonic()
            while not self.over.is_set():
                if not self.playing.wait(0.2):
                    due = time.monotonic()
                    continue
                pipe.write(noise_of[:count].tobytes())
                due += BLOCK_MS / 1000
                self.over.wait(max(0.0, due - time.monotonic()))

    def heard(self, last_s=2):
        size = os.path.getsize(self.recording)
        with open(self.recording, "rb") as file:
            file.seek(max(1024, size - 2 * RATE * last_s))
            return any(file.read())

    def end(self):
        self.over.set()
        self.playing.set()
        self.feeder.join(5)


def row(figures):
    return f"private dirty {figures['private_dirty'] / 1024:.1f}, PSS {figures['pss'] / 1024:.1f}, RSS {figures['rss'] / 1024:.1f} MiB"


def together(parts, key):
    return parts["loa-agent"][key] + parts["loa-link"][key]


def lines_of(state, parts, cpu_goal):
    both = {k: together(parts, k) for k in ("private_dirty", "pss", "rss", "cpu")}
    peer = parts["snapclient"]
    values = {f"{name}_{k}": round(v, 3) for name, f in parts.items() for k, v in f.items()}
    return [
        Line(f"memory {state}: loa-agent", row(parts["loa-agent"]), "", "snapclient: " + row(peer)),
        Line(f"memory {state}: loa-link", row(parts["loa-link"])),
        Line(f"memory {state}: both together", row(both), "private dirty <= snapclient's + 8 MiB",
             f"snapclient {(both['private_dirty'] - peer['private_dirty']) / 1024:+.1f} MiB",
             both["private_dirty"] <= peer["private_dirty"] + 8192, values),
        Line(f"CPU {state}: both together (agent {parts['loa-agent']['cpu']:.2f} %, link {parts['loa-link']['cpu']:.2f} %)",
             f"{both['cpu']:.2f} % of a core", f"<= {cpu_goal} %", f"snapclient {peer['cpu']:.2f} %", both["cpu"] <= cpu_goal,
             {"cpu": both["cpu"], "snapclient": peer["cpu"]}),
    ]


def settle(seconds):
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > seconds, seconds + 5, "the clock stands", 0.2)


def measure(bench):
    span = bench.few(30, 10)
    with bench.installation([loudspeaker("ls-1")]) as i:
        site, snap = i.sites[0], Snapcast(bench, i)
        sample = noise(i, "dai", span + 20)
        at = math.ceil(time.time()) + span + 30
        i.schedule(sample.hash, at)
        fetched(i, sample)
        snap.start()
        try:
            settle(5)
            pids = {"loa-agent": site.agent.pid, "loa-link": site.link.pid, "snapclient": snap.client.pid}
            idle = watched(pids, span)
            snap.playing.set()
            wait_until(lambda: time.time() > at + 4, at + 30 - time.time(), "the clock stands", 0.2)
            playing = watched(pids, span)
            if not snap.heard():
                raise Failure("snapclient was not heard; its log: " + snap.client.log_tail())
        finally:
            snap.end()
    return lines_of("idle", idle, 0.2) + lines_of("playing", playing, 2)
