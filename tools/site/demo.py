"""tools/demo, once everything is built: a whole installation, sample content on air, a line for each thing that happens."""

import collections
import contextlib
import datetime
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import content
from arguments import read_arguments
from installation import ZONE, Installation
from process import Failure, Keeper, Stopped, ignore_signals, say, stop_on_signals, uninterrupted, wait_until

MARK = ".loa-demo"        # a folder with this file is ours to begin anew
RESULTS = ("pki", "keys", "broker", "centre", "sites", "content", "documents", "log", "areas.csv", "demo.json", "token", MARK)
FIRST_S = 9               # from setting the schedule to the first item: time to adopt it and fetch the sound
HURRIED_S = 6             # the same, when few seconds are given
LATER_S = 150             # between items, once the first round is over
ROUND = 6                 # items of the first round
PLAYED_MIN = 5            # of them on every site, within the given seconds


def prepare_folder(folder):
    """A new or empty folder, or one that an earlier demo made (it begins anew). Anything else is left alone."""
    os.makedirs(folder, exist_ok=True)
    there = os.listdir(folder)
    if there and MARK not in there:
        raise Failure(f"{folder}: is not empty and was not made by the demo; an empty or new folder would be right")
    for name in RESULTS:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    with open(os.path.join(folder, MARK), "w"):
        pass


class Narrator:
    """One line for each thing that happens: fetched, playing, heard, shown, receipt stored."""

    WORDS = {
        "fetched": ("đã tải", "fetched"), "playing": ("đang phát", "playing"), "heard": ("đã nghe thấy", "heard"),
        "unheard": ("KHÔNG nghe thấy", "NOT heard"), "shown": ("đã hiển thị", "shown"),
        "unshown": ("KHÔNG đọc lại đúng", "NOT shown"), "stored": ("đã lưu nhật ký", "receipt stored"),
        "event": ("sự kiện", "event"), "link": ("đường truyền", "link"), "online": ("đã kết nối", "connected"),
        "showing": ("đang hiển thị", "showing"), "next": ("tiếp theo", "next"),
        "offline": ("mất kết nối", "lost"), "again": ("khởi động lại", "started again"),
    }

    REASONS = {
        "on_time": "đúng giờ", "late": "trễ giờ", "preempted": "bị bản tin ưu tiên chen", "paused": "đang tạm ngừng phát",
        "quiet_hours": "giờ yên tĩnh", "no_time": "chưa có giờ tin cậy", "no_media": "thiếu nội dung", "not_approved": "chưa được duyệt",
        "silenced": "đang ngắt toàn bộ", "recalled": "đã thu hồi", "expired": "đã quá hạn", "fault": "sự cố thiết bị",
        "cancelled": "đã gỡ khỏi lịch", "restarted": "thiết bị khởi động lại",
    }

    def __init__(self, installation, lang):
        self.i, self.column = installation, 0 if lang == "vi" else 1
        self.on_air, self.online, self.fetched = {}, {}, set()
        self.played = collections.Counter()  # device -> occurrences that began

    def line(self, device, word, text=""):
        now = datetime.datetime.now(ZONE).strftime("%H:%M:%S")
        say(f"{now}  {device:<11} {self.WORDS[word][self.column]:<15} {text}".rstrip())

    def say(self, vi, en):
        return en if self.column else vi

    def reason(self, reason):
        return self.say(self.REASONS.get(reason, reason), reason)

    def fetches(self):
        """What has come to the sites' disks."""
        for item in self.i.content:
            for site in self.i.sites:
                for language, hash in item["media"].items():
                    if (site.device, hash) not in self.fetched and site.has_blob(hash):
                        self.fetched.add((site.device, hash))
                        self.line(site.device, "fetched", f"{item['title']} ({language})")

    def take(self, kind, item):
        getattr(self, "on_" + kind, lambda _item: None)(item)

    def on_state(self, item):
        device, on_air = item["id"], item.get("on_air")
        if self.online.get(device) != item["online"]:
            self.online[device] = item["online"]
            self.line(device, "online" if item["online"] else "offline")
        if on_air and self.on_air.get(device) != on_air:
            self.line(device, "showing" if item.get("kind") == "board" else "playing", item.get("on_air_title") or on_air)
        self.on_air[device] = on_air

    def on_receipt(self, item):
        device, evidence = item["device"], item.get("evidence") or {}
        if item["started"]:
            self.played[device] += 1
        sound, amplifier, sign = (evidence.get(part) for part in ("sound", "amplifier", "sign"))
        if amplifier and sound:
            self.line(device, "heard" if amplifier["seen"] else "unheard",
                      f"{item['title']} ({self.say('mức ra', 'output')} {amplifier['level_mb'] / 100:.1f} dB, "
                      f"{self.say('lệch', 'off by')} {abs(sound['start_error_us']) / 1000:.1f} ms)")
        if sign:
            self.line(device, "shown" if sign["read_back"] else "unshown", (sign.get("text") or "").replace("\n", " / "))
        self.line(device, "stored", f"{item['occurrence']}: {self.reason(item['reason'])}" + (f" – {item['detail']}" if item.get("detail") else ""))

    def on_event(self, item):
        about = f" ({item['about']})" if item.get("about") else ""
        detail = f": {item['detail']}" if item.get("detail") else ""
        self.line(item.get("device") or "centre", "event", f"{item['code']}{about}{detail}")

    def on_link(self, item):
        self.line("centre", "link", item.get("link", ""))


