"""A narrow line that loses packets (a network namespace, token bucket, random loss): recordings arrive ahead of time and
whole, items are heard on the second, receipts come back."""

import time
import unittest

from kit import WorldTest, check_receipts, site, wait_fetched

RATE, LOSS = "128kbit", 0.08


class BadLine(WorldTest):
    @classmethod
    def plans(cls):
        return [site("ls-loa-01", "loudspeaker", {}, weather={"rate": RATE, "loss": LOSS}),
                site("ls-loa-02", "loudspeaker", {})]

    def test_a_narrow_line_that_loses_packets(self):
        world, place = self.world, self.world.site("ls-loa-01")
        sample = world.bulletin({"vi": "đường hẹp"}, seconds=8)
        before = place.line.counters()
        rule = world.on_air_at(sample, world.soon(40))
        wait_fetched(place, [sample], 60)
        carried = place.line.counters()[0] - before[0]
        self.assertGreater(carried, 8 * 2000, "the recording did not come over this line")
        self.assertLess(time.time(), rule["at"], "it came too late for its instant")
        world.wait_time(rule["at"] + 9)
        self.assert_heard("ls-loa-01", sample.sounds["vi"], rule["at"])
        self.assertGreater(place.line.lost(), 5, "the line lost nothing: nothing was shown")
        for device in ("ls-loa-01", "ls-loa-02"):
            check_receipts(self, device, [rule])


if __name__ == "__main__":
    unittest.main()
