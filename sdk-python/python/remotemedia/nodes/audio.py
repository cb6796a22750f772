"""Audio nodes. Audio is `(samples, sample_rate)` with samples of shape (channels, frames).

What is no audio is answered with a dict that has `error`, because pipelines of this format read it there, except where
another behaviour is named.

In mode `rust_inprocess_ffi` native nodes do the work of those that are `AudioNode`s; `process` is the reference. The others
move samples or look at them, which numpy does natively.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.core.audio import PASS_BAND, AudioNode, as_float, failed, in_native_order, resample, split
from remotemedia.core.node import Node
from remotemedia.nodes.voice import VADNode, VoiceActivityDetector

__all__ = [
    "AudioBuffer",
    "AudioResampleNode",
    "AudioResampler",
    "AudioTransform",
    "ExtractAudioDataNode",
    "FormatConverterNode",
    "VADNode",
    "VoiceActivityDetector",
]

_RATES_HZ = range(2_000, 768_001)


def _checked_rate(name: str, rate_hz: int) -> int:
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int) or rate_hz not in _RATES_HZ:
        raise ValueError(f"{name} {rate_hz!r} must be a whole number from {_RATES_HZ[0]} to {_RATES_HZ[-1]} Hz")
    return rate_hz


class AudioTransform(AudioNode):
    """Changes sample rate and number of channels: several become one by their mean, one becomes several by copies, and of
    other combinations the first `output_channels` are taken. Metadata at the end of the tuple is kept; what is no audio
    passes as it is."""

    def __init__(self, output_sample_rate: int = 44100, output_channels: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_sample_rate: int = _checked_rate("output_sample_rate", output_sample_rate)
        if output_channels < 1:
            raise ValueError(f"output_channels {output_channels} must be at least 1")
        self.output_channels = output_channels

    def process(self, data: Any) -> Any:
        """(float32 of shape (output_channels, frames), output_sample_rate), and the metadata."""
        audio, metadata = self.split_data_metadata(data)
        parts = split(audio)
        if isinstance(parts, str):
            return data
        samples = resample(*parts, self.output_sample_rate)
        channels = samples.shape[0]
        if self.output_channels == 1:
            samples = samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
        elif channels == 1:
            samples = np.repeat(samples, self.output_channels, axis=0)
        elif channels > self.output_channels:
            samples = samples[: self.output_channels]
        return self.merge_data_metadata((samples, self.output_sample_rate), metadata)

    def _native_work(self) -> tuple[str, dict[str, Any]] | None:
        channels = self.output_channels
        if type(channels) is not int or channels > 65535:
            return None
        return "AudioTransform", {"output_sample_rate": self.output_sample_rate, "output_channels": channels}

    def _native_audio(self, item: Any) -> tuple[NDArray[Any], int] | None:
        return super()._native_audio(self.split_data_metadata(item)[0])

    def _native_answer(self, item: Any, result: Any) -> Any:
        return self.merge_data_metadata(result, self.split_data_metadata(item)[1])


class AudioBuffer(Node):
    """Cuts its stream into pieces of `buffer_size_samples` frames; the last one may be shorter. A change of rate or
    channels ends a piece. Items that are no audio are skipped."""

    is_streaming = True

    def __init__(self, buffer_size_samples: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if buffer_size_samples < 1:
            raise ValueError(f"buffer_size_samples {buffer_size_samples} must be at least 1")
        self.buffer_size_samples = buffer_size_samples

    async def process(self, data: Any) -> AsyncGenerator[tuple[NDArray[Any], int], None]:
        """`data` is the stream of audio."""
        waiting: list[NDArray[Any]] = []
        frames, kind = 0, (0, 0)
        async for item in data:
            parts = split(item)
            if isinstance(parts, str):
                self.logger.warning("%s: %s", self.name, parts)
                continue
            samples, rate = parts
            if waiting and kind != (rate, samples.shape[0]):
                yield np.concatenate(waiting, axis=1), kind[0]
                waiting, frames = [], 0
            kind = (rate, samples.shape[0])
            # The host may use the array again; what waits must be ours.
            waiting.append(samples.copy())
            frames += samples.shape[1]
            if frames < self.buffer_size_samples:
                continue
            whole = np.concatenate(waiting, axis=1)
            size = self.buffer_size_samples
            for begin in range(0, frames - size + 1, size):
                yield whole[:, begin : begin + size], rate
            rest = whole[:, frames - frames % size :]
            waiting, frames = ([rest] if rest.shape[1] else []), rest.shape[1]
        if waiting:
            yield np.concatenate(waiting, axis=1), kind[0]


class AudioResampleNode(AudioNode):
    """Changes the sample rate of each item, a recording of its own: exactly round(frames · target / rate) frames (halves
    up), without delay. `target_rate` is another name of `target_sample_rate`.

    For a stream that was cut into pieces use the native resampler, which carries its filter from piece to piece.
    """

    remotemedia_stateless = True

    def __init__(
        self,
        target_sample_rate: int = 16000,
        quality: str = "high",
        runtime_hint: str = "auto",
        *,
        target_rate: int | None = None,
        **kwargs: Any,
    ) -> None:
        """`quality`: "low", "medium" or "high" passes 0.6, 0.8 or 0.9 of the lower Nyquist frequency unchanged."""
        super().__init__(runtime_hint=runtime_hint, **kwargs)
        self.target_sample_rate: int = _checked_rate("target_sample_rate", target_rate or target_sample_rate)
        if quality not in PASS_BAND:
            raise ValueError(f"quality {quality!r} must be one of {', '.join(PASS_BAND)}")
        self.quality = quality

    def _extract_params(self) -> dict[str, Any]:
        return {"target_sample_rate": self.target_sample_rate, "quality": self.quality}

    def process(self, data: Any) -> Any:
        """(float32 of shape (channels, frames), target_sample_rate)."""
        parts = split(data)
        if isinstance(parts, str):
            return failed(self, parts, data)
        return resample(*parts, self.target_sample_rate, self.quality), self.target_sample_rate

    def _native_work(self) -> tuple[str, dict[str, Any]] | None:
        return "AudioResample", {
            "target_sample_rate": self.target_sample_rate, "quality": self.quality, "per_packet": True,
        }  # fmt: skip


class AudioResampler(AudioResampleNode):
    """As `AudioResampleNode`, to 44.1 kHz by default. (The old node of this name left its input as it was.)"""

    def __init__(self, target_sample_rate: int = 44100, **kwargs: Any) -> None:
        super().__init__(target_sample_rate, **kwargs)


class FormatConverterNode(AudioNode):
    """Stores samples as "f32", "i16" or "i32". Full scale is 1.0, 32768 and 2147483648.

    To integers: rounded half to even, saturated at full scale, NaN becomes 0. (The old node cut off, and +1.0 became the
    most negative number.)
    """

    remotemedia_stateless = True

    def __init__(self, target_format: str = "f32", runtime_hint: str = "auto", **kwargs: Any) -> None:
        super().__init__(runtime_hint=runtime_hint, **kwargs)
        self.target_format: str = target_format.lower()
        if self.target_format not in ("f32", "i16", "i32"):
            raise ValueError(f"Unsupported format: {target_format}. Must be 'f32', 'i16', or 'i32'")

    def process(self, data: Any) -> Any:
        """(samples of the format, of shape (channels, frames), sample rate)."""
        parts = split(data)
        if isinstance(parts, str):
            return failed(self, parts, data)
        samples, rate = parts
        return _converted(in_native_order(samples), self.target_format), rate

    def _native_work(self) -> tuple[str, dict[str, Any]] | None:
        return "FormatConverter", {"target_format": self.target_format}

    def _native_audio(self, item: Any) -> tuple[NDArray[Any], int] | None:
        audio = super()._native_audio(item)
        # Other types of samples would lose something on the way.
        return audio if audio is not None and audio[0].dtype == item[0].dtype else None


def _converted(samples: NDArray[Any], target: str) -> NDArray[Any]:
    if target == "f32":
        return as_float(samples)
    wanted, full_scale = (np.int16, 32768.0) if target == "i16" else (np.int32, 2147483648.0)
    if samples.dtype == wanted:
        return samples
    if samples.dtype == np.int16:
        return samples.astype(np.int32) << 16
    wide = samples / 65536.0 if samples.dtype == np.int32 else samples.astype(np.float64) * full_scale
    whole = np.nan_to_num(np.rint(wide), nan=0.0, posinf=np.inf, neginf=-np.inf)
    converted: NDArray[Any] = np.clip(whole, -full_scale, full_scale - 1.0).astype(wanted)
    return converted


class ExtractAudioDataNode(Node):
    """The samples of audio as one flat array, for models that want it so. What is no audio is dropped."""

    remotemedia_stateless = True

    def process(self, data: Any) -> NDArray[Any] | None:
        """An array of shape (channels · frames,)."""
        if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], np.ndarray):
            flat: NDArray[Any] = data[0].flatten()
            return flat
        self.logger.warning("%s: takes an (ndarray, rate) tuple, got %s", self.name, type(data).__name__)
        return None
