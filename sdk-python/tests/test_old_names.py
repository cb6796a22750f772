"""What pipelines of the old SDK import and call, beside nodes: registration, `execute_pipeline`, and what this version
does not have."""

import asyncio
import json
import sys

import pytest
from sample_nodes import Plus, Tag
from test_manifests import manifest

import remotemedia
import remotemedia_runtime
from remotemedia import (
    Node,
    Pipeline,
    RemoteExecutorConfig,
    execute_pipeline,
    execute_pipeline_with_input,
    register_node_class,
    register_python_node,
    runtime,
)
from remotemedia.core import registry
from remotemedia.core.exceptions import ConfigurationError, RemoteExecutionError, UnknownNodeError, WebRTCError
from remotemedia.core.multiprocessing import (
    get_node_class,
    get_node_requirements,
    list_registered_nodes,
    python_requires,
    register_node,
)
from remotemedia.nodes import streaming_node
from remotemedia.testing import TestSource


@pytest.fixture(autouse=True)
def _nothing_stays_registered(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


def test_everything_the_old_package_exported_is_there():
    import remotemedia.nodes as nodes

    assert nodes.Node is Node
    for name in (
        "AudioTransform AudioBuffer AudioResampler VoiceActivityDetector MediaReaderNode AudioTrackSource VideoTrackSource "
        "MediaWriterNode TextProcessorNode VideoTransform VideoBuffer VideoResizer DataTransform RemoteExecutionNode "
        "RemoteObjectExecutionNode SerializedClassExecutorNode StatefulCounter DataSourceNode DataSinkNode BidirectionalNode "
        "JavaScriptBridgeNode GRPCStreamSource GRPCStreamManager get_grpc_stream_manager MultiplyNode AddNode"
    ).split():
        assert getattr(nodes, name) is not None and name in dir(nodes)
    for module, names in {
        "source": "MediaReaderNode AudioTrackSource VideoTrackSource TrackSource LocalMediaReaderNode",
        "sink": "MediaWriterNode",
        "remote": "RemoteExecutionNode RemoteObjectExecutionNode",
        "grpc_source": "GRPCStreamSource GRPCStreamManager get_grpc_stream_manager",
    }.items():
        imported = __import__(f"remotemedia.nodes.{module}", fromlist=["x"])
        assert sorted(imported.__all__) == sorted(names.split())


def test_nodes_are_imported_from_the_package_itself():
    from remotemedia import AddNode, MediaReaderNode
    from remotemedia.core import Node as CoreNode
    from remotemedia.core import Pipeline as CorePipeline
    from remotemedia.core import PipelineError, RemoteExecutionError, WebRTCError

    assert (AddNode, MediaReaderNode) == (remotemedia.nodes.AddNode, remotemedia.nodes.MediaReaderNode)
    assert (CoreNode, CorePipeline) == (Node, Pipeline)
    for error in (PipelineError, RemoteExecutionError, WebRTCError):
        assert getattr(remotemedia, error.__name__) is error
    with pytest.raises(ImportError, match="AdNode"):
        from remotemedia import AdNode  # noqa: F401


def test_the_runtime_that_is_asked_for_is_the_one_with_execute_pipeline():
    assert remotemedia.try_load_rust_runtime() == (True, runtime, None)
    assert remotemedia.get_rust_runtime() is runtime and runtime.is_available()


def test_a_class_gets_a_name_in_manifests(mode):
    @register_node("Shift")
    @python_requires(["torch>=2"])
    class Moved(Node):
        def __init__(self, by=1, **kwargs):
            super().__init__(**kwargs)
            self.by = by

        def process(self, data):
            return data + self.by

    named = manifest(("s", "Shift", {"params": {"by": 5}}))
    assert Pipeline.from_manifest(named, mode=mode).run_sync(1) == 6
    assert get_node_class("Shift") is Moved and list_registered_nodes() == ["Shift"]
    assert get_node_requirements("Shift") == ["torch>=2"]
    with pytest.raises(KeyError, match="no node type 'Shif' is registered"):
        get_node_class("Shif")
    with pytest.raises(UnknownNodeError, match="did you mean 'Shift'"):
        Pipeline.from_manifest(manifest(("s", "Shif", {})))


def test_classes_of_a_function_or_notebook_are_registered_as_they_are(mode):
    class Multiplier:  # needs no base class
        def __init__(self, factor=2):
            self.factor = factor

        def process(self, data):
            return data * self.factor

    info = register_node_class(Multiplier, accepts=["json"], produces=["json"])
    assert (info["node_type"], info["path"], info["class"], info["accepts"]) == ("Multiplier", "inline", Multiplier, ["json"])
    seven = manifest(("m", "Multiplier", {"params": {"factor": 7}}))
    assert Pipeline.from_manifest(seven, mode=mode).run_sync(3) == 21
    assert asyncio.run(execute_pipeline_with_input(seven, [3])) == 21

    @streaming_node(node_type="Again", multi_output=True)
    class Twice(Node):
        def process(self, data):
            yield data
            yield data

    assert Pipeline.from_manifest(manifest(("t", "Again", {})), mode=mode).run_sync(3) == [3, 3]


def test_the_classes_of_a_file_are_registered(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from remotemedia import Node\n"
        "class Up(Node):\n    def process(self, data):\n        return data + 1\n"
        "class Down:\n    def process(self, data):\n        return data - 1\n"
    )
    assert sorted(register_python_node(file)) == ["Down", "Up"]
    assert register_python_node(str(file), node_class="Down", node_type="Lower")["Lower"]["file_path"] == str(file)
    assert Pipeline.from_manifest(manifest(("a", "Up", {}), ("b", "Lower", {}), connections=[("a", "b")])).run_sync(1) == 1
    with pytest.raises(UnknownNodeError, match="has no node 'Left'; it has Up, Down"):
        register_python_node(file, node_class="Left")
    with pytest.raises(FileNotFoundError, match="none.py"):
        register_python_node(tmp_path / "none.py")
    file.write_text("x = 1")
    with pytest.raises(UnknownNodeError, match="no class with a method `process`"):
        register_python_node(file)
    file.write_text("1 / 0")
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        register_python_node(file)
    assert set(sys.modules) == before - {name for name in before if name.startswith("_remotemedia_node_mine")}


def test_names_that_are_taken_or_no_names_are_refused():
    for name, part in (("AddNode", "remotemedia.nodes"), ("a:b", "without `:`"), ("", "without `:`")):
        with pytest.raises(ConfigurationError, match=part):
            register_node(name)(Plus)
    with pytest.raises(TypeError, match="a node is a class with a method `process`"):
        register_node_class(int)


def test_the_runtime_registers_too():
    assert runtime.register_inline_node_class(Plus, node_type="P") == "P"
    runtime.register_python_node_type("Q", "sample_nodes.Plus")
    runtime.register_python_node_type("R", "sample_nodes:Plus")
    types = asyncio.run(remotemedia_runtime.list_registered_node_types())
    assert {"P", "Q", "R", "AddNode", "AudioResample"} <= set(types) and types == sorted(set(types))
    assert Pipeline.from_manifest(manifest(("q", "Q", {"params": {"addend": 2}}))).run_sync(1) == 3
    assert runtime.unregister_node_type("Q") is True and runtime.unregister_node_type("Q") is False
    with pytest.raises(ConfigurationError, match="must be `module.Class`"):
        runtime.register_python_node_type("Plus")
    with pytest.raises(UnknownNodeError, match="did you mean 'Plus'"):
        runtime.register_python_node_type("S", "sample_nodes.Plos")


@pytest.mark.parametrize(
    "what",
    [
        Pipeline([Plus(4)]),
        [Plus(4)],
        [{"node_type": "AddNode", "params": {"addend": 4}}],
        manifest(("a", "AddNode", {"params": {"addend": 4}})),
        json.dumps(manifest(("a", "AddNode", {"params": {"addend": 4}}))),
    ],
)
def test_pipelines_nodes_and_manifests_are_executed(what):
    assert asyncio.run(execute_pipeline_with_input(what, [1, 2])) == [5, 6]
    measured = asyncio.run(execute_pipeline_with_input(what, [1], enable_metrics=True))
    assert measured["outputs"] == 5 and json.loads(measured["metrics"])["node_metrics"][0]["execution_count"] == 1


def test_sources_are_executed():
    assert asyncio.run(execute_pipeline([TestSource([1, 2]), Tag("t")])) == [("t", 1), ("t", 2)]


@pytest.mark.parametrize(
    ("what", "items", "error", "part"),
    [
        ([Plus(), 5], [1], TypeError, r"nodes\[1\] must be a Node or a dict, not a int"),
        ([], [1], ValueError, "nodes is empty"),
        (5, [1], TypeError, "not a int"),
        (b"{}", [1], TypeError, "not a bytes"),
        ([Plus()], [], ValueError, "input_data is empty"),
        ([Plus()], 5, TypeError, "input_data must be a list"),
    ],
)
def test_what_cannot_be_executed_is_named(what, items, error, part):
    with pytest.raises(error, match=part):
        asyncio.run(execute_pipeline_with_input(what, items))


def test_what_this_version_has_not_says_what_to_do():
    config = RemoteExecutorConfig("gpu-box", 50052)
    nodes = remotemedia.nodes
    for make in (
        lambda: nodes.RemoteExecutionNode("WhisperNode", config),
        lambda: nodes.RemoteObjectExecutionNode(Plus(), remote_config=config),
        lambda: config(Plus()),
        lambda: config(Plus),
    ):
        with pytest.raises(RemoteExecutionError, match=r"cannot run at gpu-box:50052.*add_node\((WhisperNode|Plus)\("):
            make()
    for make in (nodes.GRPCStreamSource, nodes.GRPCStreamManager, nodes.get_grpc_stream_manager):
        with pytest.raises(RemoteExecutionError, match="no gRPC server.*DataSourceNode"):
            make()
    with pytest.raises(WebRTCError, match="pipeline.process"):
        remotemedia.WebRTCManager(signaling_url="ws://x")
    with pytest.raises(RemoteExecutionError, match="no gRPC server"):
        Pipeline.from_manifest(manifest(("g", "GRPCStreamSource", {})))
    for name, part in (("create_streaming_session", "pipeline.process"), ("load_plugin", "WasmNode"), ("x", "'x'$")):
        with pytest.raises(AttributeError, match=part):
            getattr(runtime, name)
    with pytest.raises(ImportError, match=r"derive from remotemedia\.Node"):
        from remotemedia.core.multiprocessing import MultiprocessNode  # noqa: F401
