"""Audio in numpy: what the audio nodes share, and the reference of the native nodes that work for them."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.core.node import Node

#: Of the lower Nyquist frequency, how much passes unchanged.
PASS_BAND = {"low": 0.6, "medium": 0.8, "high": 0.9}

#: Frequencies that would alias are this far down, in dB.
_REJECTION_DB = 130.0
_BLOCK = 4096

#: Louder samples count as this, +120 dBFS, where they are filtered.
_LOUDEST = 2.0**20

#: Types of samples that native nodes take as they are.
_NATIVE = (np.float32, np.int16, np.int32)


def split(data: Any) -> tuple[NDArray[Any], int] | str:
    """(samples of shape (channels, frames), sample rate), or why `data` is no audio."""
    if not isinstance(data, (tuple, list)) or len(data) < 2:
        return "Input must be a tuple of (audio_data, sample_rate)"
    samples, rate = data[0], data[1]
    if not isinstance(samples, np.ndarray) or samples.ndim not in (1, 2):
        return "Audio data must be a numpy array of shape (channels, samples) or (samples,)"
    if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)) or rate < 1:
        return f"The sample rate must be a whole number of Hz, not {rate!r}"
    return samples.reshape(1, -1) if samples.ndim == 1 else samples, int(rate)


def failed(node: Node, error: str, data: Any) -> dict[str, Any]:
    """The answer to what is no audio."""
    return {"error": error, "input": data, "processed_by": f"{type(node).__name__}[{node.name}]"}


class AudioNode(Node):
    """A node whose work on audio a native node does in mode `rust_inprocess_ffi`.

    Its `process` says what the node does: it runs in mode `python_cpu`, where the hint asks for Python, for items that the
    native node does not take, and where a subclass has a `process` of its own.
    """

    def _native_work(self) -> tuple[str, dict[str, Any]] | None:
        """(the native node's type, its params); None when it has none for what this node was set to. It stands in the
        class that has the `process` to which it is equal."""
        return None

    def _native_kernel(self) -> dict[str, Any] | None:
        wants_python = self.runtime_hint not in ("auto", "native", "rust")
        if wants_python or "process" in vars(self) or _owner(type(self), "process") is not _owner(type(self), "_native_work"):
            return None
        work = self._native_work()
        return None if work is None else {"node_type": work[0], "params": work[1], "runtime_hint": self.runtime_hint}

    # Called by the engine; the first once per stream, the others for items that are more than `(samples, rate)`, and where
    # the native node's result is no audio.

    def _native_begin(self) -> None:
        """A stream begins."""

    def _native_audio(self, item: Any) -> tuple[NDArray[Any], int] | None:
        """The audio of `item` for the native node; None: `process` gets the item."""
        parts = split(item)
        if isinstance(parts, str):
            return None
        samples, rate = parts
        is_native = samples.dtype.newbyteorder("=") in _NATIVE
        return (np.asarray(samples) if is_native else np.asarray(as_float(samples))), rate

    def _native_answer(self, item: Any, result: Any) -> Any:
        """What the node gives for `item`, of which the native node has made `result`; None is nothing."""
        return result


def _owner(node_class: type, name: str) -> type:
    """The class that `name` is inherited from."""
    return next(base for base in node_class.__mro__ if name in vars(base))


def parts_of(data: Any) -> tuple[NDArray[Any], int]:
    """(samples, sample rate) of what is known to be audio."""
    parts = split(data)
    if isinstance(parts, str):
        raise TypeError(parts)
    return parts


def as_float(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Samples as float32 with full scale at 1.0."""
    samples = in_native_order(samples)
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / np.float32(32768.0)
    if samples.dtype == np.int32:
        return (samples / 2147483648.0).astype(np.float32)
    return samples.astype(np.float32, copy=False)


def in_native_order(samples: NDArray[Any]) -> NDArray[Any]:
    """Samples in the processor's own order of bytes."""
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def resample(samples: NDArray[Any], rate_hz: int, target_rate_hz: int, quality: str = "high") -> NDArray[np.float32]:
    """`samples` of shape (channels, frames) at another rate: exactly round(frames · target / rate) frames (halves up), no
    delay. NaN and infinite samples count as silence, louder ones than +120 dBFS as +120 dBFS. A windowed sinc (Kaiser),
    computed in float64."""
    channels, frames = samples.shape
    if rate_hz == target_rate_hz:
        return as_float(samples)
    wanted = (2 * frames * target_rate_hz + rate_hz) // (2 * rate_hz)
    common = gcd(rate_hz, target_rate_hz)
    up, down = target_rate_hz // common, rate_hz // common
    filters, half = _filters(up, down, PASS_BAND[quality])
    finite = np.nan_to_num(as_float(samples).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    padded = np.pad(np.clip(finite, -_LOUDEST, _LOUDEST), ((0, 0), (half - 1, half + 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half, axis=1)
    out = np.empty((channels, wanted), np.float32)
    for begin in range(0, wanted, _BLOCK):
        places = np.arange(begin, min(begin + _BLOCK, wanted)) * down
        out[:, begin : begin + _BLOCK] = np.einsum("cft,ft->cf", windows[:, places // up], filters[places % up])
    return out


def _filters(up: int, down: int, pass_band: float) -> tuple[NDArray[np.float64], int]:
    """For each phase of the output, the weights of the 2·half inputs around it."""
    scale = min(1.0, up / down)  # of the lower rate to the input's
    beta = 0.1102 * (_REJECTION_DB - 8.7)
    # Kaiser's formula for the length; the band between what passes and the Nyquist frequency is where it falls.
    half = int(np.ceil((_REJECTION_DB - 7.95) / (2.285 * np.pi * (1.0 - pass_band)) / 2.0 / scale)) + 1
    cutoff = scale * (1.0 + pass_band) / 2.0
    taps = np.arange(1 - half, half + 1)
    offsets = np.arange(up)[:, np.newaxis] / up - taps[np.newaxis, :]
    inside = np.clip(1.0 - (offsets / half) ** 2, 0.0, None)
    weights = cutoff * np.sinc(cutoff * offsets) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    # Every phase passes a constant unchanged.
    normal: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normal, half
