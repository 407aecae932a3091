"""One simulated site: what stands in a village or at a gate, each part a process of its own."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import sys

import sound
from broker import free_port, listens
from process import Failure, wait_until

PROFILES = {"amplifier": "amplifier-sim-a100.cfg", "sign": "sign-sim-t4.cfg", "relay": "relay-sim-r8.cfg",
            "meter": "meter-sim-m1.cfg"}


@dataclasses.dataclass
class Plan:
    """What a site has. `hardware`: name -> amplifier, sign, relay or meter; `profiles`: name -> path, where another model
    is meant. `bus`: "tcp", each on a port of its own, or "rtu": all of it on one serial line, in the order of `hardware`
    as units 1, 2, ... With a relay every amplifier hangs on its channel 1, 2, ...; a meter sees the first amplifier."""

    device: str
    kind: str
    area: str
    name: str
    languages: tuple = ("vi",)
    card: bool = True
    zones: tuple = ("san-van-hoa",)  # names of the amplifiers' relays, in order
    hardware: dict = dataclasses.field(default_factory=dict)
    profiles: dict = dataclasses.field(default_factory=dict)
    bus: str = "tcp"
    agent_settings: str = ""  # more lines of agent.cfg
    site_settings: str = ""   # more lines of site.cfg
    link_settings: str = ""
    relay: bool = False  # a line to the centre that can be cut
    stolen: int | None = None  # a broker in a thief's hands, and the seed that it obeys
    weather: dict | None = None  # the link in a network namespace behind a bad line: {"rate": "64kbit", "loss": 0.1}


def plans():
    """The three sites of the demo."""
    return [
        Plan("ls-loa-01", "loudspeaker", "a001", "Cụm loa Thất Khê", ("vi",), hardware={"tang-am": "amplifier"}),
        Plan("ls-bang-01", "board", "a065", "Bảng tin Đông Kinh", ("vi",), card=False, hardware={"bang": "sign"}),
        Plan("ls-ck-01", "cluster", "a058", "Cụm thông tin cửa khẩu Đồng Đăng", ("vi", "zh", "en"),
             hardware={"tang-am": "amplifier", "bang": "sign"}, bus="rtu"),
    ]


def panel(path, request=None, seconds=20):
    """The panel's first line, or with a request the answer to it (panels that changed in between are passed over)."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(seconds)
        s.connect(path)
        with s.makefile("rw", encoding="utf-8") as lines:
            first = json.loads(lines.readline())
            if request is None:
                return first
            lines.write(json.dumps(request) + "\n")
            lines.flush()
            while True:
                answer = json.loads(lines.readline())
                if "ok" in answer or "error" in answer:
                    return answer


