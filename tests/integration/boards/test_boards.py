#!/usr/bin/python3
"""Drivers, simulator and independent masters (mbpoll, pymodbus) against each other, over real Modbus TCP.

Needs LOA_BUILD_DIR, the build folder. Everything lives in a temporary folder; every process started is stopped."""
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from pymodbus.client import ModbusTcpClient

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
TOOLS = os.path.join(os.environ["LOA_BUILD_DIR"], "tools/modbus-sim")
AMPLIFIER = os.path.join(SOURCE, "boards/profiles/amplifier-sim-a100.cfg")
SIGN = os.path.join(SOURCE, "boards/profiles/sign-sim-t4.cfg")
NOTICE = "Thông báo: đường ế Ộ ngập nước\n边境通知 Border notice"

# Other registers, byte orders, inverted switches, percent of nothing in common with the shipped amplifier.
OTHER_AMPLIFIER = """
model = "X9"; maker = "Test"; kind = "amplifier"; order = "DCBA"; poll_ms = 200; power_up_ms = 300;
bus = { max_read = 8; max_write = 4; multiple_only = true; };
silence = { point = "mute"; value = 7; };
points = (
  { name = "power"; kind = "holding"; address = 5000; type = "u16"; access = "w"; on = 2; off = 9; },
  { name = "power_state"; kind = "input"; address = 40; type = "u16"; on = 100; off = 50; },
  { name = "mute"; kind = "holding"; address = 5010; type = "u16"; order = "AB"; access = "rw"; on = 7; off = 3;
    verify = "mute"; },
  { name = "zone_1"; kind = "holding"; address = 5020; type = "bit"; bit = 4; access = "rw"; verify = "zone_1"; },
  { name = "zone_3"; kind = "holding"; address = 5020; type = "bit"; bit = 9; access = "rw"; verify = "zone_3"; },
  { name = "gain"; kind = "holding"; address = 5030; type = "f32"; order = "CDAB"; access = "rw"; unit = "dB";
    min = -80; max = 0; verify = "gain_now"; tolerance = 0.01; settle_ms = 20; },
  { name = "gain_now"; kind = "input"; address = 60; type = "s32"; scale = 0.001; unit = "dB"; },
  { name = "output_level"; kind = "input"; address = 70; type = "u16"; scale = 0.5; offset = -120; unit = "dB"; },
  { name = "fault_dc"; kind = "discrete"; address = 7; on = 0; off = 1; }
);
"""

# Two lines apart from each other, UTF-8 with bytes swapped, committed by a value in the middle of the sequence.
OTHER_SIGN = """
model = "Y2"; maker = "Test"; kind = "sign"; poll_ms = 200; lines = 2; columns = 20;
bus = { max_read = 20; max_write = 7; };
silence = { point = "display"; value = 0; };
show = (
  { write = "display"; value = 0; },
  { write = "text"; },
  { pause_ms = 30; },
  { pulse = "commit"; value = 0xA5; back = 0; ms = 30; },
  { wait = "state"; value = 3; within_ms = 2000; },
  { write = "display"; value = 1; }
);
points = (
  { name = "display"; kind = "holding"; address = 1; type = "u16"; access = "rw"; verify = "display"; },
  { name = "commit"; kind = "holding"; address = 900; type = "u16"; order = "BA"; access = "w"; },
  { name = "state"; kind = "input"; address = 3; type = "u16"; poll_ms = 0; },
  { name = "text_1"; kind = "holding"; address = 100; length = 30; type = "text"; encoding = "utf-8"; order = "BA";
    pad = "space"; access = "w"; within_ms = 2000; },
  { name = "text_2"; kind = "holding"; address = 300; length = 30; type = "text"; encoding = "utf-8"; order = "BA";
    pad = "space"; access = "w"; within_ms = 2000; },
  { name = "text_shown_1"; kind = "holding"; address = 500; length = 30; type = "text"; encoding = "utf-8";
    order = "BA"; pad = "space"; access = "r"; },
  { name = "text_shown_2"; kind = "holding"; address = 700; length = 30; type = "text"; encoding = "utf-8";
    order = "BA"; pad = "space"; access = "r"; }
);
"""


def wait_for(what, seconds=60):
    """Poll `what` until it is true; returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("did not happen within %s s" % seconds)
        time.sleep(0.02)


class Panel:
    """A technician at the front panel."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.view, self.replies = {}, []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        wait_for(lambda: self.view)  # the first line tells how it stands

    def _read(self):
        for line in self.socket.makefile("r", encoding="utf-8"):
            message = json.loads(line)
            if "ok" in message or "error" in message:
                self.replies.append(message)
            else:
                self.view = message

    def ask(self, command):
        before = len(self.replies)
        self.socket.sendall(command if isinstance(command, bytes) else json.dumps(command).encode() + b"\n")
        wait_for(lambda: len(self.replies) > before)
        return self.replies[before]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


