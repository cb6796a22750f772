"""What a call of the Python package costs, beside what it is compared with, in one run.

    python benches/python/sdk.py [SUMMARY.json]

Needs the wheel of a release build and numpy. Prints microseconds (medians) and ratios as JSON.
"""

import asyncio
import json
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from remotemedia import Node, Pipeline
from remotemedia.nodes import NativeNode, PassThroughNode
from remotemedia.runtime import execute_pipeline_with_input

CALLS = 3000


def median_us(call: Callable[[], Any], calls: int = CALLS) -> float:
    """The median time of one call."""
    for _ in range(calls // 10 + 1):
        call()
    times = []
    for _ in range(calls):
        began = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - began)
    return round(statistics.median(times) / 1e3, 2)


async def awaited_median_us(call: Callable[[], Any], calls: int = CALLS) -> float:
    """The median time of one awaited call."""
    for _ in range(calls // 10):
        await call()
    times = []
    for _ in range(calls):
        began = time.perf_counter_ns()
        await call()
        times.append(time.perf_counter_ns() - began)
    return round(statistics.median(times) / 1e3, 2)


def three(make: Callable[[], Node]) -> Pipeline:
    return Pipeline([make() for _ in range(3)])


class Quiet(Node):
    """A Python node that does next to nothing."""

    def process(self, data: Any) -> Any:
        return data


class AsyncQuiet(Node):
    """As `Quiet`, a coroutine."""

    async def process(self, data: Any) -> Any:
        return data


def calls() -> dict[str, float]:
    """One small item through three nodes."""
    native, python, waits = three(PassThroughNode), three(Quiet), three(AsyncQuiet)
    converted = three(lambda: NativeNode("PassThrough"))
    reference = Pipeline([Quiet() for _ in range(3)], mode="python_cpu")
    return {
        "run_sync_3_native_us": median_us(lambda: native.run_sync(1)),
        "run_sync_3_native_converted_us": median_us(lambda: converted.run_sync(1)),
        "run_sync_3_python_us": median_us(lambda: python.run_sync(1)),
        "run_sync_3_python_python_cpu_us": median_us(lambda: reference.run_sync(1)),
        "run_3_native_us": asyncio.run(awaited_median_us(lambda: native.run(1))),
        "run_3_python_us": asyncio.run(awaited_median_us(lambda: python.run(1))),
        "run_3_coroutines_us": asyncio.run(awaited_median_us(lambda: waits.run(1), 1000)),
    }


def arrays() -> dict[str, Any]:
    """A million float32 samples through three native nodes: the very memory comes out."""
    samples = np.random.default_rng(1).random((1, 1_000_000), np.float32)
    handed_on, converted = three(PassThroughNode), three(lambda: NativeNode("PassThrough"))
    address = samples.ctypes.data
    return {
        "array_3_native_us": median_us(lambda: handed_on.run_sync((samples, 48000)), 300),
        "array_3_native_same_memory": handed_on.run_sync((samples, 48000))[0].ctypes.data == address,
        "array_3_native_converted_us": median_us(lambda: converted.run_sync((samples, 48000)), 300),
        "array_3_native_converted_same_memory": converted.run_sync((samples, 48000))[0].ctypes.data == address,
    }


def crossing() -> dict[str, float]:
    """Into the engine and back: a packet through one node of an initialized pipeline, and a whole manifest."""
    from remotemedia.core.native import NativeSession

    session = NativeSession(Pipeline([PassThroughNode()])._graph())
    session.start()
    feed = session._engine.feed
    manifest = Pipeline([PassThroughNode()]).to_manifest()
    text = json.dumps(manifest)
    try:
        return {
            "feed_no_op_us": median_us(lambda: feed(1), 20_000),
            "execute_pipeline_us": asyncio.run(awaited_median_us(lambda: execute_pipeline_with_input(text, [1]), 500)),
        }
    finally:
        session.stop()


def streaming() -> dict[str, float]:
    """20 ms chunks through two native nodes and a Python node, over what the nodes take when they are called. It goes to a
    thread and back, so what that takes without anything else is told too."""
    chunk = np.random.default_rng(1).random((1, 320), np.float32)

    def nodes() -> list[Node]:
        return [NativeNode("AudioGain", gain_db=-6.0), Quiet(), NativeNode("AudioGain", gain_db=6.0)]

    async def streamed(count: int) -> list[int]:
        times: list[int] = []
        began = 0

        async def source() -> Any:
            nonlocal began
            for _ in range(count):
                began = time.perf_counter_ns()
                yield chunk, 16000

        async with Pipeline(nodes()) as pipeline:
            async for _ in pipeline.process(source()):
                times.append(time.perf_counter_ns() - began)
        return times

    from remotemedia.core.native import NativeSession

    pipeline = Pipeline(nodes())
    session = NativeSession(pipeline._graph())
    session.start()
    direct = median_us(lambda: session.feed((chunk, 16000)))
    session.stop()
    times = sorted(asyncio.run(streamed(CALLS)))
    p50 = times[len(times) // 2] / 1e3
    return {
        "thread_there_and_back_us": round(there_and_back_us(), 2),
        "stream_20ms_p50_us": round(p50, 2),
        "stream_20ms_p99_us": round(times[len(times) * 99 // 100] / 1e3, 2),
        "stream_20ms_direct_us": direct,
        "stream_20ms_added_p50_us": round(p50 - direct, 2),
    }


def there_and_back_us() -> float:
    """An event loop wakes a thread, which wakes the event loop: the median."""
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def serve() -> None:
        while (answer := jobs.get()) is not None:
            answer()

    async def call() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        jobs.put(lambda: loop.call_soon_threadsafe(done.set_result, None))
        await done

    thread = threading.Thread(target=serve)
    thread.start()
    took = asyncio.run(awaited_median_us(call))
    jobs.put(None)
    thread.join()
    return took


def node_and_frame() -> dict[str, float]:
    """One more Python node in a stream, per frame: the difference of eleven and one."""
    chunk = (np.zeros((1, 320), np.float32), 16000)

    async def took(count: int, frames: int = 5000) -> float:
        async def source() -> Any:
            for _ in range(frames):
                yield chunk

        async with Pipeline([Quiet() for _ in range(count)]) as pipeline:
            began = time.perf_counter_ns()
            async for _ in pipeline.process(source()):
                pass
            return (time.perf_counter_ns() - began) / 1e3 / frames

    one = min(asyncio.run(took(1)) for _ in range(5))
    eleven = min(asyncio.run(took(11)) for _ in range(5))
    return {"node_and_frame_us": round((eleven - one) / 10, 3), "stream_1_node_us_per_frame": round(one, 2)}


def threads() -> dict[str, float]:
    """Two pipelines of native nodes on two threads: work done per time, over one alone. Best of five each."""
    audio = (np.random.default_rng(1).random((1, 48_000 * 20), np.float32), 48000)

    def job() -> None:
        pipeline = Pipeline([NativeNode("AudioResample", target_sample_rate=44100), NativeNode("AudioGain", gain_db=-3.0)])
        for _ in range(5):
            pipeline.run_sync(audio)

    def took(count: int) -> float:
        workers = [threading.Thread(target=job) for _ in range(count)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - began

    took(1)
    alone, together = min(took(1) for _ in range(5)), min(took(2) for _ in range(5))
    return {"two_threads_scale": round(2 * alone / together, 2)}


def main() -> None:
    found: dict[str, Any] = {}
    for part in (calls, arrays, crossing, streaming, node_and_frame, threads):
        found.update(part())
    text = json.dumps(found, indent=2)
    print(text)
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
