#!/usr/bin/env python3
"""Speed and memory beside others, against a private Dovecot: `make bench`, or
bench.py [--write] [SCENARIO...]

Exit status 1 when a program failed or did something wrong, not when a bar is missed.
Environment: RUNS (3), OFFLINEIMAP (seconds it may take; 0 leaves it out), SYNCD_BUILD.
SPDX-License-Identifier: MIT"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "real"))

import report  # noqa: E402
import scenarios  # noqa: E402


def main(args):
    wanted = [a for a in args if a != "--write"]
    unknown = [a for a in wanted if a not in scenarios.SCENARIOS]
    if unknown:
        print("bench: no scenario %s; there are %s" % (
            ", ".join(unknown), ", ".join(scenarios.SCENARIOS)), file=sys.stderr)
        return 64
    results = report.Results()
    failures = []
    for name in wanted or scenarios.TABLE:
        print("== " + name, flush=True)
        result = scenarios.SCENARIOS[name]()
        failures += result["failures"]
        if not result["failures"]:
            results.add(name, result)
        print(report.text_of(name, result), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
