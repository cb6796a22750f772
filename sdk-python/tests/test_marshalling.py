"""What values become on their way into native nodes and components, and back: memory, types, and refusals."""

import asyncio
import dataclasses
import datetime
import decimal
import enum
import gc
import math
import sys
import threading
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sample_nodes import Identity

from remotemedia import Node, NodeError, Pipeline, RemoteMediaError
from remotemedia.nodes import NativeNode, WasmNode

NATIVE = "rust_inprocess_ffi"
GUESTS = Path(__file__).resolve().parents[2] / "target/guests"
MILLION = 1_000_000


def through(value, *nodes):
    return Pipeline(list(nodes), mode=NATIVE).run_sync([value])


def passed(value, nodes=1):
    return through(value, *(NativeNode("PassThrough") for _ in range(nodes)))


def address(array):
    return array.ctypes.data


# Memory: in and out without a copy

INTERLEAVED = {
    "mono of one dimension": np.arange(MILLION, dtype=np.float32),
    "mono": np.arange(MILLION, dtype=np.float32).reshape(1, -1),
    "stereo in Fortran order": np.asfortranarray(np.arange(MILLION, dtype=np.float32).reshape(2, -1)),
    "stereo, a transposed (frames, channels) array": np.arange(MILLION, dtype=np.float32).reshape(-1, 2).T,
    "part of a recording": np.arange(2 * MILLION, dtype=np.float32)[MILLION:],
}


@pytest.mark.parametrize("layout", INTERLEAVED)
def test_audio_passes_three_native_nodes_without_a_copy(layout):
    samples = INTERLEAVED[layout]
    out, rate = passed((samples, 48000), nodes=3)
    assert address(out) == address(samples) and np.shares_memory(out, samples)
    assert rate == 48000
    np.testing.assert_array_equal(out, np.atleast_2d(samples))
    assert not out.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        out.flags.writeable = True


def test_audio_by_rows_is_interleaved_in_one_copy():
    samples = np.arange(MILLION, dtype=np.float32).reshape(2, -1)
    passed((samples, 48000))  # what is allocated once is there
    tracemalloc.start()
    out, _ = passed((samples, 48000), nodes=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not np.shares_memory(out, samples) and out.strides == (4, 8)
    np.testing.assert_array_equal(out, samples)
    assert peak < 100_000, "numpy made a copy of its own"


TENSOR_TYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "longlong", "ulonglong"]


@pytest.mark.parametrize("dtype", TENSOR_TYPES)
def test_tensors_pass_three_native_nodes_without_a_copy(dtype):
    array = (np.arange(24) % 2).astype(dtype).reshape(2, 3, 4)
    out = passed(array, nodes=3)
    assert address(out) == address(array) and np.shares_memory(out, array)
    assert (out.dtype, out.shape, out.flags.writeable) == (array.dtype, array.shape, False)
    np.testing.assert_array_equal(out, array)


def test_what_is_returned_keeps_its_memory_and_the_pipeline_does_not():
    samples = np.ones(1000, np.float32)
    alive = weakref.ref(samples)
    out, _ = passed((samples, 8000))
    del samples
    assert alive() is not None
    assert out.sum() == 1000
    del out
    gc.collect()
    assert alive() is None


def test_a_python_node_gets_a_read_only_view_and_may_not_change_it():
    class Halve(Node):
        def process(self, data):
            samples, rate = data
            samples *= 0.5
            return data

    class Force(Node):
        def process(self, data):
            data[0].flags.writeable = True

    samples = np.ones((1, 8), np.float32)
    for node in (Halve(), Force()):
        with pytest.raises(NodeError, match="ValueError") as caught:
            through((samples, 8000), NativeNode("PassThrough"), node)
        assert isinstance(caught.value.__cause__, ValueError)
    assert samples.tolist() == [[1.0] * 8]


