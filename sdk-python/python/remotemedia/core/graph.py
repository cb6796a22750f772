"""Nodes and the connections between them, proven sound: known ends, no cycle, one order in which every node comes after
what feeds it. It runs nothing."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from remotemedia.core.exceptions import ManifestError
from remotemedia.core.node import Node


class Edge(NamedTuple):
    """What leaves node `source` enters node `target`; `port` names one of several inputs, None is the first."""

    source: int
    target: int
    port: str | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A sound graph. Nodes are named by their position in `nodes`."""

    nodes: tuple[Node, ...]
    ids: tuple[str, ...]
    edges: tuple[Edge, ...]
    #: Every node after what feeds it; of the nodes that are ready, the first one first, as the native engine does.
    order: tuple[int, ...]
    #: Per node, the edges that leave it, in the order of the connections.
    leaving: tuple[tuple[Edge, ...], ...]
    #: Nodes that nothing feeds.
    sources: tuple[int, ...]
    #: Nodes that feed nothing.
    sinks: tuple[int, ...]

    @classmethod
    def of(cls, nodes: Sequence[Node], ids: Sequence[str], edges: Sequence[Edge]) -> Graph:
        """Raises `ManifestError` when there is a cycle, or a connection appears twice."""
        seen: set[Edge] = set()
        for edge in edges:
            if edge in seen:
                raise ManifestError(f"the connection {ids[edge.source]} -> {ids[edge.target]} is there twice")
            seen.add(edge)
        leaving: list[list[Edge]] = [[] for _ in nodes]
        waits_for = [0] * len(nodes)
        for edge in edges:
            leaving[edge.source].append(edge)
            waits_for[edge.target] += 1
        fed = [count > 0 for count in waits_for]
        order = _topological(leaving, waits_for)
        if len(order) < len(nodes):
            cycle = _cycle(leaving, set(range(len(nodes))) - set(order))
            shown = " -> ".join(ids[node] for node in cycle)
            raise ManifestError(f"the connections form a cycle: {shown} (packets flow one way only)")
        return cls(
            nodes=tuple(nodes),
            ids=tuple(ids),
            edges=tuple(edges),
            order=tuple(order),
            leaving=tuple(map(tuple, leaving)),
            sources=tuple(node for node in range(len(nodes)) if not fed[node]),
            sinks=tuple(node for node in range(len(nodes)) if not leaving[node]),
        )


def _topological(leaving: list[list[Edge]], waits_for: list[int]) -> list[int]:
    """Kahn's algorithm ("Topological sorting of large networks", 1962) with a heap. Consumes `waits_for`."""
    ready = [node for node, count in enumerate(waits_for) if count == 0]
    order = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for edge in leaving[node]:
            waits_for[edge.target] -= 1
            if waits_for[edge.target] == 0:
                heapq.heappush(ready, edge.target)
    return order


def _cycle(leaving: list[list[Edge]], stuck: set[int]) -> list[int]:
    """A cycle among `stuck`, which is what a topological sort left over: closed, first node first and last."""
    # Whoever is stuck is fed by somebody who is, so walking backwards must come round.
    feeder = {edge.target: edge.source for source in stuck for edge in leaving[source] if edge.target in stuck}
    path, node = [], min(stuck)
    while node not in path:
        path.append(node)
        node = feeder[node]
    cycle = path[path.index(node) :][::-1]
    start = cycle.index(min(cycle))
    return [*cycle[start:], *cycle[:start], cycle[start]]
