#!/usr/bin/python3
"""Modbus RTU on a pty: drivers, simulator and independent peers (mbpoll, pymodbus) against each other, and slaves with
everything that can be wrong with them, over RTU and over TCP.

Needs LOA_BUILD_DIR, the build folder. Everything lives in a temporary folder; every process started is stopped."""
import json
import os
import pty
import selectors
import subprocess
import sys
import threading
import time
import tty
import unittest

from pymodbus.client import ModbusSerialClient, ModbusTcpClient

from test_boards import AMPLIFIER, SIGN, SOURCE, TOOLS, Boards, Panel, wait_for

RELAY = os.path.join(SOURCE, "boards/profiles/relay-sim-r8.cfg")
METER = os.path.join(SOURCE, "boards/profiles/meter-sim-m1.cfg")
FAULTS = ("silent", "late:500", "late:900", "dribble:400", "dribble:30", "wrong_unit", "wrong_function", "garbage", "short",
          "twice", "exception:4", "late:450/2", "garbage/2")

PYMODBUS_SLAVES = """
import sys
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartSerialServer
from pymodbus.transaction import ModbusRtuFramer
block = lambda: ModbusSequentialDataBlock(0, [0] * 300)
slave = lambda: ModbusSlaveContext(di=block(), co=block(), hr=block(), ir=block(), zero_mode=True)
print("ready", flush=True)
StartSerialServer(context=ModbusServerContext(slaves={3: slave(), 4: slave()}, single=False), framer=ModbusRtuFramer,
                  port=sys.argv[1], baudrate=9600, ignore_missing_slaves=True)
"""