class Simulator:
    """One amplifier, sign, relay board or meter: on its own Modbus TCP port, or on the site's serial line."""

    def __init__(self, site, name, what, profile, line=None):
        self.name, self.what, self.profile, self.line = name, what, profile, line
        self.unit = len(line.simulators) + 1 if line else 1
        self.panel = site.i.socket(f"{site.plan.device}-{name}.panel")
        self.journal = site.path(f"{name}.writes")  # one JSON line for each register write
        argv = ["--profile", profile, "--unit", self.unit, "--name", name, "--panel", self.panel, "--journal", self.journal]
        if what == "amplifier" and site.plan.card:
            argv += ["--meter", site.meter]
        if line:
            self.port, self.process = line.port, line.process
            line.add(self, argv)
        else:
            self.port = free_port()
            self.process = site.i.keeper.process(f"{site.plan.device} {name}", [
                site.i.exe("loa-modbus-sim"), "--port", self.port, *argv], site.log(name))

    def look(self):
        """The front panel: what a technician would see."""
        return panel(self.panel)

    def set(self, **values):
        """What happens to the hardware: wire=False, fault_fan=True, offline=True, ..."""
        answer = panel(self.panel, {"set": values})
        if not answer.get("ok"):
            raise Failure(f"{self.name}: {answer.get('error')}")

    def registers(self, first, count, kind="input"):
        """What an independent Modbus master (mbpoll) reads there, in pieces of at most 100 registers."""
        values = []
        for at in range(first, first + count, 100):
            _, out, _ = self.process.keeper.run(
                ["mbpoll", "-m", "tcp", "-p", self.port, "-a", self.unit, "-0", "-r", at, "-c", min(100, first + count - at),
                 "-t", {"input": "3:hex", "holding": "4:hex"}[kind], "-1", "127.0.0.1"], "mbpoll")
            values += [int(word, 16) for word in re.findall(r"^\[\d+\]:\s+0x([0-9A-Fa-f]+)", out, re.MULTILINE)]
        return values

    def shown(self):
        """The text that is lit, read by mbpoll from the shipped sign's registers (UTF-16, one unit in each)."""
        units = self.registers(2000, 160)
        units = units[:units.index(0)] if 0 in units else units
        return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be").rstrip()

    def writes(self):
        """Register writes so far, oldest first."""
        with contextlib.suppress(FileNotFoundError), open(self.journal) as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]
        return []

    def describe(self):
        about = {"name": self.name, "profile": self.profile, "transport": "rtu" if self.line else "tcp", "host": "127.0.0.1",
                 "port": self.port, "unit": self.unit, "panel": self.panel, "journal": self.journal}
        return {**about, "tty": self.line.tty} if self.line else about


class SerialLine:
    """One RS-485 line with several slaves, and a TCP side onto the same registers for a second reader."""

    def __init__(self, site):
        self.port, self.tty = free_port(), site.i.socket(f"{site.plan.device}.tty")
        self.simulators, plan = [], site.plan
        self.amplifiers = [name for name, what in plan.hardware.items() if what == "amplifier"]
        self.relay = next((name for name, what in plan.hardware.items() if what == "relay"), None)
        self.process = site.i.keeper.process(f"{plan.device} bus", [
            site.i.exe("loa-modbus-sim"), "--port", self.port, "--tty", self.tty], site.log("bus"))

    def add(self, simulator, argv):
        if self.relay and simulator.what == "amplifier":
            argv += ["--mains", f"{self.relay}.{self.amplifiers.index(simulator.name) + 1}"]
        if simulator.what == "meter":
            argv += ["--measures", self.amplifiers[0]]
        self.simulators.append(simulator)
        self.process.argv += [str(argument) for argument in argv]

    def mains_of(self, name):
        """How site.cfg says where an amplifier's power comes from and who sees it."""
        meter = next((s.name for s in self.simulators if s.what == "meter"), None)
        text = ""
        if self.relay:
            text += f'mains = {{ relay = "{self.relay}"; channel = {self.amplifiers.index(name) + 1}; up_ms = 200; }}; '
        if meter and name == self.amplifiers[0]:
            text += f'meter = {{ name = "{meter}"; off_w = 8; on_w = 10; }}; '
        return text


class Relay:
    """The line from a site's link to one port of the centre."""

    def __init__(self, site, what, to, host="127.0.0.1", before=()):
        """`to`: a port of this machine, or host:port. `host`: where it listens. `before`: what the command runs in."""
        self.port, self.host, self.before = free_port(), host, before
        relay = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay.py")
        self.process = site.i.keeper.process(
            f"{site.plan.device} relay to {what}",
            [*before, sys.executable, "-B", relay, f"{host}:{self.port}", to], site.log(f"relay-{what}"))

    def listens(self):
        """Asked without a connection, which a cut or slow line would make something of."""
        with open(f"/proc/{self.process.pid}/net/tcp", encoding="ascii") as table:
            return any(f":{self.port:04X} 00000000:0000 0A" in line for line in table)


