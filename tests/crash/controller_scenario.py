"""A controller with a new store: areas, a device, trust, keys, a recording, a bulletin, its approval, rules, a command,
and a box that sends its records; cut at any call. What the API answered with success, a welcome confirmed or a document
on the wire said must hold ever after.

The link is played by this file (frames of playlists/base/post.h), the box's words are sealed by its own key."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time

from cutting import BUILD, Peek, Program, Scenario, check, read_to_the_end, until, whole_by_name

import jose
from centre import ACK, ATTACH, MESSAGE, ONLINE, PUBLISH, RETAIN, Centre
from kit import Certificates, Key, World, head, make_wav, read

CONTROLLER = os.path.join(BUILD, "controller", "loa-controller")
STORE = "s-crash"
SHARED = "LOA_CRASH_SHARED"  # the folder of what all runs share


@contextlib.contextmanager
def prepared():
    """One set of certificates and one recording for all runs; their folder is in the environment."""
    folder = tempfile.mkdtemp(prefix="loa-crash-shared-")
    os.environ[SHARED] = folder
    try:
        Certificates(folder).make("server")
        make_wav(shared("sound.wav"), 0.3, rate=16000, channels=1)
        yield
    finally:
        del os.environ[SHARED]
        shutil.rmtree(folder, ignore_errors=True)


def shared(name):
    return os.path.join(os.environ[SHARED], name)


class Carrier(Centre):
    """The controller's link: takes what it publishes, brings what the box says, as often as it is asked to."""

    def __init__(self, folder, scheduler_x):
        self.faults, self.scheduler_x, self.program = [], scheduler_x, None
        self.newest = {}     # topic -> (version, hash) of the newest retained document
        self.confirmed = {}  # kind -> highest number that a welcome confirmed
        self.commands = []
        super().__init__(folder, "box-1")

    def _frame(self, kind, flags, number, name, body):
        if kind == ATTACH:
            self.attached.append(json.loads(body))
            self.send(ONLINE)
        elif kind == PUBLISH:
            try:
                self._published_down(name, flags, body)
            except Exception as e:  # a thread of its own: told at the end
                self.faults.append(repr(e))
            self.send(ACK, 0, number)

    def _published_down(self, topic, flags, body):
        word = topic.rsplit("/", 1)[1]
        if flags & RETAIN:
            said = (jose.read(body)[1]["ver"], hashlib.sha256(body).hexdigest())
            ver, digest = self.newest.get(topic, (0, None))
            if said[0] < ver or (said[0] == ver and said[1] != digest):
                self.faults.append(f"{topic}: version {said[0]} after {ver}")
            self.newest[topic] = said
            self.retained[topic] = body
        elif word == "welcome":
            self._welcomed(jose.verify(body, self.scheduler_x)["stored"])
        elif word == "cmd":
            self.commands.append(jose.verify(body, self.scheduler_x))

    def _welcomed(self, marks):
        more = [mark for mark in marks if mark["upto"] > self.confirmed.get(mark["kind"], 0)]
        for mark in more:
            self.confirmed[mark["kind"]] = mark["upto"]
        if more:
            self.program.mark()

    def say(self, word, sealed, retain=False):
        self.send(MESSAGE, RETAIN if retain else 0, 0, f"loa/1/dev/box-1/{word}", sealed.encode())


