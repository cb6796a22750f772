"""The package from outside: what importing costs, what it offers, how it is tested with."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sample_nodes import Fails, Last, Plus, RunningSum

import remotemedia
from remotemedia import NodeError, Pipeline
from remotemedia.core import modes
from remotemedia.core.exceptions import (
    ConfigurationError,
    ManifestError,
    RemoteExecutionError,
    RemoteMediaError,
    SerializationError,
    WebRTCError,
)
from remotemedia.core.node_serialization import deserialize_node_from_ipc, serialize_node_for_ipc
from remotemedia.core.types import _SENTINEL
from remotemedia.testing import TestSink, TestSource, assert_audio_close, run_node


def in_a_new_interpreter(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_imports_little():
    loaded = in_a_new_interpreter(
        "import sys; before = set(sys.modules); import remotemedia, remotemedia.nodes, json; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    for heavy in ("numpy", "asyncio", "threading", "subprocess", "socket", "http", "email", "multiprocessing"):
        assert heavy not in loaded, heavy
    assert "remotemedia.core.pipeline" not in loaded
    assert len(loaded) < 60, loaded


def test_pipelines_of_numbers_need_no_numpy():
    assert in_a_new_interpreter(
        "import sys; sys.modules['numpy'] = None; from remotemedia import Pipeline; "
        "from remotemedia.nodes import AddNode; print(Pipeline([AddNode(1)], mode='python_cpu').run_sync(2))"
    ) == 3


def test_every_name_is_there():
    for name in remotemedia.__all__:
        assert getattr(remotemedia, name) is not None
        assert name in dir(remotemedia)
    with pytest.raises(AttributeError, match="nonesuch"):
        remotemedia.nonesuch  # noqa: B018


def test_exceptions_are_what_python_would_raise():
    assert issubclass(NodeError, RuntimeError)
    assert issubclass(ManifestError, ValueError)
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(SerializationError, TypeError)
    for error in (NodeError, ManifestError, SerializationError, RemoteExecutionError, WebRTCError):
        assert issubclass(error, RemoteMediaError)
    assert str(RemoteExecutionError("m")) == "m"
    assert str(RemoteExecutionError("m", "there")) == "m\n\nOn the other machine:\nthere"
    assert RemoteExecutionError("m", remote_traceback="there").remote_traceback == "there"


def test_a_missing_native_module_is_said_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "remotemedia._remotemedia_runtime", None)
    monkeypatch.setattr(modes, "_warned", False)
    monkeypatch.delenv("REMOTEMEDIA_RUNTIME_MODE", raising=False)
    pipeline = Pipeline([Plus()])
    with pytest.warns(UserWarning, match="Rust runtime unavailable.*_remotemedia_runtime halted"):
        assert pipeline.run_sync(1) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pipeline.run_sync(1) == 2
    with pytest.raises(remotemedia.PipelineError, match="native runtime cannot be loaded: .*halted"):
        pipeline.run_sync(1, mode="rust_inprocess_ffi")


def test_whether_the_native_module_is_there_can_be_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "remotemedia._remotemedia_runtime", None)
    monkeypatch.setattr(remotemedia, "_rust_runtime_available", None)
    monkeypatch.setattr(remotemedia, "_rust_runtime", None)
    loaded, module, why = remotemedia.try_load_rust_runtime()
    assert (loaded, module) == (False, None) and "halted" in why
    with pytest.warns(UserWarning, match="Rust runtime unavailable"):
        assert remotemedia.is_rust_runtime_available() is False
    assert remotemedia.get_rust_runtime() is None


def test_nodes_travel_as_bytes():
    node = deserialize_node_from_ipc(serialize_node_for_ipc(Plus(5, name="five")))
    assert (node.name, node.addend, node.to_manifest()) == ("five", 5, Plus(5).to_manifest())
    stuck = Plus(5)
    stuck.generator = (number for number in [1])
    with pytest.raises(SerializationError, match="'Plus'.*'generator', a generator"):
        serialize_node_for_ipc(stuck)
    used = Plus(5)
    used.initialize()
    with pytest.raises(SerializationError, match="initialized"):
        serialize_node_for_ipc(used)
    with pytest.raises(TypeError, match="takes a Node"):
        serialize_node_for_ipc(5)
    with pytest.raises(TypeError, match="takes bytes"):
        deserialize_node_from_ipc("text")
    with pytest.raises(SerializationError, match="no node"):
        deserialize_node_from_ipc(b"nonsense")
    with pytest.raises(SerializationError, match="a int, not a node"):
        deserialize_node_from_ipc(b"\x80\x04K\x05.")


def test_the_sentinel_is_one():
    import copy
    import pickle

    assert pickle.loads(pickle.dumps(_SENTINEL)) is _SENTINEL
    assert copy.deepcopy(_SENTINEL) is _SENTINEL
    assert repr(_SENTINEL) == "<end of stream>"


def test_a_node_is_run_by_itself(mode):
    assert run_node(RunningSum(), [1, 2], mode=mode) == [1, 3]
    assert run_node(Last(), [1, 2], mode=mode) == [2]
    assert run_node(Plus(), [], mode=mode) == []
    with pytest.raises(NodeError):
        run_node(Fails(), [1], mode=mode)


def test_sources_and_sinks_for_tests(mode):
    sink = TestSink()
    assert Pipeline([TestSource([1, 2]), sink], mode=mode).run_sync() == [1, 2] == sink.received


def test_audio_is_compared_by_its_error():
    one = np.sin(np.arange(1000.0))
    assert_audio_close(one, one)
    assert_audio_close((one, 8000), (one + 1e-5, 8000), snr_db=90)
    assert_audio_close(np.int16([16384]), np.float32([0.5]))
    for wrong, part in (
        ((one, one + 0.1), "dB below the signal"),
        ((one, one[:-1]), "shapes"),
        (((one, 8000), (one, 16000)), "sample rates"),
        ((one, np.full(1000, np.nan)), "not finite"),
        ((np.ones(3), np.zeros(3)), "-inf dB"),
    ):
        with pytest.raises(AssertionError, match=part):
            assert_audio_close(*wrong)
