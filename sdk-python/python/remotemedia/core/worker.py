"""A thread of its own for a pipeline that is awaited: nodes may block without holding up the event loop of the caller."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import logging
import os
import queue
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: How long a cancelled pipeline is waited for. A node that is still in a call keeps its thread; nobody waits for it.
STOP_LIMIT_S = 5.0

_log = logging.getLogger("remotemedia")


class Worker:
    """Runs one job after the other. It is a daemon: an interpreter that ends does not wait for a node that does not.

    `in_native_code`: its jobs call Python from native code, in which a daemon thread cannot be ended (see `_at_exit`).
    """

    def __init__(self, name: str, in_native_code: bool = False) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._interrupt: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._serve, name=f"remotemedia {name}", daemon=True)
        if in_native_code:
            _in_native_code.add(self)
        self._thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # nothing of a pipeline is kept alive while waiting for the next

    def stop(self, deadline: float) -> bool:
        """Interrupts what runs and waits for the thread until `deadline`; False when it still runs."""
        if self._interrupt is not None:
            self._interrupt()
        self.end()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def end(self) -> None:
        """No more jobs: the thread ends after those that it was given."""
        self._jobs.put(None)

    async def call(self, interrupt: Callable[[], None], function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)` on the thread, with the caller's context variables.

        When the caller is cancelled, `interrupt` is called and the function gets `STOP_LIMIT_S` to end.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()

        def deliver(result: T | None, error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(result)  # type: ignore[arg-type]
            elif isinstance(error, StopIteration):
                done.set_exception(RuntimeError("StopIteration"))  # a future refuses it
            else:
                done.set_exception(error)

        def job() -> None:
            result, error = None, None
            try:
                result = context.run(function, *arguments)
            except BaseException as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(deliver, result, error)
            except RuntimeError:
                pass  # the caller's loop is closed: nobody waits

        self._interrupt = interrupt
        self._jobs.put(job)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if done.done():
                raise
            interrupt()
            done.add_done_callback(_seen)
            await asyncio.wait([done], timeout=STOP_LIMIT_S)
            if not done.done():
                _log.error("a node is still in a call %s s after the cancellation; its thread is left behind", STOP_LIMIT_S)
            raise


_in_native_code: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _at_exit() -> None:
    """Ends the pipelines that still run when the interpreter ends.

    Up to Python 3.13 a daemon thread is torn down when it next wants the interpreter, through whatever frames it has:
    native frames make that a crash. So the process ends here when a node does not.
    """
    deadline = time.monotonic() + STOP_LIMIT_S
    # Every thread is asked, and waited for.
    if not all([worker.stop(deadline) for worker in list(_in_native_code)]):
        print("remotemedia: a node is still in a call; the process ends without it", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


def _seen(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()
