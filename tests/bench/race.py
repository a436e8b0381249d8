"""Programs measured in turn, run by run, so that whatever disturbs the machine hits them alike.

SPDX-License-Identifier: MIT"""
import collections
import os
import statistics
import sys

import measure
import peers
import scratch

RUNS = int(os.environ.get("RUNS", "3"))
# Whoever takes longer is not run again only to be counted.
COUNTED_MAX_S = 90

PROGRAMS = {kind.name: kind for kind in (peers.Syncd, peers.Mbsync, peers.Offlineimap)
            if kind.limit_s != 0}

# Who runs against each other, by name; whose time the others' are compared with; and at which of
# the server's ports.
Field = collections.namedtuple("Field", "programs reference port")
IMAP = Field(PROGRAMS, "mbsync", "tls_port")


def say(text):
    print(text)
    sys.stdout.flush()


class Race:
    """One scenario: `attempt(name, way)` lets a program do it once with `way.run`, checks what it
    did, and returns measure.Measured.

    Without delay the proxy is not between while time is taken: a program runs once more for its
    counters. `floors` are more runs to measure, as {name: function}."""

    def __init__(self, title, server, attempt, delay_ms=0, floors=None, field=IMAP, runs=RUNS):
        self.title, self.server, self.attempt = title, server, attempt
        self.delay_ms, self.floors, self.field = delay_ms, floors or {}, field
        self.runs = runs
        self.measured = {name: [] for name in [*field.programs, *self.floors]}
        # Who does not run again: {name: seconds that were too few, None: it failed}.
        self.over, self.failures = {}, []

    def run(self):
        direct = measure.Way(getattr(self.server, self.field.port))
        with measure.Proxy(direct.port, self.delay_ms) as proxy:
            counting = measure.Way(proxy.port, proxy)
            for number in range(self.runs):
                for name in self._order(number):
                    self._once(name, counting if self.delay_ms else direct)
            counted = {} if self.delay_ms else {name: self._counted(name, counting)
                                                for name in self.field.programs}
        return {"runs": self.runs, "delay_ms": self.delay_ms, "failures": self.failures,
                "reference": self.field.reference,
                "versions": [kind.version() for kind in self.field.programs.values()],
                "programs": {name: dict(self._summary(name), **counted.get(name, {}))
                             for name in self.measured if self.measured[name] or name in self.over}}

    def _order(self, number):
        """Another one goes first each time; slow ones run once."""
        names = [n for n in self.measured
                 if number == 0 or n in self.floors or not self.field.programs[n].is_slow]
        shift = number % len(names)
        return names[shift:] + names[:shift]

    def _once(self, name, way):
        function = self.floors.get(name) or (lambda: self.attempt(name, way))
        result = self._guarded(name, function)
        if result:
            say("   %-14s %-16s %9.3f s" % (self.title, name, result.wall_s))
            self.measured[name].append(result)

    def _counted(self, name, way):
        if not self.measured[name] or self._summary(name)["wall_s"] > COUNTED_MAX_S:
            return {}
        result = self._guarded(name, lambda: self.attempt(name, way))
        return result.counters() if result else {}

    def _guarded(self, name, function):
        """Who failed once, or took too long, does not run again."""
        if name in self.over or any(failed == name for failed, _ in self.failures):
            return None
        try:
            return function()
        except measure.TooSlow as fault:
            self.over[name] = self.field.programs[name].limit_s
            say("   %-14s %s" % (self.title, fault))
        except (measure.Failed, OSError) as fault:
            if name in self.field.programs and self.field.programs[name].may_fail:
                self.over[name] = None
            else:
                self.failures.append((name, str(fault)))
            say("   %-14s FAILED %s" % (self.title, fault))
        return None

    def _summary(self, name):
        runs = self.measured[name]
        if not runs:
            return {"over_s": self.over[name]}
        def median(key):
            values = [getattr(run, key) for run in runs if getattr(run, key) is not None]
            return statistics.median(values) if values else None
        summary = {key: median(key) for key in ("wall_s", "cpu_s", *measure.COUNTERS)}
        summary["peak_bytes"] = max((run.peak_bytes or 0) for run in runs) or None
        return dict(summary, walls_s=[run.wall_s for run in runs])


def write_floor(source):
    """The files of this directory written anew, and nothing else to do."""
    measure.settle()
    return measure.run(peers.Tool("write_floor", source,
                                  os.path.join(scratch.directory("bench-floor"), "mail")))
