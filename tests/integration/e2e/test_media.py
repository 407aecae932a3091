"""A sound that is cut or altered is never played: it is fetched again, or the receipt says no_media."""

import os
import time
import unittest

from world import WorldTest, site, wait_until


class Media(WorldTest):
    @classmethod
    def plans(cls):
        return [site("ls-loa-01", "loudspeaker", {"tang-am": "amplifier"})]

    def served(self, hash):
        """The file that the controller serves under this hash."""
        for folder, _, names in os.walk(self.world.path("centre", "state")):
            for name in names:
                if hash in (name, os.path.basename(folder) + name):
                    return os.path.join(folder, name)
        self.fail("the controller has no file for " + hash)

    def spoil(self, path, how):
        with open(path, "rb") as file:
            data = file.read()
        bad = data[:len(data) // 2] if how == "cut" else data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:]
        mode = os.stat(path).st_mode
        os.chmod(path, 0o600)
        with open(path, "wb") as file:
            file.write(bad)
        os.chmod(path, mode)
        return data

    def mend(self, path, data):
        with open(path + ".mended", "wb") as file:
            file.write(data)
        os.replace(path + ".mended", path)

    def test_1_altered_at_the_server_is_no_media(self):
        world = self.world
        for how in ("cut", "altered"):
            with self.subTest(how):
                sample = world.bulletin({"vi": how}, seconds=2)
                path = self.served(sample.media["vi"])
                data = self.spoil(path, how)
                try:
                    rule = world.on_air_at(sample, None, "--late-s", "2")
                    receipt = world.receipt("ls-loa-01", rule)
                    self.assertEqual(receipt["reason"], "no_media")
                    self.assertIsNone(receipt["started"])
                    self.assert_quiet("ls-loa-01", rule["at"] - 1, rule["at"] + 2.5)
                finally:
                    self.mend(path, data)

    def test_2_altered_at_the_server_then_mended_is_fetched_again(self):
        world, place = self.world, self.world.site("ls-loa-01")
        sample = world.bulletin({"vi": "lại"}, seconds=2)
        path = self.served(sample.media["vi"])
        data = self.spoil(path, "altered")
        rule = world.on_air_at(sample, world.soon(14))
        world.wait_time(time.time() + 3)
        self.assertFalse(place.has_blob(sample.media["vi"]))
        self.mend(path, data)
        self.assertEqual(world.receipt("ls-loa-01", rule)["reason"], "on_time")
        self.assert_heard("ls-loa-01", sample.sounds["vi"], rule["at"])

    def test_3_altered_on_the_box_is_fetched_again(self):
        world, place = self.world, self.world.site("ls-loa-01")
        for how in ("cut", "altered"):
            with self.subTest(how):
                sample = world.bulletin({"vi": "trên hộp " + how}, seconds=2)
                hash = sample.media["vi"]
                world.on_air_at(sample, int(time.time()) + 3600)  # fetched ahead, not due
                wait_until(lambda h=hash: place.has_blob(h), 20, "not fetched ahead")
                place.wait_settled()
                place.agent.stop()
                self.spoil(place.path("vault", "blobs", hash[:2], hash), how)
                place.agent.start()
                place.wait_online()
                rule = world.on_air_at(sample, world.soon(6), "--late-s", "20")
                receipt = world.receipt("ls-loa-01", rule)
                self.assertIn(receipt["reason"], ("on_time", "late"))
                self.assertEqual(receipt["evidence"]["sound"]["frames"], receipt["evidence"]["sound"]["frames_expected"])
                value, _ = world.recording("ls-loa-01").compare(world.source(sample.sounds["vi"]), rule["at"], 20)
                self.assertGreater(value, 0.9)


if __name__ == "__main__":
    unittest.main()
