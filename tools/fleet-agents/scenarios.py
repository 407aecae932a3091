"""What `tools/fleet` does with a crowd that stands, and the figures of it."""

import contextlib
import datetime
import math
import os
import random
import struct
import threading
import time
import wave

from crowd import COMMUNES, Caller, commune, name
from installation import ZONE
from process import Failure, wait_until

STEADY_S = 31   # a session that stood this long was a good one: its next try is spread over the whole window
GOAL_S = 60     # until everybody is back after a restart of the broker
AHEAD_S = 5     # from a rule to its instant, for fetching


def percentile(values, share):
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def spread(values):
    """p50, p99 and the largest, or None of nothing."""
    if not values:
        return None
    return {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}


def spent(before, after, seconds, agents):
    """CPU in percent of one core, and memory, of each part between two looks; and what the rest of the machine took."""
    found = {}
    others = after.pop("machine")["cpu_s"] - before.pop("machine")["cpu_s"]
    for part, was in before.items():
        now = after[part]
        used = now["cpu_s"] - was["cpu_s"]
        others -= used
        found[part] = {"cpu_percent": round(100 * used / seconds, 2), "cpu_s": round(used, 2), "rss_mib": now["rss"],
                       "private_dirty_mib": now["private_dirty"], "descriptors": now["descriptors"]}
    found["others"] = {"cpu_percent": round(100 * others / seconds, 1), "cpu_s": round(others, 1)}
    each = found["fleet"]
    each["agent_cpu_percent"] = round(each["cpu_percent"] / agents, 4)
    each["agent_private_dirty_kib"] = round(1024 * each["private_dirty_mib"] / agents, 1)
    each["agent_descriptors"] = round(each["descriptors"] / agents, 1)
    return found


def tone(path, seconds):
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48000)
        out.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * 440 * i / 48000)))
                                 for i in range(int(48000 * seconds))))
    return path


def bulletin(crowd, seconds=2):
    """One bulletin with text and sound, approved for the province."""
    content = ["--content", "vi:text=Thông báo của xã"]
    if crowd.media:
        content[1] += ",audio=" + tone(os.path.join(crowd.make_dir("content"), "tone.wav"), seconds)
    answer = crowd.loa("bulletin", "add", "--title", "Thông báo", "--category", "thử", "--answerable", "Lan", *content)
    crowd.approve(answer["hash"])
    return answer["hash"]


def rule(crowd, hash, at_unix_s, **where):
    civil = datetime.datetime.fromtimestamp(int(at_unix_s), ZONE)
    return crowd.caller.post("/rules", {"bulletin": hash, "when": "once", "date": civil.strftime("%Y-%m-%d"),
                                        "times": [civil.strftime("%H:%M:%S")], **where})


# --- connected ---

def gather(crowd, figures, say):
    """Everybody connected, welcomed, and with a configuration and a playlist in force."""
    began = time.monotonic()
    crowd.wait(lambda now: now["made"] == crowd.n, 120 + crowd.n / 20, "not all agents are made")
    figures["made_s"] = round(time.monotonic() - began, 1)
    say(f"đã tạo {crowd.n} trạm / {crowd.n} agents are made: {figures['made_s']} s")
    crowd.wait(lambda now: now["welcomed"] == crowd.n == now["holding"], 120 + crowd.n / 20,
               "not everybody is welcomed and holds its playlist")
    figures["all_welcomed_s"] = round(time.monotonic() - began, 1)
    say(f"tất cả đã kết nối / everybody is connected, welcomed and holds its playlist: {figures['all_welcomed_s']} s")


# --- idle ---

def idle(crowd, seconds, say):
    before, began = crowd.cost(), time.monotonic()
    wait_until(lambda: time.monotonic() >= began + seconds, seconds + 5, "the clock stands", 0.2)
    figures = spent(before, crowd.cost(), time.monotonic() - began, crowd.n)
    now = crowd.look()
    if now["online"] != crowd.n:
        raise Failure(f"{crowd.n - now['online']} agents lost their session while nothing happened")
    for part, cost in figures.items():
        say(f"  {part}: {cost}")
    return figures


# --- a rule changes ---

