"""Two boxes with one identity: a copied SD card (key, certificate, vault) in a second box, and a second box that was given
the key of another and has a vault of its own. The centre is told and names the stores; what each of them did is kept, also
under the same number and when the centre was away meanwhile; neither plays anything but what is planned, and a withdrawn
item is played by none."""

import contextlib
import dataclasses
import os
import re
import shutil
import sqlite3
import time
import unittest

from kit import WorldTest, check_nothing_foreign, site, wait_fetched, wait_until
import jose
from place import Site
from world import sound

ITEM_S, GAP_S = 2, 5
COPIED, SHARED = "ls-loa-01", "ls-loa-02"


def twin_of(world, place):
    """A second box with everything that makes the first one that device; its card and sockets are its own."""
    plan = dataclasses.replace(place.plan, device=place.device + "-b")
    twin = Site(world, plan)
    twin.device, twin.cert, twin.key, twin.box = place.device, place.cert, place.key, place.box
    twin.configure()
    world.sites.append(twin)
    return twin


class Twins(WorldTest):
    @classmethod
    def plans(cls):
        return [site(COPIED, "loudspeaker", {}), site(SHARED, "loudspeaker", {})]

    def setUp(self):
        world = self.world
        self.samples = [world.bulletin({"vi": f"bài {k}"}, seconds=ITEM_S) for k in range(2)]
        self.firsts = {device: world.site(device) for device in (COPIED, SHARED)}
        self.begun = time.time()

    def received(self, device, rule):
        return self.world.safely(lambda: self.world.api.receipts(device, rule["id"])) or []

    def wait_receipts(self, device, rule, count, seconds=60):
        wait_until(lambda: len(self.received(device, rule)) >= count, max(rule["at"] - time.time(), 0) + seconds,
                   f"{device}: {count} receipts of {rule['id']}: {self.received(device, rule)}", 0.2)
        found = self.received(device, rule)
        self.assertEqual(len(found), count, found)
        for receipt in found:
            self.assertIn(receipt["reason"], ("on_time", "late"), receipt)
        return found

    def wait_held(self, rule):
        wait_until(lambda: len(self.held(rule)) == 2, max(rule["at"] - time.time(), 0) + 60, f"{COPIED}: each box a receipt", 0.2)

    def wait_kept(self, rule):
        """Two boxes that count in one store: what either of them holds of this rule is at the centre."""
        found = self.wait_receipts(COPIED, rule, 2, 90)
        self.assertCountEqual(map(self.said, found), self.held(rule))
        return found

    def wait_confirmed(self):
        """Each box was told that its own receipts are stored."""
        def open_rows(place):
            with contextlib.closing(sqlite3.connect(place.path("vault", "vault.db"))) as db:
                return db.execute("SELECT n FROM outbox WHERE kind = 0 AND stored_ms = 0").fetchall()
        for place in self.world.sites:
            wait_until(lambda p=place: not open_rows(p), 120, f"{place.plan.device}: receipts that nobody confirms", 0.2)

    @staticmethod
    def said(receipt):
        return receipt["n"], receipt["evidence"]["sound"]

    def held(self, rule):
        """What the outboxes of the copied one and of its copy have of this rule."""
        found = []
        for place in self.world.sites:
            if place.device == COPIED:
                with contextlib.closing(sqlite3.connect(place.path("vault", "vault.db"))) as db:
                    rows = [jose.read(sealed)[1] for sealed, in db.execute("SELECT sealed FROM outbox WHERE kind = 0")]
                found += [self.said(row) for row in rows if row["occurrence"].startswith(rule["id"] + ".")]
        return found

    @staticmethod
    def in_force(place, words):
        """How often its agent says so."""
        with contextlib.suppress(FileNotFoundError), open(place.log("agent"), encoding="utf-8", errors="replace") as log:
            return len(re.findall(words, log.read()))
        return 0

    def start_twins(self):
        """The copy is made while the box is off, as one does, and long enough that no version is reserved ahead of time."""
        first = self.firsts[COPIED]
        for part in (first.agent, first.link):
            part.stop()
        with contextlib.closing(sqlite3.connect(first.path("vault", "vault.db"))) as db, db:
            db.execute("UPDATE meta SET value = ? WHERE name = 'up'", (int(time.time() * 1000),))
        copy, shared = (twin_of(self.world, self.firsts[device]) for device in (COPIED, SHARED))
        shutil.copytree(first.path("vault"), copy.path("vault"))
        for part in (first.link, first.agent):
            part.start()
        for twin in (copy, shared):
            twin.start()
        return copy, shared

    def wait_told(self, device, stores):
        told = self.world.event(device, "identity_twice", seconds=60)
        self.assertEqual(set(told["about"].split()), stores, told)

    def test_two_boxes_with_one_identity(self):
        world = self.world
        before = world.on_air_at(self.samples[0], world.soon(8))
        stores = {device: self.wait_receipts(device, before, 1)[0]["store"] for device in self.firsts}
        twins = dict(zip(self.firsts, self.start_twins()))
        places = [*self.firsts.values(), *twins.values()]
        wait_until(lambda: all(self.in_force(t, "link: session stands") for t in twins.values()), 40, "the twins' sessions", 0.2)
        said = [self.in_force(place, "courier: playlist .* is in force") for place in places]
        at = world.soon(16)
        rules = [world.on_air_at(self.samples[k], at + GAP_S * k) for k in range(2)]
        withdrawn = world.on_air_at(self.samples[0], at + 2 * GAP_S)
        wait_until(lambda: all(self.in_force(p, "courier: playlist .* is in force") > n for p, n in zip(places, said)), 40,
                   "each adopts what is new", 0.2)
        for place in places:
            wait_fetched(place, self.samples)
        said = [self.in_force(place, "courier: playlist .* is in force") for place in places]
        world.loa("rule", "delete", withdrawn["id"])
        wait_until(lambda: all(self.in_force(p, "courier: playlist .* is in force") > n for p, n in zip(places, said)), 40,
                   "each adopts the withdrawal", 0.2)
        self.assertLess(time.time(), withdrawn["at"], "it was withdrawn in time")
        # What the broker takes meanwhile is lost, and both boxes fill the same numbers.
        world.controller.kill()
        for rule in rules:
            self.wait_held(rule)
        world.controller.start()
        world.wait_controller()
        for rule in rules:
            shared = self.wait_receipts(SHARED, rule, 2)
            self.assertEqual({r["store"] for r in self.wait_kept(rule)}, {stores[COPIED]})
            self.assertEqual(len({r["store"] for r in shared}), 2)
            self.assertIn(stores[SHARED], {r["store"] for r in shared})
        self.wait_told(COPIED, {stores[COPIED]})
        self.wait_told(SHARED, {r["store"] for r in shared})
        if any(len({r["n"] for r in self.received(COPIED, rule)}) == 1 for rule in rules):
            self.assertIn(stores[COPIED], world.event(COPIED, "record_twin", seconds=60)["detail"])
        self.wait_confirmed()
        self.assertEqual(len(self.received(COPIED, before)), 1, "nothing of before is told twice, nor played twice")
        world.wait_time(withdrawn["at"] + ITEM_S + 1)
        windows = [(r["at"] - 0.05, r["at"] + ITEM_S + 1) for r in (before, *rules)]
        for place in places:
            recording = sound.Recording(place.recording)
            for k, rule in enumerate(rules):
                match, _ = recording.compare(world.source(self.samples[k].sounds["vi"]), rule["at"])
                self.assertGreater(match, 0.9, f"{place.plan.device}: {rule['id']}")
            self.assertTrue(recording.silent(withdrawn["at"] - 0.5, withdrawn["at"] + ITEM_S), f"{place.plan.device}: withdrawn")
        for device in self.firsts:
            check_nothing_foreign(self, device, windows, self.begun, withdrawn["at"] + ITEM_S)


if __name__ == "__main__":
    unittest.main()
