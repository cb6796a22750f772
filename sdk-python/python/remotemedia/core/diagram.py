"""A graph as SVG, for notebooks: layers from left to right, a box per node."""

from __future__ import annotations

from html import escape

from remotemedia.core.graph import Graph
from remotemedia.core.node import node_type_of

_BOX_WIDTH, _BOX_HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 168, 46, 48, 18, 10
_MOST_LETTERS = 22


def _shown(text: str) -> str:
    return escape(text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…")


def svg(graph: Graph, title: str) -> str:
    """The picture of `graph`. Every text in it is escaped."""
    layer = [0] * len(graph.nodes)
    for source in graph.order:
        for edge in graph.leaving[source]:
            layer[edge.target] = max(layer[edge.target], layer[source] + 1)
    rows: dict[int, int] = {}
    place = []
    for index in range(len(graph.nodes)):
        row = rows.get(layer[index], 0)
        rows[layer[index]] = row + 1
        x = _MARGIN + layer[index] * (_BOX_WIDTH + _GAP_X)
        place.append((x, _MARGIN + row * (_BOX_HEIGHT + _GAP_Y)))
    columns, most = max(layer, default=0) + 1, max(rows.values(), default=1)
    width = 2 * _MARGIN + columns * _BOX_WIDTH + (columns - 1) * _GAP_X
    height = 2 * _MARGIN + most * _BOX_HEIGHT + (most - 1) * _GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="sans-serif" font-size="12"><title>{escape(title)}</title>',
        '<defs><marker id="rm-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#778"/></marker></defs>',
    ]
    for edge in graph.edges:
        x1, y1 = place[edge.source][0] + _BOX_WIDTH, place[edge.source][1] + _BOX_HEIGHT // 2
        x2, y2 = place[edge.target][0], place[edge.target][1] + _BOX_HEIGHT // 2
        bend = (x1 + x2) // 2
        parts.append(
            f'<path d="M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}" fill="none" stroke="#778" '
            'marker-end="url(#rm-arrow)"/>'
        )
    for (x, y), node, node_id in zip(place, graph.nodes, graph.ids, strict=True):
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" fill="#eef2fb" stroke="#89a"/>'
            f'<text x="{x + 8}" y="{y + 19}" font-weight="bold" fill="#223">{_shown(node_id)}</text>'
            f'<text x="{x + 8}" y="{y + 36}" fill="#556">{_shown(node_type_of(type(node)))}</text>'
        )
    return "".join(parts) + "</svg>"
