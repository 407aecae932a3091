"""The packages as an installer meets them: built, installed in a scratch root, configured, run as their units have them
(users, file permissions, no capability, read-only system, system call filter), and purged without a trace."""

import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from world import BUILD, World, site, wait_until  # noqa: E402

from scratch import Scratch  # noqa: E402
from unit import Unit  # noqa: E402

UNITS = ("loa-agent.service", "loa-link.service", "loa-controller.service", "loa-controller-link.service")
PACKAGES = ("loa-agent", "loa-controller", "loa-tools")
EXPOSURE_MAX = 2.0
# What dpkg, useradd and the like keep of their own work.
BOOKS = re.compile(r"/var/(lib/dpkg|log|cache)/|/run/systemd/|/etc/(\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-?)$")
DEVICE = "ls-goi-01"

scratch = None
debs = {}


def setUpModule():
    global scratch
    folder = tempfile.mkdtemp(prefix="loa-deb-")
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(["cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", folder], check=True,
                   capture_output=True, cwd=folder)
    for path in glob.glob(os.path.join(folder, "*.deb")):
        debs[os.path.basename(path).split("_")[0]] = path
    visible = {tempfile.gettempdir(), BUILD}
    scratch = Scratch(sorted(p for p in visible if not any(p.startswith(o + "/") for o in visible)))
    unittest.addModuleCleanup(scratch.close)
    scratch.before = scratch.changed(), scratch.folders()
    scratch.run("dpkg", "-i", *debs.values())


class Contents(unittest.TestCase):
    def test_three_packages_without_secrets(self):
        self.assertEqual(sorted(debs), sorted(PACKAGES))
        for deb in debs.values():
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(["dpkg-deb", "-x", deb, folder], check=True)
                for path in glob.glob(folder + "/**/*", recursive=True):
                    self.assertNotRegex(path, r"\.(jwk|key|pem|crt|jws|db)$")
                    if os.path.isfile(path):
                        with open(path, "rb") as file:
                            data = file.read()
                        self.assertNotIn(b"PRIVATE KEY-----\n", data, path)
                        self.assertNotRegex(data, rb'"d"\s*:\s*"[A-Za-z0-9_-]{43}"', path)

    def test_described_in_both_languages(self):
        for deb in debs.values():
            text = subprocess.run(["dpkg-deb", "-f", deb], capture_output=True, text=True, check=True).stdout
            self.assertIn("điều khiển" if "tools" not in deb else "mô phỏng", text.lower())
            self.assertRegex(text, r"(?m)^ (Drives|Plans|The loa command line)")
            self.assertIn("libc6 (>=", text)

    def test_files_users_permissions(self):
        want = {"/etc/loa": ("755", "root", "root"),
                "/var/lib/loa/vault": ("700", "loa-agent", "loa-agent"),
                "/var/lib/loa/spool": ("2770", "loa-link", "loa-site"),
                "/run/loa": ("750", "loa-link", "loa-site"),
                "/var/lib/loa-controller": ("700", "loa-controller", "loa-controller"),
                "/run/loa-controller": ("750", "loa-link", "loa-centre"),
                "/usr/bin/loa-agent": ("755", "root", "root"),
                "/etc/loa/agent.cfg": ("644", "root", "root")}
        for path, state in want.items():
            self.assertEqual(scratch.state(path), state, path)
        for user in ("loa-agent", "loa-link", "loa-controller"):
            _, line = scratch.run("getent", "passwd", user)
            self.assertTrue(line.strip().endswith("/nologin"), line)
        _, conffiles = scratch.run("dpkg-query", "-W", "-f", "${Conffiles}", *PACKAGES[:2])
        self.assertEqual(sorted(re.findall(r"/etc/loa/\S+", conffiles)),
                         ["/etc/loa/agent.cfg", "/etc/loa/controller-link.cfg", "/etc/loa/controller.cfg",
                          "/etc/loa/link.cfg", "/etc/loa/site.cfg"])

    def test_nothing_starts_before_it_is_configured(self):
        for name in UNITS:
            keys = [p for p in Unit(scratch.path(f"/lib/systemd/system/{name}")).values["ConditionPathExists"]
                    if p.endswith((".jwk", ".key"))]
            self.assertTrue(keys, name)
            self.assertFalse(any(os.path.exists(scratch.path(key)) for key in keys), name)

    def test_every_program_tells_its_use(self):
        for program in ("/usr/bin/loa-agent", "/usr/bin/loa-controller", "/usr/bin/loa", "/usr/bin/loa-card",
                        "/usr/bin/loa-modbus-sim", "/usr/bin/loa-point", "/usr/libexec/loa-agent/loa-link",
                        "/usr/libexec/loa-controller/loa-link"):
            code, out = scratch.run(program, "--help", check=False)
            self.assertEqual(code, 0, program)
            self.assertIn("--", out, program)


