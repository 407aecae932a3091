"""A broker in the hands of somebody who may do anything with what passes: it ends the TLS of a link (with a certificate
of the installation's authority), speaks MQTT 3.1.1 on both sides, and in between obeys a seed.

    stolen_broker.py LISTEN_PORT BROKER_PORT CA SERVER_CERT SERVER_KEY CLIENT_CERT CLIENT_KEY SEED

Honest at first. SIGUSR1: hostile; SIGUSR2: honest again (connections of before are cut). Each misdeed is one line on
stdout. SEED seeds the choice; when things happen depends on the clocks of the programs, so a run is like another of its
seed, not equal to it.
"""

import asyncio
import contextlib
import random
import signal
import ssl
import sys

PUBLISH, PUBACK, SUBSCRIBE = 3, 4, 8
FORGED_IDS = 50000  # packet ids of what we made up; no honest broker here gets that far
MEMORY = 400        # payloads remembered for another day


class Packet:
    """One MQTT control packet; topic, id and payload of a PUBLISH."""

    def __init__(self, first, body):
        self.first, self.body = first, body
        self.type = first >> 4
        self.id = None
        if self.type == PUBLISH:
            length = int.from_bytes(body[:2], "big")
            at = 2 + length
            self.topic = body[2:at].decode()
            if first & 6:
                self.id = int.from_bytes(body[at:at + 2], "big")
                at += 2
            self.payload = body[at:]
        elif self.type == PUBACK:
            self.id = int.from_bytes(body[:2], "big")

    def raw(self):
        length, out = len(self.body), bytearray([self.first])
        while True:
            out.append((length & 127) | (128 if length > 127 else 0))
            length >>= 7
            if not length:
                return bytes(out) + self.body


def publish(topic, payload, id, retain):
    name = topic.encode()
    return Packet(0x32 | int(retain), len(name).to_bytes(2, "big") + name + id.to_bytes(2, "big") + payload)


def puback(id):
    return Packet(0x40, id.to_bytes(2, "big"))


async def read_packet(reader):
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return Packet(first, await reader.readexactly(length))


class Thief:
    def __init__(self, port, to_port, ca, cert, key, client_cert, client_key, seed):
        self.port, self.to_port = int(port), int(to_port)
        self.near = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
        self.near.verify_mode = ssl.CERT_REQUIRED
        self.near.load_cert_chain(cert, key)
        self.far = ssl.create_default_context(cafile=ca)
        self.far.load_cert_chain(client_cert, client_key)
        self.dice = random.Random(int(seed))
        self.hostile = False
        self.memory = []  # (topic, payload) of all that ever went down
        self.sessions = set()

    def say(self, what, about):
        print(f"{what} {about}", flush=True)

    def altered(self, payload):
        """Somebody's try at a document that is not what was sealed."""
        way = self.dice.randrange(5)
        if way == 0 or not payload:
            return b"" if payload else b"{}"
        if way == 1:
            at = self.dice.randrange(len(payload))
            return payload[:at] + bytes([payload[at] ^ (1 << self.dice.randrange(8))]) + payload[at + 1:]
        if way == 2:
            return payload[:self.dice.randrange(len(payload))]
        if way == 3:
            return b"eyJhbGciOiJub25lIn0." + payload.split(b".")[1 if b"." in payload else 0] + b"."
        return self.dice.randbytes(self.dice.randrange(1, 2000))

    async def serve(self, reader, writer):
        session = Session(self, reader, writer)
        self.sessions.add(session)
        try:
            await session.run()
        finally:
            self.sessions.discard(session)

    def become(self, hostile):
        self.hostile = hostile
        self.say("hostile" if hostile else "honest", "")
        if not hostile:
            for session in list(self.sessions):
                session.cut()

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self.become, True)
        loop.add_signal_handler(signal.SIGUSR2, self.become, False)
        server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, ssl=self.near)
        async with server:
            await server.serve_forever()


