"""Bytes at IP level that one idle device costs in a day, over TLS with a keep-alive of 60 s.

Counted are IP packets (headers included) both ways between the site's link and the broker, over at least one whole cycle
of health and welcome (10 minutes) unless --quick; a day is that many cycles."""

import contextlib
import os
import socket
import struct
import threading
import time

from common import Failure, Installation, Line, loudspeaker, wait_until

NAME, MINUTES = "traffic", 12
DAY_S = 86400


class Slow(Installation):
    """As in the field: a keep-alive of a minute."""

    def link_config(self, *args, **options):
        return super().link_config(*args, **options).replace("keepalive_s = 5;", "keepalive_s = 60;")


class Counter:
    """IP packets of one TCP connection on the loopback device, as the kernel hands them out."""

    OUTGOING = 4  # each packet is seen twice there, going out and coming in

    def __init__(self, ports):
        self.ports, self.packets, self.bytes, self.over = set(ports), 0, 0, False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self._count, daemon=True)
        self.thread.start()

    def _count(self):
        while not self.over:
            with contextlib.suppress(socket.timeout):
                data, about = self.socket.recvfrom(65536)
                if about[2] == self.OUTGOING:
                    self._look(data)

    def _look(self, data):
        version = data[0] >> 4
        if version == 4 and data[9] == 6:
            head, length = (data[0] & 15) * 4, struct.unpack(">H", data[2:4])[0]
        elif version == 6 and data[6] == 6:
            head, length = 40, struct.unpack(">H", data[4:6])[0] + 40
        else:
            return
        if self.ports == set(struct.unpack(">HH", data[head:head + 4])):
            self.packets += 1
            self.bytes += length

    def close(self):
        self.over = True
        self.thread.join()
        self.socket.close()


def local_port(pid, remote):
    """The port from which this process is connected to a port of the broker."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}").removeprefix("socket:[").rstrip("]"))
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as rows:
            for row in list(rows)[1:]:
                parts = row.split()
                if int(parts[2].rsplit(":", 1)[1], 16) == remote and parts[3] == "01" and parts[9] in inodes:
                    return int(parts[1].rsplit(":", 1)[1], 16)
    return None


def measure(bench):
    span = bench.few(600, 60)
    with bench.installation([loudspeaker("ls-1")], kind=Slow) as i:
        site = i.sites[0]
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 15, 20, "the clock stands")  # what a connection says at first is over
        port = local_port(site.link.pid, i.broker.port)
        counter = Counter([port, i.broker.port])
        began = time.monotonic()
        try:
            wait_until(lambda: time.monotonic() - began >= span, span + 20, "the clock stands", 0.5)
        finally:
            counter.close()
        if local_port(site.link.pid, i.broker.port) != port:
            raise Failure("the connection did not stand all the time")
    day = counter.bytes * DAY_S / span
    return [Line("bytes at IP level per idle device and day", f"{day / 1000:.0f} kB ({counter.bytes} bytes, {counter.packets} packets in {span} s)",
                 "<= 600 kB", "", day <= 600000, {"bytes": counter.bytes, "packets": counter.packets, "seconds": span, "day": day})]
