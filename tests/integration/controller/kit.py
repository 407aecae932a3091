"""A controller with all that it needs, on loopback: certificates by openssl, mosquitto, loa-link, loa-controller; a box
made of paho and an independent Ed25519; and calls of the API."""
import base64
import hashlib
import http.client
import json
import math
import os
import random
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import wave

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SOURCE = os.environ.get("LOA_SOURCE_DIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tools", "site"))
from broker import free_port  # noqa: E402

BUILD = os.environ.get("LOA_BUILD_DIR") or os.path.join(SOURCE, "build", "release")
CONTROLLER = os.path.join(BUILD, "controller", "loa-controller")
LINK = os.path.join(BUILD, "playlists", "link", "loa-link")
DEADLINE_S = 120


def wait_for(what, look, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(0.02)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Key:
    def __init__(self):
        self.private = Ed25519PrivateKey.generate()
        self.x = b64(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        self.kid = b64(hashlib.sha256(json.dumps({"crv": "Ed25519", "kty": "OKP", "x": self.x}, separators=(",", ":"))
                                      .encode()).digest())

    def save(self, path):
        d = b64(self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            json.dump({"kty": "OKP", "crv": "Ed25519", "x": self.x, "d": d, "kid": self.kid}, out)

    def seal(self, typ, payload, **header):
        head = {"alg": "EdDSA", "kid": self.kid, "typ": "loa-" + typ, **header}
        body = ".".join(b64(json.dumps(part, ensure_ascii=False).encode()) for part in (head, payload))
        return body + "." + b64(self.private.sign(body.encode()))


def head(aud="all", life_s=86400, era=1, ver=None):
    now = time.time()
    return {"aud": aud, "era": era, "ver": ver or int(now * 1000), "iat": int(now), "exp": int(now) + life_s}


def make_wav(path, seconds, level=0.2, rate=44100, channels=2, hz=440.0, seed=1):
    noise = random.Random(seed)
    with wave.open(path, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        frames = bytearray()
        for i in range(int(seconds * rate)):
            v = level * math.sin(2 * math.pi * hz * i / rate) * (0.7 + 0.3 * math.sin(i / rate * 9)) + level * 0.1 * noise.uniform(-1, 1)
            frames += struct.pack("<h", max(-32768, min(32767, int(v * 32767)))) * channels
        out.writeframes(bytes(frames))


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                 "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")

    def run(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name):
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                 f"{name}.key", "-out", f"{name}.csr")
        with open(self.path(f"{name}.ext"), "w") as ext:
            ext.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self.run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                 "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        return self.path(f"{name}.crt"), self.path(f"{name}.key")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.json = json.loads(body) if "json" in headers.get("content-type", "") and body else None


class World:
    """with World() as w: ..."""

    def __init__(self, network=False, wrap=(), settings=""):
        self.network = network
        self.settings = settings  # lines more of the controller's configuration
        self.wrap = wrap  # what starts the controller
        self.processes = []

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="loa-controller-", dir="/tmp")
        self.certs = Certificates(self.dir)
        for name in ("server", "controller", "box-1", "stranger", "observer"):
            self.certs.make(name)
        self.root, self.registrar, self.scheduler = Key(), Key(), Key()
        self.persons = [Key(), Key()]
        self.box = Key()
        self.scheduler.save(os.path.join(self.dir, "scheduler.jwk"))
        self.state = os.path.join(self.dir, "state")
        self.write_config()
        self.token = self.make_token()
        try:
            if self.network:
                self.start_broker()
                self.start_link()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        running = getattr(self, "controller", None) is not None and self.controller.poll() is None
        try:
            self.stop_all()
            if running:  # an orderly end, and nothing that a sanitizer found
                log = read(self.path("controller.log")).decode(errors="replace")
                assert self.controller.returncode == 0 and "Sanitizer" not in log, f"{self.controller.returncode}: {log[-4000:]}"
                assert not os.path.exists(os.path.join(self.state, "listening.json"))
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def stop_all(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def path(self, name):
        return os.path.join(self.dir, name)

    def spawn(self, name, *args):
        log = open(self.path(name + ".log"), "a")
        process = subprocess.Popen(args, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        return process

    def write_config(self):
        crt, key = self.certs.path("server.crt"), self.certs.path("server.key")
        self.config = self.path("controller.cfg")
        with open(self.config, "w") as out:
            out.write(f'state = "{self.state}";\nroots = ["{self.root.x}"];\n'
                      f'scheduler_key = "{self.path("scheduler.jwk")}";\nlink = "{self.path("link.sock")}";\nspread_s = 1;\n'
                      f'api = {{ address = "127.0.0.1"; port = 0; cert = "{crt}"; key = "{key}"; }};\n'
                      f'blobs = {{ address = "127.0.0.1"; port = 0; cert = "{crt}"; key = "{key}"; '
                      f'client_ca = "{self.certs.path("ca.pem")}"; }};\n' + self.settings)

    def make_token(self, unit="a000", role="admin"):
        return subprocess.run([CONTROLLER, "--config", self.config, "token", "add", "--unit", unit, "--role", role],
                              check=True, capture_output=True, text=True).stdout.strip()

    def start(self):
        self.controller = self.spawn("controller", *self.wrap, CONTROLLER, "--config", self.config)
        listening = os.path.join(self.state, "listening.json")

        def look():
            if self.controller.poll() is not None:
                raise AssertionError(read(self.path("controller.log")).decode())
            return os.path.exists(listening) and json.loads(read(listening)).get("pid") == self.controller.pid
        wait_for("controller listens", look)
        ports = json.loads(read(listening))
        self.api_port, self.blobs_port = ports["api"]["port"], ports["blobs"]["port"]

    def kill(self):
        self.controller.kill()
        self.controller.wait()

    def start_broker(self):
        self.broker_port = free_port()
        with open(self.path("mosquitto.conf"), "w") as out:
            out.write(f"user root\nlistener {self.broker_port} 127.0.0.1\ncafile {self.certs.path('ca.pem')}\n"
                      f"certfile {self.certs.path('server.crt')}\nkeyfile {self.certs.path('server.key')}\n"
                      "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\npersistence false\n"
                      f"acl_file {self.path('acl')}\n")
        with open(self.path("acl"), "w") as out:
            out.write("user controller\ntopic readwrite loa/1/#\nuser observer\ntopic read loa/1/#\n"
                      "pattern read loa/1/trust\npattern read loa/1/keys\n"
                      + "".join(f"pattern read loa/1/dev/%u/{t}\n" for t in ("config", "playlist", "welcome", "cmd"))
                      + "".join(f"pattern write loa/1/dev/%u/{t}\n" for t in ("state", "receipt", "event", "reply", "health")))
        os.chmod(self.path("acl"), 0o600)
        self.spawn("mosquitto", shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", self.path("mosquitto.conf"))

        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.broker_port)) == 0
        wait_for("broker listens", up)

    def start_link(self):
        with open(self.path("link.cfg"), "w") as out:
            out.write(f'socket = "{self.path("link.sock")}";\nclient_id = "controller";\nspread_s = 0;\nbackoff_max_s = 2;\n'
                      f'broker = {{ host = "127.0.0.1"; port = {self.broker_port}; ca = "{self.certs.path("ca.pem")}"; '
                      f'cert = "{self.certs.path("controller.crt")}"; key = "{self.certs.path("controller.key")}"; }};\n')
        self.link = self.spawn("link", LINK, "--config", self.path("link.cfg"))

    # -- the API

    def call(self, method, path, body=None, token=..., headers=None, type=None, port=None):
        context = ssl.create_default_context(cafile=self.certs.path("ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", port or self.api_port, context=context, timeout=120)
        send = dict(headers or {})
        token = self.token if token is ... else token
        if token:
            send.setdefault("Authorization", "Bearer " + token)
        if isinstance(body, (dict, list)):
            body, type = json.dumps(body).encode(), type or "application/json"
        if isinstance(body, str):
            body = body.encode()
        if type:
            send["Content-Type"] = type
        try:
            connection.request(method, path if path.startswith("/") else "/api/v1/" + path, body, send)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def want(self, status, *args, **kwargs):
        answer = self.call(*args, **kwargs)
        assert answer.status == status, f"{args[:2]}: {answer.status} {answer.body[:600]!r}"
        return answer.json

    def get(self, path, **kwargs):
        return self.want(200, "GET", path, **kwargs)

    # -- content

    def trust_payload(self, **more):
        return {**head(life_s=400 * 86400), "registrars": [{"kid": self.registrar.kid, "x": self.registrar.x}],
                "schedulers": [{"kid": self.scheduler.kid, "x": self.scheduler.x}], "quorums": [], **more}

    def keys_payload(self, **more):
        return {**head(life_s=400 * 86400), "persons": [
            {"kid": k.kid, "x": k.x, "person": f"person-{i}", "name": f"Người duyệt {i}", "roles": ["approver"], "areas": ["a000"],
             "class": "priority", "ended": "none"} for i, k in enumerate(self.persons)], **more}

    def seal_trust(self):
        self.want(201, "POST", "trust", self.root.seal("trust", self.trust_payload()), type="application/jose")
        self.want(201, "POST", "keys", self.registrar.seal("keys", self.keys_payload()), type="application/jose")

    def add_places(self):
        self.want(200, "POST", "areas", {"items": [{"id": "a001", "parent": "a000", "kind": "commune", "name": "Thất Khê"},
                                                   {"id": "a000", "kind": "province", "name": "Lạng Sơn"},
                                                   {"id": "a002", "parent": "a000", "kind": "commune", "name": "Đoàn Kết"}]})
        return self.want(201, "POST", "devices", {"id": "box-1", "kind": "cluster", "area": "a001", "name": "Cụm loa Nà Lình",
                                                  "languages": ["vi", "zh"], "quiet_hours": [], "box": {"serial": "SN-1", "x": self.box.x}})

    def add_bulletin(self, **more):
        return self.want(201, "POST", "bulletins", {"title": "Lịch tiêm chủng", "category": "health", "answerable": "Hoàng Thị Mai",
                                                    "contents": [{"lang": "vi", "text": "Tiêm chủng lúc 7 giờ"}], **more})

    def approve(self, hash, person=0, **more):
        now = int(time.time() * 1000)
        return self.persons[person].seal("approval", {**head(life_s=90 * 86400), "bulletin": hash, "areas": ["a000"], "class": "normal",
                                                      "from_ms": now - 60000, "until_ms": now + 90 * 86400000, **more})

    def dump(self):
        """The store's whole content but for what the passing of time writes."""
        import sqlite3
        db = sqlite3.connect(f"file:{self.state}/controller.db?mode=ro", uri=True)
        try:
            text = "\n".join(line for line in db.iterdump())
        finally:
            db.close()
        blobs = sorted(os.listdir(self.state + "/blobs")) + sorted(os.listdir(self.state + "/sources"))
        return sha((text + "\n".join(blobs)).encode())
