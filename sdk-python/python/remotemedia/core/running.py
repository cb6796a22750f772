"""One pipeline at work: what is fed, what comes out, and that nodes are cleaned up whatever happens."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from typing import Any

from remotemedia.core.exceptions import PipelineError
from remotemedia.core.graph import Graph
from remotemedia.core.metrics import Counters
from remotemedia.core.modes import PYTHON_CPU
from remotemedia.core.progress import Progress, progress_of
from remotemedia.core.python_cpu import Cancelled, Session
from remotemedia.core.worker import Worker, on_this_thread

Outputs = list[tuple[int, Any]]

#: Native nodes are done with this much input in less time than it takes to wake up a thread, there and back.
_BRIEF_BYTES = 1 << 15

#: A native node may take seconds for an item larger than this.
_LONG_BYTES = 1 << 24


def session_of(graph: Graph, counters: Counters | None, mode: str) -> Session:
    """What runs `graph` in `mode`."""
    if mode == PYTHON_CPU:
        return Session(graph, counters)
    from remotemedia.core.native import NativeSession

    return NativeSession(graph, counters)


class Running:
    """A session of a graph, and the thread it has when it is awaited."""

    def __init__(self, graph: Graph, name: str, counters: Counters | None, mode: str) -> None:
        self._graph, self._name = graph, name
        self.counters: Counters | None = counters
        #: What the pipeline was when this was made.
        self.planned: Any = None
        self._session = session_of(graph, counters, mode)
        self._worker: Worker | None = None
        self._busy = False
        self._native_only: bool | None = None

    def interrupt(self) -> None:
        """Makes void what was fed so far. May be called from any thread."""
        self._session.interrupt()

    # On the calling thread

    def run_sync(self, input_data: Any, progress: bool | Progress) -> Any:
        """One run from initialize to cleanup."""
        if self._session.in_native_code:
            return on_this_thread(self._session.cancel, self._run, input_data, progress)
        return self._run(input_data, progress)

    def _run(self, input_data: Any, progress: bool | Progress) -> Any:
        if self._session.is_native and input_data is not None and progress is False:
            items = input_data if isinstance(input_data, list) else [input_data]
            return self._interruptible_run(items) if _has_long_item(items) else self._native_run(items)
        try:
            self._session.start()
            return self._whole_run(input_data, progress)
        finally:
            self._session.stop()

    def _interruptible_run(self, items: list[Any]) -> Any:
        """A native run, on a thread of its own: Ctrl-C is seen between the items of others, which would be late here."""
        worker = Worker.taken(self._name, self._session.in_native_code)
        try:
            return worker.wait_for(self._session.cancel, self._native_run, items)
        finally:
            worker.give_back()

    def _native_run(self, items: list[Any]) -> Any:
        """One run in which nothing calls into Python."""
        if self.counters is None:
            return self._result(self._session.run(items))
        began = time.perf_counter_ns()
        try:
            outputs = self._session.run(items)
        finally:
            self.counters.ran(time.perf_counter_ns() - began)
        return self._result(outputs)

    def _whole_run(self, input_data: Any, progress: bool | Progress) -> Any:
        """Everything from the first item to the end of the stream."""
        began = _now()
        bar = progress_of(progress, self._name)
        outputs = _Outputs(self._session)
        try:
            if input_data is None:
                for done, pulled in enumerate(self._session.pull()):
                    outputs.add(pulled)
                    bar(done + 1, None)
            else:
                items = input_data if isinstance(input_data, list) else [input_data]
                for done, item in enumerate(items):
                    outputs.add(self._session.feed(item))
                    bar(done + 1, len(items))
            outputs.add(self._session.finish())
        finally:
            bar.close()
            self._count(began)
        return self._result(outputs.taken())

    def _count(self, began: tuple[int, int]) -> None:
        """A run that began then is over. The native engine counts its processor time itself."""
        if self.counters is not None:
            took_ns, cpu_ns = (now - then for now, then in zip(_now(), began, strict=True))
            self.counters.ran(took_ns, 0 if self._session.is_native else cpu_ns)

    def _result(self, outputs: Outputs) -> Any:
        sinks = self._graph.sinks
        if len(sinks) == 1:
            return outputs[0][1] if len(outputs) == 1 else _collapsed([value for _, value in outputs])
        return {
            self._graph.ids[sink]: _collapsed([value for node, value in outputs if node == sink]) for sink in sinks
        }

    # From an event loop

    async def run_once(self, input_data: Any, progress: bool | Progress) -> Any:
        """As `run_sync`, on a thread of its own unless it is over sooner than a thread would wake up."""
        if self._is_brief(input_data):
            return self.run_sync(input_data, progress)
        self._worker = Worker.taken(self._name, self._session.in_native_code)
        try:
            return await self._call(self._run, input_data, progress)
        finally:
            self._worker.give_back()

    def _is_brief(self, input_data: Any) -> bool:
        """Is it over sooner than a thread wakes up?"""
        if not self._session.is_native or input_data is None or _size(input_data) > _BRIEF_BYTES:
            return False
        if self._native_only is None:
            self._native_only = all(runtime == "native" for _, _, runtime, _ in self._session.planned())
        return self._native_only

    async def initialize(self) -> None:
        """Initializes the nodes; when one fails, those that were begun are cleaned up."""
        self._worker = Worker.taken(self._name, self._session.in_native_code)
        try:
            await self._call(self._session.start)
        except BaseException:
            await self.cleanup()
            raise

    async def cleanup(self) -> None:
        """Cleans the nodes up and ends the thread."""
        worker, self._worker = self._worker, None
        if worker is not None:
            try:
                await worker.call(_nothing, self._session.stop)
            finally:
                worker.give_back()

    async def run(self, input_data: Any, progress: bool | Progress) -> Any:
        """One run of initialized nodes."""
        with self._alone():
            return await self._call(self._whole_run, input_data, progress)

    async def process(self, stream: AsyncIterable[Any] | None) -> AsyncGenerator[Any, None]:
        """What becomes of each item, taken before the next item is asked for."""
        with self._alone():
            began = _now()
            if stream is None:
                pulled = self._session.pull()
                try:
                    while (outputs := await self._call(_next, pulled)) is not None:
                        for value in self._shown(outputs):
                            yield value
                finally:
                    await self._call_at_end(pulled)
            else:
                async for item in stream:
                    if self._is_brief(item):
                        outputs = self._session.feed(item)
                    else:
                        outputs = await self._call(self._session.feed, item)
                    for value in self._shown(outputs):
                        yield value
            for value in self._shown(await self._call(self._session.finish)):
                yield value
            self._count(began)

    async def _call_at_end(self, pulled: Iterator[Outputs]) -> None:
        if self._worker is not None:
            await self._worker.call(_nothing, pulled.close)  # type: ignore[attr-defined]

    def _shown(self, outputs: Outputs) -> Iterator[Any]:
        several = len(self._graph.sinks) > 1
        feed = self._session.last_feed()
        for node, value in outputs:
            if self._session.is_void(feed):
                return
            yield (self._graph.ids[node], value) if several else value

    async def _call(self, function: Any, *arguments: Any) -> Any:
        if self._worker is None:
            raise PipelineError("the pipeline was cleaned up while it was running")
        try:
            return await self._worker.call(self._session.cancel, function, *arguments)
        except Cancelled:
            raise PipelineError("the pipeline was cancelled; clean it up and initialize it again") from None

    def _alone(self) -> _Alone:
        return _Alone(self)


class _Outputs:
    """What left the graph so far, but for what an interruption made void before it was taken."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._outputs: Outputs = []
        self._feed = 0

    def add(self, outputs: Outputs) -> None:
        """What came of the feed that has just returned."""
        self._forget()
        self._outputs += outputs
        self._feed = self._session.last_feed()

    def taken(self) -> Outputs:
        """All of it."""
        self._forget()
        return self._outputs

    def _forget(self) -> None:
        if self._session.is_void(self._feed):
            self._outputs = []


