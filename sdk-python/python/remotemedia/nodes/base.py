"""Nodes that move data and leave it as it is."""

from __future__ import annotations

from typing import Any

from remotemedia.core.node import Node
from remotemedia.core.types import NATIVE_HINTS

_NATIVE: dict[str, Any] = {"node_type": "PassThrough", "params": {}, "runtime_hint": "native"}


class PassThroughNode(Node):
    """Gives back what it gets: the very object, also where the native engine does it."""

    remotemedia_stateless = True
    _hands_on_objects = True

    def _native_entry(self) -> dict[str, Any] | None:
        # A subclass may do anything in its methods.
        native = type(self) is PassThroughNode and self.runtime_hint in NATIVE_HINTS and "process" not in self.__dict__
        return _NATIVE if native else None

    def process(self, data: Any) -> Any:
        """`data` itself."""
        return data


class BufferNode(Node):
    """Collects items and gives them as lists of `buffer_size`; at the end of the stream the rest, if there is one."""

    def __init__(self, buffer_size: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(buffer_size, bool) or not isinstance(buffer_size, int) or buffer_size < 1:
            raise ValueError(f"buffer_size {buffer_size!r} must be a whole number of at least 1")
        self.buffer_size = buffer_size
        self._items: list[Any] = []

    def process(self, data: Any) -> list[Any] | None:
        """A list when it is full, else None."""
        self._items.append(data)
        return self._taken() if len(self._items) >= self.buffer_size else None

    def reset(self) -> None:
        """Forgets what waits."""
        self._items = []

    def flush(self) -> list[Any] | None:
        """What is left."""
        return self._taken() if self._items else None

    def _taken(self) -> list[Any]:
        items, self._items = self._items, []
        return items
