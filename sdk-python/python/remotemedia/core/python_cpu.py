"""The executor in plain Python: mode `python_cpu`. It says what a pipeline means; the native engine does the same faster.

A packet goes depth first: first output first, first connection first. At the end of the stream nodes are flushed in
topological order, what each gives going through the rest before the next is flushed. Everything runs on the thread that
calls; coroutines run on an event loop of the pipeline's own, which turns during calls only.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from remotemedia.core.failure import failure_of, kind_of
from remotemedia.core.feeds import Feeds
from remotemedia.core.graph import Graph
from remotemedia.core.loop import NodeLoop, NodeStream
from remotemedia.core.metrics import Counters, NodeCounter
from remotemedia.core.node import Node, node_type_of

_log = logging.getLogger("remotemedia")


class Cancelled(BaseException):
    """The session was cancelled; not the failure of any node."""


class _Slot:
    """A node at work."""

    __slots__ = ("counter", "id", "is_plain", "is_streaming", "node", "ports", "process", "started", "stream")

    def __init__(self, node: Node, node_id: str, counter: NodeCounter | None) -> None:
        self.node: Node = node
        self.id: str = node_id
        self.counter: NodeCounter | None = counter
        self.is_streaming: bool = bool(node.is_streaming)
        ports = getattr(node, "remotemedia_inputs", None)
        self.ports: tuple[str, ...] = tuple(ports) if ports and len(ports) > 1 else ()
        #: One input, which `process` takes item by item.
        self.is_plain: bool = not self.is_streaming and not self.ports
        self.process: Callable[..., Any] = node.process
        self.stream: NodeStream | None = None
        self.started: bool = False


class Session:
    """The nodes of one pipeline between `start` and `stop`; after that it may start again.

    One thread at a time may use it; `cancel` is for any.
    """

    #: Are nodes called by native code?
    in_native_code = False
    #: Are there native nodes only? Then `run` does a whole run.
    is_native = False

    def __init__(self, graph: Graph, counters: Counters | None = None) -> None:
        self._graph = graph
        self._loop = NodeLoop()
        self._slots = [
            _Slot(node, node_id, counters.of(node_id, node_type_of(type(node))) if counters else None)
            for node, node_id in zip(graph.nodes, graph.ids, strict=True)
        ]
        self._cancelled = False
        self._feeds = Feeds()
        #: The interruption that the nodes know of.
        self._known_cut = 0

    def planned(self) -> list[tuple[str, str, str, str]]:
        """(id, node type, runtime, reason) of every node."""
        return [(slot.id, node_type_of(type(slot.node)), "python", "mode python_cpu") for slot in self._slots]

    def cancel(self) -> None:
        """Ends what is being awaited, and lets no further method of a node begin but `cleanup`."""
        self._cancelled = True
        self._loop.interrupt()

    def interrupt(self) -> None:
        """Makes void what was fed so far: what comes of it goes nowhere, and nodes are reset before the next item. May be
        called from any thread."""
        self._feeds.interrupt()

    def last_feed(self) -> int:
        """The number of the last feed, from 1; the end of the stream has one too."""
        return self._feeds.last

    def is_void(self, feed: int) -> bool:
        """Did an interruption make void what came of that feed?"""
        return self._feeds.is_void(feed)

    def _is_interrupted(self) -> bool:
        """Is what is being processed void?"""
        return self.is_void(self.last_feed())

    def run(self, items: list[Any]) -> list[tuple[int, Any]]:
        """A whole run of a graph that `is_native`: `start`, a `feed` of every item, `finish` and `stop`."""
        raise NotImplementedError

    def start(self) -> None:
        """Initializes every node in topological order. After a failure `stop` cleans up those that were begun."""
        self._loop = NodeLoop()
        for index in self._graph.order:
            slot = self._slots[index]
            slot.started = True
            self._guarded(slot, "initialize", self._initialize, slot)

    def _initialize(self, slot: _Slot) -> None:
        self._settle(slot.node.initialize())
        slot.node.__dict__["_is_initialized"] = True
        slot.process = slot.node.process  # a node may choose its `process` in `initialize`

    def feed(self, value: Any) -> list[tuple[int, Any]]:
        """Gives `value` to every node that nothing feeds, and returns (node, value) of what left the graph."""
        self._begin_feed()
        outputs: list[tuple[int, Any]] = []
        for source in self._graph.sources:
            if not self._is_interrupted():
                self._drain([(source, None, value)], outputs)
        return outputs

    def _begin_feed(self) -> None:
        """Numbers the feed, and resets every node when there was an interruption since the last one."""
        self._feeds.begin()
        cut = self._feeds.cut
        if cut != self._known_cut:
            self._known_cut = cut
            for index in self._graph.order:
                slot = self._slots[index]
                self._guarded(slot, "reset", self._reset, slot)

    def _reset(self, slot: _Slot) -> bool:
        """Lets the node forget what it was given; False when it cannot and stays as it is."""
        stream, slot.stream = slot.stream, None
        if stream is not None:
            stream.close()
        reset = getattr(slot.node, "reset", None)
        if reset is None:
            return slot.is_streaming
        returned = reset()
        if type(returned) is CoroutineType:
            returned = self._loop.complete(returned)
        return returned is None or bool(returned)

    def pull(self) -> Iterator[list[tuple[int, Any]]]:
        """Runs without input: what each source node gives is sent through the graph as it comes."""
        for source in self._graph.sources:
            for value in self._given_by(self._slots[source]):
                outputs: list[tuple[int, Any]] = []
                self._begin_feed()
                self._send(source, [value], outputs)
                yield outputs

    def finish(self) -> list[tuple[int, Any]]:
        """Ends the stream: flushes every node, also when it is interrupted meanwhile."""
        self._begin_feed()
        outputs: list[tuple[int, Any]] = []
        for index in self._graph.order:
            slot = self._slots[index]
            self._send(index, self._guarded(slot, "flush", self._flushed, slot), outputs)
        return outputs

    def stop(self) -> None:
        """Cleans up every node whose `initialize` was called, last node first. What fails is logged."""
        interrupted: KeyboardInterrupt | None = None
        for index in reversed(self._graph.order):
            slot = self._slots[index]
            if not slot.started:
                continue
            slot.started = False
            try:
                self._settle(slot.node.cleanup())
            except KeyboardInterrupt as error:
                interrupted = error
            except BaseException as error:
                _log.warning("node `%s`, cleanup: %s: %s", slot.id, type(error).__qualname__, error, exc_info=error)
            slot.node.__dict__["_is_initialized"] = False
        try:
            self._loop.close()
        except Exception as error:
            _log.warning("the event loop of the nodes did not close: %s", error, exc_info=error)
        if interrupted is not None:
            raise interrupted

    def _drain(self, work: list[tuple[int, str | None, Any]], outputs: list[tuple[int, Any]]) -> None:
        """`work` is a stack of (node, port, value)."""
        feeds = self._feeds
        while work:
            index, port, value = work.pop()
            slot = self._slots[index]
            values = self._guarded(slot, "process", self._process, slot, port, value)
            if feeds.last <= feeds.cut:  # every call of a node asks: a method would cost more
                work.clear()
                outputs.clear()
                return
            self._route(index, values, work, outputs)

    def _send(self, index: int, values: list[Any], outputs: list[tuple[int, Any]]) -> None:
        if self._is_interrupted():
            outputs.clear()
            return
        work: list[tuple[int, str | None, Any]] = []
        self._route(index, values, work, outputs)
        self._drain(work, outputs)

    def _route(
        self, index: int, values: list[Any], work: list[tuple[int, str | None, Any]], outputs: list[tuple[int, Any]]
    ) -> None:
        leaving = self._graph.leaving[index]
        if not leaving:
            outputs.extend((index, value) for value in values)
            return
        # Stacked in reverse, so that they are taken in order.
        for value in reversed(values):
            for edge in reversed(leaving):
                work.append((edge.target, edge.port, value))

    def _process(self, slot: _Slot, port: str | None, value: Any) -> list[Any]:
        if slot.counter is None:
            return self._call(slot, port, value)
        began, outputs, failed = time.perf_counter_ns(), 0, None
        try:
            values = self._call(slot, port, value)
            outputs = len(values)
            return values
        except BaseException as error:
            failed = kind_of(error)
            raise
        finally:
            slot.counter.record(time.perf_counter_ns() - began, outputs, failed)

    def _call(self, slot: _Slot, port: str | None, value: Any) -> list[Any]:
        if slot.is_streaming:
            return [given for _, given in self._stream(slot).feed(0, value)]
        if slot.ports:
            return self._values(slot.process(value, port=port or slot.ports[0]))
        return self._values(slot.process(value))

    def _flushed(self, slot: _Slot) -> list[Any]:
        values = [given for _, given in self._stream(slot).end()] if slot.is_streaming else []
        slot.stream = None
        flush = getattr(slot.node, "flush", None)
        if flush is not None:
            values += self._values(flush())
        if slot.counter is not None:
            slot.counter.outputs += len(values)
        return values

    def _stream(self, slot: _Slot) -> NodeStream:
        if slot.stream is None:
            slot.stream = self._loop.open_stream(slot.process)
        return slot.stream

    def _values(self, returned: Any) -> list[Any]:
        """What a method returned: nothing, one value, or all values of a generator."""
        kind = type(returned)
        if kind is GeneratorType:
            return self._collected(returned)
        if kind is AsyncGeneratorType:
            return [value for value in self._loop.collect(returned, self._is_interrupted) if value is not None]
        if kind is CoroutineType:
            returned = self._loop.complete(returned)
        return [] if returned is None else [returned]

    def _collected(self, generator: Any) -> list[Any]:
        """What a generator gives. One that is interrupted is closed after the value that it was about to give."""
        values = []
        for value in generator:
            if self._is_interrupted():
                generator.close()
                return []
            if value is not None:
                values.append(value)
        return values

    def _settle(self, returned: Any) -> None:
        if type(returned) is CoroutineType:
            self._loop.complete(returned)

    def _given_by(self, slot: _Slot) -> Iterator[Any]:
        """What a node gives without input: everything of one generator; else, of a source, one value per call until it
        gives None; of any other node, one value."""
        arguments = (None,) if _takes_input(slot.process) else ()
        if slot.is_streaming:
            return
        while True:
            returned = self._guarded(slot, "process", slot.process, *arguments)
            kind = type(returned)
            if kind is GeneratorType or kind is AsyncGeneratorType:
                yield from self._each(slot, returned)
                return
            if kind is CoroutineType:
                returned = self._guarded(slot, "process", self._loop.complete, returned)
            if returned is None:
                return
            self._count(slot)
            yield returned
            if not slot.node.is_source:
                return

    def _each(self, slot: _Slot, generator: Any) -> Iterator[Any]:
        is_async = type(generator) is AsyncGeneratorType
        try:
            while True:
                try:
                    if is_async:
                        value = self._guarded(slot, "process", self._next_async, generator)
                    else:
                        value = self._guarded(slot, "process", _next, generator)
                except _Exhausted:
                    return
                if value is not None:
                    self._count(slot)
                    yield value
        finally:
            if is_async:
                if not self._cancelled:
                    self._loop.complete(generator.aclose())
            else:
                generator.close()

    def _next_async(self, generator: Any) -> Any:
        async def following() -> Any:
            try:
                return await generator.__anext__()
            except StopAsyncIteration:
                raise _Exhausted from None

        return self._loop.complete(following())

    @staticmethod
    def _count(slot: _Slot) -> None:
        if slot.counter is not None:
            slot.counter.record(0, 1, None)

    def _guarded(self, slot: _Slot, operation: str, method: Callable[..., Any], *arguments: Any) -> Any:
        """Calls `method`; what it raises becomes the error of the pipeline."""
        if self._cancelled:
            raise Cancelled
        try:
            return method(*arguments)
        except (_Exhausted, GeneratorExit):
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._blamed(error, slot, operation) from error

    def _blamed(self, error: BaseException, slot: _Slot, operation: str) -> BaseException:
        return Cancelled() if self._cancelled else failure_of(error, slot.id, operation)


class _Exhausted(Exception):
    """A generator has no more values."""


def _next(generator: Any) -> Any:
    try:
        return next(generator)
    except StopIteration:
        raise _Exhausted from None


def _takes_input(process: Callable[..., Any]) -> bool:
    try:
        inspect.signature(process).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
