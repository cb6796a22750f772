"""Is there speech? Judged by energy. The native detector answers better."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.core.audio import AudioNode, as_float, failed, parts_of, split

_HISTORY_FRAMES = 100


def _history() -> deque[float]:
    return deque(maxlen=_HISTORY_FRAMES)


def _checked_frame(frame_duration_ms: int) -> int:
    if not frame_duration_ms > 0:
        raise ValueError(f"frame_duration_ms {frame_duration_ms} must be more than 0")
    return frame_duration_ms


def _frame_rms(frame_duration_ms: Any) -> tuple[str, dict[str, Any]] | None:
    """The native node that does what `_energies` does."""
    if not isinstance(frame_duration_ms, (int, float)) or not frame_duration_ms < 1e9:
        return None
    return "FrameRms", {"frame_duration_ms": float(frame_duration_ms)}


def _energies(samples: NDArray[Any], rate_hz: int, frame_duration_ms: int) -> NDArray[np.float64]:
    """The RMS of every whole frame of the mean of the channels."""
    mono = as_float(samples).mean(axis=0, dtype=np.float64)
    length = max(1, int(rate_hz * frame_duration_ms / 1000))
    count = mono.size // length
    frames = mono[: count * length].reshape(count, length)
    energies: NDArray[np.float64] = np.sqrt(np.mean(frames * frames, axis=1))
    return energies


class VADNode(AudioNode):
    """Adds to each item whether it has speech: a frame has when its RMS is above `energy_threshold`, an item when one of
    its frames has."""

    remotemedia_stateless = True

    def __init__(
        self,
        frame_duration_ms: int = 30,
        energy_threshold: float = 0.02,
        runtime_hint: str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(runtime_hint=runtime_hint, **kwargs)
        self.frame_duration_ms: int = _checked_frame(frame_duration_ms)
        self.energy_threshold = energy_threshold

    def process(self, data: Any) -> Any:
        """(samples, sample rate, {"is_speech", "speech_frames", "total_frames"})."""
        parts = split(data)
        if isinstance(parts, str):
            return failed(self, parts, data)
        return self._judged(*parts, _energies(*parts, self.frame_duration_ms))

    def _native_work(self) -> tuple[str, dict[str, Any]] | None:
        return _frame_rms(self.frame_duration_ms)

    def _native_answer(self, item: Any, result: Any) -> Any:
        return self._judged(*parts_of(item), result)

    def _judged(self, samples: NDArray[Any], rate: int, energies: NDArray[np.float64]) -> Any:
        speech = int(np.count_nonzero(energies > self.energy_threshold))
        return samples, rate, {"is_speech": speech > 0, "speech_frames": speech, "total_frames": int(energies.size)}


class VoiceActivityDetector(AudioNode):
    """Judges each item of its stream, with a threshold that follows the noise.

    The threshold of an item is 0.7 · 2.5 · (30th percentile of the RMS of the last 100 frames) + 0.3 · `energy_threshold`.
    An item is speech when at least `speech_threshold` of its frames are above it. With `filter_mode` only speech passes,
    as `(samples, rate)`; otherwise every item does, as `((samples, rate), metadata)`, or without metadata as it came.
    """

    is_streaming = True

    def __init__(
        self,
        frame_duration_ms: int = 30,
        energy_threshold: float = 0.02,
        speech_threshold: float = 0.3,
        filter_mode: bool = False,
        include_metadata: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.frame_duration_ms: int = _checked_frame(frame_duration_ms)
        self.energy_threshold = energy_threshold
        self.speech_threshold = speech_threshold
        self.filter_mode = filter_mode
        self.include_metadata = include_metadata

        self._native_history = _history()

    async def process(self, data: Any) -> AsyncGenerator[Any, None]:
        """`data` is the stream of audio."""
        history = _history()
        async for item in data:
            audio, _ = self.split_data_metadata(item)
            parts = split(audio)
            if isinstance(parts, str):
                self.logger.warning("%s: %s", self.name, parts)
                continue
            answer = self._answer(item, _energies(*parts, self.frame_duration_ms), history)
            if answer is not None:
                yield answer

    def _native_work(self) -> tuple[str, dict[str, Any]] | None:
        return _frame_rms(self.frame_duration_ms)

    def _native_begin(self) -> None:
        self._native_history = _history()

    def reset(self) -> None:
        """Forgets the levels so far. In `process` they end with its stream."""
        self._native_history = _history()

    def _native_audio(self, item: Any) -> tuple[NDArray[Any], int] | None:
        return super()._native_audio(self.split_data_metadata(item)[0])

    def _native_answer(self, item: Any, result: Any) -> Any:
        return self._answer(item, result, self._native_history)

    def _answer(self, item: Any, energies: NDArray[np.float64], history: deque[float]) -> Any:
        audio, metadata = self.split_data_metadata(item)
        samples, rate = parts_of(audio)
        said = self._judged(energies, history)
        if self.filter_mode and not said["is_speech"]:
            return None
        if self.filter_mode or not self.include_metadata:
            return self.merge_data_metadata((samples, rate), metadata)
        return (samples, rate), {**(metadata or {}), **said}

    def _judged(self, energies: NDArray[np.float64], history: deque[float]) -> dict[str, Any]:
        history.extend(energies.tolist())
        floor = float(np.percentile(list(history), 30)) if history else 0.0
        threshold = 0.7 * 2.5 * floor + 0.3 * self.energy_threshold
        ratio = float(np.mean(energies > threshold)) if energies.size else 0.0
        return {
            "is_speech": ratio >= self.speech_threshold and energies.size > 0,
            "speech_ratio": ratio,
            "avg_energy": float(energies.mean()) if energies.size else 0.0,
            "adaptive_threshold": threshold,
            "num_frames": int(energies.size),
        }
