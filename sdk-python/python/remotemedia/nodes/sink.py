"""Media files out of a pipeline. They need PyAV: `pip install 'remotemedia[audio]'`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from remotemedia.core.exceptions import ConfigurationError
from remotemedia.core.media import TRACKS, MediaFile, load_av
from remotemedia.core.node import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MediaWriterNode"]


class MediaWriterNode(Node):
    """Writes a media file in the format of its suffix, and gives nothing.

    Takes what the nodes of `remotemedia.nodes.source` give: `{"audio": frame}` and `{"video": frame}`, bare PyAV frames,
    `(samples, sample_rate)` with samples of shape (channels, frames) or (frames,), and images: uint8 arrays of shape
    (height, width, 3) in `video_format`, or (height, width) in grey, alone or as `(image, pts)`.

    wav keeps samples as they are; flac keeps 16 bits, and 24 of floats; other formats compress, at the next higher rate
    that they know. Audio is written without gaps. Frames with a time keep it; images follow each other at `video_rate`
    per second. Rate, channels and size must not change.

    The file appears under its name when the stream has ended. A run that fails or is cancelled leaves what was there
    before. Without any data no file is written, and a warning logged.
    """

    is_sink = True

    def __init__(
        self,
        output_path: str | os.PathLike[str],
        *,
        video_rate: float = 30,
        video_format: str = "bgr24",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < video_rate <= 1000:
            raise ConfigurationError(f"video_rate {video_rate} must be more than 0 and at most 1000 frames per second")
        self.output_path: str = os.fspath(output_path)
        self.video_rate = video_rate
        self.video_format = video_format
        self._rate = Fraction(video_rate).limit_denominator(1001)
        self._file: MediaFile | None = None

    def initialize(self) -> Any:
        """Raises when PyAV or the folder is not there, or the suffix says no format."""
        self._file = MediaFile(self.output_path)
        return super().initialize()

    def process(self, data: Any) -> None:
        """Appends `data`. Raises `TypeError` for what is neither audio nor video."""
        if self._file is None:
            self._file = MediaFile(self.output_path)
        for frame in self._frames(data):
            self._file.put(frame, self._rate)

    def _frames(self, data: Any) -> Iterator[Any]:
        av = load_av()
        if isinstance(data, dict) and not data.keys().isdisjoint(TRACKS):
            for track in TRACKS:
                if track in data:
                    yield from self._frames(data[track])
        elif isinstance(data, (av.AudioFrame, av.VideoFrame)):
            yield data
        elif isinstance(data, tuple) and len(data) >= 2 and _is_image(data[0]):
            yield self._image(data[0])
        elif _is_image(data):
            yield self._image(data)
        else:
            yield from _audio(data)

    def _image(self, image: NDArray[Any]) -> Any:
        return load_av().VideoFrame.from_ndarray(image, format="gray" if image.ndim == 2 else self.video_format)

    def flush(self) -> None:
        """Finishes the file."""
        file = self._file
        if file is not None:
            if not file.commit():
                self.logger.warning("%s: no audio or video came, so %s is not written", self.name, self.output_path)
            self._file = None

    def cleanup(self) -> Any:
        """Removes a file that is not finished."""
        file, self._file = self._file, None
        if file is not None:
            file.discard()
        return super().cleanup()


def _is_image(value: Any) -> bool:
    return getattr(value, "ndim", 0) in (2, 3) and getattr(value, "dtype", None) == "uint8"


def _audio(data: Any) -> Iterator[Any]:
    """The frame of `(samples, rate)`; none when it is empty."""
    import numpy as np

    from remotemedia.core.audio import split

    parts = split(data)
    if isinstance(parts, str):
        raise TypeError(f"a {type(data).__qualname__} can be neither written as audio nor as video: {parts}")
    samples, rate_hz = parts
    if samples.dtype == np.int16:
        name = "s16p"
    elif samples.dtype == np.int32:
        name = "s32p"
    elif np.issubdtype(samples.dtype, np.floating):
        name, samples = "fltp", np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    else:
        raise TypeError(f"samples must be floats, int16 or int32, not {samples.dtype}")
    if samples.size:
        frame = load_av().AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=name, layout=_layout(len(samples)))
        frame.sample_rate = rate_hz
        yield frame


def _layout(channels: int) -> str:
    """FFmpeg's name of the usual layout of so many channels."""
    usual = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
    return usual.get(channels, f"{channels} channels")
