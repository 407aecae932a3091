"""What an agent keeps: receipts sent again, a disk that fails, a vault that is damaged or new, blobs beyond the quota."""

import os
import shutil
import tempfile
import time
import unittest

from bench import DEVICE, Bench, Keeper, wait_until


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loa-store-")
        self.keeper = Keeper()
        self.bench = Bench(self.keeper, self.folder)
        self.centre = self.bench.centre

    def tearDown(self):
        self.bench.close()
        self.keeper.stop_all()
        if os.environ.get("LOA_KEEP"):
            print(self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, name, **more):
        """The sealed command; wait for its replies with replies()."""
        return self.centre.publish("cmd", {**self.centre.head(f"dev/{DEVICE}", days=0.001), "nonce": self.centre.nonce,
                                           **more, "command": name}, retain=False)

    def replies(self, ident, count=1):
        return wait_until(lambda: len(self.centre.seen("reply", id=ident)) >= count and
                          self.centre.seen("reply", id=ident), 10, f"{count} replies to {ident}")

    def test_send_again(self):
        """The same rows under the same numbers; once for each command; an honest answer to each."""
        self.bench.start()
        self.centre.begin()
        first = self.bench.wait_event("started")
        store = first["store"]
        wait_until(lambda: self.centre.seen("state", on=True), 10, "state")
        sealed = self.command("send_again", id="again-1", kind="event", store=store, **{"from": 1})
        answer = self.replies("again-1")[0]
        self.assertTrue(answer["ok"], answer)
        self.assertIn("event 1 to", answer["detail"])
        wait_until(lambda: len(self.centre.seen("event", code="started", n=1)) == 2, 10, "the row again")
        self.assertEqual(*self.centre.seen("event", code="started", n=1))
        self.centre.publish("cmd", sealed, retain=False)
        self.assertEqual(*[(r["ok"], r["detail"]) for r in self.replies("again-1", 2)])
        for ident, says, more in (("again-2", "was never made", {"from": 1000000}),
                                  ("again-3", "store other is not here", {"store": "other", "from": 1})):
            self.command("send_again", id=ident, **{"kind": "event", "store": store, **more})
            answer = self.replies(ident)[0]
            self.assertFalse(answer["ok"])
            self.assertIn(says, answer["detail"])
        self.assertEqual(len(self.centre.seen("event", code="started", n=1)), 2, "done once")


if __name__ == "__main__":
    unittest.main(verbosity=2)
