"""Keys and sealed documents in Python, for tests that forge, alter and check them without the programs' own code."""

import base64
import hashlib
import json
import time
import zlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(x):
    """RFC 7638, of an Ed25519 public key."""
    canonical = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"), sort_keys=True)
    return b64(hashlib.sha256(canonical.encode()).digest())


class Key:
    """An Ed25519 pair from a JWK file, or a new one."""

    def __init__(self, path=None):
        if path:
            with open(path) as file:
                self.private = Ed25519PrivateKey.from_private_bytes(unb64(json.load(file)["d"]))
        else:
            self.private = Ed25519PrivateKey.generate()
        self.x = b64(self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))
        self.kid = thumbprint(self.x)

    def seal(self, typ, payload, deflate=False, **header):
        """JWS compact form. `payload`: dict or bytes; `header`: members put in or replaced (alg="none", kid=...)."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
        head = {"alg": "EdDSA", "kid": self.kid, "typ": typ}
        if deflate:
            squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
            data = squeeze.compress(data) + squeeze.flush()
            head["zip"] = "DEF"
        head.update(header)
        signing = b64(json.dumps(head).encode()) + "." + b64(data)
        return signing + "." + b64(self.private.sign(signing.encode()))


def head(aud, era=1, ver=None, days=1.0):
    """Members that every sealed payload begins with."""
    now = time.time()
    return {"aud": aud, "era": era, "ver": ver or int(now * 1000), "iat": int(now), "exp": int(now + days * 86400)}


def read(compact):
    """(header, payload) without checking the signature."""
    compact = compact.decode() if isinstance(compact, bytes) else compact
    header, data, _ = compact.strip().split(".")
    header = json.loads(unb64(header))
    data = unb64(data)
    if header.get("zip") == "DEF":
        data = zlib.decompress(data, -15)
    return header, json.loads(data)


def verify(compact, x):
    """The payload; raises when the signature by public key `x` does not hold."""
    compact = compact.decode() if isinstance(compact, bytes) else compact
    signing, _, signature = compact.strip().rpartition(".")
    Ed25519PublicKey.from_public_bytes(unb64(x)).verify(unb64(signature), signing.encode())
    return read(compact)[1]
