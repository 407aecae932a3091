"""The network is cut, programs are killed: what was planned is heard, and each receipt is stored once."""

import contextlib
import os
import signal
import sqlite3
import time
import unittest

from world import WorldTest, site, wait_until


def made(place):
    """How many receipts are in the agent's vault."""
    with contextlib.closing(sqlite3.connect(f"file:{place.path('vault', 'vault.db')}?mode=ro", uri=True)) as db:
        return sum(n for n, in db.execute("SELECT made FROM mark WHERE kind = 0"))


def stored(world):
    """(device, store, kind, n) of all receipts, as the controller's own database has them."""
    receipts = world.api.receipts()
    return [(r["device"], r["store"], r["n"]) for r in receipts]


class Outage(WorldTest):
    @classmethod
    def plans(cls):
        return [site("ls-loa-01", "loudspeaker", {"tang-am": "amplifier"}, relay=True)]

    def test_1_cut_during_an_item_and_everything_killed(self):
        world, place = self.world, self.world.site("ls-loa-01")
        first = world.bulletin({"vi": "một"}, seconds=5)
        others = [world.bulletin({"vi": f"bài {k}"}, seconds=2) for k in range(2)]
        rules = [world.on_air_at(first)]
        second = rules[0]["at"] + int(world.paced(10))
        rules += [world.on_air_at(s, second + 6 * k) for k, s in enumerate(others)]
        world.wait_fetched(place, [first, *others])
        world.wait_time(rules[0]["at"] + 1.5)
        place.cut()  # in the middle of the first item
        wait_until(lambda: made(place) == 1, 20, "the first receipt is not in the vault")
        place.agent.kill()  # the first receipt is on disk, no welcome has come
        world.controller.kill()
        place.agent.start()
        world.controller.start()
        world.wait_time(rules[2]["at"] + 4)
        self.assert_heard("ls-loa-01", first.sounds["vi"], rules[0]["at"])
        for sample, rule in zip(others, rules[1:]):
            self.assert_heard("ls-loa-01", sample.sounds["vi"], rule["at"])
        world.wait_controller()
        self.assertEqual(world.api.receipts("ls-loa-01"), [], "nothing came through a cut line")
        place.mend()
        for rule in rules:
            self.assertEqual(world.receipt("ls-loa-01", rule)["reason"], "on_time")
        marks = stored(world)
        self.assertEqual(len(marks), len(set(marks)), "a store id and number occur once")
        self.assertEqual(len(marks), 3)

    def test_2_killed_before_the_welcome(self):
        """The receipt is stored at the centre, but the agent never hears of it: it is sent again, and stored once."""
        world, place = self.world, self.world.site("ls-loa-01")
        before, at_vault = len(stored(world)), made(place)
        sample = world.bulletin({"vi": "hai"}, seconds=3)
        rule = world.on_air_at(sample)
        world.wait_time(rule["at"] + 0.5)
        place.link.signal(signal.SIGSTOP)  # the agent cannot hear a welcome
        wait_until(lambda: made(place) > at_vault, 20, "the receipt is not in the vault")
        place.agent.kill()
        place.link.signal(signal.SIGCONT)
        place.agent.start()
        world.receipt("ls-loa-01", rule)
        place.agent.kill()
        world.controller.kill()
        world.controller.start()
        place.agent.start()
        world.wait_controller()
        place.wait_online()
        world.receipt("ls-loa-01", rule)
        marks = stored(world)
        self.assertEqual(len(marks), before + 1)
        self.assertEqual(len(marks), len(set(marks)))

    def test_3_from_disk_before_any_network(self):
        world, place = self.world, self.world.site("ls-loa-01")
        sample = world.bulletin({"vi": "ba"}, seconds=2)
        rule = world.on_air_at(sample, world.soon(11))
        world.wait_fetched(place, [sample])
        place.wait_settled()
        place.agent.kill()
        place.link.kill()
        place.agent.start()  # no link at all
        world.wait_time(rule["at"] + 3.5)
        self.assert_heard("ls-loa-01", sample.sounds["vi"], rule["at"])
        place.link.start()
        self.assertEqual(world.receipt("ls-loa-01", rule)["reason"], "on_time")

    def test_4_killed_while_on_air_is_told_once_and_not_repeated(self):
        world, place = self.world, self.world.site("ls-loa-01")
        sample = world.bulletin({"vi": "bốn"}, seconds=6)
        rule = world.on_air_at(sample)
        world.wait_time(rule["at"] + 2)
        place.agent.kill()
        killed = time.time()
        place.agent.start()
        receipt = world.receipt("ls-loa-01", rule)
        self.assertEqual(receipt["reason"], "restarted")
        self.assertIsNotNone(receipt["started"])
        world.wait_time(rule["at"] + 9)
        self.assertTrue(world.recording("ls-loa-01").silent(killed + 1, rule["at"] + 8.5), "it did not begin again")

    def test_5_the_broker_dies_and_comes_back(self):
        world, place = self.world, self.world.site("ls-loa-01")
        sample = world.bulletin({"vi": "năm"}, seconds=1)
        rule = world.on_air_at(sample)
        world.wait_fetched(place, [sample])
        world.broker.process.kill()
        world.wait_time(rule["at"] + 2)
        world.broker.start()
        self.assertEqual(world.receipt("ls-loa-01", rule)["reason"], "on_time")
        place.wait_online()

    def test_6_database_has_each_number_once(self):
        path = os.path.join(self.world.path("centre", "state"), "controller.db")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            for table, in db.execute("select name from sqlite_master where type = 'table' and name like 'receipt%'").fetchall():
                columns = [c[1] for c in db.execute(f"pragma table_info({table})")]
                if {"device", "store", "n"} <= set(columns):
                    twice = db.execute(f"select device, store, n, count(*) from {table} group by device, store, n having count(*) > 1")
                    self.assertEqual(twice.fetchall(), [])
                    self.assertGreater(db.execute(f"select count(*) from {table}").fetchone()[0], 5)
                    return
        self.fail("the controller has no table of receipts")


if __name__ == "__main__":
    unittest.main()
