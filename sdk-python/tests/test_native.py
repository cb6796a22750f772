"""The native engine: native and sandboxed nodes among Python ones, and that it gives what plain Python gives."""

import asyncio
import gc
import json
import os
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_nodes import Fails, Identity, Plus, RunningSum
from test_audio_nodes import tones

import remotemedia
import remotemedia_runtime
from remotemedia import Node, NodeError, Pipeline, runtime
from remotemedia.core.exceptions import ManifestError
from remotemedia.nodes import AudioResampleNode, FormatConverterNode, NativeNode, WasmNode
from remotemedia.testing import TestSink, TestSource, assert_audio_close

NATIVE = "rust_inprocess_ffi"
ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "target/guests"


def run(nodes, items):
    return Pipeline(nodes, mode=NATIVE).run_sync(items)


def test_the_installed_module_is_used():
    available, module, why = remotemedia.try_load_rust_runtime()
    assert (available, why) == (True, None)
    assert remotemedia.is_rust_runtime_available()
    assert remotemedia.get_rust_runtime() is module
    assert Path(module.__file__).parent == Path(remotemedia.__file__).parent


def test_it_is_the_default(monkeypatch):
    monkeypatch.delenv("REMOTEMEDIA_RUNTIME_MODE", raising=False)
    assert Pipeline([Plus()]).plan()[0]["runtime"] == "cpython"
    assert Pipeline([NativeNode("PassThrough")]).run_sync("x") == "x"


def test_native_nodes_stand_among_python_ones():
    assert run([Plus(), NativeNode("Multiply", factor=3), Plus()], [1, 2]) == [7, 10]
    pipeline = Pipeline([NativeNode("Add", addend=1, name="one"), Plus()], mode=NATIVE)
    assert [(node["runtime"], node["node_id"]) for node in pipeline.plan()] == [("native", "one_0"), ("cpython", "Plus_1")]
    assert pipeline.to_manifest()["nodes"][0] == {
        "id": "one_0", "node_type": "Add", "params": {"addend": 1}, "runtime_hint": "native",
    }  # fmt: skip


def test_audio_goes_through_native_nodes():
    samples, rate = tones(48000, 0.5, 440, 5000, channels=2), 48000
    pieces = [(samples[:, begin : begin + 960], rate) for begin in range(0, samples.shape[1], 960)]
    out = run([NativeNode("AudioResample", target_sample_rate=16000)], pieces)
    assert {rate for _, rate in out} == {16000}
    joined = np.concatenate([piece for piece, _ in out], axis=1)
    assert (joined.shape, joined.dtype) == ((2, 8000), np.float32)
    assert_audio_close(joined[:, 800:-800], tones(16000, 0.5, 440, 5000, channels=2)[:, 800:-800], snr_db=90)


@pytest.mark.parametrize(("rate", "target"), [(48000, 16000), (44100, 16000), (16000, 48000)])
def test_the_python_resampler_and_the_native_one_agree(rate, target):
    samples = tones(rate, 0.5, 300, 2000, 7000)
    out = run([NativeNode("AudioResample", target_sample_rate=target)], [(samples, rate)])
    native = np.concatenate([piece for piece, _ in (out if isinstance(out, list) else [out])], axis=1)
    python, _ = AudioResampleNode(target).process((samples, rate))
    edge = target // 20
    assert_audio_close(python[:, edge:-edge], native[:, edge:-edge], snr_db=90)


def test_components_run_sandboxed():
    samples = np.full((1, 480), 0.5, np.float32)
    (out, rate) = run([WasmNode(GUESTS / "gain.wasm", gain_db=-20), Identity()], [(samples, 16000)])
    assert rate == 16000
    np.testing.assert_allclose(out, 0.05, rtol=1e-5)
    node = WasmNode(str(GUESTS / "gain.wasm"), sha256="0" * 64)
    assert node.to_manifest()["component"] == {"path": str(GUESTS / "gain.wasm"), "sha256": "0" * 64}
    with pytest.raises(ManifestError, match="0000000"):
        run([node], [1])
    with pytest.raises(FileNotFoundError, match=r"none\.wasm"):
        WasmNode("none.wasm")


def test_what_a_native_node_cannot_take_is_named():
    with pytest.raises(NodeError, match="node `Multiply_1`, process: .*set") as caught:
        run([Identity(), NativeNode("Multiply")], [{1}])
    assert (caught.value.node_id, caught.value.operation, caught.value.remotemedia_kind) == (
        "Multiply_1", "process", "invalid_input",
    )  # fmt: skip
    assert caught.value.__cause__ is None
    with pytest.raises(ManifestError, match="Nonesuch"):
        run([NativeNode("Nonesuch")], [1])
    with pytest.raises(ManifestError, match="factor"):
        run([NativeNode("Multiply", factor="x")], [1])
    with pytest.raises(NodeError, match="needs mode 'rust_inprocess_ffi'"):
        Pipeline([NativeNode("Multiply")], mode="python_cpu").run_sync(1)


