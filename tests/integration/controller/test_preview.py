"""A day ahead of time over the API: what the rules say, what drafts would change, and why."""
import datetime
import threading
import unittest

from kit import World

DAY = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3)).date().isoformat()


def rule(hash, **more):
    return {"bulletin": hash, "areas": ["a001"], "when": "daily", "times": ["05:00"], **more}


class Preview(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.__exit__)
        self.world.__enter__()
        self.world.add_places()
        self.hash = self.world.add_bulletin()["hash"]

    def approve(self):
        self.world.seal_trust()
        self.world.want(201, "POST", "approvals", self.world.approve(self.hash), type="application/jose")

    def preview(self, **more):
        return self.world.want(200, "POST", "preview", {"device": "box-1", "day": DAY, **more})

    def test_a_day(self):
        self.world.want(201, "POST", "rules", rule(self.hash, id="r1", times=["17:00", "05:00"]))
        day = self.world.get(f"preview?device=box-1&day={DAY}")
        self.assertEqual((day["device"], day["day"], day["zone"]), ("box-1", DAY, "Asia/Ho_Chi_Minh"))
        self.assertEqual([e["reason"] for e in day["entries"]], ["not_approved"] * 2)
        self.assertEqual([e["started"] for e in day["entries"]], [None] * 2)
        self.approve()
        day = self.world.get(f"preview?device=box-1&day={DAY}")
        first, second = day["entries"]
        self.assertEqual((first["rule"], first["title"], first["reason"], first["class"], first["draft"]),
                         ("r1", "Lịch tiêm chủng", "on_time", "normal", False))
        self.assertEqual(first["started"], first["planned"])
        self.assertTrue(first["planned"] < first["ended"] < second["planned"])
        self.assertTrue(second["planned"].endswith("T10:00:00.000Z"))  # 17:00 in Viet Nam
        today = self.world.get("preview?device=box-1")
        self.assertEqual(len(today["entries"]), 2)

    def reasons(self):
        return [(e["reason"], (e["detail"] or "").split(":")[0]) for e in self.preview()["entries"]]

    def test_approvals_are_judged_as_at_the_device(self):
        """Who approved, for where, up to which class, until when, by a key that stands, and enough of them."""
        w, day_ms = self.world, int(datetime.datetime.fromisoformat(DAY + "T00:00:00+00:00").timestamp() * 1000)
        w.want(201, "POST", "trust", w.root.seal("trust", w.trust_payload(quorums=[{"class": "normal", "areas": ["a001"], "persons": 2}])),
               type="application/jose")
        version = int(datetime.datetime.now().timestamp() * 1000)

        def keys(**second):
            nonlocal version
            version += 1
            payload = w.keys_payload(ver=version)
            payload["persons"][1].update(second)
            w.want(201, "POST", "keys", w.registrar.seal("keys", payload), type="application/jose")

        def hand_in(person=0, **more):
            w.want(201, "POST", "approvals", w.approve(self.hash, person, **more), type="application/jose")
        keys()
        w.want(201, "POST", "rules", rule(self.hash, id="r1"))
        self.assertEqual(self.reasons(), [("not_approved", "unapproved")])
        hand_in(areas=["a002"])
        self.assertEqual(self.reasons(), [("not_approved", "out_of_scope")])
        hand_in(**{"class": "filler"})
        self.assertEqual(self.reasons(), [("not_approved", "out_of_class")])
        hand_in(until_ms=day_ms - 86400000)
        self.assertEqual(self.reasons(), [("not_approved", "out_of_time")])
        hand_in()
        self.assertEqual(self.reasons(), [("not_approved", "quorum")])
        hand_in(areas=["a001"])
        self.assertEqual(self.reasons(), [("not_approved", "quorum")])  # the same person
        hand_in(1)
        self.assertEqual(self.reasons(), [("on_time", "")])
        now_ms = int(datetime.datetime.now().timestamp() * 1000)
        keys(ended="retired", ended_ms=now_ms + 1000)
        self.assertEqual(self.reasons(), [("on_time", "")])  # signed before
        keys(ended="compromised", ended_ms=now_ms)
        self.assertEqual(self.reasons(), [("not_approved", "quorum")])
        keys(areas=["a002"])
        self.assertEqual(self.reasons(), [("not_approved", "quorum")])
        keys(**{"class": "filler"})
        self.assertEqual(self.reasons(), [("not_approved", "quorum")])

    def test_drafts(self):
        self.approve()
        self.world.want(201, "POST", "rules", rule(self.hash, id="r1"))
        both = self.preview(rules=[rule(self.hash, times=["05:00:10", "05:30"], late_ms=0)])
        self.assertEqual([(e["rule"], e["reason"], e["draft"]) for e in both["entries"]],
                         [("r1", "on_time", False), ("draft-1", "on_time", True)])
        self.assertEqual([(p["rule"], p["why"], p["other"]) for p in both["problems"]], [("draft-1", "clash", "r1")])
        moved = self.preview(rules=[rule(self.hash, id="r1", times=["06:00"])])
        self.assertEqual([(e["rule"], e["planned"][11:16], e["draft"]) for e in moved["entries"]], [("r1", "23:00", True)])
        self.assertEqual(self.preview(without=["r1"])["entries"], [])
        self.assertEqual(len(self.preview()["entries"]), 1)  # nothing was kept

    def test_one_token_alone_does_not_keep_others_waiting(self):
        times = [f"{i // 2:02d}:{i % 2 * 30:02d}" for i in range(48)]
        parts = [{"source": f"S{i}", "length_ms": 1000} for i in range(64)]
        draft = {"session": {"length_ms": 1800000, "parts": parts, "plays": 20}, "when": "daily", "times": times, "areas": ["a001"]}
        body = {"device": "box-1", "day": DAY, "rules": [draft] * 8}
        greedy, answers = self.world.make_token("a001", "operator"), []

        def ask():
            for _ in range(2):
                answers.append(self.world.call("POST", "preview", body, token=greedy))
        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        mine = [self.world.call("GET", f"preview?device=box-1&day={DAY}").status for _ in range(10)]
        for thread in threads:
            thread.join()
        self.assertEqual(mine, [200] * 10)
        for answer in answers:
            self.assertIn(answer.status, (200, 503))
            self.assertEqual("retry-after" in answer.headers, answer.status == 503)
        self.assertIn(200, [answer.status for answer in answers])

    def test_bad(self):
        want = self.world.want
        want(400, "GET", "preview")
        want(400, "GET", "preview?device=box-1&day=2026-02-30")
        want(404, "GET", "preview?device=box-9")
        want(422, "POST", "preview", {"device": "box-1", "rules": [rule(self.hash, times=["25:00"])]})
        want(422, "POST", "preview", {"device": "box-1", "ruels": []})


if __name__ == "__main__":
    unittest.main()
