"""A TCP relay that can be cut: what a broken mobile connection is to the two ends.

    relay.py [HOST:]LISTEN_PORT [HOST:]TO_PORT      (127.0.0.1 unless told)

SIGUSR1 cuts: open connections stop carrying bytes and new ones are left waiting, as on a dead line (nobody is told).
SIGUSR2 mends: what was open when it was cut is reset, new connections pass.
"""

import select
import selectors
import signal
import socket
import sys

CHUNK = 65536


class Relay:
    def __init__(self, here, there):
        self.there, self.cut, self.mended = there, False, False
        self.selector = selectors.DefaultSelector()
        self.pairs = {}
        self.listener = socket.create_server(here, backlog=64)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.wake, self.signalled = socket.socketpair()  # each signal writes a byte
        self.signalled.setblocking(False)
        signal.set_wakeup_fd(self.signalled.fileno())
        self.selector.register(self.wake, selectors.EVENT_READ)
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "cut", True))
        signal.signal(signal.SIGUSR2, lambda *_: setattr(self, "mended", True))

    def accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(self.there, 5)
        except OSError:
            near.close()
            return
        for one, two in ((near, far), (far, near)):
            one.settimeout(5)
            self.pairs[one] = two
            self.selector.register(one, selectors.EVENT_READ)

    def drop(self, one):
        for s in (one, self.pairs.get(one)):
            if s in self.pairs:
                del self.pairs[s]
                self.selector.unregister(s)
                s.close()

    def carry(self, one):
        try:
            data = one.recv(CHUNK)
            if data:
                self.pairs[one].sendall(data)
                return
        except OSError:
            pass
        self.drop(one)

    def mend(self):
        self.cut = self.mended = False
        for one in list(self.pairs):
            self.drop(one)

    def serve(self, one):
        if one is self.wake:
            self.wake.recv(64)
        elif one is self.listener:
            self.accept()
        elif one in self.pairs:
            self.carry(one)

    def run(self):
        while True:
            if self.mended:
                self.mend()
            if self.cut:
                select.select([self.wake], [], [])
                self.wake.recv(64)
                continue
            for key, _ in self.selector.select():
                if not self.cut:
                    self.serve(key.fileobj)


def address(text):
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


if __name__ == "__main__":
    Relay(address(sys.argv[1]), address(sys.argv[2])).run()
