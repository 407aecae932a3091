"""From a bulletin to the loudspeaker and the board, with evidence; and what independent peers say of it."""

import json
import os
import ssl
import time
import unittest
import urllib.request

from world import BUILD, WorldTest, jose, seals, site, wait_until

OTHER_SIGN = '''
model = "B2"; maker = "Bench"; kind = "sign"; order = "DCBA"; poll_ms = 500; lines = 3; columns = 40; line_break = "lf";
bus = { max_read = 20; max_write = 11; pause_ms = 2; };
silence = { point = "clear"; value = 165; };
show = ( { write = "text"; }, { write = "commit"; value = 90; }, { wait = "busy"; value = 0; within_ms = 2000; } );
points = (
  { name = "clear"; kind = "holding"; address = 7; type = "u16"; access = "w"; },
  { name = "commit"; kind = "holding"; address = 8; type = "u16"; access = "w"; },
  { name = "text"; kind = "holding"; address = 300; length = 90; type = "text"; encoding = "utf-8"; order = "BADC"; access = "w";
    verify = "text_shown"; settle_ms = 20; within_ms = 3000; },
  { name = "text_shown"; kind = "holding"; address = 500; length = 90; type = "text"; encoding = "utf-8"; order = "BADC"; access = "r"; },
  { name = "busy"; kind = "coil"; address = 4; poll_ms = 0; access = "r"; }
);
'''

OTHER_AMPLIFIER = '''
model = "B1"; maker = "Bench"; kind = "amplifier"; order = "CDAB"; poll_ms = 500; power_up_ms = 300;
bus = { max_read = 8; max_write = 4; pause_ms = 2; };
silence = { point = "mute"; value = 1; };
points = (
  { name = "power"; kind = "holding"; address = 40; type = "u16"; access = "rw"; verify = "power_state"; settle_ms = 20; within_ms = 3000; },
  { name = "mute"; kind = "holding"; address = 41; type = "u16"; access = "rw"; verify = "mute"; },
  { name = "zone_1"; kind = "coil"; address = 900; access = "rw"; verify = "zone_1"; },
  { name = "power_state"; kind = "input"; address = 12; type = "u16"; poll_ms = 250; },
  { name = "gain"; kind = "holding"; address = 50; type = "f32"; access = "rw"; unit = "dB"; min = -60.0; max = 6.0; verify = "gain"; tolerance = 0.05; },
  { name = "output_level"; kind = "input"; address = 20; type = "s32"; scale = 0.001; unit = "dB"; min = -120.0; max = 30.0; poll_ms = 200; },
  { name = "temperature"; kind = "input"; address = 24; type = "f32"; unit = "C"; min = -40.0; max = 150.0; }
);
'''


def other_profiles():
    """Two models that nobody has seen: other registers, byte order and commit point."""
    import tempfile
    folder = tempfile.mkdtemp(prefix="loa-profiles-")
    paths = {}
    for name, text in (("tang-am", OTHER_AMPLIFIER), ("bang", OTHER_SIGN)):
        paths[name] = os.path.join(folder, name + ".cfg")
        with open(paths[name], "w", encoding="utf-8") as file:
            file.write(text)
    return folder, paths


