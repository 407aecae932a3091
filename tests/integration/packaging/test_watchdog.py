"""The watchdog is fed only while every part moves: a sound thread that never returns from the card, a stopped process."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "agent"))
from bench import Bench, Keeper, wait_until  # noqa: E402

FEED_S = 0.25  # a quarter of WATCHDOG_USEC below


class Manager:
    """The service manager's end."""

    def __init__(self, path):
        self.path, self.said = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(int(4 * FEED_S * 1e6))}
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            self.said.append((time.monotonic(), self.socket.recv(4096).decode()))

    def count(self, word):
        return sum(word in text for _, text in self.said)

    def wait(self, word, more=1, seconds=20):
        so_far = self.count(word)
        wait_until(lambda: self.count(word) >= so_far + more, seconds, f"{word} is not told")

    def quiet_for(self, seconds):
        """Not fed for so long; nothing else than time tells that."""
        last = self.count("WATCHDOG=1")
        until = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > until, seconds + 5, "time")
        return self.count("WATCHDOG=1") == last


class WatchdogTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loa-watchdog-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.keeper = Keeper()
        self.addCleanup(self.keeper.stop_all)
        self.bench = Bench(self.keeper, self.folder)
        self.manager = Manager(os.path.join(self.folder, "notify"))
        self.bench.agent.env = self.manager.env

    def test_a_stopped_process_and_an_orderly_end(self):
        self.bench.start()
        self.addCleanup(self.bench.close)
        wait_until(lambda: self.manager.count("READY=1"), 20, "READY=1 is not told")
        self.manager.wait("WATCHDOG=1", 3)
        self.bench.agent.signal(signal.SIGSTOP)
        self.manager.quiet_for(2 * FEED_S)  # what was under way
        self.assertTrue(self.manager.quiet_for(6 * FEED_S))
        self.bench.agent.signal(signal.SIGCONT)
        self.manager.wait("WATCHDOG=1", 3)
        self.bench.agent.ask_to_end()
        wait_until(lambda: self.manager.count("STOPPING=1"), 20, "STOPPING=1 is not told")
        wait_until(self.bench.agent.ended, 10, "the agent's end")

    def test_a_card_that_never_answers(self):
        """Opening this card blocks for ever, as with a driver that hangs: the other threads go on, nothing is fed."""
        configure = self.bench.configure

        def with_a_hanging_card():
            configure()
            fifo = os.path.join(self.folder, "fifo")
            os.mkfifo(fifo)  # nobody ever reads it
            with open(os.path.join(self.folder, "asound.conf"), "w", encoding="utf-8") as file:
                file.write(f'pcm.loa {{ type file slave.pcm "null" file "{fifo}" format "raw" perm 0600 }}\n'
                           'pcm.null { type null }\n')

        self.bench.configure = with_a_hanging_card
        self.bench.start()
        self.addCleanup(self.keeper.stop_all)
        self.addCleanup(self.bench.agent.kill)
        centre = self.bench.centre
        centre.begin()
        self.manager.wait("WATCHDOG=1", 3)
        _, media = self.bench.media(2, seed=1)
        bulletin = centre.bulletin([{"lang": "vi", "audio": media}])
        approval = centre.approval(bulletin)
        at = self.bench.soon(4)
        centre.publish("playlist", centre.playlist([(bulletin, [approval])], [self.bench.item("r1", 0, at, 2)]))
        self.manager.wait("STATUS=the sound thread does not come back", seconds=40)
        self.assertTrue(self.manager.quiet_for(8 * FEED_S))
        self.assertTrue(self.bench.agent.alive(), "the loop goes on: only its supervisor may end it")
        centre.close()


if __name__ == "__main__":
    unittest.main()
