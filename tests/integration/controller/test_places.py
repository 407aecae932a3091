"""Places over the API: what devices are tagged with, groups, limits and exemptions, areas that change, what comes from above."""
import contextlib
import json
import os
import sqlite3
import subprocess
import unittest

from kit import BUILD, World, wait_for

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
        env = {"LOA_URL": f"https://127.0.0.1:{self.w.api_port}", "LOA_CA": self.w.certs.path("ca.pem"), "LOA_TOKEN": self.w.token}
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
