"""What a change touches and what it leaves alone: 260 devices, rules, a bulletin that 200 of them say, sessions with fillers."""
import json
import os
import sqlite3
import time
import unittest

from kit import World, make_wav, read, wait_for

WITH, ALL = 200, 260


class Timetables(unittest.TestCase):
    """Devices d000 .. d259 in the communes c0 .. c3 of a000, straight into the store of a centre that is not running."""

    @classmethod
    def setUpClass(cls):
        cls.w = World().__enter__()
        cls.addClassCleanup(cls.w.__exit__, None, None, None)
        cls.w.add_places()
        cls.names = [f"d{i:03}" for i in range(ALL)]
        cls.w.kill()
        settings = json.dumps({"zone": "Asia/Ho_Chi_Minh", "languages": ["vi", "zh"], "delay_ms": 0, "heard_level_mb": -3000, "former_areas": [],
                               "quiet_hours": [], "gain_ceilings": []})
        db = sqlite3.connect(os.path.join(cls.w.state, "controller.db"))
        with db:
            db.executemany("INSERT INTO areas VALUES (?, 'a000', 'commune', ?)", [(f"c{i}", f"Xã {i}") for i in range(4)])
            db.executemany("INSERT INTO devices VALUES (?, 'cluster', ?, ?, ?, 1)", [(d, d, f"c{i % 4}", settings) for i, d in enumerate(cls.names)])
        db.close()
        cls.w.start()
        cls.w.seal_trust()

    def read(self, sql):
        db = sqlite3.connect(f"file:{self.w.state}/controller.db?mode=ro", uri=True, timeout=60)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def documents(self):
        """{device: (version, ids of the rules in it)}"""
        rows = self.read("SELECT device, ver, body FROM documents WHERE word = 'playlist' AND device LIKE 'd%'")
        return {device: (ver, {i["id"].split(".")[0] for i in json.loads(body)["items"]}) for device, ver, body in rows}

    def wait_rules(self, what, names, wanted):
        """Until each device's playlist holds just these of the rules named."""

        def look():
            now = self.documents()
            return now if all(now.get(d, (0, {"-"}))[1] & names == rules for d, rules in wanted.items()) and len(now) == ALL else None
        return wait_for(what, look, 120)

    def add(self, id, bulletin, **more):
        return self.w.want(201, "POST", "rules", {"id": id, "bulletin": bulletin, "when": "daily", "times": ["06:00"], **more})

    def unchanged(self, before, devices):
        now = self.documents()
        return [d for d in devices if now[d][0] != before[d][0]]

    def test_1_a_bulletin_of_200_playlists_is_withdrawn(self):
        all_hear, some_hear = self.w.add_bulletin()["hash"], self.w.add_bulletin(title="Bị rút")["hash"]
        self.add("all", all_hear, areas=["a000"])
        self.add("some", some_hear, devices=self.names[:WITH], times=["07:00"])
        before = self.wait_rules("both rules", {"all", "some"}, {d: {"all", "some"} if i < WITH else {"all"} for i, d in enumerate(self.names)})
        self.w.want(200, "DELETE", "rules/some")
        self.wait_rules("gone from 200", {"all", "some"}, {d: {"all"} for d in self.names})
        self.assertEqual(self.unchanged(before, self.names[WITH:]), [])
        self.assertEqual(len(self.unchanged(before, self.names[:WITH])), WITH)

    def test_2_one_commune_s_rule_touches_that_commune(self):
        bulletin = self.w.add_bulletin(title="Của một xã")["hash"]
        before = self.documents()
        self.add("commune", bulletin, areas=["c1"], times=["08:00"])
        own = self.names[1::4]
        self.wait_rules("in the commune", {"commune"}, {d: {"commune"} for d in own})
        self.assertEqual(self.unchanged(before, [d for d in self.names if d not in own]), [])
        before = self.documents()
        self.w.want(200, "PATCH", "rules/commune", {"except_areas": ["c1"]})
        self.wait_rules("nowhere any more", {"commune"}, {d: set() for d in own})
        self.assertEqual(self.unchanged(before, [d for d in self.names if d not in own]), [])

    def said(self, from_ms):
        """{(word, device): what it says}, of playlists from then on for 29 days, with each item's bulletin whole."""
        found = {}
        for word, device, text in self.read("SELECT word, device, body FROM documents WHERE device LIKE 'd%'"):
            body = {k: v for k, v in json.loads(text).items() if k not in ("era", "ver", "iat", "exp", "config_ver", "from_ms", "until_ms")}
            if word == "playlist":
                items, bulletins = body.pop("items"), body.pop("bulletins")
                body["items"] = [{**i, "bulletin": bulletins[i["bulletin"]]} for i in items if from_ms <= i["start_ms"] < from_ms + 29 * 86400000]
            found[word, device] = body
        return found

    def start_and_rest(self):
        self.w.start()
        wait_for("every device has been looked at", lambda: self.w.get("status").get("compiling") == 0, 120)

    def test_3_a_restart_changes_nothing(self):
        sealed, left_out = "SELECT word, device, era, ver, hash, sealed FROM documents", "SELECT * FROM problems"
        from_ms = int(time.time() * 1000) + 3600000
        stored, problems = self.read(sealed), self.read(left_out)
        self.w.kill()
        self.start_and_rest()
        self.assertEqual(self.read(sealed), stored)  # to the byte: nothing was sealed again
        self.assertEqual(self.read(left_out), problems)
        said = self.said(from_ms)
        self.w.kill()
        db = sqlite3.connect(os.path.join(self.w.state, "controller.db"))
        with db:
            for table in ("documents", "sent", "problems"):
                db.execute(f"DELETE FROM {table} WHERE device <> ''")
        db.close()
        self.start_and_rest()  # with nothing made it comes to say the same
        again = self.said(from_ms)
        self.assertEqual(set(again), set(said))
        self.assertEqual([key for key in said if again[key] != said[key]], [])
        self.assertEqual(self.read(left_out), problems)
        before = self.documents()
        bulletin = self.w.add_bulletin(title="Sau khi bật lại")["hash"]
        self.add("after", bulletin, areas=["c2"], times=["09:00"])
        self.wait_rules("what came after", {"after"}, {d: {"after"} if i % 4 == 2 else set() for i, d in enumerate(self.names)})
        self.assertEqual(self.unchanged(before, [d for i, d in enumerate(self.names) if i % 4 != 2]), [])

    def test_5_what_is_left_out_is_told(self):
        bulletin = self.w.add_bulletin(title="Hai bản tin một giờ")["hash"]
        self.add("x-first", bulletin, areas=["c0"], times=["10:00"])
        self.add("x-second", bulletin, areas=["c0"], times=["10:00"], late_ms=0)  # else it would be moved behind

        def told():
            return [p for p in self.w.get(f"devices/{self.names[0]}/playlist")["problems"] if p["rule"] == "x-second"]
        problem, = wait_for("the clash", told)
        self.assertEqual((problem["why"], problem["other"], problem["warning"]), ("clash", "x-first", False))
        self.assertIn(problem["count"], range(30, 34))

    def test_6_a_group_s_change_touches_who_comes_and_who_goes(self):
        self.w.want(201, "POST", "groups", {"id": "market", "name": "Chợ", "devices": self.names[:100]})
        self.add("market-day", self.w.add_bulletin(title="Tin chợ")["hash"], groups=["market"], times=["15:00"])
        names = {"market-day"}
        before = self.wait_rules("in the group", names, {d: names if i < 100 else set() for i, d in enumerate(self.names)})
        made = self.w.want(200, "PATCH", "groups/market", {"name": "Chợ phiên", "add": self.names[99:102], "remove": self.names[:1]})
        self.assertEqual((made["name"], made["devices"]), ("Chợ phiên", self.names[1:102]))
        self.wait_rules("others in the group", names, {d: names if 1 <= i < 102 else set() for i, d in enumerate(self.names)})
        self.assertEqual(self.unchanged(before, self.names[1:100] + self.names[102:]), [])
        self.assertEqual(self.w.want(200, "PATCH", "groups/market", {"devices": self.names[5:7]})["devices"], self.names[5:7])
        self.wait_rules("two in the group", names, {d: names if 5 <= i < 7 else set() for i, d in enumerate(self.names)})

    def sound(self, seconds, hz):
        path = self.w.path(f"s{seconds}-{hz}.wav")
        make_wav(path, seconds, hz=float(hz))
        made = self.w.call("POST", "media", read(path), type="application/octet-stream")
        self.assertIn(made.status, (200, 201), made.body[:300])
        return made.json["hash"]

    def test_4_sessions_are_filled_with_what_is_approved(self):
        tune, news, music = (self.w.add_bulletin(title=t, category=c, unit="a000", contents=[{"lang": "vi", "text": t, "audio": self.sound(s, hz)}])["hash"]
                             for t, c, s, hz in (("Nhạc hiệu", "tune", 2, 300), ("Tin xã", "notice", 5, 400), ("Ca nhạc", "music", 4, 500)))
        made = self.w.want(201, "POST", "rules", {"id": "slot", "when": "daily", "times": ["05:00"], "areas": ["c3"], "session": {
            "length_ms": 24000, "opening": tune, "closing": tune, "parts": [{"bulletin": news}], "topics": [{"topic": "music", "weight": 1}]}})
        self.assertEqual(made["session"]["opening"], tune)

        def slot():
            answer = self.w.call("GET", f"devices/{self.names[3]}/playlist")
            items = [i for i in answer.json["items"] if i["rule"] == "slot"] if answer.status == 200 else []
            return [(i["bulletin"], i["start"]) for i in items if i["start"][:10] == items[-1]["start"][:10]] if items else None
        self.assertEqual([b for b, _ in wait_for("the session", slot)], [tune, news, tune])  # nobody has approved the music
        self.w.want(201, "POST", "approvals", self.w.approve(music), type="application/jose")
        self.add("nudge", news, areas=["c3"], times=["12:00"])
        said = wait_for("its fillers", lambda: (lambda s: s if s and len(s) > 3 else None)(slot()))
        self.assertEqual([b for b, _ in said], [tune, news, music, music, music, tune])
        seconds = [float(at[17:23]) for _, at in said]
        self.assertEqual([round(b - a) for a, b in zip(seconds, seconds[1:])], [2, 5, 4, 4, 4])


if __name__ == "__main__":
    unittest.main()
