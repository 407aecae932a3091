"""Bad input at every edge gets a sentence that says what is wrong and where, and changes nothing in the store."""

import hashlib
import json
import os
import sqlite3
import struct
import time
import unittest

from world import SOURCE, Refused, WorldTest, seals

PROFILES = os.path.join(SOURCE, "boards", "profiles")
GOOD_DEVICE = {"id": "xau-1", "kind": "loudspeaker", "area": "a001", "name": "Xấu"}
HASH0 = "0" * 64


def changed(base, **more):
    return {k: v for k, v in dict(base, **more).items() if v is not None}


class BadInput(WorldTest):
    @classmethod
    def plans(cls):
        return []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sample = cls.world.bulletin({"vi": "Tốt"}, seconds=1)
        cls.cases = 0

    @classmethod
    def tearDownClass(cls):
        print(f"{cls.cases} bad inputs", flush=True)
        super().tearDownClass()

    def store(self):
        """A hash over all that the controller's database holds, row by row."""
        path = os.path.join(self.world.path("centre", "state"), "controller.db")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return hashlib.sha256("\n".join(sorted(db.iterdump())).encode()).hexdigest()

    def run(self, result=None):
        before = self.store() if hasattr(type(self), "world") else None
        super().run(result)
        if before is not None and self.store() != before:
            result.addFailure(self, (AssertionError, AssertionError("the store has changed"), None))

    def api(self, method, path, body=None, says="", status=422, type=None, token=None):
        """One bad request: problem+json with this status, whose sentence contains `says`."""
        type_ = type or ("application/json" if body is not None else None)
        BadInput.cases += 1
        with self.subTest(f"{method} {path} {str(body)[:60]} -> {says}"):
            keep = self.world.api.token
            if token is not None:
                self.world.api.token = token
            try:
                with self.assertRaises(Refused) as caught:
                    self.world.api.send(method, path, body, type_)
            finally:
                self.world.api.token = keep
            self.assertEqual(caught.exception.status, status, caught.exception.problem)
            problem = caught.exception.problem
            self.assertEqual(problem.get("status"), status)
            self.assertGreater(len(problem.get("detail", "")), 15, problem)
            self.assertIn(says, problem["detail"] + " " + problem.get("member", ""))

    def test_1_requests(self):
        api = self.api
        api("GET", "/nowhere", says="/nowhere", status=404)
        api("PUT", "/devices", {}, status=405)
        api("GET", "/devices", status=401, token="loa_wrong")
        api("GET", "/devices", status=401, token="x" * 4000)
        api("GET", "/devices?limit=0", says="limit", status=400)
        api("GET", "/devices?limit=abc", says="limit", status=400)
        api("GET", "/devices?colour=red", says="colour", status=400)
        api("GET", "/receipts?from=yesterday", says="from", status=400)
        api("GET", "/receipts?after=-1x", says="after", status=400)
        api("GET", "/devices/nobody", says="nobody", status=404)
        api("GET", "/devices/A%00B", status=404)
        api("GET", f"/bulletins/{HASH0}", says=HASH0, status=404)
        api("GET", "/media/zz", status=404)
        api("POST", "/rules", b"{", says="", status=400)
        api("POST", "/rules", b"", status=400)
        api("POST", "/rules", b"\xff\xfe{}", status=400)
        api("POST", "/rules", b"[" * 3000, status=400)
        api("POST", "/rules", b'{"bulletin": "a", "bulletin": "b"}', status=400)
        api("POST", "/rules", b'{"id": "' + b"x" * 300000 + b'"}', status=413)
        api("POST", "/rules", b"a=b", status=415, type="application/x-www-form-urlencoded")
        api("DELETE", "/rules/none", says="none", status=404)

    def test_2_devices_and_areas(self):
        api = self.api
        for more, says in (({"id": "Xấu"}, "id"), ({"id": "a" * 41}, "id"), ({"id": "-a"}, "id"), ({"id": "../a"}, "id"), ({"id": None}, "id"),
                           ({"kind": "lamp"}, "loudspeaker, board"), ({"kind": 3}, "kind"), ({"name": ""}, "name"), ({"name": "x" * 3000}, "name"),
                           ({"colour": "red"}, "colour"), ({"delay_ms": -1}, "delay_ms"), ({"delay_ms": 1.5}, "delay_ms"),
                           ({"zone": "Mars/Base"}, "Mars/Base"), ({"zone": "../etc/passwd"}, "zone"), ({"languages": []}, "languages"),
                           ({"quiet_hours": [{"from": "25:00", "to": "05:00"}]}, "25:00"), ({"gain_ceilings": [{"from": "05:00", "to": "06:00", "gain_mb": 99999}]}, "gain_mb"),
                           ({"box": {"serial": "1", "x": "short"}}, "x")):
            api("POST", "/devices", changed(GOOD_DEVICE, **more), says)
        api("POST", "/devices", changed(GOOD_DEVICE, area="a999"), "a999")
        api("POST", "/areas", {"items": [{"id": "b1", "parent": "b2", "kind": "commune", "name": "Một"}]}, "b2")
        api("POST", "/areas", {"items": [{"id": "b1", "parent": "b2", "kind": "commune", "name": "Một"},
                                         {"id": "b2", "parent": "b1", "kind": "commune", "name": "Hai"}]}, "b")
        api("POST", "/areas", {"items": [{"id": "b1", "parent": "a000", "kind": "planet", "name": "Một"}]}, "items[0].kind")
        api("POST", "/areas", {"items": []}, "items")
        api("POST", "/devices/nobody/commands", {"command": "restart"}, "nobody", 404)
        api("POST", "/tokens", {"unit": "a000", "role": "king"}, "viewer, technician")
        api("POST", "/tokens", {"unit": "a999", "role": "viewer"}, "a999", 403)

    def test_3_bulletins_and_rules(self):
        api = self.api
        good = {"title": "Thử", "category": "thử", "answerable": "Lan", "contents": [{"lang": "vi", "text": "Chào"}]}
        for more, says in (({"title": None}, "title"), ({"title": "x" * 5000}, "title"), ({"contents": []}, "contents"),
                           ({"contents": [{"lang": "vi"}]}, "contents[0]"), ({"contents": [{"lang": "v!", "text": "a"}]}, "lang"),
                           ({"contents": [{"lang": "vi", "text": "a"}, {"lang": "vi", "text": "b"}]}, "contents[1]"),
                           ({"contents": [{"lang": "vi", "audio": HASH0}]}, "audio"), ({"contents": [{"lang": "vi", "text": "x" * 5000}]}, "text"),
                           ({"class": "urgent"}, "filler, normal")):
            api("POST", "/bulletins", changed(good, **more), says)
        api("POST", "/bulletins", changed(good, unit="a999"), "a999", 403)
        rule = {"bulletin": self.sample.hash, "when": "once", "date": "2099-01-01", "times": ["05:00"], "areas": ["a000"]}
        for more, says in (({"bulletin": HASH0}, "bulletin"), ({"bulletin": "abc"}, "bulletin"), ({"when": "sometimes"}, "once, daily"),
                           ({"date": None}, "date"), ({"date": "2026-02-30"}, "2026-02-30"), ({"date": "tomorrow"}, "tomorrow"),
                           ({"times": []}, "times"), ({"times": ["25:00"]}, "25:00"), ({"times": ["05:00", "05:00"]}, "times[1]"),
                           ({"times": "05:00"}, "times"), ({"areas": ["a999"]}, "a999"), ({"areas": None}, "areas"),
                           ({"devices": ["nobody"], "areas": None}, "nobody"), ({"class": "emergency"}, "emergency"), ({"class": "priority"}, "class"),
                           ({"gain_mb": 100}, "gain_mb"), ({"late_ms": -1}, "late_ms"), ({"zone": "Asia/Nowhere"}, "Asia/Nowhere"),
                           ({"policy": "repeat"}, "drop, resume"), ({"date": "2020-01-01"}, "past"), ({"when": "daily", "date": None, "from": "2026-09-01", "until": "2026-08-01"}, "until"),
                           ({"kinds": ["radio"]}, "radio")):
            api("POST", "/rules", changed(rule, **more), says)

    def test_4_documents(self):
        registrar, stranger = seals.Key(self.world.registrar["file"]), seals.Key()
        person = seals.Key(self.world.persons["lan"]["file"])
        now = int(time.time() * 1000)
        approval = dict(seals.head("all"), bulletin=self.sample.hash, areas=["a000"], **{"class": "normal"}, from_ms=now, until_ms=now + 86400000)

        def post(path, body, says=""):
            self.api("POST", path, body, says, type="application/jose")

        post("/trust", "not.a.jws!")
        post("/trust", "a.b")
        post("/trust", stranger.seal("loa-trust", dict(seals.head("all"), registrars=[], schedulers=[])))
        post("/keys", stranger.seal("loa-keys", dict(seals.head("all"), persons=[])))
        post("/keys", registrar.seal("loa-trust", dict(seals.head("all"), persons=[])))
        post("/keys", registrar.seal("loa-keys", dict(seals.head("dev/x"), persons=[])))
        post("/keys", registrar.seal("loa-keys", dict(seals.head("all"), persons=[{"kid": "x"}])), "persons[0]")
        post("/keys", registrar.seal("loa-keys", dict(seals.head("all"), persons=[]), alg="none"))
        post("/approvals", stranger.seal("loa-approval", approval))
        post("/approvals", person.seal("loa-approval", dict(approval, bulletin=HASH0)))
        post("/approvals", person.seal("loa-approval", changed(approval, areas=None)), "areas")
        post("/approvals", person.seal("loa-approval", dict(approval, exp=now // 1000 - 5, iat=now // 1000 - 50)))
        post("/approvals", person.seal("loa-approval", dict(approval, until_ms=now - 1000, from_ms=now - 2000)))
        good = person.seal("loa-approval", approval)
        post("/approvals", good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB"))
        post("/approvals", person.seal("loa-approval", b"{" + b" " * (2 << 20) + b"}", deflate=True))

    def wav(self, frames, channels=1, rate=48000, claim=None, data=None):
        data = data if data is not None else bytes(frames * channels * 2)
        head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16)
        return head + b"data" + struct.pack("<I", len(data) if claim is None else claim) + data

    def test_5_sounds(self):
        def post(data, says=""):
            self.api("POST", "/media?name=xau.wav", data, says, type="audio/wav")

        noise = os.urandom(2 * 48000)
        post(b"RIFF")
        post(b"this is not sound at all, but a text" * 20)
        post(os.urandom(5000))
        post(self.wav(48000))  # digital silence
        post(self.wav(2000, data=noise[:4000]))  # 0.04 s
        post(self.wav(1000, channels=64, data=os.urandom(128000)))
        post(self.wav(1000, rate=100, data=os.urandom(2000)))
        post(self.wav(0, claim=0xFFFFFFF0, data=b""))
        post(b"OggS" + os.urandom(400))
        post(b"\xff\xfb\x90\x00" + b"\0" * 300)
        self.api("POST", "/media?name=xau.wav", b"", type="audio/wav", status=400)
        self.api("POST", "/media?name=xau.wav", b"{}", type="text/html", status=415)

    def command(self, *args, says=""):
        BadInput.cases += 1
        with self.subTest("loa " + " ".join(map(str, args))):
            code, _, err = self.world.loa(*args, check=False)
            self.assertIn(code, (1, 2), err)
            self.assertGreater(len(err.strip()), 10)
            self.assertIn(says, err)

    def test_6_command_line(self):
        command, sample = self.command, self.sample
        command("dance", says="dance")
        command("rule", "dance", says="dance")
        command("keys", "new", says="FILE")
        command("keys", "new", "/nowhere/key.jwk", says="/nowhere")
        command("keys", "new", self.world.registrar["file"], says="registrar.jwk")
        command("keys", "show", "/etc/hostname", says="/etc/hostname")
        command("rule", "add", "--bulletin", sample.hash, "--once", "soon", "--area", "a000", says="soon")
        command("rule", "add", "--bulletin", sample.hash, "--daily", "5 o'clock", "--area", "a000", says="5 o'clock")
        command("rule", "add", "--bulletin", sample.hash, "--daily", "05:00", says="area")
        command("rule", "add", "--bulletin", sample.hash, "--daily", "05:00", "--area", "a000", "--gain", "loud", says="loud")
        command("bulletin", "add", "--title", "x", "--category", "y", "--answerable", "z", "--content", "vi:audio=/nowhere.wav", says="/nowhere.wav")
        command("bulletin", "add", "--title", "x", "--category", "y", "--answerable", "z", "--content", "vi", says="vi")
        command("approve", HASH0, "--key", self.world.persons["lan"]["file"], "--area", "a000", says=HASH0)
        command("approve", sample.hash, "--key", "/nowhere.jwk", "--area", "a000", says="/nowhere.jwk")
        command("trust", "make", "--root", self.world.roots[0]["file"], "--registrar", "short", "--scheduler", "short", "--era", "1", "--out", "/tmp/never", says="short")
        command("device", "add", "BAD ID", "--kind", "lamp", "--area", "a000", "--name", "x", says="")
        command("receipts", "--since", "whenever", says="whenever")

    def config(self, program, good, old, new, says, other=()):
        """One line of a good configuration replaced: the sentence names file and line."""
        BadInput.cases += 1
        with open(good, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        bad = good + ".bad"
        with open(bad, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new, 1))
        with self.subTest(f"{program}: {old} -> {new}"):
            code, _, err = self.world.keeper.run([self.world.exe(program), *other, "--config", bad, "--check"], check=False)
            self.assertNotEqual(code, 0)
            self.assertRegex(err, r"\.bad:\d+: ")
            self.assertIn(says, err)
        os.unlink(bad)

    def test_7_configurations(self):
        centre, link = self.world.path("centre", "controller.cfg"), self.world.path("centre", "link.cfg")
        for old, new, says in (("roots = [", "rots = [", "roots"), ("spread_s = 1;", "spread_s = -1;", "spread_s"), ("spread_s = 1;", "spread_s = = 1;", "syntax"),
                               ('address = "127.0.0.1"', 'address = "localhost name"', "address"), (f"port = {self.world.api_port}", "port = 70000", "port"),
                               (self.world.roots[0]["x"], "abc", "roots"), ("scheduler.jwk", "none.jwk", "none.jwk"), ("api.crt", "none.crt", "none.crt"),
                               ("spread_s = 1;", 'spread_s = 1; zone = "Mars/Base";', "Mars/Base")):
            self.config("loa-controller", centre, old, new, says)
        for old, new, says in (("socket = ", "soket = ", "so"), ("keepalive_s = 5", 'keepalive_s = "x"', "keepalive_s"), ('client_id = "controller"', 'client_id = ""', "client_id"),
                               ("ca.crt", "none.crt", "none.crt"), ("spread_s = 0.2", "spread_s = 1e9", "spread_s"), ("backoff_max_s = 2;", "@include \"/etc/passwd\"", "@include")):
            self.config("loa-link", link, old, new, says)

    def test_8_profiles(self):
        with open(os.path.join(PROFILES, "amplifier-sim-a100.cfg"), encoding="utf-8") as file:
            good = file.read()
        bad = self.world.path("bad-profile.cfg")
        for old, new, says in (('kind = "amplifier"', 'kind = "oven"', "oven"), ('name = "mute"', 'name = "muet"', "mute"), ("address = 100", "address = 70000", "address"),
                               ('type = "s16"', 'type = "s17"', "s17"), ('order = "ABCD"', 'order = "ABCA"', "ABCA"), ("power_up_ms = 800", "power_up_ms = -1", "power_up_ms"),
                               ('verify = "power_state"', 'verify = "nothing"', "nothing"), ('kind = "coil"; address = 16', 'kind = "coyl"; address = 16', "coyl"),
                               ("scale = 0.1", "scale = 0.0", "scale"), ("min = -60.0; max = 12.0", "min = 12.0; max = -60.0", "m"), ("max_read = 64", "max_read = 9999", "max_read"),
                               ('silence = { point = "mute"', 'silence = { point = "mut"', "mut"), ("bit = 1;", "bit = 16;", "bit"), ("points = (", "points = ", ""),
                               ('name = "zone_2"', 'name = "zone_1"', "zone_1")):
            BadInput.cases += 1
            self.assertIn(old, good)
            with open(bad, "w", encoding="utf-8") as file:
                file.write(good.replace(old, new, 1))
            with self.subTest(f"{old} -> {new}"):
                code, _, err = self.world.keeper.run([self.world.exe("loa-modbus-sim"), "--profile", bad, "--unit", "1"],
                                                     check=False, seconds=10)
                self.assertNotEqual(code, 0)
                self.assertRegex(err, r"bad-profile\.cfg:\d+: ")
                self.assertIn(says, err)

    def test_9_there_were_at_least_a_hundred(self):
        self.assertGreaterEqual(BadInput.cases, 100)


if __name__ == "__main__":
    unittest.main()
