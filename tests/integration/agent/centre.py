"""The far end of an agent's socket: speaks the frames of playlists/base/post.h, seals documents with its own keys.

It stands where loa-link, broker and controller stand in a real installation; the agent must believe it only as far as
its seals go, so a test can also play the untrusted carrier with it."""

import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ["LOA_SOURCE_DIR"], "tools", "site"))
import jose  # noqa: E402

ATTACH, SUBSCRIBE, UNSUBSCRIBE, PUBLISH, FETCH, CANCEL, TIME = range(1, 8)
ONLINE, OFFLINE, MESSAGE, ACK, NACK, FETCHED, NOT_FETCHED = range(16, 23)
RETAIN = 1


def frame(kind, flags=0, number=0, name="", body=b""):
    name = name.encode()
    rest = struct.pack(">BBIH", kind, flags, number, len(name)) + name + body
    return struct.pack(">I", len(rest)) + rest


class Centre:
    """Keys, retained documents, blobs, and what the agent sent up."""

    def __init__(self, folder, device):
        self.folder, self.device = folder, device
        self.root, self.spare, self.registrar, self.scheduler = (jose.Key() for _ in range(4))
        self.box = jose.Key()
        self.persons = {"lan": jose.Key(), "hung": jose.Key()}
        self.retained, self.blobs, self.up, self.attached = {}, {}, [], []
        self.fetches, self.fetched_at = [], {}  # every FETCH, in order; the time of each name's last one
        self.welcome_ver = 0
        self.withheld = set()  # hashes that are not handed over
        self.store = True      # receipts and events are stored and welcomed
        self.stored = {}       # (kind, store) -> {n: payloads}
        self.hashes = {}       # (kind, store, n) -> of the sealed bytes that came last
        self.ended, self.session, self.nonce = {}, None, None
        self.lock = threading.RLock()
        self.path = os.path.join(folder, "link.sock")
        self.spool = os.path.join(folder, "spool")
        os.makedirs(self.spool, exist_ok=True)
        self.running = True
        self.listener = None
        self.open()

    # --- documents ---

    def head(self, aud, **more):
        return jose.head(aud, **more)

    def trust(self, quorums=(), **more):
        key = lambda k: {"kid": k.kid, "x": k.x}  # noqa: E731
        return {**self.head("all"), "registrars": [key(self.registrar)], "schedulers": [key(self.scheduler)],
                "quorums": list(quorums), **more}

    def keys(self, **ended):
        persons = [{"kid": k.kid, "x": k.x, "person": name, "roles": ["approver"], "areas": ["a001"],
                    "class": "priority", "ended": ended.get(name, "none"),
                    "ended_ms": int(time.time() * 1000) if name in ended else 0}
                   for name, k in self.persons.items()]
        return {**self.head("all"), "persons": persons}

    def config(self, kind="cluster", **more):
        return {**self.head(f"dev/{self.device}"), "kind": kind, "zone": "Asia/Ho_Chi_Minh", "areas": ["a001"],
                "languages": ["vi", "en"], "gain_ceilings": [], "quiet_hours": [], "delay_ms": 0,
                "heard_level_mb": -4000, "profiles": [], **more}

    def blob(self, data):
        name = hashlib.sha256(data).hexdigest()
        self.blobs[name] = data
        return name

    def bulletin(self, contents, **more):
        doc = {"id": "b1", "revision": 1, "title": "Lịch tiêm chủng", "category": "y tế", "answerable": "Mai",
               "unit": "a001", "class": "priority", "contents": contents, **more}
        return self.blob(json.dumps(doc, ensure_ascii=False).encode())

    def approval(self, bulletin, person="lan", key=None, **more):
        doc = {**self.head("all"), "bulletin": bulletin, "areas": ["a001"], "class": "priority", "from_ms": 0,
               "until_ms": int((time.time() + 86400) * 1000), **more}
        return self.blob((key or self.persons[person]).seal("loa-approval", doc).encode())

    def sized(self, name):
        return {"hash": name, "size": len(self.blobs[name])}

    def playlist(self, bulletins, items, **more):
        """`bulletins`: [(hash, [approval hashes])]; `items`: dicts with at least id, bulletin, start_ms, end_ms."""
        now = int(time.time() * 1000)
        listed = [{**self.sized(b), "approvals": [self.sized(a) for a in approvals]} for b, approvals in bulletins]
        full = [{"class": "normal", "policy": "drop", "late_ms": 60000, "wait_ms": 0, "gain_mb": 0, "show_ms": 0,
                 "zones": [], **item} for item in items]
        return {**self.head(f"dev/{self.device}"), "config_ver": 0, "from_ms": now, "until_ms": now + 86400000,
                "bulletins": listed, "items": sorted(full, key=lambda i: (i["start_ms"], i["id"])), **more}

    def seal(self, word, doc, **how):
        key = {"trust": self.root, "keys": self.registrar}.get(word, self.scheduler)
        return how.pop("key", key).seal("loa-" + {"cmd": "command"}.get(word, word), doc, **how)

    def topic(self, word):
        return f"loa/1/{word}" if word in ("trust", "keys") else f"loa/1/dev/{self.device}/{word}"

    def publish(self, word, doc, retain=True, **how):
        sealed = doc if isinstance(doc, str) else self.seal(word, doc, **how)
        with self.lock:
            if retain:
                self.retained[self.topic(word)] = sealed
            self.send(MESSAGE, 0, 0, self.topic(word), sealed.encode())
        return sealed

    def begin(self, **config):
        """Trust, keys and a configuration, as every device has them."""
        self.publish("trust", self.trust())
        self.publish("keys", self.keys())
        self.publish("config", self.config(**config))

    def welcome(self, nonce=None, floors=(), **more):
        marks = [self.mark(kind, store, self.upto(rows)) for (kind, store), rows in self.stored.items()]
        self.welcome_ver = max(self.welcome_ver + 1, int(time.time() * 1000))  # each above the one before
        doc = {**self.head(f"dev/{self.device}", ver=self.welcome_ver), "nonce": nonce or self.nonce, "time_ms": int(time.time() * 1000),
               "floors": list(floors), "stored": marks, "spread_s": 0, "epoch": 1, **more}
        return self.publish("welcome", doc, retain=False)

    def mark(self, kind, store, upto):
        return {"kind": kind, "store": store, "upto": upto, **({"hash": self.hashes[kind, store, upto]} if upto else {})}

    @staticmethod
    def upto(rows):
        n = 0
        while n + 1 in rows:
            n += 1
        return n

    # --- socket ---

    def open(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def cut(self):
        """The network goes away: no socket, no listener."""
        with self.lock:
            listener, self.listener = self.listener, None
            if listener:
                listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            if os.path.exists(self.path):
                os.unlink(self.path)
            if self.session:
                self.session.shutdown(socket.SHUT_RDWR)
                self.session = None

    def close(self):
        self.running = False
        self.cut()

    def _serve(self, listener):
        while self.running:
            try:
                session, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.session = session
            try:
                self._read(session)
            except OSError:
                pass
            with self.lock:
                if self.session is session:
                    self.session = None
            session.close()

    def _read(self, session):
        data = b""
        while True:
            more = session.recv(65536)
            if not more:
                return
            data += more
            while len(data) >= 4 and len(data) >= 4 + struct.unpack(">I", data[:4])[0]:
                size = 4 + struct.unpack(">I", data[:4])[0]
                kind, flags, number, name_len = struct.unpack(">BBIH", data[4:12])
                self._frame(kind, flags, number, data[12:12 + name_len].decode(), data[12 + name_len:size])
                data = data[size:]

    def send(self, *parts):
        with self.lock:
            if self.session:
                try:
                    self.session.sendall(frame(*parts))
                except OSError:
                    pass

    def _frame(self, kind, flags, number, name, body):
        if kind == ATTACH:
            attach = json.loads(body)
            self.attached.append(attach)
            self.send(ONLINE)
            for topic, sealed in list(self.retained.items()):
                if topic in attach["subscribe"]:
                    self.send(MESSAGE, RETAIN, 0, topic, sealed.encode())
        elif kind == PUBLISH:
            self.send(ACK, 0, number)
            self._published(name.rsplit("/", 1)[1], body)
        elif kind == FETCH:
            self._fetch(number, name)

    def _published(self, word, body):
        payload = jose.verify(body, self.box.x)
        with self.lock:
            self.up.append((word, payload))
            if word == "state" and payload["on"] and payload["nonce"] != self.nonce:
                self.nonce = payload["nonce"]
                if self.store:
                    self.welcome()
            if word in ("receipt", "event") and self.store:
                rows = self.stored.setdefault((word, payload["store"]), {})
                rows.setdefault(payload["n"], []).append(payload)
                self.hashes[word, payload["store"], payload["n"]] = hashlib.sha256(body).hexdigest()
                self.welcome()

    def _fetch(self, number, name):
        self.fetches.append(name)
        self.fetched_at[name] = time.time()
        data = self.blobs.get(name)
        if data is None or name in self.withheld:
            self.send(NOT_FETCHED, 0, number, name, json.dumps({"why": "it is not there", "final": True}).encode())
            return
        path = os.path.join(self.spool, name)
        with open(path, "wb") as file:
            file.write(data)
        self.send(FETCHED, 0, number, name, json.dumps({"path": path, "size": len(data)}).encode())

    # --- asked ---

    def seen(self, word, **like):
        with self.lock:
            return [p for w, p in self.up if w == word and all(p.get(k) == v for k, v in like.items())]

    def receipts(self):
        """occurrence -> receipt; each must have come under one number only."""
        found = {}
        for payload in self.seen("receipt"):
            known = found.setdefault(payload["occurrence"], payload)
            assert (known["store"], known["n"]) == (payload["store"], payload["n"]), "two receipts of one occurrence"
        return found
