"""A thread of its own for a pipeline that is awaited: nodes may block without holding up the event loop of the caller."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import logging
import os
import queue
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: How long a cancelled pipeline is waited for. A node that is still in a call keeps its thread; nobody waits for it.
STOP_LIMIT_S = 5.0

_log = logging.getLogger("remotemedia")


class Worker:
    """Runs one job after the other. It is a daemon: an interpreter that ends does not wait for a node that does not."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._interrupt: Callable[[], None] | None = None
        self._is_left_behind = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @classmethod
    def taken(cls, name: str, in_native_code: bool) -> Worker:
        """One that nobody else uses, until it is given back.

        `in_native_code`: its jobs call Python from native code, in which a daemon thread cannot be ended (see `_at_exit`).
        """
        try:
            worker = _idle.pop()
        except IndexError:
            worker = cls()
        worker._thread.name = f"remotemedia {name}"
        if in_native_code:
            _in_native_code.add(worker)
        return worker

    def give_back(self) -> None:
        """For the next pipeline, unless it is still in a call."""
        self._interrupt = None
        if self._is_left_behind or len(_idle) >= _MOST_IDLE:
            self._jobs.put(None)
        else:
            _in_native_code.discard(self)
            self._thread.name = "remotemedia idle"
            _idle.append(self)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # nothing of a pipeline is kept alive while waiting for the next

    def stop(self, deadline: float) -> bool:
        """Interrupts what runs and waits for the thread until `deadline`; False when it still runs."""
        if self._interrupt is not None:
            self._interrupt()
        self._jobs.put(None)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def wait_for(self, interrupt: Callable[[], None], function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)` on the thread, for a caller that wants to be interrupted by Ctrl-C meanwhile."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def job() -> None:
            try:
                done.set_result(function(*arguments))
            except BaseException as raised:
                done.set_exception(raised)

        self._interrupt = interrupt
        self._jobs.put(job)
        try:
            return done.result()
        finally:
            if not done.done():
                interrupt()
                self._is_left_behind = True

    async def call(self, interrupt: Callable[[], None], function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)` on the thread, with the caller's context variables.

        When the caller is cancelled, `interrupt` is called and the function gets `STOP_LIMIT_S` to end.
        """
        job = _Job(function, arguments)
        self._interrupt = interrupt
        self._jobs.put(job.run)
        try:
            return await job.done
        except asyncio.CancelledError:
            if job.is_over:
                raise
            interrupt()
            if not await job.ended_within(STOP_LIMIT_S):
                self._is_left_behind = True
                _log.error("a node is still in a call %s s after the cancellation; its thread is left behind", STOP_LIMIT_S)
            raise


class _Job(Generic[T]):
    """A call on another thread, awaited by the event loop that made it."""

    __slots__ = ("_arguments", "_context", "_ended", "_function", "_loop", "done", "is_over")

    def __init__(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[T] = self._loop.create_future()
        self.is_over = False
        self._ended: asyncio.Future[None] | None = None

    def run(self) -> None:
        """Called by the other thread."""
        result, error = None, None
        try:
            result = self._context.run(self._function, *self._arguments)
        except BaseException as raised:
            error = raised
        try:
            self._loop.call_soon_threadsafe(self._deliver, result, error)
        except RuntimeError:
            pass  # the caller's loop is closed: nobody waits

    def _deliver(self, result: T | None, error: BaseException | None) -> None:
        self.is_over = True
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        if self.done.done():
            return
        if error is None:
            self.done.set_result(result)  # type: ignore[arg-type]
        elif isinstance(error, StopIteration):
            self.done.set_exception(RuntimeError("StopIteration"))  # a future refuses it
        else:
            self.done.set_exception(error)

    async def ended_within(self, limit_s: float) -> bool:
        """Waits for the call after the future was cancelled; False when it has not ended then."""
        self._ended = self._loop.create_future()
        await asyncio.wait([self._ended], timeout=limit_s)
        return self.is_over


_in_native_code: weakref.WeakSet[Worker] = weakref.WeakSet()

#: What runs in native code on daemon threads of the program's own: how to interrupt it, and what is set when it has ended.
_on_daemons: dict[threading.Event, Callable[[], None]] = {}


def on_this_thread(interrupt: Callable[[], None], function: Callable[..., T], *arguments: Any) -> T:
    """`function(*arguments)`, in native code. On a daemon thread `interrupt` is called when the interpreter ends."""
    if not threading.current_thread().daemon:
        return function(*arguments)
    ended = threading.Event()
    _on_daemons[ended] = interrupt
    try:
        return function(*arguments)
    finally:
        del _on_daemons[ended]
        ended.set()


#: A thread that waits costs less than a new one.
_idle: list[Worker] = []
_MOST_IDLE = 4

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads stay with the parent


@atexit.register
def _at_exit() -> None:
    """Ends the pipelines that still run when the interpreter ends.

    Up to Python 3.13 a daemon thread is torn down when it next wants the interpreter, through whatever frames it has:
    native frames make that a crash. So the process ends here when a node does not.
    """
    deadline = time.monotonic() + STOP_LIMIT_S
    # Every thread is asked, and waited for.
    left = list(_on_daemons)
    for interrupt in list(_on_daemons.values()):
        interrupt()
    ended = [worker.stop(deadline) for worker in list(_in_native_code)]
    ended += [run.wait(max(0.0, deadline - time.monotonic())) for run in left]
    if not all(ended):
        print("remotemedia: a node is still in a call; the process ends without it", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
