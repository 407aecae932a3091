"""mosquitto, the controller, a site's link and its agent are killed in every order while a timetable runs: each item has
one receipt, nothing plays twice, and all is settled again.

LOA_ORDERS=all runs all 24 orders (about seven minutes); otherwise three of them, drawn by LOA_SEED (printed)."""

import itertools
import os
import random
import sys
import time
import unittest

from kit import WorldTest, check_receipts, site, unix_s, wait_fetched, wait_until

GAP_S, ITEM_S = 8, 3


class Kills(WorldTest):
    @classmethod
    def plans(cls):
        return [site("ls-loa-01", "loudspeaker", {"tang-am": "amplifier"})]

    def orders(self):
        every = list(itertools.permutations(("mosquitto", "controller", "link", "agent")))
        if os.environ.get("LOA_ORDERS") == "all":
            return every
        seed = int(os.environ.get("LOA_SEED") or time.time())
        print(f"LOA_SEED={seed}", file=sys.stderr)
        return random.Random(seed).sample(every, 3)

    def test_every_order(self):
        world, place = self.world, self.world.site("ls-loa-01")
        orders = self.orders()
        samples = [world.bulletin({"vi": f"bài {k}"}, seconds=ITEM_S) for k in range(3)]
        parts = {"mosquitto": world.broker.process, "controller": world.controller, "link": place.link, "agent": place.agent}
        first, gap_s = world.soon(6 + 2 * len(orders)), int(world.paced(GAP_S))
        rules = [world.on_air_at(samples[k % 3], first + gap_s * k, "--policy", "resume") for k in range(len(orders) + 1)]
        wait_fetched(place, samples)
        place.wait_settled()
        for order, rule in zip(orders, rules):
            world.wait_time(rule["at"] + 0.5)
            for name in order:
                with self.subTest(order=order, killed=name):
                    parts[name].kill()
                    parts[name].start()
        world.wait_time(rules[-1]["at"] + ITEM_S + 1)
        world.wait_controller()
        wait_until(world.broker.answers, 20, "mosquitto is not back")
        place.wait_settled(60)
        # The agent dies within 3 s of each item's beginning, so each but the last was cut and went on. One that died before
        # a frame was noted begins anew, late by what its amplifier needs to come up.
        check_receipts(self, "ls-loa-01", rules, ("on_time", "late", "restarted"))
        self.assertEqual(world.receipt("ls-loa-01", rules[-1])["reason"], "on_time")
        recording = world.recording("ls-loa-01")
        for k, rule in enumerate(rules[:-1]):
            ended, end = unix_s(world.receipt("ls-loa-01", rule)["ended"]) + 0.2, rules[k + 1]["at"] - 0.3
            self.assertLess(ended, end, "it was over before the next one")
            self.assertTrue(recording.silent(ended, end), f"{orders[k]}: something is on where nothing is planned")
        self.assert_heard("ls-loa-01", samples[(len(rules) - 1) % 3].sounds["vi"], rules[-1]["at"])


if __name__ == "__main__":
    unittest.main()
