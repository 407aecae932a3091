"""Whole sites on a serial line: mains behind a relay, a meter as witness, and a bus that dies under the sound."""

import time
import unittest

from world import WorldTest, site, wait_until

LINE, DYING = "ls-rs485", "ls-cham"


class Serial(WorldTest):
    @classmethod
    def plans(cls):
        return [site(LINE, "cluster", {"ro-le": "relay", "cong-to": "meter", "tang-am": "amplifier", "bang": "sign"}, bus="rtu"),
                site(DYING, "cluster", {"tang-am": "amplifier", "bang": "sign"}, bus="rtu")]

    def look(self, what, device=LINE):
        return self.world.panel(device, what)

    def test_1_mains_ahead_and_drawn_while_heard(self):
        world = self.world
        wait_until(lambda: self.look("relay")["channels"] == [] and not self.look("amplifier")["mains"], 20,
                   "the mains are on before anything is")
        sample = world.bulletin({"vi": "Lạng Sơn, tuyến nối tiếp"}, seconds=8)
        rule = world.on_air_at(sample, at=world.soon(12), devices=[LINE, DYING])
        for place in world.sites:
            world.wait_fetched(place, [sample])
        switched = wait_until(lambda: [w for w in world.site(LINE).simulators[0].writes() if any(w["values"])], 20, "the mains are not on")
        wait_until(lambda: self.look("relay")["channels"] == [1], 4, "the panel does not show it")
        self.assertLess(switched[0]["at_unix_ms"], rule["at"] * 1000, "mains come ahead of time")
        world.wait_time(rule["at"] + 1.5)
        for part in world.site(DYING).simulators:
            part.set(fault="silent")
        wait_until(lambda: self.look("meter")["watts"] > 10, 4, "the meter sees nothing")
        wait_until(lambda: world.site(LINE).simulators[3].shown() == "Lạng Sơn, tuyến nối tiếp", 4, "mbpoll, on the TCP side, does not read it")
        receipts = {device: world.receipt(device, rule) for device in (LINE, DYING)}
        for device, receipt in receipts.items():
            self.assertEqual(receipt["reason"], "on_time", receipt)
            sound = receipt["evidence"]["sound"]
            self.assertEqual((sound["frames"], sound["xruns"]), (sound["frames_expected"], 0), "sound never stops for a bus")
        amplifier = receipts[LINE]["evidence"]["amplifier"]
        self.assertTrue(amplifier["commanded"] and amplifier["power"] and amplifier["seen"], amplifier)
        self.assertEqual(amplifier.get("faults", []), [])
        self.assertFalse(receipts[DYING]["evidence"]["amplifier"]["commanded"])
        world.event(DYING, "unreachable", about="tang-am")

    def test_2_at_rest_without_mains_and_nobody_else_draws(self):
        world = self.world
        wait_until(lambda: self.look("relay")["channels"] == [] and not self.look("amplifier")["mains"], 40, "the mains stay on")
        after = world.last_event()
        world.wait_time(time.time() + 6)  # the grace that a change has, and the while after which silence would be told
        self.assertEqual([e for e in world.api.events(LINE, "unreachable") if int(e["cursor"]) > after], [],
                         "dark by our own wish is no fault")
        next(s for s in world.site(LINE).simulators if s.what == "meter").set(watts=42)
        told = world.event(LINE, "amplifier_fault", about="tang-am", detail="nothing is on")
        self.assertIn("42.0 W", told["detail"])

    def test_3_adapter_pulled_and_plugged(self):
        world = self.world
        sign = next(s for s in world.site(LINE).simulators if s.what == "sign")
        sign.set(tty=False)
        world.event(LINE, "unreachable", about="bang")
        sign.set(tty=True)
        world.event(LINE, "reachable", about="bang")
        self.assertTrue(world.site(LINE).agent.alive())


if __name__ == "__main__":
    unittest.main()
