"""Nodes at the edges of a pipeline: data from a queue, data to a function."""

from __future__ import annotations

import inspect
import queue
from collections.abc import Callable, Iterator
from typing import Any

from remotemedia.core.node import Node


class DataSourceNode(Node):
    """A source that other threads or tasks feed: `push(item)` until `end()`.

    At most `buffer_size` items wait. Nothing for `timeout_seconds` (None: wait for ever) ends the stream too.
    """

    is_source = True

    def __init__(self, buffer_size: int = 100, timeout_seconds: float | None = 30.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if buffer_size < 1:
            raise ValueError(f"buffer_size {buffer_size} must be at least 1")
        self.buffer_size = buffer_size
        self.timeout_seconds = timeout_seconds
        self._items: queue.Queue[tuple[bool, Any]] = queue.Queue(buffer_size)

    def push(self, item: Any, timeout_seconds: float | None = None) -> None:
        """Adds an item; waits while the buffer is full. Raises `queue.Full` after the time, if one is given."""
        self._items.put((True, item), timeout=timeout_seconds)

    def end(self) -> None:
        """Ends the stream after what was pushed."""
        self._items.put((False, None))

    def process(self, data: Any = None) -> Any:
        """With input: the input. Without: yields what is pushed."""
        return self._pushed() if data is None else data

    def _pushed(self) -> Iterator[Any]:
        while True:
            try:
                more, item = self._items.get(timeout=self.timeout_seconds)
            except queue.Empty:
                return
            if not more:
                return
            yield item

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the queue: what waits in it stays here."""
        return {name: value for name, value in super().__getstate__().items() if name != "_items"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._items = queue.Queue(self.buffer_size)


class DataSinkNode(Node):
    """Calls `callback(item)`, a function or a coroutine function, for every item, and passes the item on.

    With `buffer_output` the last `buffer_size` items are kept: `get_buffer()`.
    """

    is_sink = True

    def __init__(
        self,
        callback: Callable[[Any], Any] | None = None,
        buffer_output: bool = False,
        buffer_size: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.callback = callback
        self.buffer_output = buffer_output
        self.buffer_size = buffer_size
        self._kept: list[Any] = []

    async def process(self, data: Any) -> Any:
        """`data` itself."""
        if self.callback is not None:
            returned = self.callback(data)
            if inspect.isawaitable(returned):
                await returned
        if self.buffer_output:
            self._kept = [*self._kept, data][-self.buffer_size :]
        return data

    def get_buffer(self) -> list[Any]:
        """The items that are kept, oldest first."""
        return list(self._kept)

    def clear_buffer(self) -> None:
        """Keeps none of them any longer."""
        self._kept = []


class BidirectionalNode(Node):
    """Puts every item through `process_callback`, a function or a coroutine function; without one it passes."""

    def __init__(
        self, process_callback: Callable[[Any], Any] | None = None, buffer_size: int = 100, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.process_callback = process_callback
        self.buffer_size = buffer_size

    async def process(self, data: Any) -> Any:
        """What the function makes of `data`."""
        return await _called(self.process_callback, data)


class JavaScriptBridgeNode(Node):
    """Puts every item through `transform_input`, then `transform_output`: where data changes its shape for a client."""

    def __init__(
        self,
        transform_input: Callable[[Any], Any] | None = None,
        transform_output: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.transform_input = transform_input
        self.transform_output = transform_output

    async def process(self, data: Any) -> Any:
        """What both functions make of `data`."""
        return await _called(self.transform_output, await _called(self.transform_input, data))


async def _called(function: Callable[[Any], Any] | None, value: Any) -> Any:
    if function is None:
        return value
    returned = function(value)
    return await returned if inspect.isawaitable(returned) else returned
