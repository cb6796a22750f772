"""For the tests of your own nodes: a source, a sink, one node by itself, a sine, and audio compared by its error.

`remotemedia.pytest_plugin` has them as fixtures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from remotemedia.core.node import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TestSink", "TestSource", "assert_audio_close", "run_node", "sine"]


class TestSource(Node):
    """A source that gives `items`, for pipelines that run without input."""

    __test__ = False  # for pytest: no test
    is_source = True

    def __init__(self, items: Iterable[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.items: list[Any] = list(items)

    def process(self, data: Any = None) -> Iterator[Any]:
        """Yields the items."""
        yield from self.items


class TestSink(Node):
    """Keeps what it gets in `received`, and passes it on."""

    __test__ = False
    is_sink = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.received: list[Any] = []

    def process(self, data: Any) -> Any:
        """`data` itself."""
        self.received.append(data)
        return data


def run_node(node: Node, inputs: Iterable[Any], *, mode: str | None = None) -> list[Any]:
    """Everything that `node` gives for `inputs`, in order, what its `flush` gives included.

    The node is initialized before and cleaned up after. What it raises is raised as `NodeError`, as in a pipeline.
    """
    from remotemedia.core.pipeline import Pipeline

    if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Iterable):
        raise TypeError(f"inputs must be a list of items, not a {type(inputs).__name__}")
    sink = TestSink()
    Pipeline([node, sink], mode=mode).run_sync(list(inputs))
    return sink.received


def sine(
    duration_s: float = 1.0,
    *,
    frequency_hz: float = 440.0,
    amplitude: float = 0.5,
    sample_rate_hz: int = 16000,
    channels: int = 1,
    chunk_ms: float = 20.0,
) -> list[tuple[NDArray[Any], int]]:
    """A sine that begins at zero, in pieces `(samples, sample_rate_hz)` of `chunk_ms`, the last one maybe shorter.

    The samples are float32 of shape (channels, frames), the same in every channel, from -`amplitude` to `amplitude`.
    A duration or a piece shorter than a frame, and a rate or a number of channels below one, is a ValueError.
    """
    import numpy as np

    frames, step = round(duration_s * sample_rate_hz), round(chunk_ms / 1000 * sample_rate_hz)
    if min(frames, step, channels) < 1:
        raise ValueError(
            f"there is no such sine: {duration_s} s in pieces of {chunk_ms} ms at {sample_rate_hz} Hz, {channels} channels"
        )
    angle = 2 * np.pi * frequency_hz / sample_rate_hz * np.arange(frames)
    whole = np.tile((amplitude * np.sin(angle)).astype(np.float32), (channels, 1))
    return [(whole[:, begin : begin + step].copy(), sample_rate_hz) for begin in range(0, frames, step)]


def assert_audio_close(a: Any, b: Any, snr_db: float = 60.0) -> None:
    """Asserts that `a` is `b` with an error at least `snr_db` below it.

    Both are arrays of samples, of shape (channels, frames) or (frames,), or tuples `(samples, sample_rate)`. Shapes and
    rates must be equal. Integers count from -1.0 to 1.0 at full scale.
    """
    import numpy as np

    got, rate = _parted(a)
    wanted, wanted_rate = _parted(b)
    if rate is not None and wanted_rate is not None and rate != wanted_rate:
        raise AssertionError(f"sample rates differ: {rate} and {wanted_rate} Hz")
    if got.shape != wanted.shape:
        raise AssertionError(f"shapes differ: {got.shape} and {wanted.shape}")
    if not (np.isfinite(got).all() and np.isfinite(wanted).all()):
        raise AssertionError("there are samples that are not finite")
    signal, noise = float(np.sum(wanted**2)), float(np.sum((got - wanted) ** 2))
    if noise == 0.0:
        return
    found_db = 10.0 * float(np.log10(signal / noise)) if signal > 0.0 else float("-inf")
    if found_db < snr_db:
        worst = np.unravel_index(np.argmax(np.abs(got - wanted)), got.shape)
        raise AssertionError(
            f"the error is {found_db:.1f} dB below the signal, {snr_db:.1f} dB wanted; it is largest at "
            f"{tuple(int(index) for index in worst)}: {got[worst]:.6g} and {wanted[worst]:.6g}"
        )


def _parted(audio: Any) -> tuple[NDArray[Any], int | None]:
    import numpy as np

    samples, rate = (audio[0], int(audio[1])) if isinstance(audio, tuple) else (audio, None)
    samples = np.asarray(samples)
    scale = {"int16": 32768.0, "int32": 2147483648.0}.get(samples.dtype.name, 1.0)
    return samples.astype(np.float64) / scale, rate
