"""mosquitto for one installation: TLS only, client certificates only, every identity in its own branch."""

import contextlib
import os
import random
import shutil
import socket
import ssl

from process import Failure, wait_until

PACKAGED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "packaging", "controller")


def _claim(port):
    """Ours as long as this process lives, among all that ask here: an abstract name, of which nothing can be left."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0loa-port-{port}")
    except OSError:
        name.close()
        return False
    name.detach()  # open until the end of the process
    return True


def free_port():
    """A port below those that the kernel gives to outgoing connections, so that none of them takes it before its server
    does; never given twice, also not to another process."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if _claim(port):
            return port


def listens(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class Broker:
    def __init__(self, installation):
        self.i = installation
        self.folder = installation.make_dir("broker")
        self.port = free_port()
        self.cert, self.key = installation.pki.server("broker")
        self.observer = installation.pki.client("observer")
        self.process = installation.keeper.process(
            "mosquitto", ["mosquitto", "-c", os.path.join(self.folder, "mosquitto.conf")], installation.log("mosquitto"))

    def configure(self):
        """What the package ships as examples, with this folder's paths and this port."""
        ours = {"listener": f"{self.port} 127.0.0.1", "cafile": self.i.pki.ca, "certfile": self.cert, "keyfile": self.key,
                "acl_file": f"{self.folder}/acl"}
        with open(os.path.join(PACKAGED, "mosquitto.conf")) as file:
            words = [line.split(None, 1) for line in file.read().splitlines() if line and not line.startswith("#")]
        lines = [f"{name} {ours.pop(name, value)}" for name, value in words]
        assert not ours, f"the packaged mosquitto.conf lacks {', '.join(ours)}"
        lines += ["persistence true", f"persistence_location {self.folder}/", "autosave_on_changes true", "autosave_interval 1",
                  "log_dest stderr", "log_type error", "log_type warning", "log_type notice", "connection_messages true"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it gives up root and cannot read its files here
        shutil.copyfile(os.path.join(PACKAGED, "mosquitto.acl"), os.path.join(self.folder, "acl"))
        self.i.write(os.path.join(self.folder, "mosquitto.conf"), "\n".join(lines) + "\n")
        os.chmod(os.path.join(self.folder, "acl"), 0o600)

    def start(self):
        self.process.start()
        wait_until(self.answers, 10, "mosquitto does not answer")

    def answers(self):
        if not self.process.alive():
            raise Failure(f"mosquitto ended: {self.process.log_tail()}")
        context = ssl.create_default_context(cafile=self.i.pki.ca)
        context.load_cert_chain(*self.observer)
        try:
            with socket.create_connection(("127.0.0.1", self.port), 10) as plain:
                with context.wrap_socket(plain, server_hostname="localhost"):
                    return True
        except OSError:
            return False

    def describe(self):
        """What a reader of the broker needs: the identity may read everything and write nothing."""
        return {"host": "127.0.0.1", "port": self.port, "ca": self.i.pki.ca, "cert": self.observer[0],
                "key": self.observer[1]}

    def client(self, identity, on_message, topics, name=""):
        """A connected paho client with this identity's certificate; its loop is started. The caller ends it."""
        import paho.mqtt.client as mqtt
        cert, key = (self.i.pki.path(identity + end) for end in (".crt", ".key"))
        client = mqtt.Client(client_id=name)
        client.tls_set(self.i.pki.ca, cert, key)
        client.on_message = lambda _c, _u, message: on_message(message)
        client.on_connect = lambda c, _u, _f, _r: [c.subscribe(t, 1) for t in topics]
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        return client
