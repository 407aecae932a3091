"""Children that never outlive us.

Every process of an installation is started here: in a session of its own (a Ctrl-C at the terminal reaches only the
demo, which then ends its children in order), with SIGKILL as its parent-death signal (if we are killed, so are they),
and it is ended by its pid only. Start processes from the main thread: the kernel ties the parent-death signal to the
thread that forked.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1
# A machine that is busy with other tests is slower; a deadline that is longer costs nothing where all goes well.
PATIENCE = float(os.environ.get("LOA_PATIENCE") or 1)
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """What went wrong, as one sentence for the person who started this."""


class Stopped(BaseException):
    """A signal asked us to end. Not an Exception, so that nothing swallows it."""


@contextlib.contextmanager
def uninterrupted():
    """Signals that end us wait until the block is over, so that what it makes is also registered."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_child(parent):
    def prepare():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # we died between fork and prctl
            os._exit(127)
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    return prepare


def wait_until(condition, seconds, what, every=0.05):
    """Call `condition` until it is true; its value is returned. Failure names `what` after `seconds` (times LOA_PATIENCE)."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not after {seconds * PATIENCE:g} s")
        time.sleep(every)  # between two looks at the state, which the deadline bounds


class Process:
    """One long-running program: can be started, ended, killed and started again under the same name."""

    def __init__(self, keeper, name, argv, log, env=None, cwd=None, stdout=None):
        self.keeper, self.name, self.argv, self.log = keeper, name, [str(a) for a in argv], log
        self.env, self.cwd, self.stdout = env, cwd, stdout
        self.popen = None
        self.wanted = False  # the supervisor starts it again when it is wanted and has ended
        self.starts = 0
        self.started_at = 0.0
        self.again_at = 0.0

    @property
    def pid(self):
        return self.popen.pid if self.popen else None

    def start(self):
        if self.alive():
            return self
        with uninterrupted():
            env = dict(os.environ, **self.env) if self.env else None
            with open(self.log, "ab") as log:
                self.popen = subprocess.Popen(
                    self.argv, stdin=subprocess.DEVNULL, stdout=self.stdout or log, stderr=log, env=env, cwd=self.cwd,
                    start_new_session=True, close_fds=True, preexec_fn=_in_child(os.getpid()))
            self.keeper.children[self.popen.pid] = self
            self.wanted = True
            self.starts += 1
            self.started_at = time.monotonic()
        return self

    def ended(self):
        """True when it was started and is over. It is reaped, and whatever it left in its session is killed."""
        if self.popen is None or self.popen.returncode is not None:
            return self.popen is not None
        status = os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is None:
            return False
        with uninterrupted():
            self._kill_group(signal.SIGKILL)  # its pid is still ours until it is reaped
            self.popen.wait()
            self.keeper.children.pop(self.popen.pid, None)
        return True

    def alive(self):
        return self.popen is not None and not self.ended()

    def code(self):
        """Exit code, negative for a signal; None while it runs."""
        return self.popen.returncode if self.popen and self.ended() else None

    def signal(self, number):
        if self.alive():
            os.kill(self.popen.pid, number)

    def _kill_group(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def kill(self):
        """As a power cut would: SIGKILL, and it stays down until started again."""
        self.wanted = False
        if self.alive():
            self._kill_group(signal.SIGKILL)
            wait_until(self.ended, 10, f"{self.name} (pid {self.pid}) after SIGKILL", 0.01)

    def ask_to_end(self):
        self.wanted = False
        if self.alive():
            os.kill(self.popen.pid, signal.SIGCONT)
            os.kill(self.popen.pid, signal.SIGTERM)

    def stop(self, seconds=5):
        """SIGTERM, then SIGKILL after `seconds`. True when it ended by itself."""
        self.ask_to_end()
        deadline = time.monotonic() + seconds * PATIENCE
        while self.alive():
            if time.monotonic() > deadline:
                self.kill()
                return False
            time.sleep(0.01)
        return True

    def restart(self):
        self.stop()
        return self.start()

    def log_tail(self, lines=8):
        try:
            with open(self.log, errors="replace") as log:
                return "".join(log.readlines()[-lines:]).strip()
        except OSError:
            return ""


class Keeper:
    """Owns all children. Use as a context: whatever way it is left, no child of it is left behind."""

    def __init__(self):
        self.children = {}  # pid -> Process, only those not reaped yet
        self.ends = []  # called once all children are gone
        self.scratch = None  # folder for what programs that we run leave lying about (espeak-ng: pulse-*)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop_all()

    def process(self, name, argv, log, **options):
        return Process(self, name, argv, log, **options)

    def run(self, argv, what=None, seconds=60, stdin=None, env=None, cwd=None, text=True, check=True):
        """Run a program to its end. Returns (code, stdout, stderr); Failure when it fails and `check` is set."""
        argv = [str(a) for a in argv]
        if self.scratch:
            env = dict(env or {}, TMPDIR=self.scratch, PULSE_RUNTIME_PATH=os.path.join(self.scratch, "pulse"))
        with uninterrupted():
            try:
                popen = subprocess.Popen(
                    argv, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, env=dict(os.environ, **env) if env else None, cwd=cwd, text=text,
                    start_new_session=True, preexec_fn=_in_child(os.getpid()))
            except OSError as error:
                raise Failure(f"{argv[0]}: cannot be started: {error.strerror}") from None
        try:
            out, err = popen.communicate(stdin, timeout=seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"{what or argv[0]}: no end after {seconds * PATIENCE:g} s") from None
        finally:
            if popen.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(popen.pid, signal.SIGKILL)
                popen.wait()
        if check and popen.returncode != 0:
            said = (err if text else err.decode(errors="replace")).strip()
            raise Failure(f"{what or ' '.join(argv)}: {said or f'exit code {popen.returncode}'}")
        return popen.returncode, out, err

    def stop_all(self, seconds=6):
        """End everything: all are asked at once, those that do not go are killed."""
        with uninterrupted():
            running = list(self.children.values())
            for process in running:
                process.ask_to_end()
            deadline = time.monotonic() + seconds * PATIENCE
            while any(p.alive() for p in running) and time.monotonic() < deadline:
                time.sleep(0.02)
            for process in running:
                process.kill()
            while self.ends:
                self.ends.pop()()

    def at_end(self, act):
        """Call `act` when all children are gone: for what they stood on."""
        self.ends.append(act)


def ignore_signals():
    """What is being ended already is not interrupted."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def stop_on_signals():
    """SIGINT, SIGTERM and SIGHUP raise Stopped in the main thread, once."""

    def stop(number, _frame):
        ignore_signals()
        raise Stopped(number)

    for number in ENDING:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def say(text):
    print(text, file=sys.stdout, flush=True)
