"""What one agent needs from the bytes of a new playlist to its decision: verified, stored for good, the arbiter asked.

The real loa-agent, with a stand-in for its link at the other end of its socket; the way back through the socket, and
Python's share of it, are in the figure."""

import json
import os
import sys
import threading
import time

from common import TOP, Cost, Failure, Keeper, Line, in_ms, spread, wait_until

NAME, MINUTES = "decide", 1
DAYS, EACH_DAY = 2, 40


def measure(bench):
    os.environ["LOA_SOURCE_DIR"], os.environ["LOA_BUILD_DIR"] = TOP, bench.build
    sys.path.insert(0, os.path.join(TOP, "tests", "integration", "agent"))
    from centre import PUBLISH, Centre
    import jose

    class Watching(Centre):
        """Notes when the agent first said that it holds a version of the playlist."""

        def __init__(self, *args):
            self.held, self.news = {}, threading.Condition()
            super().__init__(*args)

        def _frame(self, kind, flags, number, name, body):
            now = time.monotonic()
            super()._frame(kind, flags, number, name, body)
            if kind == PUBLISH and name.endswith("/state"):
                _, payload = jose.read(body.decode())
                with self.news:
                    for held in payload.get("held", []):
                        if held["doc"] == "playlist":
                            self.held.setdefault(held["ver"], now)
                    self.news.notify_all()

        def when(self, ver):
            with self.news:
                if not self.news.wait_for(lambda: ver in self.held, 10):
                    raise Failure("the agent did not adopt a playlist")
                return self.held[ver]

    times, size = [], 0
    with bench.folder() as folder, Keeper() as keeper:
        centre = Watching(folder, "ls-do-01")
        try:
            agent = start_agent(bench, keeper, folder, centre)
            centre.begin(kind="board")
            wait_until(lambda: centre.nonce, 20, "the agent did not say that it is there: " + agent.log_tail())
            bulletin = centre.bulletin([{"lang": "vi", "text": "Lịch tiêm chủng"}])
            approvals = [centre.approval(bulletin)]
            spent = Cost.cpu_s(agent.pid)
            for _ in range(bench.few(300, 60)):
                playlist = make_playlist(centre, bulletin, approvals)
                sealed = centre.seal("playlist", playlist, deflate=True)
                size = len(sealed)
                began = time.monotonic()
                centre.publish("playlist", sealed)
                times.append((centre.when(playlist["ver"]) - began) * 1000)
            spent = (Cost.cpu_s(agent.pid) - spent) * 1000 / len(times)
        finally:
            keeper.stop_all()
            centre.close()
    values = dict(spread(times), sealed_bytes=size, cpu_ms=spent)
    return [Line(f"bytes -> decision, one agent, playlist of {DAYS * EACH_DAY} items ({size} bytes)", 
                 in_ms(values) + f"; its CPU {spent:.2f} ms each", "p99 <= 5 ms", "a write to disk for good is in it", values["p99"] <= 5, values)]


def make_playlist(centre, bulletin, approvals):
    first_ms = (int(time.time()) + 7200) * 1000
    step_ms = 86400000 // EACH_DAY
    items = [{"id": f"r-{k % EACH_DAY}.{(first_ms + k * step_ms) // 1000}", "bulletin": 0, "start_ms": first_ms + k * step_ms,
              "end_ms": first_ms + k * step_ms + 122000, "show_ms": 60000} for k in range(DAYS * EACH_DAY)]
    return centre.playlist([(bulletin, approvals)], items, until_ms=first_ms + DAYS * 86400000)


def start_agent(bench, keeper, folder, centre):
    import jose
    path = lambda name: os.path.join(folder, name)  # noqa: E731
    from cryptography.hazmat.primitives import serialization
    raw = centre.box.private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                           serialization.NoEncryption())
    with open(os.open(path("box.jwk"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        json.dump({"kty": "OKP", "crv": "Ed25519", "x": centre.box.x, "kid": centre.box.kid, "d": jose.b64(raw)}, file)
    with open(path("agent.cfg"), "w") as file:
        file.write(f'device = "ls-do-01"; serial = "B-1"; vault = "{path("vault")}"; link = "{centre.path}";\n'
                   f'roots = ["{centre.root.x}", "{centre.spare.x}"]; key = "{path("box.jwk")}"; spool = "{centre.spool}";\n')
    with open(path("site.cfg"), "w") as file:
        file.write("")
    return keeper.process("agent", [bench.exe("firmware/loa-agent"), "--config", path("agent.cfg"), "--site", path("site.cfg")],
                          path("agent.log")).start()
