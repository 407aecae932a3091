"""Sound in and out: sentences spoken on the spot, and what a card recorded, compared with what was to be heard."""

import json
import os
import socket
import struct

import numpy

RATE_HZ = 48000


def speak(keeper, voice, text, path, speed=165):
    """A WAV of a spoken sentence, by espeak-ng."""
    keeper.run(["espeak-ng", "-v", voice, "-s", speed, "-w", path, "--", text], f"espeak-ng -v {voice}")
    return path


def mp3_of_tone_and(keeper, speech, path):
    """An MP3: half a second of tone, then the speech."""
    tone, plain, whole = (f"{path}.{part}.wav" for part in ("tone", "plain", "whole"))
    shape = ["-r", "44100", "-c", "1", "-b", "16"]
    try:
        keeper.run(["sox", "-n", *shape, tone, "synth", "0.5", "sine", "880", "fade", "0.02", "0.5", "0.02", "gain", "-9"])
        keeper.run(["sox", speech, *shape, plain])
        keeper.run(["sox", tone, plain, whole])
        keeper.run(["lame", "--quiet", "-m", "m", "-b", "96", whole, path])
    finally:
        for temporary in (tone, plain, whole):
            if os.path.exists(temporary):
                os.unlink(temporary)
    return path


def decode(keeper, path):
    """Any sound file that sox reads -> mono float32 at 48 kHz. MP3 goes through lame, which takes off what encoder and
    decoder put in front (sox leaves 51 ms there)."""
    data = None
    if path.endswith(".mp3"):
        _, data, _ = keeper.run(["lame", "--quiet", "--decode", path, "-"], f"lame --decode {path}", text=False)
    _, data, _ = keeper.run(["sox", *(["-t", "wav", "-"] if data else [path]), "-t", "raw", "-r", RATE_HZ, "-c", "1", "-e",
                             "float", "-b", "32", "-"], f"sox {path}", stdin=data, text=False)
    return numpy.frombuffer(data, numpy.float32)


def tell_card(control, words, seconds=20):
    """Say words to a card (`loa-card --help`: vanish, busy, freeze, underrun, ppm, return, status); how it stands then."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(seconds)
        s.connect(control)
        s.sendall(words.encode() + b"\n")
        with s.makefile("r", encoding="utf-8") as lines:
            answer = json.loads(lines.readline())
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


class Recording:
    """What a card put out: a WAV that is still being written, with the instant of its frames beside it."""

    def __init__(self, path):
        self.path = path
        with open(path + ".json") as about:
            about = json.load(about)
        self.rate, self.channels, self.start_unix_ms = about["rate"], about["channels"], about["start_unix_ms"]
        with open(path, "rb") as wav:
            head = wav.read(4096)
        self.data_at, self.bits, self.is_float = self._layout(head)

    @staticmethod
    def _layout(head):
        if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
            raise ValueError("not a WAV file")
        at, bits, is_float = 12, 16, False
        while at + 8 <= len(head):
            name, size = head[at:at + 4], struct.unpack("<I", head[at + 4:at + 8])[0]
            if name == b"fmt ":
                tag, _, _, _, _, bits = struct.unpack("<HHIIHH", head[at + 8:at + 24])
                is_float = tag == 3
            if name == b"data":
                return at + 8, bits, is_float
            at += 8 + size + size % 2
        raise ValueError("no data in this WAV file")

    def times(self):
        """[(frame, unix_ns)], one each second."""
        marks = []
        with open(self.path + ".times") as lines:
            for line in lines:
                if line.endswith("\n"):
                    mark = json.loads(line)
                    marks.append((mark["frame"], mark["unix_ns"]))
        return marks

    def frame_at(self, unix_s):
        """The frame that was put out at this instant (may be fractional, negative, or not written yet)."""
        marks = self.times() or [(0, self.start_unix_ms * 1000000)]
        frame, at_ns = min(marks, key=lambda mark: abs(mark[1] - unix_s * 1e9))
        return frame + (unix_s * 1e9 - at_ns) * self.rate / 1e9

    def frames(self):
        width = self.bits // 8 * self.channels
        return max(0, os.path.getsize(self.path) - self.data_at) // width

    def samples(self, first, count):
        """Mono float32; what lies before the beginning or after the end is missing, so the result may be shorter."""
        kind = numpy.float32 if self.is_float else {16: numpy.int16, 32: numpy.int32}[self.bits]
        width = self.bits // 8 * self.channels
        first = max(0, int(first))
        with open(self.path, "rb") as wav:
            wav.seek(self.data_at + first * width)
            data = wav.read(max(0, int(count)) * width)
        data = numpy.frombuffer(data[:len(data) // width * width], kind).reshape(-1, self.channels)
        scale = 1.0 if self.is_float else float(1 << (self.bits - 1))
        return (data.astype(numpy.float64).mean(axis=1) / scale).astype(numpy.float32)

    def around(self, unix_s, before_s, after_s):
        """(samples, index of the instant in them)."""
        at = self.frame_at(unix_s)
        first = max(0, int(at - before_s * self.rate))
        return self.samples(first, at + after_s * self.rate - first), at - first

    def silent(self, from_s, to_s):
        """True when every frame of this span is zero."""
        first, last = self.frame_at(from_s), self.frame_at(to_s)
        return not self.samples(first, last - first).any()

    def spans(self, gap_s=0.5, floor=1e-4):
        """Where something was heard: [(from unix s, to unix s)], joined over gaps shorter than gap_s."""
        loud = numpy.flatnonzero(numpy.abs(self.samples(0, self.frames())) > floor)
        if not len(loud):
            return []
        cuts = numpy.flatnonzero(numpy.diff(loud) > gap_s * self.rate)
        firsts = numpy.concatenate(([loud[0]], loud[cuts + 1]))
        lasts = numpy.concatenate((loud[cuts], [loud[-1]]))
        return [(self.unix_of(a), self.unix_of(b)) for a, b in zip(firsts, lasts)]

    def unix_of(self, frame):
        marks = self.times() or [(0, self.start_unix_ms * 1000000)]
        near, at_ns = min(marks, key=lambda mark: abs(mark[0] - frame))
        return at_ns / 1e9 + (frame - near) / self.rate

    def compare(self, source, unix_s, window_s=1.0):
        """How well `source` (mono at 48 kHz) is heard at the instant: (correlation, lag in s). The best match within
        window_s on either side; lag positive: heard late."""
        heard, at = self.around(unix_s, window_s, window_s + len(source) / self.rate)
        return correlate(heard, source, at / self.rate, self.rate)


def correlate(heard, source, expected_s, rate=RATE_HZ):
    """Normalised cross-correlation of `source` with every place in `heard`: (best value, its place - expected_s)."""
    heard, source = numpy.asarray(heard, numpy.float64), numpy.asarray(source, numpy.float64)
    if len(heard) < len(source) or not len(source):
        return 0.0, 0.0
    size = 1 << (len(heard) + len(source)).bit_length()
    cross = numpy.fft.irfft(numpy.fft.rfft(heard, size) * numpy.conj(numpy.fft.rfft(source, size)), size)
    cross = cross[:len(heard) - len(source) + 1]
    energy = numpy.concatenate(([0.0], numpy.cumsum(heard * heard)))
    local = energy[len(source):] - energy[:-len(source)]
    norm = numpy.sqrt(numpy.maximum(local, 1e-9) * max(float(numpy.dot(source, source)), 1e-9))
    values = cross / norm
    best = int(numpy.argmax(values))
    return float(values[best]), best / rate - expected_s
