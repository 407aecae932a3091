"""What every end-to-end test stands on: an installation of its own, and questions that a user would ask of it."""

import contextlib
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = os.environ.get("LOA_SOURCE_DIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.environ.get("LOA_BUILD_DIR") or os.path.join(SOURCE, "build", "release")
os.environ.setdefault("JOSE_PACKAGES", os.path.join(BUILD, "tests", "integration", "jose"))
sys.path.insert(0, os.path.join(SOURCE, "tools", "site"))

import content  # noqa: E402
import jose as seals  # noqa: E402
import sound  # noqa: E402
from api import Refused  # noqa: E402, F401
from installation import Installation  # noqa: E402
from place import Plan, panel  # noqa: E402
from process import Failure, Keeper, wait_until  # noqa: E402

AHEAD_S = 5  # from a rule to its instant: time to publish, fetch and verify
CALL_S, PACE_MAX = 0.2, 6  # what a call of `loa` takes where AHEAD_S is enough; the slowest machine that is waited for
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jose_peer.mjs")
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:")


def site(device, kind, hardware, **more):
    """A plan whose area is one commune of the sample data."""
    return Plan(device, kind, more.pop("area", "a001"), f"{kind} {device}", card=kind != "board", hardware=hardware, **more)


class World(Installation):
    """An installation in a temporary folder, with journals of all register writes and an ear at the broker."""

    def __init__(self, plans, **options):
        self.folder_made = tempfile.mkdtemp(prefix="loa-e2e-")
        self.owner = Keeper()
        super().__init__(self.owner, BUILD, self.folder_made, sites=plans, **options)
        self.heard, self.hearing, self.ear = [], threading.Condition(), None
        self.spoken = 0
        self.calls_s = []  # what the last calls of `loa` took

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.show_logs()
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.ear:
            self.ear.disconnect()
            self.ear.loop_stop()
        self.close()
        complaints = self.sanitizer_complaints()
        if complaints or os.environ.get("LOA_KEEP"):
            print("kept:", self.folder_made, file=sys.stderr)
        else:
            shutil.rmtree(self.folder_made, ignore_errors=True)
        if complaints:
            raise AssertionError("a sanitizer complained:\n" + "\n".join(complaints))

    def start_centre(self):
        super().start_centre()
        self.listen()

    def site(self, device):
        return next(s for s in self.sites if s.device == device)

    # The broker, as anybody who may read it hears it

    def listen(self):
        self.ear = self.broker.client("observer", self._hear, ["loa/1/#"], "e2e-ear")

    def _hear(self, message):
        with self.hearing:
            self.heard.append((message.topic, bytes(message.payload)))
            self.hearing.notify_all()

    def latest(self, topic):
        with self.hearing:
            return next((p.decode() for t, p in reversed(self.heard) if t == topic and p), None)

    def speak_up(self, topic, payload, retain=True):
        """Publish with the identity that may write everything: what a stolen broker or server could send."""
        client = self.broker.client("controller", lambda _m: None, [], f"e2e-{time.monotonic_ns()}")
        try:
            wait_until(client.is_connected, 10, "the broker does not take the forger in")
            info = client.publish(topic, payload, qos=1, retain=retain)
            wait_until(info.is_published, 10, "the broker did not take " + topic)
        finally:
            client.disconnect()
            client.loop_stop()

    # The machine's pace

    def loa(self, *args, **options):
        begun = time.monotonic()
        try:
            return super().loa(*args, **options)
        finally:
            self.calls_s = [*self.calls_s[-4:], time.monotonic() - begun]

    def paced(self, seconds):
        """So many seconds, or more where this machine, as busy as it is now, is slow."""
        return seconds * min(max(1.0, statistics.median(self.calls_s or [0]) / CALL_S), PACE_MAX)

    def soon(self, seconds=AHEAD_S):
        """A whole second at least so far ahead: the instant of a rule that is made now."""
        return math.ceil(time.time() + self.paced(seconds))

    # Content

    def bulletin(self, texts, klass="normal", areas="a000", approvers=("lan",), seconds=None, sounds=True):
        """Speak, hand in, approve by `approvers`. `seconds`: a noise of that length in place of speech."""
        self.spoken += 1
        sample = content.Sample(f"thu-{self.spoken}", f"Bản tin thử {self.spoken}", "thử", texts, klass=klass)
        folder = self.make_dir("content")
        if seconds:
            for language in texts:
                sample.sounds[language] = self.noise(os.path.join(folder, f"{sample.id}.{language}.wav"), seconds, self.spoken)
        elif sounds:
            content.speak(self.keeper, folder, sample)
        parts = []
        for language, text in texts.items():
            parts += ["--content", f"{language}:text={text}" + (f",audio={sample.sounds[language]}" if sample.sounds else "")]
        answer = self.loa("bulletin", "add", "--id", sample.id, "--title", sample.title, "--category", "thử", "--answerable",
                          "Nguyễn Thị Lan", "--class", klass, *parts)
        sample.hash = answer["hash"]
        sample.media = {c["lang"]: c["audio"]["hash"] for c in answer["contents"] if c.get("audio")}
        sample.approvals = [self.approve(sample.hash, person, areas, "--class", klass)["hash"] for person in approvers]
        return sample

    def noise(self, path, seconds, seed):
        """Speech-like noise of its own kind for each seed: what is heard is told apart by correlation."""
        self.keeper.run(["sox", "-R", "-n", "-r", "48000", "-c", "1", "-b", "16", path, "synth", str(seconds), "pinknoise",
                         "band", str(400 + 137 * (seed % 20)), "400", "gain", "-n", "-12"])
        return path

    def on_air_at(self, sample, at=None, *more, devices=(), areas=(), **options):
        at = self.soon() if at is None else at
        if not devices and not areas:
            areas = ("a000",)
        return self.schedule(sample.hash, at, *more, areas=areas, devices=devices, **options)

    # Questions

    def receipt(self, device, rule, seconds=40):
        """The one receipt of this rule's occurrence on this device."""
        seconds += max(0, rule["at"] - time.time())
        found = wait_until(lambda: self.safely(lambda: self.api.receipts(device, rule["id"])), seconds,
                           f"{device}: no receipt of {rule['id']}", 0.1)
        if len(found) != 1:
            raise AssertionError(f"{device}: {len(found)} receipts of {rule['id']}")
        return found[0]

    def event(self, device, code, after=0, seconds=30, **want):
        """The first event with this code whose members contain the wanted texts."""

        def look():
            for item in self.safely(lambda: self.api.events(device, code)) or []:
                if int(item["cursor"]) > after and all(text in (item.get(k) or "") for k, text in want.items()):
                    return item
            return None

        return wait_until(look, seconds, f"{device}: no event {code} with {want}", 0.1)

    def last_event(self):
        return max((int(e["cursor"]) for e in self.api.events()), default=0)

    @staticmethod
    def safely(ask):
        with contextlib.suppress(Failure):
            return ask()
        return None

    @staticmethod
    def wait_fetched(place, samples, seconds=40):
        """All that this site needs to play them is in its vault; approvals do not come before their recordings."""
        wanted = [h for s in samples for h in (s.hash, *s.approvals, *s.media.values())]
        wait_until(lambda: all(place.has_blob(h) for h in wanted), seconds, f"{place.device}: not fetched ahead")

    def wait_recorded(self, device, until_s):
        """The card has written down what it put out until then."""

        def recorded():
            recording = self.recording(device)
            return recording.unix_of(recording.frames()) > until_s

        wait_until(recorded, max(until_s - time.time(), 0) + 20, f"{device}: the recording does not go on")

    def wait_time(self, unix_s):
        """Until this instant; nothing else tells that something did not happen."""
        wait_until(lambda: time.time() >= unix_s, unix_s - time.time() + 5, "the clock stands", 0.02)

    def recording(self, device):
        return sound.Recording(self.site(device).recording)

    def source(self, path):
        return sound.decode(self.keeper, path)

    def writes(self, device, since_unix_s=0):
        """Register writes that the simulators of a site have seen."""
        found = []
        for simulator in self.site(device).simulators:
            with contextlib.suppress(FileNotFoundError), open(simulator.journal, encoding="utf-8") as lines:
                whole = (json.loads(line) for line in lines if line.endswith("\n"))
                found += [w for w in whole if w["at_unix_ms"] >= since_unix_s * 1000]
        return found

    def sign_registers(self, device):
        """The text that is lit on a T4, read by mbpoll: an independent Modbus master."""
        sign = next(s for s in self.site(device).simulators if s.what == "sign")
        units = []
        for first, count in ((2000, 100), (2100, 60)):
            _, out, _ = self.keeper.run(["mbpoll", "-m", "tcp", "-0", "-1", "-q", "-a", sign.unit, "-r", first, "-c", count, "-t", "3:hex",
                                         "-p", sign.port, "127.0.0.1"], "mbpoll")
            units += [int(v, 16) for v in re.findall(r"^\[\d+\]:\s+0x([0-9A-Fa-f]{4})", out, re.M)]
        text = b"".join(u.to_bytes(2, "big") for u in units).decode("utf-16-be")
        return text.rstrip("\0 ").split("\0")[0]

    def set_panel(self, device, what, **values):
        """A technician's hand at the simulator."""
        import socket as sockets
        simulator = next(s for s in self.site(device).simulators if s.what == what)
        with sockets.socket(sockets.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(simulator.panel)
            with s.makefile("rw", encoding="utf-8") as lines:
                lines.write(json.dumps({"set": values}) + "\n")
                lines.flush()
                for line in lines:
                    answer = json.loads(line)
                    if "ok" in answer or "error" in answer:
                        return answer
        raise Failure("the panel did not answer")

    def panel(self, device, what):
        return panel(next(s for s in self.site(device).simulators if s.what == what).panel)

    # Sanitizers and logs

    def sanitizer_complaints(self):
        found = []
        folder = os.path.join(self.folder_made, "log")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), errors="replace") as log:
                text = log.read()
            if SANITIZER.search(text):
                found.append(name + ":\n" + text[-4000:])
        return found

    def show_logs(self):
        folder = os.path.join(self.folder_made, "log")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), errors="replace") as log:
                tail = log.readlines()[-15:]
            print(f"--- {name}\n{''.join(tail)}", file=sys.stderr, flush=True)