class BadLine:
    """A network namespace of the site's own, behind a veth pair that is narrow (token bucket) and loses packets both
    ways. Inside, two relays stand where the centre's ports seem to be. Needs root, iproute2 and nftables."""

    made = 0

    def __init__(self, site, rate, loss):
        BadLine.made += 1
        self.keeper, self.rate, self.loss = site.i.keeper, rate, loss
        number = os.getpid() % 60000 * 4 + BadLine.made % 4  # a /30 of its own for each on this machine
        self.name = f"loa{number}"
        base = (198 << 24) + (18 << 16) + number % 32768 * 4  # 198.18.0.0/15: networks for tests (RFC 2544)
        self.ours, self.theirs = (".".join(str((base + k) >> s & 255) for s in (24, 16, 8, 0)) for k in (1, 2))
        into = self.inside([])
        self.relays, self.ports = [], []
        for what, port in (("broker", site.i.broker.port), ("blobs", site.i.blobs_port)):
            outer = Relay(site, what + "-outside", port, host=self.ours)
            inner = Relay(site, what, f"{self.ours}:{outer.port}", before=into)
            self.relays += [outer, inner]
            self.ports.append(inner.port)

    def inside(self, argv):
        return ["ip", "netns", "exec", self.name, *argv]

    def lay(self):
        run = self.keeper.run
        run(["ip", "netns", "add", self.name])
        self.keeper.at_end(self.remove)
        run(["ip", "link", "add", self.name, "type", "veth", "peer", "name", "line", "netns", self.name])
        run(["ip", "address", "add", self.ours + "/30", "dev", self.name])
        run(["ip", "link", "set", self.name, "up"])
        run(self.inside(["ip", "address", "add", self.theirs + "/30", "dev", "line"]))
        for device in ("lo", "line"):
            run(self.inside(["ip", "link", "set", device, "up"]))
        bucket = ["root", "tbf", "rate", self.rate, "burst", "4kb", "latency", "400ms"]
        run(["tc", "qdisc", "add", "dev", self.name, *bucket])
        run(self.inside(["tc", "qdisc", "add", "dev", "line", *bucket]))
        # Both directions inside the namespace, so that no rule of the machine is touched.
        for hook in ("input", "output"):
            rule = "iifname line" if hook == "input" else "oifname line"
            run(self.inside(["nft", f"add table ip loa; add chain ip loa {hook} {{ type filter hook {hook} priority 0; }}; "
                             f"add rule ip loa {hook} {rule} numgen random mod 1000 < {int(self.loss * 1000)} counter drop"]))

    def counters(self):
        """(bytes to the site, bytes from it) that crossed the line, at IP level and above plus 14 of Ethernet a packet."""
        def read(name):
            with open(f"/sys/class/net/{self.name}/statistics/{name}", encoding="ascii") as file:
                return int(file.read())
        return read("tx_bytes"), read("rx_bytes")

    def lost(self):
        """Packets dropped so far."""
        _, out, _ = self.keeper.run(self.inside(["nft", "list", "table", "ip", "loa"]))
        return sum(int(n) for n in re.findall(r"counter packets (\d+)", out))

    def remove(self):
        self.keeper.run(["ip", "netns", "del", self.name], check=False)


class Thief:
    """A stolen broker between this site's link and the true one: stolen_broker.py."""

    def __init__(self, site, seed):
        i = site.i
        self.port = free_port()
        self.log = site.log("thief")
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stolen_broker.py")
        self.process = i.keeper.process(
            f"{site.plan.device} stolen broker",
            [sys.executable, "-B", program, self.port, i.broker.port, i.pki.ca, i.broker.cert, i.broker.key, site.cert,
             site.key, seed], self.log)

    def hostile(self):
        self.process.signal(signal.SIGUSR1)

    def honest(self):
        self.process.signal(signal.SIGUSR2)

    def deeds(self):
        """What it did, a line each."""
        with open(self.log, encoding="utf-8", errors="replace") as lines:
            return lines.read().splitlines()


