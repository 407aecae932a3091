"""What a person can get wrong: each is refused with a sentence that says what and where, in both languages, and the store stays
as it was."""
import contextlib
import http.client
import math
import os
import select
import socket
import ssl
import struct
import subprocess
import time
import unittest

from kit import CONTROLLER, Key, World, read, wait_for


def tone(seconds=1.0, level=0.3, rate=16000, channels=1):
    data = bytearray()
    for i in range(int(seconds * rate)):
        data += struct.pack("<h", int(32767 * level * math.sin(i * 0.2))) * channels
    return data


def wav(data, rate=16000, channels=1, claimed=None):
    size = len(data) if claimed is None else claimed
    return (b"RIFF" + struct.pack("<I", (36 + size) & 0xFFFFFFFF) + b"WAVEfmt " +
            struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16) + b"data" + struct.pack("<I", size) + bytes(data))


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.w = World().__enter__()
        cls.addClassCleanup(cls.w.__exit__, None, None, None)
        cls.w.add_places()
        cls.w.seal_trust()
        cls.bulletin = cls.w.add_bulletin()
        cls.w.want(201, "POST", "rules", {"id": "there", "bulletin": cls.bulletin["hash"], "when": "daily", "times": ["05:00"], "areas": ["a001"]})
        cls.w.want(201, "POST", "tokens", {"unit": "a002", "role": "operator"})

    def refused(self, status, code, words, method, path, body=None, **kwargs):
        """`words` must stand in the English sentence: what is wrong and where."""
        # What was handed in before is worked out first: that changes the store.
        wait_for("the planner rests", lambda: self.w.get("status")["compiling"] == 0)
        before = self.w.dump()
        for language in ("en", "vi"):
            headers = {"Accept-Language": language, **kwargs.get("headers", {})}
            answer = self.w.call(method, path, body, **{**kwargs, "headers": headers})
            shown = f"{method} {path} {str(body)[:200]}: {answer.status} {answer.body[:400]!r}"
            self.assertEqual(answer.status, status, shown)
            self.assertEqual(answer.headers["content-type"], "application/problem+json", shown)
            problem = answer.json
            self.assertEqual((problem["status"], problem["code"]), (status, code), shown)
            self.assertGreater(len(problem["detail"]), 20, shown)
            self.assertTrue(problem["title"])
            if language == "en":
                for word in words:
                    self.assertIn(word, problem["detail"], shown)
            else:
                self.assertNotEqual(problem["detail"].encode(), problem["detail"].encode("ascii", "ignore"), "not Vietnamese: " + shown)
                self.assertNotRegex(problem["detail"], r"(Không có|của) (area|bulletin|change|device|group|exemption|keys|limit|playlist|media|rule|trust|token)\b",
                                    "an English noun: " + shown)
        self.assertEqual(self.w.dump(), before, "the store changed: " + shown)
        return answer

    def test_routes_and_methods(self):
        self.refused(404, "route", ["/api/v1/nothing"], "GET", "nothing")
        self.refused(404, "route", ["/api/v2/devices"], "GET", "/api/v2/devices")
        self.refused(404, "route", ["devices/box-1/x"], "GET", "devices/box-1/x/y")
        answer = self.refused(405, "method", ["PUT", "GET, POST"], "PUT", "devices")
        self.assertEqual(answer.headers["allow"], "GET, POST")
        self.refused(405, "method", ["DELETE"], "DELETE", "receipts")

    def test_tokens(self):
        self.refused(401, "token", ["Authorization"], "GET", "devices", token=None)
        self.refused(401, "token", ["revoked"], "GET", "devices", token="loa_000000000000_" + "A" * 43)
        self.refused(401, "token", ["Authorization"], "GET", "devices", token=None, headers={"Authorization": "Basic eDp5"})

    def test_queries(self):
        for path, words in {"devices?limit=0": ["limit", "1 to 1000"], "devices?limit=x": ["limit"], "devices?limit=1001": ["limit"],
                            "devices?colour=red": ["colour", "kind"], "status?x=1": ["x", "none"], "receipts?after=-1": ["after"],
                            "receipts?order=up": ["order", "desc"], "receipts?from=yesterday": ["from", "yesterday"], "rules?ended=maybe": ["ended", "true, false"],
                            "inbox?state=maybe": ["state", "pending, taken, declined"], "areas/changes?state=old": ["state", "planned, all"],
                            "preview?device=box-1&day=01/12/2026": ["day", "01/12/2026", "2026-07-01"], "preview": ["device", "required"],
                            "events?to=2026-13-01T00:00:00Z": ["to", "2026-13-01"]}.items():
            self.refused(400, "query", words, "GET", path)

    def test_missing_things(self):
        for path in ("devices/none", "rules/none", "bulletins/" + "0" * 64, "media/" + "0" * 64, "areas/zzz", "devices/none/playlist", "receipts?device=none"):
            self.refused(404, "missing", ["scope of this token"], "GET", path)
        self.refused(404, "missing", ["none"], "DELETE", "rules/none")
        for path in ("devices/box-1%00", "rules/there%00x"):
            self.refused(404, "missing", ["scope of this token"], "GET", path)
        self.refused(404, "route", ["page.js"], "GET", "/page.js%00")

    def test_as_many_as_one_unit_may_have(self):
        """Others may still; what has ended or is over by its date makes room; and what is there already is the same thing again."""
        with World(settings="per_unit = { rules = 2; bulletins = 1; groups = 1; exemptions = 1; };\n") as w:
            w.add_places()
            bulletin = w.add_bulletin()["hash"]
            w.add_bulletin(unit="a002", title="Khác")

            def full(what, n, path, body, unit="a000"):
                for language, words in (("en", [unit, f"has {n} {what}", "per_unit." + what]), ("vi", [unit, f"đã có {n}", "per_unit." + what])):
                    answer = w.call("POST", path, body, headers={"Accept-Language": language})
                    self.assertEqual((answer.status, answer.json["code"]), (409, "quota"), answer.body)
                    for word in words:
                        self.assertIn(word, answer.json["detail"])
            full("bulletins", 1, "bulletins", {"title": "x", "category": "x", "answerable": "x", "contents": [{"lang": "vi", "text": "x"}]})
            rule = {"bulletin": bulletin, "when": "daily", "times": ["05:00"], "areas": ["a001"]}
            for id in ("mot", "hai"):
                w.want(201, "POST", "rules", {**rule, "id": id})
            w.want(200, "POST", "rules", {**rule, "id": "hai"})
            full("rules", 2, "rules", rule)
            w.want(201, "POST", "rules", {**rule, "id": "xa"}, token=w.make_token("a001", "operator"))
            w.want(200, "DELETE", "rules/mot")
            w.want(201, "POST", "rules", {**rule, "id": "ba"})
            full("rules", 2, "rules/mot/restore", None)
            w.want(201, "POST", "groups", {"name": "Nhóm"})
            full("groups", 1, "groups", {"name": "Nhóm nữa"})
            order = {"order": "1/CV", "person": "An", "areas": ["a001"], "limits": ["weekdays"]}
            w.want(201, "POST", "exemptions", {**order, "from": "2026-01-01", "until": "2026-01-02"})
            w.want(201, "POST", "exemptions", {**order, "id": "sau", "from": "2090-01-01", "until": "2090-01-02"})
            full("exemptions", 1, "exemptions", {**order, "from": "2090-01-01", "until": "2090-01-02"})
            w.want(200, "DELETE", "exemptions/sau")
            w.want(201, "POST", "exemptions", {**order, "from": "2090-01-01", "until": "2090-01-02"})

    def test_no_carriage(self):
        self.refused(409, "conflict", ["there", "direct"], "GET", "carriage?rule=there")
        self.refused(404, "missing", ["none"], "GET", "carriage?rule=none")

    def test_bodies(self):
        for body, code, words in ((b"", "body", ["needs a body"]), (b"{", "json", ["line 1"]), (b"[]", "json", ["object"]), (b"\xff\xfe{}", "json", ["line 1"]),
                                  (b'{"id":"a","id":"b"}', "json", ["duplicate"]), (b'{"a":' * 9 + b"1" + b"}" * 9, "json", ["8 levels"]),
                                  (b"[" * 5000 + b"]" * 5000, "json", ["line 1"])):
            self.refused(400, code, words, "POST", "rules", body, type="application/json")
        self.refused(415, "type", ["text/plain", "application/json"], "POST", "rules", b"{}", type="text/plain")
        self.refused(415, "type", ["application/jose"], "POST", "trust", b"{}", type="application/json")
        self.refused(413, "size", ["262144"], "POST", "rules", b'{"x":"' + b"a" * 300000 + b'"}', type="application/json")

    def test_areas(self):
        def area(**more):
            return {"items": [{"id": "n001", "parent": "a000", "kind": "village", "name": "Thôn", **more}]}
        for body, code, words in ((area(id="Big"), "value", ["items[0].id", "a-z"]), (area(kind="planet"), "value", ["items[0].kind", "commune"]),
                                  (area(name=""), "value", ["items[0].name"]), (area(parent="nope"), "value", ["nope"]), (area(parent="n001"), "value", ["within itself"]),
                                  (area(colour=1), "member", ["items[0].colour"]), ({"items": []}, "value", ["items", "1 to 2000"]), ({"items": ["a"]}, "value", ["items[0]"]),
                                  ({}, "member", ["items"]), ({"items": area()["items"] * 2}, "value", ["n001", "already"]),
                                  ({"items": [{"id": "a000", "parent": "a001", "kind": "province", "name": "x"}, {"id": "a001", "parent": "a000", "kind": "commune", "name": "y"}]},
                                   "value", ["within itself"])):
            self.refused(422, code, words, "POST", "areas", body)
        self.refused(422, "value", ["within itself"], "POST", "areas", {"items": [{"id": "a000", "parent": "a001", "kind": "province", "name": "Lạng Sơn"}]})
        self.refused(400, "body", ["line 1"], "POST", "areas", "name,id\n", type="text/csv")
        self.refused(400, "body", ["line 3"], "POST", "areas", "id,parent,kind,name\nx1,a000,village,A\nx2,a000\n", type="text/csv")

    def test_devices(self):
        def device(**more):
            return {"id": "new-1", "kind": "board", "area": "a001", "name": "Bảng tin", **more}
        for body, code, words in (({"id": "new-1"}, "member", ["kind is missing"]), (device(id="-x"), "value", ["id", "-x"]), (device(kind="toaster"), "value", ["kind", "board"]),
                                  (device(area="a999"), "value", ["a999"]), (device(languages=["english"]), "value", ["languages[0]", "english"]),
                                  (device(languages=[]), "value", ["languages"]), (device(zone="Mars/Base"), "value", ["Mars/Base"]), (device(delay_ms=5000), "value", ["delay_ms", "1000"]),
                                  (device(quiet_hours=[{"from": "25:00", "to": "06:00"}]), "value", ["quiet_hours[0].from", "25:00"]),
                                  (device(gain_ceilings=[{"from": "01:00", "to": "06:00"}]), "member", ["gain_ceilings[0].gain_mb"]),
                                  (device(box={"serial": "S", "x": "short"}), "value", ["box.x", "short"]), (device(box={"serial": "S"}), "member", ["box.x"]),
                                  (device(colour="red"), "member", ["colour", "languages"]), (device(name="a\u0007b"), "value", ["name", "control"]),
                                  (device(name="a\u202eb"), "value", ["name", "control"]), (device(name="a\u0085b"), "value", ["name", "control"]),
                                  (device(id="ẳ" * 41), "value", ["id", "ẳẳẳ", "1 to 40"]),  # what is quoted is cut in the midst of a letter
                                  (device(id="controller"), "value", ["controller", "broker"]), (device(id="observer"), "value", ["observer", "broker"])):
            self.refused(422, code, words, "POST", "devices", body)
        self.refused(409, "conflict", ["box-1"], "POST", "devices", device(id="box-1"))
        self.refused(409, "conflict", ["box-1"], "POST", "devices", device(box={"serial": "S", "x": self.w.box.x}))
        self.refused(422, "value", ["command", "restart"], "POST", "devices/box-1/commands", {"command": "explode"})
        self.refused(422, "member", ["area", "id"], "PATCH", "devices/box-1", {"id": "other"})

    def test_former_areas(self):
        technician, commune = self.w.make_token("a000", "technician"), self.w.make_token("a001")
        for token in (None, technician, commune):
            self.refused(422, "value", ["former_areas", "a999"], "PATCH", "devices/box-1", {"former_areas": ["a999"]}, token=token or self.w.token)
        for token in (technician, commune):
            self.refused(403, "scope", ["former_areas", "a002"], "PATCH", "devices/box-1", {"former_areas": ["a001", "a002"]}, token=token)
        self.refused(403, "scope", ["a002"], "POST", "devices", {"id": "new-2", "kind": "board", "area": "a001", "name": "Bảng", "former_areas": ["a002"]}, token=commune)
        self.refused(422, "value", ["a999"], "POST", "devices", {"id": "new-2", "kind": "board", "area": "a001", "name": "Bảng", "former_areas": ["a999"]})

    def test_bulletins(self):
        def bulletin(**more):
            return {"title": "Tin", "category": "news", "answerable": "Mai", "contents": [{"lang": "vi", "text": "Xin chào"}], **more}
        for body, code, words in (({}, "member", ["title is missing"]), (bulletin(title=""), "value", ["title"]), (bulletin(title=7), "value", ["title", "text"]),
                                  (bulletin(contents=[]), "value", ["contents"]), (bulletin(contents=[{"lang": "vi"}]), "member", ["contents[0]"]),
                                  (bulletin(contents=[{"lang": "vi", "text": "a"}, {"lang": "vi", "text": "b"}]), "value", ["contents[1].lang"]),
                                  (bulletin(contents=[{"lang": "VIE", "text": "a"}]), "value", ["contents[0].lang", "VIE"]),
                                  (bulletin(contents=[{"lang": "vi", "audio": "0" * 64}]), "value", ["contents[0].audio", "/media"]),
                                  (bulletin(contents=[{"lang": "vi", "audio": "zz"}]), "value", ["contents[0].audio", "SHA-256"]),
                                  (bulletin(contents=[{"lang": "vi", "text": "x" * 4001}]), "value", ["contents[0].text", "4001"]), (bulletin(unit="a999"), "scope", ["a999"]),
                                  (bulletin(**{"class": "loud"}), "value", ["class", "priority"]), (bulletin(revision=3), "member", ["revision"])):
            self.refused(403 if code == "scope" else 422, code, words, "POST", "bulletins", body)

    def test_rules(self):
        def rule(**more):
            return {"bulletin": self.bulletin["hash"], "when": "daily", "times": ["05:00"], "areas": ["a001"], **more}
        for body, code, words in (({}, "member", ["bulletin"]), (rule(bulletin="0" * 64), "value", ["bulletin", "0000"]), (rule(when="hourly"), "value", ["when", "daily"]),
                                  (rule(when="once"), "member", ["date"]), (rule(when="once", date="2026-02-30"), "value", ["date", "2026-02-30"]),
                                  (rule(when="once", date="2020-01-01"), "value", ["past"]), (rule(date="2027-01-01"), "member", ["date", "daily"]),
                                  (rule(times=[]), "value", ["times"]), (rule(times=["24:00"]), "value", ["times[0]", "24:00"]), (rule(times=["05:00", "05:00:00"]), "value", ["times[1]"]),
                                  (rule(areas=[]), "member", ["groups or devices"]), (rule(areas=["a999"]), "value", ["areas[0]", "a999"]), (rule(devices=["none"]), "value", ["none"]),
                                  (rule(**{"class": "emergency"}), "value", ["emergency", "order"]), (rule(**{"class": "priority"}), "value", ["priority", "normal"]),
                                  (rule(gain_mb=100), "value", ["gain_mb", "-6000"]), (rule(late_ms=-1), "value", ["late_ms"]), (rule(zone="X"), "value", ["X"]),
                                  (rule(kinds=["radio"]), "value", ["kinds[0]", "radio"]), (rule(**{"from": "2027-02-01", "until": "2027-01-01"}), "value", ["2027-01-01"]),
                                  (rule(id="Not an id"), "value", ["Not an id"]), (rule(**{"": 1}), "member", ["not known"]), (rule(time="05:00"), "member", ["time", "times"]), (rule(late_ms="x"), "value", ["late_ms"])):
            self.refused(422, code, words, "POST", "rules", body)
        self.refused(409, "conflict", ["there"], "POST", "rules", rule(id="there", times=["06:00"]))

    def test_sounds(self):
        good = tone()
        for data, words in ((b"not a sound", ["WAV, FLAC"]), (wav(bytes(32000)), ["silent"]), (wav(tone(level=0.0003)), ["silent"]), (wav(good[:3000]), ["seconds", "0.2"]),
                            (wav(good * 9, channels=9), ["9 channels"]), (wav(good, rate=1000), ["1000 Hz"]), (b"RIFF" + b"\0" * 40, ["cannot be read"]),
                            (wav(b""), ["seconds"]), (b"OggS" + b"\1" * 400, ["cannot be read"]), (b"\xff\xfb\x90\x00", [])):
            self.refused(422, "sound", words, "POST", "media", data, type="audio/wav")
        self.refused(400, "body", ["needs a body"], "POST", "media", b"", type="audio/wav")
        self.refused(415, "type", ["audio/*"], "POST", "media", b"x", type="text/html")
        answer = self.w.call("POST", "media", b"", type="audio/wav", headers={"Content-Length": str(300 * 1024 * 1024)})
        self.assertEqual((answer.status, answer.json["code"]), (413, "size"))
        self.assertEqual(os.listdir(self.w.state + "/tmp"), [])

    def test_a_lying_header_is_bounded_by_what_can_be_read(self):
        media = self.w.want(201, "POST", "media", wav(tone(0.5), claimed=0xFFFFFFF0), type="audio/wav")
        self.assertEqual(media["duration_ms"], 500)

    def test_documents(self):
        now = int(time.time() * 1000)
        root, stranger = self.w.root, Key()
        good = self.w.trust_payload()
        sealed = root.seal("trust", good)
        cases = [(422, "trust", "nonsense", ["format"]), (422, "trust", stranger.seal("trust", good), ["unknown_key"]), (422, "trust", sealed[:-8] + "AAAAAAAA", []),
                 (422, "trust", root.seal("keys", self.w.keys_payload()), ["type"]), (422, "trust", root.seal("trust", good, alg="HS256"), ["alg"]),
                 (422, "trust", root.seal("trust", {**good, "exp": int(time.time()) - 10, "iat": int(time.time()) - 20}), ["expired"]),
                 (422, "trust", root.seal("trust", {**good, "aud": "dev/box-1"}), ["audience"]), (409, "trust", root.seal("trust", {**good, "ver": 5}), ["older"]),
                 (422, "trust", root.seal("trust", {**good, "registrars": "x"}), ["registrars"]), (422, "keys", root.seal("keys", self.w.keys_payload()), ["unknown_key"]),
                 (422, "approvals", stranger.seal("approval", {}), ["unknown_key"]), (422, "approvals", self.w.approve("0" * 64), ["0000"]),
                 (422, "approvals", self.w.approve(self.bulletin["hash"], areas=[]), ["areas"]),
                 (422, "approvals", self.w.approve(self.bulletin["hash"], from_ms=now, until_ms=now - 1), []),
                 (422, "approvals", self.w.approve(self.bulletin["hash"], era=9), ["era"])]
        for status, path, body, words in cases:
            answer = self.refused(status, "conflict" if status == 409 else "document", words, "POST", path, body, type="application/jose")
            if "0000" not in words:
                self.assertIn("refusal", answer.json)

    def test_scope_of_a_token(self):
        self.refused(403, "scope", ["unit"], "POST", "tokens", {"unit": "elsewhere", "role": "viewer"})
        self.refused(422, "value", ["role", "viewer"], "POST", "tokens", {"unit": "a000", "role": "king"})

    def test_who_has_a_commune_moves_nothing_beyond_it(self):
        def area(id, parent, kind="commune", name="Đất"):
            return {"id": id, "parent": parent, "kind": kind, "name": name}
        for unit, cases in {
                "a001": ([area("a001", ""), area("a000", "a001")], [area("a002", "a001")], [area("n1", "a001"), area("a002", "n1")],
                         [area("a001", "")], [area("a001", "a002")], [area("a000", "")], [area("n1", "")], [area("n1", "a002")], [area("n1", "a000")],
                         [area("n2", "n1"), area("n1", "a002")], [area("a001", "n1"), area("n1", "a002")], [area("a001", "n1"), area("n1", "")]),
                "a000": ([area("a000", "n1"), area("n1", "")], [area("n1", "")]),
                "a009": ([area("a009", "a000")], [area("a009", ""), area("a000", "a009")], [area("a009", ""), area("a002", "a009")])}.items():
            token = self.w.make_token(unit)
            for items in cases:
                self.refused(403, "scope", [unit], "POST", "areas", {"items": items}, token=token)
        self.refused(422, "value", ["within itself"], "POST", "areas", {"items": [area("a000", "a001")]}, token=self.w.make_token("a001"))

    def test_command_line_and_configuration(self):
        def run(*args):
            return subprocess.run([CONTROLLER, *args], capture_output=True, text=True)
        before = self.w.dump()
        for args, word in (((), "--config"), (("--nope",), "--nope"), (("--config", self.w.config, "dance"), "token add"),
                           (("--config", self.w.config, "token", "add", "--unit", "A B", "--role", "admin"), "--unit"),
                           (("--config", self.w.config, "token", "add", "--unit", "a000", "--role", "king"), "--role"), (("--config", self.w.config, "--unit", "a000"), "token add")):
            done = run(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(word, done.stderr)
        text = read(self.w.config).decode()
        for old, new, word in (("state =", "stat =", "stat"), ("spread_s = 1", "spread_s = -1", "spread_s"), (self.w.root.x, "short", "roots"), ("port = 0", "port = 70000", "port"),
                               ("127.0.0.1", "localhost", "address"), ("server.crt", "missing.crt", "missing.crt"), ("scheduler.jwk", "none.jwk", "none.jwk"),
                               ("ca.pem", "scheduler.jwk", "client_ca"), ("spread_s = 1;", "spread_s = ;", ":5"), ("spread_s = 1;", 'zone = "Nowhere";', "Nowhere")):
            with open(self.w.path("bad.cfg"), "w") as out:
                out.write(text.replace(old, new))
            done = run("--config", self.w.path("bad.cfg"), "--check")
            self.assertEqual((done.returncode, word in done.stderr), (1, True), (old, new, done.stderr))
        self.assertEqual(self.w.dump(), before)


class Connections(unittest.TestCase):
    def test_too_few_files_are_refused_at_once(self):
        with World() as w:
            done = subprocess.run(["prlimit", "--nofile=100:200", CONTROLLER, "--config", w.config, "--check"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("only 200 files may be open (ulimit -Hn, LimitNOFILE=), at least 256 are needed", done.stderr)

    def test_strangers_hold_no_connections(self):
        with World(wrap=("prlimit", "--nofile=100:600")) as w, contextlib.ExitStack() as stack:
            self.assertRegex(read(f"/proc/{w.controller.pid}/limits").decode(), r"Max open files +600 +600 ")
            context = ssl.create_default_context(cafile=w.certs.path("ca.pem"))
            known = http.client.HTTPSConnection("127.0.0.1", w.api_port, context=context, timeout=60)
            stack.callback(known.close)

            def ask():
                known.request("GET", "/api/v1/whoami", headers={"Authorization": "Bearer " + w.token})
                answer = known.getresponse()
                answer.read()
                return answer.status
            self.assertEqual(ask(), 200)
            begun = time.monotonic()
            strangers = [stack.enter_context(socket.create_connection(("127.0.0.1", w.api_port), 20)) for _ in range(40)]
            tls = stack.enter_context(context.wrap_socket(strangers[0], server_hostname="127.0.0.1"))
            body = stack.enter_context(context.wrap_socket(strangers[1], server_hostname="127.0.0.1"))
            body.send(b"POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n")

            def left():
                gone = set(select.select(strangers[2:], [], [], 0)[0])
                return [s for s in strangers[2:] if s not in gone]
            # 118 connections a port, and a quarter of them for one address.
            wait_for("those above the limit are cut off", lambda: len(left()) <= 26)
            tls.send(b"GET / HTTP/1.1\r\n")

            def dripping(stranger):
                try:
                    stranger.send(b"a")
                except OSError:
                    return False
                time.sleep(0.2)
                return True
            wait_for("who drips is cut off too, in the head as in a body", lambda: not [s for s in (tls, body) if dripping(s)])
            wait_for("all strangers are cut off", lambda: not left())
            self.assertTrue(8 < time.monotonic() - begun < 120, time.monotonic() - begun)
            self.assertEqual(ask(), 200, "who is known stays")

    def test_unfinished_handshakes_cost_little(self):
        """20 clients who heard the server's answer to their hello and say nothing."""
        with World() as w, contextlib.ExitStack() as stack:
            context = ssl.create_default_context(cafile=w.certs.path("ca.pem"))
            known = http.client.HTTPSConnection("127.0.0.1", w.api_port, context=context, timeout=60)
            stack.callback(known.close)

            def ask():
                known.request("GET", "/api/v1/areas?limit=1000", headers={"Authorization": "Bearer " + w.token})
                answer = known.getresponse()
                answer.read()
                return answer.status

            def cpu_s():
                fields = read(f"/proc/{w.controller.pid}/stat").decode().rsplit(")", 1)[1].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            self.assertEqual(ask(), 200)
            for _ in range(20):
                silent = stack.enter_context(socket.create_connection(("127.0.0.1", w.api_port), 60))
                to_us, from_us = ssl.MemoryBIO(), ssl.MemoryBIO()
                with contextlib.suppress(ssl.SSLWantReadError):
                    context.wrap_bio(to_us, from_us, server_hostname="127.0.0.1").do_handshake()
                silent.sendall(from_us.read())
                self.assertTrue(silent.recv(65536))
            before, until = cpu_s(), time.monotonic() + 5
            wait_for("five seconds are over", lambda: time.monotonic() > until)
            spent = cpu_s() - before
            self.assertLess(spent, 1.5, f"{spent} s of computing in 5 s")
            self.assertEqual(ask(), 200)


class Uploads(unittest.TestCase):
    def test_unfinished_recordings_are_counted(self):
        with World() as w, contextlib.ExitStack() as stack:
            context = ssl.create_default_context(cafile=w.certs.path("ca.pem"))
            data = wav(tone(0.5))

            def begin():
                connection = http.client.HTTPSConnection("127.0.0.1", w.api_port, context=context, timeout=60)
                stack.callback(connection.close)
                connection.putrequest("POST", "/api/v1/media")
                for name, value in (("Authorization", "Bearer " + w.token), ("Content-Type", "audio/wav"), ("Content-Length", str(len(data)))):
                    connection.putheader(name, value)
                connection.endheaders(data[:100])
                return connection
            unfinished = [begin() for _ in range(4)]
            wait_for("four on their way", lambda: len(os.listdir(w.state + "/tmp")) == 4)
            answer = w.call("POST", "media", data, type="audio/wav")
            self.assertEqual((answer.status, answer.json["code"], answer.headers["retry-after"]), (503, "busy", "5"))
            self.assertEqual(len(os.listdir(w.state + "/tmp")), 4)
            unfinished.pop().close()
            wait_for("three on their way", lambda: len(os.listdir(w.state + "/tmp")) == 3)
            w.want(201, "POST", "media", data, type="audio/wav")
            for connection in unfinished:  # the same recording: counted no more once it is in
                connection.send(data[100:])
                self.assertEqual(connection.getresponse().status, 200)
            w.want(200, "POST", "media", data, type="audio/wav")


class Throttle(unittest.TestCase):
    def test_guessing_is_slowed_down(self):
        with World() as w:
            statuses = [w.call("GET", "status", token="loa_wrong").status for _ in range(11)]
            self.assertEqual(statuses, [401] * 10 + [429])
            answer = w.call("GET", "status", token="loa_wrong")
            self.assertEqual((answer.status, answer.json["code"]), (429, "throttle"))
            self.assertGreater(int(answer.headers["retry-after"]), 0)
            self.assertEqual(w.call("GET", "status").status, 200, "who has a right token is not slowed")


if __name__ == "__main__":
    unittest.main()
