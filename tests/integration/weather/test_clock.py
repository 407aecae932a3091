"""Boxes whose wall clocks are wrong, through the whole installation: a site that boots in 1970 (agent and link), one
whose clock is stepped while an item is on. Time comes from the welcome, and what is heard is heard at its instant."""

import time
import unittest

from kit import WorldTest, check_receipts, site, unix_s, wait_fetched, wait_until
from world import BUILD
from clock import Clock


class WrongClocks(WorldTest):
    @classmethod
    def plans(cls):
        return [site("ls-loa-01", "loudspeaker", {}), site("ls-loa-02", "loudspeaker", {})]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clocks = {}
        for device, at in (("ls-loa-01", 86400), ("ls-loa-02", None)):
            place = cls.world.site(device)
            for process in (place.agent, place.link):
                process.kill()
            clock = cls.clocks[device] = Clock(BUILD, place.path("clock"), at=at, synced=False)
            cls.addClassCleanup(clock.close)
            place.agent.env = place.link.env = clock.env()

    def restart(self, device):
        place = self.world.site(device)
        place.link.start()
        place.agent.start()
        place.wait_settled()
        return place

    def test_1_boots_in_1970(self):
        """TLS connects, the welcome brings the time, and the item is on at its true instant."""
        world, place = self.world, self.restart("ls-loa-01")
        self.assertLess(self.clocks["ls-loa-01"].now(), 2 * 86400 + 600, "its clock is still in 1970")
        wait_until(lambda: world.api.device("ls-loa-01")["grade"] == "signed", 30, "the welcome's time is not told")
        sample = world.bulletin({"vi": "năm bảy mươi"}, seconds=2)
        rule = world.on_air_at(sample, devices=("ls-loa-01",))
        world.wait_time(rule["at"] + 3)
        self.assert_heard("ls-loa-01", sample.sounds["vi"], rule["at"])
        receipt = world.receipt("ls-loa-01", rule)
        self.assertEqual((receipt["reason"], receipt["grade"]), ("on_time", "signed"))
        self.assertLess(abs(unix_s(receipt["planned"]) - unix_s(receipt["started"])), 1)

    def test_2_goes_on_in_1970_without_a_network(self):
        """The same boot, restarted and offline: the time of the last welcome is held by elapsed time."""
        world, place = self.world, self.world.site("ls-loa-01")
        sample = world.bulletin({"vi": "không có giờ"}, seconds=2)
        rule = world.on_air_at(sample, world.soon(12), devices=("ls-loa-01",))
        wait_fetched(place, [sample])
        place.wait_settled()
        place.link.kill()
        place.agent.kill()
        place.agent.start()  # same boot: held by elapsed time, and right
        world.wait_time(rule["at"] + 3)
        self.assert_heard("ls-loa-01", sample.sounds["vi"], rule["at"])
        place.link.start()
        receipt = world.receipt("ls-loa-01", rule)
        self.assertEqual((receipt["reason"], receipt["grade"]), ("on_time", "held"))

    def test_3_steps_while_an_item_is_on(self):
        world, place = self.world, self.restart("ls-loa-02")
        clock = self.clocks["ls-loa-02"]
        samples = [world.bulletin({"vi": f"nhảy giờ {k}"}, seconds=6) for k in range(2)]
        first = world.soon(8)
        rules = [world.on_air_at(s, first + 10 * k, devices=("ls-loa-02",)) for k, s in enumerate(samples)]
        wait_fetched(place, samples)
        for rule, step_s in zip(rules, (3600, -2 * 14 * 86400)):
            world.wait_time(rule["at"] + 2)
            clock.step(step_s)
        world.wait_time(rules[1]["at"] + 8)
        for sample, rule in zip(samples, rules):
            self.assert_heard("ls-loa-02", sample.sounds["vi"], rule["at"])
        check_receipts(self, "ls-loa-02", rules)
        events = world.api.events("ls-loa-02", "clock_step")
        self.assertGreaterEqual(len(events), 2, "each step is told")


if __name__ == "__main__":
    unittest.main()
