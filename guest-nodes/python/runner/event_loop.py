"""An asyncio event loop without sockets: it can wait for time and for itself, and for nothing else. The sandbox has no
sockets, and asyncio's own loops cannot start without one."""

import asyncio
import time


class _Clock:
    """Where other loops have a selector."""

    @staticmethod
    def select(timeout):
        if timeout is None:
            raise RuntimeError("the node waits for something that cannot happen: nothing else runs in the sandbox")
        if timeout > 0:
            time.sleep(timeout)
        return ()


class EventLoop(asyncio.base_events.BaseEventLoop):
    """asyncio's loop on a clock."""

    _selector = _Clock()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass

    def run_in_executor(self, executor, function, *arguments):
        """There are no threads: runs `function` at once."""
        future = self.create_future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future
