"""A box over a real broker: documents reach it, its state, records, replies and health are believed only when it sealed them,
welcomes answer it, commands expire, and each record is stored once."""
import json
import ssl
import time
import unittest
import zlib
import base64

import paho.mqtt.client as mqtt

from kit import Key, World, head, sha, wait_for


def open_sealed(text):
    first, payload, _ = text.split(".")

    def plain(part):
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    header, payload = json.loads(plain(first)), plain(payload)
    return header, json.loads(zlib.decompress(payload, -15) if header.get("zip") == "DEF" else payload)


class Box:
    """What an agent's link would do, by paho."""

    def __init__(self, world, name="box-1"):
        self.w, self.name, self.store = world, name, "store-" + sha(str(time.time()).encode())[:8]
        self.got = {}
        self.client = mqtt.Client(client_id=name + "-test")
        self.client.tls_set(world.certs.path("ca.pem"), world.certs.path(name + ".crt"), world.certs.path(name + ".key"),
                            tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message
        self.subscribed = 0
        self.client.on_subscribe = lambda *_: setattr(self, "subscribed", self.subscribed + 1)
        self.nonce = "nonce-" + sha(str(time.time()).encode())[:16]
        self.topics = ["loa/1/trust", "loa/1/keys"] + [f"loa/1/dev/{name}/{t}" for t in ("config", "playlist", "welcome", "cmd")]

    def on_connect(self, *_):
        for topic in self.topics:
            self.client.subscribe(topic, 1)

    def on_message(self, _client, _data, message):
        self.got.setdefault(message.topic.rsplit("/", 1)[1], []).append((message.retain, message.payload.decode()))

    def state(self, on=True, held=(), key=None, ver=None):
        body = {**head("controller", ver=ver), "device": self.name, "on": on, "nonce": self.nonce, "store": self.store, "serial": "SN-1",
                "software": "test"}
        if on:
            body |= {"grade": "synced", "boot": "boot-1", "held": list(held), "outbox": []}
        return (key or self.w.box).seal("state", body)

    def start(self):
        will = self.state(on=False)
        self.client.will_set(f"loa/1/dev/{self.name}/state", will, 1, True)
        self.client.connect("127.0.0.1", self.w.broker_port)
        self.client.loop_start()
        wait_for("box subscribed", lambda: self.subscribed == len(self.topics))
        time.sleep(0.002)  # a later version than the will's
        self.say("state", self.state(), retain=True)
        return self

    def say(self, word, sealed, retain=False):
        self.client.publish(f"loa/1/dev/{self.name}/{word}", sealed, 1, retain).wait_for_publish(60)

    def receipt(self, n, bulletin, **more):
        now = int(time.time() * 1000)
        return {**head("controller"), "device": self.name, "store": self.store, "n": n, "occurrence": f"rule-1.{1782856800 + n}", "bulletin": bulletin,
                "class": "normal", "planned_ms": now - 5000, "started_ms": now - 5000, "ended_ms": now, "reason": "on_time", "grade": "synced",
                "evidence": {"sound": {"frames_expected": 48000, "frames": 48000, "xruns": 0, "start_error_us": 100}}, **more}

    def marked(self, kind, upto):
        """The last welcome says that all of its rows up to this one are stored."""
        _, welcome = self.last("welcome")
        return bool(welcome) and any((m["kind"], m["store"], m["upto"]) == (kind, self.store, upto) for m in welcome["stored"])

    def last(self, word):
        return open_sealed(self.got[word][-1][1]) if self.got.get(word) else (None, None)

    def stop(self, cleanly=False):
        if not cleanly:  # the broker sees a broken connection and publishes the will
            self.client._sock_close()
        self.client.loop_stop()
        if cleanly:
            self.client.disconnect()


class Fleet(unittest.TestCase):
    def setUp(self):
        self.w = World(network=True).__enter__()
        self.addCleanup(self.w.__exit__, None, None, None)
        self.w.add_places()
        self.w.seal_trust()
        self.bulletin = self.w.add_bulletin()
        self.w.want(201, "POST", "approvals", self.w.approve(self.bulletin["hash"]), type="application/jose")
        self.w.want(201, "POST", "rules", {"id": "rule-1", "bulletin": self.bulletin["hash"], "when": "daily", "times": ["05:00"],
                                           "areas": ["a001"]})
        self.box = Box(self.w).start()
        self.addCleanup(self.box.stop, True)
        wait_for("welcome", lambda: self.box.got.get("welcome"))

    def device(self):
        return self.w.get("devices/box-1")

    def test_documents_reach_the_box_and_the_welcome_quotes_its_session(self):
        wait_for("all documents", lambda: all(self.box.got.get(w) for w in ("trust", "keys", "config", "playlist", "welcome")))
        header, config = self.box.last("config")
        self.assertEqual((header["kid"], header["alg"]), (self.w.scheduler.kid, "EdDSA"))
        self.assertEqual((config["aud"], config["areas"], config["languages"], config["kind"]),
                         ("dev/box-1", ["a001", "a000"], ["vi", "zh"], "cluster"))
        self.assertGreater(config["exp"] - config["iat"], 30 * 86400)
        _, playlist = self.box.last("playlist")
        self.assertEqual(playlist["config_ver"], config["ver"])
        self.assertEqual(playlist["bulletins"][0]["hash"], self.bulletin["hash"])
        self.assertEqual(len(playlist["bulletins"][0]["approvals"]), 1)
        self.assertGreaterEqual(len(playlist["items"]), 29)
        _, welcome = self.box.last("welcome")
        self.assertEqual((welcome["nonce"], welcome["spread_s"], welcome["epoch"]), (self.box.nonce, 1, 1))
        self.assertLess(abs(welcome["time_ms"] - time.time() * 1000), 60000)
        wait_for("online", lambda: self.device()["online"])

    def test_only_differences_are_published(self):
        wait_for("playlist", lambda: self.box.got.get("playlist"))
        before = self.device()
        self.w.want(200, "PATCH", "devices/box-1", {"name": "Tên khác"})
        self.w.want(201, "POST", "rules", {"id": "elsewhere", "bulletin": self.bulletin["hash"], "when": "daily", "times": ["06:00"], "areas": ["a002"]})
        self.w.want(200, "PATCH", "devices/box-1", {"delay_ms": 30})
        wait_for("new config", lambda: self.box.last("config")[1].get("delay_ms") == 30)
        wait_for("playlist of the new config", lambda: self.box.last("playlist")[1]["config_ver"] == self.box.last("config")[1]["ver"])
        self.assertEqual(len({p for _, p in self.box.got["config"]}), 2)
        self.assertGreater(self.box.last("config")[1]["ver"], [d["ver"] for d in before["wanted"] if d["doc"] == "config"][0])

    def test_receipts_are_stored_once_and_marked_in_welcomes(self):
        first = self.w.box.seal("receipt", self.box.receipt(1, self.bulletin["hash"]))
        self.box.say("receipt", first)
        self.box.say("receipt", self.w.box.seal("receipt", self.box.receipt(3, self.bulletin["hash"], reason="fault", started_ms=0, ended_ms=0)))
        self.box.say("receipt", first)
        wait_for("mark 1: number 2 is missing", lambda: self.box.marked("receipt", 1))
        self.box.say("receipt", self.w.box.seal("receipt", self.box.receipt(2, self.bulletin["hash"])))
        wait_for("mark 3", lambda: self.box.marked("receipt", 3))
        items = self.w.get("receipts?device=box-1")["items"]
        self.assertEqual([i["n"] for i in items], [1, 3, 2])
        self.assertEqual((items[0]["title"], items[0]["rule"], items[0]["reason"]), ("Lịch tiêm chủng", "rule-1", "on_time"))
        self.assertEqual(items[0]["evidence"]["sound"]["frames"], 48000)
        self.assertEqual((items[1]["started"], items[1]["reason"]), (None, "fault"))
        # The controller is killed and comes back: nothing twice, nothing lost.
        self.w.kill()
        self.w.start()
        self.box.say("receipt", first)
        wait_for("welcome of the new run", lambda: self.box.marked("receipt", 3) and self.w.get("status")["link"] == "online")
        self.assertEqual(len(self.w.get("receipts")["items"]), 3)
        # The same number with other content: both are kept, and an event says so.
        self.box.say("receipt", self.w.box.seal("receipt", self.box.receipt(1, self.bulletin["hash"], reason="late")))
        wait_for("event", lambda: [e for e in self.w.get("events?device=box-1")["items"] if e["code"] == "record_twin"])
        self.assertEqual([i["twin"] for i in self.w.get("receipts")["items"]], [False, False, False, True])

    def test_the_store_of_the_session_is_marked_however_many_others_there_are(self):
        for n in range(70):
            self.box.say("receipt", self.w.box.seal("receipt", self.box.receipt(1, self.bulletin["hash"], store=f"another-{n:02}")))
        self.box.say("receipt", self.w.box.seal("receipt", self.box.receipt(1, self.bulletin["hash"])))
        wait_for("the mark of this session's store", lambda: self.box.marked("receipt", 1))
        self.assertEqual(len(self.box.last("welcome")[1]["stored"]), 64)

    def test_twins_are_kept_and_told_once_in_a_while(self):
        for reason in ("on_time", "late", "fault", "not_approved"):
            self.box.say("receipt", self.w.box.seal("receipt", self.box.receipt(1, self.bulletin["hash"], reason=reason)))
        wait_for("all are kept", lambda: len(self.w.get("receipts")["items"]) == 4)
        self.assertEqual([e["about"] for e in self.w.get("events?code=record_twin")["items"]], ["receipt 1"])

    def test_words_that_the_box_did_not_seal_are_refused(self):
        wait_for("welcome", lambda: self.box.got.get("welcome"))
        good = self.box.receipt(1, self.bulletin["hash"])
        thief = Key()
        flipped = self.w.box.seal("receipt", good)
        bad = [thief.seal("receipt", good), flipped[:-10] + ("A" if flipped[-10] != "A" else "B") + flipped[-9:],
               self.w.box.seal("receipt", {**good, "aud": "dev/box-1"}), self.w.box.seal("receipt", {**good, "device": "box-2"}),
               self.w.box.seal("event", good), self.w.scheduler.seal("receipt", good), "nonsense", "a.b.c",
               self.w.box.seal("receipt", good, alg="none"), self.w.box.seal("receipt", {**good, "n": 0})]
        for sealed in bad:
            self.box.say("receipt", sealed)
        self.box.say("receipt", self.w.box.seal("receipt", {**good, "n": 7}))
        wait_for("the good one", lambda: self.w.get("receipts")["items"])
        self.assertEqual([i["n"] for i in self.w.get("receipts")["items"]], [7])
        events = self.w.get("events?code=document_refused")["items"]
        self.assertEqual([(e["device"], e["store"], e["about"]) for e in events], [("box-1", "controller", "receipt")])

    def test_contact_follows_the_session_by_nonce(self):
        wait_for("online", lambda: self.device()["contact"] == "connected")
        old_will = Box(self.w)
        self.box.say("state", old_will.state(on=False), retain=True)
        self.box.say("health", self.w.box.seal("health", {**head("controller"), "device": "box-1", "at_ms": int(time.time() * 1000),
                                                          "parts": [{"name": "amplifier", "state": "fault", "detail": "nóng"}], "values": []}))
        wait_for("health", lambda: (self.device()["health"] or {}).get("parts"))
        self.assertEqual(self.device()["contact"], "connected")
        self.box.stop()
        wait_for("lost", lambda: self.device()["contact"] == "lost_playing")
        self.assertIsNotNone(self.device()["off_since"])

    def test_a_box_that_could_not_write_is_welcomed_and_nothing_is_stored(self):
        wait_for("online", lambda: self.device()["online"])
        before = self.device()
        self.box.nonce = "nonce-of-the-next-life"
        self.box.say("state", self.box.state(ver=1000))  # 1970: below all that it said before
        wait_for("a welcome for it", lambda: any(open_sealed(p)[1]["nonce"] == self.box.nonce for _, p in self.box.got["welcome"]))
        self.assertEqual((self.device()["last_seen"], self.device()["boot"]), (before["last_seen"], before["boot"]))
        self.box.say("state", self.box.state(), retain=True)  # it has the time now
        wait_for("its session", lambda: self.device()["last_seen"] != before["last_seen"])
        self.assertTrue(self.device()["online"])

    def test_a_command_is_sent_again_until_answered(self):
        wait_for("online", lambda: self.device()["online"])
        made = self.w.want(202, "POST", "devices/box-1/commands", {"command": "restart"})
        wait_for("sent twice", lambda: len(self.box.got.get("cmd", [])) >= 2)
        header, command = self.box.last("cmd")
        self.assertEqual((command["id"], command["nonce"], command["command"]), (made["id"], self.box.nonce, "restart"))
        self.assertLessEqual(command["exp"] - time.time(), 31)
        self.assertFalse(any(retained for retained, _ in self.box.got["cmd"]))
        self.box.say("reply", self.w.box.seal("reply", {**head("controller"), "device": "box-1", "nonce": self.box.nonce, "id": made["id"], "ok": True,
                                                        "detail": "restarting"}))
        answered = wait_for("answered", lambda: [c for c in self.w.get("devices/box-1/commands")["items"] if c["status"] == "answered"])
        self.assertEqual((answered[0]["ok"], answered[0]["detail"]), (True, "restarting"))

    def test_what_a_device_holds_above_ours_is_overtaken(self):
        wait_for("playlist", lambda: self.box.got.get("playlist"))
        ahead = int(time.time() * 1000) + 3600_000
        time.sleep(0.002)
        self.box.say("state", self.box.state(held=[{"doc": "playlist", "era": 1, "ver": ahead, "hash": "0" * 64}]), retain=True)
        wait_for("a playlist above it", lambda: self.box.last("playlist")[1]["ver"] == ahead + 1)

    def test_a_replaced_box_is_not_believed_any_more(self):
        wait_for("online", lambda: self.device()["online"])
        new = Key()
        self.w.want(200, "PUT", "devices/box-1/box", {"serial": "SN-2", "x": new.x})
        self.assertFalse(self.device()["online"])
        self.box.say("receipt", self.w.box.seal("receipt", self.box.receipt(1, self.bulletin["hash"])))
        self.box.say("receipt", new.seal("receipt", self.box.receipt(2, self.bulletin["hash"])))
        wait_for("the new box's", lambda: self.w.get("receipts")["items"])
        self.assertEqual([i["n"] for i in self.w.get("receipts")["items"]], [2])


if __name__ == "__main__":
    unittest.main()
