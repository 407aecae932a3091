"""The card, the player and the sound files that test_sound.py listens to."""

import ctypes
import json
import os
import queue
import subprocess
import sys
import threading
import time
import wave

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools/site"))
from sound import tell_card  # noqa: E402

BUILD = os.environ.get("LOA_BUILD_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../build/release")
CARD = os.path.join(BUILD, "tools/soundcard/loa-card")
PLAY_TOOL = os.path.join(BUILD, "tests/integration/sound/play_tool")
DEADLINE_S = 120


def wait_for(condition, what, seconds=DEADLINE_S):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Card:
    def __init__(self, folder, *options, name="card"):
        self.recording = os.path.join(folder, name + ".wav")
        self.conf = os.path.join(folder, name + ".conf")
        self.socket = os.path.join(folder, name + ".sock")
        self.meter = os.path.join(folder, name + ".meter")
        self.control = os.path.join(folder, name + ".ctl")
        self.process = subprocess.Popen(
            [CARD, "--socket", self.socket, "--recording", self.recording, "--conf", self.conf, "--meter", self.meter,
             "--control", self.control, *options], stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.conf) or self.process.poll() is not None, "card is up")

    def tell(self, words):
        """Say words to it; when, in Unix ns."""
        tell_card(self.control, words)
        return time.time_ns()

    def read(self):
        """(frames of channel 0, rate) as the header counts them now."""
        with wave.open(self.recording) as wav:
            frames = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
            return frames[:: wav.getnchannels()].astype(np.float64) / 32768, wav.getframerate()

    def read_until(self, unix_ns):
        """The recording once its header counts what was put out at this moment."""
        wait_for(lambda: len(self.read()[0]) > self.frame_at(unix_ns), "recording is long enough")
        return self.read()[0]

    def frame_at(self, unix_ns):
        with open(self.recording + ".json") as file:
            start = json.load(file)
        with open(self.recording + ".times") as file:
            lines = [line for line in file.read().split("\n")[:-1]]
        frame, at = 0, start["start_unix_ms"] * 1e6
        if lines:
            last = json.loads(lines[-1])
            frame, at = last["frame"], last["unix_ns"]
        return round(frame + (unix_ns - at) * start["rate"] / 1e9)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(DEADLINE_S)


class Player:
    def __init__(self, conf, *options, device="loa"):
        self.process = subprocess.Popen([PLAY_TOOL, device, *map(str, options)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env={**os.environ, "ALSA_CONFIG_PATH": conf})
        self.lines = queue.Queue()
        self.seen = []
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def wait(self, seconds=DEADLINE_S, **members):
        """The first event, told already or to come, that has these members."""
        end = time.monotonic() + seconds
        while True:
            for event in self.seen:
                if all(event.get(key) == value for key, value in members.items()):
                    self.seen.remove(event)
                    return event
            try:
                self.seen.append(self.lines.get(timeout=max(0.01, end - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"no {members} within {seconds} s; told: {self.seen}") from None

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.wait(did=line[:4])

    def play(self, number, path, start="0", offset=0, expected=0, gain=0, latest=0):
        """Returns when it is planned to be heard, Unix ns (0: at once)."""
        done = self.say(f"play {number} {path} {start} {offset} {expected} {gain} {latest}")
        if done["code"] != "ok":
            raise AssertionError(f"play: {done}")
        return self.wait(event="planned", id=number)["unix_ns"]

    def end(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # killed by its test
        code = self.process.wait(DEADLINE_S)
        self.thread.join(DEADLINE_S)
        self.process.stdout.close()
        return code


class SfInfo(ctypes.Structure):
    _fields_ = [("frames", ctypes.c_int64), ("samplerate", ctypes.c_int), ("channels", ctypes.c_int),
                ("format", ctypes.c_int), ("sections", ctypes.c_int), ("seekable", ctypes.c_int)]


SNDFILE = ctypes.CDLL("libsndfile.so.1")
SNDFILE.sf_open.restype = ctypes.c_void_p
SNDFILE.sf_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(SfInfo)]
for name in ("sf_writef_float", "sf_readf_float"):
    getattr(SNDFILE, name).restype = ctypes.c_int64
    getattr(SNDFILE, name).argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
SNDFILE.sf_close.argtypes = [ctypes.c_void_p]
WAV_16, OGG_OPUS, FLAC_16 = 0x010002, 0x200064, 0x170002


def write_sound(path, samples, rate=48000, form=WAV_16, channels=1):
    info = SfInfo(samplerate=rate, channels=channels, format=form)
    file = SNDFILE.sf_open(path.encode(), 0x20, ctypes.byref(info))
    assert file, path
    data = np.ascontiguousarray(samples, dtype=np.float32)
    frames = data.size // channels
    assert SNDFILE.sf_writef_float(file, data.ctypes.data, frames) == frames
    SNDFILE.sf_close(file)
    return path


def read_sound(path):
    """(samples as frames x channels, rate), read by libsndfile itself."""
    info = SfInfo()
    file = SNDFILE.sf_open(path.encode(), 0x10, ctypes.byref(info))
    assert file and info.frames < 1 << 28, f"{path}: not sound, or its length is a lie"
    data = np.zeros((info.frames + 48000, info.channels), dtype=np.float32)
    n = SNDFILE.sf_readf_float(file, data.ctypes.data, len(data))
    SNDFILE.sf_close(file)
    return data[:n].astype(np.float64), info.samplerate


def speak(path, text, voice="vi"):
    """Speech at 48 kHz."""
    raw = path + ".raw.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-w", raw, text], check=True)
    subprocess.run(["sox", "-q", "-v", "0.7", raw, "-r", "48000", "-c", "1", "-b", "16", path], check=True,
                   stderr=subprocess.DEVNULL)
    os.unlink(raw)
    return path


def noise(seconds, seed, level=0.3, rate=48000):
    return np.random.default_rng(seed).uniform(-level, level, int(seconds * rate))


def find(recording, source, around, reach):
    """(lag in frames against `around`, correlation) of where the source stands in the recording."""
    low = max(0, around - reach)
    part = recording[low: around + reach + len(source)]
    size = 1 << (len(part) + len(source)).bit_length()
    product = np.fft.irfft(np.fft.rfft(part, size) * np.conj(np.fft.rfft(source, size)), size)
    best = int(np.argmax(product[: max(1, len(part) - len(source) + 1)]))
    piece = part[best: best + len(source)]
    scale = np.sqrt(np.sum(piece ** 2) * np.sum(source[: len(piece)] ** 2))
    return low + best - around, float(np.sum(piece * source[: len(piece)]) / scale) if scale > 0 else 0.0


def spans(recording, gap):
    """[first, last] of each stretch of sound; stretches are apart when `gap` zeros lie between."""
    at = np.nonzero(recording)[0]
    if len(at) == 0:
        return []
    breaks = np.nonzero(np.diff(at) > gap)[0]
    return list(zip(np.concatenate(([at[0]], at[breaks + 1])), np.concatenate((at[breaks], [at[-1]]))))
