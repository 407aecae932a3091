"""A whole agent on a virtual card and simulated hardware: what it plays, refuses, proves and keeps."""

import os
import shutil
import tempfile
import time
import unittest

from bench import DEVICE, Bench, Keeper, sound, wait_until


class AgentTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loa-agent-")
        self.keeper = Keeper()
        self.bench = Bench(self.keeper, self.folder).start()
        self.centre = self.bench.centre

    def tearDown(self):
        self.bench.close()
        self.keeper.stop_all()
        if os.environ.get("LOA_KEEP"):
            print(self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def approved(self, contents, **more):
        bulletin = self.centre.bulletin(contents, **more)
        return bulletin, [self.centre.approval(bulletin)]

    def test_heard_shown_and_proven(self):
        samples, media = self.bench.media(3, seed=1)
        text = "Tiêm chủng: 7 giờ sáng thứ Bảy"
        bulletin = self.approved([{"lang": "vi", "text": text, "audio": media}])
        self.centre.begin()
        at = self.bench.soon(6)
        self.centre.publish("playlist", self.centre.playlist([bulletin], [self.bench.item("r1", 0, at, 3, show_ms=6000)]))
        wait_until(lambda: text in str(self.bench.panel("sign")), at - time.time() + 10, "the text on the sign")
        receipt = self.bench.wait_receipt(f"r1.{at}")
        self.assertEqual(receipt["reason"], "on_time", receipt)
        evidence = receipt["evidence"]
        self.assertEqual(evidence["sound"]["frames"], evidence["sound"]["frames_expected"])
        self.assertTrue(evidence["amplifier"]["seen"], receipt)
        self.assertTrue(evidence["amplifier"]["power"], receipt)
        self.assertTrue(evidence["amplifier"]["commanded"], receipt)
        self.assertTrue(evidence["sign"]["read_back"], receipt)
        self.assertEqual(evidence["sign"]["text"], text)
        self.bench.wait_recorded(at + 4)
        match, lag_s = self.bench.heard(samples, at)
        self.assertGreater(match, 0.9)
        self.assertLess(abs(lag_s), 0.02)

    def play_one(self, lead=6, rule="r1", seconds=2, seed=1, text=None, **item):
        """One approved item in a playlist of its own; (samples, start)."""
        samples, media = self.bench.media(seconds, seed)
        content = {"lang": "vi", "audio": media, **({"text": text} if text else {})}
        bulletin = self.approved([content], id=f"b{seed}")
        at = self.bench.soon(lead)
        self.centre.publish("playlist",
                            self.centre.playlist([bulletin], [self.bench.item(rule, 0, at, seconds, **item)]))
        return samples, at, media["hash"]

    def until(self, at):
        wait_until(lambda: time.time() >= at, at - time.time() + 5, "time")

    def silent(self, from_s, to_s):
        self.bench.wait_recorded(to_s)
        return sound.Recording(self.bench.recording).silent(from_s, to_s)

    def test_outage_and_power_cut(self):
        """Link cut during the first item, agent killed during the second and before the third: each receipt once."""
        self.centre.begin()
        bulletins, items = [], []
        first, gap = self.bench.soon(7), int(6 * self.bench.pace)
        sounds = []
        for i in range(3):
            samples, media = self.bench.media(3, seed=10 + i)
            sounds.append(samples)
            bulletins.append(self.approved([{"lang": "vi", "audio": media}], id=f"b{i}"))
            items.append(self.bench.item(f"r{i}", i, first + gap * i, 3))
        self.centre.publish("playlist", self.centre.playlist(bulletins, items))
        self.bench.wait_all_fetched()
        self.until(first + 1)
        self.centre.cut()
        self.bench.wait_begun(items[1]["id"], gap + 20)
        self.until(first + gap + 1)
        self.bench.agent.kill()
        self.bench.agent.start()
        wait_until(lambda: self.bench.made() == 3, 2 * gap + 20, "the third receipt is in the vault")
        self.bench.agent.kill()
        self.bench.agent.start()
        self.centre.open()
        reasons = [self.bench.wait_receipt(item["id"])["reason"] for item in items]
        self.assertEqual(reasons, ["on_time", "restarted", "on_time"])
        self.bench.wait_recorded(first + 2 * gap + 5)
        for i in (0, 2):
            match, lag_s = self.bench.heard(sounds[i], first + gap * i)
            self.assertGreater(match, 0.9)
            self.assertLess(abs(lag_s), 0.02)

    def test_damaged_media(self):
        """Altered on disk: never played; no_media when it does not come again in time, played when it does."""
        self.centre.begin()
        _, at, name = self.play_one(lead=7, late_ms=3000)
        path = self.bench.path("vault", "blobs", name[:2], name)
        wait_until(lambda: os.path.exists(path), 6, "media")
        self.centre.withheld.add(name)
        with open(path, "r+b") as file:
            file.seek(2000)
            file.write(b"\x55" * 64)
        receipt = self.bench.wait_receipt(f"r1.{at}")
        self.assertEqual((receipt["reason"], receipt.get("started_ms", 0)), ("no_media", 0))
        self.bench.wait_event("blob_damaged")
        self.assertTrue(self.silent(at - 1, at + 3))
        self.centre.withheld.clear()
        samples, at, name = self.play_one(lead=7, rule="r2", seed=2)
        path = self.bench.path("vault", "blobs", name[:2], name)
        wait_until(lambda: os.path.exists(path), 6, "media")
        with open(path, "r+b") as file:
            file.truncate(3000)
        self.assertEqual(self.bench.wait_receipt(f"r2.{at}", 30)["reason"], "on_time")
        self.bench.wait_recorded(at + 4)
        self.assertGreater(self.bench.heard(samples, at)[0], 0.9)

    def test_wire_pulled(self):
        """Nothing at the loudspeaker: the receipt must not say seen."""
        self.centre.begin()
        self.bench.panel("amp", {"set": {"wire": False}})
        _, at, _ = self.play_one()
        receipt = self.bench.wait_receipt(f"r1.{at}")
        self.assertEqual(receipt["reason"], "on_time")
        self.assertFalse(receipt["evidence"]["amplifier"]["seen"], receipt)
        self.assertEqual(receipt["evidence"]["sound"]["frames"], receipt["evidence"]["sound"]["frames_expected"])

    def test_restart_in_order(self):
        """The command is answered, sound fades, amplifier is muted, exit code 0; repeated and old ones are refused."""
        self.centre.begin()
        _, at, _ = self.play_one(seconds=6)
        self.bench.wait_begun(f"r1.{at}")
        self.until(at + 2)
        command = {**self.centre.head(f"dev/{DEVICE}", days=0.001), "nonce": self.centre.nonce, "id": "c1",
                   "command": "restart"}
        sealed = self.centre.publish("cmd", command, retain=False)
        wait_until(lambda: self.centre.seen("reply", id="c1", ok=True), 5, "reply")
        wait_until(lambda: self.bench.agent.code() is not None, 8, "end")
        self.assertEqual(self.bench.agent.code(), 0)
        panel = self.bench.panel("amp")
        self.assertTrue(panel["mute"], panel)
        self.assertFalse(panel["power"], panel)
        self.bench.agent.start()
        receipt = self.bench.wait_receipt(f"r1.{at}")
        self.assertEqual(receipt["reason"], "restarted")
        self.assertGreater(receipt["evidence"]["sound"]["frames"], 40000)
        self.centre.publish("cmd", sealed, retain=False)
        event = self.bench.wait_event("document_refused", about="cmd")
        self.assertIn("nonce", event["detail"])
        self.assertTrue(self.bench.agent.alive())

    def test_documents_refused(self):
        """Each change alone keeps the document out of force, and the reason reaches the centre."""
        self.centre.begin()
        samples, at, _ = self.play_one()
        wait_until(lambda: self.centre.seen("state", on=True), 5, "state")
        good = self.centre.playlist([], [])
        seal = self.centre.seal
        flipped = seal("playlist", {**good, "ver": good["ver"] + 1})
        head, payload, signature = flipped.split(".")
        flipped = f"{head}.{payload[:-2]}{'A' if payload[-2] != 'A' else 'B'}{payload[-1]}.{signature}"
        stranger = type(self.centre.root)()
        cases = {
            "audience": seal("playlist", {**good, "aud": "dev/other"}),
            "older": seal("playlist", {**good, "ver": 7}),
            "expired": seal("playlist", {**good, "ver": good["ver"] + 2, "exp": int(time.time()) - 10,
                                         "iat": int(time.time()) - 100}),
            "signature": flipped,
            "unknown_key": seal("playlist", {**good, "ver": good["ver"] + 3}, key=stranger),
            "alg": seal("playlist", good, alg="none"),
            "too_large": seal("playlist", b" " * 3000000, deflate=True),
            "type": seal("config", good),
            "era": seal("playlist", {**good, "era": 2}),
        }
        for reason, sealed in cases.items():
            self.centre.publish("playlist", sealed, retain=False)
        for reason in cases:
            wait_until(lambda r=reason: [e for e in self.centre.seen("event", code="document_refused")
                                         if e["detail"].startswith(r + ":")], 5, f"refusal {reason}")
        self.assertEqual(self.bench.wait_receipt(f"r1.{at}")["reason"], "on_time")

    def test_approvals_refused(self):
        """Items whose approvals do not hold are not heard, and the receipt says which condition failed."""
        c = self.centre
        c.publish("trust", c.trust(quorums=[{"class": "priority", "areas": [], "persons": 2}]))
        c.publish("keys", c.keys(hung="compromised"))
        c.publish("config", c.config())
        _, media = self.bench.media(1, seed=5)
        stranger = type(c.root)()
        at = self.bench.soon(6)
        kinds = {
            "unapproved": lambda b: [],
            "out_of_scope": lambda b: [c.approval(b, areas=["a999"])],
            "out_of_class": lambda b: [c.approval(b, **{"class": "filler"})],
            "unknown_key": lambda b: [c.approval(b, key=stranger)],
            "compromised_key": lambda b: [c.approval(b, "hung")],
            "out_of_time": lambda b: [c.approval(b, until_ms=int(time.time() * 1000))],
            "quorum": lambda b: [c.approval(b), c.approval(b, from_ms=1)],
        }
        bulletins, items = [], []
        for i, (kind, approve) in enumerate(kinds.items()):
            b = c.bulletin([{"lang": "vi", "audio": media, "text": "không được phép"}], id=f"b{i}")
            bulletins.append((b, approve(b)))
            more = {"class": "priority"} if kind == "quorum" else {}
            items.append(self.bench.item(f"r{i}", i, at + i, 1, **more))
        c.publish("playlist", c.playlist(bulletins, items))
        for kind, item in zip(kinds, items):
            receipt = self.bench.wait_receipt(item["id"])
            self.assertEqual(receipt["reason"], "not_approved", (kind, receipt))
            self.assertIn(kind, receipt["detail"], receipt)
        self.assertTrue(self.silent(at - 1, at + 8))
        with open(self.bench.path("sign.journal")) as journal:
            self.assertNotIn("1000", journal.read())

    def test_compromised_while_in_force(self):
        """The key of the only approver is reported stolen while the playlist is in force: the item is not heard."""
        self.centre.begin()
        _, at, name = self.play_one()
        wait_until(lambda: os.path.exists(self.bench.path("vault", "blobs", name[:2], name)), 6, "media")
        self.centre.publish("keys", self.centre.keys(lan="compromised"))
        receipt = self.bench.wait_receipt(f"r1.{at}")
        self.assertEqual(receipt["reason"], "not_approved")
        self.assertIn("compromised", receipt["detail"])
        self.assertTrue(self.silent(at - 2, at + 2))

    def test_waits_for_config_and_welcome(self):
        """A playlist waits for its configuration; without any welcome nothing from the network plays."""
        self.bench.agent.kill()  # it may have been welcomed already
        shutil.rmtree(self.bench.path("vault"))
        self.centre.store, before = False, len(self.centre.attached)
        self.bench.agent.start()
        wait_until(lambda: len(self.centre.attached) > before, 20, "the agent comes again")
        self.centre.begin()
        _, at, _ = self.play_one(lead=5, late_ms=60000)
        self.until(at + 2)
        self.assertTrue(self.silent(at - 1, at + 2))
        self.centre.store = True
        config = self.centre.config()
        playlist = self.centre.playlist([], [], config_ver=config["ver"] + 5)
        self.centre.publish("playlist", playlist)
        self.centre.welcome()
        self.centre.publish("config", {**config, "ver": config["ver"] + 5, "languages": ["en"]})
        held = lambda: [s for s in self.centre.seen("state", on=True)  # noqa: E731
                        if {"playlist": playlist["ver"], "config": config["ver"] + 5}.items()
                        <= {h["doc"]: h["ver"] for h in s.get("held", [])}.items()]
        wait_until(held, 10, "playlist after its configuration")

    def test_priority_cuts_and_the_cut_item_resumes(self):
        """Both are heard; the one that was cut goes on where it was, and its receipt counts both parts."""
        c = self.centre
        c.begin()
        long, long_media = self.bench.media(8, seed=21)
        short, short_media = self.bench.media(2, seed=22)
        bulletins = [self.approved([{"lang": "vi", "audio": m}], id=f"b{i}")
                     for i, m in enumerate((long_media, short_media))]
        at = self.bench.soon(6)
        c.publish("playlist", c.playlist(bulletins, [
            self.bench.item("r1", 0, at, 8, policy="resume"),
            self.bench.item("r2", 1, at + 3, 2, **{"class": "priority"})]))
        cut = self.bench.wait_receipt(f"r1.{at}", 40)
        urgent = self.bench.wait_receipt(f"r2.{at + 3}")
        self.assertEqual(urgent["reason"], "on_time", urgent)
        self.assertIn(cut["reason"], ("on_time", "late"), cut)
        self.assertGreater(cut["evidence"]["sound"]["frames"], 48000 * 7.8)
        self.assertTrue(cut["evidence"]["amplifier"]["seen"])
        self.bench.wait_recorded(at + 12)
        self.assertGreater(self.bench.heard(short, at + 3)[0], 0.9)
        self.assertGreater(self.bench.heard(long[:48000 * 2], at)[0], 0.9)

    def test_disk_before_network(self):
        """An agent that starts without any link plays what its vault holds, on time, by the time it held."""
        self.centre.begin()
        samples, at, _ = self.play_one(lead=9)
        self.bench.wait_all_fetched()
        wait_until(lambda: any("playlist" in [h["doc"] for h in s.get("held", [])] for s in self.centre.seen("state", on=True)), 5,
                   "the playlist in force")
        self.centre.cut()
        self.bench.agent.kill()
        self.bench.agent.start()
        self.bench.wait_recorded(at + 3)
        match, lag_s = self.bench.heard(samples, at)
        self.assertGreater(match, 0.9)
        self.assertLess(abs(lag_s), 0.02)
        self.centre.open()
        receipt = self.bench.wait_receipt(f"r1.{at}")
        self.assertEqual((receipt["reason"], receipt["grade"]), ("on_time", "held"))

    def test_zone_not_wired(self):
        """An item for zones that this box does not have is a fault with a sentence, not silence with a green tick."""
        self.centre.begin()
        _, at, _ = self.play_one(zones=["noi-khac"])
        receipt = self.bench.wait_receipt(f"r1.{at}")
        self.assertEqual(receipt["reason"], "fault")
        self.assertIn("zones", receipt["detail"])
        self.assertTrue(self.silent(at - 1, at + 2))


if __name__ == "__main__":
    unittest.main()
