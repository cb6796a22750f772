"""A torch module as a node."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from remotemedia.core.exceptions import ConfigurationError, InvalidInputError, NodeError
from remotemedia.core.node import Node
from remotemedia.nodes.ml.devices import checked_device, choose_device
from remotemedia.nodes.ml.libraries import require

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]


class TorchNode(Node):
    """Runs a torch module on every item, in `torch.inference_mode()`.

    `module` is a `torch.nn.Module`, a function that makes one, or the name of such a function, "package.module:function",
    as manifests need it. A subclass may override `make_module` instead. It is made when the pipeline starts, put in
    evaluation mode, and moved to `device`: "auto" (CUDA, else MPS, else CPU), "cpu", "cuda", "cuda:N" or "mps".

    An item is an array or tensor of any kind (numpy, torch, everything with `__dlpack__`), or audio `(samples, rate)`. What
    comes out is of the kind that came in: torch for torch, numpy for all else, and audio again for audio. On the CPU neither
    way copies: the tensor is the array's memory, and the result's array is the tensor's.

    With `batch_size` the node waits for that many items, stacks those of equal shape and type that follow each other along a
    new first axis, and takes the module's output apart along it: one output for every item, in order. The rest is computed
    at the end of the stream. Without it the module gets every item as it is.

    `dtype` ("float16", "bfloat16" …) converts the module and floating-point items. numpy has no bfloat16: it comes out as
    float32. `example` is an item that is run once before the first one, so that the first one need not wait.

    Items of the host may be read-only because others use them too. A module that writes to such an item is stopped with an
    error; `copy_input=True` gives it copies.

    Other items and results are a matter of `encode` and `decode`, which a subclass may override.
    """

    def __init__(
        self,
        module: torch.nn.Module | Callable[[], torch.nn.Module] | str | None = None,
        device: str | int | None = "auto",
        batch_size: int | None = None,
        dtype: str | None = None,
        example: Any = None,
        copy_input: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1):
            raise ConfigurationError(f"batch_size {batch_size!r} must be a whole number from 1, or None")
        if module is None and type(self).make_module is TorchNode.make_module:
            raise ConfigurationError("module must be given: a torch.nn.Module, a function that makes one, or its name")
        self.module: Any = module
        self.device: str = checked_device(device)
        self.batch_size = batch_size
        self.dtype = dtype
        self.example = example
        self.copy_input = copy_input
        self._made: Any = None
        self._torch: Any = None
        self._waiting: list[tuple[Any, Any]] = []

    def make_module(self) -> Any:
        """The module: what the constructor was given, or what that makes."""
        module = self.module
        if isinstance(module, str):
            place, colon, name = module.partition(":")
            if not colon:
                raise ConfigurationError(f"module {module!r} must be 'package.module:function'")
            module = getattr(importlib.import_module(place), name)
        return module if isinstance(module, self._torch.nn.Module) else module()

    def initialize(self) -> Any:
        """Makes the module, moves it to its device and warms it up."""
        self._torch = require("torch", type(self).__name__, "torch")
        self.chosen_device: str = choose_device(self._torch, self.device)
        module = self.make_module()
        if not isinstance(module, self._torch.nn.Module):
            raise ConfigurationError(f"module must make a torch.nn.Module, got {type(module).__name__}")
        self._made = module.eval().to(self.chosen_device, self._dtype())
        self.warm_up()
        return super().initialize()

    def warm_up(self) -> None:
        """Called at the end of `initialize`. Runs `example`, where there is one, and forgets the result."""
        if self.example is not None:
            tensor = self.encode(self.example)
            self._forward(tensor if self.batch_size is None else self._torch.stack([tensor] * self.batch_size))

    def encode(self, item: Any) -> Any:
        """The tensor of an item, without a copy where that is possible. It is moved to the device afterwards."""
        data = item[0] if _is_audio(item) else item
        if isinstance(data, self._torch.Tensor):
            return data
        if isinstance(data, np.ndarray) and any(stride < 0 for stride in data.strides):
            data = np.ascontiguousarray(data)  # torch has no negative strides
        if not hasattr(data, "__dlpack__"):
            raise InvalidInputError(
                f"{self.name} takes arrays, tensors and audio, got {type(data).__name__}; override encode() for other items"
            )
        try:
            # Unlike torch.from_numpy this takes read-only arrays without a warning.
            return self._torch.from_dlpack(data)
        except (BufferError, TypeError, RuntimeError) as error:
            kind = getattr(data, "dtype", type(data).__name__)
            raise InvalidInputError(f"{self.name} cannot make a tensor of {kind}: {error}") from error

    def decode(self, output: Any, item: Any) -> Any:
        """What comes out of the node for `item`, whose output of the module is `output`: a tensor, or a tuple, list or dict
        of them."""
        if _is_audio(item):
            return self.decode(output, item[0]), item[1]
        if isinstance(output, self._torch.Tensor):
            return output if isinstance(item, self._torch.Tensor) else self._as_numpy(output)
        if isinstance(output, dict):
            return {name: self.decode(part, item) for name, part in output.items()}
        if isinstance(output, (tuple, list)):
            return type(output)(self.decode(part, item) for part in output)
        return output

    def process(self, data: Any) -> Iterator[Any]:
        """`data` is an array, a tensor, or `(samples, sample_rate)`."""
        tensor = self.encode(data)
        if self.batch_size is None:
            yield self.decode(self._guarded(tensor, data), data)
            return
        self._waiting.append((data, tensor))
        if len(self._waiting) == self.batch_size:
            yield from self._run_waiting()

    def reset(self) -> None:
        """Forgets what waits."""
        self._waiting = []

    def flush(self) -> Iterator[Any]:
        """What is left of the last batch."""
        yield from self._run_waiting()

    def cleanup(self) -> Any:
        """Lets go of the module and of what waits."""
        self._made = None
        self._waiting = []
        return super().cleanup()

    def _run_waiting(self) -> Iterator[Any]:
        waiting, self._waiting = self._waiting, []
        begin = 0
        while begin < len(waiting):
            first = waiting[begin][1]
            end = begin + 1
            while end < len(waiting) and _stack(first, waiting[end][1]):
                end += 1
            output = self._forward(self._torch.stack([tensor for _, tensor in waiting[begin:end]]))
            for number in range(end - begin):
                yield self.decode(self._part(output, number, end - begin), waiting[begin + number][0])
            begin = end

    def _part(self, output: Any, number: int, count: int) -> Any:
        if isinstance(output, dict):
            return {name: self._part(part, number, count) for name, part in output.items()}
        if isinstance(output, (tuple, list)):
            return type(output)(self._part(part, number, count) for part in output)
        if not isinstance(output, self._torch.Tensor) or output.ndim == 0 or output.shape[0] != count:
            shape = tuple(output.shape) if isinstance(output, self._torch.Tensor) else type(output).__name__
            raise NodeError(f"{self.name}: the module got a batch of {count} and gave {shape}: its first axis must be the batch's")
        return output[number]

    def _guarded(self, tensor: Any, item: Any) -> Any:
        """The module's output for one item, which it must not have written to where the item is read-only."""
        data = item[0] if _is_audio(item) else item
        if self.copy_input:
            tensor = tensor.clone()
        version = tensor._version
        output = self._forward(tensor)
        if tensor._version != version and isinstance(data, np.ndarray) and not data.flags.writeable and not self.copy_input:
            raise NodeError(f"{self.name}: the module writes to its input, which is read-only: make the node with copy_input=True")
        return output

    def _forward(self, tensor: Any) -> Any:
        dtype = self._dtype() if tensor.is_floating_point() else None
        with self._torch.inference_mode():
            return self._made(tensor.to(self.chosen_device, dtype))

    def _dtype(self) -> Any:
        if self.dtype is None:
            return None
        found: Any = getattr(self._torch, self.dtype, None)
        if not isinstance(found, self._torch.dtype) or not found.is_floating_point:
            raise ConfigurationError(f"dtype {self.dtype!r} must be a floating-point type of torch, such as 'float16'")
        return found

    def _as_numpy(self, tensor: Any) -> Any:
        tensor = tensor.detach().cpu()
        return (tensor.float() if tensor.dtype == self._torch.bfloat16 else tensor).numpy()


def _is_audio(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], int) and hasattr(item[0], "__dlpack__")


def _stack(first: Any, other: Any) -> bool:
    return bool(first.shape == other.shape and first.dtype == other.dtype and first.device == other.device)
