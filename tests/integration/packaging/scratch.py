"""A scratch root: this machine's file system with a layer of our own on top, where packages are really installed.

Everything happens in a mount namespace of this process, so nothing is left behind however it ends. Needs root."""

import ctypes
import os
import stat
import subprocess
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000


class Scratch:
    def __init__(self, visible):
        """`visible`: folders that are to be seen inside at the same place."""
        if libc.unshare(CLONE_NEWNS) < 0:
            raise OSError(ctypes.get_errno(), "a mount namespace of our own needs root")
        self.run_outside("mount", "--make-rprivate", "/")
        self.base = tempfile.mkdtemp(prefix="loa-root-")
        self.run_outside("mount", "-t", "tmpfs", "tmpfs", self.base)
        self.upper, self.root = os.path.join(self.base, "upper"), os.path.join(self.base, "root")
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.base, name))
        self.run_outside("mount", "-t", "overlay", "overlay", "-o",
                         f"lowerdir=/,upperdir={self.upper},workdir={self.base}/work", self.root)
        for path in ["/proc", "/dev", "/dev/shm", *visible]:
            os.makedirs(self.path(path), exist_ok=True)
            self.run_outside("mount", "--bind", path, self.path(path))

    @staticmethod
    def run_outside(*argv):
        subprocess.run(argv, check=True, capture_output=True)

    def path(self, inside):
        return self.root + inside

    def run(self, *argv, check=True):
        """Run a program inside: (code, output and errors together)."""
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
        done = subprocess.run(["chroot", self.root, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, env=env, timeout=400)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}")
        return done.returncode, done.stdout

    def changed(self):
        """Everything that lies in our layer (removed things too), by path, folders left out."""
        found = set()
        for folder, _, names in os.walk(self.upper):
            found |= {os.path.join(folder, name)[len(self.upper):] for name in names}
        return found

    def folders(self):
        return {folder[len(self.upper):] for folder, _, _ in os.walk(self.upper)}

    def state(self, inside):
        """(mode, user, group) of a path inside, as names."""
        _, out = self.run("stat", "-c", "%a %U %G", inside)
        mode, user, group = out.split()
        return mode, user, group

    def close(self):
        subprocess.run(["umount", "-R", "-l", self.base], check=False, capture_output=True)
        if not stat.S_ISDIR(os.lstat(self.base).st_mode) or os.listdir(self.base):
            return
        os.rmdir(self.base)
