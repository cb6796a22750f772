"""What is wrong is said by name; a node that misbehaves hurts nobody else; nothing is left behind."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sample_nodes import Plus

import remotemedia.runtime
from remotemedia import Node, NodeError, Pipeline
from remotemedia.nodes import NativeNode, PassThroughNode, WasmNode
from remotemedia.testing import run_node

NATIVE = "rust_inprocess_ffi"


async def _processed(stream):
    async with Pipeline([Plus()]) as pipeline:
        return [value async for value in pipeline.process(stream)]


@pytest.mark.parametrize(
    "named, call",
    [
        ("nodes", lambda: Pipeline(5)),
        ("nodes", lambda: Pipeline("ab")),
        ("nodes", lambda: Pipeline(Plus())),
        ("name", lambda: Pipeline(name=5)),
        ("name", lambda: Pipeline(name="")),
        ("after", lambda: Pipeline([Plus()]).add_node(Plus(), after=5)),
        ("after", lambda: Pipeline([Plus()]).add_node(Plus(), after=[5])),
        ("name", lambda: Pipeline([Plus()]).get_node(5)),
        ("name", lambda: Pipeline([Plus()]).remove_node(None)),
        ("progress", lambda: Pipeline([Plus()]).run_sync(1, progress=5)),
        ("stream", lambda: asyncio.run(_processed(5))),
        ("stream", lambda: asyncio.run(_processed([1, 2]))),
        ("description", lambda: Pipeline([Plus()]).serialize(description=5)),
        ("manifest", lambda: Pipeline.from_manifest(5)),
        ("manifest", lambda: Pipeline.from_manifest([])),
        ("definition", lambda: asyncio.run(Pipeline.from_definition(5))),
        ("name", lambda: PassThroughNode(name=5)),
        ("state_ttl", lambda: Plus(state_ttl=5).state),
        ("max_sessions", lambda: Plus(max_sessions="many").state),
        ("node_type", lambda: NativeNode(5)),
        ("component", lambda: WasmNode(5)),
        ("manifest", lambda: asyncio.run(remotemedia.runtime.execute_pipeline(5))),
        ("input_data", lambda: asyncio.run(remotemedia.runtime.execute_pipeline_with_input("{}", 5))),
        ("nodes", lambda: asyncio.run(remotemedia.runtime.execute_pipeline_with_instances(5))),
        ("metrics_json", lambda: remotemedia.runtime.get_metrics(5)),
        ("inputs", lambda: run_node(Plus(), 5)),
    ],
)
def test_a_wrong_type_is_a_type_error_that_names_the_argument(named, call):
    with pytest.raises(TypeError, match=named):
        call()


@pytest.mark.parametrize(
    "named, call",
    [
        ("mode 5", lambda: Pipeline(mode=5)),
        ("mode 'fast'", lambda: Pipeline([Plus()]).run_sync(1, mode="fast")),
        ("runtime_hint 5", lambda: PassThroughNode(runtime_hint=5)),
        ("max_sessions", lambda: Plus(max_sessions=0).state),
        ("nodes", lambda: asyncio.run(remotemedia.runtime.execute_pipeline_with_instances([]))),
        ("metadata.name", lambda: Pipeline.from_manifest({"version": "v1"})),
    ],
)
def test_a_wrong_value_is_a_value_error_that_names_the_argument(named, call):
    with pytest.raises(ValueError, match=named):
        call()


def test_sessions_of_a_node_may_live_for_a_time():
    assert Plus(state_ttl=timedelta(hours=1), max_sessions=3).state.max_sessions == 3


class Falls(Node):
    """Raises in the method it is told."""

    def __init__(self, where, error=ZeroDivisionError("by me")):
        super().__init__()
        self.where, self.error = where, error

    def _at(self, here):
        if self.where == here:
            raise self.error

    def initialize(self):
        self._at("initialize")

    def process(self, data):
        self._at("process")
        return data

    def flush(self):
        self._at("flush")

    def cleanup(self):
        self._at("cleanup")


@pytest.mark.parametrize("where", ["initialize", "process", "flush"])
def test_the_users_own_traceback_comes_first(mode, where):
    with pytest.raises(NodeError, match=f"node `Falls_0`, {where}: ZeroDivisionError: by me") as caught:
        Pipeline([Falls(where, ZeroDivisionError("by me"))], mode=mode).run_sync(1)
    cause = caught.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    first = cause.__traceback__.tb_frame.f_code
    assert (Path(first.co_filename).name, first.co_name) == ("test_bad_input.py", where)
    if sys.version_info >= (3, 11):
        assert f"in node `Falls_0`, {where}" in cause.__notes__


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_node_that_raises_when_it_is_deleted_hurts_nobody(mode):
    class Dies(Plus):
        def __del__(self):
            raise RuntimeError("in __del__")

    pipeline = Pipeline([Dies()], mode=mode)
    assert pipeline.run_sync(1) == 2
    del pipeline
    gc.collect()
    assert Pipeline([Plus()], mode=mode).run_sync(1) == 2


def test_what_cannot_be_written_down_is_passed_on_all_the_same(mode):
    class Locks(Node):
        def process(self, data):
            return threading.Lock()  # neither JSON nor pickle

    assert type(Pipeline([Locks(), PassThroughNode()], mode=mode).run_sync(1)) is type(threading.Lock())
    # A native node that looks into it says what it got.
    with pytest.raises((NodeError, TypeError), match="lock"):
        Pipeline([Locks(), NativeNode("AudioGain", gain_db=0.0)]).run_sync(1)


def test_asyncio_run_inside_a_coroutine_node_says_what_is_wrong(mode):
    class Nested(Node):
        async def process(self, data):
            coroutine = asyncio.sleep(0)
            try:
                asyncio.run(coroutine)
            finally:
                coroutine.close()

    with pytest.raises(NodeError, match="asyncio.run\\(\\) cannot be called from a running event loop"):
        Pipeline([Nested()], mode=mode).run_sync(1)


def test_a_node_that_waits_for_itself_can_be_cancelled(mode):
    class Deadlock(Node):
        async def process(self, data):
            begun.set()
            await asyncio.get_running_loop().create_future()  # nobody ever answers

    begun = threading.Event()

    async def run():
        task = asyncio.create_task(Pipeline([Deadlock()], mode=mode).run(1))
        while not begun.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 30))


def _said(script):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.split(), done.stderr


def test_pipelines_run_in_a_forked_child(mode):
    code, said, errors = _said(f"""
        import asyncio, os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads
        from remotemedia import Node, Pipeline
        from remotemedia.nodes import PassThroughNode
        class Plus(Node):
            def process(self, data):
                return data + 1
        pipeline = Pipeline([Plus(), PassThroughNode()], mode={mode!r})
        print(asyncio.run(pipeline.run(1)), flush=True)
        child = os.fork()
        if child == 0:
            print(asyncio.run(pipeline.run(2)), pipeline.run_sync(3), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(asyncio.run(pipeline.run(4)))
    """)
    assert (code, said, errors) == (0, ["2", "3", "4", "5"], "")


def test_a_node_may_fork(mode):
    class Forks(Node):
        def process(self, data):
            child = os.fork()
            if child == 0:
                os._exit(7)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert Pipeline([Forks()], mode=mode).run_sync(1) == 7
        assert asyncio.run(Pipeline([Forks()], mode=mode).run(1)) == 7


def test_the_interpreter_ends_with_a_pipeline_that_is_open(mode):
    code, said, errors = _said(f"""
        import asyncio
        from remotemedia import Node, Pipeline
        from remotemedia.nodes import PassThroughNode
        class Plus(Node):
            def process(self, data):
                return data + 1
        pipeline = Pipeline([Plus(), PassThroughNode()], mode={mode!r})
        async def main():
            await pipeline.initialize()
            print(await pipeline.run(1), flush=True)
        asyncio.run(main())
    """)
    assert (code, said, errors) == (0, ["2"], "")


@pytest.mark.parametrize("how", ["run_sync", "run"])
def test_the_interpreter_ends_while_a_daemon_thread_runs_a_pipeline(mode, how):
    code, said, errors = _said(f"""
        import asyncio, threading
        import remotemedia.core.worker as worker
        from remotemedia import Node, Pipeline
        worker.STOP_LIMIT_S = 0.2
        begun = threading.Event()
        class Hangs(Node):
            def process(self, data):
                begun.set()
                threading.Event().wait()
        pipeline = Pipeline([Hangs()], mode={mode!r})
        run = (lambda: pipeline.run_sync(1)) if {how!r} == "run_sync" else (lambda: asyncio.run(pipeline.run(1)))
        threading.Thread(target=run, daemon=True).start()
        begun.wait()
        print("ends", flush=True)
    """)
    # Below native frames a daemon thread cannot be ended: the process ends without the node, and says so.
    native = mode == NATIVE
    assert (code, said) == (1 if native else 0, ["ends"])
    assert ("a node is still in a call; the process ends without it" in errors) == native


@pytest.mark.parametrize("how", ["run_sync", "run"])
def test_a_call_on_a_daemon_thread_may_end_when_the_interpreter_does(mode, how):
    code, said, _ = _said(f"""
        import asyncio, threading, time
        from remotemedia import Node, Pipeline
        begun = threading.Event()
        class Slow(Node):
            def process(self, data):
                begun.set()
                for _ in range(50):
                    time.sleep(0.01)
                return data
        pipeline = Pipeline([Slow(), Slow()], mode={mode!r})
        run = (lambda: pipeline.run_sync(1)) if {how!r} == "run_sync" else (lambda: asyncio.run(pipeline.run(1)))
        threading.Thread(target=run, daemon=True).start()
        begun.wait()
        print("ends", flush=True)
    """)
    assert (code, said) == (0, ["ends"])


def _rss_kib():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def test_ten_thousand_pipelines_leave_nothing_behind(mode):
    samples = np.zeros((1, 320), np.float32)

    def run(count):
        for number in range(count):
            nodes = [PassThroughNode(), Plus(), PassThroughNode()]
            assert Pipeline(nodes, mode=mode).run_sync(number) == number + 1
            if mode == NATIVE and number % 10 == 0:
                Pipeline([NativeNode("AudioGain", gain_db=0.0)], mode=mode).run_sync((samples, 16000))
        gc.collect()

    run(1000)  # warm: caches, arenas
    objects, rss = len(gc.get_objects()), _rss_kib()
    threads = threading.active_count()
    run(10_000)
    assert len(gc.get_objects()) - objects < 100
    assert threading.active_count() == threads
    # 10,000 pipelines in less than 400 bytes each: what the allocator itself keeps.
    assert _rss_kib() - rss < 4096
