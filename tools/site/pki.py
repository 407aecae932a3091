"""Certificates of one installation: an authority of its own, made at the start and gone with its folder."""

import os


class Pki:
    """EC P-256 throughout. Common names are identities: a device's id, `controller`, `observer`."""

    DAYS = 30

    def __init__(self, keeper, folder):
        self.keeper, self.folder = keeper, folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.ca = self.path("ca.crt")
        self._req("ca", "/CN=Loa CA", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", own=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def _req(self, name, subject, *extensions, own=False):
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256",
                "-days", self.DAYS, "-subj", subject, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".crt")]
        for extension in extensions:
            argv += ["-addext", extension]
        if not own:
            argv += ["-CA", self.ca, "-CAkey", self.path("ca.key")]
        self.keeper.run(argv, f"certificate of {name}")
        os.chmod(self.path(name + ".key"), 0o600)
        return self.path(name + ".crt"), self.path(name + ".key")

    def server(self, name, hosts="DNS:localhost,IP:127.0.0.1"):
        """A certificate for a listener: (certificate, key)."""
        return self._req(name, f"/CN={name}", "basicConstraints=critical,CA:FALSE", f"subjectAltName={hosts}",
                         "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth")

    def client(self, identity):
        """A certificate that proves `identity`: (certificate, key)."""
        return self._req(identity, f"/CN={identity}", "basicConstraints=critical,CA:FALSE",
                         "keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth")
