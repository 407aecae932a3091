"""A centre that is older than the world: restored from a backup it goes on above what broker and devices hold, and asks again for
what it lacks. Boxes that are two, or have another card than before. A box that floods, a liar, a state that was lost."""
import os
import shutil
import sqlite3
import time
import unittest

from kit import World, head, sha, wait_for
from test_fleet import Box, open_sealed


class Watcher(Box):
    """Reads a device's branch as the device would, and does not speak."""

    def start(self):
        self.client.connect("127.0.0.1", self.w.broker_port)
        self.client.loop_start()
        wait_for("watcher subscribed", lambda: self.subscribed == len(self.topics))
        return self


class Restored(unittest.TestCase):
    def setUp(self):
        self.sealed = {}
        self.w = World(network=True).__enter__()
        self.addCleanup(self.w.__exit__, None, None, None)
        self.w.add_places()
        self.w.seal_trust()
        self.bulletin = self.w.add_bulletin()
        self.w.want(201, "POST", "approvals", self.w.approve(self.bulletin["hash"]), type="application/jose")
        self.rule("morning", "05:00")
        self.box = Box(self.w).start()
        self.addCleanup(self.box.stop, True)
        wait_for("welcome", lambda: self.box.got.get("welcome"))
        wait_for("playlist", lambda: self.box.got.get("playlist"))

    def rule(self, id, at):
        self.w.want(201, "POST", "rules", {"id": id, "bulletin": self.bulletin["hash"], "when": "daily", "times": [at], "areas": ["a001"]})

    def say(self, n):
        """Number n, the same content whenever it is said."""
        if n not in self.sealed:
            self.sealed[n] = self.w.box.seal("receipt", self.box.receipt(n, self.bulletin["hash"]))
        self.box.say("receipt", self.sealed[n])

    def marks(self, box=None):
        box = box or self.box
        return {(m["kind"], m["store"]): m["upto"] for m in (box.last("welcome")[1] or {"stored": []})["stored"]}

    def events(self, code):
        return self.w.get(f"events?code={code}")["items"]

    def backup(self):
        source, copy = sqlite3.connect(os.path.join(self.w.state, "controller.db")), sqlite3.connect(self.w.path("backup.db"))
        with copy:
            source.backup(copy)
        copy.close()
        source.close()

    def restore(self):
        self.w.kill()
        for end in ("", "-wal", "-shm"):
            path = os.path.join(self.w.state, "controller.db" + end)
            if os.path.exists(path):
                os.remove(path)
        shutil.copy(self.w.path("backup.db"), os.path.join(self.w.state, "controller.db"))
        self.box.got.pop("welcome", None)
        self.w.start()
        wait_for("online", lambda: self.w.get("status")["link"] == "online")

    def test_a_restored_centre_goes_on_above_the_world_and_asks_for_what_it_lacks(self):
        self.say(1)
        wait_for("mark 1", lambda: self.marks().get(("receipt", self.box.store)) == 1)
        self.backup()
        # The week that the backup does not know: a rule, a configuration, receipts, keys; versions ahead of the clock, as after a clock that was wrong.
        self.rule("noon", "12:00")
        wait_for("noon in the playlist", lambda: any("noon" in i["id"] for i in self.box.last("playlist")[1]["items"]))
        self.w.want(200, "PATCH", "devices/box-1", {"delay_ms": 40})
        wait_for("new config", lambda: self.box.last("config")[1].get("delay_ms") == 40)
        ahead = int(time.time() * 1000) + 7200_000
        self.box.say("state", self.box.state(held=[{"doc": "playlist", "era": 1, "ver": ahead, "hash": "0" * 64}]), retain=True)
        wait_for("above", lambda: self.box.last("playlist")[1]["ver"] > ahead)
        newest = {w: self.box.last(w)[1]["ver"] for w in ("config", "playlist")}
        self.w.want(201, "POST", "keys", self.w.registrar.seal("keys", self.w.keys_payload(ver=int(time.time() * 1000) + 5)), type="application/jose")
        keys = wait_for("keys", lambda: len({p for _, p in self.box.got["keys"]}) == 2 and self.box.last("keys")[1]["ver"])
        for n in (2, 3):
            self.say(n)
        wait_for("mark 3", lambda: self.marks().get(("receipt", self.box.store)) == 3)
        counts = {w: len(self.box.got[w]) for w in ("config", "playlist")}
        self.restore()
        # Everything that is published from now on is above what was there; and it says what the backup says.
        wait_for("the backup's playlist, above", lambda: self.box.last("playlist")[1]["ver"] > newest["playlist"]
                 and not any("noon" in i["id"] for i in self.box.last("playlist")[1]["items"]))
        wait_for("the backup's config, above", lambda: self.box.last("config")[1]["ver"] > newest["config"] and not self.box.last("config")[1].get("delay_ms"))
        wait_for("playlist of that config", lambda: self.box.last("playlist")[1]["config_ver"] == self.box.last("config")[1]["ver"])
        for word, count in counts.items():
            versions = [open_sealed(p)[1]["ver"] for _, p in self.box.got[word][count:]]
            self.assertTrue(all(v > newest[word] for v in versions), (word, versions, newest))
        # The registrar's keys of that week are the broker's to tell: they are signed.
        self.assertEqual(self.w.get("keys")["ver"] if "ver" in self.w.get("keys") else self.w.get("status")["keys"]["ver"], keys)
        self.assertEqual(self.w.get("status")["epoch"], 2)
        # The welcome says less than before: the box sends again, and nothing is there twice.
        wait_for("mark 1 again", lambda: self.marks().get(("receipt", self.box.store)) == 1)
        for n in (1, 2, 3):
            self.say(n)
        wait_for("mark 3 again", lambda: self.marks().get(("receipt", self.box.store)) == 3)
        self.assertEqual(sorted(r["n"] for r in self.w.get("receipts")["items"]), [1, 2, 3])
        self.assertFalse(any(r["twin"] for r in self.w.get("receipts")["items"]))
        self.assertEqual(self.events("record_twin"), [])

    def test_what_the_broker_lost_or_holds_of_others_is_published_again(self):
        mine = self.box.last("playlist")[1]["ver"]
        wait_for("acknowledged", lambda: self.w.get("status")["waiting"] == 0)
        self.w.kill()
        admin = Watcher(self.w, "controller")
        admin.topics = []
        admin.start()
        self.addCleanup(admin.stop, True)
        admin.client.publish("loa/1/dev/box-1/playlist", b"", 1, True).wait_for_publish(60)
        admin.client.publish("loa/1/dev/box-1/config", b"nonsense", 1, True).wait_for_publish(60)
        self.box.got.clear()
        self.w.start()
        wait_for("both again", lambda: [p for _, p in self.box.got.get("playlist", []) if p and open_sealed(p)[1]["ver"] == mine])
        wait_for("config again", lambda: [p for _, p in self.box.got.get("config", []) if p != "nonsense"])

    def test_versions_of_welcomes_only_rise_over_restarts(self):
        first = self.box.last("welcome")[1]["ver"]
        db_ahead = int(time.time() * 1000) + 3600_000
        self.w.kill()
        db = sqlite3.connect(os.path.join(self.w.state, "controller.db"))
        noted = db.execute("SELECT value FROM meta WHERE key = 'welcome_ver'").fetchone()[0]
        self.assertGreater(noted, first)
        with db:  # the clock was ahead by an hour before the restart
            db.execute("UPDATE meta SET value = ? WHERE key = 'welcome_ver'", (db_ahead,))
        db.close()
        self.box.got.pop("welcome")
        self.w.start()
        wait_for("welcome", lambda: self.box.got.get("welcome"))
        self.assertGreater(self.box.last("welcome")[1]["ver"], db_ahead)

    def test_a_liar_is_not_overtaken_beyond_what_can_be(self):
        before = len(self.box.got["playlist"])
        beyond = 9007199254740990
        self.box.say("state", self.box.state(held=[{"doc": "playlist", "era": 1, "ver": beyond, "hash": "0" * 64}]), retain=True)
        wait_for("event", lambda: self.events("version_beyond"))
        self.rule("evening", "18:00")
        wait_for("an honest version", lambda: any("evening" in i["id"] for i in self.box.last("playlist")[1]["items"]))
        self.assertLess(self.box.last("playlist")[1]["ver"], int(time.time() * 1000) + 60_000)
        self.assertEqual(len(self.events("version_beyond")), 1)
        self.assertEqual(len({p for _, p in self.box.got["playlist"][before:]}), 1)

    def test_another_card_is_told_once_and_counts_anew(self):
        self.say(1)
        wait_for("mark 1", lambda: self.marks().get(("receipt", self.box.store)) == 1)
        old = self.box.store
        self.box.stop()
        new = Box(self.w)
        new.store, new.nonce = "new-card", "nonce-of-new-card"
        # Its clock stands in 1970 until the welcome tells it the time.
        body = {**head("controller", ver=86400_000), "iat": 86400, "exp": 86400 * 400}
        seal = lambda on: self.w.box.seal("state", {**body, "ver": body["ver"] + on, "device": "box-1", "on": bool(on), "nonce": new.nonce, "store": new.store,
                                                    "serial": "SN-1", "software": "test", **({"grade": "unknown", "boot": "b", "held": [], "outbox": []} if on else {})})
        new.state = lambda on=True, **_: seal(1 if on else 0)
        new.start()
        self.addCleanup(new.stop, True)
        wait_for("welcome of the new card", lambda: new.got.get("welcome") and new.last("welcome")[1]["nonce"] == new.nonce)
        new.say("receipt", self.w.box.seal("receipt", {**new.receipt(1, self.bulletin["hash"]), "occurrence": "rule-1.1782900000"}))
        wait_for("its mark", lambda: self.marks(new).get(("receipt", "new-card")) == 1)
        self.assertEqual(self.marks(new)[("receipt", old)], 1)
        new.say("receipt", self.w.box.seal("receipt", {**new.receipt(2, self.bulletin["hash"]), "occurrence": "rule-1.1782900060"}))
        wait_for("all three", lambda: len(self.w.get("receipts")["items"]) == 3)
        self.assertEqual([(e["about"], e["store"]) for e in self.events("store_changed")], [(f"{old} new-card", "controller")])
        self.assertEqual(self.events("identity_twice") + self.events("record_twin"), [])
        self.assertFalse(any(r["twin"] for r in self.w.get("receipts")["items"]))

    def test_two_boxes_with_one_identity_are_told_and_both_are_heard(self):
        twin = Box(self.w)
        twin.client._client_id = b"box-1-twin"
        twin.store, twin.nonce = "twin-card", "nonce-of-the-twin"
        twin.start()
        self.addCleanup(twin.stop, True)
        wait_for("the twin is welcomed", lambda: twin.got.get("welcome") and twin.last("welcome")[1]["nonce"] == twin.nonce)
        self.box.say("state", self.box.state(), retain=True)
        told = wait_for("event", lambda: self.events("identity_twice"))
        self.assertEqual(set(told[0]["about"].split()), {self.box.store, "twin-card"})
        for n in (1, 2):
            self.say(n)
            twin.say("receipt", self.w.box.seal("receipt", {**twin.receipt(n, self.bulletin["hash"]), "reason": "late"}))
        wait_for("all four", lambda: len(self.w.get("receipts")["items"]) == 4)

        def welcomed(box):
            mine = [open_sealed(p)[1] for _, p in box.got["welcome"]]
            return any(w["nonce"] == box.nonce and ("receipt", box.store, 2) in [(m["kind"], m["store"], m["upto"]) for m in w["stored"]] for w in mine)
        wait_for("each hears that its own are stored", lambda: welcomed(self.box) and welcomed(twin))
        self.assertEqual(len(self.events("identity_twice")), 1)
        self.assertEqual(len(self.events("store_changed")), 1)
        self.assertEqual(self.events("record_twin"), [])

    def test_two_boxes_with_one_card_are_told_and_both_contents_are_kept(self):
        twin = Box(self.w)
        twin.client._client_id = b"box-1-twin"
        twin.store, twin.nonce = self.box.store, "nonce-of-the-twin"
        twin.start()
        self.addCleanup(twin.stop, True)
        wait_for("the twin is welcomed", lambda: twin.got.get("welcome") and twin.last("welcome")[1]["nonce"] == twin.nonce)
        self.box.say("state", self.box.state(), retain=True)
        told = wait_for("event", lambda: self.events("identity_twice"))
        self.assertEqual(told[0]["about"], f"{self.box.store} {self.box.store}")
        self.say(1)
        its = [self.w.box.seal("receipt", {**twin.receipt(1, self.bulletin["hash"]), "reason": "late"})]
        twin.say("receipt", its[0])
        wait_for("both", lambda: sorted(r["twin"] for r in self.w.get("receipts")["items"]) == [False, True])
        self.assertIn(self.box.store, wait_for("event", lambda: self.events("record_twin"))[0]["detail"])
        # What one of them gave is no mark for the other: each reads there which of its own rows are stored.
        mine = self.w.box.seal("receipt", {**self.box.receipt(2, self.bulletin["hash"]), "prev": sha(self.sealed[1].encode())})
        self.box.say("receipt", mine)
        its.append(self.w.box.seal("receipt", {**twin.receipt(2, self.bulletin["hash"]), "prev": sha(its[0].encode())}))
        its.append(self.w.box.seal("receipt", {**twin.receipt(3, self.bulletin["hash"]), "prev": sha(its[1].encode())}))

        def marks(box):
            return {(m["upto"], m.get("hash")) for m in box.last("welcome")[1]["stored"] if m["kind"] == "receipt"}
        wait_for("its second is missing", lambda: marks(twin) == {(2, sha(mine.encode())), (1, sha(its[0].encode()))})
        twin.say("receipt", its[2])
        twin.say("receipt", its[1])
        wait_for("both chains", lambda: marks(twin) == marks(self.box) == {(2, sha(mine.encode())), (3, sha(its[2].encode()))})

    def test_a_flood_costs_others_nothing_and_is_told_once(self):
        wait_for("online", lambda: self.w.get("devices/box-1")["online"])
        junk = self.w.box.seal("health", {**head("controller", ver=1), "device": "box-1", "at_ms": 1, "parts": [], "values": []})

        def flood(messages):
            for _ in range(messages):
                self.box.client.publish("loa/1/dev/box-1/health", junk, 0)

        def status():
            began = time.monotonic()
            found = self.w.get("status")
            self.assertLess(time.monotonic() - began, 60)
            return found
        flood(6000)
        self.assertEqual(status()["link"], "online")
        wait_for("event", lambda: self.events("flooded") or flood(500))  # the broker may throw away some, and a slow one is none
        self.say(1)
        status()
        self.assertEqual(len(self.events("flooded")), 1)
        # It is asked for again once it is calm; what was dropped then arrives.
        welcomes = len(self.box.got["welcome"])
        wait_for("a welcome", lambda: len(self.box.got["welcome"]) > welcomes)
        self.say(1)
        wait_for("the receipt", lambda: self.w.get("receipts")["items"])

    def test_send_again_asks_the_store_of_the_session(self):
        made = self.w.want(202, "POST", "devices/box-1/commands", {"command": "send_again", "kind": "receipt", "from": 7})
        self.assertEqual((made["kind"], made["store"], made["from"]), ("receipt", self.box.store, 7))
        wait_for("command", lambda: self.box.got.get("cmd"))
        command = self.box.last("cmd")[1]
        self.assertEqual({k: command[k] for k in ("command", "kind", "store", "from", "nonce")},
                         {"command": "send_again", "kind": "receipt", "store": self.box.store, "from": 7, "nonce": self.box.nonce})
        self.box.say("reply", self.w.box.seal("reply", {**head("controller"), "device": "box-1", "nonce": self.box.nonce, "id": made["id"], "ok": True, "detail": "7..9"}))
        wait_for("answered", lambda: [c for c in self.w.get("devices/box-1/commands")["items"] if c["status"] == "answered"])
        for body, status in (({"command": "send_again", "kind": "receipt"}, 422), ({"command": "send_again", "from": 1}, 422),
                             ({"command": "send_again", "kind": "alarm", "from": 1}, 422), ({"command": "send_again", "kind": "event", "from": 0}, 422),
                             ({"command": "restart", "from": 1}, 422)):
            self.assertEqual(self.w.call("POST", "devices/box-1/commands", body).status, status, body)

    def test_a_state_that_was_lost_is_looked_for(self):
        self.w.kill()
        db = sqlite3.connect(os.path.join(self.w.state, "controller.db"))
        with db:  # as if it had never come
            db.execute("DELETE FROM states")
            db.execute("DELETE FROM vaults")
        db.close()
        self.box.got.pop("welcome")
        self.w.start()
        wait_for("welcome", lambda: self.box.got.get("welcome"))
        wait_for("online", lambda: self.w.get("devices/box-1")["online"])


if __name__ == "__main__":
    unittest.main()
