"""Media files into a pipeline: readers, and nodes that make arrays of what they read. They need PyAV:
`pip install 'remotemedia[audio]'`.

    Pipeline([MediaReaderNode("talk.mp4", track="audio"), AudioTrackSource(), AudioResampleNode(16000)]).run_sync()

Files are read as fast as the disk and the decoder are, not at the speed of play-back.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remotemedia.core.exceptions import ConfigurationError
from remotemedia.core.media import TRACKS, is_url, load_av, tracks_of
from remotemedia.core.node import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AudioTrackSource", "LocalMediaReaderNode", "MediaReaderNode", "TrackSource", "VideoTrackSource"]


class MediaReaderNode(Node):
    """A source: the frames of the media file `path`, as `{"audio": av.AudioFrame}` and `{"video": av.VideoFrame}`.

    Frames come in the order of the file, in its own rate, channels and size; of several audio or video streams the first
    is read. `track` "audio" or "video" decodes that one only. `path` may also be an address that FFmpeg opens. A file that
    is missing raises `FileNotFoundError`; one that is no media file, is damaged or cut off, or has no such track, raises
    `InvalidInputError`.
    """

    is_source = True

    def __init__(self, path: str | os.PathLike[str], *, track: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if track is not None and track not in TRACKS:
            raise ConfigurationError(f"track {track!r} must be 'audio', 'video' or None for both")
        self.path: str = os.fspath(path)
        self.track = track

    def initialize(self) -> Any:
        """Raises when PyAV or the file is not there."""
        load_av()
        _check_there(self.path)
        return super().initialize()

    def process(self, data: Any = None) -> Iterator[dict[str, Any]]:
        """Yields the frames; `data` does not matter."""
        return tracks_of(self.path, TRACKS if self.track is None else (self.track,))

    async def stream(self) -> AsyncGenerator[dict[str, Any], None]:
        """The frames as the input of another pipeline: `pipeline.process(reader.stream())`."""
        for item in self.process():
            yield item


class LocalMediaReaderNode(MediaReaderNode):
    """As `MediaReaderNode`, for files only: one that is not there raises `FileNotFoundError` at once."""

    def __init__(self, path: str | os.PathLike[str], *, track: str | None = None, **kwargs: Any) -> None:
        super().__init__(path, track=track, **kwargs)
        if is_url(self.path):
            raise ConfigurationError(f"{self.path} is no file; MediaReaderNode opens addresses")
        _check_there(self.path)


def _check_there(path: str) -> None:
    if not is_url(path) and not Path(path).is_file():
        what = "is a folder" if Path(path).is_dir() else "is not there"
        raise FileNotFoundError(f"the media file {path} {what}")


class TrackSource(Node):
    """The base of nodes that take one track out of a reader's frames. Items without that track are dropped."""

    _track = ""
    _frame = ""

    def process(self, data: Any) -> Any:
        """What `frame_to_data` makes of the track's frame."""
        if not isinstance(data, dict) or self._track not in data:
            return None
        frame = data[self._track]
        if not isinstance(frame, getattr(load_av(), self._frame)):
            raise TypeError(f"{self._track!r} must be an av.{self._frame}, not a {type(frame).__qualname__}")
        return self.frame_to_data(frame)

    def frame_to_data(self, frame: Any) -> Any:
        """What becomes of a frame."""
        raise NotImplementedError


class AudioTrackSource(TrackSource):
    """Audio frames as `(samples, sample_rate)`: float32 of shape (channels, frames), full scale at 1.0."""

    _track, _frame = "audio", "AudioFrame"

    def frame_to_data(self, frame: Any) -> tuple[NDArray[Any], int]:
        """(samples, sample rate in Hz) of an `av.AudioFrame`."""
        import numpy as np

        from remotemedia.core.audio import as_float

        samples: NDArray[Any] = frame.to_ndarray()
        if not frame.format.is_planar:
            samples = np.ascontiguousarray(samples.reshape(-1, frame.layout.nb_channels).T)
        if samples.dtype == np.uint8:
            samples = (samples.astype(np.float32) - np.float32(128.0)) / np.float32(128.0)
        return as_float(samples), int(frame.sample_rate)


class VideoTrackSource(TrackSource):
    """Video frames as `(image, pts)`: uint8 of shape (height, width, 3) for the default "bgr24", and the time of the frame
    in the file's own unit, or None. Other `output_format`s are FFmpeg's, for example "rgb24" and "gray"."""

    _track, _frame = "video", "VideoFrame"

    def __init__(self, output_format: str = "bgr24", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_format = output_format

    def frame_to_data(self, frame: Any) -> tuple[NDArray[Any], int | None]:
        """(image, pts) of an `av.VideoFrame`."""
        return frame.to_ndarray(format=self.output_format), frame.pts
