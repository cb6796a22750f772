"""Pipelines as data and back."""

import asyncio
import json
import re
import sys

import pytest
from sample_nodes import Mix, Plus, Repeat, Tag

from remotemedia import Pipeline
from remotemedia.core.exceptions import ConfigurationError, ManifestError, UnknownNodeError
from remotemedia.core.syntax import read_json, read_yaml
from remotemedia.nodes import AddNode, BufferNode, CalculatorNode, FormatConverter, MultiplyNode, PassThroughNode
from remotemedia.runtime import execute_pipeline_with_input


def manifest(*nodes, connections=(), **more):
    return {
        "version": "v1",
        "metadata": {"name": "m"},
        "nodes": [{"id": node_id, "node_type": node_type, **rest} for node_id, node_type, rest in nodes],
        "connections": [{"from": a, "to": b} for a, b in connections],
        **more,
    }


def test_serialize_is_a_version_1_manifest():
    pipeline = Pipeline([MultiplyNode(factor=3), BufferNode(), Plus(4, name="my plus!")], name="p")
    written = json.loads(pipeline.serialize(description="what for"))
    created_at = written["metadata"].pop("created_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created_at)
    assert written == {
        "version": "v1",
        "metadata": {"name": "p", "description": "what for"},
        "nodes": [
            {"id": "MultiplyNode_0", "node_type": "MultiplyNode", "params": {"factor": 3}},
            {"id": "BufferNode_1", "node_type": "BufferNode", "params": {"buffer_size": 10}},
            {"id": "my_plus__2", "node_type": "sample_nodes:Plus", "params": {"addend": 4}},
        ],
        "connections": [{"from": "MultiplyNode_0", "to": "BufferNode_1"}, {"from": "BufferNode_1", "to": "my_plus__2"}],
    }
    assert pipeline.serialize().count("\n") > 10
    assert json.loads(Pipeline().serialize())["nodes"] == []


def graph():
    a, b = Plus(2, name="a"), Repeat(name="b")
    pipeline = Pipeline([a], name="g").add_node(b, after=a).add_node(Tag("c"), after=a)
    return pipeline.add_node(Mix(), after={"left": b, "right": ["Tag"]})


def test_a_pipeline_comes_back_from_its_manifest(tmp_path):
    expected = graph().run_sync([1, 2], mode="python_cpu")
    file = tmp_path / "pipeline.json"
    file.write_text(graph().serialize())
    for source in (graph().to_manifest(), graph().serialize(), file, str(file)):
        again = Pipeline.from_manifest(source, mode="python_cpu")
        assert again.name == "g"
        assert [node.name for node in again] == ["a", "b", "Tag", "Mix"]
        assert again.run_sync([1, 2]) == expected
        written, original = again.to_manifest(), graph().to_manifest()
        written["metadata"] = original["metadata"]
        assert written == original


def test_a_pipeline_comes_back_from_its_definition():
    exported = json.loads(json.dumps(graph().export_definition()))
    assert exported["connections"][3] == {
        "from_node": "Tag_2", "to_node": "Mix_3", "output_port": "default", "input_port": "right",
    }  # fmt: skip
    assert exported["nodes"][0] == {
        "node_id": "a_0", "name": "a", "node_type": "Plus", "config": {"addend": 2}, "is_remote": False,
        "remote_endpoint": None, "is_streaming": False, "is_source": False, "is_sink": False,
        "module": "sample_nodes", "class_name": "Plus",
    }  # fmt: skip
    again = asyncio.run(Pipeline.from_definition(exported))
    assert [node.name for node in again] == ["a", "b", "Tag", "Mix"]
    assert again.run_sync([1, 2], mode="python_cpu") == graph().run_sync([1, 2], mode="python_cpu")
    for wrong in ({}, {"nodes": [{}]}):
        with pytest.raises(ManifestError):
            asyncio.run(Pipeline.from_definition(wrong))


def test_ids_of_other_tools_are_kept():
    pipeline = Pipeline.from_manifest(
        manifest(("first", "Multiply", {"params": {"factor": 2}}), ("then", "Add", {}), connections=[("first", "then")])
    )
    assert [node["id"] for node in pipeline.to_manifest()["nodes"]] == ["first", "then"]
    assert [type(node) for node in pipeline] == [MultiplyNode, AddNode]


YAML = """\
# what a person writes
version: v1
metadata: {name: m, created_at: 2025-10-01T00:00:00Z}
nodes:
  - &first
    id: a
    node_type: CalculatorNode
    params: &shared {operation: multiply, operand: 3}
  - id: b
    node_type: CalculatorNode
    params: *shared
connections:
  - {from: a, to: b}
"""


def test_yaml_is_read_as_a_file_and_as_a_text(tmp_path, mode):
    for suffix in ("yaml", "yml"):
        (tmp_path / f"p.{suffix}").write_text("\ufeff" + YAML, encoding="utf-8")
        assert Pipeline.from_manifest(tmp_path / f"p.{suffix}", mode=mode).run_sync(2) == 18
    assert Pipeline.from_manifest(YAML, mode=mode).run_sync(2) == 18
    assert asyncio.run(execute_pipeline_with_input(YAML, [1, 2])) == [9, 18]
    one, two = Pipeline.from_manifest(YAML)
    assert one.config == two.config and one.config is not two.config


def test_json_and_yaml_read_the_same_values():
    """The host's own table for it."""
    text = 'n: null\nb: true\ni: -3\nu: 18446744073709551615\nf: 0.5\ns: "1"\nyes: no\na: [1, {x: y}]\n3: x'
    wanted = {
        "n": None, "b": True, "i": -3, "u": 2**64 - 1, "f": 0.5, "s": "1", "yes": "no", "a": [1, {"x": "y"}], "3": "x",
    }  # fmt: skip
    assert read_yaml(text, "here") == wanted == read_json(json.dumps(wanted), "here")
    more = "a: 010\nb: 0x1F\nc: 0o17\nd: 1e3\ne: 2025-10-01\nf: ~\ng:\nh: .5\ni: 1_000\nj: 12:30\nk: +7\nl: 'true'\n"
    assert read_yaml(more, "here") == {
        "a": 10, "b": 31, "c": 15, "d": 1000.0, "e": "2025-10-01", "f": None, "g": None, "h": 0.5, "i": "1_000",
        "j": "12:30", "k": 7, "l": "true",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: 1\na: 2", "line 2: the field 'a' appears twice"),
        ("a: [1, 2\nb: 3", "line 2"),
        ("a: .nan\n", "JSON has no .nan"),
        ("a: -.inf\n", "JSON has no -.inf"),
        ("a: !!python/object:os.system {}\n", "could not determine a constructor"),
        ("a: !!binary aGk=\n", "JSON has no bytes"),
        ("? [1]\n: 2", "the name of a field is a text"),
        ("a: 1\n---\nb: 2", "single document"),
        ("- 1\n- 2", "an object, not a list"),
        ("a: &a [*a]\nb: 1", "not YAML"),
        ("a: " + "[" * 5000 + "\n", "not YAML"),
        ("\n".join(["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]), "1000000"),
    ],
)
def test_yaml_that_is_none_is_refused_in_bounded_work(text, part):
    with pytest.raises(ManifestError, match=re.escape(part)):
        Pipeline.from_manifest(text)


def test_json_is_strict_as_the_host_is():
    with pytest.raises(ManifestError, match="the field 'a' appears twice"):
        Pipeline.from_manifest('{"a": 1, "b": {}, "a": 2}')
    with pytest.raises(ManifestError, match="JSON has no NaN"):
        Pipeline.from_manifest('{"a": NaN}')


def test_without_pyyaml_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match="manifest is YAML, which needs PyYAML: pip install pyyaml, or write JSON"):
        Pipeline.from_manifest(YAML)


def test_nodes_may_stand_in_any_order():
    pipeline = Pipeline.from_manifest(
        manifest(
            ("b", "AddNode", {"params": {"addend": 1}}),
            ("a", "MultiplyNode", {"params": {"factor": 10}}),
            connections=[("a", "b")],
        )
    )
    assert pipeline.run_sync(2, mode="python_cpu") == 21


def test_hints_and_fields_of_other_tools_are_accepted():
    read = Pipeline.from_manifest(
        manifest(("a", "PassThroughNode", {"runtime_hint": "rust", "host": "h:1", "execution": {}, "retry": {}}))
    )
    assert read.to_manifest()["nodes"][0]["runtime_hint"] == "rust"
    assert type(read.nodes[0]) is PassThroughNode


def test_classes_beside_the_manifest_are_found(tmp_path):
    (tmp_path / "beside_it.py").write_text(
        "from remotemedia import Node\nclass Triple(Node):\n    def process(self, data):\n        return 3 * data\n"
    )
    file = tmp_path / "p.json"
    file.write_text(json.dumps(manifest(("t", "beside_it:Triple", {}))))
    assert Pipeline.from_manifest(file).run_sync(2, mode="python_cpu") == 6


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ({}, ["$.version", "$.metadata.name", "$.nodes", "$.connections"]),
        (manifest(version="v9"), ["$.version: must be \"v1\", not 'v9'", "at least one node"]),
        (manifest(("a b", "Add", {}), ("c", 3, {}), ("c", "Add", {})), ["nodes[0].id", "nodes[1].node_type", "another"]),
        (manifest(("a", "Add", {"params": [1]})), ["nodes[0].params"]),
        (manifest(("a", "Add", {}), connections=[("a", "z")]), ["connections[0].to: there is no node 'z'"]),
        (manifest(("a", "Add", {}), ("b", "Add", {}), connections=[("a", "b"), ("b", "a")]), ["cycle: a -> b -> a"]),
        ("{", ["not JSON"]),
        ("{}", ["$.version"]),
    ],
)
def test_everything_wrong_is_reported_at_once(wrong, parts):
    with pytest.raises(ManifestError) as caught:
        Pipeline.from_manifest(wrong)
    assert isinstance(caught.value, ValueError)
    for part in parts:
        assert part in str(caught.value)


