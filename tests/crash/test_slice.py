"""A slice of the campaign for every day: one n out of many, the same each time (LOA_SEED takes others), all side by side."""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = int(os.environ.get("LOA_SEED") or 1)
SLICES = [("agent", "before", 120), ("agent", "strict", 100), ("agent", "torn", 180), ("link", "before", 60),
          ("controller", "before", 240), ("controller", "strict", 160)]
JOBS = 4


class SliceTest(unittest.TestCase):
    def test_slice(self):
        running = []
        for program, form, every in SLICES:
            argv = [sys.executable, "-B", os.path.join(HERE, "campaign.py"), "--program", program, "--form", form,
                    "--every", str(every), "--seed", str(SEED), "--jobs", str(JOBS)]
            running.append((every, subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))
        said = [(every, process.communicate()[0], process.returncode) for every, process in running]
        print("".join(text for _, text, _ in said))
        for every, text, code in said:
            self.assertEqual(code, 0, text)
            self.assertGreater(int(text.rsplit("n reached ", 1)[1].split(",")[0]), every, text)


if __name__ == "__main__":
    unittest.main()