def test_a_read_only_array_is_safe_from_a_node_in_every_mode(mode):
    class Double(Node):
        def process(self, data):
            data *= 2
            return data

    class Total(Node):
        def process(self, data):
            return float(data.sum())

    array = np.ones(8)
    array.flags.writeable = False
    with pytest.raises(NodeError, match="ValueError: output array is read-only") as caught:
        Pipeline([Double()], mode=mode).run_sync(array)
    assert isinstance(caught.value.__cause__, ValueError)
    assert Pipeline([Total()], mode=mode).run_sync(array) == 8.0


def test_native_nodes_do_not_write_to_the_authors_array():
    samples = np.full(480, 0.5, np.float32)
    out, _ = through((samples, 16000), NativeNode("AudioGain", gain_db=20 * math.log10(0.5)))
    np.testing.assert_allclose(out, 0.25, rtol=1e-6)
    assert samples.tolist() == [0.5] * 480


def test_a_buffer_that_is_used_again_does_not_change_what_a_node_has_kept():
    def microphone(buffer):
        for number in range(10):
            buffer[:] = np.arange(300) + 300 * number
            yield buffer, 8000

    class Copy(Node):
        def process(self, data):
            return data[0].copy(), data[1]

    async def listen():
        async def stream():
            for item in microphone(np.empty(300, np.float32)):
                yield item

        async with Pipeline([NativeNode("AudioChunker", frame_samples=1000), Copy()], mode=NATIVE) as pipeline:
            return [samples async for samples, _ in pipeline.process(stream())]

    frames = asyncio.run(listen())
    assert [frame.shape for frame in frames] == [(1, 1000)] * 3
    np.testing.assert_array_equal(np.concatenate(frames, axis=1)[0], np.arange(3000))


def test_a_python_node_beside_a_native_one_may_change_what_it_gets():
    class Zero(Node):
        def process(self, data):
            data[0][:] = 0
            return 0

    class Sum(Node):
        def process(self, data):
            return float(data[0].sum())

    pipeline = Pipeline(mode=NATIVE).add_node(Zero(name="zero"))
    pipeline.add_node(NativeNode("PassThrough", name="native"), after=[]).add_node(Sum(name="sum"), after="native")
    assert pipeline.run_sync([(np.ones(8, np.float32), 8000)]) == {"zero_0": 0, "sum_2": 8.0}


def test_what_a_python_node_gives_away_is_not_copied():
    addresses = []

    class Make(Node):
        def process(self, data):
            samples = np.full((1, MILLION), data, np.float32)
            addresses.append(address(samples))
            return samples, 8000

    class Look(Node):
        def process(self, data):
            return address(data[0]), data[0].flags.writeable, float(data[0][0, -1])

    out = through(3, Make(), NativeNode("PassThrough"), NativeNode("AudioGain", gain_db=20 * math.log10(2)), Look())
    assert out == (addresses[0], True, pytest.approx(6.0))


def test_what_a_python_node_keeps_is_not_the_packets():
    class Late(Node):
        kept = None

        def process(self, data):
            if self.kept is not None:
                self.kept[:] = 99
            self.kept = np.full(4, data, np.float32)
            return self.kept, 8000

    class Weak(Late):
        def process(self, data):
            samples = np.full(4, data, np.float32)
            if self.kept is not None and self.kept() is not None:
                self.kept()[:] = 99
            self.kept = weakref.ref(samples)
            return samples, 8000

    class View(Late):
        def process(self, data):
            if self.kept is not None:
                self.kept[:] = 99
            self.kept = np.full(8, data, np.float32)
            return self.kept[2:6], 8000

    for node in (Late(), Weak(), View()):
        out = Pipeline([node, NativeNode("AudioChunker", frame_samples=12)], mode=NATIVE).run_sync([1, 2, 3])
        assert out[0].tolist() == [[1] * 4 + [2] * 4 + [3] * 4]


