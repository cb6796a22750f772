"""Runs in which nothing calls into Python: objects come out as they went in, the interpreter is free, Ctrl-C works."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from sample_nodes import Plus

from remotemedia import Node, Pipeline
from remotemedia.nodes import NativeNode, PassThroughNode

NATIVE = "rust_inprocess_ffi"


def passing(count=3):
    return Pipeline([PassThroughNode() for _ in range(count)])


def test_pass_through_nodes_run_natively_and_give_the_very_object():
    pipeline = passing()
    assert [node["runtime"] for node in pipeline.plan()] == ["native"] * 3
    samples = np.arange(1_000_000, dtype=np.float32).reshape(1, -1)
    for thing in (object(), {1: {2}}, samples, (samples, 48000), "x", 2**70):
        assert pipeline.run_sync(thing) is thing
        assert asyncio.run(pipeline.run(thing)) is thing


def test_objects_go_through_between_python_nodes_too():
    seen = []

    class See(Node):
        def process(self, data):
            seen.append(data)
            return data

    thing = object()
    pipeline = Pipeline([PassThroughNode(), See(), PassThroughNode(), See()], mode=NATIVE)
    assert [node["runtime"] for node in pipeline.plan()] == ["native", "cpython", "native", "cpython"]
    assert pipeline.run_sync(thing) is thing
    assert seen == [thing, thing]


def test_what_a_native_node_takes_is_still_converted():
    pipeline = Pipeline([PassThroughNode(), NativeNode("AudioGain", gain_db=0.0)])
    out, rate = pipeline.run_sync((np.float32([[0.5, -0.5]]), 8000))
    assert (out.tolist(), rate) == ([[0.5, -0.5]], 8000)


@pytest.mark.parametrize("runtime", ["rust_inprocess_ffi", "python_cpu"])
def test_none_is_no_result(runtime):
    assert Pipeline([PassThroughNode()], mode=runtime).run_sync([1, None, 2]) == [1, 2]
    assert Pipeline([PassThroughNode(), Plus(1)], mode=runtime).run_sync([None, 1]) == 2
    assert Pipeline([PassThroughNode()], mode=runtime).run_sync([None]) is None


def test_a_subclass_or_another_hint_is_pythons_own():
    class Louder(PassThroughNode):
        def initialize(self):
            self.ready = True

    nodes = [Louder(), PassThroughNode(runtime_hint="python"), PassThroughNode(runtime_hint="native")]
    assert [node["runtime"] for node in Pipeline(nodes).plan()] == ["cpython", "cpython", "native"]


def test_native_runs_of_any_length_count_alike():
    pipeline = Pipeline([PassThroughNode(), NativeNode("Multiply", factor=2)], enable_metrics=True)
    assert pipeline.run_sync(list(range(5000))) == list(range(0, 10000, 2))
    assert asyncio.run(pipeline.run([1, 2])) == [2, 4]
    metrics = pipeline.get_metrics()
    assert metrics["total_executions"] == 2
    assert [node["execution_count"] for node in metrics["node_metrics"]] == [5002, 5002]


def test_another_thread_goes_on_meanwhile():
    pipeline = Pipeline([NativeNode("AudioResample", target_sample_rate=44100)])
    second = (np.zeros((1, 48000), np.float32), 48000)

    def stood_still():
        longest, last, stop = 0.0, time.perf_counter(), threading.Event()

        def turn():
            nonlocal longest, last
            while not stop.is_set():
                now = time.perf_counter()
                longest, last = max(longest, now - last), now

        other = threading.Thread(target=turn)
        other.start()
        try:
            began = time.perf_counter()
            pipeline.run_sync([second] * 30)
            return longest / (time.perf_counter() - began)
        finally:
            stop.set()
            other.join()

    # With the interpreter held it stands still all the time in every try; a busy machine may keep it from it in one.
    tries = []
    while not tries or tries[-1] >= 0.7:
        assert len(tries) < 5, f"the other thread stood still for these parts of the runs: {tries}"
        tries.append(stood_still())


@pytest.mark.parametrize(
    "run",
    [
        # Of many items, each quick.
        'Pipeline([NativeNode("AudioResample", target_sample_rate=44100)]).run_sync([audio(1)] * 200_000)',
        # In the middle of one.
        'Pipeline([NativeNode("Denoise"), NativeNode("Denoise"), NativeNode("Denoise")]).run_sync(audio(600))',
    ],
)
def test_ctrl_c_ends_a_native_run(run):
    script = f"""
        import signal, time
        import numpy as np
        import remotemedia.core.worker as worker
        from remotemedia import Pipeline
        from remotemedia.nodes import NativeNode, PassThroughNode
        worker.STOP_LIMIT_S = 0.2
        # A shell lets what it starts in the background ignore the signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def audio(seconds):
            return np.zeros((1, 48000 * seconds), np.float32), 48000
        PassThroughNode()
        print("begun", flush=True)
        try:
            {run}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.0)  # well within the run
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert said == "interrupted\n"