def adoption(crowd, indices, change, seconds):
    """Ms from the call of the API to the adoption by each of `indices`, and until the API had answered."""
    mark = len(crowd.adopted)
    wanted = set(indices)
    asked_ms = time.time() * 1000
    answer = change()
    answered_ms = time.time() * 1000
    first = {}

    def all_in(_now):
        for at, index, _ver in crowd.adopted[mark:]:
            if index in wanted and at + 1 >= asked_ms:
                first.setdefault(index, at)
        return len(first) == len(wanted)

    crowd.wait(all_in, seconds, "not every device adopted its new playlist", 0.02)
    return answer, [max(0.0, round(at - asked_ms, 1)) for at in first.values()], answered_ms - asked_ms


class Bystander:
    """Calls of the API, one after the other over a connection of its own, while something else goes on."""

    EVERY_S = 0.004

    def __init__(self, installation):
        self.caller, self.ended, self.took = Caller(installation), threading.Event(), []
        self.caller.get("/whoami")  # the greeting of TLS is not what is measured

    def __enter__(self):
        self.thread = threading.Thread(target=self._call, daemon=True)
        self.thread.start()
        return self

    def _call(self):
        while not self.ended.wait(self.EVERY_S):
            began = time.monotonic()
            self.caller.get("/whoami")
            self.took.append(round(1000 * (time.monotonic() - began), 2))

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(120)


