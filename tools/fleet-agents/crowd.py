"""A crowd of agents beside a real centre: mosquitto over TLS, loa-controller, and as many loa-fleet processes as the
limit of descriptors asks for (one, where it allows).

    with Keeper() as keeper, Crowd(keeper, build, folder, 1000) as crowd:
        crowd.start()
        crowd.wait(lambda now: now["welcomed"] == 1000, 120, "not everybody is welcomed")
"""

import concurrent.futures
import contextlib
import datetime
import http.client
import json
import os
import resource
import shutil
import ssl
import tempfile
import time
import urllib.parse

import jose
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from installation import Installation
from process import Failure, wait_until

PREFIX = "tram"
COMMUNES = 65  # of Lạng Sơn
CALLERS = 6    # connections that hand in devices
EACH_MB = 1.5  # of memory and vault for one agent, generously
COUNTS = ("made", "online", "welcomed", "holding", "begun", "over", "cut")


def name(index):
    return f"{PREFIX}-{index:05d}"


def commune(index):
    return f"a{index % COMMUNES + 1:03d}"


class Caller:
    """The API over one connection that stays: what is measured is the controller, not the greeting of TLS."""

    def __init__(self, installation):
        url = urllib.parse.urlsplit(installation.console)
        self.host, self.port, self.token = url.hostname, url.port, installation.token
        self.context = ssl.create_default_context(cafile=installation.pki.ca)
        self.line = None

    def send(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": "en"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        for last in (False, True):
            if self.line is None:
                self.line = http.client.HTTPSConnection(self.host, self.port, timeout=120, context=self.context)
            try:
                self.line.request(method, "/api/v1" + path, data, headers)
                answer = self.line.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self.line.close()
                self.line = None
                if last:
                    raise Failure(f"{self.host}:{self.port}: {error}") from None
        if answer.status >= 300:
            raise Failure(f"{method} {path}: {answer.status} {text[:300].decode(errors='replace')}")
        return json.loads(text) if text else None

    def get(self, path):
        return self.send("GET", path)

    def post(self, path, body):
        return self.send("POST", path, body)


class Process:
    """What one process costs, read from /proc."""

    TICKS = os.sysconf("SC_CLK_TCK")

    @staticmethod
    def cpu_s(pid):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / Process.TICKS

    @staticmethod
    def memory(pid):
        """MiB: {"rss", "pss", "private_dirty"}."""
        found = {}
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                word, _, rest = line.partition(":")
                if word in ("Rss", "Pss", "Private_Dirty"):
                    found[word.lower()] = round(int(rest.split()[0]) / 1024, 1)
        return found

    @staticmethod
    def machine_s():
        """CPU seconds that all processes of this machine have spent."""
        with open("/proc/stat") as file:
            fields = [int(word) for word in file.readline().split()[1:]]
        return (sum(fields[:8]) - fields[3] - fields[4]) / Process.TICKS

    @staticmethod
    def descriptors(pid):
        return len(os.listdir(f"/proc/{pid}/fd"))


class Squad:
    """One loa-fleet process and what it tells (crew.h)."""

    def __init__(self, crowd, number, first, n):
        self.first, self.n = first, n
        self.told = crowd.path(f"fleet-{number}.out")
        self.at = 0
        self.rest = ""
        self.counts = dict.fromkeys(COUNTS, 0)
        self.out = open(self.told, "wb")
        self.process = crowd.keeper.process(f"fleet {number}", crowd.arguments(first, n), crowd.log(f"fleet-{number}"),
                                            stdout=self.out)
        self.reader = open(self.told, encoding="ascii")

    def read(self, crowd):
        """Take in what was told since; adoptions go to crowd.adopted."""
        if not self.process.alive():
            raise Failure(f"{self.process.name} ended: {self.process.log_tail() or 'without a word'}")
        text = self.rest + self.reader.read()
        *lines, self.rest = text.split("\n")
        for line in lines:
            word, at, *values = line.split()
            if word == "adopted":
                crowd.adopted.append((int(at), int(values[0]), int(values[1])))
            else:
                self.counts = dict(zip(COUNTS, map(int, values)))
                crowd.history.append((int(at), self.first, self.counts))


class Crowd(Installation):
    """`options`: media (agents fetch), spread_s (None: 45 until a welcome says what the controller takes for right), keepalive_s, vaults (folder; else a temporary one in memory)."""

    def __init__(self, keeper, build, folder, n, media=True, spread_s=None, keepalive_s=60, processes=0):
        super().__init__(keeper, build, folder, sites=[])
        self.n, self.media, self.spread_s, self.keepalive_s, self.processes = n, media, spread_s, keepalive_s, processes
        self.squads = []
        self.adopted, self.history = [], []
        self.vaults = None
        self.caller = None

    def link_config(self, *args, **more):
        """The controller's link as in the field: five seconds of keep-alive are for tests of a few sites."""
        return super().link_config(*args, **more).replace("keepalive_s = 5;", "keepalive_s = 60;")

    def _prepare_controller(self):
        """The window that welcomes tell is that of the field: a second is for tests of a few sites."""
        super()._prepare_controller()
        path = self.path("centre", "controller.cfg")
        with open(path) as file:
            text = file.read()
        self.write(path, text.replace("spread_s = 1;", "" if self.spread_s is None else f"spread_s = {self.spread_s};"))

    def exe(self, name):
        if name == "loa-fleet":
            path = os.path.join(self.build, "tools", "fleet-agents", name)
            if not os.access(path, os.X_OK):
                raise Failure(f"{path} is not there; build it first (ninja -C {self.build} loa-fleet)")
            return path
        return super().exe(name)

    def close(self):
        super().close()
        for squad in self.squads:
            squad.out.close()
            squad.reader.close()
        if self.vaults:
            shutil.rmtree(self.vaults, ignore_errors=True)

    # Before anything runs

    def prepare(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the broker needs one descriptor for each agent
        super().prepare()
        self._calm_broker()
        self._make_certificates()
        self.boxes = self._make_keys()
        self.vaults = tempfile.mkdtemp(prefix="loa-fleet-", dir=self._place_for_vaults())
        self._wire()

    def _place_for_vaults(self):
        """In memory where there is room: ten thousand vaults on one disk would measure the disk."""
        with contextlib.suppress(OSError):
            room = os.statvfs("/dev/shm")
            if os.access("/dev/shm", os.W_OK) and room.f_bavail * room.f_frsize > self.n * EACH_MB * 1e6:
                return "/dev/shm"
        return self.folder

    def _calm_broker(self):
        """Its file is written when it ends, not after each of ten thousand states; and while it greets thousands, the
        controller is handed more than twenty messages in each of its rounds."""
        path = os.path.join(self.broker.folder, "mosquitto.conf")
        with open(path) as file:
            lines = [line for line in file.read().splitlines() if not line.startswith(("autosave", "max_inflight"))]
        self.write(path, "\n".join(lines) + "\nautosave_interval 1800\nmax_inflight_messages 500\n")

    def _make_certificates(self):
        """One key pair, a certificate for each device: the common name is what tells them apart."""
        folder = self.make_dir("certs")
        with open(self.pki.path("ca.key"), "rb") as file:
            authority = serialization.load_pem_private_key(file.read(), None)
        with open(self.pki.ca, "rb") as file:
            issuer = x509.load_pem_x509_certificate(file.read()).subject
        key = ec.generate_private_key(ec.SECP256R1())
        with open(os.open(os.path.join(folder, "client.key"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
        now = datetime.datetime.now(datetime.timezone.utc)
        base = (x509.CertificateBuilder().issuer_name(issuer).public_key(key.public_key())
                .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=30))
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False))
        for i in range(self.n):
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name(i))])
            made = base.subject_name(subject).serial_number(i + 1000).sign(authority, hashes.SHA256())
            with open(os.path.join(folder, name(i) + ".crt"), "wb") as file:
                file.write(made.public_bytes(serialization.Encoding.PEM))

    def _make_keys(self):
        folder = self.make_dir("keys")
        boxes = []
        for i in range(self.n):
            key = jose.Key()
            d = jose.b64(key.private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                                   serialization.NoEncryption()))
            with open(os.open(os.path.join(folder, name(i) + ".jwk"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                json.dump({"kty": "OKP", "crv": "Ed25519", "x": key.x, "d": d, "kid": key.kid}, file)
            boxes.append(key.x)
        return boxes

    def _wire(self):
        """Every box alike: a card, an amplifier, a sign. Nothing of it is ever opened (outputs.h)."""
        profiles = os.path.join(self.top, "boards", "profiles")
        self.write(self.path("site.cfg"), f'''\
sound = {{ device = "none"; }};
buses = ( {{ name = "tu"; transport = "tcp"; host = "127.0.0.1"; port = 502; }} );
amplifiers = ( {{ name = "tang-am"; bus = "tu"; unit = 1; profile = "{profiles}/amplifier-sim-a100.cfg"; }} );
signs = ( {{ name = "bang"; bus = "tu"; unit = 2; profile = "{profiles}/sign-sim-t4.cfg"; }} );
''')

    # Started

    def introduce(self):
        """Areas, trust, keys, and every device with its box. Returns seconds for the devices."""
        areas = ["id,parent,kind,name", "a000,,province,Lạng Sơn"]
        areas += [f"a{k + 1:03d},a000,commune,Xã {k + 1}" for k in range(COMMUNES)]
        self.write(self.path("areas.csv"), "\n".join(areas) + "\n")
        self.loa("area", "import", self.path("areas.csv"))
        self.publish_trust()
        self.publish_keys()
        self.caller = Caller(self)
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(self._register, range(CALLERS)))
        return time.monotonic() - began

    def _register(self, number):
        """Every CALLERS-th device, on a connection of its own."""
        caller = Caller(self)
        for i in range(number, self.n, CALLERS):
            caller.post("/devices", {"id": name(i), "kind": "cluster", "area": commune(i), "name": f"Cụm {i}", "quiet_hours": [],
                                     "box": {"serial": name(i), "x": self.boxes[i]}})

    def arguments(self, first, n):
        argv = [self.exe("loa-fleet"), "--dir", self.folder, "--vaults", self.vaults, "--sockets", self.sockets, "--site",
                self.path("site.cfg"), "--ca", self.pki.ca, "--root", self.roots[0]["x"], "--root", self.roots[1]["x"],
                "--port", self.broker.port, "--prefix", PREFIX, "--first", first, "--agents", n, "--spread-s",
                45 if self.spread_s is None else self.spread_s, "--keepalive-s", self.keepalive_s]
        return argv + (["--media", f"https://localhost:{self.blobs_port}/blobs/"] if self.media else [])

    def start(self):
        """The centre and all agents; they connect over the window of a first try. Returns seconds for the devices."""
        self.prepare()
        self.start_centre()
        seconds = self.introduce()
        _, out, _ = self.keeper.run([self.exe("loa-fleet"), "--descriptors"])
        fit = int(out.split()[3])
        if fit < 1:
            raise Failure("this session may open too few files for even one agent (ulimit -Hn)")
        processes = max(self.processes, -(-self.n // fit))
        bounds = [self.n * k // processes for k in range(processes + 1)]
        self.squads = [Squad(self, k, bounds[k], bounds[k + 1] - bounds[k]) for k in range(processes)]
        for squad in self.squads:
            squad.process.start()
        return seconds

    # Seen

    def look(self):
        """All counts together, now."""
        for squad in self.squads:
            squad.read(self)
        return {word: sum(s.counts[word] for s in self.squads) for word in COUNTS}

    def wait(self, condition, seconds, what, every=0.1):
        return wait_until(lambda: condition(self.look()), seconds, what, every)

    def since(self, at_ms, word):
        """[(ms after at_ms, sum of `word` over all processes)], from the counts told after that instant."""
        latest, found = {}, []
        for at, first, counts in sorted(self.history, key=lambda told: told[0]):
            latest[first] = counts[word]
            if at >= at_ms:
                found.append((at - at_ms, sum(latest.values())))
        return found

    def end(self):
        """All agents end in order. Failure when one process did not, or had something to say."""
        self.look()
        for squad in self.squads:
            squad.process.ask_to_end()
        for squad in self.squads:
            wait_until(lambda s=squad: s.process.ended(), 60, f"{squad.process.name} does not end")  # a second signal would kill it
            if squad.process.code() != 0 or squad.process.log_tail():
                raise Failure(f"{squad.process.name} ended with {squad.process.code()}: {squad.process.log_tail(40)}")

    def cost(self):
        """{"fleet": [pid, ...], ...} -> CPU seconds so far and memory, of each part."""
        parts = {"fleet": [s.process.pid for s in self.squads], "controller": [self.controller.pid],
                 "controller_link": [self.link.pid], "mosquitto": [self.broker.process.pid]}
        found = {}
        for part, pids in parts.items():
            memory = [Process.memory(pid) for pid in pids]
            found[part] = {"cpu_s": sum(Process.cpu_s(pid) for pid in pids), "descriptors": sum(map(Process.descriptors, pids)),
                           **{word: round(sum(m[word] for m in memory), 1) for word in memory[0]}}
        found["machine"] = {"cpu_s": Process.machine_s()}
        return found
