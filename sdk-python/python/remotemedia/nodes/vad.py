"""Is there speech? Judged by a neural network, Silero's, through onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remotemedia.core.audio import as_float, split
from remotemedia.core.exceptions import ConfigurationError, InvalidInputError
from remotemedia.core.node import Node
from remotemedia.nodes.vad_segments import Segment, Segmenter, SegmentRules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from remotemedia.nodes.vad_model import SileroModel

_OUTPUTS = ("audio", "frames", "segments")


class SileroVADNode(Node):
    """Finds speech in audio of 8 or 16 kHz. Channels are averaged; NaN and infinity count as silence.

    It needs onnxruntime and the weights of the package silero-vad (`pip install onnxruntime`, then
    `pip install --no-deps silero-vad`), or an ONNX file of the same model as `model_path`. Nothing is downloaded.

    `output` says what comes out:

    - "audio", the default: every item again, as `(samples, rate, {"is_speech", "probability", "speech_frames",
      "total_frames"})`, like `VADNode`. A frame is a window of 32 ms that ended within the item; it is speech when its
      probability reaches `threshold`, and an item is when one of its frames is. `probability` is the highest. An item in
      which no window ended has 0 frames, and the probability of the last window before it.
    - "frames": `{"pts_ns", "probability", "is_speech"}` for every window, as the port `frames` of the native `VAD`.
    - "segments": `{"type": "speech", "start_ns", "end_ns", "duration_ms", "mean_probability"}` for every segment when it
      is over, as the native `VAD` gives them.

    Times are in nanoseconds from the first sample of the stream. The model's state goes on from item to item, so frames
    and segments do not depend on how the stream was cut; the last window is filled up with silence. Segments follow the
    rules of `silero_vad.get_speech_timestamps`: speech begins at `threshold` and ends when the probability was below
    `neg_threshold` (`threshold` - 0.15 by default) for `min_silence_duration_ms`; shorter speech than
    `min_speech_duration_ms` is dropped, the rest is made longer by `speech_pad_ms` at both ends.
    """

    def __init__(
        self,
        threshold: float = 0.5,
        output: str = "audio",
        min_speech_duration_ms: float = 250,
        min_silence_duration_ms: float = 100,
        speech_pad_ms: float = 30,
        neg_threshold: float | None = None,
        model_path: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if output not in _OUTPUTS:
            raise ConfigurationError(f"output {output!r} must be one of {', '.join(_OUTPUTS)}")
        if not 0 < threshold <= 1:
            raise ConfigurationError(f"threshold {threshold!r} must be more than 0 and at most 1")
        if neg_threshold is not None and not 0 < neg_threshold <= threshold:
            raise ConfigurationError(f"neg_threshold {neg_threshold!r} must be more than 0 and at most threshold")
        durations = {
            "min_speech_duration_ms": min_speech_duration_ms,
            "min_silence_duration_ms": min_silence_duration_ms,
            "speech_pad_ms": speech_pad_ms,
        }
        for name, value in durations.items():
            if not 0 <= value < float("inf"):
                raise ConfigurationError(f"{name} {value!r} must be 0 or more milliseconds")
        self.threshold = threshold
        self.output = output
        self.min_speech_duration_ms = min_speech_duration_ms
        self.min_silence_duration_ms = min_silence_duration_ms
        self.speech_pad_ms = speech_pad_ms
        self.neg_threshold: float = max(threshold - 0.15, 0.01) if neg_threshold is None else neg_threshold
        self.model_path: str | None = None if model_path is None else os.fspath(model_path)
        self._stream: _Stream | None = None

    def initialize(self) -> Any:
        """Loads the model, so that the first item need not wait for it."""
        self._open(16000)
        return super().initialize()

    def _open(self, rate_hz: int) -> _Stream:
        from remotemedia.nodes.vad_model import SileroModel, weights_of_package

        path = weights_of_package() if self.model_path is None else Path(self.model_path)
        model = SileroModel(path, rate_hz)
        per_ms = rate_hz / 1000
        rules = SegmentRules(
            threshold=self.threshold,
            neg_threshold=self.neg_threshold,
            min_speech=self.min_speech_duration_ms * per_ms,
            min_silence=self.min_silence_duration_ms * per_ms,
            pad=self.speech_pad_ms * per_ms,
        )
        return _Stream(model, Segmenter(rules, model.window), rate_hz)

    def process(self, data: Any) -> Iterator[Any]:
        """`data` is `(samples, sample_rate)`, or that with metadata behind it, which "audio" passes on."""
        parts = split(data)
        if isinstance(parts, str):
            raise InvalidInputError(f"{self.name}: {parts}, got {type(data).__name__}")
        samples, rate = parts
        if samples.shape[0] == 0:
            raise InvalidInputError(f"{self.name} takes audio of one channel or more, got none")
        if rate not in (8000, 16000):
            raise InvalidInputError(f"{self.name} takes 8000 or 16000 Hz, not {rate}: put AudioResampleNode before it")
        if self._stream is None:
            self._stream = self._open(rate)
        stream = self._stream
        if stream.rate_hz != rate:
            raise InvalidInputError(
                f"{self.name}: the stream changed from {stream.rate_hz} to {rate} Hz; put AudioResampleNode before it"
            )
        probabilities = stream.take(_mono(samples))
        if self.output == "audio":
            said = data[2] if len(data) > 2 and isinstance(data[2], dict) else {}
            yield samples, rate, {**said, **self._about(probabilities, stream)}
        else:
            yield from self._found(stream, probabilities)

    def reset(self) -> None:
        """Forgets the stream: what comes afterwards is a new one."""
        self._stream = None

    def flush(self) -> Iterator[Any]:
        """The last frame and segment. What comes afterwards is a new stream."""
        stream, self._stream = self._stream, None
        if stream is not None and self.output != "audio":
            yield from self._found(stream, stream.model.finish())
            if self.output == "segments":
                yield from (_segment(segment, stream.rate_hz) for segment in stream.segmenter.finish(stream.samples))

    def cleanup(self) -> Any:
        """Forgets the stream."""
        self._stream = None
        return super().cleanup()

    def _about(self, probabilities: list[float], stream: _Stream) -> dict[str, Any]:
        highest = max(probabilities, default=stream.last)
        stream.last = probabilities[-1] if probabilities else stream.last
        return {
            "is_speech": highest >= self.threshold,
            "probability": highest,
            "speech_frames": sum(probability >= self.threshold for probability in probabilities),
            "total_frames": len(probabilities),
        }

    def _found(self, stream: _Stream, probabilities: list[float]) -> Iterator[dict[str, Any]]:
        for probability in probabilities:
            if self.output == "frames":
                pts_ns = _to_ns(stream.windows * stream.model.window, stream.rate_hz)
                yield {"pts_ns": pts_ns, "probability": probability, "is_speech": probability >= self.threshold}
                stream.windows += 1
            else:
                for segment in stream.segmenter.push(probability):
                    yield _segment(segment, stream.rate_hz)


class _Stream:
    """What is known of the audio so far."""

    def __init__(self, model: SileroModel, segmenter: Segmenter, rate_hz: int) -> None:
        self.model = model
        self.segmenter = segmenter
        self.rate_hz = rate_hz
        self.samples = 0
        self.windows = 0
        self.last = 0.0

    def take(self, mono: NDArray[np.float32]) -> list[float]:
        self.samples += mono.size
        return self.model.push(mono)


def _mono(samples: NDArray[Any]) -> NDArray[np.float32]:
    floats = as_float(samples)
    mono: NDArray[np.float32] = floats[0]
    if floats.shape[0] > 1:
        mono = floats.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mono if np.isfinite(mono).all() else np.nan_to_num(mono, nan=0.0, posinf=0.0, neginf=0.0)


def _to_ns(samples: int, rate_hz: int) -> int:
    return samples * 1_000_000_000 // rate_hz


def _segment(segment: Segment, rate_hz: int) -> dict[str, Any]:
    start_ns, end_ns = _to_ns(segment.start, rate_hz), _to_ns(segment.end, rate_hz)
    return {
        "type": "speech",
        "start_ns": start_ns,
        "end_ns": end_ns,
        "duration_ms": (end_ns - start_ns) / 1e6,
        "mean_probability": segment.mean_probability,
    }
