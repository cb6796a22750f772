"""Classes that do not derive from `Node`, in manifests: in both modes what the host makes of them."""

import asyncio
import json

import pytest
from plain_nodes import Lifecycle, Times
from test_manifests import manifest

from remotemedia import Node, NodeError, Pipeline, PipelineError
from remotemedia.core.exceptions import ConfigurationError, UnknownNodeError
from remotemedia.runtime import execute_pipeline_with_input


def pipeline(mode, *nodes, connections=()):
    return Pipeline.from_manifest(manifest(*nodes, connections=connections), mode=mode)


def test_a_class_with_process_is_a_node(mode):
    times = pipeline(mode, ("t", "plain_nodes:Times", {"params": {"factor": 3}}))
    assert times.run_sync([1, 2]) == [3, 6]
    assert isinstance(times.nodes[0], Node)
    assert times.plan()[0]["node_type"] == ("plain_nodes:Times" if mode == "python_cpu" else "python:Object")
    assert repr(times.nodes[0]) == "Times(factor=3)"


def test_it_is_written_down_again(mode):
    params = {"factor": 3, "name": "mine"}
    times = pipeline(mode, ("t", "plain_nodes:Times", {"params": params}))
    entry = {"id": "t", "node_type": "plain_nodes:Times", "params": params}
    assert times.to_manifest()["nodes"] == [entry]
    again = asyncio.run(Pipeline.from_definition(json.loads(json.dumps(times.export_definition()))))
    assert again.to_manifest()["nodes"] == [entry]
    assert again.run_sync(5, mode=mode) == 15


def test_all_its_methods_are_called(mode):
    lifecycle = pipeline(mode, ("l", "plain_nodes:Lifecycle", {}))
    assert lifecycle.run_sync([1, 2]) == ["init", "initialize", 1, 2]
    assert lifecycle.nodes[0]._object.called == ["init", "initialize", 1, 2, "cleanup"]
    assert type(lifecycle.nodes[0]._object) is Lifecycle


def test_what_it_declares_counts(mode):
    assert pipeline(mode, ("t", "plain_nodes:Total", {})).run_sync([1, 2, 3]) == [1, 3, 6]
    assert pipeline(mode, ("c", "plain_nodes:Count", {"params": {"most": 3}})).run_sync() == [0, 1, 2]
    assert pipeline(mode, ("l", "plain_nodes:Late", {})).run_sync([1, 2]) == ["1", "2"]
    assert pipeline(mode, ("o", "plain_nodes:Outer.Inner", {})).run_sync(1) == ("inner", 1)
    minus = pipeline(
        mode,
        ("a", "plain_nodes:Times", {"params": {"factor": 10}}),
        ("b", "plain_nodes:Times", {"params": {"factor": 1}}),
        ("m", "plain_nodes:Minus", {}),
        connections=[("a", "m.left"), ("b", "m.right")],
    )
    assert minus.run_sync([1, 2]) == [9, 18]


def test_what_it_raises_is_the_cause(mode):
    with pytest.raises(NodeError, match="node `b`, process: KeyError: 7") as caught:
        pipeline(mode, ("b", "plain_nodes:Broken", {})).run_sync(7)
    assert isinstance(caught.value.__cause__, KeyError)


def test_what_is_no_node_is_refused():
    with pytest.raises(UnknownNodeError, match="NoProcess is no class with a method `process`"):
        pipeline(None, ("n", "plain_nodes:NoProcess", {}))
    with pytest.raises(UnknownNodeError, match="did you mean 'Times'"):
        pipeline(None, ("n", "plain_nodes:Time", {}))
    with pytest.raises(ConfigurationError, match=r"node `t` \(plain_nodes:Times\), params: .*'facto'"):
        pipeline(None, ("t", "plain_nodes:Times", {"params": {"facto": 3}}))
    with pytest.raises(PipelineError, match="instance of remotemedia.Node"):
        Pipeline([Times()])


def test_the_runtime_runs_it_too():
    text = json.dumps(manifest(("t", "plain_nodes:Times", {})))
    assert asyncio.run(execute_pipeline_with_input(text, [4])) == 8