def test_arrays_are_let_go_on_whatever_thread_and_at_once():
    class Fresh(Node):
        def process(self, data):
            return np.full(100_000, data, np.float32), 8000

    def work(results):
        pipeline = Pipeline([Fresh(), NativeNode("AudioChunker", frame_samples=150_000), NativeNode("PassThrough")], mode=NATIVE)
        pieces = pipeline.run_sync(list(range(30)))
        results.append(sum(float(samples.sum()) for samples, _ in pieces))

    work([])
    gc.collect()
    tracemalloc.start()
    results = []
    threads = [threading.Thread(target=work, args=(results,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Pipeline([NativeNode("PassThrough")], mode=NATIVE).run_sync(1)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert results == [sum(range(30)) * 100_000.0] * 4
    assert held < 400_000, "an array of 400 kB is still there"


def test_a_fed_array_is_let_go_when_the_run_ends():
    samples = np.ones(1000, np.float32)
    item = (samples, 8000)
    before = sys.getrefcount(samples)
    through(item, NativeNode("AudioLevel"))
    through(item, NativeNode("AudioChunker", frame_samples=700))
    with pytest.raises(TypeError):
        through(item, NativeNode("Multiply"))
    Pipeline([NativeNode("PassThrough")], mode=NATIVE).run_sync(1)
    assert sys.getrefcount(samples) == before


# Every type and layout

ARRAYS = {
    **{name: np.arange(6).astype(name).reshape(2, 3) for name in TENSOR_TYPES},
    "big endian": np.arange(6, dtype=">f4"),
    "complex": np.array([1 + 2j, 3j]),
    "datetime": np.array(["2020-01-01", "NaT"], "datetime64[s]"),
    "timedelta": np.array([1, 2], "timedelta64[ms]"),
    "structured": np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
    "objects": np.array([{}, None], object),
    "text": np.array(["a", "ü"]),
    "bytes": np.array([b"a", b"bc"]),
    "long double": np.arange(3, dtype=np.longdouble),
    "every second": np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2],
    "backwards": np.arange(5.0)[::-1],
    "Fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "repeated": np.broadcast_to(np.float32([1, 2]), (3, 2)),
    "no dimension": np.array(7, np.int16),
    "empty": np.empty((2, 0, 3), np.float32),
    "not aligned": np.frombuffer(b"x" + np.arange(3.0).tobytes(), np.uint8)[1:].view(np.float64),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_type_and_layout(name, mode):
    array = ARRAYS[name]
    assert Pipeline([Identity(), Identity()], mode=mode).run_sync([array]) is array
    if mode == NATIVE:
        for value in (array, array.copy()):
            value.flags.writeable = False
            for out in (passed(value), through(value, Identity(), NativeNode("PassThrough"), Identity())):
                assert type(out) is np.ndarray and out.dtype == array.dtype
                np.testing.assert_array_equal(out, array)


@pytest.mark.parametrize("name", ["complex", "datetime", "structured", "objects", "text", "bytes"])
def test_arrays_that_are_no_tensors_are_refused_by_components(name):
    with pytest.raises(TypeError, match=r"value is a numpy\.ndarray"):
        through(ARRAYS[name], WasmNode(GUESTS / "hostile.wasm"))


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4", ">f8", "longdouble"])
def test_other_floats_are_rounded_to_float32(dtype):
    samples = np.linspace(-1, 1, 7).astype(dtype)
    out, _ = passed((samples, 8000))
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out[0], samples.astype(np.float32))


# DLPack


class Exporter:
    """An array that says only what DLPack says of it."""

    def __init__(self, array, device=None):
        self._array, self._device = array, device

    def __dlpack__(self, **keywords):
        return self._array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self._device or self._array.__dlpack_device__()


def test_a_dlpack_object_enters_a_native_node_as_audio_in_place():
    samples = np.full((1, MILLION), 0.5, np.float32)
    node = NativeNode("ChannelMixer", output_channels=1)
    out, rate = through((Exporter(samples), 16000), node)
    assert address(out) == address(samples) and rate == 16000


def test_what_leaves_native_nodes_is_dlpack():
    out, _ = through((np.full((1, 8), 0.5, np.float32), 16000), NativeNode("AudioGain", gain_db=20 * math.log10(2)))
    again = np.from_dlpack(out)
    assert address(again) == address(out) and out.flags.writeable
    np.testing.assert_allclose(again, 1.0, rtol=1e-6)


def test_a_dlpack_object_stays_itself_between_nodes_that_take_anything():
    exporter = Exporter(np.ones(3))
    assert passed(exporter) is exporter
    assert through(exporter, Identity(), NativeNode("PassThrough"), Identity()) is exporter


def test_a_tensor_on_a_gpu_is_refused_with_advice():
    tensor = Exporter(np.ones(8, np.float32), device=(2, 0))
    with pytest.raises(TypeError, match=r"value\[0\] is a .*Exporter on .*move it to the CPU"):
        through((tensor, 8000), NativeNode("AudioGain"))


def test_a_dlpack_object_enters_a_component_as_a_tensor():
    samples = np.full((1, 480), 0.5, np.float32)
    out, _ = through((Exporter(samples), 16000), WasmNode(GUESTS / "gain.wasm", gain_db=-20))
    np.testing.assert_allclose(out, 0.05, rtol=1e-5)


# Refusals


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int


REFUSED = [
    ({"speakers": ["a", "b", datetime.datetime(2020, 1, 1)]}, r'value\["speakers"\]\[2\] is a datetime\.datetime'),
    ({"a": {"b c": (1, 2)}}, r'value\["a"\]\["b c"\] is a tuple'),
    ([1, {1: 2}], r"value\[1\] is a dict with a key that is an int"),
    ([2**70], r"value\[0\] is an int of more than 64 bits"),
    ([[math.nan]], r"value\[0\]\[0\] is the float nan"),
    (math.inf, r"value is the float inf"),
    ({"n": -math.inf}, r'value\["n"\] is the float -inf'),
    (1j, r"value is a complex"),
    ({1}, r"value is a set"),
    (frozenset({1}), r"value is a frozenset"),
    (decimal.Decimal(1), r"value is a decimal\.Decimal"),
    (Color.RED, r"value is a test_marshalling\.Color"),
    ([Point(1)], r"value\[0\] is a test_marshalling\.Point"),
    (pd.DataFrame({"a": [1]}), r"value is a pandas\.\S*DataFrame"),
    ([np.float32(1)], r"value\[0\] is a numpy\.float32"),
    ({"a": np.zeros(2)}, r'value\["a"\] is a numpy\.ndarray'),
    ("\ud800", r"value is a str with a lone surrogate"),
    (object(), r"value is an object"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=lambda part: str(part)[:30] if isinstance(part, str) else "value")
@pytest.mark.parametrize("node", ["Multiply", "AudioGain"])
def test_what_a_native_node_cannot_take_is_a_type_error_with_its_place(value, message, node):
    for before in ([], [Identity()]):
        with pytest.raises(TypeError, match=message) as caught:
            through(value, *before, NativeNode(node, name="it"))
        assert isinstance(caught.value, RemoteMediaError) and isinstance(caught.value, NodeError)
        assert str(caught.value).startswith(f"node `it_{len(before)}`, process: ")
        assert caught.value.remotemedia_kind == "invalid_input"
        assert "native or WebAssembly node cannot take" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((np.zeros(4, np.int16), 8000), r"value\[0\] is a numpy\.ndarray of int16; convert it to floats"),
        ((np.zeros((1, 2, 3)), 8000), r"value\[0\] is a numpy\.ndarray of shape \(1, 2, 3\)"),
        ((np.zeros(4), 8000.0), r"value\[1\] is a float: 8000\.0"),
        ((np.zeros(4), 0), r"value\[1\] is an int: 0"),
        ((np.ma.masked_array([1.0]), 8000), r"value\[0\] is a numpy\.ma\S*MaskedArray, whose mask would be lost"),
        (([0.0], 8000), r"value is a tuple, .*; audio is the tuple \(array of floats, sample rate\)"),
        (np.zeros(4), r"takes audio, but got tensor"),
        ([1], r"takes audio, but got json"),
        ("text", r"takes audio, but got text"),
        (b"bytes", r"takes audio, but got bytes"),
    ],
)  # fmt: skip
def test_what_is_no_audio_is_a_type_error_that_says_why(value, message):
    with pytest.raises(TypeError, match=message):
        through(value, NativeNode("AudioGain"))


def test_subclasses_of_arrays_are_audio_to_who_wants_audio(tmp_path):
    samples = np.memmap(tmp_path / "samples", np.float32, "w+", shape=(480,))
    samples[:] = 0.5
    out, _ = through((samples, 16000), NativeNode("AudioGain", gain_db=20 * math.log10(2)))
    np.testing.assert_allclose(out, 1.0, rtol=1e-6)


@pytest.mark.parametrize("make", [bytearray, memoryview, lambda data: memoryview(bytearray(data))[::2]])
def test_bytes_like_values_enter_components_as_bytes(make):
    value = make(b"abcdef")
    assert passed(value) is value
    assert type(through(value, Identity(), WasmNode(GUESTS / "hostile.wasm"))) in (bytes, type(None))


# Any value


class Holder:
    pass


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=8),
    st.complex_numbers(), st.datetimes(), st.decimals(), st.just(Color.RED), st.builds(Point, st.integers()),
    st.builds(bytearray, st.binary(max_size=8)), st.builds(Holder),
)  # fmt: skip
arrays = hnp.arrays(
    st.one_of(
        hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="?"), hnp.floating_dtypes(endianness="?"), hnp.complex_number_dtypes(),
        hnp.datetime64_dtypes(), hnp.unicode_string_dtypes(max_len=3),
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)  # fmt: skip
strided = st.tuples(arrays, st.sampled_from(["", "T", "back", "read"])).map(
    lambda pair: {"": pair[0], "T": pair[0].T, "back": np.flip(pair[0]), "read": _frozen(pair[0])}[pair[1]]
)
audio = st.tuples(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(0, 5)), elements=st.floats(width=32)),
    st.integers(1, 2**32 - 1),
)
values = st.recursive(
    scalars | strided | audio,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(st.integers() | st.text(max_size=2), max_size=3),
    ),
    max_leaves=8,
)


