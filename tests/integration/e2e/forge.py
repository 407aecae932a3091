"""Documents made and read outside Loa's own code: JWS with EdDSA by python's cryptography, MQTT by paho.

Tests use it to say what a thief of a key or of the broker could say, and to look at what the programs say."""

import base64
import hashlib
import json
import queue
import ssl
import threading
import time
import zlib

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


class Key:
    """An Ed25519 key pair, new or from a JWK file."""

    def __init__(self, path=None):
        if path:
            with open(path, encoding="utf-8") as f:
                self.private = Ed25519PrivateKey.from_private_bytes(unb64u(json.load(f)["d"]))
        else:
            self.private = Ed25519PrivateKey.generate()
        self.x = b64u(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        canonical = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": self.x}, separators=(",", ":"))
        self.kid = b64u(hashlib.sha256(canonical.encode()).digest())

    def seal(self, typ, payload, deflate=False, header=None, raw=None):
        """`raw` replaces the payload's bytes, `header` overrides members of the JOSE header."""
        head = {"alg": "EdDSA", "kid": self.kid, "typ": typ}
        body = raw if raw is not None else json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        if deflate:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            body = packer.compress(body) + packer.flush()
            head["zip"] = "DEF"
        head.update(header or {})
        signed = b64u(json.dumps(head, separators=(",", ":")).encode()) + "." + b64u(body)
        return signed + "." + b64u(self.private.sign(signed.encode()))


def read(compact):
    """Header and payload, nothing verified."""
    head, body, _ = (compact.decode() if isinstance(compact, bytes) else compact).split(".")
    header = json.loads(unb64u(head))
    data = unb64u(body)
    if header.get("zip") == "DEF":
        data = zlib.decompress(data, -15)
    return header, json.loads(data)


class Broker:
    """One MQTT session over TLS that keeps all it hears."""

    def __init__(self, host, port, ca, cert, key, topics=()):
        self.heard = []  # (topic, payload, retained)
        self.lock = threading.Condition()
        self.ready = queue.Queue()
        self.client = mqtt.Client(client_id="test-%x" % time.monotonic_ns(), clean_session=True)
        self.client.tls_set(ca_certs=ca, certfile=cert, keyfile=key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.topics = list(topics)
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self.ready.put(True)
        self.client.on_message = self._message
        self.client.connect(host, port, keepalive=60)
        self.client.loop_start()
        self.ready.get(timeout=20)

    def _connected(self, client, _data, _flags, code):
        if code == 0 and self.topics:
            client.subscribe([(topic, 1) for topic in self.topics])
        else:
            self.ready.put(code == 0)

    def _message(self, _client, _data, message):
        with self.lock:
            self.heard.append((message.topic, bytes(message.payload), message.retain))
            self.lock.notify_all()

    def publish(self, topic, payload, retain=False):
        info = self.client.publish(topic, payload, qos=1, retain=retain)
        info.wait_for_publish(timeout=20)
        if not info.is_published():
            raise TimeoutError("the broker did not acknowledge " + topic)

    def wait(self, want, seconds=30, start=0):
        """The first message heard (from index `start`) for which want(topic, payload, retained) is true."""
        end = time.monotonic() + seconds
        with self.lock:
            at = start
            while True:
                for message in self.heard[at:]:
                    if want(*message):
                        return message
                at = len(self.heard)
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError("no such message within %d s" % seconds)
                self.lock.wait(left)

    def latest(self, topic):
        with self.lock:
            for heard, payload, _ in reversed(self.heard):
                if heard == topic:
                    return payload
        return None

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
