"""The chart of docs/benchmarks.svg: wall times beside another program's, on a scale of ratios.

SPDX-License-Identifier: MIT"""
import math
import xml.sax.saxutils

import bars

LEAST, MOST = 0.01, 10
TICKS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10]
LEFT, WIDTH, TOP, ROW, BAR = 130, 520, 64, 46, 13

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333; }
.title { font-size: 14px; font-weight: 600; }
.small { font-size: 11px; fill: #666; }
.grid { stroke: #ddd; } .one { stroke: #888; } .bar { stroke: #d1242f; stroke-width: 2; }
.syncd { fill: #0969da; } .other { fill: #a8a8a8; }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd; } .small { fill: #aaa; } .grid { stroke: #333; }
  .bar { stroke: #ff7b72; } .syncd { fill: #58a6ff; } .other { fill: #6e6e6e; }
}
"""


def x_of(ratio):
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * WIDTH


def reference_of(result):
    """The program whose time the others' are compared with."""
    return result.get("reference", "mbsync")


def text(x, y, words, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (
        x, y, kind, anchor, xml.sax.saxutils.escape(words))


def line(x, top, bottom, kind):
    return '<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="%s"/>' % (x, x, top, bottom, kind)


def bar(y, program, wall_s, reference_s, clear):
    """From the reference's line to the left where it is faster, to the right where it is slower;
    words behind `clear`, where something else is drawn."""
    ratio = wall_s / reference_s
    begin, end = sorted((x_of(ratio), x_of(1)))
    return ['<rect x="%.1f" y="%.1f" width="%.1f" height="%d" class="%s"/>' % (
        begin, y, max(end - begin, 1), BAR, program if program == "syncd" else "other"),
        text(max(end, clear) + 6, y + BAR - 2, "%s %.3g s (%.2g)" % (program, wall_s, ratio),
             "small")]


def row(top, name, result):
    reference = reference_of(result)
    reference_s = result["programs"][reference]["wall_s"]
    parts = [text(LEFT - 12, top + 12, name, "", "end"),
             text(LEFT - 12, top + 26, "%s %.3g s" % (reference, reference_s), "small", "end")]
    bound = bars.bound_of_time(name)
    for number, program in enumerate(drawn(result)):
        parts += bar(top + number * (BAR + 3), program, result["programs"][program]["wall_s"],
                     reference_s, x_of(bound) if bound else 0)
    if bound:
        parts.append(line(x_of(bound), top - 3, top + BAR + 3, "bar"))
    return parts


def drawn(result):
    """The programs that have a bar: no floors, and not whom all are compared with."""
    return [program for program, summary in result["programs"].items()
            if summary.get("wall_s") and "floor" not in program and
            program != reference_of(result)]


def svg(results):
    """results: [(scenario, result)] of those with programs beside each other."""
    results = [r for r in results
               if r[1]["programs"].get(reference_of(r[1]), {}).get("wall_s")]
    tops = [TOP]
    for _, result in results:
        tops.append(tops[-1] + max(ROW, len(drawn(result)) * (BAR + 3) + 14))
    bottom = tops[-1]
    parts = [text(LEFT, 20, "Wall time as a ratio of mbsync's, of mpop's for POP3: left is faster",
                  "title"),
             text(LEFT, 38, "red: the bar that syncd is to reach", "small")]
    for tick in TICKS:
        parts += [line(x_of(tick), TOP - 8, bottom, "one" if tick == 1 else "grid"),
                  text(x_of(tick), bottom + 16, "%g" % tick, "small", "middle")]
    for top, (name, result) in zip(tops, results):
        parts += row(top, name, result)
    # Room at the right for what is written beside the longest bars.
    size = (LEFT + WIDTH + 190, bottom + 28)
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">\n'
            "<style>%s</style>\n%s\n</svg>\n" % (*size, *size, STYLE, "\n".join(parts)))
