"""Draws the pictures of docs/observability.md from what the tools made: a trace, or a terminal's screen.

    draw.py trace FILE.pftrace OUT.svg FEED MS    MS milliseconds from the FEED-th feed on (needs the package perfetto)
    draw.py screen PANE.ansi OUT.svg              (from `tmux capture-pane -p -e`)
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from html import escape

FONT = 'font-family="ui-monospace, DejaVu Sans Mono, monospace" font-size="12"'
COLORS = {"call": "#4e79a7", "work": "#bab0ac", "feed": "#59a14f", "queue": "#f1ce63", "blocked": "#e15759", "gil": "#b07aa1", "error": "#d62728"}


def svg(width: int, height: int, body: list[str], background: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {FONT}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="{background}"/>', *body, "</svg>", ""])


def trace(source: str, feed: float, long_ms: float) -> str:
    from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto

    packets = proto.Trace.FromString(open(source, "rb").read()).packet
    names, parents, order = {}, {}, []
    slices, opened, steps = defaultdict(list), defaultdict(list), defaultdict(list)
    for packet in packets:
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            names[track.uuid], parents[track.uuid] = track.name, track.parent_uuid
            order.append(track.uuid)
            continue
        event, at = packet.track_event, packet.timestamp / 1e6
        if event.type == proto.TrackEvent.TYPE_SLICE_BEGIN:
            opened[event.track_uuid].append((at, event))
        elif event.type == proto.TrackEvent.TYPE_SLICE_END:
            began, first = opened[event.track_uuid].pop()
            slices[event.track_uuid].append((began, at, first, len(opened[event.track_uuid])))
        elif event.type == proto.TrackEvent.TYPE_COUNTER:
            steps[event.track_uuid].append((at, event.counter_value))
    feeds = sorted(one[0] for all in slices.values() for one in all if one[2].categories[0] == "feed")
    from_ms = feeds[int(feed)]
    to_ms = from_ms + long_ms
    left, width, row = 270, 1200, 26

    def x(at: float) -> float:
        return left + (min(max(at, from_ms), to_ms) - from_ms) / (to_ms - from_ms) * (width - left - 30)

    def depth_first(parent: int, level: int) -> list[tuple[int, int]]:
        children = [uuid for uuid in order if parents[uuid] == parent and uuid != parent]
        return [pair for uuid in children for pair in [(uuid, level), *depth_first(uuid, level + 1)]]

    body, flows, y = [], defaultdict(list), 30
    for uuid, level in depth_first(order[0], 0):
        inside = [one for one in slices[uuid] if one[1] >= from_ms and one[0] <= to_ms]
        if not inside and uuid not in steps and level > 0:
            continue
        body.append(f'<text x="{8 + 14 * level}" y="{y + 16}" fill="#333">{escape(names[uuid])}</text>')
        body.append(f'<line x1="{left}" x2="{width - 30}" y1="{y + row - 1}" y2="{y + row - 1}" stroke="#eee"/>')
        for began, ended, first, deep in sorted(inside, key=lambda one: one[3]):
            color = COLORS[first.categories[0]]
            top, high = y + 3 + 6 * deep, row - 8 - 6 * deep
            body.append(f'<rect x="{x(began):.1f}" y="{top}" width="{max(x(ended) - x(began), 0.7):.1f}" height="{high}" fill="{color}"><title>{escape(first.name)}: {1000 * (ended - began):.0f} µs</title></rect>')
            for flow in [*first.flow_ids, *first.terminating_flow_ids]:
                if began >= from_ms:
                    flows[flow].append((x(began), y + row / 2))
        if uuid in steps:
            points, last = [], 0
            for at, depth in sorted(steps[uuid]):
                points += [(x(at), last), (x(at), depth)] if from_ms <= at <= to_ms else []
                last = depth
            most = max((depth for _, depth in steps[uuid]), default=1) or 1
            line = " ".join(f"{at:.1f},{y + row - 4 - depth / most * (row - 8):.1f}" for at, depth in points)
            body.append(f'<polyline points="{line}" fill="none" stroke="#333"/>')
        y += row
    for way in flows.values():
        for (x1, y1), (x2, y2) in zip(sorted(way), sorted(way)[1:]):
            body.append(f'<path d="M{x1:.1f} {y1:.0f} C{x1 + 12:.1f} {y1:.0f} {x2 - 12:.1f} {y2:.0f} {x2:.1f} {y2:.0f}" fill="none" stroke="#000" stroke-opacity="0.35" stroke-width="0.7"/>')
    for nth in range(6):
        at = from_ms + nth * (to_ms - from_ms) / 5
        body.append(f'<text x="{x(at):.0f}" y="20" fill="#888" text-anchor="middle">{at - from_ms:.1f} ms</text>')
    for nth, (name, color) in enumerate(COLORS.items()):
        body.append(f'<rect x="{left + 110 * nth}" y="{y + 10}" width="12" height="12" fill="{color}"/><text x="{left + 16 + 110 * nth}" y="{y + 21}" fill="#333">{name}</text>')
    return svg(width, y + 34, body, "#ffffff")


def screen(source: str) -> str:
    lines = open(source, encoding="utf-8").read().rstrip("\n").split("\n")
    body, width, high = [], 7.23, 17
    for number, line in enumerate(lines):
        column, style = 0, 'fill="#d0d0d0"'
        for part in re.split("(\x1b\\[[0-9;]*m)", line):
            if part.startswith("\x1b"):
                codes = part[2:-1].split(";")
                colored = "#6cc7c7" if "6" in codes else "#ff6b68" if "1" in codes and "5" in codes else None
                bold = ' font-weight="bold"' if "1" in codes else ""
                if colored or "39" in codes or codes in (["0"], [""]):
                    style = f'fill="{colored or "#d0d0d0"}"{bold}'
                continue
            for word in re.finditer("\\S+", part):
                at, text = 8 + (column + word.start()) * width, word.group()
                body.append(f'<text x="{at:.1f}" y="{(number + 1) * high + 4}" textLength="{len(text) * width:.1f}" {style}>{escape(text)}</text>')
            column += len(part)
    columns = max(len(re.sub("\x1b\\[[0-9;]*m", "", line)) for line in lines)
    return svg(int(columns * width) + 16, len(lines) * high + 14, body, "#1c1c1c")


if __name__ == "__main__":
    what, source, target, *rest = sys.argv[1:]
    drawn = trace(source, float(rest[0]), float(rest[1])) if what == "trace" else screen(source)
    with open(target, "w", encoding="utf-8") as file:
        file.write(drawn)