class Site:
    def __init__(self, installation, plan):
        self.i, self.plan, self.device = installation, plan, plan.device
        self.folder = installation.make_dir("sites", plan.device)
        self.link_socket = installation.socket(f"{plan.device}.link")
        self.card_socket = installation.socket(f"{plan.device}.card")
        self.meter = installation.socket(f"{plan.device}.meter")
        self.card_control = installation.socket(f"{plan.device}.ctl")
        self.recording = None
        self.recordings = 0
        self.cert, self.key = installation.pki.client(plan.device)
        self.box = installation.new_key(f"box-{plan.device}")
        keeper = installation.keeper
        self.serial = SerialLine(self) if plan.bus == "rtu" else None
        self.simulators = [Simulator(self, name, what, self._profile(name, what), self.serial)
                           for name, what in plan.hardware.items()]
        self.card = keeper.process(f"{plan.device} card", [], self.log("card")) if plan.card else None
        self.link = keeper.process(f"{plan.device} link", [installation.exe("loa-link"), "--config", self.path("link.cfg")],
                                   self.log("link"))
        self.agent = keeper.process(
            f"{plan.device} agent",
            [installation.exe("loa-agent"), "--config", self.path("agent.cfg"), "--site", self.path("site.cfg")],
            self.log("agent"))
        self.relays = [Relay(self, "broker", installation.broker.port), Relay(self, "blobs", installation.blobs_port)] \
            if plan.relay else []
        self.thief = Thief(self, plan.stolen) if plan.stolen is not None else None
        self.line = BadLine(self, **plan.weather) if plan.weather is not None else None
        self.relays += self.line.relays if self.line else []
        if self.line:
            self.link.argv = self.line.inside(self.link.argv)
        self.configure()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def log(self, part):
        return self.i.log(f"{self.plan.device}-{part}")

    def _profile(self, name, what):
        return self.plan.profiles.get(name) or os.path.join(self.i.top, "boards", "profiles", PROFILES[what])

    def configure(self):
        """Write link.cfg, agent.cfg and site.cfg."""
        i = self.i
        ports = [self.thief.port] if self.thief else self.line.ports if self.line else [r.port for r in self.relays]
        i.write(self.path("link.cfg"),
                i.link_config(self.link_socket, self.path("spool"), self.device, self.cert, self.key, True, *ports)
                + self.plan.link_settings)
        os.makedirs(self.path("spool"), exist_ok=True)
        i.write(self.path("agent.cfg"), f'''\
device = "{self.device}";
serial = "SIM-{self.device}";
vault = "{self.path("vault")}";
link = "{self.link_socket}";
roots = ["{i.roots[0]["x"]}", "{i.roots[1]["x"]}"];
key = "{self.box["file"]}";
spool = "{self.path("spool")}";
''' + self.plan.agent_settings)
        i.write(self.path("site.cfg"), self._wiring() + self.plan.site_settings)

    def _wiring(self):
        if self.serial:
            buses = f'  {{ name = "rs485"; transport = "rtu"; tty = "{self.serial.tty}"; baud = 19200; parity = "even"; }}'
        else:
            buses = ",\n".join(f'  {{ name = "{s.name}-bus"; transport = "tcp"; host = "127.0.0.1"; port = {s.port}; }}'
                               for s in self.simulators)
        text = f"buses = (\n{buses}\n);\n"
        zones = ", ".join(f'"{zone}"' for zone in self.plan.zones)
        for group, what in (("relays", "relay"), ("meters", "meter"), ("amplifiers", "amplifier"), ("signs", "sign")):
            more = {s.name: f"zones = [{zones}]; " + (self.serial.mains_of(s.name) if self.serial else "")
                    for s in self.simulators if s.what == what == "amplifier"}
            units = ",\n".join(
                f'  {{ name = "{s.name}"; bus = "{"rs485" if self.serial else s.name + "-bus"}"; unit = {s.unit}; '
                f'profile = "{s.profile}"; {more.get(s.name, "")}}}' for s in self.simulators if s.what == what)
            if units:
                text += f"{group} = (\n{units}\n);\n"
        if self.plan.card:
            text = f'sound = {{ device = "loa"; alsa_config = "{self.path("asound.conf")}"; }};\n' + text
        return text

    def start_card(self):
        """A card that was killed leaves its recording whole; the next one records into a new file."""
        if not self.card or self.card.alive():
            return
        self.recordings += 1
        self.recording = self.path("recording.wav" if self.recordings == 1 else f"recording-{self.recordings}.wav")
        self.card.argv = [str(a) for a in (
            self.i.exe("loa-card"), "--socket", self.card_socket, "--recording", self.recording, "--meter", self.meter,
            "--conf", self.path("asound.conf"), "--control", self.card_control)]
        self.card.start()

    def tell_card(self, words):
        """Something goes wrong with the card, or right again (`loa-card --help`)."""
        return sound.tell_card(self.card_control, words)

    def start(self):
        """Start everything. The agent is started once its card is there; what else is late it waits for by itself."""
        self.start_card()
        for process in self._simulator_processes():
            process.start()
        if self.line:
            self.line.lay()
        for relay in self.relays:
            relay.process.start()
            wait_until(lambda r=relay: self._standing(r.process, r.listens()), 10, f"{relay.process.name} does not listen")
        if self.thief:
            self.thief.process.start()
            wait_until(lambda: self._standing(self.thief.process, listens(self.thief.port)), 10, "the thief does not listen")
        self.link.start()
        if self.card:
            wait_until(lambda: self._standing(self.card, os.path.exists(self.path("asound.conf"))), 10,
                       f"{self.device}: the card is not there")
        self.agent.start()

    def _standing(self, process, condition):
        if not process.alive():
            raise Failure(f"{process.name} ended: {process.log_tail() or 'without a word'}")
        return condition

    def wait_simulators(self, seconds=10):
        for s in self.simulators:
            wait_until(lambda s=s: self._standing(s.process, listens(s.port)), seconds,
                       f"{self.device}: {s.name} does not answer on port {s.port}")

    def _simulator_processes(self):
        return list(dict.fromkeys(s.process for s in self.simulators))

    def processes(self):
        parts = self._simulator_processes() + [r.process for r in self.relays]
        parts += [self.thief.process] if self.thief else []
        return [p for p in [self.card, *parts, self.link, self.agent] if p]

    def stop(self):
        for process in reversed(self.processes()):
            process.stop()

    def cut(self):
        """The network is gone, and nobody is told (needs Plan.relay)."""
        for relay in self.relays:
            relay.process.signal(signal.SIGUSR1)

    def mend(self):
        """The network is back; connections of before are dead."""
        for relay in self.relays:
            relay.process.signal(signal.SIGUSR2)

    def online(self):
        with contextlib.suppress(Failure):
            return self.i.api.device(self.device)["online"]
        return False

    def settled(self):
        """Connected, and holding just what the controller wants it to hold."""
        with contextlib.suppress(Failure):
            device = self.i.api.device(self.device)
            return device["online"] and device["up_to_date"]
        return False

    def wait_online(self, seconds=30):
        wait_until(self.online, seconds, f"{self.device} is not connected")

    def wait_settled(self, seconds=30):
        wait_until(self.settled, seconds, f"{self.device} has not adopted what was published", 0.1)

    def has_blob(self, hash):
        return os.path.exists(self.path("vault", "blobs", hash[:2], hash))

    def heard(self, source, at_unix_s):
        """(correlation, lag in s) of a sound file with what the card put out at this instant."""
        return sound.Recording(self.recording).compare(sound.decode(self.i.keeper, source), at_unix_s)

    def receipts(self, rule=None):
        return self.i.api.receipts(device=self.device, rule=rule)

    def describe(self):
        about = {"device": self.device, "kind": self.plan.kind, "modbus": [s.describe() for s in self.simulators],
                 "pids": {"agent": self.agent.pid, "link": self.link.pid,
                          **{s.name: s.process.pid for s in self.simulators}},
                 "logs": [p.log for p in self.processes()], "vault": self.path("vault"), "area": self.plan.area,
                 "box_key": self.box["file"]}
        if self.card:
            about["recording"] = self.recording
            about["pids"]["card"] = self.card.pid
        return about