def test_files_that_are_no_manifest_are_refused(tmp_path):
    for name, content, part in (("a.json", b"[1]", "object"), ("b.json", b"\xff", "UTF-8"), ("c.yaml", b"", "object")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ManifestError, match=part):
            Pipeline.from_manifest(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Pipeline.from_manifest(tmp_path / "none.json")
    with pytest.raises(TypeError, match="path, a JSON or YAML text, or a dict"):
        Pipeline.from_manifest(3)


@pytest.mark.parametrize(
    ("node_type", "part"),
    [
        ("MultiplyNod", "did you mean 'MultiplyNode'"),
        ("no_such_module_:X", "no_such_module_"),
        ("sample_nodes:Plos", "did you mean 'Plus'"),
        ("sample_nodes:Node.config", "no class with a method `process`"),
        ("json:dumps", "no class with a method `process`"),
        ("sample_nodes:f.<locals>.X", "inside a function"),
    ],
)
def test_unknown_node_types_are_named(node_type, part):
    with pytest.raises(UnknownNodeError, match=re.escape(part)):
        Pipeline.from_manifest(manifest(("a", node_type, {})))


def test_params_that_a_class_does_not_take_are_named():
    with pytest.raises(ConfigurationError, match=r"node `a` \(BufferNode\), params: buffer_size 0 must be"):
        Pipeline.from_manifest(manifest(("a", "BufferNode", {"params": {"buffer_size": 0}})))
    with pytest.raises(ConfigurationError, match=r"node `b` \(sample_nodes:Tag\), params: .*letter"):
        Pipeline.from_manifest(manifest(("b", "sample_nodes:Tag", {})))


def test_bare_names_that_are_native_nodes_stay_theirs():
    assert FormatConverter().to_manifest()["node_type"] == "remotemedia.nodes.transform:FormatConverter"
    assert CalculatorNode(operand=2).to_manifest() == {
        "node_type": "CalculatorNode",
        "params": {"operation": "add", "operand": 2},
    }
