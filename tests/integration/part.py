"""One of several parts of a unittest file, so that the parts run beside each other: part.py K/N FILE [-v]

Each N-th test beginning with the K-th, in the order of the file's classes and of the names in them; classes whose tests
follow from each other are not to be parted."""

import importlib
import os
import sys
import unittest


def flat(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from flat(each)
        else:
            yield each


def main():
    part, parts = map(int, sys.argv[1].split("/"))
    path = os.path.abspath(sys.argv[2])
    sys.path.insert(0, os.path.dirname(path))
    module = importlib.import_module(os.path.splitext(os.path.basename(path))[0])
    tests = list(flat(unittest.defaultTestLoader.loadTestsFromModule(module)))[part - 1::parts]
    if not tests:
        sys.exit(f"part.py: {path} has no part {part} of {parts}")
    done = unittest.TextTestRunner(verbosity=2 if "-v" in sys.argv else 1).run(unittest.TestSuite(tests))
    sys.exit(not done.wasSuccessful())


if __name__ == "__main__":
    main()
