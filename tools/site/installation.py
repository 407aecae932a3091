"""A whole installation on this machine: broker, controller, sites. For the demo and for end-to-end tests.

    with Keeper() as keeper, Installation(keeper, build, folder) as installation:
        installation.start()
        rule = installation.schedule(bulletin, at, areas=["a000"])

Everything it makes lies in `folder` and in one short temporary folder for sockets, which is removed at the end.
"""

import contextlib
import datetime
import json
import os
import shutil
import tempfile
import time
import zoneinfo

import content
from api import Api
from broker import Broker, free_port
from pki import Pki
from place import Site, plans
from process import Failure, uninterrupted, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ZONE = zoneinfo.ZoneInfo("Asia/Ho_Chi_Minh")
PROGRAMS = {
    "loa": "tools/loa/loa",
    "loa-controller": "controller/loa-controller",
    "loa-agent": "firmware/loa-agent",
    "loa-link": "playlists/link/loa-link",
    "loa-modbus-sim": "tools/modbus-sim/loa-modbus-sim",
    "loa-card": "tools/soundcard/loa-card",
}
PERSONS = {"lan": "Nguyễn Thị Lan", "minh": "Hoàng Văn Minh"}


class Installation:
    """`sites`: list of place.Plan. `quorums`: lines of `loa trust make --quorum`. `controller_settings`, `link_settings`:
    more lines of their configuration."""

    def __init__(self, keeper, build, folder, sites=None, quorums=("priority:a000:2",), controller_settings="",
                 link_settings="", top=TOP):
        self.keeper, self.build, self.top = keeper, os.path.abspath(build), top
        self.folder = os.path.abspath(folder)
        self.quorums = quorums
        self.controller_settings, self.link_settings = controller_settings, link_settings
        self.plans = plans() if sites is None else sites
        self.sites = []
        self.api = self.token = None
        self.content = []
        with uninterrupted():  # sun_path holds 107 bytes, so sockets have a short folder of their own
            here = tempfile.gettempdir()
            self.sockets = keeper.scratch = tempfile.mkdtemp(prefix="loa-", dir=here if len(here) < 60 else "/tmp")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End all processes, remove the sockets. Recordings, logs and stores stay in the folder."""
        with uninterrupted():
            self.keeper.stop_all()
            shutil.rmtree(self.sockets, ignore_errors=True)

    # Files

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make_dir(self, *names):
        os.makedirs(self.path(*names), exist_ok=True)
        return self.path(*names)

    def socket(self, name):
        return os.path.join(self.sockets, name)

    def log(self, name):
        return os.path.join(self.make_dir("log"), name + ".log")

    @staticmethod
    def write(path, text):
        """Whole or not at all."""
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)

    def exe(self, name):
        path = os.path.join(self.build, PROGRAMS[name])
        if not os.access(path, os.X_OK):
            raise Failure(f"{path} is not there; build first (tools/demo does)")
        return path

    def link_config(self, socket, spool, client_id, cert, key, media=True, broker_port=None, blobs_port=None):
        text = f'''\
socket = "{socket}";
client_id = "{client_id}";
broker = {{ host = "localhost"; port = {broker_port or self.broker.port}; keepalive_s = 5; ca = "{self.pki.ca}"; cert = "{cert}"; key = "{key}"; }};
spread_s = 0.2;
backoff_max_s = 2;
'''
        if media:
            text += f'spool = "{spool}";\nmedia = {{ url = "https://localhost:{blobs_port or self.blobs_port}/blobs/"; }};\n'
        return text + self.link_settings

    # Keys and documents

    def new_key(self, name):
        """A key pair made by `loa keys new`: {"file", "kid", "x"}."""
        return self.loa("keys", "new", os.path.join(self.make_dir("keys"), name + ".jwk"))

    def loa(self, *args, check=True, env=None):
        """Run `loa ... --json`; its answer. Failure with its sentence when it refuses, or (code, out, err) without check."""
        argv = [self.exe("loa"), *map(str, args), "--json"]
        code, out, err = self.keeper.run(argv, check=False, env=env or self.environment())
        if not check:
            return code, out, err
        if code != 0:
            sentence = err.strip().splitlines()[-1] if err.strip() else f"exit code {code}"
            with contextlib.suppress(ValueError, KeyError):
                sentence = json.loads(sentence)["error"]
            raise Failure(f"loa {' '.join(map(str, args[:2]))}: {sentence}")
        return json.loads(out) if out.strip() else None

    def environment(self):
        """What `loa` needs to reach this controller."""
        if not self.token:
            return {}
        return {"LOA_URL": self.console, "LOA_CA": self.pki.ca, "LOA_TOKEN": self.token}

    def publish_trust(self, era=1, schedulers=None):
        out = os.path.join(self.make_dir("documents"), "trust.jws")
        quorums = [part for line in self.quorums for part in ("--quorum", line)]
        keys = [part for x in schedulers or [self.scheduler["x"]] for part in ("--scheduler", x)]
        self.loa("trust", "make", "--root", self.roots[0]["file"], "--registrar", self.registrar["x"], *keys, *quorums,
                 "--era", era, "--out", out)
        self.loa("trust", "publish", out)

    def person(self, id, areas="a000", roles="approver", klass="priority", key=None):
        """One --person argument."""
        return f"id={id},name={PERSONS.get(id, id)},key={(key or self.persons[id])['x']},roles={roles},areas={areas},class={klass}"

    def publish_keys(self, persons=None, era=1):
        out = os.path.join(self.make_dir("documents"), "keys.jws")
        lines = [part for line in persons or [self.person(p) for p in self.persons] for part in ("--person", line)]
        self.loa("persons", "make", "--registrar", self.registrar["file"], *lines, "--era", era, "--out", out)
        self.loa("keys", "publish", out)

    # Start

    def prepare(self):
        """Certificates, keys, configurations: everything that needs no process."""
        self.make_dir()
        self.pki = Pki(self.keeper, self.path("pki"))
        self.roots = [self.new_key("root-1"), self.new_key("root-2")]
        self.registrar, self.scheduler = self.new_key("registrar"), self.new_key("scheduler")
        self.persons = {id: self.new_key(f"person-{id}") for id in PERSONS}
        self.blobs_port, self.api_port = free_port(), free_port()
        self.broker = Broker(self)
        self.broker.configure()
        self._prepare_controller()
        self.sites = [Site(self, plan) for plan in self.plans]

    def _prepare_controller(self):
        self.make_dir("centre")
        api, blobs = self.pki.server("api"), self.pki.server("blobs")
        cert, key = self.pki.client("controller")
        link = self.socket("controller.link")
        self.write(self.path("centre", "link.cfg"), self.link_config(link, "", "controller", cert, key, media=False))
        self.write(self.path("centre", "controller.cfg"), f'''\
state = "{self.path("centre", "state")}";
roots = ["{self.roots[0]["x"]}", "{self.roots[1]["x"]}"];
scheduler_key = "{self.scheduler["file"]}";
link = "{link}";
api = {{ address = "127.0.0.1"; port = {self.api_port}; cert = "{api[0]}"; key = "{api[1]}"; }};
blobs = {{ address = "127.0.0.1"; port = {self.blobs_port}; cert = "{blobs[0]}"; key = "{blobs[1]}"; client_ca = "{self.pki.ca}"; }};
spread_s = 1;
''' + self.controller_settings)
        config = self.path("centre", "controller.cfg")
        self.controller = self.keeper.process("controller", [self.exe("loa-controller"), "--config", config],
                                              self.log("controller"))
        self.link = self.keeper.process("controller link", [self.exe("loa-link"), "--config", self.path("centre", "link.cfg")],
                                        self.log("controller-link"))

    def start_centre(self):
        self.broker.start()
        self.link.start()
        self.controller.start()
        self.wait_controller()
        self.console = f"https://localhost:{self.api_port}"
        if not self.token:
            self.token = self.new_token("admin")
        self.api = Api(self.console, self.pki.ca, self.token)

    def new_token(self, role, unit="a000", note="demo"):
        _, out, _ = self.keeper.run([self.exe("loa-controller"), "--config", self.path("centre", "controller.cfg"), "token",
                                     "add", "--unit", unit, "--role", role, "--note", note])
        return out.strip().splitlines()[-1]

    def wait_controller(self, seconds=15):
        """Until this very process says that it listens."""

        def listening():
            if not self.controller.alive():
                raise Failure(f"loa-controller ended: {self.controller.log_tail() or 'without a word'}")
            with contextlib.suppress(OSError, ValueError, KeyError):
                with open(self.path("centre", "state", "listening.json")) as file:
                    return json.load(file)["pid"] == self.controller.pid
            return False

        wait_until(listening, seconds, "loa-controller does not listen")

    def introduce(self):
        """Areas, trust, keys, devices: what people hand in once."""
        self.write(self.path("areas.csv"), content.AREAS)
        self.loa("area", "import", self.path("areas.csv"))
        self.publish_trust()
        self.publish_keys()
        for site in self.sites:
            plan = site.plan
            self.loa("device", "add", plan.device, "--kind", plan.kind, "--area", plan.area, "--name", plan.name,
                     "--languages", ",".join(plan.languages), "--quiet-hours", "none", "--serial", f"SIM-{plan.device}", "--key", site.box["x"])

    def start(self, seconds=30):
        """All of it, until every device is connected and holds what is wanted."""
        self.prepare()
        self.start_centre()
        self.introduce()
        for site in self.sites:
            site.start()
        for site in self.sites:
            site.wait_simulators()
        for site in self.sites:
            site.wait_online(seconds)
        for site in self.sites:
            site.wait_settled(seconds)

    # Content

    def add_sample(self, sample, areas="a000", approvers=None):
        """Speak, hand in, approve. Sets and returns sample.hash."""
        if not sample.sounds:
            content.speak(self.keeper, self.make_dir("content"), sample)
        contents = []
        for language, text in sample.texts.items():
            contents += ["--content", f"{language}:text={text},audio={sample.sounds[language]}"]
        answer = self.loa("bulletin", "add", "--id", sample.id, "--title", sample.title, "--category", sample.category,
                          "--answerable", PERSONS["lan"], "--class", sample.klass, *contents,
                          *(["--source", sample.source] if sample.source else []))
        sample.hash = answer["hash"]
        for id in approvers or (["lan", "minh"] if sample.klass == "priority" else ["lan"]):
            self.approve(sample.hash, id, areas)
        self.content.append({"id": sample.id, "hash": sample.hash, "title": sample.title, "texts": sample.texts,
                             "sounds": sample.sounds, "media": {c["lang"]: c["audio"]["hash"] for c in answer["contents"]
                                                                if c.get("audio")}})
        return sample.hash

    def approve(self, hash, person="lan", areas="a000", *more, key=None):
        return self.loa("approve", hash, "--key", (key or self.persons[person])["file"], "--area", areas, *more)

    def schedule(self, hash, at_unix_s, *more, areas=("a000",), devices=(), show_s=None, id=None):
        """A rule for one instant (whole seconds). Returns the rule; its occurrence is in ["occurrence"]."""
        at = int(at_unix_s)
        civil = datetime.datetime.fromtimestamp(at, ZONE).strftime("%Y-%m-%dT%H:%M:%S")
        argv = ["rule", "add", "--bulletin", hash, "--once", civil]
        argv += [part for area in areas for part in ("--area", area)]
        argv += [part for device in devices for part in ("--device", device)]
        if show_s is not None:
            argv += ["--show-s", show_s]
        if id:
            argv += ["--id", id]
        rule = self.loa(*argv, *more)
        return dict(rule, occurrence=f"{rule['id']}.{at}", at=at)

    # Supervision

    def processes(self):
        return [self.broker.process, self.link, self.controller] + [p for s in self.sites for p in s.processes()]

    def revive(self):
        """Start again what has ended though it is wanted; a program that keeps ending waits a little longer each time.
        Returns the names of what was started."""
        started = []
        now = time.monotonic()
        for process in self.processes():
            if not process.wanted or process.alive():
                continue
            if not process.again_at:
                quick = now - process.started_at < 2
                process.again_at = now + (min(5.0, 0.5 * process.starts) if quick else 0)
            if now >= process.again_at:
                process.again_at = 0.0
                site = next((s for s in self.sites if process is s.card), None)
                with contextlib.suppress(OSError):
                    site.start_card() if site else process.start()
                    started.append(process.name)
        return started

    def describe(self):
        """The content of demo.json."""
        return {
            "console": self.console,
            "console_ca": self.pki.ca,
            "token": self.token,
            "broker": self.broker.describe(),
            "pids": {"controller": self.controller.pid, "link": self.link.pid, "mosquitto": self.broker.process.pid},
            "sites": [site.describe() for site in self.sites],
            "content": self.content,
            "keys": {"roots": [k["file"] for k in self.roots], "registrar": self.registrar["file"],
                     "scheduler": self.scheduler["file"], "persons": {id: k["file"] for id, k in self.persons.items()}},
            "loa": self.exe("loa"),
            "logs": [self.broker.process.log, self.link.log, self.controller.log],
        }
