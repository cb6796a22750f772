"""Audio as speech models hear it, and collected until there is enough for one that hears whole stretches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.core.audio import as_float, resample, split
from remotemedia.core.exceptions import InvalidInputError

#: What speech models hear.
SPEECH_RATE_HZ = 16000


def mono_of(data: Any, name: str) -> tuple[NDArray[np.float32], int]:
    """The mean of the channels of `(samples, sample_rate)`, and the rate. `name` is the node's, for the error."""
    parts = split(data)
    if isinstance(parts, str):
        raise InvalidInputError(f"{name}: {parts}, got {type(data).__name__}")
    samples, rate_hz = parts
    return as_float(samples).mean(axis=0, dtype=np.float32), rate_hz


def speech_of(mono: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """`mono` at 16 kHz."""
    speech: NDArray[np.float32] = resample(mono[np.newaxis], rate_hz, SPEECH_RATE_HZ)[0]
    return speech


class Recorder:
    """Mono audio at 16 kHz in stretches of `seconds`, out of audio of any rate and number of channels."""

    def __init__(self, seconds: float, name: str) -> None:
        self._seconds = seconds
        self._name = name
        self._pieces: list[NDArray[np.float32]] = []
        self._frames = 0
        self._rate_hz = 0

    def push(self, data: Any) -> Iterator[NDArray[np.float32]]:
        """Takes `(samples, sample_rate)` and gives every stretch that is whole. Another rate ends what came before."""
        mono, rate_hz = mono_of(data, self._name)
        if rate_hz != self._rate_hz:
            yield from self.finish()
            self._rate_hz = rate_hz
        wanted = max(1, round(self._seconds * rate_hz))
        while self._frames + mono.size >= wanted:
            taken = wanted - self._frames
            self._add(mono[:taken])
            mono = mono[taken:]
            yield from self.finish()
        if mono.size:
            self._add(mono)

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """What is left."""
        if self._pieces:
            whole = np.concatenate(self._pieces)
            self._pieces, self._frames = [], 0
            yield speech_of(whole, self._rate_hz)

    def _add(self, mono: NDArray[np.float32]) -> None:
        self._pieces.append(mono)
        self._frames += mono.size