class _Alone:
    """Lets one run at a time into an initialized pipeline: its nodes have one state."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def __enter__(self) -> None:
        if self._running._busy:
            raise PipelineError("the pipeline is running; nodes that are initialized serve one run at a time")
        self._running._busy = True

    def __exit__(self, *_: object) -> None:
        self._running._busy = False


def _size(value: Any) -> float:
    """About how many bytes there are in `value`; infinite when that would take long to tell."""
    kind = type(value)
    if kind in (int, float, bool):
        return 8
    if kind in (str, bytes):
        return len(value)
    if kind in (tuple, list):
        return sum(map(_size, value)) if len(value) <= 64 else math.inf
    size = getattr(value, "nbytes", math.inf)
    return size if type(size) is int else math.inf


def _has_long_item(items: list[Any]) -> bool:
    return len(items) <= 64 and any(_LONG_BYTES < _size(item) < math.inf for item in items)


def _now() -> tuple[int, int]:
    """Wall time and processor time of the process, in nanoseconds."""
    return time.perf_counter_ns(), time.process_time_ns()


def _nothing() -> None:
    pass


def _next(pulled: Iterator[Outputs]) -> Outputs | None:
    return next(pulled, None)


def _collapsed(values: list[Any]) -> Any:
    if not values:
        return None
    return values[0] if len(values) == 1 else values
