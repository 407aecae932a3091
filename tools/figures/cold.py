"""From the start of the agent's process to the first frame of an item that is already due; its vault is warm."""

import math
import time

import numpy

from common import Line, fetched, in_ms, loudspeaker, noise, spread, wait_until
import sound

NAME, MINUTES = "cold", 2


def first_frame(recording, since_s):
    """When something other than zero was first put out after this instant; None: not yet."""
    at = int(recording.frame_at(since_s))
    loud = numpy.flatnonzero(recording.samples(at, recording.frames() - at))
    return recording.unix_of(at + int(loud[0])) if len(loud) else None


def measure(bench):
    times = []
    with bench.installation([loudspeaker("ls-1")]) as i:
        site = i.sites[0]
        sample = noise(i, "do", 0.5)
        for _ in range(bench.few(15, 5)):
            at = math.ceil(time.time()) + 3
            i.schedule(sample.hash, at)
            fetched(i, sample)
            site.wait_settled()
            site.agent.kill()
            wait_until(lambda at=at: time.time() > at + 0.3, 30, "the clock stands", 0.01)
            began = time.time()
            site.agent.start()
            wait_until(lambda: first_frame(sound.Recording(site.recording), began) is not None, 30, "nothing was heard", 0.1)
            wait_until(lambda: time.time() > began + 2.5, 30, "the clock stands")  # a mark of the recording's time behind it
            times.append((first_frame(sound.Recording(site.recording), began) - began) * 1000)
            site.wait_online()
    values = spread(times)
    return [Line("process start -> first frame of an item already due", in_ms(values, 0), "<= 1000 ms", "", values["max"] <= 1000, values)]
