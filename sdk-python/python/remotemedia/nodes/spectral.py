"""Spectral features of audio."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from remotemedia.core.exceptions import InvalidInputError
from remotemedia.core.node import Node


class SpectralCentroid(Node):
    """The spectral centroid of each packet of audio, in hertz: where the centre of its magnitude spectrum lies.

    The channels are averaged, the frames weighted by a Hann window over the whole packet. The centroid is the mean of
    the bins' frequencies weighted by their magnitudes (Peeters 2004, "A large set of audio features", section 6.1.1).
    NaN and infinite samples count as silence. A packet whose peak is below `silence_dbfs` has none. Gives
    `{"spectral_centroid_hz": float or None, "rms_dbfs": float or None}`.
    """

    remotemedia_inputs: ClassVar[dict[str, str]] = {"in": "audio"}
    remotemedia_outputs: ClassVar[dict[str, str]] = {"out": "json"}
    remotemedia_stateless = True

    def __init__(self, silence_dbfs: float = -80.0, name: str | None = None) -> None:
        super().__init__(name, silence_dbfs=silence_dbfs)
        # Beyond a thousand decibels everything or nothing is silence.
        self._floor = 10.0 ** (max(-1000.0, min(1000.0, silence_dbfs)) / 20.0)

    def process(self, data: Any) -> dict[str, float | None]:
        """`data` is `(samples, sample_rate)`."""
        if not (isinstance(data, tuple) and len(data) == 2):
            raise InvalidInputError(f"takes audio, got {type(data).__name__}")
        samples, sample_rate = data
        finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        mono = np.mean(finite, axis=0, dtype=np.float64)
        if mono.size == 0 or not np.max(np.abs(mono)) > self._floor:
            return {"spectral_centroid_hz": None, "rms_dbfs": None}
        # A periodic Hann window: its first zero is not counted twice.
        window = np.hanning(mono.size + 1)[:-1]
        magnitudes = np.abs(np.fft.rfft(mono * window))
        frequencies = np.fft.rfftfreq(mono.size, 1.0 / sample_rate)
        total = magnitudes.sum()
        centroid = float(frequencies @ magnitudes / total) if total > 0.0 else None
        rms = float(np.sqrt(np.mean(mono * mono)))
        return {"spectral_centroid_hz": centroid, "rms_dbfs": 20.0 * float(np.log10(rms))}
