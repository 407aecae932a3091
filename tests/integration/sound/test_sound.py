"""The real player on the virtual sound card: what was heard, when, and what was not."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

import numpy as np

import sound_bench as bench
from sound_bench import Card, Player

RATE = 48000
MS = RATE // 1000


class SoundTest(unittest.TestCase):
    card_options = ()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loa-sound-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.card = Card(self.folder, *self.card_options)
        self.addCleanup(lambda: self.card.end())
        self.player = Player(self.card.conf)
        self.addCleanup(lambda: self.player.end())

    def path(self, name):
        return os.path.join(self.folder, name)

    def finished(self, number):
        return self.player.wait(event="finished", id=number)

    def hear(self, result, margin_ms=100):
        return self.card.read_until(result["end_unix_ns"] + margin_ms * 1000000)

    def assert_only(self, recording, *stretches):
        """Digital zero everywhere but in [first, last] of each stretch."""
        rest = recording.copy()
        for first, last in stretches:
            rest[max(0, first): last + 1] = 0
        self.assertEqual(np.count_nonzero(rest), 0)


class Starts(SoundTest):
    def test_each_sound_starts_at_its_instant(self):
        source = bench.noise(0.15, seed=1)
        file = bench.write_sound(self.path("short.wav"), source)
        planned = []
        for number in range(1, 34):
            planned.append(self.player.play(number, file, "+250", expected=len(source)))
            result = self.finished(number)
            self.assertEqual((result["end"], result["played"]), ("drained", len(source)))
        recording = self.hear(result)
        lags = []
        for at in planned:
            lag, correlation = bench.find(recording, source, self.card.frame_at(at), RATE // 5)
            self.assertGreater(correlation, 0.95)
            lags.append(abs(lag) / MS)
        lags = np.array(sorted(lags))
        print(f"\nstart error over {len(lags)} starts: p50 {np.percentile(lags, 50):.2f} ms, "
              f"p99 {np.percentile(lags, 99):.2f} ms, max {lags[-1]:.2f} ms")
        self.assertLessEqual(lags[-1], 20)
        self.assertEqual(len(bench.spans(recording, RATE // 10)), len(planned))

    def test_cold_start_is_exact_too(self):
        source = bench.noise(0.5, seed=2)
        file = bench.write_sound(self.path("cold.wav"), source)
        planned = self.player.play(1, file, "+2500")
        status = self.player.say("status") and self.player.wait(event="status")
        self.assertFalse(status["open"])
        result = self.finished(1)
        lag, correlation = bench.find(self.hear(result), source, self.card.frame_at(planned), RATE // 5)
        self.assertLessEqual(abs(lag), 20 * MS)
        self.assertGreater(correlation, 0.99)
        self.assertLess(abs(result["start_unix_ns"] - planned), 20e6)


class Speech(SoundTest):
    def setUp(self):
        super().setUp()
        wav = bench.speak(self.path("vi.wav"), "Xin chào bà con. Đây là bản tin phát thanh của xã, mời bà con đón nghe.")
        self.opus = bench.write_sound(self.path("vi.opus"), bench.read_sound(wav)[0], form=bench.OGG_OPUS)
        self.source = bench.read_sound(self.opus)[0][:, 0]

    def test_opus_speech_is_heard_whole(self):
        planned = self.player.play(1, self.opus, "+600", expected=len(self.source))
        result = self.finished(1)
        recording = self.hear(result)
        self.assertEqual((result["end"], result["played"], result["resume"]),
                         ("drained", len(self.source), len(self.source)))
        lag, correlation = bench.find(recording, self.source, self.card.frame_at(planned), RATE // 5)
        self.assertLessEqual(abs(lag), 20 * MS)
        self.assertGreater(correlation, 0.99)
        begin = self.card.frame_at(planned) + lag
        self.assert_only(recording, (begin, begin + len(self.source) - 1))
        self.assertAlmostEqual(result["end_unix_ns"] - result["start_unix_ns"], len(self.source) / RATE * 1e9, delta=1e6)

    def test_resumes_at_an_offset(self):
        offset = len(self.source) // 2 + 77
        planned = self.player.play(1, self.opus, "+600", offset=offset, expected=len(self.source))
        result = self.finished(1)
        rest = self.source[offset:]
        lag, correlation = bench.find(self.hear(result), rest, self.card.frame_at(planned), RATE // 5)
        self.assertEqual((result["end"], result["played"], result["resume"]),
                         ("drained", len(rest), len(self.source)))
        self.assertLessEqual(abs(lag), 20 * MS)
        self.assertGreater(correlation, 0.99)

    def test_an_item_cut_in_two_is_heard_once(self):
        first = self.player.play(1, self.opus, "+300") and self.player.wait(event="started", id=1)
        bench.wait_for(lambda: time.time_ns() > first["unix_ns"] + 700000000, "some of it was heard")
        self.player.say("stop")
        cut = self.finished(1)
        self.assertEqual(cut["end"], "stopped")
        self.assertEqual(cut["played"], cut["resume"])
        self.player.play(2, self.opus, offset=cut["resume"], expected=len(self.source))
        rest = self.finished(2)
        self.assertEqual(cut["played"] + rest["played"], len(self.source))

    def test_a_wrong_sealed_length_is_refused(self):
        self.player.play(1, self.opus, "+200", expected=len(self.source) + 1)
        result = self.finished(1)
        self.assertEqual((result["end"], result["heard"], result["played"]), ("length_mismatch", False, 0))
        self.assertIn(str(len(self.source)), result["why"])

    def test_altered_files_never_pass_for_whole(self):
        short = bench.write_sound(self.path("short.opus"), self.source[:RATE], form=bench.OGG_OPUS)
        with open(short, "rb") as file:
            data = file.read()
        length = len(bench.read_sound(short)[0])
        altered = [data[:cut] for cut in (len(data) // 2, len(data) - 1, 200)]
        rng = np.random.default_rng(5)
        for bit in rng.integers(0, len(data) * 8, 300):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << (bit % 8)
            with open(self.path("flip.opus"), "wb") as file:
                file.write(flipped)
            try:
                same = len(bench.read_sound(self.path("flip.opus"))[0]) == length
            except AssertionError:
                same = False
            if not same:  # mostly without an error from libsndfile: the player must notice by itself
                altered.append(bytes(flipped))
            if len(altered) == 9:
                break
        self.assertGreater(len(altered), 4)
        for number, content in enumerate(altered, 1):
            file_path = self.path(f"altered{number}.opus")
            with open(file_path, "wb") as file:
                file.write(content)
            self.player.play(number, file_path, expected=length)
            self.assertIn(self.finished(number)["end"], ("length_mismatch", "decode_error"))
        self.player.play(100, short, expected=length)
        self.assertEqual(self.finished(100)["end"], "drained")


class Cuts(SoundTest):
    def setUp(self):
        super().setUp()
        self.source = bench.noise(20, seed=3)
        self.file = bench.write_sound(self.path("long.wav"), self.source)

    def start(self, number=1):
        self.player.play(number, self.file, "+200")
        self.player.wait(event="started", id=number)

    def test_stop_fades(self):
        self.start()
        said = self.player.say("stop")["unix_ns"]
        result = self.finished(1)
        recording = self.hear(result)
        last = np.nonzero(recording)[0][-1]
        late_ms = (last - self.card.frame_at(said)) / MS
        print(f"\nstop: sound ended {late_ms:.1f} ms after it")
        self.assertEqual(result["end"], "stopped")
        self.assertLess(late_ms, 300)
        loud = np.abs(recording[last - 8 * MS: last + 1]).reshape(-1)
        self.assertLess(loud[-MS:].max(), loud[:MS].max() / 2)
        self.assertAlmostEqual(result["played"], last - np.nonzero(recording)[0][0] + 1, delta=8)

    def test_silence_is_at_once(self):
        late = []
        for number in range(1, 6):
            self.start(number)
            said = self.player.say("silence")["unix_ns"]
            result = self.finished(number)
            self.assertEqual(result["end"], "stopped")
            recording = self.hear(result)
            late.append((np.nonzero(recording)[0][-1] - self.card.frame_at(said)) / MS)
        print(f"\nsilence: sound ended {min(late):.1f} to {max(late):.1f} ms after it")
        self.assertLess(max(late), 100)

    def test_pre_emption(self):
        other = bench.noise(0.4, seed=4)
        file = bench.write_sound(self.path("other.wav"), other)
        self.start()
        said = self.player.say("stop")["unix_ns"]
        self.player.play(2, file)
        self.assertEqual(self.finished(1)["end"], "stopped")
        result = self.finished(2)
        self.assertEqual(result["end"], "drained")
        lag, correlation = bench.find(self.hear(result), other, self.card.frame_at(said), RATE // 2)
        self.assertGreater(correlation, 0.98)
        self.assertLess(lag, 400 * MS)

    def test_gain(self):
        self.player.play(1, self.file, "+200", gain=-600)
        started = self.player.wait(event="started", id=1)
        said = self.player.say("gain -2600")["unix_ns"]
        bench.wait_for(lambda: time.time_ns() > said + 600000000, "it was heard for a while")
        self.player.say("silence")
        result = self.finished(1)
        recording = self.hear(result)
        def level(at_unix_ns):
            frame = self.card.frame_at(at_unix_ns)
            return 20 * np.log10(np.sqrt(np.mean(recording[frame: frame + 30 * MS] ** 2)))
        full = 20 * np.log10(np.sqrt(np.mean(self.source ** 2)))
        self.assertAlmostEqual(level(started["unix_ns"] + 20000000), full - 6, delta=0.5)
        self.assertAlmostEqual(level(said + 300000000), full - 26, delta=0.5)

    def test_back_to_back_without_a_gap(self):
        one, two = bench.noise(0.5, seed=6), bench.noise(0.4, seed=7)
        planned = self.player.play(1, bench.write_sound(self.path("one.wav"), one), "+300")
        self.player.play(2, bench.write_sound(self.path("two.wav"), two))
        self.assertEqual(self.player.say(f"play 3 {self.file} 0 0 0 0")["code"], os.strerror(16))
        first, second = self.finished(1), self.finished(2)
        recording = self.hear(second)
        lag, _ = bench.find(recording, one, self.card.frame_at(planned), RATE // 5)
        lag_two, _ = bench.find(recording, two, self.card.frame_at(planned) + lag + len(one), RATE // 5)
        self.assertEqual(lag_two, 0)
        self.assertAlmostEqual(second["start_unix_ns"], first["end_unix_ns"], delta=1e6)


class Trouble(SoundTest):
    def test_a_killed_player_leaves_the_card_to_the_next(self):
        source = bench.noise(5, seed=8)
        file = bench.write_sound(self.path("five.wav"), source)
        self.player.play(1, file, "+200")
        self.player.wait(event="started", id=1)
        second = Player(self.card.conf)
        self.addCleanup(second.end)
        second.play(9, file)
        self.assertEqual(second.wait(event="card")["error"], os.strerror(16))
        self.player.process.kill()
        killed = time.time_ns()
        second.wait(event="card", healthy=True)
        second.wait(event="started", id=9)
        second.say("silence")
        result = second.wait(event="finished", id=9)
        recording = self.hear(result)
        self.assertEqual(len(bench.spans(recording, 50 * MS)), 2)
        frame = self.card.frame_at(killed)
        gone = bench.spans(recording, 50 * MS)[0][1]
        self.assertLess(gone - frame, 500 * MS)

    def test_a_card_that_dies_is_found_again(self):
        source = bench.noise(6, seed=9)
        self.player.play(1, bench.write_sound(self.path("six.wav"), source), "+200")
        self.player.wait(event="started", id=1)
        self.player.wait(event="card", healthy=True)
        self.card.process.kill()
        self.card.process.wait()
        self.assertEqual(self.player.wait(event="card")["healthy"], False)
        self.card = Card(self.folder)
        self.assertEqual(self.player.wait(event="card")["healthy"], True)
        result = self.finished(1)
        self.assertEqual(result["end"], "drained")
        self.assertLessEqual(result["played"], len(source))
        self.assertGreater(result["played"], len(source) - RATE)
        tail = source[-2 * RATE:]
        _, correlation = bench.find(self.hear(result), tail, 3 * RATE, 3 * RATE)
        self.assertGreater(correlation, 0.98)

    def test_no_card_ends_the_item_not_the_player(self):
        self.card.end()
        player = Player(self.card.conf, 0, 0, 600)
        self.addCleanup(player.end)
        source = bench.noise(0.3, seed=10)
        file = bench.write_sound(self.path("short.wav"), source)
        player.play(1, file)
        result = player.wait(event="finished", id=1)
        self.assertEqual((result["end"], result["heard"], result["resume"]), ("card_lost", False, 0))
        self.assertIn("no sound card", result["why"])
        self.card = Card(self.folder)
        player.play(2, file)
        self.assertEqual(player.wait(event="finished", id=2)["end"], "drained")

    def test_a_frozen_player_is_an_xrun_and_goes_on(self):
        source = bench.noise(3, seed=11)
        self.player.play(1, bench.write_sound(self.path("three.wav"), source), "+200", expected=len(source))
        self.player.wait(event="started", id=1)
        self.player.process.send_signal(signal.SIGSTOP)
        time.sleep(0.6)  # the length of the freeze is the input here
        self.player.process.send_signal(signal.SIGCONT)
        result = self.finished(1)
        self.assertEqual((result["end"], result["played"]), ("drained", len(source)))
        self.assertGreaterEqual(result["xruns"], 1)

    def test_a_frozen_card_is_lost_and_found(self):
        source = bench.noise(2, seed=12)
        self.player.play(1, bench.write_sound(self.path("two.wav"), source), "+200")
        self.player.wait(event="started", id=1)
        self.player.wait(event="card", healthy=True)
        self.card.process.send_signal(signal.SIGSTOP)
        self.addCleanup(lambda: self.card.process.send_signal(signal.SIGCONT))
        self.assertFalse(self.player.wait(event="card")["healthy"])
        self.card.process.send_signal(signal.SIGCONT)
        self.assertTrue(self.player.wait(event="card")["healthy"])
        self.finished(1)

    def test_files_that_are_no_sound_of_ours(self):
        def make(name, data):
            with open(self.path(name), "wb") as file:
                file.write(data)
            return self.path(name)
        with open(bench.write_sound(self.path("x.wav"), bench.noise(0.1, seed=13)), "rb") as file:
            riff = file.read()
        nine = bench.write_sound(self.path("nine.wav"), np.zeros(9 * 4800) + 0.1, channels=9)
        slow = bench.write_sound(self.path("slow.wav"), np.zeros(4000) + 0.1, rate=4000)
        os.mkfifo(self.path("fifo"))
        bad = [self.path("absent.wav"), self.folder, self.path("fifo"), make("empty", b""), nine, slow,
               make("text", b"not a sound\n" * 50), make("riff", riff[:30]),
               make("ogg", b"OggS" + os.urandom(4000)), make("random", os.urandom(20000)),
               make("rate0", riff[:24] + struct.pack("<I", 0) + riff[28:]),
               make("channels0", riff[:22] + struct.pack("<H", 0) + riff[24:])]
        for number, file in enumerate(bad, 1):
            self.player.play(number, file)
            result = self.finished(number)
            self.assertEqual((result["end"], result["heard"]), ("decode_error", False), file)
            self.assertTrue(result["why"].startswith(file), result)
        self.assertEqual(bench.spans(self.hear(result), 1), [])


class OtherCard(SoundTest):
    card_options = ("--rate", "44100", "--channels", "2", "--format", "s32")

    def test_other_rate_channels_and_format(self):
        file = bench.speak(self.path("en.wav"), "Attention please. The border gate closes at five.", voice="en")
        source = bench.read_sound(file)[0][:, 0]
        self.player.play(1, file, "+700", expected=len(source))
        result = self.finished(1)
        self.assertEqual(result["end"], "drained")
        self.assertAlmostEqual(result["played"], len(source), delta=4)
        recording = self.hear(result)
        there = np.arange(int(len(source) * 44100 / RATE)) * RATE / 44100
        _, correlation = bench.find(recording, np.interp(there, np.arange(len(source)), source), len(recording) // 2,
                                    len(recording) // 2)
        self.assertGreater(correlation, 0.97)


class CardItself(SoundTest):
    def test_recording_is_valid_at_any_moment_and_in_real_time(self):
        self.player.play(1, bench.write_sound(self.path("two.wav"), bench.noise(2, seed=14)), "+100")
        lengths = []
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            lengths.append(len(self.card.read()[0]))
        self.assertEqual(lengths, sorted(lengths))
        self.finished(1)
        now = time.time_ns()
        self.card.read_until(now)
        self.assertEqual(self.card.end(), 0)
        with open(self.card.recording + ".json") as file:
            start = json.load(file)
        with open(self.card.recording + ".times") as file:
            for line in map(json.loads, file):
                heard = start["start_unix_ms"] * 1e6 + line["frame"] / start["rate"] * 1e9
                self.assertAlmostEqual(heard, line["unix_ns"], delta=2e6)
        self.assertEqual(subprocess.run(["soxi", "-s", self.card.recording], capture_output=True, check=True).stdout.strip(),
                         str(len(self.card.read()[0])).encode())
        for path in (self.card.socket, self.card.meter):
            self.assertFalse(os.path.exists(path))

    def test_meter(self):
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(self.card.meter)
        self.player.play(1, bench.write_sound(self.path("tone.wav"), tone), "+100")
        self.finished(1)
        lines = client.recv(1 << 20).decode().split("\n")[:-1]
        levels = [json.loads(line)["rms_mb"] for line in lines]
        self.assertIn(-12000, levels)
        self.assertAlmostEqual(max(levels), -903, delta=2)
        self.assertGreater(sum(abs(level + 903) <= 2 for level in levels), 30)

    def test_other_programs_play_too(self):
        file = bench.write_sound(self.path("tone.wav"), bench.noise(1, seed=15))
        env = {**os.environ, "ALSA_CONFIG_PATH": self.card.conf}
        begin = time.monotonic()
        subprocess.run(["aplay", "-q", "-D", "loa", file], env=env, check=True, timeout=60)
        self.assertGreater(time.monotonic() - begin, 0.6, "it is not taken faster than it is heard")
        recording = self.card.read_until(time.time_ns())
        (first, last), = bench.spans(recording, 10)
        self.assertAlmostEqual(last - first + 1, RATE, delta=2)

    def test_nonsense_on_the_sockets(self):
        for _ in range(3):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            client.connect(self.card.socket)
            client.recv(100)
            client.send(os.urandom(200))
            self.assertEqual(client.recv(100), b"")
            client.close()
        self.test_other_programs_play_too()

    def test_bad_options_get_a_sentence(self):
        for words in (["--rate", "7"], ["--channels", "x"], ["--format", "mp3"], ["--ppm", "5000"], ["--nothing"],
                      ["more"], [], ["--socket", "/tmp/" + "x" * 200, "--recording", self.path("r.wav")],
                      ["--socket", self.path("s"), "--recording", "/nowhere/r.wav"],
                      ["--socket", self.card.socket, "--recording", self.path("r.wav")]):
            done = subprocess.run([bench.CARD, *words], capture_output=True, text=True, timeout=60)
            self.assertIn(done.returncode, (1, 2), words)
            self.assertTrue(done.stderr.startswith("loa-card: "), done.stderr)
        help_ = subprocess.run([bench.CARD, "--help"], capture_output=True, text=True, timeout=60)
        self.assertEqual((help_.returncode, "--recording" in help_.stdout), (0, True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
