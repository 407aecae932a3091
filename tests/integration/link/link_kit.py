"""What the tests of loa-link stand on: certificates, a real broker, a media server, a client of the Unix socket.

Everything started is stopped by its own pid; nothing sleeps for a fixed time, states are waited for with a deadline.
"""
import datetime
import http.server
import ipaddress
import json
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SOURCE = os.environ.get("LOA_SOURCE_DIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tools", "site"))
from broker import free_port  # noqa: E402
from clock import Clock  # noqa: E402

ATTACH, SUBSCRIBE, UNSUBSCRIBE, PUBLISH, FETCH, CANCEL, TIME, SPREAD = 1, 2, 3, 4, 5, 6, 7, 8
ONLINE, OFFLINE, MESSAGE, ACK, NACK, FETCHED, NOT_FETCHED = 16, 17, 18, 19, 20, 21, 22
RETAIN, QOS0, URGENT = 1, 2, 4
DEADLINE_S = float(os.environ.get("LOA_TEST_DEADLINE_S", "120"))
BUILD = os.environ.get("LOA_BUILD_DIR", "build")
LINK = os.environ.get("LOA_LINK", os.path.join(BUILD, "playlists/link/loa-link"))


def wait_until(what, condition, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {deadline_s} s: {what}")


class Authority:
    """One CA; issues certificates as PEM files into a folder."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        epoch = datetime.datetime(1970, 1, 1)
        builder = (x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
                   .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(epoch).not_valid_after(datetime.datetime(2100, 1, 1))
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True))
        self.cert = builder.sign(self.key, hashes.SHA256())
        self.path = self._write(f"{name}.pem", self.cert.public_bytes(serialization.Encoding.PEM))

    def _write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o600)
        return path

    def issue(self, name, hosts=(), ips=(), start=None, end=None):
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder()
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
                   .issuer_name(self.name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(start or now - datetime.timedelta(days=1))
                   .not_valid_after(end or now + datetime.timedelta(days=3650)))
        names = [x509.DNSName(h) for h in hosts] + [x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        cert = builder.sign(self.key, hashes.SHA256())
        cert_path = self._write(f"{name}.crt", cert.public_bytes(serialization.Encoding.PEM))
        key_path = self._write(f"{name}.key", key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return cert_path, key_path


class Process:
    def __init__(self, argv, log_path, env=None):
        self.log_path = log_path
        self.log = open(log_path, "ab")
        self.popen = subprocess.Popen(argv, stdout=self.log, stderr=self.log, env=env)

    def text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def kill(self, number=signal.SIGTERM):
        """Returns the exit status."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(DEADLINE_S)
        finally:
            if self.popen.poll() is None:
                self.popen.kill()
                self.popen.wait()
            self.log.close()


class Broker:
    """A real mosquitto with TLS and client certificates, on a port that stays its own over restarts."""

    def __init__(self, folder, ca, cert, key, extra=""):
        self.port = free_port()
        self.plain_port = free_port()
        self.config = os.path.join(folder, f"mosquitto-{self.port}.conf")
        self.log_path = os.path.join(folder, f"mosquitto-{self.port}.log")
        with open(self.config, "w") as f:
            f.write(f"per_listener_settings false\nallow_anonymous true\npersistence false\n"
                    f"user {'root' if os.geteuid() == 0 else 'nobody'}\nlog_type all\n{extra}"
                    f"listener {self.port} 127.0.0.1\ncafile {ca}\ncertfile {cert}\nkeyfile {key}\n"
                    f"require_certificate true\n"
                    f"listener {self.plain_port} 127.0.0.1\n")
        self.process = None
        self.start()

    def start(self):
        self.process = Process(["mosquitto", "-c", self.config], self.log_path)
        wait_until("mosquitto listens", self._listens)

    def _listens(self):
        for port in (self.port, self.plain_port):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                if self.process.popen.poll() is not None:
                    raise AssertionError(self.process.text())
                return False
        return True

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.kill(number)
            self.process = None


class Relay:
    """A TCP relay to a local port that at first lets connections wait in SYN_SENT."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        self.sockets = []
        while not self.syn_waits():  # fill the queue until a SYN is left without an answer
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(s)
        self.fillers.pop().close()
        wait_until("the filler's SYN is gone", lambda: not self.syn_waits())

    def syn_waits(self):
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f][1:]
        return any(r[2].endswith(f":{self.port:04X}") and r[3] == "02" for r in rows)  # SYN_SENT

    def open(self):
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.sockets += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass

    def close(self):
        for s in [self.listener, *self.fillers, *self.sockets]:
            s.close()


class Line:
    """A TCP relay to a local port: it can be held, so that nobody reads, and counts the TLS records that go up."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        self.up = b""
        self.free = threading.Event()
        self.free.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.sockets += [near, far]
            for ends in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, a, b, up):
        try:
            while data := a.recv(65536):
                self.free.wait(DEADLINE_S)
                if up:
                    self.up += data
                b.sendall(data)
        except OSError:
            pass

    def records(self):
        """Of application data (RFC 8446, 5.1), whole ones."""
        n, at, up = 0, 0, self.up
        while at + 5 <= len(up):
            n += up[at] == 23
            at += 5 + int.from_bytes(up[at + 3:at + 5], "big")
        return n

    def close(self):
        self.free.set()
        for s in [self.listener, *self.sockets]:
            s.close()


