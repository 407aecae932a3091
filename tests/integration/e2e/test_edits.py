"""What is on the air while its rule is ended, comes back, is changed: it follows, once, and its receipt says so."""

import time
import unittest

from world import WorldTest, site, wait_until

SECONDS = 12
DEVICE = "ls-loa-01"


class Edits(WorldTest):
    @classmethod
    def plans(cls):
        return [site(DEVICE, "loudspeaker", {"tang-am": "amplifier"})]

    def on_the_air(self, title):
        """A rule whose bulletin is on at the device now."""
        world = self.world
        rule = world.on_air_at(world.bulletin({"vi": title}, seconds=SECONDS))
        wait_until(lambda: (world.loa("device", "show", DEVICE)["on_air"] or "").split(".")[0] == rule["id"], rule["at"] - time.time() + 10,
                   f"{rule['id']} is not on the air", 0.1)
        world.wait_time(rule["at"] + 1)  # it is put on a little ahead of its instant, when nothing is heard yet
        return rule

    def test_1_ended_and_restored(self):
        rule = self.on_the_air("kết thúc")
        self.world.loa("rule", "delete", rule["id"])
        receipt = self.world.receipt(DEVICE, rule)
        self.assertEqual(receipt["reason"], "cancelled")
        self.assertIsNotNone(receipt["started"])
        self.world.loa("rule", "restore", rule["id"])
        self.world.wait_time(time.time() + 4)  # it is due again by its lateness, and was heard already
        self.assertEqual(self.world.receipt(DEVICE, rule)["reason"], "cancelled")  # the one receipt


    def test_2_changed_beside_what_is_heard(self):
        rule = self.on_the_air("đổi chính sách")
        self.world.loa("rule", "change", rule["id"], "--late-s", "300")
        receipt = self.world.receipt(DEVICE, rule)
        self.assertEqual(receipt["reason"], "on_time")
        self.assertEqual(receipt["evidence"]["sound"]["frames"], SECONDS * 48000)


if __name__ == "__main__":
    unittest.main()