class Path(WorldTest):
    @classmethod
    def plans(cls):
        import shutil
        folder, profiles = other_profiles()
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        both = {"tang-am": "amplifier", "bang": "sign"}
        return [
            site("ls-loa-01", "loudspeaker", {"tang-am": "amplifier"}),
            site("ls-bang-01", "board", {"bang": "sign"}, area="a065"),
            site("ls-ck-01", "cluster", both, area="a058", languages=("vi", "zh", "en")),
            site("ls-ck-02", "cluster", both, area="a058", profiles=profiles),
        ]

    def test_1_heard_and_read_at_its_minute(self):
        world = self.world
        one = world.bulletin({"vi": "Thông báo: đường lên Hữu Nghị tạm dừng để sửa chữa, người dân chú ý"})
        two = world.bulletin({"vi": "Sáng thứ Bảy, trạm y tế xã tiêm chủng cho trẻ em dưới năm tuổi"})
        show_s = int(world.paced(6))
        rules = [world.on_air_at(one, show_s=show_s)]
        rules.append(world.on_air_at(two, rules[0]["at"] + show_s + 4, show_s=show_s))
        for sample in (one, two):  # both while they are shown, before anything else is asked
            dark = {"ls-bang-01", "ls-ck-01"}

            def lit(sample=sample, dark=dark):
                dark -= {d for d in dark if " ".join(world.sign_registers(d).split()) == sample.texts["vi"]}
                return not dark

            wait_until(lit, max(rules[1]["at"] - time.time(), 0) + 20, f"mbpoll does not read {sample.texts['vi']} on {dark}", 0.2)
        for sample, other, rule in ((one, two, rules[0]), (two, one, rules[1])):
            for device in ("ls-loa-01", "ls-bang-01", "ls-ck-01", "ls-ck-02"):
                receipt = world.receipt(device, rule)
                self.assertEqual(receipt["reason"], "on_time", receipt)
                evidence = receipt["evidence"]
                if device != "ls-bang-01":
                    self.assertEqual(evidence["sound"]["frames"], evidence["sound"]["frames_expected"])
                    self.assertLessEqual(abs(evidence["sound"]["start_error_us"]), 20000)
                    self.assertTrue(evidence["amplifier"]["seen"], evidence)
                    self.assertTrue(evidence["amplifier"]["power"], evidence)
                    self.assert_heard(device, sample.sounds["vi"], rule["at"])
                    self.assertLess(world.recording(device).compare(world.source(other.sounds["vi"]), rule["at"])[0], 0.2)
                if device != "ls-loa-01":
                    self.assertTrue(evidence["sign"]["read_back"], evidence)
                    self.assertEqual(" ".join(evidence["sign"]["text"].split()), sample.texts["vi"])
        wait_until(lambda: world.sign_registers("ls-bang-01") == "", 10, "the board is dark when nothing is on")
        wait_until(lambda: world.panel("ls-loa-01", "amplifier")["mute"], 10, "muted unless something is on")

    def test_2_a_pulled_wire_is_not_seen(self):
        world = self.world
        sample = world.bulletin({"vi": "Dây loa đã rút"}, seconds=2)
        self.assertIn("ok", world.set_panel("ls-loa-01", "amplifier", wire=False))
        try:
            receipt = world.receipt("ls-loa-01", world.on_air_at(sample, devices=["ls-loa-01"]))
        finally:
            world.set_panel("ls-loa-01", "amplifier", wire=True)
        self.assertEqual(receipt["evidence"]["sound"]["frames"], receipt["evidence"]["sound"]["frames_expected"])
        self.assertFalse(receipt["evidence"]["amplifier"]["seen"])
        again = world.receipt("ls-loa-01", world.on_air_at(sample, devices=["ls-loa-01"]))
        self.assertTrue(again["evidence"]["amplifier"]["seen"])

    def test_3_languages_in_turn(self):
        world = self.world
        sample = world.bulletin({"en": "Open until five", "vi": "Thông quan đến 17 giờ", "zh": "通关至17时"})
        rule = world.on_air_at(sample, devices=["ls-ck-01"])
        receipt = world.receipt("ls-ck-01", rule)
        self.assertEqual(receipt["reason"], "on_time")
        at = rule["at"]
        for language in ("vi", "zh", "en"):
            self.assert_heard("ls-ck-01", sample.sounds[language], at, lag_s=0.08)
            at += len(world.source(sample.sounds[language])) / 48000

    def approval_blob(self):
        """An approval, as a site's link fetches it: from the media server, by hash, with its certificate."""
        world, place = self.world, self.world.site("ls-loa-01")
        hash = world.api.get("/approvals")["items"][0]["hash"]
        context = ssl.create_default_context(cafile=world.pki.ca)
        context.load_cert_chain(place.cert, place.key)
        with urllib.request.urlopen(f"https://localhost:{world.blobs_port}/blobs/{hash}", context=context, timeout=20) as answer:
            return answer.read().decode()

    def both_forms(self, documents):
        """Each type sealed by our code plain and deflated, carried over the running broker: jobs for jose."""
        world = self.world
        tool = os.path.join(BUILD, "tests", "integration", "jose", "seal_tool")
        key, jobs = {"file": world.scheduler["file"], "x": world.scheduler["x"]}, []
        for typ, compact in sorted(documents.items()):
            payload = json.dumps(seals.read(compact)[1], ensure_ascii=False)
            for form in ("plain", "deflated"):
                argv = [tool, "seal", key["file"], typ] + (["DEF"] if form == "deflated" else [])
                topic = f"loa/1/dev/form/{typ}-{form}"
                world.speak_up(topic, world.keeper.run(argv, stdin=payload)[1].strip())
                taken = wait_until(lambda t=topic: world.latest(t), 10, topic + " did not come over the broker")
                self.assertEqual("zip" in seals.read(taken)[0], form == "deflated", topic)
                jobs.append({"verify": taken, "x": key["x"]})
        self.assertEqual(len(jobs), 24, "twelve types, two forms")
        return jobs

    def test_4_every_document_verifies_elsewhere(self):
        world = self.world
        agent = world.site("ls-loa-01").agent
        world.loa("device", "restart", "ls-loa-01")
        wait_until(lambda: not agent.alive(), 20, "the command was not carried out")
        agent.start()
        world.site("ls-loa-01").wait_online()
        wanted = {f"loa-{word}" for word in
                  ("trust", "keys", "config", "playlist", "welcome", "command", "state", "receipt", "event", "reply", "health")}
        boxes = {s.device: s.box["x"] for s in world.sites}
        sealer = {"loa-trust": world.roots[0]["x"], "loa-keys": world.registrar["x"]}

        def kinds():
            with world.hearing:
                return {seals.read(p)[0]["typ"] for _, p in world.heard if p}

        wait_until(lambda: kinds() >= wanted, 30, "not every type was heard", 0.2)
        with world.hearing:
            heard = [(t, p.decode()) for t, p in world.heard if p]
        jobs, seen = [], set()
        for topic, compact in heard:
            header, _ = seals.read(compact)
            typ = header["typ"]
            up = typ in ("loa-state", "loa-receipt", "loa-event", "loa-reply", "loa-health")
            x = boxes[topic.split("/")[3]] if up else sealer.get(typ, world.scheduler["x"])
            jobs.append({"verify": compact, "x": x})
            seen.add((typ, "zip" in header))
        jobs.append({"verify": self.approval_blob(), "x": world.persons["lan"]["x"]})
        jobs += self.both_forms({seals.read(c)[0]["typ"]: c for c in [c for _, c in heard] + [jobs[-1]["verify"]]})
        answers = jose(jobs)
        self.assertEqual([a["why"] for a in answers if not a["ok"]], [])
        self.assertEqual({typ for typ, _ in seen}, wanted)
        self.assertIn(("loa-playlist", True), seen, "a deflated one was among them")
        self.assertIn(("loa-command", False), seen, "a plain one was among them")
        spoiled = jobs[0]["verify"][:-4] + ("AAAA" if not jobs[0]["verify"].endswith("AAAA") else "BBBB")
        self.assertFalse(jose([dict(jobs[0], verify=spoiled)])[0]["ok"], "the peer does check")

    def test_5_a_document_made_elsewhere_is_accepted(self):
        world = self.world
        sample = world.bulletin({"vi": "Ký ở nơi khác"}, seconds=1, approvers=())
        with open(world.persons["lan"]["file"], encoding="utf-8") as file:
            jwk = json.load(file)
        now = int(time.time() * 1000)
        payload = dict(seals.head("all"), bulletin=sample.hash, areas=["a000"], **{"class": "normal"}, from_ms=now - 60000,
                       until_ms=now + 86400000)
        made = jose([{"seal": payload, "typ": "loa-approval", "deflate": deflate, "jwk": jwk, "kid": world.persons["lan"]["kid"]}
                     for deflate in (False, True)])
        for answer in made:
            self.assertTrue(answer["ok"], answer)
            world.api.post("/approvals", answer["compact"], "application/jose")
        rule = world.on_air_at(sample, devices=["ls-loa-01"])
        self.assertEqual(world.receipt("ls-loa-01", rule)["reason"], "on_time")
        self.assert_heard("ls-loa-01", sample.sounds["vi"], rule["at"])


if __name__ == "__main__":
    unittest.main()
