"""Programs measured in turn, run by run, so that whatever disturbs the machine hits them alike.

SPDX-License-Identifier: MIT"""
import os
import statistics
import sys

import measure
import peers

RUNS = int(os.environ.get("RUNS", "3"))
# Whoever takes longer is not run again only to be counted.
COUNTED_MAX_S = 90

PROGRAMS = {kind.name: kind for kind in (peers.Syncd, peers.Mbsync, peers.Offlineimap)
            if kind.limit_s != 0}


def say(text):
    print(text)
    sys.stdout.flush()


class Race:
    """One scenario: `attempt(name, way)` lets a program do it once with `way.run`, checks what it
    did, and returns measure.Measured.

    Without delay the proxy is not between while time is taken: a program runs once more for its
    counters. `floors` are more runs to measure, as {name: function}."""

    def __init__(self, title, server, attempt, delay_ms=0, floors=None):
        self.title, self.server, self.attempt = title, server, attempt
        self.delay_ms, self.floors = delay_ms, floors or {}
        self.measured = {name: [] for name in [*PROGRAMS, *self.floors]}
        self.over, self.failures = {}, []

    def run(self):
        direct = measure.Way(self.server.tls_port)
        with measure.Proxy(self.server.tls_port, self.delay_ms) as proxy:
            counting = measure.Way(proxy.port, proxy)
            for number in range(RUNS):
                for name in self._order(number):
                    self._once(name, counting if self.delay_ms else direct)
            counted = {} if self.delay_ms else {name: self._counted(name, counting)
                                                for name in PROGRAMS}
        return {"runs": RUNS, "delay_ms": self.delay_ms, "failures": self.failures,
                "versions": [kind.version() for kind in PROGRAMS.values()],
                "programs": {name: dict(self._summary(name), **counted.get(name, {}))
                             for name in self.measured if self.measured[name] or name in self.over}}

    def _order(self, number):
        """Another one goes first each time; OfflineIMAP runs once."""
        names = [n for n in self.measured if n != "offlineimap" or number == 0]
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
            self.over[name] = PROGRAMS[name].limit_s
            say("   %-14s %s" % (self.title, fault))
        except (measure.Failed, OSError) as fault:
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