def rests(write):
    """Power or zones of the shipped amplifier are switched off, as 15 s after the last item."""
    return write["kind"] == "coil" and not any(write["values"]) and (write["address"] == 0 or write["address"] >= 16)


class WorldTest(unittest.TestCase):
    """One world for all tests of a class; `plans()` says which sites."""

    options = {}

    @classmethod
    def plans(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.world = World(cls.plans(), **cls.options).__enter__()
        cls.addClassCleanup(cls.world.__exit__)

    def tearDown(self):
        outcome = self._outcome.result if self._outcome else None
        if outcome and any(test is self for test, _ in outcome.failures + outcome.errors):
            self.world.show_logs()

    def assert_heard(self, device, path, at_unix_s, lag_s=0.020, correlation=0.9):
        source = self.world.source(path)
        self.world.wait_recorded(device, at_unix_s + len(source) / sound.RATE_HZ + 0.2)
        value, lag = self.world.recording(device).compare(source, at_unix_s)
        self.assertGreaterEqual(value, correlation, f"{device}: correlation with {os.path.basename(path)}")
        self.assertLessEqual(abs(lag), lag_s, f"{device}: lag in s")
        print(f"  {device}: correlation {value:.3f}, lag {lag * 1000:+.2f} ms", file=sys.stderr)

    def assert_quiet(self, device, from_s, to_s):
        """Not one frame other than zero, not one register written, but for an amplifier that goes to rest."""
        if self.world.site(device).card:
            self.world.wait_recorded(device, to_s)
            self.assertTrue(self.world.recording(device).silent(from_s, to_s), f"{device} was heard")
        written = [w for w in self.world.writes(device, from_s) if w["at_unix_ms"] < to_s * 1000 and not rests(w)]
        self.assertEqual(written, [], f"{device}: registers were written")


def jose(jobs):
    """Run jobs through npm's jose; its answers."""
    done = subprocess.run(["node", PEER], input=json.dumps(jobs), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError("jose_peer.mjs: " + done.stderr)
    return json.loads(done.stdout)