def _frozen(array):
    array.flags.writeable = False
    return array


def alike(a, b):
    """Equal values of equal types all the way down; NaN is like NaN."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        same = a.dtype == b.dtype and a.shape == b.shape
        return same and all(alike(x, y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, float | np.floating):
        return bool((a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b))
    if isinstance(a, complex | np.complexfloating):
        return alike(a.real, b.real) and alike(a.imag, b.imag)
    return bool(a == b) or bool(a != a and b != b)


@settings(max_examples=100)
@given(value=values)
def test_python_nodes_get_the_very_object(value):
    for mode in ("python_cpu", NATIVE):
        seen = []
        Pipeline([Identity(), _Seen(seen)], mode=mode).run_sync([value])
        assert not seen if value is None else seen[0] is value


class _Seen(Node):
    def __init__(self, seen):
        self.seen = seen

    def process(self, data):
        self.seen.append(data)


@settings(max_examples=100)
@given(value=values)
def test_any_value_passes_native_nodes_as_an_equal_one(value):
    seen = []
    out = through(value, NativeNode("PassThrough"), _Seen(seen))
    assert out is None and alike(seen[0], value)
    out = through(value, Identity(), NativeNode("PassThrough"), NativeNode("PassThrough"))
    assert alike(out, value)


@settings(max_examples=100)
@given(value=values)
def test_a_value_is_taken_or_refused_with_a_type_error(value):
    for node in (NativeNode("AudioGain"), NativeNode("Multiply")):
        try:
            through(value, node)
        except NodeError as error:
            assert error.remotemedia_kind == "invalid_input", error
            assert "panicked" not in str(error)