class Units(unittest.TestCase):
    def test_verified(self):
        _, out = scratch.run("systemd-analyze", "verify", *(f"/lib/systemd/system/{unit}" for unit in UNITS))
        self.assertNotIn("loa", out)

    def test_exposure(self):
        for name in UNITS:
            _, out = scratch.run("systemd-analyze", "security", "--offline=true", "--no-pager",
                                 f"/lib/systemd/system/{name}")
            exposure = float(re.search(r"exposure level for \S+ ([0-9.]+)", out)[1])
            print(f"  {name}: exposure {exposure}", file=sys.stderr)
            self.assertLessEqual(exposure, EXPOSURE_MAX, name)

    def test_the_agent_has_no_address_and_only_its_card(self):
        agent = Unit(scratch.path("/lib/systemd/system/loa-agent.service"))
        self.assertEqual(agent.words("IPAddressDeny"), ["any"])
        self.assertEqual(agent.words("IPAddressAllow"), [])
        self.assertEqual(agent.words("RestrictAddressFamilies"), ["AF_UNIX", "AF_INET"])
        self.assertEqual((agent.last("DevicePolicy"), agent.values["DeviceAllow"]), ("closed", ["char-alsa rw"]))
        for name in UNITS:
            unit = Unit(scratch.path(f"/lib/systemd/system/{name}"))
            self.assertEqual(unit.values["CapabilityBoundingSet"], [""], name)
            self.assertFalse(unit.calls() & {"ptrace", "mount", "reboot", "settimeofday", "init_module", "bpf", "chown",
                                             "setuid", "keyctl", "kexec_load", "clock_settime", "swapon", "iopl"}, name)


class Examples(unittest.TestCase):
    CHECKS = {"loa-agent": ["/usr/bin/loa-agent", "--config", "/etc/loa/agent.cfg", "--site", "/etc/loa/site.cfg"],
              "loa-link": ["/usr/libexec/loa-agent/loa-link", "--config", "/etc/loa/link.cfg"],
              "loa-controller": ["/usr/bin/loa-controller", "--config", "/etc/loa/controller.cfg"],
              "loa-link ": ["/usr/libexec/loa-controller/loa-link", "--config", "/etc/loa/controller-link.cfg"]}

    def check(self, user):
        return scratch.run("setpriv", "--reuid", user.strip(), "--regid", user.strip(), "--init-groups",
                           *self.CHECKS[user], "--check", check=False)

    def test_right_but_for_the_keys(self):
        for user in self.CHECKS:
            code, out = self.check(user)
            self.assertNotEqual(code, 0, user)
            self.assertRegex(out, r"/etc/loa/(box|scheduler)\.jwk|/etc/loa/[a-z-]+\.crt", user)
        self.put_keys()
        for user in self.CHECKS:
            code, out = self.check(user)
            self.assertEqual(code, 0, f"{user}: {out}")

    @staticmethod
    def put_keys():
        """As the packages' README says."""
        for name, user in (("box", "loa-agent"), ("scheduler", "loa-controller")):
            scratch.run("/usr/bin/loa", "keys", "new", f"/etc/loa/{name}.jwk")
            scratch.run("chown", f"{user}:{user}", f"/etc/loa/{name}.jwk")
        for name, user in (("link", "loa-link"), ("controller-link", "loa-link"), ("api", "loa-controller"),
                           ("blobs", "loa-controller")):
            scratch.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "30", "-subj", f"/CN={name}", "-keyout", f"/etc/loa/{name}.key", "-out",
                        f"/etc/loa/{name}.crt")
            scratch.run("chown", f"{user}:{user}", f"/etc/loa/{name}.key")
            scratch.run("chmod", "0400", f"/etc/loa/{name}.key")
        for name in ("link-ca", "controller-ca"):
            scratch.run("cp", "/etc/loa/link.crt", f"/etc/loa/{name}.crt")


class Ear:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path, self.said = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            self.said.append((time.monotonic(), self.socket.recv(4096).decode()))

    def heard(self, word):
        return [at for at, text in self.said if word in text]


