"""From the node types of a manifest to nodes."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remotemedia.core import registry
from remotemedia.core.exceptions import ConfigurationError, UnknownNodeError
from remotemedia.core.node import Node
from remotemedia.core.plain import is_node_class, node_class_of

#: What manifests call native nodes, and the class of `remotemedia.nodes` that computes the same in Python.
OTHER_NAMES = {
    "Add": "AddNode",
    "Calculator": "CalculatorNode",
    "Multiply": "MultiplyNode",
    "PassThrough": "PassThroughNode",
}


def class_of(node_type: str, folder: Path | None = None) -> type[Node]:
    """The class that a manifest calls `node_type`: `module:Class` (looked up in `folder` first), a name that was registered,
    or one of `remotemedia.nodes`. Of a class that does not derive from `Node`, the node that it is inside."""
    module_name, colon, class_name = node_type.partition(":")
    if not colon:
        return _bundled(node_type)
    searched = str(folder) if folder is not None else None
    if searched is not None:
        sys.path.insert(0, searched)
        importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise UnknownNodeError(f"node type {node_type!r}: module {module_name!r} cannot be imported: {error}") from error
    finally:
        if searched is not None:
            sys.path.remove(searched)
    module = found
    for part in class_name.split("."):
        found = getattr(found, part, None)
    if is_node_class(found):
        return node_class_of(found)
    if "<locals>" in class_name:
        raise UnknownNodeError(f"node type {node_type!r}: a class made inside a function cannot be found by its name")
    if found is not None:
        raise UnknownNodeError(f"node type {node_type!r}: {class_name} is no class with a method `process`")
    names = [name for name, value in vars(module).items() if is_node_class(value)]
    raise UnknownNodeError(f"node type {node_type!r}: {module_name} has no class {class_name}{_near(class_name, names)}")


def _bundled(node_type: str) -> type[Node]:
    from remotemedia import nodes

    own = registry.class_of(node_type)
    if own is not None:
        return node_class_of(own)
    name = OTHER_NAMES.get(node_type, node_type)
    if name not in nodes.__all__:
        known = [*nodes.__all__, *registry.registered()]
        raise UnknownNodeError(
            f"there is no node type {node_type!r} in remotemedia.nodes{_near(node_type, known)}; a class of your own is "
            "named module:Class, or registered by its name"
        )
    found: type[Node] = getattr(nodes, name)
    return found


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def node_of(entry: Mapping[str, Any], folder: Path | None = None) -> Node:
    """The node that a manifest's entry describes."""
    params, hint = dict(entry.get("params") or {}), entry.get("runtime_hint", "auto")
    native = _native(entry, params, hint, folder)
    if native is not None:
        return native
    node_class = class_of(entry["node_type"], folder)
    try:
        node = node_class(**params)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"node `{entry.get('id', '?')}` ({entry['node_type']}), params: {error}") from error
    node.runtime_hint = hint
    if entry.get("is_streaming"):
        node.is_streaming = True
    return node


#: Fields of an entry that `node_of` reads itself; those of native nodes keep the rest.
_READ = frozenset({"id", "node_type", "params", "runtime_hint", "component", "is_streaming"})


def _native(entry: Mapping[str, Any], params: dict[str, Any], hint: str, folder: Path | None) -> Node | None:
    """The node, when the native engine makes it: a component, or a type that it has and that is no class here."""
    from remotemedia import nodes

    node_type, component = entry["node_type"], entry.get("component")
    if component is not None:
        path, sha256 = (component["path"], component["sha256"]) if isinstance(component, Mapping) else (component, None)
        node = nodes.WasmNode((folder or Path()) / path, node_type=node_type, sha256=sha256, **params)
        node.options = {name: value for name, value in entry.items() if name not in _READ}
        return node
    bundled = OTHER_NAMES.get(node_type, node_type) in nodes.__all__ or registry.class_of(node_type) is not None
    if not bundled and (hint in ("native", "rust") or (hint == "auto" and node_type in native_types())):
        native = nodes.NativeNode(node_type, **params)
        native.options = {name: value for name, value in entry.items() if name not in _READ}
        return native
    return None


def native_types() -> list[str]:
    """The names of the native node types; none without the native module."""
    from remotemedia.core.modes import load

    module, _ = load()
    types: list[str] = [] if module is None else module.native_node_types()
    return types
