"""What an agent keeps: receipts sent again, a disk that fails, a vault that is damaged or new, blobs beyond the quota."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

from bench import DEVICE, Bench, Keeper, wait_until


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loa-store-")
        self.addCleanup(self.remove_folder)  # the first, so it comes last: when what was mounted in it is gone
        self.keeper = Keeper()
        self.bench = Bench(self.keeper, self.folder)
        self.centre = self.bench.centre

    def tearDown(self):
        self.bench.close()
        self.keeper.stop_all()

    def remove_folder(self):
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

    # --- a disk that fails ---

    def small_disk(self):
        """The vault on a small file system, with room for the longest journal of the store (4 MiB)."""
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        mount = os.path.join(self.folder, "disk")
        os.mkdir(mount)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "loa-test", mount], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", mount], check=True)
        self.bench.vault = os.path.join(mount, "vault")
        return mount

    def remount(self, mount, how):
        subprocess.run(["mount", "-o", f"remount,{how},size=6m", mount], check=True)

    def fill(self, mount):
        with open(os.path.join(mount, "ballast"), "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def fill_all(self, mount):
        """The disk, and what room the store's journal has in itself: documents come until nothing can be written."""
        self.fill(mount)

        def refused():
            self.plan["ver"] += 1
            self.centre.publish("playlist", {**self.plan, "padding": os.urandom(18000).hex()})
            return "vault cannot be written" in self.health().get("disk", ("", ""))[1]

        wait_until(refused, 20, "a full disk is found out", 0.1)

    def items(self, starts, seconds=1):
        """Approved items of one short bulletin at these moments."""
        _, media = self.bench.media(seconds, seed=3)
        bulletin = self.centre.bulletin([{"lang": "vi", "audio": media}])
        self.plan = self.centre.playlist(
            [(bulletin, [self.centre.approval(bulletin)])],
            [self.bench.item(f"r{i}", 0, at, seconds, end_ms=int((at + seconds + 3 * self.bench.pace) * 1000)) for i, at in enumerate(starts)])
        self.centre.publish("playlist", self.plan)
        return [f"r{i}.{at}" for i, at in enumerate(starts)]

    def health(self):
        seen = self.centre.seen("health")
        return {p["name"]: (p["state"], p.get("detail", "")) for p in seen[-1]["parts"]} if seen else {}

    def faulty_since(self, nonce):
        """The session with this nonce has told that the disk is at fault."""
        with self.centre.lock:
            said = list(self.centre.up)
        first = next((i for i, (word, p) in enumerate(said) if word == "state" and p["nonce"] == nonce), len(said))
        return any(word == "health" and part["name"] == "disk" and part["state"] == "fault"
                   for word, p in said[first:] for part in p.get("parts", []))

    def begun(self, occurrence):
        with open(self.bench.path("agent.log")) as log:
            return log.read().count(f'{occurrence} "')

    def fails_and_recovers(self, break_it, mend):
        self.bench.start()
        self.centre.begin()
        at, gap = self.bench.soon(5), int(8 * self.bench.pace)
        names = self.items([at, at + gap, at + 2 * gap, at + 5 * gap])
        self.bench.wait_receipt(names[0])
        break_it()
        wait_until(lambda: self.begun(names[1]), gap + 5, "the second item plays from what is there")
        wait_until(lambda: time.time() > at + gap + 1, gap + 5, "its end")
        wait_until(lambda: "vault cannot be written" in self.health().get("disk", ("", ""))[1], 20, "health says it")
        self.assertNotIn(names[1], self.centre.receipts(), "nothing is told before it is on disk")
        self.bench.agent.kill()  # the worst moment: begun, ended, nothing written
        before = self.centre.nonce
        self.bench.agent.start()
        wait_until(lambda: self.begun(names[2]), 2 * gap + 5, "the third item")
        wait_until(lambda: self.centre.nonce != before and self.faulty_since(self.centre.nonce), 15, "health says it again")
        wait_until(lambda: time.time() > at + 2 * gap + 2, gap, "the end of the third")
        self.assertEqual((self.begun(names[1]), self.begun(names[2])), (1, 1), "no second play; a start after this one is fine")
        mend()
        self.bench.wait_event("vault_trouble", 20)
        self.bench.wait_event("vault_back", 20)
        self.assertEqual(self.bench.wait_receipt(names[2])["reason"], "on_time")
        playlist = self.centre.playlist([], [])
        self.centre.publish("playlist", playlist)
        wait_until(lambda: any(h["ver"] == playlist["ver"] for s in self.centre.seen("state", on=True)[-1:]
                               for h in s.get("held", [])), 15, "documents are adopted again")
        self.assertEqual(self.begun(names[2]), 1)

    def test_full_disk(self):
        mount = self.small_disk()
        self.fails_and_recovers(lambda: self.fill_all(mount), lambda: os.remove(os.path.join(mount, "ballast")))

    def test_read_only_disk(self):
        """The kernel takes no file system away from who writes to it: the agent is killed, and finds it so."""
        mount = self.small_disk()

        def break_it():
            self.bench.agent.kill()
            self.remount(mount, "ro")
            self.bench.agent.start()

        self.fails_and_recovers(break_it, lambda: self.remount(mount, "rw"))

    # --- a quota ---

    def in_vault(self, name):
        return os.path.exists(self.bench.path("vault", "blobs", name[:2], name))

    def test_quota(self):
        """A pinned clip stays, what is due soon is fetched, what does not fit is said once and not fetched in vain."""
        self.bench.more = "quota_mb = 1; reserve_mb = 0;"
        self.bench.start()
        media = [self.bench.media(5, seed=30 + i)[1] for i in range(3)]
        clip, soon, late = (m["hash"] for m in media)
        self.centre.begin(pinned=[{"hash": clip, "size": media[0]["size"]}])
        bulletins = [self.centre.bulletin([{"lang": "vi", "audio": m}], id=f"b{i}") for i, m in enumerate(media[1:])]
        at = self.bench.soon(5)
        approved = [(b, [self.centre.approval(b)]) for b in bulletins]
        items = [self.bench.item("soon", 0, at, 5, end_ms=int((at + 8) * 1000)), self.bench.item("late", 1, at + 7200, 5)]
        self.centre.publish("playlist", self.centre.playlist(approved[:1], items[:1]))
        wait_until(lambda: self.in_vault(clip) and self.in_vault(soon), 20, "what comes first is there")
        self.centre.publish("playlist", self.centre.playlist(approved, items))
        event = self.bench.wait_event("vault_full")
        self.assertEqual(event["about"], items[1]["id"])
        self.assertIn(late, event["detail"])
        wait_until(lambda: self.health().get("disk", ("", ""))[0] == "warn", 60, "health says it")
        self.assertEqual(self.bench.wait_receipt(items[0]["id"])["reason"], "on_time")
        self.assertTrue(self.in_vault(clip), "the clip is pinned")
        wait_until(lambda: self.in_vault(late), 45, "room for the later one, once the first is over")
        self.assertGreater(self.centre.fetched_at[late], at + 4, "nothing is fetched that has no room")
        self.assertFalse(self.in_vault(soon))
        self.assertTrue(self.in_vault(clip))
        self.assertEqual([self.centre.fetches.count(h) for h in (clip, soon, late)], [1, 1, 1])
        self.assertEqual(len(self.centre.seen("event", code="vault_full")), 1)

    # --- a vault that is damaged, or taken ---

    def test_damaged_vault(self):
        """Not a dead agent: silence until welcomed, under a new store id, and an event says it."""
        self.bench.start()
        self.centre.begin()
        old = self.bench.wait_event("started")["store"]
        self.bench.agent.kill()
        for suffix in ("-wal", "-shm"):
            if os.path.exists(self.bench.path("vault", "vault.db" + suffix)):
                os.remove(self.bench.path("vault", "vault.db" + suffix))
        with open(self.bench.path("vault", "vault.db"), "r+b") as file:
            file.write(os.urandom(8192))
        self.bench.agent.start()
        event = self.bench.wait_event("vault_damaged")
        self.assertNotEqual(event["store"], old)
        self.assertEqual(event["n"], 1, "numbers begin at 1 with the new store id")
        self.assertTrue([f for f in os.listdir(self.bench.path("vault")) if f.startswith("vault.db.damaged-")])
        at = self.bench.soon(5)
        name, = self.items([at])
        self.assertEqual(self.bench.wait_receipt(name)["reason"], "on_time")
        self.assertEqual({e["n"] for e in self.centre.seen("event", store=old)} & {1}, {1}, "the old store's rows stay what they were")

    def test_second_agent_on_one_vault(self):
        self.bench.start()
        self.centre.begin()
        self.bench.wait_event("started")
        second = subprocess.run(self.bench.agent.argv, capture_output=True, text=True, timeout=30)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another loa-agent uses this vault", second.stderr)
        self.assertTrue(self.bench.agent.alive())


if __name__ == "__main__":
    unittest.main(verbosity=2)
