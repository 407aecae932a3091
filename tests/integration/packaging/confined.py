"""Run a program as its unit has it, on a machine where no systemd runs:

    confined.py --root DIR --unit FILE [--write PATH]... -- PROGRAM ARGUMENTS...

User and groups, umask, limits, no capability, no new privileges, no memory both writable and executable, a file system
that is read-only but for --write (in place of ReadWritePaths=), the address families and the system call filter. A call
that the filter does not name kills the program, where the unit would answer EPERM: a test shall not miss it. Not here:
IP addresses, device lists and the name spaces of processes, which need the service manager's control groups.
"""

import argparse
import ctypes
import grp
import os
import platform
import pwd
import re
import resource
import signal
import socket
import struct
import sys

from unit import Unit

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY, SYS_MOUNT_SETATTR = -100, 0x8000, 1, 442
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 1, 22, 24, 38, 65
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
MACHINES = {"x86_64": (0xC000003E, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
            "aarch64": (0xC00000B7, "/usr/include/asm-generic/unistd.h")}
LIMITS = {"LimitRTPRIO": resource.RLIMIT_RTPRIO, "LimitCORE": resource.RLIMIT_CORE, "LimitNOFILE": resource.RLIMIT_NOFILE}


def must(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount_attr(path, set_bits, clear_bits):
    attr = struct.pack("QQQQ", set_bits, clear_bits, 0, 0)
    must(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE, attr, len(attr)), f"mount_setattr {path}")


def read_only_but(paths):
    for path in paths:
        must(libc.mount(path.encode(), path.encode(), None, MS_BIND | MS_REC, None), f"bind {path}")
    mount_attr("/", MOUNT_ATTR_RDONLY, 0)
    for path in paths:
        mount_attr(path, 0, MOUNT_ATTR_RDONLY)


def numbers():
    with open(MACHINES[platform.machine()][1], encoding="ascii") as header:
        return {m[1]: int(m[2]) for m in re.finditer(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read())}


def program(unit):
    """The filter as classic BPF over struct seccomp_data: nr at 0, arch at 4, first argument at 16."""
    known = numbers()

    def load(at):
        return struct.pack("HBBI", 0x20, 0, 0, at)

    def answer(value):
        return struct.pack("HBBI", 0x06, 0, 0, value)

    def unless(value, skip=1):
        return struct.pack("HBBI", 0x15, 0, skip, value)

    families = [int(getattr(socket, name)) for name in unit.words("RestrictAddressFamilies")]
    code = [load(4), unless(MACHINES[platform.machine()][0]), load(0)]
    code.insert(2, struct.pack("HBBI", 0x05, 0, 0, 1))  # the right machine: over the next answer
    code.insert(3, answer(KILL))
    code[1] = unless(MACHINES[platform.machine()][0])
    code += [unless(known["socket"], 2 * len(families) + 2), load(16)]
    for family in families:
        code += [unless(family), answer(ALLOW)]
    code += [answer(ERRNO | 97)]  # EAFNOSUPPORT
    for name in sorted(unit.calls()):
        if name in known and name != "socket":
            code += [unless(known[name]), answer(ALLOW)]
    code += [answer(KILL)]
    return b"".join(code), len(code)


def confine(unit):
    user = pwd.getpwnam(unit.last("User"))
    group = grp.getgrnam(unit.last("Group")).gr_gid
    more = [grp.getgrnam(name).gr_gid for name in unit.words("SupplementaryGroups")]
    for name, limit in LIMITS.items():
        try:
            if unit.last(name):
                resource.setrlimit(limit, (int(unit.last(name)),) * 2)
        except ValueError:  # a machine whose root may not raise it
            print(f"confined: {name} is not granted here", file=sys.stderr)
    os.umask(int(unit.last("UMask", "0022"), 8))
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([group, *more])
    os.setresgid(group, group, group)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    must(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    if unit.last("MemoryDenyWriteExecute") == "yes":
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # older kernels do not know it
    code, length = program(unit)
    buffer = ctypes.create_string_buffer(code)
    filter_program = struct.pack("HxxxxxxP", length, ctypes.addressof(buffer))
    must(libc.prctl(PR_SET_SECCOMP, 2, filter_program, 0, 0), "PR_SET_SECCOMP")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--unit", required=True)
    parser.add_argument("--write", action="append", default=[])
    parser.add_argument("argv", nargs="+")
    args = parser.parse_args()
    unit = Unit(os.path.join(args.root, args.unit.lstrip("/")))
    unit.calls()  # asks a program of this machine, so before the walls go up
    must(libc.unshare(CLONE_NEWNS), "unshare")
    must(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    os.chroot(args.root)
    os.chdir("/")
    read_only_but(args.write)
    confine(unit)
    os.execv(args.argv[0], args.argv)


if __name__ == "__main__":
    sys.exit(main())
