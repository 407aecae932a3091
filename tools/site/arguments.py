"""The arguments of tools/demo. Run by itself it only checks them, before anything is installed or built."""

import argparse
import contextlib
import os
import sys


def read_arguments(argv):
    parser = argparse.ArgumentParser(
        prog="tools/demo", description="Loa chạy thử trọn vẹn trên máy này: trung tâm, ba điểm phát mô phỏng, nội dung mẫu. "
        "/ A whole Loa on this machine: the centre, three simulated sites, sample content. Ctrl-C ends it and leaves nothing running.")
    parser.add_argument("--dir", metavar="D", help="keep recordings, logs and stores in this folder (else a temporary one, removed at the end)")
    parser.add_argument("--headless", action="store_true", help="unattended: write D/demo.json when all is up, then run for --seconds")
    parser.add_argument("--seconds", type=float, metavar="N", help="end after N seconds more (headless: 90 unless given)")
    parser.add_argument("--lang", choices=("vi", "en"), default="vi", help="language of the lines (vi)")
    parser.add_argument("--build", metavar="B", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.seconds is not None and not 0 < options.seconds <= 1e7:
        parser.error("--seconds: right would be a number above 0")
    if options.headless and not options.dir:
        parser.error("--headless needs --dir D: that is where demo.json goes")
    if options.headless and options.seconds is None:
        options.seconds = 90.0
    return options


if __name__ == "__main__":
    chosen = read_arguments(sys.argv[1:])
    if chosen.dir:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(chosen.dir, "demo.json"))  # nobody shall wait for this run and read an earlier one