class Card:
    """The sound card's meter: says what level is being played."""

    def __init__(self, path):
        self.level, self.stop = -12000, False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.settimeout(0.1)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        clients = []
        while not self.stop:
            try:
                clients.append(self.listener.accept()[0])
            except socket.timeout:
                pass
            for client in list(clients):
                try:
                    client.sendall(json.dumps({"rms_mb": self.level, "at_unix_ms": 0}).encode() + b"\n")
                except BrokenPipeError:
                    clients.remove(client)
                    client.close()
        for client in clients:
            client.close()

    def close(self):
        self.stop = True
        self.thread.join()
        self.listener.close()


class Boards(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="loa-boards-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.count = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def profile(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def start(self, profile, unit=1, meter=None):
        """Start a simulator; returns what the tests need of it."""
        self.count += 1
        panel, journal = self.path("panel%d" % self.count), self.path("journal%d" % self.count)
        arguments = [TOOLS + "/loa-modbus-sim", "--profile", profile, "--unit", str(unit), "--panel", panel,
                     "--journal", journal]
        process = subprocess.Popen(arguments + (["--meter", meter] if meter else []), stdout=subprocess.PIPE)
        self.addCleanup(self.stop, process)
        port = json.loads(process.stdout.readline())["port"]
        front = Panel(panel)
        self.addCleanup(front.close)
        return {"profile": profile, "port": port, "unit": unit, "panel": front, "journal": journal}

    def stop(self, process):
        process.terminate()
        self.assertEqual(process.wait(60), 0)
        process.stdout.close()

    def point(self, sim, *words, ok=True):
        done = subprocess.run([TOOLS + "/loa-point", "--json", "--profile", sim["profile"], "--port", str(sim["port"]),
                               "--unit", str(sim["unit"])] + list(words), stdout=subprocess.PIPE, timeout=120)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode == 0, ok, answer)
        return answer

    def mbpoll(self, sim, kind, address, count):
        """Register values as mbpoll, which knows nothing of us, reads them."""
        out = subprocess.run(["mbpoll", "-m", "tcp", "-0", "-1", "-q", "-a", str(sim["unit"]), "-t", kind, "-r",
                              str(address), "-c", str(count), "-p", str(sim["port"]), "127.0.0.1"],
                             stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
        lines = [line.split(":")[1].split("(")[0].strip() for line in out.splitlines() if line.startswith("[")]
        return [int(line, 16) if line.startswith("0x") else int(line) & 0xFFFF for line in lines]

    def master(self, sim):
        client = ModbusTcpClient("127.0.0.1", port=sim["port"])
        self.assertTrue(client.connect())
        self.addCleanup(client.close)
        return client

    def stands(self, sim, **want):
        """The front panel comes to show all of this at once."""
        def shown(view):
            return all(view.get(name) == value for name, value in want.items())
        wait_for(lambda: shown(sim["panel"].view))

    def writes(self, sim):
        if not os.path.exists(sim["journal"]):
            return []
        with open(sim["journal"], encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    # ---- the shipped models ----

    def test_amplifier_is_driven_and_seen_by_others(self):
        sim = self.start(AMPLIFIER, unit=7)
        answer = self.point(sim, "on", "-6.5", "1,3")
        self.assertTrue(answer["power_proven"] and answer["mute_proven"] and answer["gain_proven"])
        self.assertEqual(answer["zones"], 5)
        self.assertEqual(self.mbpoll(sim, "4", 100, 1), [0x10000 - 65])
        client = self.master(sim)
        self.assertEqual(client.read_coils(16, 4, slave=7).bits[:4], [True, False, True, False])
        self.assertEqual(client.read_discrete_inputs(0, 1, slave=7).bits[0], True)
        self.stands(sim, power=True, mute=False, gain_db=-6.5, zones=[1, 3])
        order = [write["address"] for write in self.writes(sim)]
        self.assertEqual((order[0], order[-1]), (1, 1), "muted first, unmuted last")
        self.point(sim, "silence")
        wait_for(lambda: sim["panel"].view["mute"])
        self.point(sim, "off")
        wait_for(lambda: not sim["panel"].view["power"])

    def test_sign_shows_stacked_marks_and_chinese(self):
        sim = self.start(SIGN)
        answer = self.point(sim, "show", NOTICE)
        self.assertTrue(answer["read_back_equal"])
        registers = self.mbpoll(sim, "3", 2000, 60)
        text = b"".join(value.to_bytes(2, "big") for value in registers).decode("utf-16-be").rstrip("\0")
        self.assertEqual(text, NOTICE)
        self.stands(sim, shown=NOTICE, lit=True)
        self.assertEqual(self.point(sim, "read", "text_shown")["text_shown"], NOTICE)
        self.point(sim, "blank")
        wait_for(lambda: sim["panel"].view["shown"] == "" and not sim["panel"].view["lit"])

    def test_text_without_commit_is_not_shown(self):
        sim = self.start(SIGN)
        self.point(sim, "write", "text", "Lạng Sơn")
        self.assertEqual(self.point(sim, "read", "text_shown")["text_shown"], "")
        self.master(sim).write_coil(1, True, slave=1)
        wait_for(lambda: sim["panel"].view["shown"] == "Lạng Sơn")

    def test_level_follows_card_gain_mute_relay_and_wire(self):
        card = Card(self.path("card"))
        self.addCleanup(card.close)
        sim = self.start(AMPLIFIER, meter=self.path("card"))
        level = lambda: self.point(sim, "read", "output_level")["output_level"]
        card.level = -2300
        self.assertEqual(level(), -120, "off: nothing")
        self.point(sim, "on", "-6", "2")
        wait_for(lambda: abs(level() + 29) < 0.2)
        sim["panel"].ask({"set": {"wire": False}})
        wait_for(lambda: level() == -120)
        sim["panel"].ask({"set": {"wire": True}})
        wait_for(lambda: abs(level() + 29) < 0.2)
        card.level = -12000
        wait_for(lambda: level() == -120)
        card.level = -1000
        wait_for(lambda: abs(level() + 16) < 0.2)
        self.master(sim).write_coil(17, False, slave=1)
        wait_for(lambda: level() == -120)

    def test_panel_faults_temperature_and_bad_commands(self):
        sim = self.start(AMPLIFIER)
        self.assertEqual(sim["panel"].ask({"set": {"fault_fan": True, "temperature": 80}}), {"ok": True})
        wait_for(lambda: sim["panel"].view["faults"] == ["fault_overheat", "fault_fan"])
        self.assertEqual(self.point(sim, "read", "temperature")["temperature"], 80)
        self.assertEqual(self.mbpoll(sim, "3", 202, 1), [0b1001])
        for bad in (b"no json\n", {"set": {"colour": 1}}, {"set": 3}, {}, {"set": {"wire": "no"}}, b"[]\n"):
            self.assertIn("error", sim["panel"].ask(bad), bad)

    def test_power_cycle_forgets(self):
        sim = self.start(SIGN)
        self.point(sim, "show", "Chào")
        sim["panel"].ask({"power_cycle": True})
        wait_for(lambda: sim["panel"].view["shown"] == "")
        self.assertEqual(self.point(sim, "read", "text_shown")["text_shown"], "")

    def test_offline_device_is_an_error_within_bounds(self):
        sim = self.start(AMPLIFIER)
        sim["panel"].ask({"set": {"offline": True}})
        began = time.monotonic()
        answer = self.point(sim, "read", "power", ok=False)
        self.assertLess(time.monotonic() - began, 20)
        self.assertIn("no answer from unit 1", answer["why"])

    def test_foreign_master_is_refused_by_the_rules(self):
        sim = self.start(AMPLIFIER, unit=3)
        client = self.master(sim)
        self.assertEqual(client.read_holding_registers(0, 1, slave=3).exception_code, 2)
        self.assertEqual(client.write_register(200, 1, slave=3).exception_code, 2)
        self.assertEqual(client.write_register(100, 3000, slave=3).exception_code, 3)
        self.assertEqual(client.read_coils(0, 1, slave=4).exception_code, 11)
        self.assertEqual(self.writes(sim), [])
        self.assertFalse(client.write_registers(100, [50], slave=3).isError())
        self.assertFalse(client.write_coils(16, [True] * 4, slave=3).isError())
        self.assertEqual([w["values"] for w in self.writes(sim)], [[50], [1, 1, 1, 1]])

    def test_wrong_text_is_a_sentence_and_writes_nothing_of_it(self):
        sim = self.start(self.profile("ascii.cfg", OTHER_SIGN.replace('"utf-8"', '"ascii"')))
        answer = self.point(sim, "show", "Lạng Sơn", ok=False)
        self.assertIn("'ạ' (U+1EA1)", answer["why"])
        self.assertEqual([w for w in self.writes(sim) if w["address"] in (100, 300, 900)], [])

    # ---- the drivers hold what is wanted ----

    def watch(self, sim, *words):
        process = subprocess.Popen([TOOLS + "/loa-point", "--watch", "--within-ms", "60000", "--profile",
                                    sim["profile"], "--port", str(sim["port"]), "--unit", str(sim["unit"])]
                                   + list(words), stdout=subprocess.PIPE)
        self.addCleanup(self.stop, process)
        states = []
        reader = threading.Thread(target=lambda: states.extend(json.loads(line) for line in process.stdout))
        reader.start()
        self.addCleanup(lambda: (process.terminate(), reader.join()))
        return states

    def test_sign_that_lost_its_text_shows_it_again(self):
        sim = self.start(SIGN)
        states = self.watch(sim, "show", NOTICE)
        wait_for(lambda: states and states[-1]["phase"] == "shown" and states[-1]["read_back_equal"])
        sim["panel"].ask({"power_cycle": True})
        wait_for(lambda: states[-1]["times_lost"] >= 1 and states[-1]["phase"] == "shown")
        wait_for(lambda: sim["panel"].view["shown"] == NOTICE)
        self.master(sim).write_coil(0, True, slave=1)  # somebody else clears it
        wait_for(lambda: states[-1]["times_lost"] >= 2 and states[-1]["phase"] == "shown")
        sim["panel"].ask({"set": {"fault_module": True}})
        wait_for(lambda: states[-1]["faults"] == 1)

    def test_amplifier_that_was_away_is_asserted_anew(self):
        sim = self.start(AMPLIFIER)
        states = self.watch(sim, "on", "-10", "2,4")
        wait_for(lambda: states and states[-1]["settled"])
        began = len(states)
        sim["panel"].ask({"set": {"offline": True}})
        wait_for(lambda: any(not state["reachable"] and "does not answer" in state["problem"] for state in states[began:]))
        sim["panel"].ask({"power_cycle": True})
        before = len(self.writes(sim))
        sim["panel"].ask({"set": {"offline": False}})
        wait_for(lambda: states[-1]["settled"], 120)
        self.assertEqual(self.writes(sim)[before]["address"], 1, "mute comes first")
        self.stands(sim, power=True, mute=False, gain_db=-10, zones=[2, 4])

    def test_somebody_turns_the_gain_up(self):
        sim = self.start(AMPLIFIER)
        states = self.watch(sim, "on", "-10", "1")
        wait_for(lambda: states and states[-1]["settled"])
        before = len(self.writes(sim))
        self.master(sim).write_register(100, 120, slave=1)
        wait_for(lambda: len(self.writes(sim)) > before + 1)
        self.assertEqual([w["values"] for w in self.writes(sim)[before:before + 2]], [[120], [0x10000 - 100]])
        self.stands(sim, gain_db=-10)

    # ---- models that the programs have never seen ----

    def test_other_amplifier(self):
        sim = self.start(self.profile("x9.cfg", OTHER_AMPLIFIER), unit=9)
        answer = self.point(sim, "on", "-12.25", "1,3")
        self.assertTrue(answer["gain_proven"] and answer["zones_proven"] and answer["power_proven"], answer)
        client = self.master(sim)
        read = lambda address, n: client.read_holding_registers(address, n, slave=9).registers
        self.assertEqual(read(5000, 1), [0x0200], "2 with its bytes swapped")
        self.assertEqual(read(5010, 1), [3])
        self.assertEqual(read(5020, 1), [1 << 4 | 1 << 9])
        self.assertEqual(read(5030, 2), [0x0000, 0xC144], "-12.25 as a float, words swapped")
        self.assertEqual(client.read_input_registers(60, 2, slave=9).registers, [0x26D0, 0xFFFF], "-12250, reversed")
        self.point(sim, "silence")
        self.assertEqual(read(5010, 1), [7])
        self.point(sim, "off")
        self.assertEqual(read(5000, 1), [0x0900])

    def test_other_sign(self):
        sim = self.start(self.profile("y2.cfg", OTHER_SIGN))
        text = "Đường ế Ộ\n边境通知"
        answer = self.point(sim, "show", text)
        self.assertTrue(answer["written"] and answer["read_back_equal"])
        wait_for(lambda: sim["panel"].view["shown"] == text and sim["panel"].view["lit"])
        registers = self.mbpoll(sim, "4", 700, 30)
        raw = b"".join(value.to_bytes(2, "little") for value in registers)
        self.assertEqual(raw.decode("utf-8").rstrip(" "), "边境通知")
        commits = [w["values"] for w in self.writes(sim) if w["address"] == 900]
        self.assertEqual(commits, [[0xA500], [0]])
        self.assertTrue(all(len(w["values"]) <= 7 for w in self.writes(sim)), "no write above max_write")
        self.point(sim, "blank")
        wait_for(lambda: not sim["panel"].view["lit"])


if __name__ == "__main__":
    unittest.main()
