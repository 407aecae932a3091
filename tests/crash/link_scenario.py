"""A link between its client, a real broker and a media server: a session with a will, messages up and down, downloads of
which one is cut off on the way, an orderly end; cut at any call. The client is this file: it reconnects, publishes again
what was not acknowledged and asks again for what it was not given."""

import contextlib
import hashlib
import os
import random
import shutil
import socket
import tempfile
import time

from cutting import BUILD, Program, Scenario, Violation, check, until

from link_kit import ACK, FETCH, FETCHED, MESSAGE, NOT_FETCHED, ONLINE, PUBLISH, Authority, Broker, Client, Media, Tap

LINK = os.environ.get("LOA_LINK") or os.path.join(BUILD, "playlists", "link", "loa-link")
BROKER = "LOA_CRASH_BROKER"  # folder, TLS port, plain port
MESSAGES = 12


@contextlib.contextmanager
def prepared():
    """One broker and one set of certificates for all runs; its place is in the environment, for those who come after."""
    folder = tempfile.mkdtemp(prefix="loa-crash-broker-")
    authority = Authority(folder)
    cert, key = authority.issue("server", ["localhost"], ["127.0.0.1"])
    authority.issue("box-1")
    broker = Broker(folder, authority.path, cert, key)
    os.environ[BROKER] = f"{folder}:{broker.port}:{broker.plain_port}"
    try:
        yield
    finally:
        del os.environ[BROKER]
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Ports:
    """What Tap needs of a broker."""

    def __init__(self, plain_port):
        self.plain_port = plain_port


class LinkScenario(Scenario):
    def open(self):
        self.shared, port, plain = os.environ[BROKER].split(":")
        self.name = f"run-{os.getpid()}-{time.time_ns() % 10**12}"
        self.socket, self.spool = self.path("link.sock"), os.path.join(self.disk, "spool")
        os.makedirs(self.spool)
        self._content()
        with open(self.path("link.cfg"), "w") as file:
            tls = f'ca = "{self._pem("ca.pem")}"; cert = "{self._pem("box-1.crt")}"; key = "{self._pem("box-1.key")}";'
            file.write(f'socket = "{self.socket}"; spool = "{self.spool}"; client_id = "{self.name}"; spread_s = 0;\n'
                       f'backoff_max_s = 0.3; broker = {{ host = "127.0.0.1"; port = {port}; {tls} }};\n'
                       f'media = {{ url = "https://127.0.0.1:{self.media.port}/blobs/"; }};\n')
        self.tap = Tap(Ports(int(plain)), f"{self.name}/#")
        self.tap.publish(f"{self.name}/down", "before", retain=True)
        self.program = Program([LINK, "--config", self.path("link.cfg")], self.folder, self.disk)
        self.acked, self.fetched, self.down, self.online = set(), set(), [], 0

    def close(self):
        if getattr(self, "tap", None):
            self.tap.publish(f"{self.name}/down", "", retain=True)
            self.tap.publish(f"{self.name}/state", "", retain=True)
            self.tap.close()
        if getattr(self, "media", None):
            self.media.close()

    def _pem(self, name):
        return os.path.join(self.shared, name)

    def _content(self):
        chance = random.Random(7)
        self.media = Media(self._pem("ca.pem"), self._pem("server.crt"), self._pem("server.key"))
        self.blobs = {}
        for size in (900, 60000, 400000):
            data = chance.randbytes(size)
            self.blobs[hashlib.sha256(data).hexdigest()] = data
        self.media.files = dict(self.blobs)
        self.media.mode[list(self.blobs)[2]] = ["cut"]

    # --- the client ---

    def _begin(self):
        """A session, and all that is still to be fetched asked for."""
        client = Client.__new__(Client)
        client.sock, client.data, client.seen = socket.socket(socket.AF_UNIX), b"", []

        def connected():
            return client._connect(self.socket) or not self.program.alive()
        until(connected, "the link's socket")
        self.client = client
        client.attach(f"{self.name}/down", will=(f"{self.name}/state", "off"))
        for i, (name, data) in enumerate(self.blobs.items()):
            if name not in self.fetched:
                client.send(FETCH, 0, 2000 + i, name, {"size": len(data)})

    def _publish(self):
        """At the beginning of a session: what a session takes with it unacknowledged is sent in the next."""
        self.client.send(PUBLISH, 1, 1000, f"{self.name}/state", b"on")
        for n in range(1, MESSAGES + 1):
            if n not in self.acked:
                self.client.send(PUBLISH, 0, n, f"{self.name}/up", f"message {n}".encode())

    def _take(self, kind, ident, name, body):
        if kind == ONLINE:
            self.online += 1
            self._publish()
        elif kind == ACK and ident <= MESSAGES:
            self.acked.add(ident)
        elif kind == MESSAGE:
            self.down.append(bytes(body))
        elif kind == FETCHED:
            self._fetched(name)
        elif kind == NOT_FETCHED:
            check(b'"final":true' not in body.replace(b" ", b""), f"{name[:12]}: {body}")

    def _fetched(self, name):
        with open(os.path.join(self.spool, name), "rb") as file:
            check(hashlib.sha256(file.read()).hexdigest() == name, f"{name[:12]} was handed over and is not whole")
        os.unlink(os.path.join(self.spool, name))
        self.fetched.add(name)

    def _done(self, sessions):
        return (self.online > sessions and len(self.acked) == MESSAGES and len(self.fetched) == len(self.blobs) and
                b"before" in self.down)

    def drive(self, again=False):
        sessions, self.down = self.online, []
        try:
            self._begin()
            while not self._done(sessions):
                frame = self.client.read()
                if frame is None:
                    break
                self._take(frame[0], frame[2], frame[3], frame[4])
        except OSError:  # it died between two frames
            pass
        except Violation:
            raise
        except AssertionError as e:
            raise Violation(str(e)) from None
        if again or self._done(sessions):
            check(self._done(sessions), f"session {self.online}, acked {sorted(self.acked)}, fetched {len(self.fetched)}, "
                                        f"down {self.down}: {self.program.log()[-800:]}")

    def died(self):
        self.client.close()
        for n in self.acked:
            self._arrived("up", f"message {n}")
        if self.online:
            self._arrived("state", "off")  # the will
        self.tap.messages.clear()
        self.acked_before = set(self.acked)

    def _arrived(self, word, text):
        until(lambda: any(m[:2] == (f"{self.name}/{word}", text.encode()) for m in list(self.tap.messages)),
              f"{word} \"{text}\" was acknowledged, the broker never had it")

    def look_at_end(self):
        self.client.close()
        for n in self.acked - self.acked_before:
            self._arrived("up", f"message {n}")
        self._arrived("state", "off")
        check(not os.listdir(self.spool), f"left in the spool: {os.listdir(self.spool)}")
