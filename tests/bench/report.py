"""What the benchmark says: on the terminal, in build/bench.json, in docs/benchmarks.md.

SPDX-License-Identifier: MIT"""
import datetime
import json
import os

import bars
import chart
import peers
import scratch

CACHE = os.path.join(scratch.ROOT, "build", "bench.json")
PAGE = os.path.join(scratch.ROOT, "docs", "benchmarks.md")
CHART = os.path.join(scratch.ROOT, "docs", "benchmarks.svg")
BEGIN = "<!-- written by make bench from here -->"
END = "<!-- to here -->"

COLUMNS = ["program", "wall s", "of {reference}", "CPU s", "peak MB", "KB up", "KB down", "turns",
           "connections"]
# Of a table on the page, those that are words.
LEFT = {"program", "syncd alone", "unit", "scenario", "bar for syncd", ""}


class Results:
    """Each scenario's newest result, all its programs from the same run."""

    def __init__(self):
        self.by_scenario = {}
        self.read()

    def read(self):
        if os.path.exists(CACHE):
            with open(CACHE, encoding="utf-8") as cache:
                self.by_scenario = json.load(cache)

    def add(self, scenario, result):
        """Beside what another run of the benchmark may have added meanwhile."""
        self.read()
        self.by_scenario[scenario] = dict(result, day=datetime.date.today().isoformat())
        scratch.write(CACHE, json.dumps(self.by_scenario, indent=1), 0o644)


def number(value, digits=0):
    return "" if value is None else "{:,.{}f}".format(value, digits)


def scaled(value, unit):
    return None if value is None else value / unit


def seconds(value):
    return number(value, 3 if value is not None and value < 10 else 1)


def row_of(name, summary, reference_s):
    if "over_s" in summary:
        limit_s = summary["over_s"]
        return [name, "over %d" % limit_s if limit_s else "failed"] + [""] * (len(COLUMNS) - 2)
    ratio = summary["wall_s"] / reference_s if reference_s else None
    return [name, seconds(summary["wall_s"]), number(ratio, 3 if ratio and ratio < 0.1 else 2),
            seconds(summary["cpu_s"]), number(scaled(summary["peak_bytes"], 1e6), 1),
            number(scaled(summary["up"], 1e3), 1), number(scaled(summary["down"], 1e3), 1),
            number(summary["turns"]), number(summary["connections"])]


def rows_of(result):
    """The table of a scenario, its head first."""
    if "values" in result:
        return [["syncd alone", "", "unit"]] + [
            [v["what"], number(v["value"], 2), v["unit"]] for v in result["values"]]
    programs = result["programs"]
    reference = chart.reference_of(result)
    reference_s = programs.get(reference, {}).get("wall_s")
    return [[column.format(reference=reference) for column in COLUMNS]] + [
        row_of(name, summary, reference_s) for name, summary in programs.items()]


def verdict_rows(scenario, result):
    return [[v.scenario, v.what, number(v.value, 0 if v.value >= 100 else 3), "%g" % v.bound,
             "ok" if v.is_kept else "FAIL"] for v in bars.verdicts(scenario, result)]


def aligned(rows):
    """For the terminal: the first column to the left, all others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("   " + "  ".join(
        cell.rjust(width) if i else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def text_of(scenario, result):
    parts = [aligned(rows_of(result))] + ([result["note"]] if result.get("note") else [])
    verdicts = verdict_rows(scenario, result)
    if verdicts:
        parts.append(aligned([["scenario", "bar", "is", "at most", ""]] + verdicts))
    return "\n".join(parts) + "\n"


# The page.

def markdown_table(rows):
    head, *body = rows
    ruler = ["---" if name in LEFT else "--:" for name in head]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ruler] + body) + "\n"


def section(scenario, what, result):
    runs = "median of %d" % result["runs"] if result.get("runs", 1) > 1 else "one run"
    note = "\n%s\n" % result["note"] if result.get("note") else ""
    return "### %s\n\n%s (%s, %s)\n\n%s%s" % (scenario, what, runs.capitalize(), result["day"],
                                            markdown_table(rows_of(result)), note)


def generated(results, described):
    """described: {scenario: what it is}, in the order of the page."""
    known = [(name, results.by_scenario[name]) for name in described if name in results.by_scenario]
    verdicts = [row for name, result in known for row in verdict_rows(name, result)]
    versions = {version: None for _, result in known for version in result.get("versions", [])}
    parts = ["%d cores; %s; %s.\n" % (os.cpu_count(), ", ".join(versions), peers.server_version()),
             "![Wall time beside others'](benchmarks.svg)\n",
             markdown_table([["scenario", "bar for syncd", "is", "at most", ""]] + verdicts)]
    parts += [section(name, described[name], result) for name, result in known]
    return "\n".join(parts)


def write_page(results, described):
    """Replaces the generated part; what is written by hand around it stays."""
    with open(PAGE, encoding="utf-8") as page:
        before, _, rest = page.read().partition(BEGIN)
    _, _, after = rest.partition(END)
    text = before + BEGIN + "\n" + generated(results, described) + END + after
    scratch.write(PAGE, text, 0o644)
    scratch.write(CHART, chart.svg([(name, results.by_scenario[name]) for name in described
                                    if "programs" in results.by_scenario.get(name, {})]), 0o644)
