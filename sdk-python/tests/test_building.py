"""How pipelines are put together."""

import asyncio

import pytest
from sample_nodes import Identity, Numbers, Plus, Tag

from remotemedia import Node, Pipeline, PipelineError, RemoteExecutorConfig
from remotemedia.core.exceptions import ConfigurationError, ManifestError, UnknownNodeError
from remotemedia.core.graph import Edge, Graph


def ways(pipeline):
    return [(link["from"], link["to"]) for link in pipeline.to_manifest()["connections"]]


def test_nodes_in_a_row():
    a, b = Plus(name="a"), Plus(name="b")
    pipeline = Pipeline([a]).add_node(b)
    assert pipeline.nodes == [a, b] == list(pipeline)
    assert (len(pipeline), pipeline.node_count, pipeline.remote_node_count) == (2, 2, 0)
    assert pipeline.get_node("b") is b
    assert pipeline.get_node("c") is None
    assert ways(pipeline) == [("a_0", "b_1")]
    assert pipeline.get_config()["nodes"][0] == {"name": "a", "class": "Plus", "addend": 1}
    assert repr(pipeline) == "Pipeline('Pipeline', nodes=['a', 'b'])"


def test_after_makes_any_graph():
    a, b, c = Tag("a", name="a"), Tag("b", name="b"), Tag("c", name="c")
    pipeline = Pipeline([a]).add_node(b, after=a).add_node(c, after=["a"])
    pipeline.add_node(Tag("d", name="d"), after=[c, b, b]).add_node(Tag("e", name="e"), after=[])
    pipeline.add_node(Tag("f", name="f"), after="d_3")
    assert ways(pipeline) == [("a_0", "b_1"), ("a_0", "c_2"), ("b_1", "d_3"), ("c_2", "d_3"), ("d_3", "f_5")]


def test_removing_a_node_joins_its_neighbours():
    a, b, c, d = (Tag(letter, name=letter) for letter in "abcd")
    pipeline = Pipeline([a]).add_node(b, after=a).add_node(c, after=[a, b]).add_node(d, after=c)
    assert pipeline.remove_node("b")
    assert ways(pipeline) == [("a_0", "c_1"), ("c_1", "d_2")]
    assert not pipeline.remove_node("b")
    assert pipeline.remove_node("a")
    assert ways(pipeline) == [("c_0", "d_1")]
    pipeline.add_node(b, after=d)
    assert ways(pipeline) == [("c_0", "d_1"), ("d_1", "b_2")]


def test_what_makes_no_sense_is_refused_by_name():
    a = Plus(name="a")
    pipeline = Pipeline([a])
    for wrong in (Plus, "a", None, 3):
        with pytest.raises(PipelineError, match="instance of remotemedia.Node"):
            pipeline.add_node(wrong)
    with pytest.raises(PipelineError, match="'a' is in this pipeline already"):
        pipeline.add_node(a)
    with pytest.raises(UnknownNodeError, match="'b' is not in this pipeline"):
        pipeline.add_node(Plus(), after="b")
    with pytest.raises(UnknownNodeError, match="'b' is not in this pipeline"):
        pipeline.add_node(Plus(), after=[Plus(name="b")])
    with pytest.raises(TypeError, match="after"):
        pipeline.add_node(Plus(), after=3)
    with pytest.raises(TypeError, match="after"):
        pipeline.add_node(Plus(), after=[3])
    assert len(pipeline) == 1
    twice = Pipeline([Plus(name="x"), Plus(name="x")])
    with pytest.raises(PipelineError, match="2 nodes are called 'x'"):
        twice.add_node(Plus(), after="x")
    for name in ("", "n" * 256, 3):
        with pytest.raises(TypeError, match="name"):
            Pipeline(name=name)


def test_an_unknown_node_is_a_key_error_with_plain_words():
    with pytest.raises(KeyError) as caught:
        Pipeline([Plus()]).add_node(Plus(), after="b")
    assert str(caught.value) == "node 'b' is not in this pipeline; add it first"


def test_remote_nodes_are_counted():
    node = Identity()
    node.is_remote, node.remote_config = True, RemoteExecutorConfig("gpu-box", 50052)
    pipeline = Pipeline([node])
    assert pipeline.remote_node_count == 1
    assert pipeline.export_definition()["nodes"][0]["remote_endpoint"] == "gpu-box:50052"


def test_modes_are_one_switch(monkeypatch):
    pipeline = Pipeline([Plus()])
    assert pipeline.plan(mode="python_cpu")[0]["reason"] == "mode python_cpu"
    monkeypatch.setenv("REMOTEMEDIA_RUNTIME_MODE", "python_cpu")
    assert pipeline.run_sync(1) == 2
    monkeypatch.setenv("REMOTEMEDIA_RUNTIME_MODE", "fast")
    with pytest.raises(ConfigurationError, match="REMOTEMEDIA_RUNTIME_MODE 'fast' must be one of python_cpu"):
        pipeline.run_sync(1)
    assert pipeline.run_sync(1, mode="python_cpu") == 2
    assert pipeline.run_sync(1, use_rust=False) == 2
    assert Pipeline([Plus()], mode="python_cpu").run_sync(1) == 2
    with pytest.raises(ConfigurationError, match="rust_service.*does not exist yet"):
        pipeline.run_sync(1, mode="rust_service")
    with pytest.raises(ConfigurationError, match="mode"):
        Pipeline(mode="turbo")


def test_a_cycle_is_shown_with_its_nodes():
    nodes = [Identity() for _ in range(4)]
    with pytest.raises(ManifestError, match="cycle: b -> c -> d -> b"):
        Graph.of(nodes, "abcd", [Edge(0, 1), Edge(1, 2), Edge(2, 3), Edge(3, 1)])
    with pytest.raises(ManifestError, match="cycle: a -> a"):
        Graph.of(nodes, "abcd", [Edge(0, 0)])
    with pytest.raises(ManifestError, match="a -> b is there twice"):
        Graph.of(nodes, "abcd", [Edge(0, 1), Edge(0, 1)])
    graph = Graph.of(nodes, "abcd", [Edge(3, 0), Edge(2, 0), Edge(0, 1)])
    assert (graph.order, graph.sources, graph.sinks) == ((2, 3, 0, 1), (2, 3), (1,))


def test_the_picture_shows_every_node_and_escapes_names():
    a = Plus(name="<script>")
    picture = Pipeline([a, Tag("b", name="b")], name="a & b").add_node(Numbers(1), after=a)._repr_html_()
    assert picture.startswith("<svg ")
    assert picture.count("<rect ") == 3
    assert picture.count("marker-end") == 2
    assert "<script>" not in picture
    assert "a &amp; b" in picture


def test_managed_execution_initializes_once():
    class Counts(Node):
        begun = 0

        def initialize(self):
            self.begun += 1

        def process(self, data):
            return data

    async def run():
        node = Counts()
        pipeline = Pipeline([node], mode="python_cpu")
        async with pipeline.managed_execution() as same:
            assert same is pipeline
            await pipeline.initialize()
            assert pipeline.is_initialized
            await pipeline.run([1, 2])
        await pipeline.cleanup()
        return node.begun

    assert asyncio.run(run()) == 1
