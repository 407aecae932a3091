"""What a person needs to know of the tests that failed, last in the log: failures.py RESULTS.xml (ctest --output-junit).

For each: the end of what was said before, the test's own account of its failure, and at the very end one line for each,
since a log that was cut is read from its end."""

import re
import sys
import xml.etree.ElementTree as tree

BEFORE, ACCOUNT = 60, 90  # lines shown of each
MARK = "=" * 70           # unittest's account begins here
REASON = re.compile(r"^\S*(Error|Failure|Violation|Exception)\b.*:|^\[  ERROR|^\[  FAILED|Sanitizer|runtime error:|: error:|FAILED|Timeout")


def split(said):
    """(what was said before, the account)."""
    lines = said.rstrip().splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith(MARK)), None)
    if at is None:
        return lines[-ACCOUNT - BEFORE:-ACCOUNT], lines[-ACCOUNT:]
    account = lines[at:]
    return lines[max(0, at - BEFORE):at], account if len(account) <= ACCOUNT else account[:20] + ["..."] + account[-ACCOUNT + 20:]


def reason(account, how):
    found = [line.strip() for line in account if REASON.search(line)]
    told = [line for line in found if not line.startswith(("FAILED (", "Traceback"))] or found or account[-1:]
    return f"{how or 'failed'}: {' | '.join(told[:3])[:400]}"


def main():
    try:
        cases = tree.parse(sys.argv[1]).getroot().iter("testcase")
    except (OSError, tree.ParseError) as error:
        sys.exit(f"failures.py: {sys.argv[1]}: {error}")
    told = []
    for case in cases:
        failure = case.find("failure")
        if failure is None:
            continue
        before, account = split(case.findtext("system-out") or "")
        how = failure.get("message") or ""
        print(f"\n######## {case.get('name')} after {float(case.get('time') or 0):.0f} s: {how}")
        print("\n".join(before + account))
        told.append(f"{case.get('name')}: {reason(account, how)}")
    if told:
        print("\n######## failed:", *told, sep="\n")


if __name__ == "__main__":
    main()
