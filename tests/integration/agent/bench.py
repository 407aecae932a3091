"""One agent with its virtual card and simulated amplifier and sign, and a Centre at the other end of its socket."""

import contextlib
import io
import json
import os
import socket
import sqlite3
import sys
import time
import wave

import numpy

SOURCE = os.environ["LOA_SOURCE_DIR"]
BUILD = os.environ["LOA_BUILD_DIR"]
sys.path.insert(0, os.path.join(SOURCE, "tools", "site"))
import jose  # noqa: E402,F401
import sound  # noqa: E402
from process import Keeper, wait_until  # noqa: E402

from centre import Centre  # noqa: E402

DEVICE = "ls-thu-01"
PROGRAMS = {"loa-agent": "firmware", "loa-card": "tools/soundcard", "loa-modbus-sim": "tools/modbus-sim",
            "loa-point": "tools/modbus-sim"}


def exe(name):
    return os.path.join(BUILD, PROGRAMS[name], name)


def tone(seconds, seed):
    """Noise-like sound of its own for each seed, so that correlation tells one from the other."""
    rng = numpy.random.default_rng(seed)
    n = int(seconds * sound.RATE_HZ)
    raw = rng.standard_normal(n + 64)
    smooth = numpy.convolve(raw, numpy.ones(12) / 12, "same")[:n]
    return (0.4 * smooth / numpy.abs(smooth).max()).astype(numpy.float32)