def rule_change(crowd, say, changes=25):
    """Rules for one device, one commune and the province, each put in and ended."""
    hash = bulletin(crowd)
    tomorrow = time.time() + 86400
    figures = {}
    one_place, patience = min(crowd.n, COMMUNES), 60 + crowd.n / 10
    kinds = {
        "device": (changes, lambda k: {"devices": [name(k)]}, lambda k: [k]),
        "commune": (max(2, changes // 5), lambda k: {"areas": [commune(k)]}, lambda k: list(range(k % one_place, crowd.n, COMMUNES))),
        "province": (1, lambda _k: {"areas": ["a000"]}, lambda _k: list(range(crowd.n))),
    }
    chance = random.Random(1)
    with Bystander(crowd) as alone:
        wait_until(lambda: len(alone.took) >= 500, 60, "the API does not answer", 0.1)
    figures["calls_alone_ms"] = spread(alone.took)
    for what, (times, where, who) in kinds.items():
        latencies, answers, calls = [], [], []
        turns, before, began = crowd.caller.get("/status")["loop"], crowd.cost(), time.monotonic()
        for i in range(times):
            k = chance.randrange(crowd.n)
            with contextlib.ExitStack() as stack:
                beside = [stack.enter_context(Bystander(crowd))] if what == "province" else []
                made, some, answered = adoption(crowd, who(k), lambda: rule(crowd, hash, tomorrow + 60 * i, **where(k)), patience)
                _, more, again = adoption(crowd, who(k), lambda: crowd.caller.send("DELETE", f"/rules/{made['id']}"), patience)
            calls += [took for one in beside for took in one.took]
            latencies += some + more
            answers += [answered, again]
        cost = spent(before, crowd.cost(), time.monotonic() - began, crowd.n)
        long = {how: {ms: n - turns[how][ms] for ms, n in now.items()} for how, now in crowd.caller.get("/status")["loop"].items()
                if isinstance(now, dict)}
        figures[what] = {"changes": 2 * times, "loop_turns": long, "adopted_ms": spread(latencies), "answered_ms": spread([round(a, 1) for a in answers]),
                         "cpu_ms_a_change": {part: round(1000 * c["cpu_s"] / (2 * times), 1) for part, c in cost.items()},
                         "calls_meanwhile_ms": spread(calls), "controller_rss_mib": cost["controller"]["rss_mib"]}
        say(f"  {what}: {figures[what]}")
    return figures


# --- the broker is started again ---

def overflows():
    """How often a listening socket's queue was full, on this machine."""
    with open("/proc/net/netstat") as file:
        rows = [line.split() for line in file]
    for names, values in zip(rows[::2], rows[1::2]):
        if "ListenOverflows" in names:
            return int(values[names.index("ListenOverflows")])
    return 0


def broker_restart(crowd, say, seconds=300):
    wait_until(lambda: time.monotonic() >= crowd.steady_from + STEADY_S, STEADY_S + 5, "the clock stands", 0.2)
    before, full, log = crowd.cost(), overflows(), os.path.getsize(crowd.broker.process.log)
    crowd.look()
    crowd.broker.process.stop(30)
    down_ms = time.time() * 1000
    crowd.broker.start()
    up_ms, began = time.time() * 1000, time.monotonic()
    figures = {"down_ms": round(up_ms - down_ms)}
    before["mosquitto"]["cpu_s"] = 0.0  # a new process
    back_at = {}

    def back(now):
        controller = crowd.caller.get("/status")
        if controller["online"] == crowd.n and now["welcomed"] == crowd.n:
            back_at.setdefault("controller", time.monotonic() - began)
        return "controller" in back_at

    crowd.wait(lambda now: now["online"] < crowd.n, 60, "nobody noticed that the broker went away", 0.02)
    try:
        crowd.wait(back, seconds, "not everybody is back", 0.5)
    except Failure:
        say(f"  chưa về đủ / not everybody is back after {seconds} s: {crowd.look()}")
    now = crowd.look()
    for word, what in (("online", "sessions_s"), ("welcomed", "states_at_controller_s")):
        full_at = [at for at, sum in crowd.since(up_ms, word) if sum == crowd.n and at > 0]
        figures[what] = round(min(full_at) / 1000, 2) if full_at else None
    figures["controller_status_s"] = round(back_at["controller"], 2) if back_at else None
    figures["welcomed_p50_s"] = next((round(at / 1000, 2) for at, sum in crowd.since(up_ms, "welcomed") if at > 5000 and sum >= crowd.n / 2), None)
    in_time = max((sum for at, sum in crowd.since(up_ms, "welcomed") if 0 < at <= GOAL_S * 1000), default=0)
    figures["later_than_60_s"] = crowd.n - in_time
    figures["failures"] = crowd.n - now["welcomed"]
    with open(crowd.broker.process.log, errors="replace") as file:
        file.seek(log)
        said = file.read()
    others = 2  # the controller's link, and the one that asked whether the broker answers, which then just leaves
    figures["sessions"] = said.count("New client connected") - 1
    figures["connections_more_than_needed"] = said.count("New connection from") - crowd.n - others
    figures["tls_failures"] = max(0, said.count("OpenSSL Error") - 1)
    figures["listen_overflows"] = overflows() - full
    figures["cost"] = spent(before, crowd.cost(), time.monotonic() - began, crowd.n)
    for key, value in figures.items():
        say(f"  {key}: {value}")
    return figures


# --- everybody plays one item ---

def airing(crowd, say, seconds=120):
    """One item on every device; each must leave one receipt that says that it was heard and shown."""
    hash = bulletin(crowd)
    at = math.ceil(time.time() + AHEAD_S + crowd.n / 100)
    made = rule(crowd, hash, at, areas=["a000"])
    wait_until(lambda: time.time() >= at, at - time.time() + 5, "the clock stands", 0.1)

    def stored(_now):
        found, after = [], ""
        while True:
            page = crowd.caller.get(f"/receipts?rule={made['id']}&limit=1000{after}")
            found += page["items"]
            if not page.get("next"):
                return found if len(found) >= crowd.n else None
            after = "&after=" + page["next"]

    found = crowd.wait(stored, seconds, "not every receipt has come", 0.5)
    devices = {r["device"] for r in found}
    reasons = {}
    for receipt in found:
        reasons[receipt["reason"]] = reasons.get(receipt["reason"], 0) + 1
    figures = {"receipts": len(found), "devices": len(devices), "twice": len(found) - len(devices), "reasons": reasons,
               "all_stored_s": round(time.time() - at, 1),
               "heard_and_shown": sum(1 for r in found if heard_and_shown(r))}
    say(f"  {figures}")
    return figures


def heard_and_shown(receipt):
    evidence = receipt["evidence"] or {}
    sound, sign = evidence.get("sound"), evidence.get("sign")
    return bool(sound and sign and sound["frames"] == sound["frames_expected"] and sign["read_back"])