class Session:
    """One link's connection and ours to the broker in its name."""

    def __init__(self, thief, reader, writer):
        self.thief, self.reader, self.writer = thief, reader, writer
        self.dice, self.forged = thief.dice, FORGED_IDS
        self.far_reader = self.far_writer = None
        self.tasks = []

    def cut(self):
        for writer in (self.writer, self.far_writer):
            if writer:
                writer.transport.abort()

    async def run(self):
        try:
            self.far_reader, self.far_writer = await asyncio.open_connection(
                "127.0.0.1", self.thief.to_port, ssl=self.thief.far, server_hostname="localhost")
            down = asyncio.create_task(self.carry(self.far_reader, self.down))
            up = asyncio.create_task(self.carry(self.reader, self.up))
            self.tasks = [down, up]
            done, _ = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception():
                    self.thief.say("BROKEN", repr(task.exception()))
        except OSError:
            pass
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            self.cut()

    async def carry(self, reader, way):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                await way(await read_packet(reader))

    def give(self, writer, packet):
        if not writer.transport.is_closing():
            writer.write(packet.raw())

    def later(self, writer, packet):
        asyncio.get_running_loop().call_later(self.dice.uniform(0.05, 3), self.give, writer, packet)

    def invent(self, topic, payload, why):
        self.forged = self.forged + 1 if self.forged < 65000 else FORGED_IDS
        self.thief.say(why, f"{topic} ({len(payload)} bytes)")
        self.give(self.writer, publish(topic, payload, self.forged, self.dice.random() < 0.7))

    def cut_within(self, writer, packet):
        raw = packet.raw()
        self.thief.say("cut within", packet.topic)
        writer.write(raw[:self.dice.randrange(1, len(raw))])
        asyncio.get_running_loop().call_soon(self.cut)

    async def down(self, packet):
        if packet.type != PUBLISH:
            self.give(self.writer, packet)
            return
        thief = self.thief
        thief.memory = (thief.memory + [(packet.topic, packet.payload)])[-MEMORY:]
        if not thief.hostile:
            self.give(self.writer, packet)
            return
        roll = self.dice.random()
        if roll < 0.15:
            thief.say("kept back", packet.topic)
            if packet.id and self.dice.random() < 0.5:
                self.give(self.far_writer, puback(packet.id))
        elif roll < 0.3:
            thief.say("delayed", packet.topic)
            self.later(self.writer, packet)
        elif roll < 0.4:
            self.give(self.writer, packet)
            self.invent(packet.topic, packet.payload, "repeated")
        elif roll < 0.47:
            self.cut_within(self.writer, packet)
        else:
            self.give(self.writer, packet)
        if self.dice.random() < 0.5:
            self.invent(packet.topic, self.thief.altered(packet.payload), "forged")
        if self.dice.random() < 0.5:
            topic, payload = self.dice.choice(thief.memory)
            self.invent(topic if self.dice.random() < 0.8 else packet.topic, payload, "replayed")

    async def up(self, packet):
        thief = self.thief
        if packet.type == PUBACK and packet.id >= FORGED_IDS:
            return
        if packet.type != PUBLISH or not thief.hostile:
            self.give(self.far_writer, packet)
            return
        roll = self.dice.random()
        if roll < 0.3:
            thief.say("swallowed", packet.topic)
            if packet.id:
                self.give(self.writer, puback(packet.id))  # "the broker has it"
        elif roll < 0.4:
            thief.say("delayed", packet.topic)
            self.later(self.far_writer, packet)
        elif roll < 0.5:
            thief.say("altered", packet.topic)
            self.give(self.far_writer, publish(packet.topic, self.thief.altered(packet.payload), packet.id or 1, packet.first & 1))
        elif roll < 0.55:
            self.cut_within(self.far_writer, packet)
        else:
            self.give(self.far_writer, packet)
            if roll > 0.8:
                self.give(self.far_writer, packet)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Thief(*sys.argv[1:]).run())