class Follower:
    """`loa follow --json`, read without waiting."""

    def __init__(self, installation, narrator):
        self.i, self.narrator, self.rest = installation, narrator, b""
        self.process = installation.keeper.process("loa follow", [installation.exe("loa"), "follow", "--json"],
                                                   installation.log("follow"), env=installation.environment(),
                                                   stdout=subprocess.PIPE)

    def start(self):
        self.process.start()
        os.set_blocking(self.process.popen.stdout.fileno(), False)

    def serve(self, seconds):
        """Wait for at most so long, and tell what came."""
        if not self.process.alive():
            self.rest = b""
            self.start()
        pipe = self.process.popen.stdout
        ready, _, _ = select.select([pipe], [], [], seconds)
        data = (os.read(pipe.fileno(), 1 << 16) if ready else b"")
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                self.narrator.take(message["event"], message["data"])
        if ready and not data:
            wait_until(self.process.ended, 5, "loa follow closed its output, but did not end")


class Demo:
    def __init__(self, keeper, options, folder):
        self.options, self.folder = options, folder
        self.i = Installation(keeper, options.build, folder)
        self.narrator = Narrator(self.i, options.lang)
        self.follower = None
        self.samples = content.samples()
        self.rules, self.restarts, self.next_item, self.next_at = [], 0, 0, 0.0

    def text(self, vi, en):
        return vi if self.options.lang == "vi" else en

    def bring_up(self):
        begun = time.monotonic()
        say(self.text("Loa đang khởi động ...", "Loa is starting ..."))
        self.i.start()
        self.i.write(self.i.path("token"), self.i.token + "\n")
        os.chmod(self.i.path("token"), 0o600)
        self.follower = Follower(self.i, self.narrator)
        self.follower.start()
        for sample in self.samples:
            self.i.add_sample(sample)
        self.schedule_first_round()
        for site in self.i.sites:
            site.wait_settled()
        token, ca, loa = self.i.path("token"), self.i.pki.ca, self.i.exe("loa")
        say(self.text("Trang theo dõi", "The page") + f": {self.i.console}/")
        say(self.text("Mã truy cập (dán vào trang)", "Access token (paste it into the page)") + f": {self.i.token}")
        say(self.text("Trình duyệt sẽ cảnh báo chứng thư tự ký: chọn tiếp tục, hoặc nạp",
                      "The browser warns about the certificate: go on, or import") + f" {ca}")
        say(self.text("Dòng lệnh, dán vào một cửa sổ khác", "Command line, paste it into another window") + ":")
        say(f"  export PATH={os.path.dirname(loa)}:$PATH LOA_URL={self.i.console} LOA_CA={ca} LOA_TOKEN=$(cat {token})")
        say("  " + self.text("rồi", "then") + ": loa follow, loa --help" + self.text("", ", loa --lang en --help"))
        say(self.text("Dữ liệu, bản ghi, nhật ký", "Data, recordings, logs") + f": {self.folder}")
        say(self.text(f"Sẵn sàng sau {time.monotonic() - begun:.1f} s", f"Up after {time.monotonic() - begun:.1f} s"))

    def pace(self):
        """(seconds to the first item, between items): the first round fits into 60 seconds, five items of it into 30."""
        seconds = self.options.seconds or 90.0
        first, least = (FIRST_S, 7.0) if seconds >= 45 else (HURRIED_S, 4.5)
        return first, max(least, min(12.0, (seconds - first - 6) / (ROUND - 1)))

    def add_rule(self, at):
        sample = self.samples[self.next_item % len(self.samples)]
        self.next_item += 1
        self.rules.append(self.i.schedule(sample.hash, at, "--class", sample.klass, show_s=4))

    def schedule_first_round(self):
        first_s, spacing_s = self.pace()
        first = int(time.time()) + first_s
        for k in range(ROUND):
            self.next_at = first + int(k * spacing_s)
            self.add_rule(self.next_at)
        self.next_at += LATER_S

    def write_json(self):
        about = dict(self.i.describe(), rules=self.rules, dir=self.folder)
        self.i.write(self.i.path("demo.json"), json.dumps(about, ensure_ascii=False, indent=2) + "\n")

    def supervise(self):
        """One turn: lines, what has died, the next item."""
        self.follower.serve(0.2)
        self.narrator.fetches()
        started = self.i.revive()
        for name in started:
            self.restarts += 1
            self.narrator.line(name.split()[0], "again", name)
        due = time.time() > self.next_at - 40
        if due:
            with contextlib.suppress(Failure):  # the centre may be down just now: the next turn tries again
                self.add_rule(self.next_at)
                self.narrator.line("", "next", datetime.datetime.fromtimestamp(self.next_at, ZONE).strftime("%H:%M:%S"))
                self.next_at += LATER_S
        if started or due:
            self.write_json()

    def run(self):
        self.bring_up()
        self.write_json()
        end = time.monotonic() + self.options.seconds if self.options.seconds else None
        while end is None or time.monotonic() < end:
            self.supervise()
        return self.verdict()

    def verdict(self):
        """0 when all went well. Where others killed parts of it, being up again is what counts."""
        down = [p.name for p in self.i.processes() if not p.alive()]
        few = [f"{s.device} {self.narrator.played[s.device]}" for s in self.i.sites
               if self.narrator.played[s.device] < PLAYED_MIN]
        played = ", ".join(f"{s.device} {self.narrator.played[s.device]}" for s in self.i.sites)
        say(self.text("Đã phát", "Played") + f": {played}")
        if down:
            say(self.text("Đã dừng", "Down") + f": {', '.join(down)}")
        if few and self.options.seconds >= 45 and not self.restarts:
            say(self.text("Quá ít bản tin đã phát", "Too few items") + f": {', '.join(few)}")
            return 1
        return 1 if down else 0


def run_in(folder, options):
    """The demo from its first process to its last. Leaves no process and no socket, however it ends."""
    prepare_folder(folder)
    with Keeper() as keeper:
        with uninterrupted():
            demo = Demo(keeper, options, folder)
        try:
            return demo.run()
        finally:
            demo.i.close()


def main(argv):
    options = read_arguments(argv)
    temporary = None
    try:
        stop_on_signals()
        with uninterrupted():
            temporary = None if options.dir else tempfile.mkdtemp(prefix="loa-demo-")
        return run_in(os.path.abspath(options.dir or temporary), options)
    except Stopped as stopped:
        by_hand = options.seconds is None and stopped.args[0] == signal.SIGINT
        return 0 if by_hand else 128 + stopped.args[0]
    except Failure as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    finally:
        ignore_signals()
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
