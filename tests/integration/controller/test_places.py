"""Places over the API: what devices are tagged with, groups, limits and exemptions, areas that change, what comes from above."""
import json
import os
import subprocess
import unittest

from kit import BUILD, SOURCE, World, make_wav, read, wait_for

LOA = os.path.join(BUILD, "tools", "loa", "loa")

ENGLISH = {"Accept-Language": "en"}


class Places(unittest.TestCase):
    """Province a000 with the communes a001 and a002; box-1 lies in a001, box-2 in a002."""

    @classmethod
    def setUpClass(cls):
        cls.w = World().__enter__()
        cls.addClassCleanup(cls.w.__exit__, None, None, None)
        cls.w.add_places()
        cls.w.want(201, "POST", "devices", {"id": "box-2", "kind": "cluster", "area": "a002", "name": "Cụm 2", "quiet_hours": []})
        cls.w.seal_trust()
        cls.one = cls.w.make_token("a001", "operator")
        cls.two = cls.w.make_token("a002", "operator")

    def refused(self, status, code, words, *args, **kwargs):
        """A refusal that names these words, and leaves the store as it was."""
        answer = self.w.call(*args, headers=ENGLISH, **kwargs)
        self.assertEqual((answer.status, (answer.json or {}).get("code")), (status, code), (args, answer.body[:500]))
        for word in words:
            self.assertIn(word, answer.json["detail"])
        again = self.w.call(*args, **kwargs)
        self.assertNotEqual(again.json["detail"], answer.json["detail"])  # Vietnamese unless asked otherwise
        return answer.json

    # -- devices

    def test_tags_and_noise_of_a_device(self):
        made = self.w.want(201, "POST", "devices", {"id": "tagged", "kind": "board", "area": "a001", "name": "Bảng", "tags": ["cho", "truong-hoc"],
                                                    "noise": "special"})
        self.assertEqual((made["tags"], made["noise"], made["quiet_hours"]), (["cho", "truong-hoc"], "special", None))
        own = self.w.want(200, "PATCH", "devices/tagged", {"quiet_hours": [{"from": "22:00", "to": "04:00"}], "tags": []})
        self.assertEqual((own["tags"], own["noise"], len(own["quiet_hours"])), ([], "special", 1))
        self.assertEqual(self.w.want(200, "PATCH", "devices/tagged", {"name": "Bảng 2"})["quiet_hours"], own["quiet_hours"])
        self.assertIsNone(self.w.want(200, "PATCH", "devices/tagged", {"quiet_hours": None})["quiet_hours"])
        self.refused(422, "value", ["noise", "ordinary, special"], "PATCH", "devices/tagged", {"noise": "loud"})
        self.refused(422, "value", ["tags"], "PATCH", "devices/tagged", {"tags": ["Chợ"]})

    def loa(self, *args, code=0):
        """What `loa ... --json` answers; the sentence of its refusal with code=1."""
        env = {**os.environ, "LOA_URL": f"https://127.0.0.1:{self.w.api_port}", "LOA_CA": self.w.certs.path("ca.pem"), "LOA_TOKEN": self.w.token}
        done = subprocess.run([LOA, *args, "--json"], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, (args, done.stdout[-500:], done.stderr[-500:]))
        return json.loads(done.stdout) if code == 0 else json.loads(done.stderr)["error"]

    # -- groups

    def test_groups_by_command_line(self):
        self.assertEqual(self.loa("group", "add", "--name", "Trường học", "--id", "truong", "--device", "box-1,box-2")["devices"], ["box-1", "box-2"])
        self.assertEqual(self.loa("group", "change", "truong", "--remove", "box-1")["devices"], ["box-2"])
        self.assertIn("truong", [g["id"] for g in self.loa("group", "list")["items"]])
        self.assertIn("box-9", self.loa("group", "change", "truong", "--add", "box-9", code=1))
        self.assertEqual(self.loa("group", "delete", "truong")["id"], "truong")

    def test_groups(self):
        made = self.w.want(201, "POST", "groups", {"id": "cho-phien", "name": "Chợ phiên", "devices": ["box-2", "box-1"]})
        self.assertEqual((made["unit"], made["devices"]), ("a000", ["box-1", "box-2"]))
        self.w.want(200, "POST", "groups", {"id": "cho-phien", "name": "Chợ phiên", "devices": ["box-1", "box-2"]})
        self.refused(409, "conflict", ["cho-phien"], "POST", "groups", {"id": "cho-phien", "name": "Khác"})
        self.assertEqual(self.w.want(200, "PATCH", "groups/cho-phien", {"remove": ["box-1"], "name": "Chợ"})["devices"], ["box-2"])
        self.assertEqual(self.w.want(200, "PATCH", "groups/cho-phien", {"add": ["box-1", "box-2"]})["devices"], ["box-1", "box-2"])
        self.assertIn("cho-phien", [g["id"] for g in self.w.get("groups")["items"]])
        self.assertEqual(self.w.want(200, "DELETE", "groups/cho-phien")["name"], "Chợ")
        self.refused(404, "missing", ["cho-phien"], "GET", "groups/cho-phien")

    def test_a_group_is_of_its_unit(self):
        self.w.want(201, "POST", "groups", {"id": "cua-xa-1", "name": "Của xã", "devices": ["box-1"]}, token=self.one)
        self.refused(404, "missing", ["cua-xa-1"], "GET", "groups/cua-xa-1", token=self.two)
        self.refused(404, "missing", ["cua-xa-1"], "PATCH", "groups/cua-xa-1", {"name": "x"}, token=self.two)
        self.refused(404, "missing", ["cua-xa-1"], "DELETE", "groups/cua-xa-1", token=self.two)
        self.assertEqual(self.w.get("groups", token=self.two)["items"], [])
        self.refused(409, "conflict", ["cua-xa-1"], "POST", "groups", {"id": "cua-xa-1", "name": "Của xã", "devices": []}, token=self.two)
        self.refused(422, "value", ["box-2"], "POST", "groups", {"name": "x", "devices": ["box-2"]}, token=self.one)
        self.refused(422, "value", ["box-2", "a001"], "POST", "groups", {"name": "x", "unit": "a001", "devices": ["box-2"]})
        self.refused(403, "scope", ["a000"], "POST", "groups", {"name": "x", "unit": "a000"}, token=self.one)
        self.refused(422, "value", ["devices"], "POST", "groups", {"name": "x", "devices": [f"d{i}" for i in range(2001)]})
        # A member that leaves the unit no longer counts, and counts again when it comes back.
        self.w.want(200, "PATCH", "devices/box-1", {"area": "a002"})
        self.assertEqual(self.w.get("groups/cua-xa-1")["devices"], [])
        self.w.want(200, "PATCH", "devices/box-1", {"area": "a001"})
        self.assertEqual(self.w.get("groups/cua-xa-1")["devices"], ["box-1"])

    # -- areas that change (in effect: test_midnight.py)

    def add_areas(self, *lines, **kwargs):
        return self.w.want(200, "POST", "areas", {"items": [dict(zip(("id", "parent", "kind", "name"), line.split(","))) for line in lines]}, **kwargs)

    def test_changes_are_planned_told_and_undone(self):
        self.add_areas("c1,a000,commune,Xã Một", "c2,a000,commune,Xã Hai", "c3,c1,village,Thôn Ba")
        merge = {"what": "merge", "area": "c1", "into": "c2", "date": "2029-01-01", "note": "NQ 1672"}
        made = self.w.want(201, "POST", "areas/changes", merge)
        self.assertEqual((made["effective"], made["done"], made["undone"], made["devices"]), ("2028-12-31T17:00:00.000Z", None, None, 0))
        self.assertEqual(self.w.want(200, "POST", "areas/changes", merge)["id"], made["id"])
        end = self.w.want(201, "POST", "areas/changes", {"what": "end", "area": "c3", "date": "2029-02-01"})
        self.assertEqual([c["id"] for c in self.w.get("areas/changes")["items"] if c["area"] in ("c1", "c3")], [made["id"], end["id"]])
        # What no longer is when its turn comes: of it, into it.
        self.refused(409, "conflict", ["c1"], "POST", "areas/changes", {"what": "rename", "area": "c1", "name": "x", "date": "2029-01-02"})
        self.refused(409, "conflict", ["c1"], "POST", "areas/changes", {"what": "move", "area": "c2", "into": "c1", "date": "2029-01-02"})
        undone = self.w.want(200, "DELETE", f"areas/changes/{made['id']}")
        self.assertIsNotNone(undone["undone"])
        self.refused(409, "conflict", [made["id"]], "DELETE", f"areas/changes/{made['id']}")
        self.w.want(201, "POST", "areas/changes", {"what": "rename", "area": "c1", "name": "Xã Mới", "date": "2029-01-02"})
        self.assertEqual([c["what"] for c in self.w.get("areas/c1/history")["items"]], ["merge", "rename"])
        self.assertEqual([c["what"] for c in self.w.get("areas/c2/history")["items"]], ["merge"])

    def test_a_tree_that_cannot_be_is_not_planned(self):
        self.add_areas("d1,a000,commune,Một", "d2,d1,village,Hai", "d3,d2,hamlet,Ba", "d4,a000,commune,Bốn")
        post = ("POST", "areas/changes")
        self.refused(422, "value", ["d1"], *post, {"what": "merge", "area": "d1", "into": "d3", "date": "2029-01-01"})
        self.refused(422, "value", ["d1", "into"], *post, {"what": "merge", "area": "d1", "into": "d1", "date": "2029-01-01"})
        self.w.want(201, *post, {"what": "move", "area": "d1", "into": "d4", "date": "2029-03-01"})
        self.refused(422, "value", ["d4"], *post, {"what": "move", "area": "d4", "into": "d2", "date": "2029-03-02"})
        # Nor by a change at once that would close the circle at the midnight.
        self.refused(422, "value", ["d1"], "POST", "areas", {"items": [{"id": "d4", "parent": "d3", "kind": "commune", "name": "Bốn"}]})
        deep = [f"deep{i},{'deep%d' % (i - 1) if i else 'a000'},group,Sâu" for i in range(15)]
        self.add_areas(*deep)
        self.refused(422, "value", [], *post, {"what": "move", "area": "d2", "into": "deep14", "date": "2029-04-01"})
        for body, words in (({"what": "split"}, ["merge, rename, move, end"]), ({"into": "nowhere"}, ["nowhere"]), ({"area": "nowhere"}, ["nowhere"]),
                            ({"date": "2020-01-01"}, ["2020-01-01"]), ({"date": "2029-02-29"}, ["2029-02-29"]), ({"date": "2099-01-01"}, ["2099-01-01"]),
                            ({"name": "x"}, ["name"]), ({"note": "x" * 401}, ["note"])):
            self.refused(422, "member" if body == {"name": "x"} else "value", words, *post,
                         {"what": "merge", "area": "d2", "into": "d4", "date": "2029-05-01", **body})
        self.refused(422, "member", ["name"], *post, {"what": "rename", "area": "d2", "date": "2029-05-01"})
        self.refused(404, "missing", ["x"], "DELETE", "areas/changes/x")
        self.refused(404, "missing", ["99999"], "DELETE", "areas/changes/99999")

    def test_changes_stay_in_the_scope_of_their_token(self):
        self.add_areas("e1,a000,commune,Một", "e2,a000,commune,Hai", "e11,e1,village,Thôn", "e12,e1,village,Thôn")
        one, two = self.w.make_token("e1"), self.w.make_token("e2")
        post = ("POST", "areas/changes")
        merge = {"what": "merge", "area": "e11", "into": "e12", "date": "2029-01-01"}
        self.refused(403, "scope", ["e11"], *post, merge, token=two)
        self.refused(403, "scope", ["e2"], *post, {**merge, "into": "e2"}, token=one)
        self.refused(403, "scope", ["e1"], *post, {"what": "end", "area": "e1", "date": "2029-01-01"}, token=one)
        self.refused(403, "role", [], *post, merge, token=self.one)
        made = self.w.want(201, *post, merge, token=one)
        self.refused(404, "missing", [made["id"]], "DELETE", f"areas/changes/{made['id']}", token=two)
        self.refused(404, "missing", ["e11"], "GET", "areas/e11/history", token=two)
        self.assertEqual(self.w.get("areas/changes", token=two)["items"], [])
        above = self.w.want(201, *post, {"what": "rename", "area": "e12", "name": "Của tỉnh", "date": "2029-01-01"})
        self.refused(403, "scope", [above["id"], "a000"], "DELETE", f"areas/changes/{above['id']}", token=one)
        self.w.want(200, "DELETE", f"areas/changes/{made['id']}")
        self.assertEqual(self.loa("area", "undo", above["id"])["id"], above["id"])

    def test_changes_by_command_line(self):
        self.add_areas("f1,a000,commune,Một", "f2,a000,commune,Hai")
        made = self.loa("area", "merge", "f1", "f2", "--date", "2029-06-01", "--note", "NQ 12")
        self.assertEqual((made["what"], made["into"], made["note"]), ("merge", "f2", "NQ 12"))
        self.loa("area", "undo", made["id"])
        self.assertEqual(self.loa("area", "rename", "f1", "Xã Một Mới", "--date", "2029-06-01")["name"], "Xã Một Mới")
        self.assertEqual(len(self.loa("area", "history", "f1")["items"]), 2)
        self.assertIn("2001-01-01", self.loa("area", "end", "f1", "--date", "2001-01-01", code=1))

    # -- limits, and orders that lift them

    def rule(self, status=201, token=None, **more):
        if not hasattr(self, "bulletin"):
            type(self).bulletin = self.w.add_bulletin(title="Tin")["hash"]
        body = {"bulletin": self.bulletin, "when": "daily", "times": ["06:30"], "devices": ["box-1"], **more}
        return self.w.want(status, "POST", "rules", body, token=token or self.w.token, headers=ENGLISH)

    def device(self, id, area, **more):
        return self.w.want(201, "POST", "devices", {"id": id, "kind": "cluster", "area": area, "name": id, **more})

    def test_a_rule_in_quiet_hours_is_refused_when_saved(self):
        self.add_areas("q1,a000,commune,Yên", "q2,a000,commune,Xã Hai", "q11,q1,village,Thôn")
        self.device("quiet-1", "q11")
        said = self.rule(422, devices=["quiet-1"], times=["06:00", "22:15"])
        for word in ("22:15", "21:00-05:00", "from 05:00 to 21:00", "default", "quiet-1", "/exemptions"):
            self.assertIn(word, said["detail"])
        self.assertEqual((said["code"], said["member"]), ("value", "times"))
        self.rule(devices=["quiet-1"], times=["05:00", "20:58"])  # a text of a minute ends before nine
        self.rule(422, devices=["quiet-1"], times=["20:59:30"])  # this one would not
        # Somebody's word stands in the place of the default; the strictest of several counts.
        self.w.want(201, "POST", "limits", {"area": "q1", "what": "quiet_hours", "windows": [{"from": "23:00", "to": "04:00"}], "source": "QĐ 5/2026"})
        self.rule(devices=["quiet-1"], times=["22:15"])
        self.w.want(201, "POST", "limits", {"area": "q11", "what": "quiet_hours", "windows": [{"from": "12:00", "to": "13:00"}], "source": "Thôn"})
        said = self.rule(422, devices=["quiet-1"], times=["12:30"])["detail"]
        self.assertTrue("12:00-13:00" in said and "q11 Thôn" in said and "Thôn" in said, said)
        said = self.rule(422, areas=["q1"], devices=None, times=["23:30"])["detail"]
        self.assertTrue("23:00-04:00" in said and "QĐ 5/2026" in said and "q1 Yên" in said, said)
        # Also where no device stands yet, and where the device says that it has none.
        self.rule(422, areas=["q2"], devices=None, times=["03:00"])
        self.device("night", "q2", quiet_hours=[])
        self.rule(devices=["night"], times=["03:00"])
        # A rule that stands is not touched, can be ended, and is judged again when it comes back.
        stands = self.rule(devices=["quiet-1"], times=["14:00"])
        self.w.want(201, "POST", "limits", {"id": "trua", "area": "q11", "what": "quiet_hours", "windows": [{"from": "13:30", "to": "14:30"}], "source": "Thôn"})
        self.refused(422, "value", ["13:30-14:30"], "PATCH", f"rules/{stands['id']}", {"times": ["14:01"]})
        self.w.want(200, "DELETE", f"rules/{stands['id']}")
        self.refused(422, "value", ["13:30-14:30"], "POST", f"rules/{stands['id']}/restore")
        self.w.want(200, "DELETE", "limits/trua")
        self.w.want(200, "POST", f"rules/{stands['id']}/restore")

    def test_what_warns_and_what_refuses(self):
        self.add_areas("w1,a000,commune,Xã Cảnh báo")
        self.device("warned", "w1")
        limits = [{"area": "w1", "what": "sessions_per_day", "number": 2, "source": "Hà Nội 2021", "action": "warn"},
                  {"area": "w1", "what": "weekdays", "weekdays": ["mon", "tue", "wed", "thu", "fri"], "source": "Hà Nội 2021"},
                  {"area": "w1", "what": "minutes_per_session", "number": 15, "source": "Hà Nội 2021"}]
        made = self.w.want(201, "POST", "limits", {"items": limits})["items"]
        self.assertEqual([m["action"] for m in made], ["warn", "refuse", "refuse"])
        self.w.want(200, "POST", "limits", {"items": limits})
        # A text without sound is no session.
        path = self.w.path("limit.wav")
        make_wav(path, 2.0)
        sound = self.w.want(201, "POST", "media", read(path), type="audio/wav")
        spoken = self.w.add_bulletin(title="Nói", contents=[{"lang": "vi", "text": "x", "audio": sound["hash"]}])["hash"]
        self.assertIn("Hà Nội 2021", self.rule(422, devices=["warned"], bulletin=spoken)["detail"])  # Saturdays
        week = {"devices": ["warned"], "bulletin": spoken, "when": "weekly", "weekdays": ["mon", "wed"]}
        self.assertFalse([w for w in self.rule(**week, times=["06:00", "17:00"])["warnings"] if "Hà Nội" in w])
        warned = [w for w in self.rule(**week, times=["06:10", "12:10", "17:10"])["warnings"] if "Hà Nội" in w]
        self.assertEqual(len(warned), 1)
        self.assertIn("3 times", warned[0])

    def test_what_rules_want_of_a_day_together(self):
        self.add_areas("t1,a000,commune,Xã Chung", "t2,a000,commune,Xã Chưa có loa")
        self.device("together-1", "t1")
        self.device("together-2", "t1")
        line = {"what": "sessions_per_day", "number": 2, "source": "Lạng Sơn 2026"}
        self.w.want(201, "POST", "limits", {"items": [{**line, "id": "chung", "area": "t1"}, {**line, "area": "t2", "number": 1}]})
        path = self.w.path("together.wav")
        make_wav(path, 3.0)
        sound = self.w.want(201, "POST", "media", read(path), type="audio/wav")
        spoken = self.w.add_bulletin(title="Bản tin xã", contents=[{"lang": "vi", "text": "x", "audio": sound["hash"]}])["hash"]
        here = {"devices": None, "areas": ["t1"], "bulletin": spoken}
        for id, time in (("sang", "06:00"), ("trua", "12:00")):
            self.assertFalse([w for w in self.rule(**here, id=id, times=[time])["warnings"] if "t1 Xã Chung" in w])
        third = {"bulletin": spoken, "when": "daily", "areas": ["t1"], "id": "chieu", "times": ["17:00"]}
        words = ["3 times", "2 a day", "t1 Xã Chung", "Lạng Sơn 2026", "'Bản tin xã' (sang)", "(trua)", "within 366 days: 366"]
        self.assertEqual(self.refused(422, "value", words, "POST", "rules", third)["member"], "times")
        self.assertEqual(self.w.call("GET", "rules/chieu").status, 404)
        self.refused(422, "value", ["3 times", "(trua)"], "PATCH", "rules/sang", {"times": ["06:00", "07:00"]})
        # Where nobody hears both it is allowed; so it is when the other one makes room, or an order lifts the limit.
        for id, more in (("mot-cum", {"devices": ["box-1"], "areas": None}), ("thay", {"times": ["12:00"], "on_clash": "replace"})):
            self.w.want(201, "POST", "rules", {k: v for k, v in {**third, "id": id, **more}.items() if v})
            self.w.want(200, "DELETE", f"rules/{id}")
        self.w.want(200, "POST", "rules/trua/restore")
        self.w.want(201, "POST", "exemptions", {"id": "hoi", "order": "9/CV", "person": "An", "from": "2030-02-02", "until": "2030-02-02", "areas": ["t1"],
                                                "limits": ["sessions_per_day"]})
        self.w.want(201, "POST", "rules", {**third, "when": "once", "date": "2030-02-02"})
        # What ended, and what was changed, comes back only where there is room.
        self.w.want(200, "DELETE", "rules/trua")
        self.w.want(201, "POST", "rules", {**third, "id": "toi"})
        self.refused(422, "value", ["(toi)"], "POST", "rules/trua/restore")
        self.w.want(200, "PATCH", "rules/toi", {"areas": ["a001"]})
        self.w.want(200, "POST", "rules/trua/restore")
        self.refused(422, "value", ["(trua)"], "POST", "rules/toi/undo")
        # A line that warns; and one that came later than the rules: what asks for no more of the day is told, and kept.
        self.w.want(200, "DELETE", "limits/chung")
        self.w.want(201, "POST", "limits", {**line, "id": "chung-2", "area": "t1", "action": "warn"})
        self.assertIn("3 lần, chỉ được 2 lần", "".join(self.w.want(200, "POST", "rules/toi/undo")["warnings"]))
        self.w.want(201, "POST", "limits", {**line, "id": "chung-3", "area": "t1"})
        self.assertEqual(len([w for w in self.w.want(200, "PATCH", "rules/toi", {"gain_mb": -300})["warnings"] if "t1 Xã Chung" in w]), 2)
        # Where no device stands yet.
        self.rule(**{**here, "areas": ["t2"]}, times=["06:00"])
        self.assertIn("t2 Xã Chưa có loa", self.rule(422, **{**here, "areas": ["t2"]}, times=["07:00"])["detail"])
        self.check_ways_to_more(spoken, line)

    def check_ways_to_more(self, spoken, line):
        """A day that comes back, a rule that a commune takes or moves: held against limits like a rule that is saved. A device that comes
        later or moves there: told as a problem of its playlist."""
        self.add_areas("t3,a000,commune,Xã Một lượt")
        self.device("together-3", "t3")
        self.w.want(201, "POST", "limits", {**line, "id": "mot", "area": "t3", "number": 1})
        here, day = {"devices": None, "areas": ["t3"], "bulletin": spoken}, "2030-03-04"
        self.rule(**here, id="hang-ngay", times=["06:00"], **{"from": day})
        self.w.want(200, "POST", "rules/hang-ngay/exceptions", {"date": day})
        self.rule(**here, id="mot-hom", when="once", date=day, times=["07:00"])
        self.refused(422, "value", ["2 times", "1 a day", "(mot-hom)", day], "DELETE", f"rules/hang-ngay/exceptions/{day}")
        self.assertEqual(self.w.get("rules/hang-ngay")["except"], [day])
        self.w.want(200, "DELETE", "rules/mot-hom")
        self.assertNotIn("except", self.w.want(200, "DELETE", f"rules/hang-ngay/exceptions/{day}"))
        # From above: what is not taken uses up nothing.
        province, commune = self.w.make_token("a000", "operator"), self.w.make_token("t3", "operator")
        self.assertEqual(self.rule(token=province, **here, id="tren-gui", times=["08:00"], **{"from": day})["carry"], "offer")
        said = self.refused(422, "value", ["2 times", "(hang-ngay)"], "POST", "inbox/tren-gui", {"answer": "take"}, token=commune)
        self.assertEqual((said["member"], self.w.get("inbox", token=commune)["items"][0]["state"]), ("times", "pending"))
        self.w.want(200, "POST", "inbox/tren-gui", {"answer": "decline"}, token=commune)
        self.w.want(200, "DELETE", "rules/hang-ngay")
        self.refused(422, "value", ["22:30", "21:00-05:00"], "POST", "inbox/tren-gui", {"answer": "take", "times": ["22:30"]}, token=commune)
        self.refused(422, "value", ["2 times", "allows 1"], "POST", "inbox/tren-gui", {"answer": "take", "times": ["08:00", "09:00"]}, token=commune)
        taken = self.w.want(200, "POST", "inbox/tren-gui", {"answer": "take", "times": ["09:00"]}, token=commune)
        self.assertEqual((taken["times_here"], taken["warnings"]), (["09:00"], []))
        self.w.want(201, "POST", "limits", {**line, "id": "khong", "area": "t3", "number": 0, "action": "warn"})
        told = self.w.want(200, "POST", "inbox/tren-gui", {"answer": "take", "times": ["09:30"]}, token=commune, headers=ENGLISH)["warnings"]
        self.assertTrue(told and all("t3 Xã Một lượt" in w for w in told), told)
        self.w.want(200, "DELETE", "limits/khong")

        def problems(device, why):
            answer = self.w.call("GET", f"devices/{device}/playlist")
            return {p["rule"] for p in answer.json["problems"] if p["why"] == why and not p["warning"]} if answer.status == 200 else None
        self.device("together-4", "a001")
        for id, time in (("rieng-1", "10:00"), ("rieng-2", "11:00")):
            self.rule(id=id, devices=["together-4"], bulletin=spoken, times=[time])
        wait_for("nothing is limited there", lambda: problems("together-4", "limit: sessions") == set())
        self.w.want(200, "PATCH", "devices/together-4", {"area": "t3"})
        wait_for("it moved", lambda: problems("together-4", "limit: sessions") == {"rieng-2"})
        self.device("together-5", "t1")
        wait_for("it came later", lambda: problems("together-5", "limit: sessions") == {"toi"})

    def test_an_exemption_lifts_for_its_days_and_places(self):
        self.add_areas("x1,a000,commune,Xã", "x2,a000,commune,Xã")
        for n in (1, 2):
            self.device(f"exempt-{n}", f"x{n}")
        night = {"when": "once", "date": "2030-02-02", "times": ["23:59"]}
        self.rule(422, devices=["exempt-1"], **night)
        order = {"order": "12/CV-UBND", "person": "Nguyễn Văn An", "reason": "giao thừa", "from": "2030-02-02", "until": "2030-02-03",
                 "areas": ["x1"], "limits": ["quiet_hours"]}
        made = self.w.want(201, "POST", "exemptions", {"id": "tet", **order})
        self.assertEqual((made["unit"], made["order"], made["from"], made["ended"]), ("a000", "12/CV-UBND", "2030-02-02", None))
        self.w.want(200, "POST", "exemptions", {"id": "tet", **order})
        self.refused(409, "conflict", ["tet"], "POST", "exemptions", {"id": "tet", **order, "person": "Khác"})
        kept = self.rule(devices=["exempt-1"], **night)
        self.rule(422, devices=["exempt-1"], **{**night, "date": "2030-02-04"})
        self.rule(422, devices=["exempt-2"], **night)
        self.w.want(200, "DELETE", "exemptions/tet")
        self.rule(422, devices=["exempt-1"], **{**night, "times": ["23:58"]})
        self.w.want(200, "DELETE", f"rules/{kept['id']}")
        self.assertNotIn("tet", [e["id"] for e in self.w.get("exemptions")["items"]])
        self.assertIn("tet", [e["id"] for e in self.w.get("exemptions?ended=true")["items"]])
        for body, words in (({"until": "2030-02-01"}, ["until"]), ({"until": "2032-01-01"}, ["366"]), ({"limits": ["gain_ceiling"]}, ["limits"]),
                            ({"areas": ["nowhere"]}, ["nowhere"]), ({"order": "a\nb"}, ["order"]), ({"order": ""}, ["order"]), ({"person": "x" * 201}, ["person"])):
            self.refused(422, "value", words, "POST", "exemptions", {**order, **body})
        self.refused(422, "member", ["areas"], "POST", "exemptions", {**order, "areas": []})

    def test_limits_and_exemptions_stay_in_their_scope(self):
        self.add_areas("s1,a000,commune,Xã", "s2,a000,commune,Xã")
        self.device("scoped", "s1")
        one, two = self.w.make_token("s1"), self.w.make_token("s2")
        line = {"area": "s1", "what": "quiet_hours", "windows": [{"from": "20:00", "to": "06:00"}], "source": "Tỉnh"}
        above = self.w.want(201, "POST", "limits", line)
        self.refused(403, "scope", [above["id"], "a000"], "DELETE", f"limits/{above['id']}", token=one)
        self.refused(404, "missing", [above["id"]], "DELETE", f"limits/{above['id']}", token=two)
        self.refused(403, "scope", ["s1"], "POST", "limits", {**line, "source": "x"}, token=two)
        self.refused(403, "scope", ["a000"], "POST", "limits", {**line, "area": "a000"}, token=two)
        self.assertNotIn("s1", [l["area"] for l in self.w.get("limits", token=two)["items"]])
        self.assertIn(above["id"], [l["id"] for l in self.w.get("limits?area=s1", token=one)["items"]])
        self.refused(404, "missing", ["s1"], "GET", "limits?area=s1", token=two)
        # A commune does not lift what the province laid down for it; it does lift its own.
        order = {"order": "1/CV", "person": "An", "from": "2030-01-01", "until": "2030-01-31", "areas": ["s1"], "limits": ["quiet_hours"]}
        night = {"devices": ["scoped"], "when": "once", "date": "2030-01-05"}
        self.w.want(201, "POST", "exemptions", order, token=one)
        self.rule(422, times=["20:30"], **night)
        self.w.want(201, "POST", "exemptions", {**order, "id": "cua-tinh"})
        self.rule(times=["20:30"], **night)
        self.refused(403, "scope", ["a000"], "DELETE", "exemptions/cua-tinh", token=one)
        self.refused(404, "missing", [], "DELETE", "exemptions/cua-tinh", token=two)
        self.refused(403, "scope", ["s1"], "POST", "exemptions", order, token=two)
        self.refused(422, "value", ["scoped"], "POST", "exemptions", {**order, "areas": [], "devices": ["scoped"]}, token=two)
        self.refused(403, "role", [], "POST", "exemptions", order, token=self.one)

    def test_limits_that_cannot_be(self):
        good = {"area": "a001", "what": "quiet_hours", "windows": [{"from": "21:00", "to": "05:00"}], "source": "x"}
        for body, code, words in (({"what": "noise"}, "value", ["quiet_hours"]), ({"windows": [{"from": "21:00", "to": "21:00"}]}, "value", ["24:00"]),
                                  ({"windows": [{"from": "25:00", "to": "05:00"}]}, "value", ["25:00"]), ({"windows": [{"from": "21:00", "to": "24:01"}]}, "value", ["24:01"]),
                                  ({"windows": "night"}, "value", ["windows"]), ({"number": 2}, "member", ["number"]), ({"source": ""}, "value", ["source"]),
                                  ({"source": None}, "member", ["source"]), ({"action": "beg"}, "value", ["warn, refuse"]), ({"area": "nowhere"}, "value", ["nowhere"]),
                                  ({"what": "gain_ceiling"}, "member", ["noise"]),
                                  ({"what": "gain_ceiling", "noise": "special", "windows": [{"from": "1:00", "to": "02:00", "gain_mb": 0}]}, "value", ["1:00"]),
                                  ({"what": "gain_ceiling", "noise": "special", "windows": [{"from": "01:00", "to": "02:00", "gain_mb": 1}]}, "value", ["gain_mb"]),
                                  ({"what": "gain_ceiling", "action": "warn", "noise": "special", "windows": [{"from": "01:00", "to": "02:00", "gain_mb": 0}]}, "value", ["refuse"]),
                                  ({"what": "sessions_per_day", "windows": None, "number": -1}, "value", ["number"]), ({"id": "A B"}, "value", ["id"]),
                                  ({"what": "weekdays", "windows": None, "weekdays": ["today"]}, "value", ["mon"])):
            self.refused(422, code, words, "POST", "limits", {k: v for k, v in {**good, **body}.items() if v is not None or k == "source"})
        # One bad line of many: none is kept.
        before = len(self.w.get("limits?limit=1000")["items"])
        self.refused(422, "value", ["nowhere"], "POST", "limits", {"items": [good, {**good, "area": "nowhere"}]})
        self.refused(409, "conflict", ["twice"], "POST", "limits", {"items": [{**good, "id": "twice", "source": "a"}, {**good, "id": "twice", "source": "b"}]})
        self.assertEqual(len(self.w.get("limits?limit=1000")["items"]), before)

    def test_samples_by_command_line(self):
        samples = os.path.join(SOURCE, "controller", "samples")
        self.assertEqual(self.loa("area", "import", os.path.join(samples, "areas-lang-son.csv"))["created"] > 50, True)
        for name, lines in (("urban", 4), ("rural", 2), ("noise", 2)):
            self.assertEqual(len(self.loa("limit", "load", os.path.join(samples, f"limits-{name}.json"), "--area", "a062")["items"]), lines)
        self.assertGreaterEqual(len(self.loa("limit", "list", "--area", "a062")["items"]), 7)
        self.assertIn("a099", self.loa("limit", "load", os.path.join(samples, "limits-noise.json"), "--area", "a099", code=1))
        made = self.loa("exempt", "add", "--order", "3/KH", "--person", "Chủ tịch", "--from", "2030-01-01", "--until", "2030-01-02", "--area", "a062",
                        "--limit-of", "weekdays,quiet_hours")
        self.assertEqual(made["limits"], ["weekdays", "quiet_hours"])
        self.assertIsNotNone(self.loa("exempt", "end", made["id"])["ended"])

    # -- from above

    def test_what_comes_from_above_waits_moves_or_is_declined(self):
        self.add_areas("i0,a000,province,Tỉnh", "i1,i0,commune,Xã Một", "i2,i0,ward,Phường Hai", "i11,i1,village,Thôn")
        self.device("in-1", "i11")
        self.device("in-2", "i2")
        province, one, two = self.w.make_token("i0", "operator"), self.w.make_token("i1", "operator"), self.w.make_token("i2", "operator")
        urgent = self.w.add_bulletin(title="Ưu tiên", **{"class": "priority"})["hash"]
        offer = self.rule(token=province, id="offer", areas=["i0"], devices=None)
        must = self.rule(token=province, id="must", areas=["i0"], devices=None, bulletin=urgent, **{"class": "priority"}, times=["06:00", "17:00"],
                         window={"from": "05:00", "to": "19:00"})
        self.assertEqual((offer["carry"], must["carry"]), ("offer", "must"))
        self.refused(403, "role", ["i0"], "POST", "rules", {"bulletin": self.bulletin, "when": "daily", "times": ["06:30"], "areas": ["i0"], "carry": "direct"},
                     token=province)
        self.assertNotIn("carry", self.rule(token=one, id="own", areas=["i1"], devices=None))
        admin = self.w.make_token("i0", "admin")
        self.rule(token=admin, id="straight", areas=["i0"], devices=None, times=["09:00"])
        self.refused(403, "role", ["i0"], "PATCH", "rules/straight", {"times": ["09:30"]}, token=province)
        self.w.want(200, "PATCH", "rules/straight", {"times": ["09:30"]}, token=admin)
        self.w.want(200, "DELETE", "rules/straight", token=admin)
        waiting = self.w.get("inbox", token=one)["items"]
        self.assertEqual([(i["rule"], i["commune"], i["state"], i["carry"]) for i in waiting], [("offer", "i1", "pending", "offer"), ("must", "i1", "pending", "must")])
        self.assertEqual(len(self.w.get("inbox", token=province)["items"]), 4)
        self.assertEqual(len(self.w.get("inbox?limit=3", token=province)["items"]), 3)
        post = "POST"
        taken = self.w.want(200, post, "inbox/offer", {"answer": "take", "times": ["07:15"]}, token=one)
        self.assertEqual((taken["state"], taken["times_here"]), ("taken", ["07:15"]))
        self.assertEqual(self.w.want(200, post, "inbox/offer", {"answer": "decline"}, token=two)["state"], "declined")
        self.refused(409, "conflict", ["must"], post, "inbox/must", {"answer": "decline"}, token=one)
        self.refused(422, "value", ["19:00", "05:00-19:00"], post, "inbox/must", {"answer": "take", "times": ["06:00", "19:00"]}, token=one)
        self.refused(422, "value", ["times"], post, "inbox/must", {"answer": "take", "times": ["06:00"]}, token=one)
        self.w.want(200, post, "inbox/must", {"answer": "take", "times": ["05:30", "18:59"]}, token=one)
        self.refused(403, "scope", ["i2"], post, "inbox/must", {"answer": "take", "commune": "i2"}, token=one)
        self.refused(404, "missing", ["own"], post, "inbox/own", {"answer": "take"}, token=one)
        self.refused(404, "missing", ["nothing"], post, "inbox/nothing", {"answer": "take"}, token=one)
        self.refused(422, "member", ["i0"], post, "inbox/must", {"answer": "take"}, token=province)
        self.refused(422, "value", ["answer"], post, "inbox/must", {"answer": "maybe"}, token=one)
        self.refused(422, "member", ["times"], post, "inbox/offer", {"answer": "decline", "times": ["06:00"]}, token=one)
        self.refused(403, "role", [], post, "inbox/must", {"answer": "take"}, token=self.w.make_token("i1", "viewer"))
        # A village's token does not answer for its commune.
        self.refused(422, "member", ["i11"], post, "inbox/offer", {"answer": "decline"}, token=self.w.make_token("i11", "operator"))
        self.assertEqual({c["commune"]: c["state"] for c in self.w.get("carriage?rule=offer", token=province)["items"]}, {"i1": "moved", "i2": "declined"})
        self.assertEqual({c["commune"]: (c["state"], c["devices"]) for c in self.w.get("carriage?rule=must", token=province)["items"]},
                         {"i1": ("moved", 1), "i2": ("carried", 1)})
        self.check_what_must_be_carried(province, one)
        self.assertEqual([c["commune"] for c in self.w.get("carriage?rule=must", token=two)["items"]], ["i2"])
        self.refused(404, "missing", ["must"], "GET", "carriage?rule=must", token=self.two)
        self.assertEqual(self.w.want(200, post, "inbox/offer", {"answer": "wait"}, token=two)["state"], "pending")
        self.assertEqual(self.loa("inbox", "take", "offer", "--commune", "i2")["state"], "taken")
        self.assertEqual(len(self.loa("carriage", "offer")["items"]), 2)
        self.check_what_is_left_out(province)

        def at_devices():
            at = {}
            for device in ("in-1", "in-2"):
                answer = self.w.call("GET", f"devices/{device}/playlist")
                at[device] = {(i["rule"], i["start"][11:16]) for i in (answer.json["items"] if answer.status == 200 else [])}
            return at
        hours = {"in-1": {("offer", "00:15"), ("must", "22:30"), ("must", "11:59"), ("own", "23:30")},
                 "in-2": {("offer", "23:30"), ("must", "23:00"), ("must", "10:00")}}
        wait_for("each commune's own times", lambda: at_devices() == hours, 60)

    def check_what_must_be_carried(self, province, one):
        """A commune's rule that begins before it and reaches into it goes; a limit of the commune's day takes another one first; and
        where it is dropped all the same, the province is told so, and why."""
        def carried():
            return {c["commune"]: (c["state"], [(o["why"], o["other"], o["devices"]) for o in c["left_out"]])
                    for c in self.w.get("carriage?rule=must", token=province)["items"]}
        self.rule(token=one, id="chen-ngang", areas=["i1"], devices=None, bulletin=self.w.add_bulletin(title="Chen", **{"class": "priority"})["hash"], **{"class": "priority"},
                  times=["05:29:30"], late_ms=1000)

        def gives_way():
            answer = self.w.call("GET", "devices/in-1/playlist")
            return answer.status == 200 and ("chen-ngang", "clash", "must") in [(p["rule"], p["why"], p["other"]) for p in answer.json["problems"]]
        wait_for("the commune's gives way", gives_way)
        self.assertEqual(carried()["i1"], ("moved", []))
        night = self.w.want(201, "POST", "limits", {"area": "i2", "what": "quiet_hours", "windows": [{"from": "05:30", "to": "06:30"}], "source": "12/QĐ"})
        wait_for("the province is told", lambda: carried()["i2"] == ("dropped", [("quiet hours", None, 1)]))
        self.w.want(200, "DELETE", f"limits/{night['id']}")
        wait_for("it is carried again", lambda: carried()["i2"] == ("carried", []))
        self.w.want(200, "DELETE", "rules/chen-ngang", token=one)

    def check_what_is_left_out(self, province):
        """A commune of which a rule means nothing has nothing to answer; what is left of it is counted."""
        self.device("in-3", "i11")
        self.w.want(201, "POST", "groups", {"id": "sach", "name": "Sách", "unit": "i0", "devices": ["in-2", "in-3"]}, token=province)

        def waits(**more):
            rule = self.rule(token=province, devices=None, times=["08:00"], **{"areas": ["i0"], **more})["id"]
            found = {i["commune"]: i["devices"] for i in self.w.get("inbox?state=pending", token=province)["items"] if i["rule"] == rule}
            answer = self.w.call("GET", f"carriage?rule={rule}", token=province)
            carried = {c["commune"]: c["devices"] for c in answer.json["items"]} if answer.status == 200 else {}
            self.w.want(200, "DELETE", f"rules/{rule}", token=province)
            self.assertEqual(carried, found)
            return found
        self.assertEqual(waits(), {"i1": 2, "i2": 1})
        self.assertEqual(waits(except_groups=["sach"]), {"i1": 1})
        self.assertEqual(waits(except_devices=["in-1"]), {"i1": 1, "i2": 1})
        self.assertEqual(waits(except_devices=["in-1", "in-3"]), {"i2": 1})
        self.assertEqual(waits(except_areas=["i11"]), {"i2": 1})
        self.assertEqual(waits(except_areas=["i2"], except_devices=["in-1"]), {"i1": 1})
        self.assertEqual(waits(areas=[], groups=["sach"], except_devices=["in-2"]), {"i1": 2})
        self.assertEqual(waits(areas=[], groups=["sach"], except_groups=["sach"]), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
