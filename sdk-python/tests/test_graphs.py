"""Random graphs against a model that computes their results in another way."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_nodes import Fails, Identity, Last, OnlyOdd, Plus, PlusLater, Repeat, RepeatLater, RunningSum, Sum

from remotemedia import NodeError, Pipeline

MODES = ("python_cpu", "rust_inprocess_ffi")

#: What each node makes of all the items it gets: (per item, at the end).
MODELS = {
    Identity: (lambda seen: [seen[-1]], lambda seen: []),
    Plus: (lambda seen: [seen[-1] + 1], lambda seen: []),
    PlusLater: (lambda seen: [seen[-1] + 1], lambda seen: []),
    OnlyOdd: (lambda seen: [seen[-1]] if seen[-1] % 2 else [], lambda seen: []),
    Repeat: (lambda seen: [seen[-1]] * seen[-1], lambda seen: []),
    RepeatLater: (lambda seen: [seen[-1]] * seen[-1], lambda seen: []),
    RunningSum: (lambda seen: [sum(seen)], lambda seen: []),
    Sum: (lambda seen: [], lambda seen: [sum(seen)]),
    Last: (lambda seen: [], lambda seen: seen[-1:]),
}


class Model:
    """Sends values recursively instead of by a stack, and keeps what every node saw."""

    def __init__(self, kinds, feeders):
        self.kinds, self.feeders = kinds, feeders
        self.seen = [[] for _ in kinds]
        self.results = {node: [] for node in range(len(kinds)) if not self.fed_by(node)}

    def fed_by(self, node):
        return [other for other, feeders in enumerate(self.feeders) if node in feeders]

    def take(self, node, value):
        self.seen[node].append(value)
        self.give(node, MODELS[self.kinds[node]][0](self.seen[node]))

    def give(self, node, values):
        for value in values:
            if node in self.results:
                self.results[node].append(value)
            for other in self.fed_by(node):
                self.take(other, value)

    def run(self, items):
        for item in items:
            for node, feeders in enumerate(self.feeders):
                if not feeders:
                    self.take(node, item)
        for node in range(len(self.kinds)):
            self.give(node, MODELS[self.kinds[node]][1](self.seen[node]))
        return self.results


def collapsed(values):
    return None if not values else values[0] if len(values) == 1 else values


@st.composite
def graphs(draw, most=5):
    kinds = draw(st.lists(st.sampled_from(list(MODELS)), min_size=1, max_size=most))
    # Repeating repeats makes results too large to be of use.
    kinds = [kind if kind not in (Repeat, RepeatLater) or index < 2 else Plus for index, kind in enumerate(kinds)]
    feeders = [sorted(draw(st.sets(st.integers(0, node - 1), max_size=2))) if node else [] for node in range(len(kinds))]
    return kinds, feeders


def build(kinds, feeders, mode):
    nodes = [kind() for kind in kinds]
    pipeline = Pipeline(mode=mode)
    for node, sources in zip(nodes, feeders, strict=True):
        pipeline.add_node(node, after=[nodes[source] for source in sources])
    return pipeline


items = st.lists(st.integers(0, 3), max_size=4)


@settings(max_examples=150)
@given(graphs(), items)
def test_random_graphs_give_what_the_model_gives(graph, given_items):
    kinds, feeders = graph
    results = Model(kinds, feeders).run(given_items)
    for mode in MODES:
        got = build(kinds, feeders, mode).run_sync(given_items)
        if len(results) == 1:
            assert got == collapsed(next(iter(results.values())))
        else:
            assert list(got.values()) == [collapsed(values) for values in results.values()]


@settings(max_examples=50)
@given(graphs(), st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_streaming_gives_what_running_gives(graph, given_items):
    kinds, feeders = graph

    async def stream():
        for item in given_items:
            yield item

    async def streamed(mode):
        got = {}
        async with build(kinds, feeders, mode) as pipeline:
            async for value in pipeline.process(stream()):
                node, value = value if len(sinks) > 1 else (sinks[0], value)
                got.setdefault(node, []).append(value)
        return got

    sinks = [f"{kind.__name__}_{node}" for node, kind in enumerate(kinds) if not any(node in f for f in feeders)]
    whole = build(kinds, feeders, "python_cpu").run_sync(given_items)
    expected = whole if len(sinks) > 1 else {sinks[0]: whole}
    for mode in MODES:
        got = asyncio.run(streamed(mode))
        assert {sink: collapsed(got.get(sink, [])) for sink in sinks} == expected


@settings(max_examples=50)
@given(graphs(), st.integers(0, 4))
def test_a_failure_anywhere_is_an_error(graph, place):
    kinds, feeders = graph
    kinds = [Fails if index == place % len(kinds) else Identity for index in range(len(kinds))]
    for mode in MODES:
        with pytest.raises(NodeError) as caught:
            build(kinds, feeders, mode).run_sync([1, 2])
        assert caught.value.node_id == f"Fails_{place % len(kinds)}"
        assert isinstance(caught.value.__cause__, ValueError)
