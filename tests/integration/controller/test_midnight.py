"""Areas that merge, move and are renamed, on a clock that the test sets: at the midnight, and before and after it, playlists and
configurations say what holds for every device; what was published before is right without another word."""
import contextlib
import datetime
import json
import os
import sqlite3
import sys
import unittest

from kit import BUILD, SOURCE, World, wait_for

sys.path.insert(0, os.path.join(SOURCE, "tools", "site"))
from clock import Clock  # noqa: E402

ZONE = datetime.timezone(datetime.timedelta(hours=7))
PATIENCE_S = 60


class Midnight(unittest.TestCase):
    def setUp(self):
        """It is shortly before midnight, today; tomorrow a001 becomes a part of a002."""
        now = datetime.datetime.now(ZONE)
        self.midnight = (now + datetime.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        path = os.path.join("/tmp", f"loa-midnight-{os.getpid()}-{id(self)}")
        self.clock = Clock(BUILD, path, at=self.midnight.timestamp() - 900)
        self.addCleanup(lambda: (self.clock.close(), os.unlink(path)))
        self.w = World(wrap=("env", *(f"{k}={v}" for k, v in self.clock.env().items()))).__enter__()
        self.addCleanup(self.w.__exit__, None, None, None)
        w = self.w
        w.want(200, "POST", "areas", {"items": [{"id": "a000", "kind": "province", "name": "Lạng Sơn"},
                                                {"id": "h1", "parent": "a000", "kind": "group", "name": "Huyện cũ Một"},
                                                {"id": "h2", "parent": "a000", "kind": "group", "name": "Huyện cũ Hai"},
                                                {"id": "a001", "parent": "h1", "kind": "commune", "name": "Xã Một"},
                                                {"id": "a002", "parent": "h2", "kind": "commune", "name": "Xã Hai"}]})
        for n, area in ((1, "a001"), (2, "a002")):
            w.want(201, "POST", "devices", {"id": f"box-{n}", "kind": "cluster", "area": area, "name": f"Cụm {n}", "quiet_hours": []})
        w.seal_trust()
        self.bulletin = w.add_bulletin()["hash"]
        for area in ("a000", "h1", "h2", "a001", "a002"):
            w.want(201, "POST", "approvals", w.approve(self.bulletin, areas=[area]), type="application/jose")
            w.want(201, "POST", "rules", {"id": f"of-{area}", "bulletin": self.bulletin, "when": "daily", "times": [f"{10 + len(self.rules())}:00"], "areas": [area]})

    def rules(self):
        return self.w.get("rules")["items"]

    def plan(self, **what):
        return self.w.want(201, "POST", "areas/changes", {"date": self.midnight.strftime("%Y-%m-%d"), **what})

    def playlist(self, device):
        """{rule: first and last day from midnight (0 is the new day)}, or None while there is none."""
        answer = self.w.call("GET", f"devices/{device}/playlist")
        days = {}
        for item in answer.json["items"] if answer.status == 200 else []:
            start = datetime.datetime.fromisoformat(item["start"].replace("Z", "+00:00")).astimezone(ZONE)
            days.setdefault(item["rule"], set()).add((start.date() - self.midnight.date()).days)
        return {rule: (min(found), len(found) > 20) for rule, found in days.items()}

    def config(self, device):
        db = sqlite3.connect(f"file:{self.w.state}/controller.db?mode=ro", uri=True)
        with contextlib.closing(db):
            row = db.execute("SELECT body FROM documents WHERE word = 'config' AND device = ? ORDER BY ver DESC LIMIT 1", (device,)).fetchone()
        return json.loads(row[0]) if row else {"areas": []}

    def config_areas(self, device):
        return set(self.config(device)["areas"])

    def wait_playlist(self, device, want):
        def look():
            self.seen = self.playlist(device)
            return self.seen == want
        try:
            wait_for(f"playlist of {device}", look, PATIENCE_S)
        except AssertionError:
            self.fail(f"{device}: {self.seen}, not {want}")

    def version(self, device):
        return self.w.get(f"devices/{device}/playlist")["ver"]

    def test_two_communes_merge_with_running_timetables(self):
        before = {"of-a000": (0, True), "of-h1": (0, True), "of-a001": (0, True)}
        self.wait_playlist("box-1", before)
        change = self.plan(what="merge", area="a001", into="a002")
        self.assertEqual(change["devices"], 1)
        # From the midnight on: its own timetable goes on, that of the other commune holds, that of the former district stops.
        after = {"of-a000": (0, True), "of-a001": (0, True), "of-a002": (0, True), "of-h2": (0, True)}
        self.wait_playlist("box-1", after)
        self.assertEqual(self.w.get("devices/box-1")["commune"], "a001")
        self.assertLessEqual({"a001", "h1", "a002", "h2", "a000"}, self.config_areas("box-1"))
        # Undone before it takes effect, it never was; planned again, it is.
        self.w.want(200, "DELETE", f"areas/changes/{change['id']}")
        self.wait_playlist("box-1", before)
        self.plan(what="merge", area="a001", into="a002")
        self.wait_playlist("box-1", after)
        version, other = self.version("box-1"), self.version("box-2")

        self.clock.set(self.midnight.timestamp() + 2)
        wait_for("the merger is done", lambda: self.w.get("areas/a001")["ended"], PATIENCE_S)
        device = self.w.get("devices/box-1")
        self.assertEqual((device["area"], device["areas"], device["commune"]), ("a001", ["a001", "a002", "h2", "a000"], "a002"))
        self.wait_playlist("box-1", after)
        # What was published beforehand holds; the other commune's devices notice nothing.
        self.assertEqual((self.version("box-1"), self.version("box-2")), (version, other))
        # Approvals that name the former areas go on counting there.
        self.assertLessEqual({"a001", "h1", "a002", "h2", "a000"}, self.config_areas("box-1"))
        self.assertEqual([c["what"] for c in self.w.get("areas/a001/history")["items"]], ["merge", "merge"])
        self.assertEqual(self.w.get("areas/a002/history")["items"][1]["former"], "h1")
        # Nothing new comes into what has ended.
        for args in (("POST", "devices", {"id": "late", "kind": "board", "area": "a001", "name": "x"}), ("PATCH", "devices/box-2", {"area": "a001"})):
            self.assertEqual(self.w.want(422, *args)["member"], "area")
        self.w.want(409, "POST", "areas", {"items": [{"id": "a001", "parent": "h1", "kind": "commune", "name": "Xã Một"}]})
        self.w.want(409, "DELETE", f"areas/changes/{int(change['id']) + 1}")
        # And it stays so over a restart.
        self.w.kill()
        self.w.start()
        self.wait_playlist("box-1", after)

    def test_a_move_an_end_and_a_name(self):
        self.plan(what="move", area="a001", into="h2")
        self.plan(what="rename", area="a002", name="Phường Hai")
        self.plan(what="end", area="h1")
        self.wait_playlist("box-1", {"of-a000": (0, True), "of-a001": (0, True), "of-h2": (0, True)})
        self.assertEqual(self.w.get("areas/a002")["name"], "Xã Hai")
        # The controller was off at midnight: it is done when it comes back.
        self.w.kill()
        self.clock.set(self.midnight.timestamp() + 3600)
        self.w.start()
        self.assertEqual(self.w.get("areas/a002")["name"], "Phường Hai")
        self.assertEqual(self.w.get("areas/a002/history")["items"][0]["former"], "Xã Hai")
        self.assertEqual(self.w.get("areas/a001")["path"], ["a001", "h2", "a000"])
        self.assertIsNotNone(self.w.get("areas/h1")["ended"])
        self.wait_playlist("box-1", {"of-a000": (0, True), "of-a001": (0, True), "of-h2": (0, True)})

    def test_hours_that_hold_from_the_midnight_on(self):
        """The device has them beforehand, so it keeps them without a network too (tests/sim/test_clock.c)."""
        w = self.w
        w.want(201, "POST", "devices", {"id": "box-3", "kind": "cluster", "area": "a001", "name": "Cụm 3"})
        w.want(201, "POST", "limits", {"items": [
            {"id": "yen", "area": "a002", "what": "quiet_hours", "windows": [{"from": "23:00", "to": "04:00"}], "source": "1/QĐ"},
            {"id": "tran", "area": "a002", "what": "gain_ceiling", "noise": "ordinary", "windows": [{"from": "18:00", "to": "23:00", "gain_mb": -600}], "source": "2/QĐ"}]})
        ms = int(self.midnight.timestamp() * 1000)
        default, then = [{"from_min": 1260, "to_min": 300}], [{"from_min": 1380, "to_min": 240}]
        later = {"from_ms": ms, "quiet_hours": then, "gain_ceilings": [{"from_min": 1080, "to_min": 1380, "gain_mb": -600}]}

        def hours(device):
            config = self.config(device)
            return config.get("quiet_hours", []), config.get("gain_ceilings", []), config.get("later", [])

        def wait_hours(*want):
            try:
                wait_for("hours", lambda: hours("box-3") == want, PATIENCE_S)
            except AssertionError:
                self.fail(f"{hours('box-3')}, not {want}")
        wait_hours(default, [], [])
        self.plan(what="merge", area="a001", into="a002")
        wait_hours(default, [], [later])
        # An hour that is quiet now and is not then: a rule may have it, and the playlist has it from the new day on.
        rule = w.want(201, "POST", "rules", {"id": "khuya", "bulletin": self.bulletin, "when": "daily", "times": ["22:00"], "devices": ["box-3"]})
        self.assertEqual(rule["id"], "khuya")
        self.wait_playlist("box-3", {**{f"of-{a}": (0, True) for a in ("a000", "a001", "a002", "h2")}, "khuya": (0, True)})
        self.clock.set(self.midnight.timestamp() + 2)
        wait_for("the merger is done", lambda: w.get("areas/a001")["ended"], PATIENCE_S)
        w.want(200, "DELETE", "limits/tran")
        wait_hours(then, [], [])

    def test_a_device_that_is_moved_at_once(self):
        self.wait_playlist("box-1", {"of-a000": (0, True), "of-h1": (0, True), "of-a001": (0, True)})
        self.w.want(200, "PATCH", "devices/box-1", {"area": "a002"})
        self.wait_playlist("box-1", {"of-a000": (0, True), "of-h2": (0, True), "of-a002": (0, True)})
        self.assertIn("a001", self.config_areas("box-1"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
