"""Counts the tests in the xUnit files that `swift test` wrote; files that are not there are left out.

Prints the skipped tests, those with one reason together, then one line `PASSED FAILED SKIPPED`.
"""

import collections
import pathlib
import sys
import xml.etree.ElementTree


def main(paths):
    passed = failed = 0
    skipped = collections.defaultdict(list)
    for path in filter(pathlib.Path.exists, map(pathlib.Path, paths)):
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):
            reason = case.find("skipped")
            if reason is not None:
                skipped[(reason.text or "no reason given").strip()].append(case.get("name"))
            elif case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            else:
                passed += 1
    for reason, names in skipped.items():
        print(f"skipped ({reason}): {', '.join(sorted(names))}")
    print(passed, failed, sum(map(len, skipped.values())))


if __name__ == "__main__":
    main(sys.argv[1:])
