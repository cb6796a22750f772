"""Runs the asynchronous side of one node on an event loop of its own. A loop turns only inside a call of the host,
so a node has no background activity between packets."""

import asyncio
import collections


class Driver:
    """The event loop of one node."""

    def __init__(self):
        self._loop = None
        self._stream = None

    def loop(self):
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    def complete(self, awaitable):
        """What `awaitable` returns."""

        async def run():
            return await awaitable

        return self.loop().run_until_complete(run())

    def collect(self, generator):
        """Everything an asynchronous generator yields, in order."""

        async def run():
            return [value async for value in generator]

        return self.loop().run_until_complete(run())

    def open_stream(self, process):
        self._stream = Stream(self.loop(), process)
        return self._stream

    def close(self):
        if self._loop is None or self._loop.is_closed():
            return
        if self._stream is not None:
            self._stream.abandon()
            self._stream = None
        try:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()


class Stream:
    """Feeds a node that takes its whole input as one asynchronous generator, item by item: a feed returns when the
    node asks for the next item, so never more than one item waits."""

    def __init__(self, loop, process):
        self._loop = loop
        self._items = collections.deque()
        self._ended = False
        self._waiting = None
        self._pts_ns = 0
        self._outputs = []
        self._task = loop.create_task(self._run(process))
        self._task.add_done_callback(self._stop)

    def _stop(self, _task):
        self._loop.stop()

    def abandon(self):
        """Leaves the node's task to whoever runs the loop from now on."""
        self._task.remove_done_callback(self._stop)

    async def _inputs(self):
        while True:
            while self._items:
                self._pts_ns, value = self._items.popleft()
                yield value
            if self._ended:
                return
            self._waiting = self._loop.create_future()
            self._loop.stop()
            await self._waiting

    async def _run(self, process):
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

    def _emit(self, value):
        if value is not None:
            self._outputs.append((self._pts_ns, value))

    def _turn(self):
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._loop.run_forever()
        if self._task.done():
            self._task.result()
        outputs, self._outputs = self._outputs, []
        return outputs

    def feed(self, pts_ns, value):
        """Gives the node one item and returns the (pts, value) pairs it yielded before asking for another."""
        if self._task.done():
            return []  # the node left its loop: it wants no more input
        self._items.append((pts_ns, value))
        return self._turn()

    def end(self):
        """Ends the input and returns what the node yields until it is done."""
        self._ended = True
        outputs = []
        while not self._task.done():
            outputs += self._turn()
        return outputs
