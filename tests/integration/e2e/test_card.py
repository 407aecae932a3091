"""Sound cards that fail under a whole agent: what the receipt says was heard, was, and the item goes on."""

import datetime
import time
import unittest

import numpy

from world import WorldTest, site, sound, wait_until

FOUND_S, BACK_S = 2.0, 5.0
RATE = 48000


def put_out(place, since_s, until_s):
    """Frames other than zero that the cards of a site put out in this span, by their recordings."""
    count = 0
    for number in range(1, place.recordings + 1):
        recording = sound.Recording(place.path("recording.wav" if number == 1 else f"recording-{number}.wav"))
        first = max(0, recording.frame_at(since_s))
        count += int(numpy.count_nonzero(recording.samples(first, recording.frame_at(until_s) - first)))
    return count


class Card(WorldTest):
    """One item on five sites at once, each with its own trouble."""

    FAULTS = {"ls-bien": "vanish 5000", "ls-dung": "freeze 4000", "ls-hut": "underrun 3 400", "ls-chet": None, "ls-ban": None}

    @classmethod
    def plans(cls):
        return [site(device, "loudspeaker", {}) for device in cls.FAULTS]

    def test_1_faults_in_an_item(self):
        world = self.world
        sample = world.bulletin({"vi": "dài"}, seconds=6)
        *others, strict = self.FAULTS
        world.site(strict).tell_card("busy")  # until past the two seconds by which this item may be late there
        rule = world.on_air_at(sample, devices=others)
        strict_rule = world.on_air_at(sample, rule["at"], "--late-s", "2", devices=[strict])
        for place in world.sites:
            world.wait_fetched(place, [sample])
        world.wait_time(rule["at"] + 1.5)
        begun = time.time()
        for device, words in self.FAULTS.items():
            if words:
                world.site(device).tell_card(words)
        world.site("ls-chet").card.kill()
        self.assert_told("sound_lost", ("ls-bien", "ls-dung", "ls-chet"), begun, FOUND_S)
        world.site("ls-chet").start_card()
        restarted = time.time()
        self.assert_told("sound_back", ("ls-chet",), restarted, BACK_S)
        self.assert_told("sound_back", ("ls-bien",), begun + 5, BACK_S)
        self.assert_told("sound_back", ("ls-dung",), begun + 4, BACK_S)
        receipts = {device: world.receipt(device, rule) for device in others}
        receipts[strict] = world.receipt(strict, strict_rule)
        world.site(strict).tell_card("return")
        ended = time.time()
        wait_until(lambda: all(self.recorded(d) > ended for d in others), 10, "the recordings do not go on")
        expected = receipts["ls-hut"]["evidence"]["sound"]["frames_expected"]
        for device in others:
            with self.subTest(device):
                heard = receipts[device]["evidence"]["sound"]
                there = put_out(world.site(device), rule["at"] - 1, ended)
                print(f"  {device}: {receipts[device]['reason']}, claimed {heard['frames']}, put out {there} of {expected}, "
                      f"holes {heard['xruns']}: {receipts[device]['detail']}")
                self.assertEqual(receipts[device]["reason"], "on_time")
                self.assertLessEqual(heard["frames"], there + 600)  # noise has a zero now and then
                self.assertGreater(heard["frames"], expected - 3 * 0.13 * RATE)
                self.assertLess(heard["frames"], expected)
                self.assertEqual(heard["xruns"], 3 if device == "ls-hut" else 1)
                self.assertIn("sound card", receipts[device]["detail"])
        self.assertEqual(receipts[strict]["reason"], "fault")
        self.assertIn("card_lost", receipts[strict]["detail"])
        self.assertEqual(put_out(world.site(strict), rule["at"] - 1, time.time()), 0)

    def recorded(self, device):
        """Until when the card of a site says what it put out."""
        recording = self.world.recording(device)
        return recording.times()[-1][1] / 1e9 if recording.times() else 0

    def assert_told(self, code, devices, since_s, within_s):
        """The agent noticed in time: the event's own time counts, not how fast it came here."""

        def told(device):
            times = [datetime.datetime.fromisoformat(e["at"].replace("Z", "+00:00")).timestamp()
                     for e in self.world.safely(lambda: self.world.api.events(device, code)) or []]
            return [at for at in times if at >= since_s - 0.1]

        for device in devices:
            at = wait_until(lambda d=device: told(d), 30, f"{device}: no event {code}", 0.1)[0]
            print(f"  {device}: {code} after {at - since_s:.2f} s")
            self.assertLess(at - since_s, within_s, f"{device}: {code}")

    def test_2_busy_at_the_start_is_late(self):
        world, place = self.world, self.world.site("ls-ban")
        sample = world.bulletin({"vi": "ngắn"}, seconds=1)
        place.tell_card("busy")
        rule = world.on_air_at(sample, devices=["ls-ban"])
        world.wait_fetched(place, [sample])
        world.wait_time(rule["at"] + 2)
        place.tell_card("return")
        receipt = world.receipt("ls-ban", rule)
        heard = receipt["evidence"]["sound"]
        self.assertEqual((receipt["reason"], heard["frames"], heard["xruns"]), ("late", heard["frames_expected"], 0))
        self.assertGreater(heard["start_error_us"], 1000000)


if __name__ == "__main__":
    unittest.main()
