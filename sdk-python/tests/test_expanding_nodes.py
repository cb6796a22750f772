"""`remotemedia.nodes.test_nodes`: what the documentation of each says, in both modes."""

import pytest

from remotemedia import NodeError, Pipeline
from remotemedia.nodes import test_nodes as nodes
from remotemedia.testing import run_node


@pytest.mark.parametrize(
    ("node_type", "params", "items", "wanted"),
    [
        ("ExpanderNode", {}, [{"value": 10}, 1.5, "a"], [
            {"value": 10, "index": 0}, {"value": 11, "index": 1}, {"value": 12, "index": 2}, 1.5, 2.5, 3.5, "a_0", "a_1", "a_2",
        ]),
        ("ExpanderNode", {"expansion_factor": 0}, [1], []),
        ("FilterNode", {}, [-1, 0, 2.5, {"value": -3}, {"value": 3}, {}, "text", None], [0, 2.5, {"value": 3}, {}]),
        ("FilterNode", {"min_value": 3}, [2, 3, {"value": 4}], [3, {"value": 4}]),
        ("BatcherNode", {}, [1, 2, 3, 4, 5], [{"batch": [1, 2, 3], "size": 3}, {"batch": [4, 5], "size": 2}]),
        ("BatcherNode", {"batch_size": 1}, ["a"], [{"batch": ["a"], "size": 1}]),
        ("RangeGeneratorNode", {}, [{"start": 2, "end": 7, "step": 2}, 2, {"end": 1}], [
            {"value": 2}, {"value": 4}, {"value": 6}, {"value": 0}, {"value": 1}, {"value": 0},
        ]),
        ("TransformAndExpandNode", {}, ["Ab"], [
            {"text": "AB", "transform": "upper"}, {"text": "ab", "transform": "lower"}, {"text": "bA", "transform": "reverse"},
        ]),
        ("TransformAndExpandNode", {"transforms": ["double"]}, [12], [{"text": "1212", "transform": "double"}]),
        ("CounterNode", {"initial_count": 4}, ["a", "b"], [{"count": 5, "input": "a"}, {"count": 6, "input": "b"}]),
        ("ConditionalExpanderNode", {}, [{"value": -2}, 0, "text", 1.9], [
            {"original": -2, "index": 0, "count": 2}, {"original": -2, "index": 1, "count": 2},
            {"original": 1.9, "index": 0, "count": 1},
        ]),
        ("ConditionalExpanderNode", {}, [99], [{"original": 99, "index": index, "count": 10} for index in range(10)]),
        ("ChainedTransformNode", {}, [{"value": 5}], [
            {"stage": 1, "value": 10}, {"stage": 2, "value": 20}, {"stage": 3, "value": 400, "final": True},
        ]),
        ("ChainedTransformNode", {"emit_intermediates": False}, ["text"], [{"stage": 3, "value": 100, "final": True}]),
        ("ErrorProneNode", {}, [{"value": 1}, 2, {}], [
            {"value": 1, "status": "ok"}, {"value": 2, "status": "ok"}, {"value": 0, "status": "ok"},
        ]),
    ],
)  # fmt: skip
def test_each_gives_what_it_says(node_type, params, items, wanted, mode):
    assert run_node(getattr(nodes, node_type)(**params), items, mode=mode) == wanted
    entry = {"id": "n", "node_type": node_type, "params": params}
    manifest = {"version": "v1", "metadata": {"name": "m"}, "nodes": [entry], "connections": []}
    given = Pipeline.from_manifest(manifest, mode=mode).run_sync(items)
    assert given == (None if not wanted else wanted[0] if len(wanted) == 1 else wanted)


def test_a_chain_of_them(mode):
    pipeline = Pipeline([nodes.RangeGeneratorNode(), nodes.ExpanderNode(2), nodes.FilterNode(2), nodes.BatcherNode(2)], mode=mode)
    assert pipeline.run_sync(3) == [
        {"batch": [{"value": 2, "index": 1}, {"value": 2, "index": 0}], "size": 2},
        {"batch": [{"value": 3, "index": 1}], "size": 1},
    ]


def test_the_error_prone_one_fails_on_its_value(mode):
    with pytest.raises(NodeError, match="ValueError: Error triggered by value: -1"):
        run_node(nodes.ErrorProneNode(), [1, {"value": -1}], mode=mode)


def test_arguments_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="batch_size 0"):
        nodes.BatcherNode(0)
    with pytest.raises(ValueError, match="'uper' must be one of upper"):
        nodes.TransformAndExpandNode(["uper"])
