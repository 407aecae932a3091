"""Start error of timed items: where the card's recording has the sound, against where the rule wants it."""

import math
import time

from common import Line, fetched, in_ms, loudspeaker, noise, percentile, spread, wait_until
import sound

NAME, MINUTES = "starts", 3
SITES, EVERY_S, LENGTH_S = 4, 2, 0.4


def measure(bench):
    rounds = bench.few(50, 8)
    with bench.installation([loudspeaker(f"ls-{k}") for k in range(SITES)]) as i:
        sample = noise(i, "ngan", LENGTH_S)
        first = math.ceil(time.time()) + 8
        instants = [first + EVERY_S * k for k in range(rounds)]
        for at in instants:
            i.schedule(sample.hash, at)
        fetched(i, sample)
        wait_until(lambda: time.time() > instants[-1] + LENGTH_S + 2, EVERY_S * rounds + 60, "the clock stands", 0.2)
        source = sound.decode(i.keeper, sample.sounds["vi"])
        lags, unheard = [], 0
        for site in i.sites:
            recording = sound.Recording(site.recording)
            for at in instants:
                value, lag = recording.compare(source, at, 0.5)
                if value < 0.9:
                    unheard += 1
                else:
                    lags.append(lag * 1000)
        receipts = wait_until(lambda: (lambda r: r if len(r) >= SITES * rounds else None)(i.api.receipts()), 60, "receipts are missing")
        told = [abs(r["evidence"]["sound"]["start_error_us"]) / 1000 for r in receipts]
    values = dict(spread([abs(lag) for lag in lags]), median_lag=percentile(lags, 0.5), unheard=unheard,
                  receipts_p99=percentile(told, 0.99))
    return [Line("start error of timed items, on the card", in_ms(values) + (f", {unheard} not heard whole" if unheard else ""),
                 "p99 <= 5 ms", f"receipts say p99 {values['receipts_p99']:.2f} ms", values["p99"] <= 5 and not unheard, values)]