class Tap:
    """An independent MQTT client (paho) on the broker's local listener: sees and publishes."""

    def __init__(self, broker, *topics):
        import paho.mqtt.client as paho
        self.messages = []
        self.client = paho.Client(client_id="", clean_session=True)
        ready = threading.Event()
        self.client.on_message = lambda c, u, m: self.messages.append((m.topic, bytes(m.payload), bool(m.retain)))
        self.client.on_subscribe = lambda *a: ready.set()
        self.client.connect("127.0.0.1", broker.plain_port)
        self.client.loop_start()
        self.client.subscribe([(t, 1) for t in topics or ["#"]])
        assert ready.wait(DEADLINE_S)

    def publish(self, topic, payload, retain=False):
        self.client.publish(topic, payload, 1, retain).wait_for_publish(DEADLINE_S)

    def wait(self, topic, payload=None):
        def found():
            return [m for m in list(self.messages) if m[0] == topic and payload in (None, m[1])]
        return wait_until(f"{topic} {payload} in {self.messages}", found)[0]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Client:
    """The other end of loa-link's socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        wait_until(f"socket {path}", lambda: self._connect(path))
        self.data = b""
        self.seen = []

    def _connect(self, path):
        try:
            self.sock.connect(path)
            return True
        except OSError:
            return False

    @staticmethod
    def frame(kind, flags=0, ident=0, name="", body=b""):
        name = name.encode()
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        rest = struct.pack(">BBIH", kind, flags, ident, len(name)) + name + body
        return struct.pack(">I", len(rest)) + rest

    def send(self, *args, **more):
        self.sock.sendall(self.frame(*args, **more))

    def attach(self, *topics, will=None):
        body = {"subscribe": list(topics)}
        if will:
            body["will"] = {"topic": will[0], "payload": will[1]}
        self.send(ATTACH, body=body)

    def _take(self):
        if len(self.data) < 4:
            return None
        rest = struct.unpack(">I", self.data[:4])[0]
        if len(self.data) < 4 + rest:
            return None
        frame, self.data = self.data[4:4 + rest], self.data[4 + rest:]
        kind, flags, ident, name_len = struct.unpack(">BBIH", frame[:8])
        return kind, flags, ident, frame[8:8 + name_len].decode(), frame[8 + name_len:]

    def read(self, deadline_s=DEADLINE_S):
        """The next frame; None when the link closed the connection."""
        end = time.monotonic() + deadline_s
        while True:
            frame = self._take()
            if frame:
                self.seen.append(frame)
                return frame
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise AssertionError(f"no frame within {deadline_s} s; seen: {[f[:4] for f in self.seen[-20:]]}")
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.data += more

    def expect(self, kind, name=None, ident=None, deadline_s=DEADLINE_S):
        """The next frame of this kind; others before it are passed over."""
        end = time.monotonic() + deadline_s
        while True:
            frame = self.read(max(0.01, end - time.monotonic()))
            assert frame is not None, f"closed while waiting for {kind}; seen {[f[:4] for f in self.seen[-20:]]}"
            if frame[0] == kind and name in (None, frame[3]) and ident in (None, frame[2]):
                return frame

    def expect_end(self):
        while self.read() is not None:
            pass

    def close(self):
        self.sock.close()


class Media:
    """An HTTPS server that asks for a client certificate; it can do ranges, and misbehave in the named ways."""

    def __init__(self, ca, cert, key):
        media = self
        self.files = {}     # name -> bytes
        self.requests = []  # (name, Range header or None)
        self.mode = {}      # name -> list of misbehaviours, one per request: see answer()
        self.fast = threading.Event()  # ends "trickle"
        self.gate = threading.Event()
        self.gate.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                media.answer(self)

            def log_message(self, *args):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, handler):
        try:
            self._answer(handler)
        except OSError:  # the link hung up
            handler.close_connection = True

    def _answer(self, handler):
        name = handler.path.rsplit("/", 1)[-1]
        wanted = handler.headers.get("Range")
        self.requests.append((name, wanted))
        modes = self.mode.get(name, [])
        mode = modes.pop(0) if modes else "right"
        if mode == "gate":
            self.gate.wait(DEADLINE_S)
        if isinstance(mode, int):
            self._head(handler, mode, 0)
            return
        data = self.files.get(name)
        if data is None:
            self._head(handler, 404, 0)
            return
        if mode == "altered":
            data = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        if mode == "longer":
            data = data + b"x"
        if mode == "shorter":
            data = data[:-1]
        first = 0
        if wanted and mode not in ("no-range", "endless"):
            first = int(wanted[len("bytes="):].split("-")[0])
            if first >= len(data):
                self._head(handler, 416, 0)
                return
            self._head(handler, 206, len(data) - first,
                       [("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")])
        elif mode == "endless":
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.close_connection = True
            data = data * 3
        else:
            self._head(handler, 200, len(data))
        if mode == "trickle":
            for at in range(first, len(data), 100):
                handler.wfile.write(data[at:at + 100])
                handler.wfile.flush()
                if self.fast.wait(0.2):
                    break
            handler.close_connection = True
            return
        if mode == "cut":
            data = data[:first + (len(data) - first) // 2]
            handler.close_connection = True
        handler.wfile.write(data[first:])

    @staticmethod
    def _head(handler, status, length, extra=()):
        handler.send_response(status)
        handler.send_header("Content-Length", str(length))
        for key, value in extra:
            handler.send_header(key, value)
        handler.end_headers()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
