#!/usr/bin/env python3
"""Draw a trace of `run` as a picture: `make trace-picture`.
SPDX-License-Identifier: Apache-2.0

trace_svg.py TRACE.json... >PICTURE.svg     of several traces the shortest, which
holds the least of what else the machine did

Tracks from the top down, time from left to right; below a track's steps, those that they consist of.
Numbers lead to the list of the slowest steps. Light or dark is the reader's choice.
"""

import html
import json
import pathlib
import sys

WIDTH, LEFT, RIGHT, TOP = 960, 84, 12, 46
BAR, GAP, LINE = 26, 4, 19
SLOWEST = 12

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a } .axis { stroke: #d0d7de } .track { font-weight: 600 }
.step { fill: #9ec5f7; stroke: #fff } .group { fill: #cfe3fc; stroke: #fff }
.wait { fill: #eaeef2; stroke: #fff } .flow { stroke: #bc4c00; fill: none } .head { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .axis { stroke: #3d444d }
.step { fill: #2f6fbf; stroke: #0d1117 } .group { fill: #1f4a80; stroke: #0d1117 }
.wait { fill: #262c36; stroke: #0d1117 } .flow { stroke: #f0883e } .head { fill: #f0883e } }
"""


def read(path):
    """The events of one trace: steps, arrows by their number, names of tracks."""
    events = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    steps = [event for event in events if event["ph"] == "X"]
    first = min(step["ts"] for step in steps)
    flows = {}
    for event in events:
        if "ts" in event:
            event["ts"] -= first
        if event["ph"] in "sf":
            flows.setdefault(event["id"], {})[event["ph"]] = event
    for step in steps:
        step["end"] = step["ts"] + step["dur"]
        step["group"] = [other for other in steps if other is not step and contains(other, step)]
        step["parts"] = [other for other in steps if other is not step and contains(step, other)]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    return steps, [flow for flow in flows.values() if len(flow) == 2], names


def contains(outer, inner):
    return (outer["tid"] == inner["tid"] and outer["ts"] <= inner["ts"]
            and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 0.0005
            and outer["dur"] > inner["dur"])


def is_wait(step):
    return step["name"].startswith("wait ")


class Picture:
    def __init__(self, steps, flows, names):
        self.steps, self.flows, self.names = steps, flows, names
        self.total = max(step["end"] for step in steps)
        self.lines = []
        self.top = {tid: TOP + i * (2 * BAR + 34) for i, tid in enumerate(sorted(names))}
        whole = [s for s in steps if not s["parts"] and not is_wait(s)]
        self.slowest = sorted(whole, key=lambda s: -s["dur"])[:SLOWEST]

    def x(self, time):
        return LEFT + time / self.total * (WIDTH - LEFT - RIGHT)

    def add(self, text):
        self.lines.append(text)

    def text(self, x, y, words, kind="", anchor="start"):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
                 f"{html.escape(words)}</text>")

    def axis(self, bottom):
        unit = next(u for u in (100, 200, 500, 1000, 2000, 5000, 10000, 10**9) if self.total / u < 12)
        for i in range(int(self.total // unit) + 1):
            x = self.x(i * unit)
            self.add(f'<path d="M{x:.1f} {TOP - 12}V{bottom}" class="axis"/>')
            self.text(x, TOP - 18, f"{i * unit / 1000:g} ms", "small", "middle")

    def step(self, step):
        x, width = self.x(step["ts"]), max(self.x(step["end"]) - self.x(step["ts"]), 0.7)
        y = self.top[step["tid"]] + (BAR + GAP if step["group"] else 0)
        kind = "wait" if is_wait(step) else "group" if step["parts"] else "step"
        title = f"{step['name']}: {step['dur']:.0f} µs {step.get('args', {}).get('field', '')}"
        self.add(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" class="{kind}" '
                 f'stroke-width=".5"><title>{html.escape(title.strip())}</title></rect>')
        label = str(self.slowest.index(step) + 1) if step in self.slowest else ""
        if 6.2 * len(step["name"]) + 14 < width:
            label = f"{label} {step['name']}".strip()
        if label and 7 * len(label) < width + 4:
            self.text(x + width / 2, y + BAR / 2 + 4, label, "", "middle")

    def flow(self, flow):
        sent, received = flow["s"], flow["f"]
        down = self.top[sent["tid"]] < self.top[received["tid"]]
        begin, end = self.top[sent["tid"]], self.top[received["tid"]]
        begin, end = (begin + BAR, end - 5) if down else (begin, end + BAR + 5)
        x, to = self.x(sent["ts"]), self.x(received["ts"])
        tip = 5 if down else -5
        self.add(f'<path d="M{x:.1f} {begin}L{to:.1f} {end}" class="flow"><title>'
                 f'{html.escape(sent["name"])}</title></path>'
                 f'<path d="M{to:.1f} {end + tip}l-4 {-tip - tip / 2:g}h8z" class="head"/>')
        self.text((x + to) / 2 + 5, (begin + end) / 2 + 8, sent["name"], "small")

    def table(self, top):
        self.text(LEFT, top, "The slowest steps, waiting aside", "track")
        for i, step in enumerate(self.slowest):
            column, row = divmod(i, (SLOWEST + 1) // 2)
            x, y = LEFT + column * (WIDTH - LEFT) / 2, top + LINE * (row + 1.2)
            self.text(x + 16, y, str(i + 1), "small", "end")
            self.text(x + 74, y, f"{step['dur']:,.0f} µs", "", "end")
            self.text(x + 84, y, step["name"])

    def draw(self):
        bottom = max(self.top.values()) + 2 * BAR + GAP
        self.axis(bottom)
        for tid, name in self.names.items():
            self.text(LEFT - 10, self.top[tid] + BAR / 2 + 4, name, "track", "end")
        for step in sorted(self.steps, key=lambda s: s["ts"]):
            self.step(step)
        for flow in self.flows:
            self.flow(flow)
        self.table(bottom + 30)
        height = bottom + 30 + LINE * ((SLOWEST + 1) // 2 + 1)
        return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
                          f"<style>{STYLE}</style>", *self.lines, "</svg>"])


def main():
    traces = [read(path) for path in sys.argv[1:]]
    traces.sort(key=lambda trace: max(step["end"] for step in trace[0]))
    print(Picture(*traces[0]).draw())


main()
