"""The real player on a virtual sound card with faults: found in time, mended, and not a frame claimed that was not put out.

Each scenario has a card and a player of its own; all wait for the clock at the same time, each test for its own end."""

import concurrent.futures
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import numpy as np

import sound_bench as bench
from sound_bench import Card, Player

RATE = 48000
MS = RATE // 1000
FOUND_S, BACK_S = 2.0, 5.0  # a lost card is noticed, and used again


def solid(seconds, seed):
    """Noise without a zero: what was put out of it can be counted."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    return rng.uniform(0.1, 0.3, n) * rng.choice([-1.0, 1.0], n)


class Bench:
    """One card, one player, one folder."""

    def __init__(self, *card_options, player_options=()):
        self.folder = tempfile.mkdtemp(prefix="loa-fault-")
        self.cards = [Card(self.folder, *card_options)]
        try:
            self.player = Player(self.cards[0].conf, *player_options)
        except OSError:
            self.card.end()
            shutil.rmtree(self.folder)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.player.end()
        for card in self.cards:
            card.end()
        shutil.rmtree(self.folder)

    @property
    def card(self):
        return self.cards[-1]

    def another_card(self):
        """As after a power cut: the next one records into a file of its own."""
        old = self.card
        new = Card(self.folder, name=f"card{len(self.cards)}")
        os.replace(new.socket, old.socket)  # where the player looks for it
        self.cards.append(new)
        return new

    def start(self, source, number=1, start="+200", **more):
        file = bench.write_sound(os.path.join(self.folder, f"{number}.wav"), source)
        return self.player.play(number, file, start, expected=len(source), **more)

    def lost(self, since_ns):
        """s from then until the player tells that the card is lost."""
        return (self.player.wait(event="card", healthy=False)["unix_ns"] - since_ns) / 1e9

    def put_out(self, until_ns):
        """Frames other than zero on all cards."""
        self.card.read_until(until_ns + 100000000)
        return sum(int(np.count_nonzero(card.read()[0])) for card in self.cards)

    def wait_heard(self, number, seconds):
        begun = self.player.wait(event="started", id=number)["unix_ns"]
        bench.wait_for(lambda: time.time_ns() > begun + seconds * 1e9, "some of it was heard")


def check_claim(test, result, put_out, source, cuts, slack_ms=20):
    """Claimed: not more than was put out (each ramp begins with a zero), and about all of that."""
    test.assertLessEqual(result["played"], put_out + 2 * cuts + 2)
    test.assertGreaterEqual(result["played"], put_out - slack_ms * MS * cuts)
    test.assertLessEqual(result["played"] + result["lost"], len(source))


class Vanish:
    """Gone for 5 s in an item, without the process."""

    def run(self, test):
        source = solid(7, seed=1)
        with Bench() as b:
            b.start(source)
            b.player.wait(event="card", healthy=True)
            b.wait_heard(1, 1.5)
            gone = b.card.tell("vanish 5000")
            test.assertLess(b.lost(gone), FOUND_S)
            back = b.player.wait(event="card", healthy=True)["unix_ns"]
            test.assertGreater(back - gone, 4.9e9)
            test.assertLess(back - gone - 5e9, BACK_S * 1e9)
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["losses"], result["xruns"]), ("drained", 1, 0))
            put_out = b.put_out(result["end_unix_ns"])
            check_claim(test, result, put_out, source, cuts=1)
            test.assertLess(result["lost"], 150 * MS)
            test.assertEqual(result["played"] + result["lost"], len(source))
            recording = b.card.read()[0]
            first, second = bench.spans(recording, RATE)
            heard = first[1] - first[0] + 1
            test.assertGreater((second[0] - first[1]) / RATE, 4.9)
            # it goes on where it was cut, but for what went with the card
            lag, correlation = bench.find(recording, source[-3 * RATE:], second[1] + 1 - 3 * RATE, RATE)
            test.assertGreater(correlation, 0.99)
            test.assertAlmostEqual(lag, 0, delta=2)
            test.assertAlmostEqual(heard + (second[1] - second[0] + 1) + result["lost"], len(source), delta=20 * MS)


class Killed:
    """The card's process is killed in an item; another takes its place."""

    def run(self, test):
        source = solid(6, seed=2)
        with Bench() as b:
            b.start(source)
            b.player.wait(event="card", healthy=True)
            b.wait_heard(1, 1.5)
            b.card.process.kill()
            killed = time.time_ns()
            b.card.process.wait()
            test.assertLess(b.lost(killed), FOUND_S)
            b.another_card()
            back = time.time_ns()
            test.assertLess((b.player.wait(event="card", healthy=True)["unix_ns"] - back) / 1e9, BACK_S)
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["losses"]), ("drained", 1))
            # the header of the killed card's recording counts what was committed; its file holds all
            size = os.path.getsize(b.cards[0].recording)
            with open(b.cards[0].recording, "rb") as file:
                data = file.read(size)
            data = data[data.index(b"data") + 8:]
            first = np.count_nonzero(np.frombuffer(data[:len(data) // 2 * 2], "<i2"))
            b.card.read_until(result["end_unix_ns"] + 100000000)
            check_claim(test, result, int(first) + int(np.count_nonzero(b.card.read()[0])), source, cuts=1)


class Killed_for_good:
    """Nothing comes in its place: the item ends, and claims what was put out."""

    def run(self, test):
        source = solid(6, seed=3)
        with Bench(player_options=(0, 0, 1000)) as b:
            b.start(source)
            b.wait_heard(1, 1.2)
            b.card.process.kill()
            b.card.process.wait()
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["losses"]), ("card_lost", 1))
            with open(b.card.recording, "rb") as file:
                data = file.read()
            data = data[data.index(b"data") + 8:]
            put_out = int(np.count_nonzero(np.frombuffer(data[:len(data) // 2 * 2], "<i2")))
            check_claim(test, result, put_out, source, cuts=1)
            test.assertEqual(result["resume"], result["played"])


class Frozen:
    """It stands still, its delay with it; opening it again works, and it still stands. Then it goes on."""

    def run(self, test):
        source = solid(5, seed=4)
        with Bench() as b:
            b.start(source)
            b.player.wait(event="card", healthy=True)
            b.wait_heard(1, 1.0)
            still = b.card.tell("freeze 5000")
            test.assertLess(b.lost(still), FOUND_S)
            back = b.player.wait(event="card", healthy=True)["unix_ns"]
            test.assertGreater(back - still, 4.9e9, "a card that stands still is none")
            test.assertLess(back - still - 5e9, BACK_S * 1e9)
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["losses"]), ("drained", 1))
            check_claim(test, result, b.put_out(result["end_unix_ns"]), source, cuts=1)
            test.assertLess(result["lost"], 150 * MS, "nothing is handed to a card that does not move")


class Frozen_for_long:
    """It never moves again: the item ends after its wait although the card can be opened."""

    def run(self, test):
        source = solid(5, seed=5)
        with Bench(player_options=(0, 0, 2500)) as b:
            b.start(source)
            b.wait_heard(1, 0.7)
            b.card.tell("freeze")
            result = b.player.wait(event="finished", id=1)
            test.assertEqual(result["end"], "card_lost")
            check_claim(test, result, b.put_out(time.time_ns()), source, cuts=1)


class Busy:
    """Busy at the start: plays late, or not at all when the item's limit has passed."""

    def run(self, test):
        source, strict = solid(1, seed=6), solid(1, seed=7)
        with Bench("--fault", "busy 4000") as b:
            planned = b.start(strict, number=1, start="+400", latest=1000)
            refused = b.player.wait(event="card", healthy=False)
            test.assertEqual(refused["error"], os.strerror(16))
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["heard"], result["played"]), ("card_lost", False, 0))
            test.assertLess(result["told_unix_ns"] - planned, 3e9)
            planned = b.start(source, number=2, start="+100")
            result = b.player.wait(event="finished", id=2)
            test.assertEqual((result["end"], result["played"], result["xruns"], result["losses"]), ("drained", RATE, 0, 0))
            test.assertGreater(result["start_unix_ns"] - planned, 1e8)
            check_claim(test, result, b.put_out(result["end_unix_ns"]), source, cuts=0)


class Gone_at_start:
    """There is no card when the item is due; then there is."""

    def run(self, test):
        source = solid(1, seed=8)
        with Bench("--fault", "vanish 3000") as b:
            b.start(source, start="+300")
            test.assertEqual(b.player.wait(event="card")["error"], os.strerror(19))
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["played"], result["losses"]), ("drained", RATE, 0))


