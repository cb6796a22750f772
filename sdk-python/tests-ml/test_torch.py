"""TorchNode with tiny modules, on the CPU, and torch tensors in pipelines."""

import numpy as np
import pytest
import torch

from remotemedia import Node, NodeError, Pipeline
from remotemedia.core.exceptions import ConfigurationError, InvalidInputError
from remotemedia.nodes import NativeNode, TorchNode
from remotemedia.nodes.ml import DeviceError
from remotemedia.testing import TestSink, run_node


class Double(torch.nn.Module):
    """Twice its input. Remembers what it saw."""

    def __init__(self):
        super().__init__()
        self.shapes = []
        self.pointers = []

    def forward(self, x):
        assert not self.training and torch.is_inference_mode_enabled()
        self.shapes.append(tuple(x.shape))
        self.pointers.append(x.data_ptr())
        return x * 2


def linear():
    """y = 1·a + 10·b + 100·c + 5."""
    module = torch.nn.Linear(3, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
        module.bias.fill_(5.0)
    return module


class Same(torch.nn.Module):
    """Its input itself."""

    def forward(self, x):
        return x


ROW = np.array([1, 2, 3], np.float32)


def test_a_linear_layer_computes_what_algebra_says(mode):
    out = run_node(TorchNode(linear, device="cpu"), [ROW, ROW * 2], mode=mode)
    assert [(type(y), y.dtype, y.tolist()) for y in out] == [
        (np.ndarray, np.float32, [326.0]), (np.ndarray, np.float32, [647.0]),
    ]  # fmt: skip


@pytest.mark.parametrize("module", [linear, linear(), "test_torch:linear"])
def test_modules_are_given_made_or_named(module):
    assert run_node(TorchNode(module), [ROW])[0].tolist() == [326.0]


def test_a_named_module_can_stand_in_a_manifest():
    pipeline = Pipeline.from_manifest(Pipeline([TorchNode("test_torch:linear", device="cpu")]).serialize())
    assert pipeline.run_sync(ROW).tolist() == [326.0]


def test_a_subclass_may_make_the_module_and_read_other_items(mode):
    class Length(TorchNode):
        def make_module(self):
            return linear()

        def encode(self, item):
            return torch.tensor([float(len(word)) for word in item.split()])

        def decode(self, output, item):
            return item, output.item()

    assert run_node(Length(), ["a bb ccc"], mode=mode) == [("a bb ccc", 326.0)]


def test_nothing_is_copied_on_the_way_in_and_out():
    module = Double()
    node = TorchNode(module, device="cpu")
    run_node(node, [ROW], mode="python_cpu")
    assert module.pointers == [ROW.ctypes.data]
    (out,) = run_node(TorchNode(Same()), [ROW], mode="python_cpu")
    assert out.ctypes.data == ROW.ctypes.data


def test_what_comes_out_is_of_the_kind_that_came_in(mode):
    module = Double()
    tensor = torch.arange(4, dtype=torch.int64)
    samples = np.ones((1, 3), np.float32)
    array, from_tensor, audio = run_node(TorchNode(module), [ROW, tensor, (samples, 16000)], mode=mode)
    assert isinstance(array, np.ndarray) and array.tolist() == [2, 4, 6]
    assert isinstance(from_tensor, torch.Tensor) and from_tensor.tolist() == [0, 2, 4, 6]
    assert isinstance(audio, tuple) and audio[1] == 16000 and audio[0].tolist() == [[2, 2, 2]]


def test_modules_with_several_outputs():
    class Several(torch.nn.Module):
        def forward(self, x):
            return {"sum": x.sum(-1), "ends": (x[..., 0], x[..., -1])}

    for batch_size in (None, 2):
        out = run_node(TorchNode(Several, batch_size=batch_size), [ROW, ROW * 10], mode="python_cpu")
        assert [item["sum"].item() for item in out] == [6, 60]
        assert [tuple(end.item() for end in item["ends"]) for item in out] == [(1, 3), (10, 30)]


def test_batches_are_whole_but_the_last_and_results_are_those_without(mode):
    items = [ROW * number for number in range(7)]
    module = Double()
    out = run_node(TorchNode(module, batch_size=3), items, mode=mode)
    assert module.shapes == [(3, 3), (3, 3), (1, 3)]
    assert [y.tolist() for y in out] == [(x * 2).tolist() for x in items]


def test_only_items_of_equal_shape_and_type_share_a_batch():
    module = Double()
    items = [ROW, ROW, np.ones(2, np.float32), np.ones(2, np.float64), ROW, ROW]
    out = run_node(TorchNode(module, batch_size=6), items, mode="python_cpu")
    assert module.shapes == [(2, 3), (1, 2), (1, 2), (2, 3)]
    assert [(y.dtype, y.tolist()) for y in out] == [(x.dtype, (x * 2).tolist()) for x in items]


def test_a_module_that_loses_the_batch_is_an_error():
    class Sum(torch.nn.Module):
        def forward(self, x):
            return x.sum()

    with pytest.raises(NodeError, match="got a batch of 2 and gave .*: its first axis must be the batch's"):
        run_node(TorchNode(Sum, batch_size=2), [ROW, ROW])


def test_warming_up_runs_the_example_before_the_first_item():
    module = Double()
    run_node(TorchNode(module, example=np.zeros(5, np.float32), batch_size=2), [], mode="python_cpu")
    assert module.shapes == [(2, 5)]

    class Own(TorchNode):
        def warm_up(self):
            self.warmed = self.chosen_device

    node = Own(Double(), device="cpu")
    run_node(node, [ROW])
    assert node.warmed == "cpu"


@pytest.mark.parametrize(
    ("dtype", "out"), [("float16", np.float16), ("bfloat16", np.float32), ("float64", np.float64), (None, np.float32)]
)
def test_types_are_converted(dtype, out):
    (result,) = run_node(TorchNode(linear, dtype=dtype), [ROW])
    assert (result.dtype, result.tolist()) == (out, [326.0])


def test_integers_stay_integers():
    (result,) = run_node(TorchNode(Same(), dtype="float16"), [np.array([1, 2], np.int16)])
    assert (result.dtype, result.tolist()) == (np.int16, [1, 2])


@pytest.mark.parametrize("layout", ["reversed", "strided", "read-only", "empty", "scalar"])
def test_arrays_of_every_layout_enter(layout):
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    array = {
        "reversed": base[::-1, ::-2], "strided": base.T[::2], "read-only": base.copy(), "empty": base[:0],
        "scalar": np.array(3.0, np.float32),
    }[layout]  # fmt: skip
    array.flags.writeable = layout != "read-only"
    (out,) = run_node(TorchNode(Double()), [array], mode="python_cpu")
    np.testing.assert_array_equal(out, array * 2)


def test_a_module_that_writes_to_a_read_only_item_is_stopped():
    array = np.array([-1.0, 1.0], np.float32)
    array.flags.writeable = False
    relu = torch.nn.ReLU(inplace=True)
    with pytest.raises(NodeError, match="writes to its input, which is read-only: make the node with copy_input=True"):
        run_node(TorchNode(relu), [array], mode="python_cpu")
    array = np.array([-1.0, 1.0], np.float32)
    array.flags.writeable = False
    (out,) = run_node(TorchNode(relu, copy_input=True), [array], mode="python_cpu")
    assert (out.tolist(), array.tolist()) == ([0.0, 1.0], [-1.0, 1.0])


@pytest.mark.parametrize(
    ("node", "item", "error", "message"),
    [
        (TorchNode(linear), "text", InvalidInputError, "takes arrays, tensors and audio, got str; override encode"),
        (TorchNode(linear), np.array(["a"]), InvalidInputError, "cannot make a tensor of <U1"),
        (TorchNode(linear, dtype="int8"), ROW, ConfigurationError, "dtype 'int8' must be a floating-point type of torch"),
        (TorchNode(linear, dtype="half_"), ROW, ConfigurationError, "dtype 'half_' must be a floating-point type of torch"),
        (TorchNode(lambda: 3), ROW, ConfigurationError, "module must make a torch.nn.Module, got int"),
        (TorchNode("linear"), ROW, ConfigurationError, "module 'linear' must be 'package.module:function'"),
        (TorchNode(linear), np.ones(4, np.float32), RuntimeError, "shapes"),
    ],
)
def test_what_goes_wrong_is_said(node, item, error, message, mode):
    with pytest.raises(NodeError, match=message) as raised:
        run_node(node, [item], mode=mode)
    assert isinstance(raised.value.__cause__, error)


def test_devices_of_this_machine():
    """Every device that is there computes, every other says what is missing."""
    there = {"cpu": True, "cuda:0": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    for device, available in there.items():
        if available:
            assert run_node(TorchNode(linear, device=device), [ROW])[0].tolist() == [326.0]
        else:
            with pytest.raises(NodeError, match=f"device '{device}': ") as raised:
                run_node(TorchNode(linear, device=device), [ROW])
            assert isinstance(raised.value.__cause__, DeviceError)
    node = TorchNode(linear, device="auto")
    run_node(node, [ROW])
    assert there[node.chosen_device]


def test_tensors_pass_between_nodes_as_the_same_object(mode):
    made = []

    class Make(Node):
        def process(self, data):
            made.append(torch.full((2, 3), float(data)))
            return made[-1]

    sink = TestSink()
    out = Pipeline([Make(), sink], mode=mode).run_sync(7)
    assert out is made[0] and sink.received[0] is made[0]


def test_tensors_enter_native_nodes_and_what_leaves_those_enters_modules():
    samples = torch.linspace(-0.25, 0.25, 8).reshape(2, 4)
    gain, module = NativeNode("AudioGain", gain_db=6.0), Double()
    out, rate = Pipeline([gain, TorchNode(module), NativeNode("PassThrough")]).run_sync((samples, 16000))
    assert (rate, module.shapes) == (16000, [(2, 4)])
    np.testing.assert_allclose(out, samples.numpy() * 2 * 10 ** (6.0 / 20), rtol=1e-5)
