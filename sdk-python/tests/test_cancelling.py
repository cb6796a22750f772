"""Cancelled runs end, and clean up."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from sample_nodes import Diary, Identity

from remotemedia import Node, Pipeline


class Sleeps(Node):
    def __init__(self, diary):
        self.diary = diary

    async def process(self, data):
        self.diary.append("begun")
        await asyncio.sleep(600)

    async def cleanup(self):
        self.diary.append("clean")


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


def test_a_waiting_node_is_cancelled_and_cleaned_up(mode):
    async def run():
        diary = []
        task = asyncio.create_task(Pipeline([Diary(diary), Sleeps(diary)], mode=mode).run([1, 2]))
        await until(lambda: "begun" in diary)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return diary, time.monotonic() - began

    diary, took = asyncio.run(run())
    assert diary == ["initialize", "process 1", "begun", "clean", "cleanup"]
    assert took < 5


def test_a_timeout_ends_a_run(mode):
    async def run():
        diary = []
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Pipeline([Sleeps(diary)], mode=mode).run(1), 2.0)
        return diary

    assert asyncio.run(run()) == ["begun", "clean"]


def test_a_streaming_node_is_cancelled(mode):
    class Waits(Node):
        is_streaming = True
        begun = ended = False

        async def process(self, data):
            try:
                async for item in data:
                    yield item
                    self.begun = True
                    await asyncio.sleep(600)
            finally:
                self.ended = True

    async def run():
        node = Waits()
        task = asyncio.create_task(Pipeline([node], mode=mode).run([1, 2]))
        await until(lambda: node.begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return node.ended

    assert asyncio.run(run()) is True


def test_no_item_begins_after_the_call_that_was_running(mode):
    gate, entered, seen = threading.Event(), threading.Event(), []

    class Blocks(Node):
        def process(self, data):
            seen.append(data)
            entered.set()
            assert gate.wait(30)

        def cleanup(self):
            seen.append("clean")

    async def run():
        task = asyncio.create_task(Pipeline([Blocks()], mode=mode).run([1, 2, 3]))
        await until(entered.is_set)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, gate.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == [1, "clean"]


def test_a_call_that_never_returns_is_left_behind(mode, monkeypatch, caplog):
    monkeypatch.setattr("remotemedia.core.worker.STOP_LIMIT_S", 0.1)
    gate, entered = threading.Event(), threading.Event()

    class Stuck(Node):
        def process(self, data):
            entered.set()
            gate.wait(60)

    async def run():
        task = asyncio.create_task(Pipeline([Stuck()], mode=mode).run(1))
        await until(entered.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    gate.set()
    assert "left behind" in caplog.text


def test_a_cancelled_stream_can_be_cleaned_up(mode):
    async def run():
        diary = []

        async def forever():
            while True:
                yield 1
                await asyncio.sleep(0)

        async def consume():
            async with Pipeline([Diary(diary), Identity()], mode=mode) as pipeline:
                async for _ in pipeline.process(forever()):
                    pass

        task = asyncio.create_task(consume())
        await until(lambda: len(diary) > 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return diary[0], diary[-1]

    assert asyncio.run(run()) == ("initialize", "cleanup")


@pytest.mark.parametrize("how", ["run_sync", "run"])
def test_ctrl_c_ends_a_run_and_cleans_up(mode, how):
    script = f"""
        import asyncio, signal, time
        from remotemedia import Node, Pipeline
        # A shell lets what it starts in the background ignore the signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        class Slow(Node):
            def process(self, data):
                print("begun", flush=True)
                for _ in range(3000):
                    time.sleep(0.01)
                    if self.stop: break
            stop = False
            def cleanup(self):
                print("clean", flush=True)
        node = Slow()
        pipeline = Pipeline([node], mode={mode!r})
        try:
            if {how!r} == "run":
                async def beat():
                    # CPython may block in select() with a signal pending that came just before.
                    while True:
                        await asyncio.sleep(0.05)
                async def main():
                    beating = asyncio.create_task(beat())
                    try:
                        await pipeline.run([1, 2])
                    finally:
                        print("left", flush=True)
                import remotemedia.core.worker as worker
                worker.STOP_LIMIT_S = 0.2
                asyncio.run(main())
            else:
                pipeline.run_sync([1, 2])
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=60)[0].split()
        finally:
            process.kill()
    assert rest[-1] == "interrupted"
    assert ("clean" if how == "run_sync" else "left") in rest
    # Under native code a thread cannot be left behind: the process ends, and says why.
    assert process.returncode == (1 if (how, mode) == ("run", "rust_inprocess_ffi") else 0)
