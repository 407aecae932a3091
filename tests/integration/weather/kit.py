"""The end-to-end kit, and what every bad day must leave right."""

import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from world import World, WorldTest, site, wait_until  # noqa: E402, F401


def unix_s(text):
    """A time of the API."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def timetable(world, samples, first_at, gap_s, *more, **where):
    """A rule for each sample, `gap_s` apart."""
    return [world.on_air_at(sample, first_at + k * gap_s, *more, **where) for k, sample in enumerate(samples)]


def wait_fetched(place, samples, seconds=40):
    World.wait_fetched(place, samples, seconds)


def check_receipts(test, device, rules, reasons=("on_time",), seconds=60):
    """Each occurrence has one receipt with one of these reasons, and no (store, n) is there twice."""
    for rule in rules:
        receipt = test.world.receipt(device, rule, seconds)
        test.assertIn(receipt["reason"], reasons, f"{rule['id']}: {receipt}")
    marks = [(r["device"], r["store"], r["n"]) for r in test.world.api.receipts(device)]
    test.assertEqual(len(marks), len(set(marks)), "a receipt is there twice")


def check_nothing_foreign(test, device, windows, from_s, to_s):
    """Between the windows [(from, to)] in which something approved was on, no frame other than zero was put out."""
    at = from_s
    test.world.wait_recorded(device, to_s)
    recording = test.world.recording(device)
    for begin, end in sorted(windows) + [(to_s, to_s)]:
        if begin - at > 0.2:
            test.assertTrue(recording.silent(at, begin), f"{device} was heard between {at:.3f} and {begin:.3f}")
        at = max(at, end)
