"""The page in Debian's Chromium, at phone width: entering with a token, devices and receipts, and both live."""
import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import unittest
import urllib.request

from kit import World, free_port, wait_for
from test_fleet import Box


class Tab:
    """One page of Chromium over its DevTools socket (RFC 6455, masked client frames)."""

    def __init__(self, address):
        host, path = address[len("ws://"):].split("/", 1)
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)), timeout=120)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(1)
        self.last_id, self.problems = 0, []

    def read(self, count):
        data = b""
        while len(data) < count:
            data += self.socket.recv(count - len(data))
        return data

    def receive(self):
        length = self.read(2)[1] & 127
        if length >= 126:
            length = struct.unpack(">H" if length == 126 else ">Q", self.read(2 if length == 126 else 8))[0]
        return json.loads(self.read(length))

    def call(self, method, **params):
        self.last_id += 1
        data = json.dumps({"id": self.last_id, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + struct.pack(">H", len(data))
        self.socket.sendall(b"\x81" + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))
        while True:
            answer = self.receive()
            if answer.get("id") == self.last_id:
                return answer["result"]
            if answer["method"] == "Runtime.exceptionThrown" or "Content Security Policy" in json.dumps(answer):
                self.problems.append(answer["params"])

    def ask(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


@unittest.skipUnless(shutil.which("chromium"), "Debian's chromium is not installed")
class Page(unittest.TestCase):
    def setUp(self):
        self.w = World(network=True).__enter__()
        self.addCleanup(self.w.__exit__, None, None, None)
        self.w.add_places()
        self.w.seal_trust()
        self.bulletin = self.w.add_bulletin()["hash"]
        self.box = Box(self.w).start()
        self.addCleanup(self.box.stop, True)
        wait_for("welcome", lambda: self.box.got.get("welcome"))
        port = free_port()
        home = self.w.path("browser-home")
        os.makedirs(home)
        browser = subprocess.Popen(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
                                    f"--remote-debugging-port={port}", "--remote-allow-origins=*",
                                    "--user-data-dir=" + self.w.path("browser"), "about:blank"],
                                   env=dict(os.environ, TMPDIR=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(browser.wait)
        self.addCleanup(browser.terminate)

        def pages():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                    return [page for page in json.load(answer) if page["type"] == "page"]
            except OSError:
                return None
        self.tab = Tab(wait_for("chromium", pages)[0]["webSocketDebuggerUrl"])
        self.addCleanup(self.tab.socket.close)
        for domain in ("Log", "Runtime", "Page"):
            self.tab.call(domain + ".enable")
        self.tab.call("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=True)
        self.tab.call("Emulation.setTimezoneOverride", timezoneId="America/New_York")  # the reader is elsewhere
        self.tab.call("Page.navigate", url=f"https://127.0.0.1:{self.w.api_port}/")
        wait_for("the form", lambda: self.tab.ask("document.querySelector('#enter button')?.textContent") == "Vào")

    def text(self, id):
        return self.tab.ask(f"document.getElementById('{id}').innerText") or ""

    def enter(self, token):
        self.tab.ask(f"document.getElementById('token').value = '{token}'; document.querySelector('#enter button').click()")

    def say(self, n, **more):
        receipt = self.box.receipt(n, self.bulletin, **more)
        self.box.say("receipt", self.w.box.seal("receipt", {k: v for k, v in receipt.items() if v is not None}))

    def test_devices_and_receipts_live(self):
        self.enter("loa_wrong")
        wait_for("the refusal", lambda: "Mã truy cập" in self.text("enter-problem"))
        self.say(1, reason="not_approved", started_ms=0, ended_ms=0, evidence=None)
        wait_for("stored", lambda: self.w.get("receipts")["items"])
        self.enter(self.w.token)
        wait_for("the first receipt", lambda: "chưa được duyệt" in self.text("receipts"))
        self.assertEqual(self.tab.ask("getComputedStyle(document.getElementById('enter')).display"), "none")
        wait_for("the device", lambda: "đang kết nối" in self.text("devices"))
        wait_for("the link", lambda: self.text("link") == "Máy chủ: kết nối tốt")
        self.say(2, planned_ms=1782856799996, evidence={"sound": {"frames_expected": 48000, "frames": 24000, "xruns": 1, "start_error_us": 1}})
        wait_for("a live one", lambda: "âm thanh phát 50%" in self.text("receipts"))
        self.assertIn("chưa có bằng chứng", self.text("receipts"))
        self.assertIn("05:00:00", self.text("receipts"))
        self.say(3, evidence={"sound": {"frames_expected": 48000, "frames": 48010, "xruns": 0, "start_error_us": 1},
                              "amplifier": {"commanded": True, "power": True, "seen": True, "level_mb": -1200,
                                            "temperature_c": 41, "faults": []}})
        wait_for("evidence", lambda: "– có bằng chứng" in self.text("receipts"))
        self.assertLessEqual(self.tab.ask("document.documentElement.scrollWidth"), 360)
        self.box.stop()
        wait_for("lost", lambda: "mất kết nối" in self.text("devices"))
        self.tab.ask("const s = document.getElementById('language'); s.value = 'en'; s.dispatchEvent(new Event('change'))")
        wait_for("English", lambda: "not approved" in self.text("receipts"))
        self.assertEqual(self.tab.problems, [])

    def test_server_away(self):
        """The token stays, the cards are dimmed, and all comes back by itself."""
        dimmed = "document.getElementById('board').classList.contains('stale')"
        self.tab.call("Network.enable")
        self.tab.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.enter(self.w.token)
        wait_for("the loss", lambda: "Mất kết nối với máy chủ" in self.text("link") and self.tab.ask(dimmed))
        self.assertEqual(self.tab.ask("sessionStorage.getItem('token')"), self.w.token)
        self.tab.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        wait_for("the device", lambda: "đang kết nối" in self.text("devices") and not self.tab.ask(dimmed))
        wait_for("the link", lambda: self.text("link") == "Máy chủ: kết nối tốt")
        self.w.kill()
        wait_for("the loss", lambda: "Mất kết nối với máy chủ" in self.text("link") and self.tab.ask(dimmed))
        self.assertIn("Nà Lình", self.text("devices"))


if __name__ == "__main__":
    unittest.main()
