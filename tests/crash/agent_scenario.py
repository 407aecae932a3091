"""An agent with an empty vault: documents, blobs, five occurrences, a newer plan, an orderly end; cut at any call.

The far end of its socket is tests/integration/agent/centre.py; its outputs write down what they put out."""

import hashlib
import json
import os
import time

from cutting import BUILD, Peek, Program, Scenario, check, read_to_the_end, until, whole_by_name

import jose
from bench import DEVICE, _raw, tone, wav
from centre import Centre

AGENT = os.path.join(BUILD, "tests", "crash", "loa-agent-logged")
SHORT_S, LONG_S = 0.3, 1.2


class Witness(Centre):
    """A centre that also remembers what may never change."""

    def __init__(self, *args):
        self.faults = []
        self.rows = {}    # (kind, store, n) -> hash of what was said
        self.held = {}    # document -> highest version that the agent said it holds
        self.newest = 0   # highest version of a state
        self.stores = []  # in the order in which they were told
        super().__init__(*args)

    def _published(self, word, body):
        try:
            payload = jose.verify(body, self.box.x)
            if word in ("receipt", "event"):
                self._row(word, payload, hashlib.sha256(body).hexdigest())
            if word == "state":
                self._state(payload)
        except Exception as e:  # a thread of its own: told at the end
            self.faults.append(repr(e))
        super()._published(word, body)

    def _row(self, word, payload, said):
        key = (word, payload["store"], payload["n"])
        if self.rows.setdefault(key, said) != said:
            self.faults.append(f"{key} came with two contents")

    def _state(self, payload):
        if payload["ver"] <= self.newest:
            self.faults.append(f"state {payload['ver']} after {self.newest}: a version was given twice")
        self.newest = payload["ver"]
        if payload["store"] not in self.stores:
            self.stores.append(payload["store"])
        if not payload["on"]:
            return
        held = {h["doc"]: h["ver"] for h in payload.get("held", [])}
        for doc, ver in held.items():
            if ver < self.held.get(doc, 0):
                self.faults.append(f"{doc} {self.held[doc]} was in force, then {ver}")
        for doc in self.held:
            if doc not in held:
                self.faults.append(f"{doc} was in force and is gone")
        self.held.update(held)


