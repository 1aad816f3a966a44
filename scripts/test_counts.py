"""Counts the tests in the xUnit files that `swift test` wrote; files that are not there are left out.

Prints the skipped tests, those with one reason together; the failed ones, each as `failed MODULE.SUITE/TEST: MESSAGE`,
the name being what `swift test --filter` takes; then one line `PASSED FAILED SKIPPED`.
"""

import collections
import pathlib
import sys
import xml.etree.ElementTree

# Of what a failed test said: the rest is in the log.
MESSAGE_LENGTH = 400


def name_of(case):
    module, _, suite = case.get("classname", "").partition(".")
    return "/".join([f"{module}.{suite.replace('.', '/')}", case.get("name")]) if suite else f"{module}.{case.get('name')}"


def message_of(failure):
    text = " ".join((failure.get("message") or failure.text or "no message").split())
    return text if len(text) <= MESSAGE_LENGTH else text[:MESSAGE_LENGTH] + "..."


def main(paths):
    passed = 0
    failed = []
    skipped = collections.defaultdict(list)
    for path in filter(pathlib.Path.exists, map(pathlib.Path, paths)):
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):
            reason = case.find("skipped")
            failure = next((part for part in case if part.tag in ("failure", "error")), None)
            if reason is not None:
                skipped[(reason.text or "no reason given").strip()].append(case.get("name"))
            elif failure is not None:
                failed.append(f"failed {name_of(case)}: {message_of(failure)}")
            else:
                passed += 1
    for reason, names in skipped.items():
        print(f"skipped ({reason}): {', '.join(sorted(names))}")
    print(*failed, sep="\n", end="\n" if failed else "")
    print(passed, len(failed), sum(map(len, skipped.values())))


if __name__ == "__main__":
    main(sys.argv[1:])
