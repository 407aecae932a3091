"""A centre made by hand, in place of loa-controller: documents sealed in Python, blobs served from memory, every record
of the devices kept. For tests that must alter one thing in a document, or be somebody they are not.

It seals with the installation's own keys, so what it publishes unaltered is valid: a test first shows that it plays.
"""

import hashlib
import http.server
import json
import ssl
import threading
import time

import jose
import sound
from process import Failure, wait_until


class _Blobs(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        data = self.server.blobs.get(self.path.rsplit("/", 1)[-1])
        self.server.asked.append(self.path.rsplit("/", 1)[-1])
        if data is None:
            self.send_error(404)
            return
        first, span = 0, self.headers.get("Range", "")
        if span.startswith("bytes="):
            first = min(int(span[6:].split("-")[0] or 0), len(data))
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(data[first:])

    def log_message(self, *_):
        pass


class Centre:
    """Use after Installation.prepare(); start the broker and the site yourself."""

    def __init__(self, installation, era=1):
        self.i, self.era, self.welcoming = installation, era, True
        self.roots = [jose.Key(k["file"]) for k in installation.roots]
        self.registrar, self.scheduler = jose.Key(installation.registrar["file"]), jose.Key(installation.scheduler["file"])
        self.persons = {id: jose.Key(k["file"]) for id, k in installation.persons.items()}
        self.boxes = {site.device: jose.Key(site.box["file"]) for site in installation.sites}
        self.states, self.records, self.stored = {}, {"receipt": [], "event": [], "reply": [], "health": []}, {}
        self.server = self.client = None
        self.last_ver = 0

    def start(self):
        cert, key = self.i.pki.server("forged-blobs")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.i.pki.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(cert, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.i.blobs_port), _Blobs)
        self.server.daemon_threads = True
        self.server.blobs, self.server.asked = {}, []
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.client = self.i.broker.client("controller", self._take, ["loa/1/dev/+/" + up for up in (
            "state", "receipt", "event", "reply", "health")])

    def stop(self):
        if self.client:
            self.client.loop_stop()
            self.client.disconnect()
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # What devices say

    def _take(self, message):
        _, _, _, device, kind = message.topic.split("/")
        if not message.payload:
            return
        document = jose.verify(message.payload, self.boxes[device].x)  # raises in paho's thread: a test then sees nothing come
        if kind == "state":
            self.states[device] = document
            if document["on"] and self.welcoming:
                self.welcome(device)
            return
        self.records[kind].append(document)
        if kind in ("receipt", "event"):
            marks = self.stored.setdefault((device, kind, document["store"]), set())
            marks.add(document["n"])

    def receipts(self, device, occurrence=None):
        return [r for r in list(self.records["receipt"])
                if r["device"] == device and occurrence in (None, r["occurrence"])]

    def events(self, device, code=None):
        return [e for e in list(self.records["event"]) if e["device"] == device and code in (None, e["code"])]

    def wait_online(self, device, seconds=20):
        wait_until(lambda: self.states.get(device, {}).get("on"), seconds, f"{device} is not connected")

    def wait_held(self, device, doc, ver, seconds=15):
        """Until the device says that it holds this version."""
        wait_until(lambda: any(h["doc"] == doc and h["ver"] == ver for h in self.states.get(device, {}).get("held", [])),
                   seconds, f"{device} does not hold {doc} {ver}")

    def wait_receipt(self, device, occurrence, seconds):
        return wait_until(lambda: self.receipts(device, occurrence), seconds, f"{device}: no receipt of {occurrence}")[0]

    # Documents: each returns (payload); seal() and publish() are apart, so that a test can alter what lies between

    def head(self, aud, **more):
        self.last_ver = max(self.last_ver + 1, int(time.time() * 1000))
        return dict(jose.head(aud, self.era, self.last_ver), **more)

    def trust(self, quorums=(), schedulers=None, **more):
        return self.head("all", registrars=[{"kid": self.registrar.kid, "x": self.registrar.x}],
                         schedulers=[{"kid": k.kid, "x": k.x} for k in schedulers or [self.scheduler]],
                         quorums=list(quorums), **more)

    def person(self, id, key=None, areas=("a000",), klass="priority", roles=("approver",), **more):
        key = key or self.persons[id]
        return dict(kid=key.kid, x=key.x, person=id, roles=list(roles), areas=list(areas), **{"class": klass}, **more)

    def keys(self, persons=None, **more):
        return self.head("all", persons=persons or [self.person(id) for id in self.persons], **more)

    def config(self, site, **more):
        plan = site.plan
        return self.head(f"dev/{site.device}", kind=plan.kind, zone="Asia/Ho_Chi_Minh", areas=[plan.area, "a000"],
                         languages=list(plan.languages), heard_level_mb=-3000, **more)

    def playlist(self, site, config_ver, bulletins, items, **more):
        now = int(time.time() * 1000)
        return self.head(f"dev/{site.device}", config_ver=config_ver, from_ms=now - 60000, until_ms=now + 86400000,
                         bulletins=bulletins, items=sorted(items, key=lambda i: (i["start_ms"], i["id"])), **more)

    @staticmethod
    def item(rule, at_unix_s, bulletin=0, klass="normal", seconds=30, **more):
        start = int(at_unix_s) * 1000
        return dict({"id": f"{rule}.{int(at_unix_s)}", "bulletin": bulletin, "start_ms": start,
                     "end_ms": start + 60000 + seconds * 1000, "class": klass, "policy": "drop", "late_ms": 60000}, **more)

    def blob(self, data):
        """Serve these bytes: {"hash", "size"}."""
        hash = hashlib.sha256(data).hexdigest()
        self.server.blobs[hash] = data
        return {"hash": hash, "size": len(data)}

    def media(self, path):
        """A sound file as 48 kHz mono WAV: {"hash", "size", "frames"}."""
        _, data, _ = self.i.keeper.run(["sox", path, "-t", "wav", "-r", sound.RATE_HZ, "-c", "1", "-b", "16", "-"],
                                       f"sox {path}", text=False)
        frames = len(sound.decode(self.i.keeper, path))
        return dict(self.blob(data), frames=frames)

    def bulletin(self, id, contents, klass="normal", title="Bản tin thử", **more):
        """`contents`: [{"lang", "text", "audio"}]."""
        document = dict({"id": id, "revision": 1, "title": title, "category": "thử", "answerable": "Nguyễn Thị Lan",
                         "unit": "a000", "class": klass, "contents": contents}, **more)
        return self.blob(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())

    def approval(self, bulletin_hash, person="lan", key=None, areas=("a000",), klass="priority", **more):
        now = int(time.time() * 1000)
        payload = self.head("all", bulletin=bulletin_hash, areas=list(areas), from_ms=now - 60000, until_ms=now + 86400000)
        payload["class"] = klass
        payload.update(more)
        return self.blob((key or self.persons[person]).seal("loa-approval", payload).encode())

    # To the devices

    def publish(self, topic, compact, retain=True):
        result = self.client.publish("loa/1/" + topic, compact, 1, retain)
        result.wait_for_publish(10)
        if not result.is_published():
            raise Failure(f"{topic}: the broker did not take it")

    def publish_trust(self, **more):
        self.publish("trust", self.roots[0].seal("loa-trust", self.trust(**more)))

    def publish_keys(self, *persons, **more):
        self.publish("keys", self.registrar.seal("loa-keys", self.keys(list(persons) or None, **more)))

    def publish_config(self, site, **more):
        payload = self.config(site, **more)
        self.publish(f"dev/{site.device}/config", self.scheduler.seal("loa-config", payload))
        return payload["ver"]

    def publish_playlist(self, site, config_ver, bulletins, items, key=None, **more):
        payload = self.playlist(site, config_ver, bulletins, items, **more)
        self.publish(f"dev/{site.device}/playlist", (key or self.scheduler).seal("loa-playlist", payload, deflate=True))
        return payload["ver"]

    def welcome(self, device, **more):
        """Quote the nonce of the device's state; say what is stored without a gap."""
        stored = []
        for (owner, kind, store), numbers in self.stored.items():
            upto = 0
            while upto + 1 in numbers:
                upto += 1
            if owner == device:
                stored.append({"kind": kind, "store": store, "upto": upto})
        payload = self.head(f"dev/{device}", nonce=self.states[device]["nonce"], time_ms=int(time.time() * 1000), floors=[],
                            stored=stored, spread_s=0, epoch=1)
        payload.update(more)
        # not waited for: paho's own thread may be the one that calls
        self.client.publish(f"loa/1/dev/{device}/welcome", self.scheduler.seal("loa-welcome", payload), 1)
