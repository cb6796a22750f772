"""The native engine, mode `rust_inprocess_ffi`: it moves the packets and runs the nodes that are not Python's.

A Python node runs as the very object that it is. Between Python nodes the very objects are passed on; what enters a native or
WebAssembly node, or leaves one, is converted.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from remotemedia.core.exceptions import ManifestError, NodeError, UnacceptableValueError
from remotemedia.core.failure import add_note
from remotemedia.core.graph import Graph
from remotemedia.core.metrics import Counters
from remotemedia.core.modes import load
from remotemedia.core.python_cpu import Cancelled, Session, _Slot

if TYPE_CHECKING:
    from remotemedia.core.audio import AudioNode

Outputs = list[tuple[int, Any]]

#: What a method returns that has its values still to come.
_LAZY = frozenset({GeneratorType, AsyncGeneratorType, CoroutineType})


def node_failure(kind: str, node_id: str, operation: str | None, message: str, trace: str | None) -> NodeError:
    """The exception for a node that failed natively. The native module calls this."""
    where = f"node `{node_id}`, {operation or 'run'}: " if node_id else ""
    failure = NodeError(f"{where}{message}", node_id=node_id, operation=operation)
    failure.remotemedia_kind = kind
    if trace:
        add_note(failure, trace)
    return failure


def value_failure(
    kind: str, node_id: str, operation: str | None, message: str, trace: str | None
) -> UnacceptableValueError:
    """The exception for a value that a native node or a component cannot take. The native module calls this."""
    return UnacceptableValueError(*node_failure(kind, node_id, operation, message, trace).args, node_id=node_id, operation=operation)


def manifest_failure(message: str) -> ManifestError:
    """The exception for a manifest that the host refuses. The native module calls this."""
    return ManifestError(message)


class _Given:
    """What a source gave by itself, on its way into the engine: the node is not asked again."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Live:
    """A Python node as the engine sees it: `process` and `flush`, called by the thread that feeds.

    The session holds the engine, and the engine this: the session is not held back, or nobody would ever be let go.
    """

    __slots__ = ("_session", "_slot")

    def __init__(self, session: NativeSession, slot: _Slot) -> None:
        self._session, self._slot = weakref.proxy(session), slot

    def process(self, value: Any, port: str | None = None) -> Any:
        """The value, or a generator of the values, that the node gives."""
        if type(value) is _Given:
            return value.value
        session, slot = self._session, self._slot
        if slot.is_plain and not session._cancelled:
            # What most calls are, with nothing around it.
            try:
                returned = slot.process(value)
            except BaseException as error:
                session.fail(error, slot)
            if type(returned) not in _LAZY:
                return returned
            values = session.answered(slot, "process", session._values, returned)
        else:
            values = session.answered(slot, "process", session._process, slot, port, value)
        return values[0] if len(values) == 1 else _each(values)

    def flush(self) -> Iterator[Any]:
        """A generator of the values that the node had kept back."""
        session = self._session
        return _each(session.answered(self._slot, "flush", session._flushed, self._slot))

    def reset(self) -> bool:
        """Lets the node forget; False when it stays as it is."""
        session = self._session
        return bool(session.answered(self._slot, "reset", session._reset, self._slot))

    # Called where a native node works for the Python one.

    def native_begin(self) -> None:
        """A stream begins."""
        self._asked(self._worked_for()._native_begin)

    def native_audio(self, item: Any) -> Any:
        """The audio of `item` for the native node; None when `process` is to get the item."""
        return self._asked(self._worked_for()._native_audio, item)

    def native_answer(self, item: Any, result: Any) -> Any:
        """What the Python node gives for `item`, of which the native node has made `result`."""
        return self._asked(self._worked_for()._native_answer, item, result)

    def _worked_for(self) -> AudioNode:
        return cast("AudioNode", self._slot.node)

    def _asked(self, method: Callable[..., Any], *arguments: Any) -> Any:
        return self._session.answered(self._slot, "process", method, *arguments)


def _each(values: list[Any]) -> Iterator[Any]:
    yield from values


