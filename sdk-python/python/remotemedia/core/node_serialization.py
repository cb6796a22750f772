"""Nodes as bytes, for another process of the same machine.

With cloudpickle installed classes of `__main__` and of functions travel too. Reading bytes runs code: read only what a
process you trust wrote.
"""

from __future__ import annotations

import pickle
from typing import Any

from remotemedia.core.exceptions import SerializationError
from remotemedia.core.node import Node

__all__ = ["SerializationError", "deserialize_node_from_ipc", "serialize_node_for_ipc"]


def serialize_node_for_ipc(node: Node) -> bytes:
    """The node with its state. Raises `SerializationError` that names the attribute that cannot be written."""
    if not isinstance(node, Node):
        raise TypeError(f"serialize_node_for_ipc takes a Node, not a {type(node).__name__}")
    if node.is_initialized:
        raise SerializationError(f"node {node.name!r} is initialized: what it holds now belongs to this process")
    pickler = _pickler()
    try:
        written: bytes = pickler.dumps(node)
    except Exception as error:
        raise SerializationError(f"node {node.name!r} cannot be written{_culprit(node, pickler)}: {error}") from error
    return written


def deserialize_node_from_ipc(data: bytes) -> Node:
    """The node that `serialize_node_for_ipc` wrote."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"deserialize_node_from_ipc takes bytes, not a {type(data).__name__}")
    try:
        node = pickle.loads(data)
    except Exception as error:
        raise SerializationError(f"these bytes are no node: {type(error).__name__}: {error}") from error
    if not isinstance(node, Node):
        raise SerializationError(f"these bytes are a {type(node).__name__}, not a node")
    return node


def _pickler() -> Any:
    try:
        import cloudpickle
    except ImportError:
        return pickle
    return cloudpickle


def _culprit(node: Node, pickler: Any) -> str:
    for name, value in node.__getstate__().items():
        try:
            pickler.dumps(value)
        except Exception:
            return f" because of its attribute {name!r}, a {type(value).__name__}"
    return ""
