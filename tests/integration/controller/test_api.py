"""The API of a running controller over TLS: places, media, bulletins, approvals, rules, tokens and scopes, blobs, the page."""
import contextlib
import http.client
import json
import os
import sqlite3
import ssl
import subprocess
import threading
import time
import unittest

from kit import CONTROLLER, World, make_wav, read, sha, wait_for


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.w = World().__enter__()
        cls.addClassCleanup(cls.w.__exit__, None, None, None)
        cls.w.add_places()
        cls.w.seal_trust()

    def test_status_names_what_is_in_force(self):
        status = self.w.get("status")
        self.assertEqual((status["online"], status["link"], status["trust"]["era"]), (0, "offline", 1))
        self.assertGreaterEqual(status["devices"], 1)
        turns = status["loop"]
        self.assertGreater(turns["turns"], turns["longer_than_ms"]["1"])
        self.assertGreaterEqual(turns["longer_than_ms"]["1"], turns["longer_than_ms"]["100"])
        self.assertGreater(turns["longest_ms"], 0)
        wait_for("all is worked out", lambda: self.w.get("status")["compiling"] == 0)

    def test_page_is_served_without_a_token_and_with_a_strict_policy(self):
        for path in ("/", "/page.js", "/page.css", "/vi.json", "/en.json", "/icon.svg"):
            answer = self.w.call("GET", path, token=None)
            self.assertEqual(answer.status, 200, path)
            self.assertIn("script-src 'self'", answer.headers["content-security-policy"])
        self.assertNotIn(b"<script>", self.w.call("GET", "/", token=None).body)
        self.assertEqual(set(self.w.call("GET", "/vi.json").json), set(self.w.call("GET", "/en.json").json))
        self.assertEqual(self.w.call("GET", "/../controller.cfg", token=None).status, 404)

    def test_only_tls_1_2_and_later(self):
        context = ssl.create_default_context(cafile=self.w.certs.path("ca.pem"))
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            connection = http.client.HTTPSConnection("127.0.0.1", self.w.api_port, context=context, timeout=10)
            connection.request("GET", "/")
            connection.getresponse()

    def test_media_is_levelled_and_idempotent(self):
        path = self.w.path("a.wav")
        make_wav(path, 3.0, level=0.05)
        source = read(path)
        first = self.w.want(201, "POST", "media?name=b%E1%BA%A3n%20tin.wav", source, type="audio/wav")
        self.assertAlmostEqual(first["loudness_lufs"], -16.0, delta=0.6)
        self.assertLessEqual(first["true_peak_dbtp"], -1.0)
        self.assertEqual(first["frames"], 3 * 48000)
        self.assertEqual(first["duration_ms"], 3000)
        self.assertEqual(first["source"]["hash"], sha(source))
        self.assertEqual(first["source"]["name"], "bản tin.wav")
        self.assertEqual((first["source"]["channels"], first["source"]["rate_hz"]), (2, 44100))
        again = self.w.want(200, "POST", "media", source, type="application/octet-stream")
        self.assertEqual(again, first)
        content = self.w.call("GET", f"media/{first['hash']}/content")
        self.assertEqual((content.status, sha(content.body)), (200, first["hash"]))
        self.assertLess(first["size"], 30000)
        self.assertEqual(sha(read(f"{self.w.state}/sources/{sha(source)}")), sha(source))

    def test_other_requests_go_on_during_an_intake(self):
        path = self.w.path("long.wav")
        make_wav(path, 60.0, rate=16000, channels=1, seed=5)
        source = read(path)
        done = []
        thread = threading.Thread(target=lambda: done.append(self.w.call("POST", "media", source, type="audio/wav").status))
        thread.start()
        during = 0
        while thread.is_alive():
            self.w.get("whoami")
            during += not done
        thread.join()
        self.assertEqual(done, [201])
        self.assertGreater(during, 3)

    def test_bulletin_revisions_and_bytes(self):
        first = self.w.add_bulletin(id="rev", title="Một")
        self.assertEqual(first["revision"], 1)
        same = self.w.want(200, "POST", "bulletins", {"id": "rev", "title": "Một", "category": "health", "answerable": "Hoàng Thị Mai",
                                                      "contents": [{"lang": "vi", "text": "Tiêm chủng lúc 7 giờ"}]})
        self.assertEqual(same["hash"], first["hash"])
        second = self.w.add_bulletin(id="rev", title="Hai")
        self.assertEqual(second["revision"], 2)
        content = self.w.call("GET", f"bulletins/{second['hash']}/content").body
        self.assertEqual(sha(content), second["hash"])
        self.assertEqual(json.loads(content)["title"], "Hai")
        self.assertEqual([b["revision"] for b in self.w.get("bulletins?id=rev")["items"]], [1, 2])

    def test_approval_clears_the_warning_of_a_rule(self):
        bulletin = self.w.add_bulletin(title="Cần duyệt")
        body = {"bulletin": bulletin["hash"], "when": "daily", "times": ["05:00"], "areas": ["a001"]}
        rule = self.w.want(201, "POST", "rules", {"id": "warned", **body}, headers={"Accept-Language": "en"})
        self.assertEqual(len(rule["warnings"]), 1)
        self.assertIn("box-1", rule["warnings"][0])
        sealed = self.w.approve(bulletin["hash"])
        approval = self.w.want(201, "POST", "approvals", sealed, type="application/jose")
        self.assertEqual((approval["person"], approval["hash"]), ("person-0", sha(sealed.encode())))
        same = self.w.want(200, "POST", "approvals", sealed + "\n", type="application/jose")
        self.assertEqual((approval["warnings"], same["warnings"]), ([], []))
        astray = self.w.want(201, "POST", "approvals", self.w.approve(bulletin["hash"], areas=["a001", "zzz"]), type="application/jose",
                             headers={"Accept-Language": "vi"})
        self.assertEqual(len(astray["warnings"]), 1)
        self.assertIn('Chưa có địa bàn "zzz"', astray["warnings"][0])
        self.assertEqual(self.w.want(200, "POST", "rules", {"id": "warned", **body})["warnings"], [])
        playlist = wait_for("playlist", lambda: (lambda a: a.status == 200 and any(i["rule"] == "warned" and i["bulletin"] == bulletin["hash"]
                                                                                   for i in a.json["items"]) and a.json)(
            self.w.call("GET", "devices/box-1/playlist")))
        self.assertGreaterEqual(len([i for i in playlist["items"] if i["rule"] == "warned"]), 29)

    def box_playlist(self, rule):
        """The playlist of box-1 as the broker gets it, once the rule is in it."""
        def look():
            db = sqlite3.connect(f"file:{self.w.state}/controller.db?mode=ro", uri=True)
            with contextlib.closing(db):
                row = db.execute("SELECT body FROM documents WHERE word = 'playlist' AND device = 'box-1'").fetchone()
            body = json.loads(row[0]) if row else {"items": []}
            return any(i["id"].startswith(rule + ".") for i in body["items"]) and body
        return wait_for(f"{rule} in the playlist", look)

    def approvals_of(self, rule):
        body = self.box_playlist(rule)
        index = next(i["bulletin"] for i in body["items"] if i["id"].startswith(rule + "."))
        return [a["hash"] for a in body["bulletins"][index]["approvals"]]

    def test_approvals_beyond_what_the_wire_takes_hold_nothing_up(self):
        bulletin = self.w.add_bulletin(title="Duyệt nhiều lần")
        longest = self.w.approve(bulletin["hash"], areas=["a001"], until_ms=int(time.time() * 1000) + 80 * 86400000)
        for sealed in [self.w.approve(bulletin["hash"], areas=["a002"], until_ms=int(time.time() * 1000) + (85 + n) * 86400000) for n in range(2)] + \
                      [self.w.approve(bulletin["hash"], until_ms=int(time.time() * 1000) + (40 + n) * 86400000) for n in range(9)] + [longest]:
            self.w.want(201, "POST", "approvals", sealed, type="application/jose")
        rule = {"bulletin": bulletin["hash"], "when": "daily", "times": ["04:00"], "devices": ["box-1"]}
        self.w.want(201, "POST", "rules", {"id": "often-approved", **rule})
        self.assertEqual(self.approvals_of("often-approved"), [sha(longest.encode())])
        second = self.w.approve(bulletin["hash"], person=1)
        self.w.want(201, "POST", "approvals", second, type="application/jose")
        wait_for("the second person's too", lambda: set(self.approvals_of("often-approved")) == {sha(longest.encode()), sha(second.encode())})

    def test_where_none_counts_the_device_learns_why(self):
        bulletin = self.w.add_bulletin(title="Duyệt nơi khác")
        for n in range(12):
            sealed = self.w.approve(bulletin["hash"], person=n % 2, areas=["a002"], until_ms=int(time.time() * 1000) + (40 + n) * 86400000)
            self.w.want(201, "POST", "approvals", sealed, type="application/jose")
        self.w.want(201, "POST", "rules", {"id": "approved-elsewhere", "bulletin": bulletin["hash"], "when": "daily", "times": ["04:10"], "devices": ["box-1"]})
        self.assertEqual(len(self.approvals_of("approved-elsewhere")), 8)

    def test_a_playlist_that_cannot_be_sealed_is_told(self):
        bulletin = self.w.add_bulletin(title="Hỏng")
        self.w.want(201, "POST", "rules", {"id": "spoilt", "bulletin": bulletin["hash"], "when": "daily", "times": ["04:20"], "devices": ["box-1"]})
        before = self.box_playlist("spoilt")

        def gain(value):  # what no call lets in: only a damaged store holds it
            with contextlib.closing(sqlite3.connect(f"{self.w.state}/controller.db", timeout=10)) as db, db:
                db.execute("UPDATE rules SET body = json_set(body, '$.gain_mb', ?) WHERE id = 'spoilt'", (value,))

        def told():
            return [p for p in self.w.get("devices/box-1/playlist")["problems"] if "cannot be sealed" in p["why"] and p["rule"] is None]
        gain(7)
        for delay in (10, 20, 0):
            self.w.want(200, "PATCH", "devices/box-1", {"delay_ms": delay})
            wait_for("the problem", told)
        wait_for("settled", lambda: self.w.get("devices/box-1")["delay_ms"] == 0)
        events = self.w.get("events?code=playlist_not_sealed")["items"]
        self.assertEqual([(e["device"], e["store"]) for e in events], [("box-1", "controller")])
        self.assertIn("gain_mb", events[0]["detail"])
        self.assertEqual(self.box_playlist("spoilt")["ver"], before["ver"])
        gain(-100)
        self.w.want(200, "PATCH", "devices/box-1", {"name": "Cụm loa Nà Lình"})
        wait_for("no problem", lambda: not told())
        self.assertGreater(self.box_playlist("spoilt")["ver"], before["ver"])

    def test_a_rule_ends_and_comes_back(self):
        bulletin = self.w.add_bulletin(title="Kết thúc")
        self.w.want(201, "POST", "rules", {"id": "undo", "bulletin": bulletin["hash"], "when": "daily", "times": ["06:00"], "devices": ["box-1"]})

        def planned():
            answer = self.w.call("GET", "devices/box-1/playlist")
            return answer.status == 200 and any(i["rule"] == "undo" for i in answer.json["items"])
        wait_for("planned", planned)
        self.assertIsNotNone(self.w.want(200, "DELETE", "rules/undo")["ended"])
        wait_for("not planned", lambda: not planned())
        self.assertNotIn("undo", [r["id"] for r in self.w.get("rules")["items"]])
        self.assertIn("undo", [r["id"] for r in self.w.get("rules?ended=true")["items"]])
        said = self.w.call("POST", "rules/undo/restore", {"id": "other"})
        self.assertEqual((said.status, said.json["member"]), (422, "id"))
        self.assertIsNone(self.w.want(200, "POST", "rules/undo/restore", {})["ended"])  # as many a client sends it
        wait_for("planned again", planned)

    def test_the_playlist_tells_each_member_of_an_item(self):
        bulletin = self.w.add_bulletin(title="Đủ trường")
        self.w.want(201, "POST", "rules", {"id": "complete", "bulletin": bulletin["hash"], "when": "daily", "times": ["02:10"], "devices": ["box-1"]})
        self.box_playlist("complete")
        item = next(i for i in self.w.get("devices/box-1/playlist")["items"] if i["rule"] == "complete")
        self.assertEqual((item["policy"], item["late_ms"], item["wait_ms"], item["gain_mb"], item["zones"]), ("drop", 60000, 0, 0, []))
        self.assertEqual(set(item), {"id", "rule", "bulletin", "title", "start", "end", "class", "policy", "late_ms", "wait_ms", "gain_mb", "show_ms", "zones"})

    def test_former_areas_stay_and_are_added_by_an_admin_above(self):
        self.w.want(201, "POST", "devices", {"id": "mover", "kind": "board", "area": "a001", "name": "Bảng"})
        self.w.want(200, "PATCH", "devices/mover", {"area": "a002"})
        technician = self.w.make_token("a002", "technician")

        def patch(ids, token):
            return self.w.want(200, "PATCH", "devices/mover", {"former_areas": ids}, token=token)["former_areas"]
        self.assertEqual(patch(["a001"], technician), ["a001"])
        self.assertEqual(patch(["a002", "a000"], technician), ["a002", "a000"])
        self.assertEqual(self.w.call("PATCH", "devices/mover", {"former_areas": ["a001"]}, token=technician).status, 403)
        self.assertEqual(patch(["a001"], self.w.token), ["a001"])
        self.assertEqual(patch([], technician), [])

    def test_scope_and_roles(self):
        commune = self.w.want(201, "POST", "tokens", {"unit": "a002", "role": "operator"})["token"]
        viewer = self.w.want(201, "POST", "tokens", {"unit": "a000", "role": "viewer"})["token"]
        bulletin = self.w.add_bulletin(title="Phạm vi")
        self.assertNotIn("box-1", [d["id"] for d in self.w.get("devices", token=commune)["items"]])
        self.assertEqual(self.w.call("GET", "devices/box-1", token=commune).status, 404)
        self.assertEqual(self.w.call("GET", "receipts?device=box-1", token=commune).status, 404)
        rule = {"bulletin": bulletin["hash"], "when": "daily", "times": ["05:00"], "devices": ["box-1"]}
        self.assertEqual(self.w.call("POST", "rules", rule, token=commune).status, 403)
        self.assertEqual(self.w.call("POST", "rules", rule, token=viewer).status, 403)
        self.assertEqual(self.w.call("POST", "tokens", {"unit": "a000", "role": "admin"}, token=commune).status, 403)
        self.assertIn("box-1", [d["id"] for d in self.w.get("devices", token=viewer)["items"]])

    def test_a_revoked_token_is_refused_and_secrets_are_not_kept(self):
        made = self.w.want(201, "POST", "tokens", {"unit": "a001", "role": "viewer", "note": "tạm"})
        self.assertEqual(self.w.get("whoami", token=made["token"])["note"], "tạm")
        self.w.want(200, "DELETE", f"tokens/{made['id']}")
        self.assertEqual(self.w.call("GET", "whoami", token=made["token"]).status, 401)
        secret = made["token"].encode()[-32:]  # by length: its letters may be anything
        for name in os.listdir(self.w.state):
            if name.startswith("controller.db"):
                self.assertNotIn(secret, read(os.path.join(self.w.state, name)))
        self.assertNotIn(secret, read(self.w.path("controller.log")))
        self.assertTrue(all("token" not in t for t in self.w.get("tokens")["items"]))

    def test_lists_page_through(self):
        self.w.want(200, "POST", "areas", "id,parent,kind,name\n" + "".join(f"p{i:03},a002,village,Thôn {i}\n" for i in range(30)), type="text/csv")
        seen, after = [], ""
        while after is not None:
            page = self.w.get("areas?limit=7" + (f"&after={after}" if after else ""))
            self.assertLessEqual(len(page["items"]), 7)
            seen += [a["id"] for a in page["items"]]
            after = page["next"]
        self.assertEqual(seen, sorted(set(seen)))
        self.assertEqual(len([a for a in seen if a.startswith("p")]), 30)

    def test_the_sample_areas_can_be_brought_in(self):

        text = "id,parent,kind,name\r\n" + 'q001,a002,village,"Bản ""Nà"", trên"\r\n'
        self.assertEqual(self.w.want(200, "POST", "areas", text, type="text/csv")["created"], 1)
        self.assertEqual(self.w.get("areas/q001")["name"], 'Bản "Nà", trên')

    def test_who_has_a_commune_orders_what_lies_within_it(self):
        def put(*items):
            return self.w.want(200, "POST", "areas", {"items": [dict(zip(("id", "parent", "kind", "name"), i)) for i in items]}, token=token)
        token = self.w.make_token("a002")
        self.assertEqual(put(("v2", "v1", "hamlet", "Xóm"), ("v1", "a002", "village", "Thôn"), ("v3", "v2", "group", "Tổ"))["created"], 3)
        self.assertEqual(put(("v3", "v1", "group", "Tổ"), ("a002", "a000", "commune", "Đoàn Kết mới")), {"created": 0, "changed": 2, "same": 0})
        self.assertEqual(self.w.get("areas/v3")["path"], ["v3", "v1", "a002", "a000"])
        self.assertEqual(self.w.get("areas/a002")["name"], "Đoàn Kết mới")

    def test_blobs_need_the_certificate_of_a_known_device(self):
        bulletin = self.w.add_bulletin(title="Tải về")
        path = "/blobs/" + bulletin["hash"]

        def fetch(name, path=path, method="GET", **headers):
            context = ssl.create_default_context(cafile=self.w.certs.path("ca.pem"))
            if name:
                context.load_cert_chain(self.w.certs.path(name + ".crt"), self.w.certs.path(name + ".key"))
            connection = http.client.HTTPSConnection("127.0.0.1", self.w.blobs_port, context=context, timeout=60)
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, body, answer
        size = bulletin["size"]
        status, whole, answer = fetch("box-1")
        self.assertEqual((status, sha(whole), answer.getheader("ETag")), (200, bulletin["hash"], f'"{bulletin["hash"]}"'))
        self.assertEqual(fetch("stranger")[0], 403)
        self.assertEqual(fetch(None)[0], 403)
        status, part, answer = fetch("box-1", Range="bytes=10-19")
        self.assertEqual((status, part, answer.getheader("Content-Range")), (206, whole[10:20], f"bytes 10-19/{size}"))
        self.assertEqual(fetch("box-1", Range=f"bytes={size - 5}-")[1], whole[-5:])
        self.assertEqual(fetch("box-1", Range="bytes=-3")[1], whole[-3:])
        self.assertEqual(fetch("box-1", Range=f"bytes={size}-")[0], 416)
        self.assertEqual(fetch("box-1", Range="bytes=5-9", If_Range='"other"')[0], 200)
        self.assertEqual(fetch("box-1", If_None_Match=f'"{bulletin["hash"]}"')[0], 304)
        status, body, answer = fetch("box-1", method="HEAD")
        self.assertEqual((status, body, answer.getheader("Content-Length")), (200, b"", str(size)))
        for other in ("/blobs/" + "0" * 64, "/blobs/../controller.db", "/blobs/" + bulletin["hash"].upper(), "/"):
            self.assertEqual(fetch("box-1", path=other)[0], 404)
        self.assertEqual(fetch("box-1", method="DELETE")[0], 405)

    def test_curl_with_its_own_tls(self):
        out = subprocess.run(["curl", "-sS", "--cacert", self.w.certs.path("ca.pem"), "-H", f"Authorization: Bearer {self.w.token}",
                              f"https://127.0.0.1:{self.w.api_port}/api/v1/whoami"], check=True, capture_output=True).stdout
        self.assertEqual(json.loads(out)["role"], "admin")

    def test_check_reads_the_configuration(self):
        subprocess.run([CONTROLLER, "--config", self.w.config, "--check"], check=True)

    def stream(self, token):
        context = ssl.create_default_context(cafile=self.w.certs.path("ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.w.api_port, context=context, timeout=120)
        self.addCleanup(connection.close)
        connection.request("GET", "/api/v1/stream", headers={"Authorization": "Bearer " + token, "Accept-Language": "en"})
        answer = connection.getresponse()
        if answer.status == 200:
            self.assertEqual([answer.readline() for _ in range(3)][0], b"event: hello\n")
        return answer

    def test_streams_end_with_their_token(self):
        made, other = (self.w.want(201, "POST", "tokens", {"unit": "a000", "role": "viewer"}) for _ in range(2))
        streams = [self.stream(made["token"]) for _ in range(5)]
        refused = self.stream(made["token"])
        problem = json.loads(refused.read())
        self.assertEqual((refused.status, problem["code"], refused.getheader("Retry-After")), (429, "throttle", "10"))
        self.assertIn("5 streams", problem["detail"])
        live = self.stream(other["token"])
        self.w.want(200, "DELETE", f"tokens/{made['id']}")
        for stream in streams:
            stream.read()  # to its end
        bulletin = self.w.add_bulletin(title="Luồng")
        self.w.want(201, "POST", "rules", {"bulletin": bulletin["hash"], "when": "daily", "times": ["03:10"], "devices": ["box-1"]})
        self.planned(live)

    @staticmethod
    def planned(stream):
        """The next playlist of box-1 that a stream tells; signs of life and what earlier tests set going are passed over."""
        while True:
            line = stream.readline()
            if not line:
                raise AssertionError("the stream has ended")
            if line == b"event: playlist\n" and json.loads(stream.readline()[6:])["device"] == "box-1":
                return

    def test_a_stream_ends_when_the_store_says_that_its_token_did(self):
        made = self.w.want(201, "POST", "tokens", {"unit": "a000", "role": "viewer"})
        stream = self.stream(made["token"])
        with contextlib.closing(sqlite3.connect(f"{self.w.state}/controller.db", timeout=10)) as db, db:
            db.execute("UPDATE tokens SET revoked_ms = 1 WHERE id = ?", (made["id"],))
        stream.read()  # to its end, by the next sign of life at the latest

    def test_stream_begins_with_cursors_and_ends_with_the_client(self):
        context = ssl.create_default_context(cafile=self.w.certs.path("ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.w.api_port, context=context, timeout=120)
        connection.request("GET", "/api/v1/stream", headers={"Authorization": "Bearer " + self.w.token})
        answer = connection.getresponse()
        self.assertEqual(answer.getheader("Content-Type"), "text/event-stream")
        self.assertEqual(answer.readline(), b"event: hello\n")
        self.assertIn("receipts", json.loads(answer.readline()[6:]))
        answer.readline()
        bulletin = self.w.add_bulletin(title="Dòng")
        self.w.want(201, "POST", "rules", {"bulletin": bulletin["hash"], "when": "daily", "times": ["07:00"], "devices": ["box-1"]})
        self.planned(answer)
        connection.close()


if __name__ == "__main__":
    unittest.main()