class Underruns:
    """Stopped five times with frames waiting: each is counted, and what it cost is not claimed."""

    def run(self, test):
        source = solid(4, seed=9)
        with Bench() as b:
            b.start(source)
            b.wait_heard(1, 0.5)
            b.card.tell("underrun 5 300")
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["xruns"], result["losses"]), ("drained", 5, 0))
            test.assertGreater(result["lost"], 0)
            test.assertLess(result["lost"], 5 * 120 * MS)
            check_claim(test, result, b.put_out(result["end_unix_ns"]), source, cuts=5)
            test.assertEqual(result["played"] + result["lost"], len(source))


class Underrun_before_a_start:
    """The card stops a moment before a planned start: the start stands at its instant all the same."""

    def run(self, test):
        source = solid(0.5, seed=10)
        with Bench() as b:
            for number, before_ms in enumerate((400, 250, 150), 1):
                planned = b.start(source, number=number, start="+700")
                bench.wait_for(lambda at=planned - before_ms * 1000000: time.time_ns() > at, "the moment before")
                b.card.tell("underrun")
                result = b.player.wait(event="finished", id=number)
                lag, correlation = bench.find(b.card.read_until(result["end_unix_ns"] + 100000000), source,
                                              b.card.frame_at(planned), RATE // 4)
                test.assertGreater(correlation, 0.95)
                test.assertLess(abs(lag), 20 * MS)
                test.assertEqual((result["end"], result["played"]), ("drained", len(source)))


class Dry_for_ever:
    """A card that stops again and again is lost, and found when it has come to its senses."""

    def run(self, test):
        source = solid(2, seed=11)
        with Bench() as b:
            b.start(source)
            b.player.wait(event="card", healthy=True)
            b.wait_heard(1, 0.5)
            sick = b.card.tell("underrun 10000 5")
            test.assertLess(b.lost(sick), FOUND_S)
            b.card.tell("return")
            b.player.wait(event="card", healthy=True)
            result = b.player.wait(event="finished", id=1)
            test.assertEqual(result["end"], "drained")
            test.assertLessEqual(result["played"], b.put_out(result["end_unix_ns"]) + 2 * (result["xruns"] + result["losses"]) + 2)


def drift(ppm):
    class Drift:
        def run(self, test):
            source = solid(12, seed=12)
            with Bench("--ppm", str(ppm)) as b:
                planned = b.start(source)
                result = b.player.wait(event="finished", id=1)
                test.assertEqual((result["end"], result["played"], result["xruns"], result["lost"], result["losses"]),
                                 ("drained", len(source), 0, 0, 0))
                length_ns = result["end_unix_ns"] - result["start_unix_ns"]
                test.assertAlmostEqual(length_ns / 12e9, 1 - ppm * 1e-6, delta=60e-6)
                recording = b.card.read_until(result["end_unix_ns"] + 100000000)
                (first, last), = bench.spans(recording, 10)
                test.assertAlmostEqual(last - first + 1, len(source), delta=3)
                for at in (planned, b.start(solid(0.3, seed=13), number=2, start="+2500")):
                    if at != planned:
                        second = b.player.wait(event="finished", id=2)
                        recording = b.card.read_until(second["end_unix_ns"] + 100000000)
                        first = bench.spans(recording, RATE // 2)[-1][0]
                        test.assertLess(abs(first - b.card.frame_at(at)), 20 * MS)

    return Drift


class Changing_clock:
    """The clock error changes in the middle; nothing breaks off."""

    def run(self, test):
        source = solid(5, seed=14)
        with Bench() as b:
            b.start(source)
            for ppm in (1000, -1000, 200):
                b.wait_heard(1, 1) if ppm == 1000 else bench.wait_for(
                    lambda at=time.time_ns() + 1000000000: time.time_ns() > at, "a second of it")
                b.card.tell(f"ppm {ppm}")
            result = b.player.wait(event="finished", id=1)
            test.assertEqual((result["end"], result["played"], result["xruns"]), ("drained", len(source), 0))
            (first, last), = bench.spans(b.card.read_until(result["end_unix_ns"] + 100000000), 10)
            test.assertAlmostEqual(last - first + 1, len(source), delta=3)


SCENARIOS = {"vanishes_for_5_s": Vanish, "killed_and_another": Killed, "killed_for_good": Killed_for_good,
             "frozen_for_5_s": Frozen, "frozen_for_long": Frozen_for_long, "busy_at_the_start": Busy,
             "gone_at_the_start": Gone_at_start, "underruns": Underruns, "underrun_before_a_start": Underrun_before_a_start,
             "dry_for_ever": Dry_for_ever, "clock_200_ppm_fast": drift(200), "clock_200_ppm_slow": drift(-200),
             "clock_that_changes": Changing_clock}


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor(len(SCENARIOS))
        cls.addClassCleanup(cls.pool.shutdown)
        cls.runs = {}

    def setUp(self):
        if not self.runs:  # the first test starts those that are asked for
            for name in (t for t in SCENARIOS if self.wanted(t)):
                self.runs[name] = self.pool.submit(SCENARIOS[name]().run, self)

    @staticmethod
    def wanted(name):
        import sys
        asked = [a.split(".")[-1] for a in sys.argv[1:] if "test_" in a]
        return not asked or f"test_{name}" in asked


for title in SCENARIOS:
    setattr(Faults, f"test_{title}", lambda self, name=title: self.runs[name].result(400))


class Control(unittest.TestCase):
    def test_words_that_are_not_right_get_a_sentence(self):
        with Bench() as b:
            for words in ("vanished", "busy x", "ppm 5000", "", "x" * 150):
                with self.assertRaises(ValueError, msg=words):
                    b.card.tell(words)
            done = subprocess.run([bench.CARD, "--tell", b.card.control, "freeze 1"], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, '"ok": true' in done.stdout), (0, True))
            done = subprocess.run([bench.CARD, "--tell", b.card.control, "melt"], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, "melt" in done.stdout), (2, True))
        done = subprocess.run([bench.CARD, "--tell", "/nowhere", "status"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr.startswith("loa-card: nobody listens")), (1, True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
