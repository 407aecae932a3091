"""What is on the air while its rule is ended, left out, taken back, changed, or renamed, or its box is moved to another
commune: it follows, once, and its receipt says so."""

import datetime
import time
import unittest

from world import WorldTest, site, wait_until

from installation import ZONE

SECONDS = 12  # of what is heard to its end
LONG_S = 120  # of what is cut
LATE_S = 300  # what comes back is due again by this, so only that it was heard keeps it off
DEVICE = "ls-loa-01"


def civil(unix_s):
    return datetime.datetime.fromtimestamp(unix_s, ZONE)


class Edits(WorldTest):
    @classmethod
    def plans(cls):
        return [site(DEVICE, "loudspeaker", {"tang-am": "amplifier"})]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.long = cls.world.bulletin({"vi": "bị cắt"}, seconds=LONG_S)  # one for all: so much sound takes time to measure

    def daily(self, sample, left_out=False, area="a000"):
        """A rule for each day, soon for the first time; `left_out`: but for today."""
        world = self.world
        at = world.soon()
        if civil(at).date() != civil(at + LONG_S).date():  # all of it is to be today's
            world.wait_time(at + LONG_S)
            at = world.soon()
        day = str(civil(at).date())
        rule = world.loa("rule", "add", "--bulletin", sample.hash, "--daily", civil(at).strftime("%H:%M:%S"), "--area", area,
                         "--late-s", LATE_S, *(("--except", day) if left_out else ()))
        self.addCleanup(world.loa, "rule", "delete", rule["id"])  # its long place in the timetable is free for the next
        return dict(rule, occurrence=f"{rule['id']}.{at}", at=at, day=day, bulletin=sample.hash)

    def wait_on(self, rule):
        """It is heard now."""
        world = self.world
        wait_until(lambda: world.api.device(DEVICE)["on_air"] == rule["occurrence"], rule["at"] - time.time() + 60,
                   f"{rule['occurrence']} is not on the air", 0.1)
        world.wait_time(rule["at"] + 1)  # it is put on a little ahead of its instant, when nothing is heard yet

    def wait_told(self, rule, named):
        """The device holds a playlist that names this occurrence, or one that does not."""

        def look():
            playlist = self.world.api.get(f"/devices/{DEVICE}/playlist")
            held = next((h for h in self.world.api.device(DEVICE)["held"] if h["doc"] == "playlist"), None)
            names = any(item["id"] == rule["occurrence"] for item in playlist["items"])
            return held and held["ver"] == playlist["ver"] and names == named

        wait_until(lambda: self.world.safely(look), 60, f"the device does not hold what {'names' if named else 'leaves out'} "
                   f"{rule['occurrence']}", 0.1)

    def not_again(self, rule, receipt):
        """It is due by its lateness, and was heard already: nothing is heard, and the one receipt stays."""
        over = datetime.datetime.fromisoformat(receipt["ended"]).timestamp()
        self.world.wait_time(max(time.time(), over + 1) + 2)  # nothing else tells that something does not begin
        self.assertTrue(self.world.recording(DEVICE).silent(over + 1, time.time()), "it is heard again")
        wait_until(lambda: self.world.api.device(DEVICE)["on_air"] is None, 60, "the device says that something is on the air")
        self.assertEqual(self.world.receipt(DEVICE, rule), receipt)

    def cut_by(self, rule, *edit):
        """What is on stops at once."""
        self.wait_on(rule)
        self.world.loa(*edit)
        receipt = self.world.receipt(DEVICE, rule)
        self.assertEqual((receipt["reason"], receipt["occurrence"]), ("cancelled", rule["occurrence"]))
        self.assertIsNotNone(receipt["started"])
        self.assertLess(receipt["evidence"]["sound"]["frames"], LONG_S * 48000)
        return receipt

    def test_1_ended_and_restored(self):
        rule = self.daily(self.long)
        receipt = self.cut_by(rule, "rule", "delete", rule["id"])
        self.world.loa("rule", "restore", rule["id"])
        self.wait_told(rule, True)
        self.not_again(rule, receipt)

    def test_2_left_out_and_taken_back(self):
        rule = self.daily(self.long, left_out=True)
        self.wait_told(rule, False)
        self.world.loa("rule", "skip", rule["id"], rule["day"], "--take-back")  # before it was heard: it is, if need be late
        receipt = self.cut_by(rule, "rule", "skip", rule["id"], rule["day"])
        self.world.loa("rule", "undo", rule["id"])  # after
        self.wait_told(rule, True)
        self.not_again(rule, receipt)

    def test_3_changed_beside_what_is_heard(self):
        """Last of all the box is moved out of what the rule means: its configuration changes, and that waits for a pause."""
        world, here = self.world, self.world.api.device(DEVICE)["area"]
        renamed = world.bulletin({"vi": "tên mới"}, seconds=SECONDS)
        rule = self.daily(world.bulletin({"vi": "tên cũ"}, seconds=SECONDS), area=here)
        self.wait_on(rule)
        world.loa("rule", "change", rule["id"], "--late-s", LATE_S + 1)
        area = next(a for a in world.api.all("/areas") if a["id"] == here)
        world.api.post("/areas", {"items": [{k: area[k] for k in ("id", "parent", "kind")} | {"name": "Tên mới"}]})
        world.loa("rule", "change", rule["id"], "--bulletin", renamed.hash)
        world.loa("device", "change", DEVICE, "--area", "a002")
        receipt = world.receipt(DEVICE, rule)
        self.assertEqual((receipt["bulletin"], receipt["evidence"]["sound"]["frames"]), (rule["bulletin"], SECONDS * 48000))
        self.assertIn(receipt["reason"], ("on_time", "late"))
        self.wait_told(rule, False)
        world.loa("device", "change", DEVICE, "--area", here)
        self.wait_told(rule, True)
        world.loa("rule", "skip", rule["id"], rule["day"])  # heard to its end, left out, and taken back
        self.wait_told(rule, False)
        world.loa("rule", "undo", rule["id"])
        self.wait_told(rule, True)
        self.not_again(rule, receipt)


if __name__ == "__main__":
    unittest.main()