class AgentScenario(Scenario):
    def open(self):
        self.centre = Witness(self.folder, DEVICE)
        self.log = self.path("outputs.log")
        self._configure()
        self.program = Program([os.environ.get("LOA_AGENT", AGENT), "--config", self.path("agent.cfg"), "--site", self.path("site.cfg")], self.folder,
                               self.disk, {"LOA_OUTPUTS_LOG": self.log})
        self._documents()
        self.receipted = {}  # when it died: occurrence -> lines of the log until then
        self.newer = False

    def close(self):
        self.centre.close()

    def _configure(self):
        c = self.centre
        key = {"kty": "OKP", "crv": "Ed25519", "x": c.box.x, "kid": c.box.kid, "d": jose.b64(_raw(c.box.private))}
        with open(os.open(self.path("box.jwk"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump(key, file)
        with open(self.path("agent.cfg"), "w") as file:
            file.write(f'device = "{DEVICE}"; serial = "T-1"; vault = "{self.path("disk", "vault")}"; link = "{c.path}";\n'
                       f'roots = ["{c.root.x}", "{c.spare.x}"]; key = "{self.path("box.jwk")}"; spool = "{c.spool}";\n')
        with open(self.path("site.cfg"), "w") as file:
            file.write('sound = { device = "none"; zones = ["san"]; };\n')

    def _documents(self):
        c = self.centre
        short, unsigned, long = (c.bulletin([{"lang": "vi", "audio": self._media(seconds)}], id=f"b{i}")
                                 for i, seconds in enumerate((SHORT_S, SHORT_S, LONG_S)))
        self.bulletins = [(short, [c.approval(short)]), (unsigned, []), (long, [c.approval(long)])]
        c.begin()

    def _media(self, seconds):
        data = wav(tone(seconds, 1))
        return {"hash": self.centre.blob(data), "size": len(data), "frames": int(seconds * 48000)}

    def _plan(self):
        """Due from now on: one at once, one that a more urgent one cuts and that resumes, one nobody approved."""
        start = int(time.time() * 1000)
        rows = [("r0", 0, 700, {}), ("r1", 2, 1200, {"policy": "resume"}), ("r2", 0, 1900, {"class": "priority"}),
                ("r3", 1, 2600, {}), ("r4", 0, 3000, {})]
        items = [{"id": f"{rule}.{(start + at) // 1000}", "bulletin": bulletin, "start_ms": start + at,
                  "end_ms": start + at + 62300, **more} for rule, bulletin, at, more in rows]
        self.items = {item["id"]: item for item in items}
        self.keys = {item["id"]: hashlib.sha256(item["id"].encode()).hexdigest()[:16] for item in items}
        self.first = self.centre.playlist(self.bulletins, items)
        self.centre.publish("playlist", self.first)

    def _newer(self):
        """Another configuration, and the same plan compiled for it."""
        self.newer = True
        config = self.centre.config(delay_ms=5)
        self.centre.publish("config", config)
        self.centre.publish("playlist", {**self.first, "ver": int(time.time() * 1000) + 1, "config_ver": config["ver"]})

    def drive(self, again=False):
        if not again:
            self._plan()
        before = self.centre.newest

        def over():
            if again:
                self.program.expect_life()
            elif not self.program.alive():
                return True
            if not self.newer and "playlist" in self.centre.held:
                self._newer()
            return (self.centre.newest > before and set(self.items) <= set(self.centre.receipts()) and
                    self._all_stored())
        until(over, f"receipts of {len(self.items)} occurrences, all that was made stored")

    def _all_stored(self):
        """Every number up to the highest that a state has told is here."""
        with self.centre.lock:
            states = [p for w, p in self.centre.up if w == "state" and p["on"]]
            last = {head["kind"]: head["last"] for head in states[-1].get("outbox", [])} if states else None
            store = states[-1]["store"] if states else None
            return last is not None and all(self.centre.upto(self.centre.stored.get((kind, store), {})) >= n
                                            for kind, n in last.items())

    def lines(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log) as file:
            return [line.split() for line in file]

    def hung_up(self):
        read_to_the_end(self.centre)

    def died(self):
        lines = len(self.lines())
        self.receipted = {occurrence: lines for occurrence in self.centre.receipts()}

    def look_at_disk(self):
        check(not self.centre.faults, self.centre.faults[:3])
        whole_by_name(self.path("disk", "vault", "blobs"))
        path = self.path("disk", "vault", "vault.db")
        if not os.path.exists(path):
            check(not self.centre.stores, "the vault is gone")
            return
        with Peek(path) as peek:
            order = ("trust", "keys", "config", "playlist")
            held = {order[kind]: ver for kind, ver in peek.rows("SELECT type, ver FROM document") if kind < len(order)}
            for doc, ver in self.centre.held.items():
                check(held.get(doc, 0) >= ver, f"{doc} {ver} was in force, on disk is {held.get(doc)}")
            made = {("receipt", "event")[kind]: n for kind, n in peek.rows("SELECT kind, made FROM mark")}
            for kind, _, n in self.centre.rows:
                check(made.get(kind, 0) >= n, f"{kind} {n} was sent, the outbox knows {made.get(kind)}")

    def look_at_end(self):
        check(not self.centre.faults, self.centre.faults[:3])
        check(len(self.centre.stores) == 1, f"store ids: {self.centre.stores}")
        for kind, rows in (("receipt", 0), ("event", 1)):
            numbers = sorted(n for k, _, n in self.centre.rows if k == kind)
            check(numbers == list(range(1, len(numbers) + 1)), f"{kind} numbers {numbers}")
            with Peek(self.path("disk", "vault", "vault.db")) as peek:
                made = peek.rows("SELECT made FROM mark WHERE kind=?", rows)
            check(not made or made[0][0] <= len(numbers) + 1, f"{kind}: {made[0][0]} made, {len(numbers)} arrived")
        by_occurrence = {}
        for _, payload in [(w, p) for w, p in self.centre.up if w == "receipt"]:
            by_occurrence.setdefault(payload["occurrence"], set()).add(payload["n"])
        check(set(by_occurrence) == set(self.items), f"receipts of {sorted(by_occurrence)}")
        check(all(len(numbers) == 1 for numbers in by_occurrence.values()), f"two receipts: {by_occurrence}")
        self._look_at_outputs()

    def _look_at_outputs(self):
        receipts, lines = self.centre.receipts(), self.lines()
        for occurrence, item in self.items.items():
            begins = [i for i, line in enumerate(lines) if line[:2] == ["begin", self.keys[occurrence]]]
            receipt = receipts[occurrence]
            if item["bulletin"] == 1:
                check(not begins and receipt["reason"] == "not_approved", f"unapproved, yet {receipt}")
                continue
            check(len(begins) <= 1 or item.get("policy") == "resume", f"{occurrence} was put out {len(begins)} times")
            check(all(i < self.receipted.get(occurrence, len(lines)) for i in begins), f"{occurrence} after its receipt")
            check(not begins or receipt.get("started_ms"), f"{occurrence} was put out, its receipt denies it: {receipt}")
            check(begins or receipt["reason"] != "on_time", f"{occurrence} was never put out, but {receipt}")
