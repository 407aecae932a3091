#!/usr/bin/python3
"""loa-link against a real mosquitto (TLS, client certificates) and a real HTTPS server."""
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from link_kit import *  # noqa: E402,F403


class LinkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="loa-link-")
        cls.ca = Authority(cls.root)
        cls.server_cert, cls.server_key = cls.ca.issue("broker", hosts=["localhost"], ips=["127.0.0.1"])
        cls.box_cert, cls.box_key = cls.ca.issue("box-1")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir=self.root)
        self.socket = os.path.join(self.dir, "link.sock")
        self.spool = os.path.join(self.dir, "spool")
        self.media = None

    def broker(self, cert=None, key=None, extra=""):
        broker = Broker(self.dir, self.ca.path, cert or self.server_cert, key or self.server_key, extra)
        self.addCleanup(broker.stop)
        return broker

    def tap(self, broker, *topics):
        tap = Tap(broker, *topics)
        self.addCleanup(tap.close)
        return tap

    def config(self, port, host="localhost", keepalive_s=60, cert=None, key=None, extra="", pace=""):
        path = os.path.join(self.dir, "link.cfg")
        media = f'media = {{ url = "https://localhost:{self.media.port}/blobs/"; {pace} }};' if self.media else ""
        with open(path, "w") as f:
            f.write(f'socket = "{self.socket}";\nspool = "{self.spool}";\nclient_id = "box-1";\n'
                    f'broker = {{ host = "{host}"; port = {port}; ca = "{self.ca.path}";\n'
                    f'  cert = "{cert or self.box_cert}"; key = "{key or self.box_key}"; keepalive_s = {keepalive_s}; }};\n'
                    f'{media}\nspread_s = 0;\nbackoff_max_s = 0.5;\nlog = "debug";\n{extra}')
        return path

    def link(self, port, env=None, **kwargs):
        config = self.config(port, **kwargs)
        environment = dict(os.environ, **(env or {}))
        process = Process([LINK, "--config", config], os.path.join(self.dir, "link.log"), environment)
        self.addCleanup(self.end_link, process)
        self.link_process = process
        return process

    def end_link(self, process):
        """Also what a sanitizer found at the end is a failure."""
        self.assertIn(process.kill(), (0, -signal.SIGKILL), process.text()[-3000:])

    def client(self):
        client = Client(self.socket)
        self.addCleanup(client.close)
        return client

    def online(self, *topics, will=None):
        client = self.client()
        client.attach(*topics, will=will)
        client.expect(ONLINE)
        return client

    def start_media(self):
        self.media = Media(self.ca.path, self.server_cert, self.server_key)
        self.addCleanup(self.media.close)

    # --- MQTT ---------------------------------------------------------------------------------------------------

    def test_retained_and_live_messages_arrive(self):
        broker = self.broker()
        tap = self.tap(broker)
        tap.publish("loa/1/trust", b"kept", retain=True)
        self.link(broker.port)
        client = self.client()
        client.attach("loa/1/trust", "loa/1/dev/box-1/cmd")
        kept = client.expect(MESSAGE, "loa/1/trust")
        self.assertEqual((kept[1], kept[4]), (RETAIN, b"kept"))
        if ONLINE not in [f[0] for f in client.seen]:
            client.expect(ONLINE)
        tap.publish("loa/1/dev/box-1/cmd", b"live")
        live = client.expect(MESSAGE, "loa/1/dev/box-1/cmd")
        self.assertEqual((live[1], live[4]), (0, b"live"))

    def test_publish_is_acknowledged_and_arrives(self):
        broker = self.broker()
        tap = self.tap(broker)
        self.link(broker.port)
        client = self.online()
        for i in range(1, 101):
            client.send(PUBLISH, RETAIN if i == 100 else 0, i, "loa/1/dev/box-1/receipt", b"r%d" % i)
        acked = {client.expect(ACK)[2] for _ in range(100)}
        self.assertEqual(acked, set(range(1, 101)))
        tap.wait("loa/1/dev/box-1/receipt", b"r100")
        self.assertEqual([m[1] for m in tap.messages], [b"r%d" % i for i in range(1, 101)])

    def test_qos0_arrives_without_ack(self):
        broker = self.broker()
        tap = self.tap(broker)
        self.link(broker.port)
        client = self.online()
        client.send(PUBLISH, QOS0, 1, "a/b", b"zero")
        client.send(PUBLISH, 0, 2, "a/b", b"one")
        client.expect(ACK, ident=2)
        tap.wait("a/b", b"zero")
        self.assertNotIn((ACK, 1), [(f[0], f[2]) for f in client.seen])

    def line(self, broker):
        line = Line(broker.port)
        self.addCleanup(line.close)
        return line

    def test_what_is_said_at_once_shares_records(self):
        """A broker that is busy with others takes one record of each connection at a time."""
        broker = self.broker()
        tap = self.tap(broker, "a")
        line = self.line(broker)
        self.link(line.port)
        client = self.online()
        before = line.records()
        client.sock.sendall(b"".join(client.frame(PUBLISH, 0, i, "a", b"%d" % i) for i in range(1, 21)))
        for i in range(1, 21):
            client.expect(ACK, ident=i)
        self.assertLessEqual(line.records() - before, 10)
        wait_until("all are at the broker", lambda: len(tap.messages) == 20)
        self.assertEqual([m[1] for m in tap.messages], [b"%d" % i for i in range(1, 21)])

    def test_a_broker_that_does_not_read_loses_nothing_that_was_taken(self):
        broker = self.broker(extra="max_queued_messages 0\nmax_inflight_messages 0\n")
        tap = self.tap(broker, "a", "end")
        line = self.line(broker)
        self.link(line.port)
        client = self.online()
        line.free.clear()
        n, size = 400, 60000  # 24 MB: above what sockets and link may hold
        for i in range(1, n + 1):
            client.send(PUBLISH, QOS0, i, "a", struct.pack(">I", i) + b"z" * size)
        refused = {client.expect(NACK)[2]}
        while max(refused) < n:  # what comes last finds no room
            refused.add(client.expect(NACK)[2])
        line.free.set()
        wait_until("all that was taken is at the broker", lambda: len(tap.messages) == n - len(refused))
        self.assertEqual([m[1] for m in tap.messages],
                         [struct.pack(">I", i) + b"z" * size for i in range(1, n + 1) if i not in refused])
        client.send(PUBLISH, 0, n + 1, "end", b"")
        client.expect(ACK, ident=n + 1)

    def test_subscribe_and_unsubscribe_later(self):
        broker = self.broker()
        tap = self.tap(broker)
        tap.publish("loa/1/area/12/inforce", b"set", retain=True)
        self.link(broker.port)
        client = self.online("x/y")
        client.send(SUBSCRIBE, name="loa/1/area/12/inforce")
        self.assertEqual(client.expect(MESSAGE, "loa/1/area/12/inforce")[4], b"set")
        client.send(UNSUBSCRIBE, name="loa/1/area/12/inforce")
        client.send(SUBSCRIBE, name="x/z")
        client.send(PUBLISH, 0, 1, "x/y", b"round")  # the broker has done the unsubscribing when this is acknowledged
        client.expect(ACK, ident=1)
        tap.publish("loa/1/area/12/inforce", b"again", retain=True)
        tap.publish("x/y", b"end")
        client.expect(MESSAGE, "x/y")
        if client.seen[-1][4] != b"end":
            client.expect(MESSAGE, "x/y")
        self.assertNotIn(b"again", [f[4] for f in client.seen])

    def test_will_fires_when_the_client_dies(self):
        broker = self.broker()
        tap = self.tap(broker)
        self.link(broker.port)
        client = self.online(will=("loa/1/dev/box-1/state", "off n1"))
        client.close()
        self.assertFalse(tap.wait("loa/1/dev/box-1/state", b"off n1")[2])
        late = self.tap(broker, "loa/1/dev/box-1/state")
        self.assertTrue(late.wait("loa/1/dev/box-1/state", b"off n1")[2], "the will is retained")

    def test_will_fires_when_the_link_is_terminated(self):
        broker = self.broker()
        tap = self.tap(broker)
        link = self.link(broker.port)
        self.online(will=("s", "off"))
        self.assertEqual(link.kill(signal.SIGTERM), 0)
        tap.wait("s", b"off")
        self.assertFalse(os.path.exists(self.socket))

    def test_no_will_without_one_and_next_attach_gets_retained_again(self):
        broker = self.broker()
        tap = self.tap(broker)
        tap.publish("doc", b"v1", retain=True)
        self.link(broker.port)
        for _ in range(3):
            client = self.client()
            client.attach("doc")
            self.assertEqual(client.expect(MESSAGE, "doc")[1], RETAIN)
            client.close()

    def test_newer_client_wins(self):
        broker = self.broker()
        tap = self.tap(broker)
        self.link(broker.port)
        old = self.online(will=("s", "old is off"))
        new = self.client()
        old.expect_end()
        tap.wait("s", b"old is off")
        new.attach()
        new.expect(ONLINE)

    def test_comes_back_after_the_broker_was_killed(self):
        broker = self.broker()
        self.link(broker.port)
        client = self.online("loa/1/trust")
        broker.stop(signal.SIGKILL)
        why = client.expect(OFFLINE)[4].decode()
        self.assertIn(str(broker.port), why)
        client.send(PUBLISH, 0, 7, "a", b"b")
        self.assertEqual(client.expect(NACK, ident=7)[4], b"offline")
        broker.start()
        client.expect(ONLINE)
        tap = self.tap(broker, "q")
        tap.publish("loa/1/trust", b"after", retain=True)
        client.expect(MESSAGE, "loa/1/trust")

    def test_publishes_in_flight_are_told_lost(self):
        broker = self.broker()
        self.link(broker.port, keepalive_s=5)
        client = self.online()
        os.kill(broker.process.popen.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, broker.process.popen.pid, signal.SIGCONT)
        for i in range(1, 301):
            client.send(PUBLISH, 0, i, "a", b"p")
        full = [client.expect(NACK) for _ in range(300 - 20 - 256)]
        self.assertEqual({f[4] for f in full}, {b"full"})
        client.expect(OFFLINE)  # the keepalive runs out
        lost = [client.expect(NACK) for _ in range(20 + 256)]
        self.assertEqual({f[4] for f in lost}, {b"offline"})
        self.assertEqual({f[2] for f in full + lost}, set(range(1, 301)))

    def test_offline_is_told_when_nobody_listens(self):
        self.link(free_port())
        client = self.client()
        client.attach()
        self.assertIn("refused", client.expect(OFFLINE)[4].decode())

    def test_black_hole_does_not_block_the_loop_or_burn_cpu(self):
        trap = socket.socket()
        trap.bind(("127.0.0.1", 0))
        trap.listen(1)  # accepts in the kernel, never answers
        self.addCleanup(trap.close)
        link = self.link(trap.getsockname()[1])
        client = self.client()
        client.attach()
        for i in range(20):
            client.send(PUBLISH, 0, i + 1, "a", b"b")
            self.assertEqual(client.expect(NACK, ident=i + 1, deadline_s=60)[4], b"offline")
        self.assertIn("did not answer", client.expect(OFFLINE, deadline_s=120)[4].decode())
        with open(f"/proc/{link.popen.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self.assertLess(cpu_s, 3, "15 s of waiting lie behind")

    def test_slow_tcp_connect(self):
        """The broker's first answer to the SYN is lost: its queue of new connections is full."""
        broker = self.broker()
        relay = Relay(broker.port)
        self.addCleanup(relay.close)
        self.link(relay.port)
        client = self.client()
        client.attach("t")
        wait_until("the link has sent its SYN", relay.syn_waits)
        relay.open()
        client.expect(ONLINE)

    def test_connection_reset_in_the_handshake(self):
        trap = socket.socket()
        trap.bind(("127.0.0.1", 0))
        trap.listen(5)
        self.addCleanup(trap.close)
        for reset in (True, False):
            self.link(trap.getsockname()[1])
            client = self.client()
            client.attach()
            victim, _ = trap.accept()
            victim.recv(10)
            if reset:
                victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            victim.close()
            client.expect(OFFLINE)
            self.link_process.kill()

    def test_refused_subscription_is_offline_with_a_sentence(self):
        plugin = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"
        if not os.path.exists(plugin):
            self.skipTest("no dynamic security plugin")
        rules = os.path.join(self.dir, "dynsec.json")
        allow = {"subscribe": False, "unsubscribe": True, "publishClientSend": True, "publishClientReceive": True}
        with open(rules, "w") as f:
            json.dump({"defaultACLAccess": allow, "clients": [{"username": "box-1", "roles": [{"rolename": "r"}]}],
                       "roles": [{"rolename": "r", "acls": [
                           {"acltype": "subscribeLiteral", "topic": "good", "allow": True}]}]}, f)
        broker = self.broker(extra=f"plugin {plugin}\nplugin_opt_config_file {rules}\n")
        self.link(broker.port)
        client = self.client()
        client.attach("bad")
        self.assertIn("refused the subscription to bad", client.expect(OFFLINE)[4].decode())
        self.assertNotIn(ONLINE, [f[0] for f in client.seen])

    def test_oversize_is_refused_both_ways(self):
        broker = self.broker()
        tap = self.tap(broker, "none")
        self.link(broker.port)
        client = self.online("in")
        client.send(PUBLISH, 0, 1, "out", b"x" * (64 * 1024 + 1))
        self.assertEqual(client.expect(NACK, ident=1)[4], b"too large")
        client.send(PUBLISH, 0, 2, "out", b"x" * (64 * 1024))
        client.expect(ACK, ident=2)
        tap.publish("in", b"x" * (64 * 1024 + 1))
        tap.publish("in", b"y" * (64 * 1024))
        self.assertEqual(client.expect(MESSAGE, "in")[4], b"y" * (64 * 1024))
        self.assertIn("longer than allowed, dropped (1 so far)", self.link_process.text())

    def test_a_huge_packet_does_not_fill_the_memory(self):
        broker = self.broker()
        tap = self.tap(broker, "none")
        link = self.link(broker.port)
        client = self.online("in")
        tap.publish("in", b"x" * (64 * 1024 * 1024))
        self.assertIn("more than", client.expect(OFFLINE)[4].decode())
        with open(f"/proc/{link.popen.pid}/status") as f:
            peak_kib = int([l for l in f if l.startswith("VmHWM")][0].split()[1])
        with open(LINK, "rb") as f:
            sanitized = b"__asan_init" in f.read()
        if not sanitized:  # a sanitizer has memory of its own
            self.assertLess(peak_kib, 48 * 1024)

    def test_a_broker_that_breaks_the_rules_is_left(self):
        """QoS 2 that nobody asked for, and pings: libmosquitto would keep and answer them without bound."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_cert, self.server_key)
        context.load_verify_locations(self.ca.path)
        trap = socket.create_server(("127.0.0.1", 0))
        trap.settimeout(60)
        self.addCleanup(trap.close)
        self.link(trap.getsockname()[1])
        client = self.client()
        client.attach()
        for packet, word in ((b"\x34\x07\0\1t\0\1xx", "QoS 2"), (b"\xc0\0", "no broker sends")):
            raw, _ = trap.accept()
            raw.settimeout(60)
            with context.wrap_socket(raw, server_side=True) as broker:
                broker.recv(1000)
                broker.sendall(b"\x20\2\0\0" + packet * 1000)
                while word not in client.expect(OFFLINE)[4].decode():
                    pass

    def test_bad_topics_are_refused(self):
        broker = self.broker()
        self.link(broker.port)
        client = self.online()
        for i, topic in enumerate(["a/+", "#", ""]):
            client.send(PUBLISH, 0, i + 1, topic, b"x")
            self.assertEqual(client.expect(NACK, ident=i + 1)[4], b"bad topic")

    def test_slow_client_stops_the_reading_and_loses_nothing(self):
        broker = self.broker(extra="max_queued_messages 0\nmax_inflight_messages 0\n")
        tap = self.tap(broker, "none")
        link = self.link(broker.port)
        client = self.online("flood")
        n, size = 300, 60000  # 18 MB: above what the link may hold
        for i in range(n):
            tap.client.publish("flood", struct.pack(">I", i) + b"z" * size, 1)
        tap.publish("none", b"all sent")
        wait_until("the flood is at the link", lambda: rss_kib(link.popen.pid) > 0 and tap.messages)
        got = [struct.unpack(">I", client.expect(MESSAGE, "flood")[4][:4])[0] for _ in range(n)]
        self.assertEqual(got, list(range(n)))

    # --- the socket ---------------------------------------------------------------------------------------------

    def test_socket_mode_and_stale_file(self):
        broker = self.broker()
        link = self.link(broker.port)
        self.online().close()
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o660)
        second = subprocess.run([LINK, "--config", self.config(broker.port)], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("another loa-link answers", second.stderr)
        link.kill(signal.SIGKILL)
        self.assertTrue(os.path.exists(self.socket))
        self.link(broker.port)
        self.online()

    def test_a_file_in_the_place_of_the_socket_is_left_alone(self):
        with open(self.socket, "w") as f:
            f.write("precious")
        r = subprocess.run([LINK, "--config", self.config(1)], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("is not a socket", r.stderr)
        with open(self.socket) as f:
            self.assertEqual(f.read(), "precious")

    def test_garbage_ends_the_connection_only(self):
        broker = self.broker()
        link = self.link(broker.port)
        head = struct.Struct(">IBBIH")
        bad = [b"\xff" * 64, b"\0\0\0\0" + b"x" * 20, head.pack(7, 1, 0, 0, 0),
               head.pack(8 + 255 + 128 * 1024 + 1, 4, 0, 0, 1), head.pack(9, 4, 0, 0, 300) + b"x" * 300,
               head.pack(9, 4, 0, 0, 200) + b"x" * 200, head.pack(10, 4, 0, 0, 2) + b"\xc3\x28",
               head.pack(8, 99, 0, 0, 0), head.pack(8, 1, 0, 0, 0), head.pack(9, 1, 0, 0, 0) + b"{",
               head.pack(8, 4, 0, 0, 0), head.pack(10, 1, 0, 0, 0) + b"[]",
               b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]
        for data in bad:
            client = self.client()
            client.sock.sendall(data)
            client.expect_end()
        for body in [{"subscribe": "x"}, {"subscribe": [1]}, {"subscribe": ["a/#/b"]}, {"subscribe": ["t"] * 2 + [""]},
                     {"subscribe": [f"t{i}" for i in range(257)]}, {"will": {"topic": "#", "payload": ""}},
                     {"will": {"topic": "a"}}, {"will": []}, {"will": {"topic": "a" * 300, "payload": ""}}]:
            client = self.client()
            client.send(ATTACH, body=body)
            client.expect_end()
        client = self.online()
        client.attach()  # a second time
        client.expect_end()
        for kind, name, body in [(FETCH, "xyz", {"size": 1}), (FETCH, "0" * 64, {"size": -1}), (FETCH, "0" * 64, b"1"),
                                 (TIME, "", {"signed_ms": "now"}), (SUBSCRIBE, "a/#/b", b""), (ONLINE, "", b"")]:
            client = self.online()
            client.send(kind, name=name, body=body)
            client.expect_end()
        self.online()
        self.assertIsNone(link.popen.poll())

    def test_256_subscriptions_and_frames_in_pieces(self):
        broker = self.broker()
        tap = self.tap(broker)
        self.link(broker.port)
        client = self.client()
        topics = [f"loa/1/area/{i:03d}-{'x' * 100}/inforce" for i in range(256)]
        body = json.dumps({"subscribe": topics}).encode()
        rest = struct.pack(">BBIH", ATTACH, 0, 0, 0) + body
        data = struct.pack(">I", len(rest)) + rest
        for i in range(0, len(data), 997):
            client.sock.sendall(data[i:i + 997])
        client.expect(ONLINE)
        tap.publish(topics[255], b"last")
        client.expect(MESSAGE, topics[255])

    def test_as_many_subscriptions_as_a_centre_has_devices(self):
        """Thousands, before and after ONLINE; all are there again after the broker came back."""
        broker = self.broker()
        tap = self.tap(broker)
        self.link(broker.port)
        client = self.client()
        client.attach("loa/1/keys")
        for i in range(6000):
            client.send(SUBSCRIBE, name=f"loa/1/dev/d-{i}/state")
        client.expect(ONLINE)
        for i in (0, 63, 64, 5999):
            tap.publish(f"loa/1/dev/d-{i}/state", b"here")
            client.expect(MESSAGE, f"loa/1/dev/d-{i}/state")
        client.send(UNSUBSCRIBE, name="loa/1/dev/d-64/state")
        broker.stop()
        client.expect(OFFLINE)
        broker.start()
        client.expect(ONLINE)
        tap = self.tap(broker)
        for i in (64, 5999):
            tap.publish(f"loa/1/dev/d-{i}/state", b"again")
        client.expect(MESSAGE, "loa/1/dev/d-5999/state")
        self.assertNotIn("loa/1/dev/d-64/state", [f[3] for f in client.seen if f[0] == MESSAGE and f[4] == b"again"])

    # --- TLS ----------------------------------------------------------------------------------------------------

    def test_the_window_of_a_welcome(self):
        """A session that was lost comes back at a random moment of the window that the client was told."""
        broker = self.broker()
        self.link(broker.port)
        client = self.client()
        client.send(SPREAD, body={"spread_s": 0})
        client.attach()
        client.expect(ONLINE)
        client.send(SPREAD, body={"spread_s": 3600})
        broker.stop(signal.SIGKILL)
        client.expect(OFFLINE)
        waits = wait_until("a next try", lambda: re.findall(r"next try in (\d+) ms", self.link_process.text())[1:])
        self.assertGreater(int(waits[0]), 500, "backoff_max_s alone is half a second; wrong once in 7,000 runs")
        client.send(SPREAD, body={"spread_s": 86401})
        client.expect_end()

    def test_wrong_host_name_is_refused(self):
        cert, key = self.ca.issue("other", hosts=["broker.example"])
        broker = self.broker(cert, key)
        self.link(broker.port)
        client = self.client()
        client.attach()
        self.assertIn("certificate", client.expect(OFFLINE)[4].decode().lower())
        self.assertIn("ostname mismatch", client.seen[-1][4].decode())

    def test_numeric_host_is_checked_too(self):
        cert, key = self.ca.issue("named-only", hosts=["localhost"])
        broker = self.broker(cert, key)
        self.link(broker.port, host="127.0.0.1")
        client = self.client()
        client.attach()
        self.assertIn("IP address mismatch", client.expect(OFFLINE)[4].decode())
        good = self.broker()
        self.link_process.kill()
        self.link(good.port, host="127.0.0.1")
        self.online()

    def test_foreign_authority_is_refused(self):
        folder = os.path.join(self.dir, "foreign")
        os.mkdir(folder)
        cert, key = Authority(folder).issue("broker", hosts=["localhost"])
        broker = self.broker(cert, key)
        self.link(broker.port)
        client = self.client()
        client.attach()
        self.assertIn("certificate", client.expect(OFFLINE)[4].decode())

    def test_foreign_client_certificate_is_refused_by_the_broker(self):
        folder = os.path.join(self.dir, "foreign")
        os.mkdir(folder)
        cert, key = Authority(folder).issue("box-1")
        broker = self.broker()
        self.link(broker.port, cert=cert, key=key)
        client = self.client()
        client.attach()
        self.assertIn(str(broker.port), client.expect(OFFLINE)[4].decode())
        self.assertNotIn(ONLINE, [f[0] for f in client.seen])

    def test_expired_certificate_is_refused(self):
        now = datetime.datetime.utcnow()
        cert, key = self.ca.issue("old", hosts=["localhost"], start=now - datetime.timedelta(days=9),
                                  end=now - datetime.timedelta(days=1))
        broker = self.broker(cert, key)
        self.link(broker.port)
        client = self.client()
        client.attach()
        self.assertIn("certificate has expired", client.expect(OFFLINE)[4].decode())

    def in_1970(self):
        clock = Clock(BUILD, os.path.join(self.dir, "clock"), at=86400)
        self.addCleanup(clock.close)
        year = subprocess.run(["date", "+%Y"], env=dict(os.environ, **clock.env()), capture_output=True, text=True)
        self.assertEqual(year.stdout, "1970\n")
        return {"env": clock.env()}

    def test_clock_in_1970_is_no_obstacle(self):
        broker = self.broker()
        self.start_media()
        name = self.blob(b"early" * 1000)
        self.link(broker.port, **self.in_1970())
        client = self.client()
        client.send(TIME, body={"signed_ms": int(time.time() * 1000)})
        client.attach()
        client.expect(ONLINE)
        client.send(FETCH, 0, 1, name, {"size": 5000})
        client.expect(FETCHED, ident=1)

    def test_not_yet_valid_certificate_waits_for_signed_time(self):
        start = datetime.datetime.utcnow() + datetime.timedelta(days=2)
        cert, key = self.ca.issue("young", hosts=["localhost"], start=start)
        broker = self.broker(cert, key)
        self.link(broker.port, **self.in_1970())
        client = self.client()
        client.attach()
        self.assertIn("not yet valid", client.expect(OFFLINE)[4].decode())
        client.send(TIME, body={"signed_ms": int((time.time() + 3 * 86400) * 1000)})
        client.expect(ONLINE)

    def test_signed_time_wakes_a_long_wait(self):
        start = datetime.datetime.utcnow() + datetime.timedelta(days=2)
        cert, key = self.ca.issue("young", hosts=["localhost"], start=start)
        broker = self.broker(cert, key)
        config = self.config(broker.port)
        with open(config) as f:
            text = f.read().replace("backoff_max_s = 0.5", "backoff_max_s = 3600")
        with open(config, "w") as f:
            f.write(text)
        process = Process([LINK, "--config", config], os.path.join(self.dir, "link.log"))
        self.addCleanup(process.kill)
        client = self.client()
        client.attach()
        client.expect(OFFLINE)
        # Several failures later the wait is long; the new time ends it at once.
        wait_until("some tries", lambda: process.text().count("next try in") >= 5)
        client.send(TIME, body={"signed_ms": int((time.time() + 3 * 86400) * 1000)})
        client.expect(ONLINE, deadline_s=15)

    # --- downloads ----------------------------------------------------------------------------------------------

    def blob(self, data):
        name = hashlib.sha256(data).hexdigest()
        self.media.files[name] = data
        return name

    def media_client(self, **kwargs):
        """Downloads do not need the broker: there is none."""
        self.start_media()
        self.link(free_port(), **kwargs)
        client = self.client()
        client.attach()
        return client

    def check_fetched(self, frame, data):
        body = json.loads(frame[4])
        self.assertEqual(body["size"], len(data))
        with open(body["path"], "rb") as f:
            self.assertEqual(f.read(), data)
        self.assertFalse(os.path.exists(body["path"] + ".part"))
        return body["path"]

    def test_download(self):
        client = self.media_client()
        data = os.urandom(3_000_000)
        name = self.blob(data)
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.check_fetched(client.expect(FETCHED, name, 5), data)

    def test_truncated_server_is_resumed(self):
        client = self.media_client()
        data = os.urandom(1_000_000)
        name = self.blob(data)
        self.media.mode[name] = ["cut", "cut", "right"]
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.assertFalse(json.loads(client.expect(NOT_FETCHED, name, 5)[4])["final"])
        self.check_fetched(client.expect(FETCHED, name, 5), data)
        self.assertEqual([r[1] for r in self.media.requests], [None, "bytes=500000-", "bytes=750000-"])
        self.assertEqual(len([f for f in client.seen if f[0] == NOT_FETCHED]), 1, "told once per kind")

    def test_resume_over_a_restart_of_the_link(self):
        client = self.media_client()
        data = os.urandom(1_000_000)
        name = self.blob(data)
        os.makedirs(self.spool, exist_ok=True)
        with open(os.path.join(self.spool, name + ".part"), "wb") as f:
            f.write(data[:400_000])
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.check_fetched(client.expect(FETCHED, name, 5), data)
        self.assertEqual(self.media.requests, [(name, "bytes=400000-")])

    def test_complete_file_needs_no_request(self):
        client = self.media_client()
        data = os.urandom(100_000)
        name = hashlib.sha256(data).hexdigest()
        for suffix in ("", ".part"):
            with open(os.path.join(self.spool, name + suffix), "wb") as f:
                f.write(data)
            client.send(FETCH, 0, 5, name, {"size": len(data)})
            os.remove(self.check_fetched(client.expect(FETCHED, name, 5), data))
        self.assertEqual(self.media.requests, [])

    def test_server_without_ranges_starts_over(self):
        client = self.media_client()
        data = os.urandom(500_000)
        name = self.blob(data)
        self.media.mode[name] = ["cut", "no-range"]
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.check_fetched(client.expect(FETCHED, name, 5), data)

    def test_416_starts_over(self):
        client = self.media_client()
        data = os.urandom(500_000)
        name = self.blob(data)
        self.media.mode[name] = ["cut", 416]
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.check_fetched(client.expect(FETCHED, name, 5), data)
        self.assertEqual([r[1] for r in self.media.requests], [None, "bytes=250000-", None])

    def test_altered_bytes_are_thrown_away_and_fetched_again(self):
        client = self.media_client()
        data = os.urandom(500_000)
        name = self.blob(data)
        self.media.mode[name] = ["altered"]
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        told = json.loads(client.expect(NOT_FETCHED, name, 5)[4])
        self.assertFalse(told["final"])
        self.assertIn("hash", told["why"])
        self.check_fetched(client.expect(FETCHED, name, 5), data)
        self.assertEqual([r[1] for r in self.media.requests], [None, None])

    def test_altered_part_on_disk_is_thrown_away(self):
        client = self.media_client()
        data = os.urandom(500_000)
        name = self.blob(data)
        with open(os.path.join(self.spool, name + ".part"), "wb") as f:
            f.write(b"x" * len(data))
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.check_fetched(client.expect(FETCHED, name, 5), data)

    def test_wrong_sizes(self):
        client = self.media_client()
        data = os.urandom(500_000)
        name = self.blob(data)
        self.media.mode[name] = ["shorter", "longer"]
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.assertFalse(json.loads(client.expect(NOT_FETCHED, name, 5)[4])["final"])
        told = json.loads(client.expect(NOT_FETCHED, name, 5)[4])
        self.assertTrue(told["final"])
        self.assertIn("500001", told["why"])
        self.assertEqual(os.listdir(self.spool), [])

    def test_endless_answer_is_cut_at_the_stated_size(self):
        client = self.media_client()
        data = os.urandom(500_000)
        name = self.blob(data)
        self.media.mode[name] = ["endless"]
        client.send(FETCH, 0, 5, name, {"size": len(data)})
        self.assertTrue(json.loads(client.expect(NOT_FETCHED, name, 5)[4])["final"])
        self.assertEqual(os.listdir(self.spool), [])

    def test_statuses(self):
        client = self.media_client()
        client.send(FETCH, 0, 1, "0" * 64, {"size": 10})
        told = json.loads(client.expect(NOT_FETCHED, ident=1)[4])
        self.assertTrue(told["final"])
        self.assertIn("404", told["why"])
        name = self.blob(b"abc" * 100)
        self.media.mode[name] = [503, 302, "right"]
        client.send(FETCH, 0, 2, name, {"size": 300})
        told = json.loads(client.expect(NOT_FETCHED, ident=2)[4])
        self.assertFalse(told["final"])
        self.assertIn("503", told["why"])
        self.check_fetched(client.expect(FETCHED, ident=2), b"abc" * 100)

    def test_urgent_before_bulk(self):
        client = self.media_client()
        bulk = [self.blob(os.urandom(1000)) for _ in range(4)]
        urgent = self.blob(os.urandom(1000))
        self.media.gate.clear()
        for name in bulk:
            self.media.mode[name] = ["gate"]
        for i, name in enumerate(bulk):
            client.send(FETCH, 0, i + 1, name, {"size": 1000})
        wait_until("two run", lambda: len(self.media.requests) == 2)
        client.send(FETCH, URGENT, 9, urgent, {"size": 1000})
        self.assertEqual(client.expect(FETCHED)[2], 9, "an urgent one takes the place of a bulk one that runs")
        self.media.gate.set()
        rest = [client.expect(FETCHED)[2] for _ in range(4)]
        self.assertEqual(sorted(rest), [1, 2, 3, 4])

    def test_a_trickle_gives_way_and_is_resumed(self):
        client = self.media_client(pace="min_bytes_s = 1000; slow_s = 1;")
        slow = [os.urandom(200_000) for _ in range(2)]
        quick = [os.urandom(2000) for _ in range(6)]
        for i, data in enumerate(slow):
            self.media.mode[self.blob(data)] = ["trickle"] * 1000
            client.send(FETCH, URGENT if i else 0, i, self.blob(data), {"size": len(data)})
        wait_until("both places are taken", lambda: len(self.media.requests) == 2)
        for i, data in enumerate(quick):
            client.send(FETCH, 0, 10 + i, self.blob(data), {"size": len(data)})
        got = [client.expect(FETCHED)[2] for _ in quick]
        self.assertEqual(sorted(got), list(range(10, 16)))
        told = [json.loads(f[4]) for f in client.seen if f[0] == NOT_FETCHED]
        self.assertTrue(told and all("less than 1000 bytes a second for 1 s" in t["why"] and not t["final"] for t in told))
        self.media.fast.set()
        for data in slow:
            self.media.mode[self.blob(data)].clear()
        for _ in slow:
            frame = client.expect(FETCHED)
            self.check_fetched(frame, slow[frame[2]])
        resumed = [r[1] for r in self.media.requests if r[0] == self.blob(slow[0]) and r[1]]
        self.assertTrue(resumed, "what came was kept")

    def test_cancel_and_many(self):
        client = self.media_client()
        blobs = [os.urandom(2000 + i) for i in range(40)]
        names = [self.blob(b) for b in blobs]
        self.media.gate.clear()
        self.media.mode[names[0]] = ["gate"]
        for i, name in enumerate(names):
            client.send(FETCH, 0, i, name, {"size": len(blobs[i])})
        client.send(CANCEL, ident=0)
        got = {client.expect(FETCHED)[2] for _ in range(39)}
        self.assertEqual(got, set(range(1, 40)))
        self.media.gate.set()
        for i in range(600):
            client.send(FETCH, 0, 1000 + i, f"{i:064x}", {"size": 7})
        finals = [client.expect(NOT_FETCHED) for _ in range(600)]
        self.assertTrue(all(json.loads(f[4])["final"] for f in finals))

    def test_media_without_configuration(self):
        broker = self.broker()
        self.link(broker.port)
        client = self.online()
        client.send(FETCH, 0, 1, "0" * 64, {"size": 10})
        self.assertTrue(json.loads(client.expect(NOT_FETCHED, ident=1)[4])["final"])

    def test_wrong_media_host_is_refused(self):
        cert, key = self.ca.issue("other-media", hosts=["media.example"])
        self.media = Media(self.ca.path, cert, key)
        self.addCleanup(self.media.close)
        self.link(free_port())
        client = self.client()
        client.attach()
        name = self.blob(b"abc")
        client.send(FETCH, 0, 1, name, {"size": 3})
        self.assertFalse(json.loads(client.expect(NOT_FETCHED, ident=1)[4])["final"])
        self.assertEqual(self.media.requests, [])

    # --- configuration ------------------------------------------------------------------------------------------

    def check(self, text):
        path = os.path.join(self.dir, "bad.cfg")
        with open(path, "w") as f:
            f.write(text)
        r = subprocess.run([LINK, "--config", path, "--check"], capture_output=True, text=True, timeout=30)
        return r, path

    def test_configuration_errors_name_file_and_line(self):
        with open(self.config(8883)) as f:
            good = f.read()
        r, path = self.check(good)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        for old, new, say in [('client_id = "box-1"', 'client_id = "Box 1"', "client_id"),
                              ("port = 8883", "port = 0", "'port' is 0"), ("port = 8883", "prot = 8883", "'prot'"),
                              ("keepalive_s = 60", "keepalive_s = 4", "keepalive_s"),
                              (self.ca.path, "/nonexistent/ca.pem", "/nonexistent/ca.pem"),
                              (self.box_key, self.root, "is not a file"),
                              ('socket = "', 'socket = "' + "x" * 110, "socket"), ("spread_s = 0", "spread_s = -1", "spread_s"),
                              ('log = "debug"', 'log = "loud"', "log"), ("broker = {", "broker = 1; b = {", "broker"),
                              ("spread_s = 0;", "spread_s = ;", "syntax"),
                              ("spread_s = 0;", 'media = { url = "http://x/"; };', "https://"),
                              ("spread_s = 0;", 'media = { url = "https://x"; };', "must end with /")]:
            r, path = self.check(good.replace(old, new, 1))
            self.assertEqual(r.returncode, 1, new)
            self.assertRegex(r.stderr, rf"^loa-link: {path}:\d+: .*", new)
            self.assertIn(say, r.stderr)
        r, path = self.check(good.replace(self.box_key, self.server_key))
        self.assertEqual(r.returncode, 1)
        self.assertIn(self.server_key, r.stderr)
        for argv, status in [([], 2), (["--wrong"], 2), (["--config", "/nonexistent"], 1), (["--help"], 0), (["--version"], 0)]:
            self.assertEqual(subprocess.run([LINK, *argv], capture_output=True, timeout=30).returncode, status)


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int([line for line in f if line.startswith("VmRSS")][0].split()[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