def test_a_python_failure_is_itself_behind_the_engine():
    error = ValueError("no good")
    with pytest.raises(NodeError, match="node `Fails_1`, process: ValueError: no good") as caught:
        run([NativeNode("PassThrough"), Fails(error=error)], [1])
    assert caught.value.__cause__ is error
    frames = []
    frame = error.__traceback__
    while frame is not None:
        frames.append(frame.tb_frame.f_code.co_name)
        frame = frame.tb_next
    assert frames == ["process", "_maybe"]


#: Values of every kind that Python nodes may pass on.
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.complex_numbers(
        allow_nan=False) | st.dates() | st.decimals(allow_nan=False) | st.just(2**70)
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner)
    | st.frozensets(st.integers()) | st.sets(st.text()),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(values, max_size=3))
def test_python_nodes_get_the_very_objects(given_values):
    sink = TestSink()
    run([Identity(), RunningIdentity(), sink], given_values)
    expected = [value for value in given_values if value is not None]
    assert all(got is value for got, value in zip(sink.received, expected, strict=True))


class RunningIdentity(Node):
    is_streaming = True

    async def process(self, data):
        async for item in data:
            yield item


json_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150)
@given(values | json_values)
def test_native_nodes_hand_on_equal_values_of_the_same_type(value):
    if value is None:
        return
    out = run([NativeNode("PassThrough")], [value])
    assert type(out) is type(value)
    assert out == value
    assert repr(out) == repr(value) or isinstance(value, (set, frozenset))