class Town(World):
    """kit.World on a folder and certificates that somebody else made, and a controller that somebody else starts."""

    def __init__(self, folder, disk):
        super().__init__()
        self.dir, self.certs = folder, object.__new__(Certificates)
        self.certs.folder = os.environ[SHARED]
        self.root, self.registrar, self.scheduler, self.box = Key(), Key(), Key(), Key()
        self.persons = [Key()]
        self.scheduler.save(self.path("scheduler.jwk"))
        self.state = os.path.join(disk, "state")
        self.write_config()
        made = subprocess.run([CONTROLLER, "--config", self.config, "token", "add", "--unit", "a000", "--role", "admin"],
                              check=True, capture_output=True, text=True, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.token = made.stdout.strip()


class Gone(Exception):
    """The program died in the middle of a call: nobody knows whether it was done."""


class ControllerScenario(Scenario):
    def open(self):
        self.town = Town(self.folder, self.disk)
        self.link = Carrier(self.folder, self.town.scheduler.x)
        self.program = self.link.program = Program([os.environ.get("LOA_CONTROLLER", CONTROLLER), "--config", self.town.config], self.folder, self.disk)
        self.acked = {}  # step -> what was answered
        self.sealed = {}
        self.nonce = f"nonce-{os.getpid()}-{time.time_ns()}"
        self.steps = [(name[5:], getattr(self, name)) for name in
                      ("step_areas", "step_device", "step_trust", "step_keys", "step_media", "step_bulletin",
                       "step_approval", "step_rule", "step_change", "step_records", "step_second", "step_end",
                       "step_command", "step_more_records")]

    def close(self):
        self.link.close()

    # --- the API, by one who knows that it can die ---

    def call(self, method, path, body=None, type=None):
        try:
            answer = self.town.call(method, path, body, type=type)
        except (OSError, http.client.HTTPException) as e:
            raise Gone(repr(e)) from e
        check(answer.status < 500, f"{method} {path}: {answer.status} {answer.body[:300]}")
        return answer

    def done(self, method, path, body=None, type=None):
        answer = self.call(method, path, body, type)
        check(answer.status in (200, 201, 202), f"{method} {path}: {answer.status} {answer.body[:300]}")
        return answer.json

    def get(self, path):
        return self.done("GET", path)

    def once(self, name, make):
        """What is handed in a second time must be the very same bytes."""
        if name not in self.sealed:
            self.sealed[name] = make()
        return self.sealed[name]

    # --- the steps: each may be done again, and says what must be seen from then on ---

    def step_areas(self):
        self.done("POST", "areas", {"items": [{"id": "a000", "parent": "", "kind": "province", "name": "Lạng Sơn"},
                                              {"id": "a001", "parent": "a000", "kind": "commune", "name": "Thất Khê"}]})
        return lambda: self.get("areas/a001")["name"] == "Thất Khê"

    def step_device(self):
        self.done("POST", "devices", {"id": "box-1", "kind": "cluster", "area": "a001", "name": "Cụm loa", "quiet_hours": [],
                                      "box": {"serial": "SN-1", "x": self.town.box.x}})
        return lambda: self.get("devices/box-1")["box"]["serial"] == "SN-1"

    def step_trust(self):
        sealed = self.once("trust", lambda: self.town.root.seal("trust", self.town.trust_payload()))
        said = self.done("POST", "trust", sealed, "application/jose")
        return lambda: self.get("trust")["hash"] == said["hash"]

    def step_keys(self):
        sealed = self.once("keys", lambda: self.town.registrar.seal("keys", self.town.keys_payload()))
        said = self.done("POST", "keys", sealed, "application/jose")
        return lambda: self.get("keys")["hash"] == said["hash"]

    def step_media(self):
        said = self.done("POST", "media?name=a.wav", read(shared("sound.wav")), "audio/wav")
        self.media = said["hash"]

        def there():
            content = self.call("GET", f"media/{said['hash']}/content")
            return content.status == 200 and hashlib.sha256(content.body).hexdigest() == said["hash"]
        return there

    def step_bulletin(self):
        body = {"id": "b1", "title": "Lịch tiêm chủng", "category": "health", "answerable": "Mai",
                "contents": [{"lang": "vi", "text": "Tiêm chủng lúc 7 giờ", "audio": self.media}]}
        said = self.done("POST", "bulletins", body)
        self.bulletin = said["hash"]

        def there():
            content = self.call("GET", f"bulletins/{said['hash']}/content")
            return content.status == 200 and hashlib.sha256(content.body).hexdigest() == said["hash"]
        return there

    def step_approval(self):
        said = self.done("POST", "approvals", self.once("approval", lambda: self.town.approve(self.bulletin)),
                         "application/jose")
        return lambda: said["hash"] in self.get(f"bulletins/{self.bulletin}")["approvals"]

    def _rule(self, name, at):
        body = {"id": name, "bulletin": self.bulletin, "when": "daily", "times": [at], "areas": ["a001"]}
        self.done("POST", "rules", body)

    def step_rule(self):
        self._rule("rule-1", "05:00")
        return lambda: self.get("rules/rule-1")["id"] == "rule-1"

    def step_change(self):
        self.done("PATCH", "devices/box-1", {"delay_ms": 30})
        return lambda: self.get("devices/box-1")["delay_ms"] == 30

    def step_second(self):
        self._rule("rule-2", "06:00")
        return lambda: self.get("rules/rule-2")["ended"] is None

    def step_end(self):
        answer = self.call("DELETE", "rules/rule-1")
        check(answer.status == 200 or (answer.status == 409 and self.get("rules/rule-1")["ended"]), answer.body[:300])
        return lambda: self.get("rules/rule-1")["ended"] is not None

    def step_command(self):
        said = self.done("POST", "devices/box-1/commands", {"command": "restart"})
        return lambda: said["id"] in [c["id"] for c in self.get("devices/box-1/commands")["items"]]

    def step_records(self):
        return self._records(3)

    def step_more_records(self):
        return self._records(5)

    # --- the box ---

    def _state(self):
        body = {**head("controller"), "device": "box-1", "on": True, "nonce": self.nonce, "store": STORE, "serial": "SN-1",
                "software": "test", "grade": "synced", "boot": "boot-1", "held": [], "outbox": []}
        return self.town.box.seal("state", body)

    def _row(self, kind, n):
        now = int(time.time() * 1000)
        body = {**head("controller"), "device": "box-1", "store": STORE, "n": n}
        if kind == "event":
            return self.town.box.seal("event", {**body, "at_ms": now, "code": "started", "about": "agent", "detail": "x"})
        return self.town.box.seal("receipt", {
            **body, "occurrence": f"rule-1.{1782856800 + n}", "bulletin": self.bulletin, "class": "normal", "planned_ms": now,
            "started_ms": now, "ended_ms": now + 5, "reason": "on_time", "grade": "synced",
            "evidence": {"sound": {"frames_expected": 48000, "frames": 48000, "xruns": 0, "start_error_us": 100}}})

    def _records(self, upto):
        """An outbox that sends all that no welcome confirmed, again and again."""
        sent = 0

        def confirmed():
            nonlocal sent
            if not self.program.alive():
                raise Gone("while it stored")
            if time.monotonic() - sent > 1 and self.link.session:
                sent = time.monotonic()
                self.link.say("state", self._state(), retain=True)
                for kind in ("receipt", "event"):
                    for n in range(self.link.confirmed.get(kind, 0) + 1, upto + 1):
                        self.link.say(kind, self.once((kind, n), lambda k=kind, m=n: self._row(k, m)))
            return min(self.link.confirmed.get(kind, 0) for kind in ("receipt", "event")) >= upto
        until(confirmed, f"a welcome that confirms {upto}")
        return lambda: True  # look_at_end() counts them

    # --- one life ---

    def drive(self, again=False):
        try:
            self._listens()
            for name, there in list(self.acked.items()):
                check(there(), f"{name} was answered with success and is not there after the restart")
            for name, step in self.steps:
                if name not in self.acked:
                    self.acked[name] = step()
            self._settled()
        except Gone as e:
            if again:
                raise
            until(lambda: not self.program.alive(), f"it hung up, but lives: {e}")

    def _listens(self):
        listening = os.path.join(self.town.state, "listening.json")
        now = {}

        def look():
            if not self.program.alive():
                raise Gone(f"at the start: {self.program.log()[-1000:]}")
            try:
                now.update(json.loads(read(listening)))
            except (OSError, ValueError):
                return False
            # A former life's file lies there until this one's replaces it.
            return os.path.exists(f"/proc/{now['pid']}") and self.link.session
        until(look, "listening.json")
        self.town.api_port = now["api"]["port"]

    def _settled(self):
        """The plan as it is now is on the wire."""
        topic = "loa/1/dev/box-1/playlist"

        def looks():
            if not self.program.alive():
                raise Gone("at the end")
            with self.link.lock:
                sealed = self.link.retained.get(topic)
            rules = {item["id"].split(".")[0] for item in jose.read(sealed)[1]["items"]} if sealed else None
            return rules == {"rule-2"}
        until(looks, "the playlist on the wire")

    def hung_up(self):
        read_to_the_end(self.link)

    def died(self):
        listening = os.path.join(self.town.state, "listening.json")
        if os.path.exists(listening):
            os.unlink(listening)

    def look_at_disk(self):
        check(not self.link.faults, self.link.faults[:3])
        whole_by_name(self.town.state)
        with Peek(os.path.join(self.town.state, "controller.db")) as peek:
            for kind in ("receipt", "event"):
                rows = [n for n, in peek.rows(f"SELECT n FROM {kind}s WHERE device='box-1' AND store=? AND twin=0 ORDER BY n",
                                              STORE)]
                upto = self.link.confirmed.get(kind, 0)
                check(rows[:upto] == list(range(1, upto + 1)), f"{kind} {upto} was confirmed, stored are {rows}")
            for row, in peek.rows("SELECT hash FROM media UNION SELECT hash FROM bulletins UNION SELECT hash FROM approvals"):
                check(os.path.exists(os.path.join(self.town.state, "blobs", row)), f"blob {row[:12]} is in the store only")

    def look_at_end(self):
        with Peek(os.path.join(self.town.state, "controller.db")) as peek:
            for kind in ("receipt", "event"):
                rows = [n for n, in peek.rows(f"SELECT n FROM {kind}s WHERE store=? ORDER BY n", STORE)]
                check(rows == [1, 2, 3, 4, 5], f"{kind}s 1 to 5 once, stored are {rows}")
            for table, count in (("rules", 2), ("bulletins", 1), ("media", 1), ("approvals", 1), ("devices", 1)):
                rows = peek.rows(f"SELECT count(*) FROM {table}")
                check(rows == [(count,)], f"{table}: {rows}, not {count}")
