#!/usr/bin/env python3
"""Speed and memory beside others, against a private Dovecot: `make bench`, or
bench.py [--write] [SCENARIO...]

Without names all scenarios run but the one that takes very long, and docs/benchmarks.* are written
anew. --write does so after any run, from each scenario's newest result in build/bench.json; alone
it runs nothing.
Exit status 1 when a program failed or did something wrong, not when a bar is missed.
Environment: RUNS (3), OFFLINEIMAP (seconds it may take; 0 leaves it out), SYNCD_BUILD.
SPDX-License-Identifier: MIT"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "real"))

import measure  # noqa: E402
import report  # noqa: E402
import scenarios  # noqa: E402


def main(args):
    named = [a for a in args if a != "--write"]
    unknown = [a for a in named if a not in scenarios.SCENARIOS]
    if unknown:
        print("bench: no scenario %s; there are %s" % (
            ", ".join(unknown), ", ".join(scenarios.SCENARIOS)), file=sys.stderr)
        return 64
    is_writing = "--write" in args
    results = report.Results()
    failures = []
    measure.spread_over_disk()
    for name in named or ([] if is_writing else scenarios.USUAL):
        failures += run(name, results)
    if is_writing or (not named and not failures):
        report.write_page(results, scenarios.DESCRIBED)
    return 1 if failures else 0


def run(name, results):
    """Returns the failures."""
    print("== %s (load average %.1f)" % (name, os.getloadavg()[0]), flush=True)
    try:
        result = scenarios.SCENARIOS[name][0]()
    except measure.Failed as fault:
        print("   FAILED %s" % fault, flush=True)
        return [str(fault)]
    if not result["failures"]:
        results.add(name, result)
    print(report.text_of(name, result), flush=True)
    return result["failures"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
