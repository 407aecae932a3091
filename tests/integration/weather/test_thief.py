"""The broker is in a thief's hands: it keeps back, delays, repeats, replays, forges and cuts within packets (both ways,
seeded), also acknowledges what it threw away. Nothing but what was approved is heard, nothing is lost, and when the true
broker is back, all is as it should be.

LOA_SEED seeds (printed); LOA_SITES is the number of sites, each with a seed of its own."""

import collections
import os
import sys
import time
import unittest

from kit import WorldTest, check_nothing_foreign, check_receipts, site, unix_s, wait_fetched, wait_until

SEED = int(os.environ.get("LOA_SEED") or time.time())
SITES = int(os.environ.get("LOA_SITES") or 3)
GAP_S, ITEM_S = 6, 2


class StolenBroker(WorldTest):
    @classmethod
    def plans(cls):
        print(f"LOA_SEED={SEED}", file=sys.stderr)
        return [site(f"ls-loa-{k:02}", "loudspeaker", {}, stolen=SEED + k) for k in range(1, SITES + 1)]

    def test_stolen_broker(self):
        world = self.world
        places = world.sites
        samples = [world.bulletin({"vi": f"bài {k}"}, seconds=ITEM_S) for k in range(3)]
        begun = time.time()
        first = world.soon(14)
        rules = [world.on_air_at(samples[k % 3], first + k * GAP_S) for k in range(5)]
        for place in places:
            wait_fetched(place, samples)
            place.wait_settled()
            place.thief.hostile()
        # While it is hostile: a withdrawn rule, new ones, and a trust document of a higher version.
        withdrawn = world.on_air_at(samples[0], rules[-1]["at"] + GAP_S)
        world.publish_keys()
        late = [world.on_air_at(samples[k], rules[-1]["at"] + (2 + k) * GAP_S) for k in range(2)]
        world.wait_time(rules[3]["at"])
        world.loa("rule", "delete", withdrawn["id"])
        world.wait_time(rules[4]["at"] + ITEM_S + 0.5)
        for place in places:
            place.thief.honest()
        for place in places:
            place.wait_settled(60)
        done = max(time.time(), late[-1]["at"] + ITEM_S + 1)
        world.wait_time(done)
        windows = [(r["at"] - 0.05, r["at"] + ITEM_S + 0.15) for r in [*rules, withdrawn, *late]]
        for place in places:
            deeds = collections.Counter(line.split()[0] for line in place.thief.deeds())
            print(f"  {place.device}: {dict(deeds)}", file=sys.stderr)
            self.assertNotIn("BROKEN", deeds, "the thief's own fault")
            for deed in ("forged", "replayed", "swallowed"):
                self.assertGreater(deeds[deed], 0, "the thief was idle; nothing was shown")
            check_receipts(self, place.device, rules)  # adopted before the theft: played whatever the broker does
            check_receipts(self, place.device, late, ("on_time", "late", "expired", "no_media", "preempted"))
            # One that it learned of too late is heard late, as its receipt says.
            claimed = [(r["started"], r["ended"]) for rule in late for r in [world.receipt(place.device, rule)] if r["started"]]
            check_nothing_foreign(self, place.device, windows + [(unix_s(a) - 0.05, unix_s(b) + 0.15) for a, b in claimed], begun, done)
            # Who delays welcomes can make the box's clock late by what an oscillator may drift, and no more (timekeeper.h).
            drift_s = (time.monotonic() - place.agent.started_at) / 5000
            for rule in rules:
                self.assert_heard(place.device, samples[rules.index(rule) % 3].sounds["vi"], rule["at"], 0.02 + drift_s)
        wait_until(lambda: all(self.complete(p.device) for p in places), 60, "numbers are missing at the centre", 0.3)

    def complete(self, device):
        """Receipts are numbered from 1 without a gap in each store."""
        numbers = collections.defaultdict(list)
        for receipt in self.world.api.receipts(device):
            numbers[receipt["store"]].append(receipt["n"])
        return bool(numbers) and all(sorted(n) == list(range(1, len(n) + 1)) for n in numbers.values())


if __name__ == "__main__":
    unittest.main()
