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


if __name__ == "__main__":
    unittest.main(verbosity=2)