class NativeSession(Session):
    """As `Session`, with the engine in the place of its loops."""

    in_native_code = True

    def __init__(self, graph: Graph, counters: Counters | None = None) -> None:
        super().__init__(graph, None)
        native, why = load()
        if native is None:
            raise ImportError(why)
        self._metrics = counters
        self._raised: BaseException | None = None
        self._streaming = False
        entries = [node._native_entry() for node in graph.nodes]
        self._is_live = [entry is None for entry in entries]
        takes_objects = self._takes_objects()
        live = {
            slot.id: (_Live(self, slot), list(slot.ports) or ["in"], self._stays_python(index, takes_objects))
            for index, slot in enumerate(self._slots)
            if self._is_live[index]
        }
        self._kernels = {
            slot.id: kernel
            for index, slot in enumerate(self._slots)
            if self._is_live[index] and (kernel := slot.node._native_kernel()) is not None
        }
        entries = [entry or self._kernels.get(node_id) for node_id, entry in zip(graph.ids, entries, strict=True)]
        self._engine: Any = native.Session(
            _manifest(graph, entries), live, {graph.ids[index] for index in takes_objects}, counters is not None
        )
        #: Nothing calls into Python, so a whole run is one call of the engine.
        self.is_native: bool = not live

    def _takes_objects(self) -> set[int]:
        """The nodes that take any Python object as it is: Python's own, and those that only hand on to such nodes."""
        takes: set[int] = set()
        for index in reversed(self._graph.order):
            hands_on = self._graph.nodes[index]._hands_on_objects and self._stays_python(index, takes)
            if self._is_live[index] or hands_on:
                takes.add(index)
        return takes

    def _stays_python(self, index: int, takes_objects: set[int]) -> bool:
        return all(edge.target in takes_objects for edge in self._graph.leaving[index])

    def run(self, items: list[Any]) -> Outputs:
        try:
            outputs: Outputs = self._asked(self._engine.run, items)
        finally:
            self._absorb()
        return outputs

    def planned(self) -> list[tuple[str, str, str, str]]:
        """(id, node type, runtime, reason) of every node, as the host chose."""
        planned: list[tuple[str, str, str, str]] = self._engine.plan()
        return [
            (node_id, kind, runtime, f"{kind} works for it: {reason}")
            if runtime == "native" and node_id in self._kernels
            else (node_id, kind, runtime, reason)
            for node_id, kind, runtime, reason in planned
        ]

    def cancel(self) -> None:
        super().cancel()
        self._engine.cancel()

    def interrupt(self) -> None:
        self._engine.interrupt()

    def last_feed(self) -> int:
        feed: int = self._engine.last_feed()
        return feed

    def is_void(self, feed: int) -> bool:
        void: bool = self._engine.is_void(feed)
        return void

    def start(self) -> None:
        super().start()
        self._begin()

    def _begin(self) -> None:
        """A stream ends with `finish`: the next one has native nodes of its own."""
        if not self._streaming:
            self._asked(self._engine.begin)
            self._streaming = True

    def feed(self, value: Any) -> Outputs:
        self._begin()
        outputs: Outputs = self._asked(self._engine.feed, value)
        return outputs

    def pull(self) -> Iterator[Outputs]:
        self._begin()
        for source in self._graph.sources:
            slot = self._slots[source]
            for value in self._given_by(slot):
                yield self._asked(self._engine.feed_to, slot.id, _Given(value))

    def finish(self) -> Outputs:
        self._begin()
        outputs: Outputs = self._asked(self._engine.finish)
        self._end()
        return outputs

    def stop(self) -> None:
        try:
            self._end()
        finally:
            super().stop()

    def _end(self) -> None:
        self._streaming = False
        self._engine.end()
        self._absorb()

    def _absorb(self) -> None:
        if self._metrics is not None and (counted := self._engine.take_metrics()) is not None:
            self._metrics.absorb(json.loads(counted))

    def _asked(self, method: Any, *arguments: Any) -> Any:
        """Calls the engine. What a Python node raised is raised as it was, not as the engine tells it."""
        if self._cancelled:
            raise Cancelled
        try:
            return method(*arguments)
        except BaseException as error:
            self._streaming = False
            raised, self._raised = self._raised, None
            if raised is not None:
                raise raised from raised.__cause__
            if self._cancelled:
                raise Cancelled from error
            raise

    def answered(self, slot: _Slot, operation: str, method: Any, *arguments: Any) -> Any:
        """What a Python node gives; what it raises is kept for the caller of the engine."""
        try:
            return self._guarded(slot, operation, method, *arguments)
        except BaseException as error:
            self._raised = error
            raise

    def fail(self, error: BaseException, slot: _Slot) -> NoReturn:
        """Raises what `process` raised, as the pipeline tells it, and keeps it for the caller of the engine."""
        if isinstance(error, (GeneratorExit, KeyboardInterrupt)):
            self._raised = error
            raise error
        self._raised = blamed = self._blamed(error, slot, "process")
        raise blamed from error

    def _initialize(self, slot: _Slot) -> None:
        if slot.node._native_entry() is None:
            super()._initialize(slot)
        else:
            slot.node.__dict__["_is_initialized"] = True

    def _given_by(self, slot: _Slot) -> Iterator[Any]:
        return super()._given_by(slot) if slot.node._native_entry() is None else iter(())


def _manifest(graph: Graph, entries: list[dict[str, Any] | None]) -> str:
    """What the engine is told: native nodes as they are, Python nodes by their ids."""
    nodes = [
        {"id": node_id, **(entry or {"node_type": "python:Object", "runtime_hint": "cpython"})}
        for node_id, entry in zip(graph.ids, entries, strict=True)
    ]
    connections = [
        {
            "from": graph.ids[edge.source],
            "to": graph.ids[edge.target] + (f".{edge.port}" if edge.port is not None else ""),
        }
        for edge in graph.edges
    ]
    return json.dumps({"version": "v1", "metadata": {"name": "python"}, "nodes": nodes, "connections": connections})
