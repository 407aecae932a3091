"""Nothing unsigned is heard or seen. Each case first plays unaltered; then, with one change, not one frame other than zero
comes out and not one register is written, and the reason reaches the controller."""

import signal
import time
import unittest

from world import WorldTest, seals, site, wait_until

DEVICE = "ls-ck-01"
LENGTH_S, LATE_S = 0.6, 10


def flip_one_bit(compact):
    """One bit in the middle of the payload."""
    head, body, signature = compact.split(".")
    data = bytearray(seals.unb64(body))
    data[len(data) // 2] ^= 1
    return ".".join((head, seals.b64(bytes(data)), signature))


class Refusals(WorldTest):
    @classmethod
    def plans(cls):
        return [site(DEVICE, "cluster", {"tang-am": "amplifier", "bang": "sign"}, area="a058")]

    def setUp(self):
        world = self.world
        if world.controller.alive():
            world.wait_controller()
        world.site(DEVICE).wait_online()

    def sample(self, **options):
        return self.world.bulletin({"vi": "Được duyệt"}, seconds=LENGTH_S, **options)

    def idle(self):
        """The last item is over and its outputs are at rest."""
        begun = time.time()
        wait_until(lambda: time.time() - begun > 1.2 and not self.world.writes(DEVICE, time.time() - 1.2), 30, "never at rest", 0.1)

    def plays(self, sample, *more):
        rule = self.world.on_air_at(sample, None, *more, devices=[DEVICE], show_s=1)
        receipt = self.world.receipt(DEVICE, rule)
        self.assertEqual(receipt["reason"], "on_time", receipt)
        self.assertTrue(receipt["evidence"]["sign"]["read_back"])
        self.assert_heard(DEVICE, sample.sounds["vi"], rule["at"])

    def refused(self, sample, detail, *more):
        self.idle()
        begun = time.time()
        rule = self.world.on_air_at(sample, None, *more, devices=[DEVICE], show_s=1)
        receipt = self.world.receipt(DEVICE, rule)
        self.world.wait_time(rule["at"] + 2)
        self.assert_quiet(DEVICE, begun, rule["at"] + 2)
        self.assertEqual(receipt["reason"], "not_approved")
        self.assertIsNone(receipt["started"])
        self.assertIn(detail, receipt["detail"])

    # What people signed, and what they did not

    def test_01_unapproved(self):
        self.plays(self.sample())
        self.refused(self.sample(approvers=()), "unapproved")

    def test_02_out_of_scope(self):
        self.plays(self.sample(areas="a058"))
        self.refused(self.sample(areas="a065"), "out_of_scope")

    def test_03_out_of_class(self):
        self.plays(self.sample(klass="priority", approvers=("lan", "minh")), "--class", "priority")
        sample = self.sample(klass="priority", approvers=())
        for person in ("lan", "minh"):
            self.world.approve(sample.hash, person, "a000", "--class", "normal")
        self.refused(sample, "out_of_class", "--class", "priority")

    def persons(self, **ended):
        """Publish the persons' keys: Lan with a second one, and those that ended as said."""
        lines = []
        for name, key in (("lan", self.world.persons["lan"]), ("lan", self.second), ("minh", self.world.persons["minh"])):
            line = {"kid": key["kid"], "x": key["x"], "person": name, "roles": ["approver"], "areas": ["a000"], "class": "priority",
                    "name": name}
            if key["kid"] in ended.get("compromised", ()):
                line.update(ended="compromised", ended_ms=int(time.time() * 1000))
            lines.append(line)
        document = seals.Key(self.world.registrar["file"]).seal("loa-keys", dict(seals.head("all"), persons=lines))
        self.world.api.post("/keys", document, "application/jose")
        self.world.site(DEVICE).wait_settled()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.world.new_key("person-lan-2")

    def test_04_two_approvals_by_one_person(self):
        self.persons()
        sample = self.sample(klass="priority", approvers=("lan", "minh"))
        self.plays(sample, "--class", "priority")
        sample = self.sample(klass="priority", approvers=("lan",))
        self.world.approve(sample.hash, "lan", "a000", "--class", "priority", key=self.second)
        self.refused(sample, "quorum", "--class", "priority")

    def test_05_compromised_key(self):
        self.persons()
        sample = self.sample(approvers=())
        self.world.approve(sample.hash, "lan", "a000", key=self.second)
        self.plays(sample)
        self.persons(compromised=[self.second["kid"]])
        self.refused(sample, "key")

    # What a stolen broker or server could send

    def forge(self, change=None, header=None, key=None, deflate=False, spoil=None):
        """Publish the playlist that is in force with one item of the known bulletin at a new instant, altered by `change`.
        Returns the instant."""
        world = self.world
        at_ms = int((time.time() + world.paced(1.5)) * 1000)
        payload = dict(self.base, ver=int(time.time() * 1000), bulletins=[self.known])
        payload["items"] = [dict(self.item, id=f"gia.{at_ms // 1000}", start_ms=at_ms, end_ms=at_ms + 1000 * LATE_S + 5000, bulletin=0,
                                 late_ms=1000 * LATE_S)]
        payload["iat"], payload["exp"] = int(time.time()), int(time.time()) + 86400
        if change:
            payload = change(payload)
        compact = (key or self.scheduler).seal("loa-playlist", payload, deflate, **(header or {}))
        world.speak_up(f"loa/1/dev/{DEVICE}/playlist", spoil(compact) if spoil else compact)
        return at_ms / 1000

    def forged_plays(self):
        """Unaltered it is heard, late on a slow machine."""
        at, sound = self.forge(), self.world.source(self.sound)
        wait_until(lambda: self.world.recording(DEVICE).compare(sound, at + LATE_S / 2, LATE_S / 2 + 1)[0] > 0.9, LATE_S + 10, "not heard", 0.1)
        self.assertTrue(self.world.writes(DEVICE, at - 2))

    def forged_is_refused(self, **how):
        self.forged_plays()
        self.idle()
        begun = time.time()
        at = self.forge(**how)
        self.world.wait_time(at + LENGTH_S + 1.6)
        self.assert_quiet(DEVICE, begun, at + LENGTH_S + 1.5)

    def test_06_forged_documents(self):
        self.forged_documents("audience", "older", "expired", "signature", "unknown_key")

    def test_08_more_forged_documents(self):
        self.forged_documents("signature ", "alg", "alg ", "too_large", "era")

    def forged_documents(self, *names):
        world = self.world
        sample = self.sample()
        self.sound = sample.sounds["vi"]
        self.plays(sample)
        self.scheduler = seals.Key(world.scheduler["file"])
        rule = world.on_air_at(sample, world.soon(7200), devices=[DEVICE], show_s=1)
        topic = f"loa/1/dev/{DEVICE}/playlist"
        wait_until(lambda: any(i["id"] == rule["occurrence"] for i in seals.read(world.latest(topic))[1]["items"]), 10, "not published")
        world.site(DEVICE).wait_settled()
        self.base = seals.read(world.latest(topic))[1]
        self.known = next(b for b in self.base["bulletins"] if b["hash"] == sample.hash)
        self.item = next(i for i in self.base["items"] if i["id"] == rule["occurrence"])
        after = world.last_event()
        stranger = seals.Key()
        bomb = b'{"aud":"dev/%s","x":"' % DEVICE.encode() + b" " * (3 << 20) + b'"}'
        cases = {
            "audience": dict(change=lambda p: dict(p, aud="dev/ls-loa-01")),
            "older": dict(change=lambda p: dict(p, ver=self.base["ver"] - 1)),
            "expired": dict(change=lambda p: dict(p, iat=p["iat"] - 7200, exp=p["iat"] - 3600)),
            "signature": dict(spoil=flip_one_bit),
            "unknown_key": dict(key=stranger),
            "signature ": dict(key=stranger, header={"kid": self.scheduler.kid}),
            "alg": dict(header={"alg": "none"}),
            "alg ": dict(header={"alg": "HS256"}),
            "too_large": dict(change=lambda p: bomb, deflate=True),
            "era": dict(change=lambda p: dict(p, era=p["era"] + 1)),
        }
        cases = {name: cases[name] for name in names}
        world.controller.signal(signal.SIGSTOP)  # else it would put its own playlist in the place of the forged one
        try:
            for name, how in cases.items():
                with self.subTest(name):
                    self.forged_is_refused(**how)
            self.forged_plays()
        finally:
            world.controller.signal(signal.SIGCONT)
        for name in cases:
            with self.subTest(name + " reaches the controller"):
                event = world.event(DEVICE, "document_refused", after, about="playlist", detail=name.strip())
                self.assertTrue(event["detail"].startswith(name.strip()), event)

    def test_07_old_command(self):
        world, place = self.world, self.world.site(DEVICE)
        pid = place.agent.pid
        world.loa("device", "restart", DEVICE)
        wait_until(lambda: not place.agent.alive(), 15, "the command was not carried out")
        self.assertEqual(place.agent.code(), 0)
        old = world.latest(f"loa/1/dev/{DEVICE}/cmd")
        after = world.last_event()
        place.agent.start()
        place.wait_online()
        self.assertNotEqual(place.agent.pid, pid)
        pid = place.agent.pid
        world.speak_up(f"loa/1/dev/{DEVICE}/cmd", old, retain=False)
        world.event(DEVICE, "document_refused", after, about="cmd", detail="nonce")
        self.assertTrue(place.agent.alive())
        self.assertEqual(place.agent.pid, pid)


if __name__ == "__main__":
    unittest.main()