def wav(samples):
    out = io.BytesIO()
    with wave.open(out, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(sound.RATE_HZ)
        w.writeframes((samples * 32767).astype("<i2").tobytes())
    return out.getvalue()


class Bench:
    START_S, PACE_MAX = 1.5, 6  # what a start takes where the tests' gaps are enough; the slowest machine that is waited for

    def __init__(self, keeper, folder):
        self.keeper, self.folder = keeper, folder
        self.centre = Centre(folder, DEVICE)
        self.vault = self.path("vault")
        self.more = ""  # further lines of agent.cfg
        self.ports = {}
        self.simulators = {}
        for name, profile in (("amp", "amplifier-sim-a100.cfg"), ("sign", "sign-sim-t4.cfg")):
            self.simulators[name] = self._simulator(name, os.path.join(SOURCE, "boards", "profiles", profile))
        self.recording = self.path("recording.wav")
        self.card = keeper.process("card", [
            exe("loa-card"), "--socket", self.path("card.sock"), "--recording", self.recording, "--meter",
            self.path("meter.sock"), "--conf", self.path("asound.conf")], self.path("card.log"))
        self.agent = keeper.process("agent", [
            exe("loa-agent"), "--config", self.path("agent.cfg"), "--site", self.path("site.cfg")],
            self.path("agent.log"))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def _simulator(self, name, profile):
        return self.keeper.process(name, [
            exe("loa-modbus-sim"), "--profile", profile, "--name", name, "--panel", self.path(f"{name}.panel"),
            "--journal", self.path(f"{name}.journal"), "--ports-file", self.path(f"{name}.port"),
            *(["--meter", self.path("meter.sock")] if name == "amp" else [])], self.path(f"{name}.log"))

    def start(self):
        begun = time.monotonic()
        self.card.start()
        wait_until(lambda: os.path.exists(self.path("asound.conf")), 10, "card")
        for name, simulator in self.simulators.items():
            simulator.start()
            wait_until(lambda n=name: os.path.exists(self.path(f"{n}.port")), 10, name)
            with open(self.path(f"{name}.port")) as file:
                self.ports[name] = json.load(file)["port"]
        self.configure()
        self.agent.start()
        wait_until(lambda: self.agent.ended() or self.centre.attached, 10, "the agent does not come")
        self.pace = min(max(1.0, (time.monotonic() - begun) / self.START_S), self.PACE_MAX)
        return self

    def soon(self, seconds):
        """A whole second so far ahead, or further where this machine, as busy as it is now, is slow."""
        return int(time.time() + self.pace * seconds) + 1

    def configure(self):
        c = self.centre
        box = {"kty": "OKP", "crv": "Ed25519", "x": c.box.x, "kid": c.box.kid,
               "d": jose.b64(c.box.private.private_bytes_raw() if hasattr(c.box.private, "private_bytes_raw")
                             else _raw(c.box.private))}
        with open(os.open(self.path("box.jwk"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(box, file)
        with open(self.path("agent.cfg"), "w") as file:
            file.write(f'''device = "{DEVICE}"; serial = "T-1"; vault = "{self.vault}"; link = "{c.path}";
roots = ["{c.root.x}", "{c.spare.x}"]; key = "{self.path("box.jwk")}"; spool = "{c.spool}"; log = "debug";
{self.more}
''')
        with open(self.path("site.cfg"), "w") as file:
            file.write(f'''sound = {{ device = "loa"; alsa_config = "asound.conf"; }};
buses = ( {{ name = "b1"; transport = "tcp"; host = "127.0.0.1"; port = {self.ports["amp"]}; }},
          {{ name = "b2"; transport = "tcp"; host = "127.0.0.1"; port = {self.ports["sign"]}; }} );
amplifiers = ( {{ name = "amply"; bus = "b1"; unit = 1; profile = "{SOURCE}/boards/profiles/amplifier-sim-a100.cfg";
                 zones = ["san", "cho"]; }} );
signs = ( {{ name = "bang"; bus = "b2"; unit = 1; profile = "{SOURCE}/boards/profiles/sign-sim-t4.cfg"; }} );
''')

    def panel(self, name, request=None):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.path(f"{name}.panel"))
            with s.makefile("rw", encoding="utf-8") as lines:
                first = json.loads(lines.readline())
                if request is None:
                    return first
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                return json.loads(lines.readline())

    # --- content ---

    def media(self, seconds, seed):
        """(samples, media reference)."""
        samples = tone(seconds, seed)
        data = wav(samples)
        name = self.centre.blob(data)
        return samples, {"hash": name, "size": len(data), "frames": len(samples)}

    def item(self, rule, bulletin, start_s, length_s, **more):
        start_ms = int(start_s * 1000)
        return {"id": f"{rule}.{start_ms // 1000}", "bulletin": bulletin, "start_ms": start_ms,
                "end_ms": start_ms + 60000 + int(length_s * 1000) + 2000, **more}

    def wait_receipt(self, occurrence, seconds=20):
        return wait_until(lambda: self.centre.receipts().get(occurrence), seconds, f"receipt of {occurrence}")

    def wait_event(self, code, seconds=10, **like):
        return wait_until(lambda: self.centre.seen("event", code=code, **like), seconds, f"event {code}")[0]

    def wait_begun(self, occurrence, seconds=20):
        def begun():
            with open(self.path("agent.log"), encoding="utf-8", errors="replace") as log:
                return f'{occurrence} "' in log.read()

        wait_until(begun, seconds, f"the beginning of {occurrence}")

    def made(self):
        """How many receipts are in the vault."""
        with contextlib.closing(sqlite3.connect(f"file:{self.path('vault', 'vault.db')}?mode=ro", uri=True)) as db:
            return sum(n for n, in db.execute("SELECT made FROM mark WHERE kind = 0"))

    def wait_all_fetched(self):
        """All that the centre has to give is in the vault."""
        wait_until(lambda: all(os.path.exists(self.path("vault", "blobs", n[:2], n)) for n in self.centre.blobs), 20, "all blobs")

    def heard(self, samples, at_s):
        return sound.Recording(self.recording).compare(samples, at_s)

    def wait_recorded(self, until_s):
        wait_until(lambda: (lambda r: r.unix_of(r.frames()) > until_s)(sound.Recording(self.recording)), 20, "recording")

    def close(self):
        self.agent.stop()
        self.centre.close()


def _raw(private):
    from cryptography.hazmat.primitives import serialization
    return private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                 serialization.NoEncryption())


def now_s():
    return time.time()
