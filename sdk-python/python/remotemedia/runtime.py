"""Pipelines by their manifests, run by the native engine. Importing this needs the native module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from remotemedia._remotemedia_runtime import __version__ as __version__
from remotemedia.core import registry
from remotemedia.core.definition import parsed
from remotemedia.core.exceptions import ConfigurationError
from remotemedia.core.lookup import class_of, native_types, node_of
from remotemedia.core.modes import RUST_INPROCESS_FFI
from remotemedia.core.node import Node
from remotemedia.core.pipeline import Pipeline

__all__ = [
    "__version__",
    "execute_pipeline",
    "execute_pipeline_with_input",
    "execute_pipeline_with_instances",
    "get_metrics",
    "get_runtime_version",
    "is_available",
    "list_registered_node_types",
    "register_inline_node_class",
    "register_python_node_type",
    "unregister_node_type",
]


async def execute_pipeline(manifest_json: str | Mapping[str, Any], enable_metrics: bool | None = None) -> Any:
    """Runs a manifest without input: its first nodes are sources. See `Pipeline.run` for the result.

    With `enable_metrics` the result is {"outputs": the result, "metrics": what was counted, as JSON}.
    """
    return await _executed(_pipeline(manifest_json), None, enable_metrics)


async def execute_pipeline_with_input(
    manifest_json: str | Mapping[str, Any], input_data: Sequence[Any], enable_metrics: bool | None = None
) -> Any:
    """As `execute_pipeline`, over the items of `input_data`."""
    if not isinstance(input_data, (list, tuple)):
        raise TypeError(f"input_data must be a list of items, not a {type(input_data).__name__}")
    return await _executed(_pipeline(manifest_json), list(input_data), enable_metrics)


async def execute_pipeline_with_instances(
    nodes: Sequence[Node | Mapping[str, Any]], input_data: Any = None, enable_metrics: bool | None = None
) -> Any:
    """Runs nodes in a row: instances as the objects that they are, dicts as entries of a manifest."""
    if isinstance(nodes, (str, bytes)) or not isinstance(nodes, Sequence):
        raise TypeError(f"nodes must be a list of nodes, not a {type(nodes).__name__}")
    return await _executed(_in_a_row(nodes), input_data, enable_metrics)


async def execute(what: Any, input_data: Any, enable_metrics: bool | None) -> Any:
    """Runs a pipeline, a list of nodes, a manifest or its JSON text. See `remotemedia.execute_pipeline`."""
    if isinstance(what, Pipeline):
        return await _executed(what, input_data, enable_metrics)
    if isinstance(what, (str, Mapping)):
        return await _executed(_pipeline(what), input_data, enable_metrics)
    if isinstance(what, Sequence) and not isinstance(what, (bytes, bytearray)):
        return await _executed(_in_a_row(what), input_data, enable_metrics)
    raise TypeError(f"a Pipeline, a list of nodes, a manifest or its JSON text is wanted, not a {type(what).__name__}")


def _in_a_row(nodes: Sequence[Any]) -> Pipeline:
    if not nodes:
        raise ValueError("nodes is empty: a pipeline has at least one")
    made = []
    for position, node in enumerate(nodes):
        if isinstance(node, Mapping):
            node = node_of(node)
        if not isinstance(node, Node):
            raise TypeError(f"nodes[{position}] must be a Node or a dict, not a {type(node).__name__}")
        made.append(node)
    return Pipeline(made)


def _pipeline(manifest_json: str | Mapping[str, Any]) -> Pipeline:
    """Never reads a file, whatever the text says."""
    return Pipeline.from_manifest(parsed(manifest_json, "manifest") if isinstance(manifest_json, str) else manifest_json)


async def _executed(pipeline: Pipeline, input_data: Any, enable_metrics: bool | None) -> Any:
    pipeline.enable_metrics = bool(enable_metrics)
    outputs = await pipeline.run(input_data, mode=RUST_INPROCESS_FFI)
    return {"outputs": outputs, "metrics": json.dumps(pipeline.get_metrics())} if enable_metrics else outputs


def get_runtime_version() -> str:
    """The version of the native engine."""
    return __version__


def is_available() -> bool:
    """True: this module can only be imported where the native module is."""
    return True


def get_metrics(metrics_json: str) -> str:
    """Metrics as JSON for people: indented. Raises `ValueError` when they are no JSON."""
    if not isinstance(metrics_json, (str, bytes)):
        raise TypeError(f"metrics_json must be a JSON text, not a {type(metrics_json).__name__}")
    return json.dumps(json.loads(metrics_json), indent=2)


def register_inline_node_class(
    cls: type, node_type: str | None = None, multi_output: bool = False, **about: Any
) -> str:
    """Lets manifests call a class by its name, or by `node_type`, which is returned. See `remotemedia.register_node_class`."""
    info = registry.register(node_type or str(getattr(cls, "__name__", "")), cls, multi_output=multi_output, **about)
    return str(info["node_type"])


def register_python_node_type(
    node_type: str, python_class: str | None = None, multi_output: bool = False, **about: Any
) -> None:
    """As `register_inline_node_class`, for the class `module.Class` (or `module:Class`), which is imported now."""
    named = python_class or node_type
    if ":" not in named:
        module, dot, name = named.rpartition(".")
        if not dot:
            raise ConfigurationError(f"python_class {named!r} must be `module.Class`")
        named = f"{module}:{name}"
    registry.register(node_type, class_of(named), multi_output=multi_output, **about)


def unregister_node_type(node_type: str) -> bool:
    """Takes a registered name back. False when it was not registered."""
    return registry.forget(node_type)


async def list_registered_node_types() -> list[str]:
    """Every node type that manifests may use by a bare name: native ones, those of `remotemedia.nodes`, registered ones."""
    from remotemedia import nodes

    return sorted({*native_types(), *nodes.__all__, *registry.registered()})


#: What newer versions of the old package had here, and what does it now.
_INSTEAD = {
    "GrpcServer": "there is no gRPC server: feed `pipeline.process(stream)` from yours",
    "benchmark_pipeline": "`Pipeline(…, enable_metrics=True)` and `get_metrics()` say how long every node takes",
    "create_streaming_session": "`async with pipeline:` and `pipeline.process(stream)` are a session",
    "load_plugin": "native libraries are not loaded: ship a sandboxed component, `WasmNode(\"node.wasm\")`",
    "webrtc": "there is no WebRTC: feed `pipeline.process(stream)` from a WebRTC library",
}


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f": {_INSTEAD[name]}" if name in _INSTEAD else ""))