class Cable:
    """Two ptys joined: what goes in at one end comes out at the other."""

    def __init__(self):
        self.masters, self.ends, self.slaves = [], [], []
        for _ in range(2):
            master, slave = pty.openpty()
            tty.setraw(slave)
            self.masters.append(master)
            self.slaves.append(slave)
            self.ends.append(os.ttyname(slave))
        self.wake = os.pipe()
        self.thread = threading.Thread(target=self._carry)
        self.thread.start()

    def _carry(self):
        with selectors.DefaultSelector() as selector:
            for fd in self.masters + [self.wake[0]]:
                selector.register(fd, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == self.wake[0]:
                        return
                    os.write(self.masters[1 - self.masters.index(key.fd)], os.read(key.fd, 512))

    def close(self):
        os.write(self.wake[1], b"x")
        self.thread.join()
        for fd in self.masters + self.slaves + list(self.wake):
            os.close(fd)


class Rtu(Boards):
    def bus(self, *slaves, baud=0):
        """Start slaves (profile, unit, more options) on one bus; returns what the tests need of each."""
        link = self.path("tty")
        arguments = [TOOLS + "/loa-modbus-sim", "--tty", link, "--baud", str(baud)]
        sims = []
        for profile, unit, *more in slaves:
            name = "u%d" % unit
            arguments += ["--profile", profile, "--unit", str(unit), "--name", name, "--panel", self.path(name + ".panel"),
                          "--journal", self.path(name + ".journal")] + more
            sims.append({"profile": profile, "unit": unit, "tty": link, "journal": self.path(name + ".journal")})
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        self.addCleanup(self.stop, process)
        port = json.loads(process.stdout.readline())["port"]
        for sim in sims:
            sim["port"] = port
            sim["panel"] = Panel(self.path("u%d.panel" % sim["unit"]))
            self.addCleanup(sim["panel"].close)
        return sims

    def place(self, sim, over):
        return ["--tty", sim["tty"]] if over == "rtu" else ["--port", str(sim["port"])]

    def point(self, sim, *words, ok=True, over="rtu"):
        done = subprocess.run([TOOLS + "/loa-point", "--json", "--profile", sim["profile"], "--unit", str(sim["unit"])]
                              + self.place(sim, over) + list(words), stdout=subprocess.PIPE, timeout=120)
        answer = json.loads(done.stdout)
        if ok is not None:
            self.assertEqual(done.returncode == 0, ok, answer)
        return answer

    def watch(self, sim, *words, over="rtu"):
        process = subprocess.Popen([TOOLS + "/loa-point", "--watch", "--within-ms", "60000", "--profile", sim["profile"],
                                    "--unit", str(sim["unit"])] + self.place(sim, over) + list(words),
                                   stdout=subprocess.PIPE)
        self.addCleanup(self.stop, process)
        states = []
        reader = threading.Thread(target=lambda: states.extend(json.loads(line) for line in process.stdout))
        reader.start()
        self.addCleanup(lambda: (process.terminate(), reader.join()))
        return states

    def fault(self, sim, word):
        self.assertEqual(sim["panel"].ask({"set": {"fault": word}}), {"ok": True})

    # ---- peers ----

    def test_several_slaves_and_a_second_reader_on_tcp(self):
        amp, sign, relay = self.bus((AMPLIFIER, 1), (SIGN, 7), (RELAY, 247))
        self.assertEqual(self.point(amp, "on", "-6.5", "1,3")["zones"], 5)
        self.assertTrue(self.point(sign, "show", "Đường ế Ộ\n边境通知")["read_back_equal"])
        self.point(relay, "write", "channel_8", "1")
        self.assertEqual(self.mbpoll(amp, "4", 100, 1), [0x10000 - 65])
        client = self.master(amp)
        self.assertEqual(client.read_coils(0, 8, slave=247).bits, [False] * 7 + [True])
        self.assertEqual(client.read_coils(16, 4, slave=1).bits[:4], [True, False, True, False])
        wait_for(lambda: sign["panel"].view.get("shown") == "Đường ế Ộ\n边境通知")
        client.write_coil(2, True, slave=247)  # and what TCP writes RTU reads
        self.assertEqual(self.point(relay, "read", "channel_3")["channel_3"], 1)

    def test_mbpoll_and_pymodbus_master_our_slaves(self):
        amp, relay = self.bus((AMPLIFIER, 1), (RELAY, 8))
        rtu = ["mbpoll", "-m", "rtu", "-b", "9600", "-P", "none", "-0", "-1", "-q"]
        subprocess.run(rtu + ["-a", "8", "-t", "0", "-r", "3", amp["tty"], "1", "0", "1"], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
        wait_for(lambda: relay["panel"].view["channels"] == [4, 6])
        out = subprocess.run(rtu + ["-a", "1", "-t", "3", "-r", "200", "-c", "2", amp["tty"]], check=True, timeout=60,
                             stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("[200]: \t64336", out)  # -120.0 dB
        client = ModbusSerialClient(amp["tty"], baudrate=9600, timeout=10)
        self.assertTrue(client.connect())
        self.addCleanup(client.close)
        self.assertEqual(client.read_coils(0, 8, slave=8).bits, [False, False, False, True, False, True, False, False])
        self.assertFalse(client.write_registers(100, [50], slave=1).isError())
        self.assertEqual(client.read_holding_registers(100, 1, slave=1).registers, [50])
        self.assertEqual(client.read_holding_registers(0, 1, slave=1).exception_code, 2)
        ModbusSerialClient.write_coils(client, 0, [True] * 8, slave=0)  # for all: done, not answered
        wait_for(lambda: relay["panel"].view["channels"] == list(range(1, 9)))

    def test_pymodbus_slaves_under_our_master(self):
        cable = Cable()
        self.addCleanup(cable.close)
        server = subprocess.Popen([sys.executable, "-B", "-c", PYMODBUS_SLAVES, cable.ends[0]], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (server.kill(), server.wait(), server.stdout.close()))
        self.assertEqual(server.stdout.readline(), b"ready\n")
        sims = [{"profile": RELAY, "unit": unit, "tty": cable.ends[1]} for unit in (3, 4)]
        wait_for(lambda: "channel_1" in self.point(sims[0], "read", "channel_1", ok=None))
        self.point(sims[0], "write", "channel_2", "1")
        self.assertEqual(self.point(sims[0], "read", "channel_2")["channel_2"], 1)
        self.assertEqual(self.point(sims[1], "read", "channel_2")["channel_2"], 0)
        amp = {"profile": AMPLIFIER, "unit": 4, "tty": cable.ends[1]}
        self.point(amp, "write", "gain", "-12.5")
        self.assertEqual(self.point(amp, "read", "gain")["gain"], -12.5)
        self.assertIn("no answer from unit 9", self.point({**amp, "unit": 9}, "read", "gain", ok=False)["why"])

    def test_at_the_speed_of_a_line(self):
        amp, = self.bus((AMPLIFIER, 1), baud=9600)
        self.assertEqual(self.point(amp, "on", "-6.5", "1,3")["zones"], 5)

    # ---- what can be wrong ----

    def check_fault(self, sim, over, word):
        """A value that changes: each reading is the one of now, or none; a fault that ends is over."""
        self.fault(sim, word)
        for step in range(2):
            value = 30.0 + step * 7 + len(word)
            sim["panel"].ask({"set": {"temperature": value}})
            began = time.monotonic()
            answer = self.point(sim, "read", "temperature", ok=None, over=over)
            self.assertLess(time.monotonic() - began, 30)
            if "temperature" in answer:
                self.assertEqual(answer["temperature"], value, (over, word))
        self.fault(sim, "none")
        value = 60.0 + len(word)
        sim["panel"].ask({"set": {"temperature": value}})
        found = wait_for(lambda: self.point(sim, "read", "temperature", ok=None, over=over).get("temperature"), 120)
        self.assertEqual(found, value, (over, word))

    def test_every_fault_over_both_transports(self):
        """All at once, each with a bus of its own; what is waited for is their silence."""
        jobs = [(over, word) for over in ("rtu", "tcp") for word in FAULTS]
        folder, failures = self.dir, []

        def run(index, over, word):
            case = Rtu("setUp")
            case.dir = os.path.join(folder, "job%d" % index)
            os.mkdir(case.dir)
            try:
                sim, = case.bus((AMPLIFIER, 1))
                case.check_fault(sim, over, word)
            except Exception as error:  # told by the thread that asserts
                failures.append((over, word, repr(error)))
            finally:
                case.doCleanups()

        threads = [threading.Thread(target=run, args=(i, *job)) for i, job in enumerate(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_values_that_stand_still_prove_nothing(self):
        for over in ("rtu", "tcp"):
            self.count += 1
            self.dir = self.path("bus%d" % self.count)
            os.mkdir(self.dir)
            amp, = self.bus((AMPLIFIER, 1))
            self.fault(amp, "frozen")
            states = self.watch(amp, "on", "-6", "1", over=over)
            wait_for(lambda: any("reads" in state["problem"] for state in states))
            self.assertFalse(any(state["settled"] for state in states))
            self.fault(amp, "none")
            wait_for(lambda: states[-1]["settled"], 120)

    def test_gone_and_back(self):
        for over in ("rtu", "tcp"):
            self.count += 1
            self.dir = self.path("bus%d" % self.count)
            os.mkdir(self.dir)
            amp, = self.bus((AMPLIFIER, 1))
            states = self.watch(amp, "on", "-10", "2", over=over)
            wait_for(lambda: states and states[-1]["settled"])
            before = len(states)
            self.fault(amp, "gone:2500")
            wait_for(lambda: any(not state["reachable"] for state in states[before:]))
            wait_for(lambda: amp["panel"].view["fault"] == "none")
            wait_for(lambda: states[-1]["settled"], 120)

    def test_adapter_pulled_and_plugged(self):
        amp, = self.bus((AMPLIFIER, 1))
        states = self.watch(amp, "on", "-10", "2,4")
        wait_for(lambda: states and states[-1]["settled"])
        self.assertEqual(amp["panel"].ask({"set": {"tty": False}}), {"ok": True})
        wait_for(lambda: not states[-1]["reachable"])
        self.assertFalse(os.path.lexists(amp["tty"]))
        amp["panel"].ask({"power_cycle": True})
        amp["panel"].ask({"set": {"tty": True}})
        wait_for(lambda: states[-1]["settled"], 120)
        wait_for(lambda: amp["panel"].view["zones"] == [2, 4] and not amp["panel"].view["mute"])

    def test_a_neighbour_that_dribbles_or_babbles_is_lived_with(self):
        amp, other = self.bus((AMPLIFIER, 1), (RELAY, 2))
        theirs = None
        for word in ("dribble:400", "garbage", "late:500"):
            self.fault(other, word)
            theirs = subprocess.Popen([TOOLS + "/loa-point", "--profile", RELAY, "--port", str(other["port"]), "--unit", "2",
                                       "read", "channel_1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.assertEqual(self.point(amp, "on", "-6", "1")["zones"], 1)
            self.point(amp, "off")
            theirs.wait(120)

    def test_bad_faults_are_sentences(self):
        amp, = self.bus((AMPLIFIER, 1))
        for bad in ("tardy", "late:-1", "late:x", "exception:0", "late/0", 3, None):
            self.assertIn("error", amp["panel"].ask({"set": {"fault": bad}}), bad)
        for arguments in (["--fault", "tardy"], ["--unit", "1", "--profile", SIGN, "--unit", "1"], ["--mains", "x.1"],
                          ["--measures", "nobody"], ["--tty", "/nonexistent/tty"]):
            done = subprocess.run([TOOLS + "/loa-modbus-sim", "--profile", AMPLIFIER] + arguments, stderr=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertTrue(done.stderr.startswith(b"loa-modbus-sim: "), done.stderr)


    # ---- mains ----

    def test_mains_through_a_relay_and_their_meter(self):
        relay, amp, meter = self.bus((RELAY, 8), (AMPLIFIER, 1, "--mains", "u8.2"), (METER, 9, "--measures", "u1"))
        self.assertIn("no answer", self.point(amp, "read", "power", ok=False)["why"])
        self.assertEqual(self.point(meter, "read", "active_power")["active_power"], 0)
        self.point(relay, "write", "channel_2", "1")
        self.point(amp, "on", "-6", "1")
        wait_for(lambda: self.point(meter, "read", "active_power")["active_power"] == 14)
        self.assertEqual(self.master(relay).read_input_registers(12, 2, slave=9).registers, [0x4160, 0], "14.0 as a float")
        meter["panel"].ask({"set": {"watts": 40}})
        wait_for(lambda: self.point(meter, "read", "active_power")["active_power"] == 40)
        self.point(relay, "write", "channel_2", "0")
        wait_for(lambda: amp["panel"].view["mains"] is False)


# what is inherited runs in its own file
for name in [name for name in dir(Boards) if name.startswith("test_")]:
    setattr(Rtu, name, None)
del Boards

if __name__ == "__main__":
    unittest.main()