@pytest.mark.parametrize("dtype", ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">f4", ">i2"])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "empty", "scalar"])
def test_arrays_pass_native_nodes_whole(dtype, layout):
    base = (np.arange(24).reshape(2, 3, 4) % 2 if dtype == "bool" else np.arange(24).reshape(2, 3, 4)).astype(dtype)
    array = {
        "C": base, "F": np.asfortranarray(base), "strided": base[:, ::-1, ::2], "empty": base[:0], "scalar": base[1, 1, 1:2][0:1].reshape(()),
    }[layout]  # fmt: skip
    out = run([NativeNode("PassThrough")], [array])
    assert (out.dtype, out.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(out, array)


def test_objects_of_other_libraries_pass_as_they_are():
    for thing in (np.array(["a"]), np.array([1 + 2j]), np.datetime64("2026-01-01"), np.float32(1.5), object(), memoryview(b"x")):
        assert run([NativeNode("PassThrough")], [thing]) is thing


def test_manifests_name_native_nodes_and_components(tmp_path):
    (tmp_path / "g.wasm").write_bytes((GUESTS / "gain.wasm").read_bytes())
    (tmp_path / "p.json").write_text(
        json.dumps(
            {
                "version": "v1",
                "metadata": {"name": "m"},
                "nodes": [
                    {"id": "mono", "node_type": "ChannelMixer", "params": {"output_channels": 1}},
                    {"id": "g", "node_type": "gain", "component": "g.wasm", "params": {"gain_db": 0}, "timeout_ms": 900},
                    {"id": "p", "node_type": "PassThroughNode", "runtime_hint": "rust"},
                ],
                "connections": [{"from": "mono", "to": "g"}, {"from": "g", "to": "p"}],
            }
        )
    )
    pipeline = Pipeline.from_manifest(tmp_path / "p.json", mode=NATIVE)
    assert [node["runtime"] for node in pipeline.plan()] == ["native", "wasm", "native"]
    assert pipeline.to_manifest()["nodes"][1]["timeout_ms"] == 900
    out, _ = pipeline.run_sync([(np.ones((2, 100), np.float32), 16000)])
    np.testing.assert_allclose(out, np.ones((1, 100)), atol=1e-6)


def test_metrics_say_which_runtime_served():
    pipeline = Pipeline([Plus(), NativeNode("Add", addend=1)], enable_metrics=True, mode=NATIVE)
    pipeline.run_sync([1, 2])
    pipeline.run_sync(3)
    nodes = pipeline.get_metrics()["node_metrics"]
    assert [(node["node_id"], node["served_by"], node["execution_count"], node["packets_out"]) for node in nodes] == [
        ("Plus_0", "cpython", 3, 3),
        ("Add_1", "native", 3, 3),
    ]


def test_two_threads_run_at_the_same_time():
    # Each pipeline waits for the other inside its node: one interpreter lock held too long would be a deadlock.
    barrier = threading.Barrier(2, timeout=60)

    class Meets(Node):
        def process(self, data):
            barrier.wait()
            return data

    results = []

    def one(number):
        results.append(run([NativeNode("PassThrough"), Meets()], [number, number]))

    threads = [threading.Thread(target=one, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [[1, 1], [2, 2]]


def test_a_stream_after_a_stream_has_fresh_native_nodes():
    async def twice():
        async with Pipeline([RunningSum(), NativeNode("Add", addend=1)], mode=NATIVE) as pipeline:
            return [await pipeline.run([1, 2]), await pipeline.run([5])]

    assert asyncio.run(twice()) == [[2, 4], 6]


def test_an_initialized_pipeline_goes_on_after_a_failure():
    async def on():
        async with Pipeline([Fails(at=2), NativeNode("PassThrough")], mode=NATIVE) as pipeline:
            with pytest.raises(NodeError):
                await pipeline.run([1, 2])
            return await pipeline.run([1, 3])

    assert asyncio.run(on()) == [1, 3]


def test_pipelines_leave_nothing_behind():
    class Counted(Identity):
        alive = 0

        def __init__(self):
            type(self).alive += 1

        def __del__(self):
            type(self).alive -= 1

    def many(count):
        for _ in range(count):
            Pipeline([Counted(), NativeNode("PassThrough"), Counted()], mode=NATIVE).run_sync([1, "x", b"y"])
        gc.collect()

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    many(200)
    before, objects, threads = resident(), len(gc.get_objects()), threading.active_count()
    many(1000)
    assert Counted.alive == 0
    assert len(gc.get_objects()) - objects < 100
    assert threading.active_count() == threads
    assert resident() - before < 8 * 2**20


def manifest(*types):
    nodes = [{"id": f"n{number}", "node_type": kind, "params": params} for number, (kind, params) in enumerate(types)]
    links = [{"from": f"n{number}", "to": f"n{number + 1}"} for number in range(len(types) - 1)]
    return json.dumps({"version": "v1", "metadata": {"name": "m"}, "nodes": nodes, "connections": links})


def test_manifests_run_by_functions():
    text = manifest(("MultiplyNode", {"factor": 2}), ("CalculatorNode", {"operation": "add", "operand": 1}))
    assert asyncio.run(runtime.execute_pipeline_with_input(text, [1, 2])) == [3, 5]
    assert asyncio.run(runtime.execute_pipeline_with_input(json.loads(text), [1], None)) == 3
    answer = asyncio.run(remotemedia_runtime.execute_pipeline_with_input(text, [1], True))
    assert answer["outputs"] == 3
    assert [node["execution_count"] for node in json.loads(answer["metrics"])["node_metrics"]] == [1, 1]
    source = manifest(("sample_nodes:Numbers", {"most": 3}), ("AddNode", {"addend": 1}))
    assert asyncio.run(runtime.execute_pipeline(source)) == [2, 3, 4]
    with pytest.raises(TypeError, match="input_data must be a list"):
        asyncio.run(runtime.execute_pipeline_with_input(text, 1))
    with pytest.raises(ManifestError, match="not JSON"):
        asyncio.run(runtime.execute_pipeline("nonsense"))


def test_instances_run_by_a_function():
    execute = runtime.execute_pipeline_with_instances
    plus = Plus(5)
    assert asyncio.run(execute([plus, {"node_type": "MultiplyNode", "params": {"factor": 2}}], [1, 2])) == [12, 14]
    assert asyncio.run(execute([TestSource([1])])) == 1
    with pytest.raises(ValueError, match="empty"):
        asyncio.run(execute([]))
    with pytest.raises(TypeError, match=r"nodes\[1\] must be a Node or a dict, not a int"):
        asyncio.run(execute([plus, 3]))
    with pytest.raises(TypeError, match="list of nodes"):
        asyncio.run(execute("ab"))


def test_the_runtime_says_what_it_is():
    assert runtime.get_runtime_version() == runtime.__version__ == remotemedia.__version__
    assert runtime.is_available() is True
    assert json.loads(runtime.get_metrics('{"a":1}')) == {"a": 1}
    for name in remotemedia_runtime.__all__:
        assert getattr(remotemedia_runtime, name) is getattr(runtime, name)


def test_params_that_changed_between_runs_count():
    node = NativeNode("Add", addend=1)
    pipeline = Pipeline([node], mode=NATIVE)
    assert pipeline.run_sync(1) == 2
    node.params["addend"] = 5
    assert pipeline.run_sync(1) == 6


@pytest.mark.parametrize("first", ["nothing", "python", "native"])
def test_chunks_are_one_stream_to_native_nodes(first):
    with wave.open(str(ROOT / "docs/examples/speech/speech.wav")) as file:
        rate, raw = file.getframerate(), file.readframes(file.getnframes())
    samples = (np.frombuffer(raw, np.int16).astype(np.float32) / 32768).reshape(1, -1)

    class Same(Node):
        def process(self, data):
            return data

    before = {"nothing": [], "python": [Same()], "native": [FormatConverterNode("f32")]}[first]
    pipeline = Pipeline([*before, NativeNode("VAD")], mode=NATIVE)
    chunks = [(samples[:, at : at + 441], rate) for at in range(0, samples.shape[1], 441)]
    whole = pipeline.run_sync([(samples, rate)])
    assert len(whole) > 3
    assert pipeline.run_sync(chunks) == whole
