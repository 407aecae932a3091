"""A whole agent on a virtual card and simulated hardware: what it plays, refuses, proves and keeps."""

import os
import shutil
import tempfile
import time
import unittest

from bench import DEVICE, Bench, Keeper, wait_until


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
        at = int(time.time()) + 8
        self.centre.publish("playlist", self.centre.playlist([bulletin], [self.bench.item("r1", 0, at, 3)]))
        wait_until(lambda: time.time() > at + 1.5, 15, "time")
        self.assertIn(text, str(self.bench.panel("sign")))
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
        print("correlation", match, "lag ms", lag_s * 1000, evidence)
        self.assertGreater(match, 0.9)
        self.assertLess(abs(lag_s), 0.02)


if __name__ == "__main__":
    unittest.main()
