"""Event loops for nodes with coroutines and asynchronous generators: one for a running pipeline, or, where the host runs
nodes by their class names, one for each node.

It turns only while a node's method is being called, so nodes have no background activity between packets.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any


class NodeLoop:
    """An event loop that is made when something first has to be awaited."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._current: asyncio.Task[Any] | None = None
        self._streams: list[NodeStream] = []

    def _get(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    def complete(self, awaitable: Awaitable[Any]) -> Any:
        """What `awaitable` returns."""

        async def run() -> Any:
            return await awaitable

        loop = self._get()
        self._current = loop.create_task(run())
        try:
            return loop.run_until_complete(self._current)
        except (KeyboardInterrupt, SystemExit):
            # These leave the loop at once, before anybody looked at the task.
            if self._current.done() and not self._current.cancelled():
                self._current.exception()
            raise
        finally:
            self._current = None

    def collect(self, generator: AsyncGenerator[Any, None], is_void: Callable[[], bool] = lambda: False) -> list[Any]:
        """Everything an asynchronous generator yields; nothing, and it is closed, once `is_void()`."""

        async def run() -> list[Any]:
            values = []
            async for value in generator:
                if is_void():
                    await generator.aclose()
                    return []
                values.append(value)
            return values

        values: list[Any] = self.complete(run())
        return values

    def open_stream(self, process: Callable[[Any], Any]) -> NodeStream:
        """A node's `process`, about to take its whole input as one asynchronous generator."""
        stream = NodeStream(self._get(), process)
        self._streams.append(stream)
        return stream

    def interrupt(self) -> None:
        """Cancels what is being awaited now. May be called from any thread."""
        loop, current = self._loop, self._current
        if loop is None or loop.is_closed():
            return
        streams = list(self._streams)

        def cancel() -> None:
            if current is not None:
                current.cancel()
            for stream in streams:
                stream.task.cancel()

        try:
            loop.call_soon_threadsafe(cancel)
        except RuntimeError:
            pass  # closed in between

    def close(self) -> None:
        """Cancels what still runs, lets it end, and closes the loop."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        for stream in self._streams:
            stream.abandon()
        self._streams.clear()
        try:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


class NodeStream:
    """Feeds a node that takes its whole input as one asynchronous generator, item by item: a feed returns when the node
    asks for the next item, so never more than one item waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, process: Callable[[Any], Any]) -> None:
        self._loop = loop
        self._items: collections.deque[tuple[int, Any]] = collections.deque()
        self._pts_ns = 0
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None
        self._outputs: list[tuple[int, Any]] = []
        self.task: asyncio.Task[None] = loop.create_task(self._run(process))
        self.task.add_done_callback(self._stop)

    def _stop(self, _task: asyncio.Task[None]) -> None:
        self._loop.stop()

    def abandon(self) -> None:
        """Leaves the node's task to whoever runs the loop from now on."""
        self.task.remove_done_callback(self._stop)
        if self.task.done() and not self.task.cancelled():
            self.task.exception()  # seen: it was reported where it happened

    def close(self) -> None:
        """Ends the node's task without any further input or output."""
        self._ended = True
        self._items.clear()
        self.task.cancel()
        while not self.task.done():
            self._loop.run_forever()
        self.abandon()

    async def _inputs(self) -> AsyncGenerator[Any, None]:
        while True:
            while self._items:
                self._pts_ns, value = self._items.popleft()
                yield value
            if self._ended:
                return
            self._waiting = self._loop.create_future()
            self._loop.stop()
            await self._waiting

    async def _run(self, process: Callable[[Any], Any]) -> None:
        result = process(self._inputs())
        if hasattr(result, "__aiter__"):
            async for value in result:
                self._emit(value)
        elif hasattr(result, "__await__"):
            self._emit(await result)
        else:
            raise TypeError(
                "process() of a streaming node must be an asynchronous generator or a coroutine function, "
                f"it returned {type(result).__name__}"
            )

    def _emit(self, value: Any) -> None:
        if value is not None:
            self._outputs.append((self._pts_ns, value))

    def _turn(self) -> list[tuple[int, Any]]:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._loop.run_forever()
        if self.task.done():
            self.task.result()
        outputs, self._outputs = self._outputs, []
        return outputs

    def feed(self, pts_ns: int, value: Any) -> list[tuple[int, Any]]:
        """Gives the node one item and returns the (time, value) pairs that it yielded before asking for another. The time
        is that of the item which the node took last."""
        if self.task.done():
            return []  # the node left its loop: it wants no more input
        self._items.append((pts_ns, value))
        return self._turn()

    def end(self) -> list[tuple[int, Any]]:
        """Ends the input and returns what the node yields until it is done."""
        self._ended = True
        outputs = []
        while not self.task.done():
            outputs += self._turn()
        return outputs
