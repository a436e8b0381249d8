"""The bars that syncd is to keep, scenario by scenario: the issues' tables as data.

SPDX-License-Identifier: MIT"""
import collections

# `of` gives the value out of a scenario's {program: summary}, None where it is not known.
Bar = collections.namedtuple("Bar", "scenario what bound of")
Verdict = collections.namedtuple("Verdict", "scenario what bound value is_kept")


def wall_ratio(other):
    def of(programs):
        ours, theirs = (programs.get(name, {}).get("wall_s") for name in ("syncd", other))
        return ours / theirs if ours and theirs else None
    return of


def slower_floor_ratio(programs):
    """Where the disk is faster than the server sends, no program can keep a bar set by the disk."""
    floors = [programs.get(name, {}).get("wall_s") for name in ("download floor", "disk floor")]
    return programs["syncd"]["wall_s"] / max(floors) if all(floors) else None


def peak_mb(programs):
    peak = programs["syncd"].get("peak_bytes")
    return peak and peak / 1e6


def turns(programs):
    return programs["syncd"].get("turns")


def traffic_kb(programs):
    up, down = (programs["syncd"].get(way) for way in ("up", "down"))
    return None if up is None else (up + down) / 1e3


OF_MBSYNC = "wall time of mbsync's"
OF_MPOP = "wall time of mpop's"
PEAK = "peak memory, MB"

BARS = [
    Bar("pull", OF_MBSYNC, 0.65, wall_ratio("mbsync")),
    Bar("pull", "wall time of the disk floor's", 1.25, wall_ratio("disk floor")),
    Bar("pull", "wall time of the slower floor's", 1.25, slower_floor_ratio),
    Bar("pull", PEAK, 32, peak_mb),
    Bar("pull-latency", OF_MBSYNC, 0.5, wall_ratio("mbsync")),
    Bar("pull-many", OF_MBSYNC, 0.5, wall_ratio("mbsync")),
    Bar("push", OF_MBSYNC, 0.4, wall_ratio("mbsync")),
    Bar("noop", OF_MBSYNC, 0.25, wall_ratio("mbsync")),
    Bar("noop-latency", OF_MBSYNC, 0.03, wall_ratio("mbsync")),
    Bar("noop-latency", "turns", 8, turns),
    Bar("noop-latency", "traffic, KB", 40, traffic_kb),
    Bar("changes", OF_MBSYNC, 0.25, wall_ratio("mbsync")),
    Bar("changes", PEAK, 24, peak_mb),
    Bar("filing", OF_MBSYNC, 0.1, wall_ratio("mbsync")),
    Bar("pop", OF_MPOP, 0.6, wall_ratio("mpop")),
    Bar("pop-noop", OF_MPOP, 1.5, wall_ratio("mpop")),
]


def bound_of_time(scenario):
    """Beside that of the program which all are compared with."""
    return next((b.bound for b in BARS
                 if b.scenario == scenario and b.what in (OF_MBSYNC, OF_MPOP)), None)


def verdicts(scenario, result):
    """Of one scenario; what was measured of syncd alone has its bounds with it."""
    found = [(v["what"] + ", " + v["unit"], v["bound"], v["value"])
             for v in result.get("values", []) if v["bound"] is not None]
    if "syncd" in result.get("programs", {}):
        found += [(bar.what, bar.bound, bar.of(result["programs"]))
                  for bar in BARS if bar.scenario == scenario]
    return [Verdict(scenario, what, bound, value, value <= bound)
            for what, bound, value in found if value is not None]