class Confined(World):
    """An installation whose controller, agent and links are those of the packages, run as their units have them."""

    def __init__(self, plans):
        super().__init__(plans)
        os.chmod(self.folder, 0o755)
        os.chmod(self.sockets, 0o711)
        self.ears = {}
        for side, group in (("site", "loa-site"), ("centre", "loa-centre")):
            os.mkdir(os.path.join(self.sockets, side))
            self.give(os.path.join(self.sockets, side), "loa-link", group, "0750")

    @staticmethod
    def give(path, user, group, mode):
        scratch.run("chown", f"{user}:{group}", path)
        scratch.run("chmod", mode, path)

    def socket(self, name):
        side = "centre/" if name == "controller.link" else "site/" if name.endswith(".link") else ""
        return super().socket(side + name)

    def confine(self, process, unit, program, *writable):
        """Have `process` run the package's program in the unit's sandbox; `writable` stands for ReadWritePaths=."""
        wanted = Unit(scratch.path(f"/lib/systemd/system/{unit}"))
        assert len(writable) == len(wanted.words("ReadWritePaths")), unit
        assert wanted.words("ExecStart")[0] == program, unit
        ear = self.ears[unit] = Ear(os.path.join(self.sockets, unit.split(".")[0] + ".ear"))
        process.argv = [sys.executable, "-B", os.path.join(HERE, "confined.py"), "--root", scratch.root, "--unit",
                        f"/lib/systemd/system/{unit}", *(part for path in writable for part in ("--write", path)), "--",
                        program, *process.argv[1:]]
        process.env = {"NOTIFY_SOCKET": ear.path, "WATCHDOG_USEC": "2000000"}

    def prepare(self):
        super().prepare()
        for folder in ("pki", "keys"):
            os.chmod(self.path(folder), 0o755)
        place = self.sites[0]
        os.makedirs(self.path("centre", "state"))
        os.makedirs(place.path("vault"))
        for path, user, group, mode in (
                (place.box["file"], "loa-agent", "loa-agent", "0600"),
                (place.path("vault"), "loa-agent", "loa-agent", "0700"),
                (place.path("spool"), "loa-link", "loa-site", "2770"), (place.key, "loa-link", "loa-link", "0400"),
                (self.path("pki", "controller.key"), "loa-link", "loa-link", "0400"),
                (self.scheduler["file"], "loa-controller", "loa-controller", "0600"),
                (self.path("pki", "api.key"), "loa-controller", "loa-controller", "0400"),
                (self.path("pki", "blobs.key"), "loa-controller", "loa-controller", "0400"),
                (self.path("centre", "state"), "loa-controller", "loa-controller", "0700")):
            self.give(path, user, group, mode)
        sockets = os.path.dirname
        self.confine(place.agent, "loa-agent.service", "/usr/bin/loa-agent", place.path("vault"), place.path("spool"))
        self.confine(place.link, "loa-link.service", "/usr/libexec/loa-agent/loa-link", sockets(place.link_socket),
                     place.path("spool"))
        self.confine(self.controller, "loa-controller.service", "/usr/bin/loa-controller", self.path("centre", "state"))
        self.confine(self.link, "loa-controller-link.service", "/usr/libexec/loa-controller/loa-link",
                     sockets(self.socket("controller.link")))

    def new_token(self, role, unit="a000", note="demo"):
        _, out = scratch.run("setpriv", "--reuid", "loa-controller", "--regid", "loa-controller", "--init-groups",
                             "/usr/bin/loa-controller", "--config", self.path("centre", "controller.cfg"), "token", "add",
                             "--unit", unit, "--role", role, "--note", note)
        return out.strip().splitlines()[-1]

    def let_the_agent_have_the_card(self):
        for name in (self.sites[0].card_socket, self.sites[0].meter):
            os.chmod(name, 0o666)


class Run(unittest.TestCase):
    """A bulletin from the API to the loudspeaker, every program in its sandbox."""

    def test_heard_and_proven(self):
        world = Confined([site(DEVICE, "cluster", {"tang-am": "amplifier", "bang": "sign"})])
        with world:
            world.let_the_agent_have_the_card()
            sample = world.bulletin({"vi": "Sáng thứ Bảy, tiêm chủng"}, seconds=3)
            rule = world.on_air_at(sample)
            receipt = world.receipt(DEVICE, rule)
            self.assertEqual(receipt["reason"], "on_time", receipt)
            self.assertEqual(receipt["evidence"]["sound"]["frames"], receipt["evidence"]["sound"]["frames_expected"])
            place = world.sites[0]
            self.assertEqual(os.listdir(place.path("spool")), [], "taken by the agent, and deleted from the link's spool")
            for process in (place.agent, place.link, world.controller, world.link):
                self.assertTrue(process.alive(), process.name)
                self.assertEqual(process.starts, 1, process.name)
            with open(place.agent.log, encoding="utf-8") as file:
                said = file.read()
            if "LimitRTPRIO is not granted" not in said:
                self.assertNotIn("real-time scheduling refused", said)
            for unit, ear in world.ears.items():
                wait_until(lambda e=ear: e.heard("READY=1") and len(e.heard("WATCHDOG=1")) > 3, 30, f"{unit} is not fed")
            for process in (place.agent, place.link, world.controller, world.link):
                self.assertTrue(process.stop(20), f"{process.name} does not end")
                self.assertIn(process.code(), (0, -15), process.name)
            for unit, ear in world.ears.items():
                wait_until(lambda e=ear: e.heard("STOPPING=1"), 20, f"{unit} does not say that it stops")


class ZPurge(unittest.TestCase):
    """Last of all."""

    def test_purge_leaves_nothing(self):
        scratch.run("dpkg", "--purge", *PACKAGES)
        left = {path for path in scratch.changed() - scratch.before[0] if not BOOKS.search(path)
                and not path.startswith(tempfile.gettempdir())}
        self.assertEqual(left, set())
        self.assertEqual([f for f in scratch.folders() - scratch.before[1] if "loa" in f and "/lib/dpkg" not in f], [])
        for kind in ("passwd", "group"):
            _, out = scratch.run("getent", kind)
            self.assertNotIn("loa-", out)
        _, out = scratch.run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n")
        self.assertNotIn("loa-", out)


if __name__ == "__main__":
    unittest.main()
