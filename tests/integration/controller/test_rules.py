"""Rules over the API: recurrences, sessions, edits, days left out, undo, clashes and the ways out, iCalendar, the command line."""
import concurrent.futures
import datetime
import json
import os
import subprocess
import unittest

from kit import BUILD, World, read, wait_for

LOA = os.path.join(BUILD, "tools", "loa", "loa")
ENGLISH = {"Accept-Language": "en"}


class Rules(unittest.TestCase):
    """box-1 in a001, box-2 and box-3 in a002; each test takes hours of the day of its own."""

    @classmethod
    def setUpClass(cls):
        cls.w = World().__enter__()
        cls.addClassCleanup(cls.w.__exit__, None, None, None)
        cls.w.add_places()
        for box in ("box-2", "box-3"):
            cls.w.want(201, "POST", "devices", {"id": box, "kind": "cluster", "area": "a002", "name": box, "quiet_hours": []})
        cls.w.seal_trust()
        cls.bulletin = cls.w.add_bulletin(title="Lịch tiêm chủng")["hash"]
        cls.news = cls.w.add_bulletin(title="Tin huyện", **{"class": "priority"})["hash"]

    def add(self, id, status=201, **more):
        body = {"id": id, "bulletin": self.bulletin, "when": "daily", "areas": ["a001"], **more}
        if "session" in body:
            del body["bulletin"]
        return self.w.want(status, "POST", "rules", body)

    def refused(self, status, code, words, *args):
        answer = self.w.call(*args, headers=ENGLISH)
        self.assertEqual((answer.status, (answer.json or {}).get("code")), (status, code), (args, answer.body[:500]))
        for word in words:
            self.assertIn(word, answer.json["detail"])
        self.assertNotEqual(self.w.call(*args).json["detail"], answer.json["detail"])  # Vietnamese unless asked otherwise

    def days(self, id, box="box-1"):
        """The civil days (UTC+7) on which the rule stands in the box's playlist."""
        answer = self.w.call("GET", f"devices/{box}/playlist")
        if answer.status != 200:
            return None
        starts = [i["start"] for i in answer.json["items"] if i["rule"] == id]
        return [(datetime.datetime.fromisoformat(s.replace("Z", "+00:00")) + datetime.timedelta(hours=7)).strftime("%Y-%m-%d") for s in starts]

    def wait_days(self, what, id, look, box="box-1"):
        return wait_for(what, lambda: (lambda d: d is not None and look(d) and (d or True))(self.days(id, box)))

    @staticmethod
    def day(ahead):
        return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=7, days=ahead)).strftime("%Y-%m-%d")

    def test_kinds_of_days_reach_the_playlist(self):
        self.add("weekly", when="weekly", weekdays=["mon", "thu"], times=["01:00"])
        for day in self.wait_days("weekly", "weekly", lambda d: len(d) >= 8):
            self.assertIn(datetime.date.fromisoformat(day).isoweekday(), (1, 4))
        self.add("every", when="every", every_days=7, anchor="2026-01-01", times=["01:10"])
        for day in self.wait_days("every", "every", lambda d: len(d) >= 4):
            self.assertEqual((datetime.date.fromisoformat(day) - datetime.date(2026, 1, 1)).days % 7, 0)
        self.add("cho-phien", when="lunar_days", lunar_days=[2, 7, 12, 17, 22, 27], times=["01:20"])
        self.assertIn(len(self.wait_days("market days", "cho-phien", lambda d: len(d) >= 5)), (5, 6, 7))

    def test_what_cannot_be_is_refused(self):
        rule = {"bulletin": self.bulletin, "areas": ["a001"], "times": ["02:00"]}
        for more, member in (({"when": "weekly"}, "weekdays"), ({"when": "daily", "times": ["25:00"]}, "25:00"),
                             ({"when": "lunar_dates", "lunar_dates": ["02-31"]}, "02-31"), ({"when": "daily", "zone": "Mars/Phobos"}, "Mars"),
                             ({"when": "daily", "from": "2030-02-02", "until": "2030-02-01"}, "2030-02-01"),
                             ({"when": "daily", "until": "2020-01-01"}, "past"), ({"when": "daily", "groups": ["nobody"]}, "nobody"),
                             ({"when": "daily", "except_devices": ["nothing"]}, "nothing"),
                             ({"when": "daily", "except": [str(datetime.date(2030, 1, 1) + datetime.timedelta(n)) for n in range(10000)]}, "10000")):
            self.refused(422, "value" if member != "weekdays" else "member", [member], "POST", "rules", {**rule, **more})
        self.refused(422, "value", ["on_clash"], "POST", "rules", {**rule, "when": "daily", "on_clash": "shout"})
        # Sentences name the member (or the element of its list) and what stands there.
        daily, weekly, every = {"when": "daily"}, {"when": "weekly", "weekdays": ["mon"]}, {"when": "every", "every_days": 7, "anchor": "2026-01-01"}
        part = {"source": "VOV1", "length_ms": 60000}
        for more, words in (
                ({**daily, "times": ["24:00"]}, ["times[0]", "24:00"]), ({**daily, "times": ["05:60"]}, ["times[0]", "05:60"]),
                ({**daily, "times": ["5:00"]}, ["times[0]", "5:00"]), ({**daily, "times": ["-1:00"]}, ["times[0]"]), ({**daily, "times": [300]}, ["times[0]"]),
                ({**daily, "times": []}, ["times"]), ({**daily, "times": "05:00"}, ["times"]), ({**daily, "times": ["05:00", "05:00:00"]}, ["times[1]", "05:00:00"]),
                ({**daily, "times": [f"{n // 2:02d}:{n % 2 * 30:02d}:01" for n in range(47)] + ["00:00", "00:01"]}, ["times", "48"]),
                ({**daily, "zone": "UTC+7"}, ["UTC+7"]), ({**daily, "zone": "+07:00"}, ["+07:00"]), ({**daily, "zone": "Asia/../x"}, ["Asia/../x"]),
                ({**daily, "zone": "/etc/localtime"}, ["/etc/localtime"]), ({**daily, "zone": ""}, ["zone"]), ({**daily, "zone": "Asia"}, ["Asia"]),
                ({**daily, "zone": "x" * 1000}, ["zone"]),
                ({**every, "every_days": 0}, ["every_days", "3660"]), ({**every, "every_days": 10 ** 9}, ["every_days", "3660"]),
                ({**every, "every_days": -7}, ["every_days"]), ({**every, "every_days": 1.5}, ["every_days"]), ({**every, "anchor": "2026-13-01"}, ["anchor", "2026-13-01"]),
                ({"when": "once", "date": "2030-02-30"}, ["date", "2030-02-30"]), ({"when": "once", "date": "2030-2-3"}, ["2030-2-3"]),
                ({"when": "once", "date": "1970-01-01"}, ["past"]), ({"when": "once", "date": "99999-01-01"}, ["99999-01-01"]),
                ({**daily, "from": "2400-01-01"}, []), ({**daily, "until": "0000-00-00"}, ["until"]),
                ({**weekly, "weekdays": ["mon", "mon"]}, ["weekdays", "mon"]), ({**weekly, "weekdays": ["monday"]}, ["monday", "mon"]),
                ({**weekly, "weekdays": 127}, ["weekdays"]),
                ({"when": "monthly", "month_days": [0]}, ["month_days[0]"]), ({"when": "monthly", "month_days": [32]}, ["month_days[0]", "32"]),
                ({"when": "monthly_nth", "weekdays": ["mon"], "nths": [6]}, ["nths[0]", "6"]),
                ({"when": "lunar_days", "lunar_days": [31]}, ["lunar_days[0]", "31"]), ({"when": "lunar_days", "lunar_days": [2, 2]}, ["lunar_days[1]"]),
                ({"when": "lunar_dates", "lunar_dates": ["13-01"]}, ["13-01"]),
                ({"when": "lunar_dates", "lunar_dates": [{"from": "02-15", "to": "02-15", "leap": "maybe"}]}, ["leap"]),
                ({"when": "monthly", "month_days": [31], "seasons": ["02-01..02-28"]}, []), ({**daily, "seasons": ["02-30..03-01"]}, ["02-30"]),
                ({**daily, "seasons": ["01-01..12-31"] * 17}, ["seasons", "16"]),
                ({**daily, "except": ["never"]}, ["except[0]", "never"]),
                ({**daily, "from": "2030-01-01", "until": "2030-01-02", "except": ["2030-01-02", "2030-01-01"]}, []),
                ({**daily, "holidays": "sometimes"}, ["holidays", "skip"]), ({**daily, "holidays": "only", "calendar": "mars"}, ["mars"]),
                ({**daily, "holidays": "only", "calendar": "../vietnam"}, ["calendar"]), ({**daily, "holidays": "only", "calendar_days": ["easter"]}, ["easter"]),
                ({**daily, "late_ms": -1}, ["late_ms"]), ({**daily, "late_ms": 1e300}, ["late_ms"]),
                ({**daily, "catch_up_ms": 604800001}, ["catch_up_ms"]), ({**daily, "gain_mb": 1}, ["gain_mb"]), ({**daily, "start": "wait", "wait_ms": 0}, ["wait_ms"]),
                ({**daily, "bulletin": None, "session": {"parts": [part] * 65}}, ["parts", "64"]), ({**daily, "bulletin": None, "session": {"parts": [part], "plays": 21}}, ["plays"]),
                ({**daily, "bulletin": None, "session": {"parts": [{**part, "length_ms": 0}]}}, ["length_ms"])):
            with self.subTest(more=str(more)[:200]):
                body = {k: v for k, v in {**rule, **more}.items() if v is not None}
                answer = self.w.call("POST", "rules", body, headers=ENGLISH)
                self.assertEqual(answer.status, 422, answer.body[:300])
                self.assertGreater(len(answer.json["detail"]), 20)
                for word in words:
                    self.assertIn(word, answer.json["detail"])
        self.refused(400, "json", ["too big"], "POST", "rules", {**rule, **daily, "late_ms": 10 ** 30})
        # What is defined: days left out stand in their order and once, however they came in, and one of long ago is no harm; a season
        # without an end is a day.
        days = [str(datetime.date(2030, 1, 1) + datetime.timedelta(n)) for n in range(366)] + ["1999-01-01"]
        self.assertEqual(self.w.want(201, "POST", "rules", {**rule, **daily, "times": ["02:10"], "except": days[::-1] + days[:9]})["except"], sorted(days))
        self.assertEqual(self.w.want(201, "POST", "rules", {**rule, **daily, "times": ["02:20"], "seasons": [{"from": "01-01"}]})["seasons"][0]["to"], "01-01")

    def test_a_lunar_day_that_some_years_lack_is_told(self):
        rule = self.w.want(201, "POST", "rules", {"id": "ba-muoi", "bulletin": self.bulletin, "areas": ["a001"], "when": "lunar_dates",
                                                  "lunar_dates": ["12-30"], "times": ["01:30"]}, headers=ENGLISH)
        self.assertTrue(any("30/12" in w for w in rule["warnings"]), rule["warnings"])

    def test_edits_days_left_out_and_undo(self):
        self.add("sua", times=["03:00"])
        self.wait_days("daily", "sua", lambda d: len(d) >= 29)
        tomorrow, later = self.day(2), self.day(3)
        left = self.w.want(200, "POST", "rules/sua/exceptions", {"date": tomorrow})
        self.assertEqual(left["except"], [tomorrow])
        self.assertEqual(self.w.want(200, "POST", "rules/sua/exceptions", {"date": tomorrow})["except"], [tomorrow])
        self.wait_days("left out", "sua", lambda d: tomorrow not in d and later in d)
        self.refused(422, "value", ["2020-01-01"], "POST", "rules/sua/exceptions", {"date": "2020-01-01"})
        changed = self.w.want(200, "PATCH", "rules/sua", {"times": ["03:05"], "when": "weekly", "weekdays": ["sun"]})
        self.assertEqual((changed["times"], changed["when"], changed["except"]), (["03:05"], "weekly", [tomorrow]))
        self.wait_days("weekly now", "sua", lambda d: len(d) <= 5)
        self.refused(422, "value", ["does not hold"], "POST", "rules/sua/exceptions",
                     {"date": next(self.day(n) for n in range(5, 12) if datetime.date.fromisoformat(self.day(n)).isoweekday() == 3)})
        self.assertEqual(self.w.want(200, "POST", "rules/sua/undo")["when"], "daily")
        self.wait_days("daily again", "sua", lambda d: len(d) >= 28 and tomorrow not in d)
        self.w.want(200, "DELETE", f"rules/sua/exceptions/{tomorrow}")
        self.refused(404, "missing", [tomorrow], "DELETE", f"rules/sua/exceptions/{tomorrow}")
        self.wait_days("all days", "sua", lambda d: tomorrow in d)
        self.assertEqual(self.w.want(200, "POST", "rules/sua/undo").get("except"), [tomorrow])
        self.assertNotIn("except", self.w.want(200, "POST", "rules/sua/undo"))
        self.refused(409, "conflict", ["never changed"], "POST", "rules/sua/undo")
        changes = self.w.get("rules/sua/changes")["items"]
        self.assertEqual([c["what"] for c in changes], ["exception", "edit", "exception taken back"])
        self.assertTrue(all(c["undone"] for c in changes))
        self.w.want(200, "DELETE", "rules/sua")
        self.refused(409, "conflict", ["restore"], "PATCH", "rules/sua", {"times": ["03:10"]})
        self.refused(404, "missing", ["nobody"], "PATCH", "rules/nobody", {"times": ["03:10"]})

    def test_an_edit_moves_the_rule_to_other_devices(self):
        self.add("doi-cho", times=["04:00"])
        self.wait_days("in a001", "doi-cho", lambda d: len(d) >= 29)
        self.w.want(200, "PATCH", "rules/doi-cho", {"areas": ["a002"], "except_devices": ["box-3"]})
        self.wait_days("no longer in a001", "doi-cho", lambda d: not d)
        self.wait_days("in a002", "doi-cho", lambda d: len(d) >= 29, box="box-2")
        self.assertFalse(self.days("doi-cho", box="box-3"))

    def test_a_session_and_its_parts(self):
        rule = self.add("buoi-sang", times=["12:00"], session={"length_ms": 1800000, "opening": self.bulletin, "parts": [
            {"bulletin": self.news, "class": "priority"}, {"source": "VOV1", "length_ms": 600000}], "closing": self.bulletin})
        self.assertIsNone(rule["bulletin"])
        self.assertEqual(rule["session"]["plays"], 1)
        self.wait_days("the session", "buoi-sang", lambda d: len(d) >= 3 * 29)
        self.refused(422, "value", ["priority"], "POST", "rules", {"areas": ["a001"], "when": "daily", "times": ["13:00"],
                                                                   "session": {"parts": [{"bulletin": self.bulletin, "class": "priority"}]}})

    def test_languages_are_complete_or_the_bulletin_is_refused(self):
        """box-1 speaks Vietnamese and Chinese; the bulletin has Vietnamese only, and text alone."""
        both = self.w.add_bulletin(title="Hai tiếng", contents=[{"lang": "vi", "text": "Xin chào"}, {"lang": "zh", "text": "你好"}])["hash"]
        at = {"when": "daily", "areas": ["a001"], "times": ["20:00"]}
        words = ["'Lịch tiêm chủng'", '"zh"', "box-1", "complete"]
        self.refused(422, "value", words, "POST", "rules", {"bulletin": self.bulletin, **at, "languages": "complete"})
        self.refused(422, "value", words, "POST", "rules", {"session": {"parts": [{"bulletin": both}, {"bulletin": self.bulletin}], "languages": "complete"}, **at})
        self.refused(422, "member", ["languages"], "POST", "rules", {"session": {"parts": [{"bulletin": both}]}, **at, "languages": "complete"})
        self.assertEqual(self.add("du-tieng", bulletin=both, languages="complete", **at)["languages"], "complete")
        self.add("mot-tieng", **{**at, "times": ["20:20"]})
        self.refused(422, "value", words, "PATCH", "rules/mot-tieng", {"languages": "complete"})
        self.refused(422, "value", words, "PATCH", "rules/du-tieng", {"bulletin": self.bulletin})
        # A device that asks for more later: left out there, and the preview says why.
        self.w.want(200, "PATCH", "devices/box-1", {"languages": ["vi", "zh", "en"]})
        day = self.w.get(f"preview?device=box-1&day={self.day(3)}")
        self.assertIn(("du-tieng", "language missing"), [(p["rule"], p["why"]) for p in day["problems"]])
        self.assertNotIn("du-tieng", [e["rule"] for e in day["entries"]])
        self.w.want(200, "PATCH", "devices/box-1", {"languages": ["vi", "zh"]})
        for id in ("du-tieng", "mot-tieng"):
            self.w.want(200, "DELETE", f"rules/{id}")

    def test_clashes_are_told_and_resolved(self):
        first = self.add("tin-huyen", bulletin=self.news, when="weekly", weekdays=["mon"], times=["15:10"], areas=["a000"], show_ms=900000,
                         **{"class": "priority"})
        self.assertEqual(first["clashes"], [])
        unused = self.w.add_bulletin(title="Chưa lịch nào dùng")["hash"]
        more = {"times": ["15:20"], "areas": ["a002"], "show_ms": 600000, "bulletin": unused}
        told = self.add("trung", **more)
        self.assertEqual([(c["rule"], c["class"], c["devices"]) for c in told["clashes"]], [("tin-huyen", "priority", 2)])
        self.assertEqual(told["clashes"][0]["sentence"], "15:20-15:25 trùng với 'Tin huyện' (ưu tiên) trên 2 cụm loa, các ngày thứ Hai")
        self.assertEqual(told["ways"]["after"], ["15:25"])
        self.w.want(200, "DELETE", "rules/trung")
        self.refused(409, "clash", ["'Tin huyện'", "on Mondays"], "POST", "rules",
                     {"id": "khong", "when": "daily", **more, "on_clash": "refuse"})
        self.assertEqual(self.w.call("GET", "rules/khong").status, 404)
        moved = self.add("sau", **more, on_clash="after")
        self.assertEqual((moved["times"], moved["way"]), (["15:25"], "after"))
        self.assertEqual(moved["clashes"][0]["sentence"],
                         "15:20-15:25 trùng với 'Tin huyện' (ưu tiên) trên 2 cụm loa, các ngày thứ Hai; đã dời sang 15:25")
        self.w.want(200, "DELETE", "rules/sau")
        self.add("thay", **more, until=self.day(20), on_clash="replace")
        other = self.w.get("rules/tin-huyen")
        self.assertTrue(other["except"] and all(datetime.date.fromisoformat(d).isoweekday() == 1 for d in other["except"]))
        self.assertEqual(self.w.want(200, "POST", "rules/tin-huyen/undo").get("except"), None)
        self.assertTrue(self.w.want(200, "PATCH", "rules/thay", {"show_ms": 660000})["clashes"])
        # Days that are no weekly pattern are told as dates.
        self.add("hang-ngay", times=["16:20"], areas=["a002"], show_ms=600000)
        market = self.add("phien-cho", when="lunar_days", lunar_days=[2, 7, 12, 17, 22, 27], times=["16:20"], areas=["a002"], show_ms=600000)
        clash = market["clashes"][0]
        day = ", ".join("/".join(reversed(d.split("-"))) for d in clash["days"][:3])
        self.assertEqual(clash["rule"], "hang-ngay")
        self.assertTrue(clash["sentence"].endswith(f", ngày {day} và {clash['n_days'] - 3} ngày khác"), clash["sentence"])
        for id in ("hang-ngay", "phien-cho"):
            self.w.want(200, "DELETE", f"rules/{id}")

    def test_clashes_that_are_far_away_are_found(self):
        """Two that meet once in a year, and one that begins in two years: whichever is saved last is told."""
        feast = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=200)).date()
        far = {"id": "hoi-lang", "when": "once", "date": str(feast), "times": ["14:00"], "show_ms": 600000}
        month = {"id": "hang-thang", "when": "monthly", "month_days": [feast.day], "times": ["14:05"], "show_ms": 600000}
        late = {"id": "hai-nam", "when": "daily", "from": self.day(730), "times": ["14:10"], "show_ms": 60000}
        for first, second in ((far, month), (month, far), (late, month), (month, late)):
            self.add(**first)
            self.assertEqual([c["rule"] for c in self.add(**second)["clashes"]], [first["id"]])
            for rule in (first, second):
                self.w.want(200, "DELETE", f"rules/{rule['id']}")
                rule["id"] += "x"

    def test_saves_at_once_see_each_other(self):
        at = {"when": "daily", "areas": ["a002"], "times": ["10:00"], "show_ms": 600000}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            saved = list(pool.map(lambda n: self.w.call("POST", "rules", {"id": f"cung-luc-{n}", "bulletin": self.bulletin, **at, "on_clash": "refuse"}),
                                  range(8)))
            self.assertEqual(sorted(a.status for a in saved), [201] + [409] * 7)
            kept = next(a.json["id"] for a in saved if a.status == 201)
            # Edits at once: none is lost unseen.
            edits = [{"show_ms": 500000}, {"late_ms": 30000}, {"gain_mb": -300}, {"until": self.day(400)}]
            done = list(pool.map(lambda e: self.w.call("PATCH", f"rules/{kept}", e), edits))
        rule = self.w.get(f"rules/{kept}")
        for edit, answer in zip(edits, done):
            self.assertIn(answer.status, (200, 409), answer.body)
            (name, value), = edit.items()
            self.assertEqual(rule.get(name) == value, answer.status == 200, (edit, answer.status, rule))
        self.assertIn(200, [a.status for a in done])

    def test_one_token_does_not_keep_others_waiting(self):
        many, few = self.w.make_token(), self.w.make_token()
        save = {"bulletin": self.bulletin, "when": "daily", "areas": ["a001"], "times": ["11:00"]}
        done = []

        def add(token, id):
            status = self.w.call("POST", "rules", {"id": id, **save}, token=token).status
            done.append((token, status))
            return status
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            flood = [pool.submit(add, many, f"nhieu-{n}") for n in range(36)]
            mine = [add(few, f"it-{n}") for n in range(4)]
            self.assertEqual(mine, [201] * 4)
            self.assertTrue({f.result() for f in flood} <= {201, 503})

    def test_a_change_waits_for_nothing(self):
        """What a rule means is looked for at once, however soon the thread that looks begins."""
        for n in range(15):
            self.add(f"gap-{n}", times=["03:33"])
            self.wait_days("in the playlist", f"gap-{n}", len)
            self.w.want(200, "DELETE", f"rules/gap-{n}")
            self.wait_days("out of it", f"gap-{n}", lambda days: not days)
        self.assertNotIn(b"looked at again", read(self.w.path("controller.log")))

    def test_iCalendar(self):
        self.add("lich", when="lunar_days", lunar_days=[1, 15], times=["18:00"])
        for path in ("rules/lich.ics", "rules.ics?days=60"):
            answer = self.w.call("GET", path)
            self.assertEqual((answer.status, answer.headers["content-type"]), (200, "text/calendar; charset=utf-8"))
            text = answer.body.decode().replace("\r\n ", "")
            self.assertTrue(text.startswith("BEGIN:VCALENDAR\r\n") and text.endswith("END:VCALENDAR\r\n"))
            self.assertIn("UID:lich-180000\r\n", text)
            self.assertIn("SUMMARY:Lịch tiêm chủng\r\n", text)
            self.assertIn("TZID:Asia/Ho_Chi_Minh\r\n", text)
            self.assertIn("RDATE:", text)
        elsewhere = self.w.make_token("a002", "viewer")
        self.assertNotIn("UID:lich-", self.w.call("GET", "rules.ics", token=elsewhere).body.decode())
        self.assertEqual(self.w.call("GET", "rules/lich.ics", token=elsewhere).status, 404)
        self.refused(400, "query", ["days"], "GET", "rules.ics?days=0")
        self.refused(400, "query", ["from"], "GET", "rules.ics?from=soon")
        for i in range(2):
            self.add(f"dai-{i}", when="daily", holidays="skip", times=[f"{6 + k // 4:02}:{k % 4 * 15:02}" for k in range(48)])
        self.refused(422, "size", ["1024 KiB"], "GET", "rules.ics?days=1830")
        for i in range(2):
            self.w.want(200, "DELETE", f"rules/dai-{i}")

    def test_another_unit_changes_nothing(self):
        self.add("cua-tinh", times=["19:00"], areas=["a000"])
        commune = self.w.make_token("a001", "operator")
        for method, path, body in (("PATCH", "rules/cua-tinh", {"times": ["19:30"]}), ("POST", "rules/cua-tinh/exceptions", {"date": self.day(3)}),
                                   ("POST", "rules/cua-tinh/undo", None)):
            self.assertEqual(self.w.call(method, path, body, token=commune).status, 403, (method, path))
        viewer = self.w.make_token("a000", "viewer")
        self.assertEqual(self.w.call("PATCH", "rules/cua-tinh", {"times": ["19:30"]}, token=viewer).status, 403)

    def loa(self, *args, code=0):
        env = {**os.environ, "LOA_URL": f"https://127.0.0.1:{self.w.api_port}", "LOA_CA": self.w.certs.path("ca.pem"), "LOA_TOKEN": self.w.token}
        done = subprocess.run([LOA, *args], env=env, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, (args, done.stdout[-500:], done.stderr[-500:]))
        return done.stdout

    def test_the_command_line(self):
        self.loa("rule", "add", "--bulletin", self.bulletin, "--area", "a001", "--id", "cli", "--lunar-dates", "03-10,12-23..01-03", "--at", "20:00",
                 "--lunar-season", "01-01..04-30", "--except", "2030-01-01")
        rule = json.loads(self.loa("rule", "show", "cli", "--json"))
        self.assertEqual([(d["from"], d["to"], d["leap"]) for d in rule["lunar_dates"]], [("03-10", "03-10", "no"), ("12-23", "01-03", "no")])
        self.assertEqual(rule["seasons"][0]["lunar"], True)
        self.loa("rule", "change", "cli", "--weekdays", "sat,sun", "--nth", "1,-1", "--at", "20:10", "--unset", "seasons")
        rule = json.loads(self.loa("rule", "show", "cli", "--json"))
        self.assertEqual((rule["when"], rule["nths"], rule["times"], rule.get("seasons")), ("monthly_nth", [1, -1], ["20:10"], None))
        self.loa("rule", "change", "cli", "--unset", "colour", code=1)
        self.assertIn("giờ phát: 20:10 → 20:00\n", self.loa("rule", "undo", "cli"))  # says what it undid
        self.assertIn("sửa", self.loa("rule", "changes", "cli"))
        self.assertIn("không có gì để khôi phục", self.loa("rule", "restore", "cli"))
        self.assertIn("Đã kết thúc", self.loa("rule", "delete", "cli"))
        self.assertIn("had ended already", self.loa("rule", "delete", "cli", "--lang", "en"))
        self.assertIn("đã được khôi phục", self.loa("rule", "restore", "cli"))
        self.assertIn("BEGIN:VEVENT", self.loa("rule", "calendar", "cli"))
        self.assertIn("BEGIN:VEVENT", self.loa("rule", "calendar", "--days", "30"))
        self.loa("rule", "add", "--bulletin", self.bulletin, "--area", "a001", "--id", "cli-2", "--daily", "20:30")
        self.loa("rule", "skip", "cli-2", self.day(4))
        self.assertEqual(json.loads(self.loa("rule", "show", "cli-2", "--json"))["except"], [self.day(4)])
        self.assertIn("đã bỏ từ trước", self.loa("rule", "skip", "cli-2", self.day(4)))
        self.loa("rule", "skip", "cli-2", self.day(4), "--take-back")
        self.loa("rule", "skip", "cli-2", "2020-01-01", code=1)
        self.assertIn("--lunar-days 2,7,12,17,22,27", self.loa("rule", "add", "--help"))


if __name__ == "__main__":
    unittest.main()
