"""Classes that are nodes without deriving from `Node`: all they need is a method `process`, as in the host's manifests."""

from __future__ import annotations

import functools
from typing import Any

from remotemedia.core.arguments import BASE_PARAMETERS
from remotemedia.core.node import _DONE, Node


def is_node_class(value: Any) -> bool:
    """Is `value` a class whose instances have a method `process`?"""
    return isinstance(value, type) and callable(getattr(value, "process", None))


class _PlainNode(Node):
    """A node around an object of a class that knows nothing of pipelines. Subclasses are made by `node_class_of`."""

    _plain: type
    _object: Any

    def _extract_params(self) -> dict[str, Any]:
        # What `Node` calls its own parameters are the class's here.
        own = {name: value for name, value in self._arguments[1].items() if name in BASE_PARAMETERS}
        return {**super()._extract_params(), **own}

    def initialize(self) -> Any:
        initialize = getattr(self._object, "initialize", None)
        return _DONE if initialize is None else initialize()

    @property
    def process(self) -> Any:
        """The object's own method, looked up each time: it may be chosen in `initialize`."""
        return self._object.process

    @property
    def flush(self) -> Any:
        """The object's own method; `AttributeError` where it has none."""
        return self._object.flush

    @property
    def reset(self) -> Any:
        """The object's own method; `AttributeError` where it has none."""
        return self._object.reset

    def cleanup(self) -> Any:
        cleanup = getattr(self._object, "cleanup", None)
        return _DONE if cleanup is None else cleanup()


#: What the object says about itself, and the node says too.
_DECLARED = ("is_streaming", "is_source", "is_sink", "remotemedia_inputs", "remotemedia_outputs", "remotemedia_stateless")


@functools.cache
def node_class_of(plain: type) -> type[Node]:
    """`plain` where it derives from `Node`; else a node class with its name, place and constructor."""
    if issubclass(plain, Node):
        return plain

    @functools.wraps(plain.__init__)
    def __init__(self: _PlainNode, *args: Any, **kwargs: Any) -> None:
        self._object = plain(*args, **kwargs)
        for name in _DECLARED:
            if hasattr(self._object, name):
                setattr(self, name, getattr(self._object, name))

    body = {
        "__init__": __init__,
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__doc__": plain.__doc__,
        "_plain": plain,
    }
    return type(plain.__name__, (_PlainNode,), body)
