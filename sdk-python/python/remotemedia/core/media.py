"""Media files through PyAV (FFmpeg): frames out of a file, and frames into one that appears whole or not at all.

PyAV is imported when the first file is opened. What pipelines see of this are `remotemedia.nodes.source` and `.sink`.
"""

from __future__ import annotations

import importlib
import os
import secrets
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

from remotemedia.core.exceptions import InvalidInputError, NodeError

TRACKS = ("audio", "video")

#: Encoders to prefer over what FFmpeg takes for a suffix by itself, where PyAV has them.
_AUDIO_ENCODERS = {".ogg": "libopus", ".mkv": "aac"}
_VIDEO_ENCODERS = {".mp4": "libx264", ".m4v": "libx264", ".mov": "libx264", ".mkv": "libx264"}
_WAV_ENCODERS = {"u8": "pcm_u8", "s16": "pcm_s16le", "s32": "pcm_s32le", "flt": "pcm_f32le", "dbl": "pcm_f64le"}
#: Sample formats that keep what another one holds, nearest first.
_KEEPS = {
    "u8": ("u8", "s16", "s32", "flt"),
    "s16": ("s16", "s32", "flt"),
    "s32": ("s32", "dbl", "flt", "s16"),
    "flt": ("flt", "dbl", "s32", "s16"),
    "dbl": ("dbl", "flt", "s32", "s16"),
}
#: Encoded bytes that wait for the file's other track before the file begins without it.
_MOST_WAITING_BYTES = 32 * 2**20


def load_av() -> ModuleType:
    """PyAV. Raises `ImportError` that says how to install it."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise ImportError(f"media files need PyAV ({error}): pip install 'remotemedia[audio]'") from error


def is_url(path: str) -> bool:
    """Is `path` the address of a stream, not of a file?"""
    return "://" in path


def tracks_of(path: str, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The decoded frames of a file as `{"audio": av.AudioFrame}` and `{"video": av.VideoFrame}`, in the order of the file.

    Of several audio or video streams the first is taken. Only `wanted` tracks are decoded; at least one must be there.
    """
    av = load_av()
    try:
        container = av.open(path)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise  # not there, a folder, not readable: the text names the path
        raise InvalidInputError(f"{path} is no media file that FFmpeg can read: {error.strerror}") from error
    with container:
        streams = {kind: found[0] for kind in wanted if (found := _streams(av, container, kind))}
        if not streams:
            there = sorted({stream.type for stream in container.streams}) or ["nothing"]
            raise InvalidInputError(f"{path} has no {' or '.join(wanted)} in it, only {', '.join(there)}")
        for stream in streams.values():
            stream.thread_type = "AUTO"
            if stream.codec_context.name == "flac":
                stream.codec_context.options = {"err_detect": "crccheck+explode"}
        try:
            yield from _decoded(container, streams)
        except av.error.FFmpegError as error:
            raise InvalidInputError(f"{path} is damaged: {error.strerror}") from error
    if container.format.name == "wav" and not is_url(path):
        _check_wav_is_whole(path)


def _streams(av: ModuleType, container: Any, kind: str) -> list[Any]:
    """The streams of a kind, without the pictures on the covers of audio files."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in getattr(container.streams, kind) if not stream.disposition & cover]


def _decoded(container: Any, streams: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kinds = {stream.index: kind for kind, stream in streams.items()}
    missing = {stream.index: _announced(container, stream) for stream in streams.values()}
    for packet in container.demux(*streams.values()):
        index = packet.stream.index
        if packet.size:
            missing[index] -= 1
        for frame in packet.decode():
            yield {kinds[index]: frame}
    if any(count > 0 for count in missing.values()):
        raise InvalidInputError(f"{container.name} ends early: {max(missing.values())} packets that it announces are missing")


def _announced(container: Any, stream: Any) -> int:
    """How many packets the file says that the stream has; 0 when it does not say that."""
    # Files of the QuickTime family count them, but PCM by samples.
    counts = container.format.name.startswith("mov,") and not stream.codec_context.name.startswith(("pcm", "adpcm"))
    return int(stream.frames) if counts else 0


def _check_wav_is_whole(path: str) -> None:
    """FFmpeg takes a wav that was cut off for a shorter one."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(4) != b"RIFF":
            return
        file.seek(12)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                there = size - file.tell()
                # Recorders that cannot go back leave 0 or a number near the largest.
                if there < length < 0x7FFF_F000:
                    raise InvalidInputError(f"{path} ends early: it announces {length} bytes of audio, {there} are there")
                return
            file.seek(length + length % 2, 1)


class MediaFile:
    """A media file being written: `put` frames, then `commit`, or `discard` everything.

    The format is that of the suffix. Bytes go to a hidden file beside the target, which gets its name by `commit`.
    """

    def __init__(self, path: str) -> None:
        av = load_av()
        # Through a symbolic link the file behind it is written, as every other program does.
        self._target = Path(path).resolve()
        if self._target.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
        if not self._target.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {self._target.parent} to write {self._target.name} into")
        hidden = f".{self._target.stem}.{secrets.token_hex(4)}{self._target.suffix}"
        self._hidden = self._target.with_name(hidden)
        options = {"rf64": "auto"} if self._target.suffix.lower() == ".wav" else {}
        try:
            self._container: Any = av.open(str(self._hidden), "w", container_options=options)
        except ValueError as error:  # FFmpeg's own among them
            self._hidden.unlink(missing_ok=True)
            raise InvalidInputError(f"{path}: FFmpeg knows no file format for {self._target.suffix!r}") from error
        self._path = path
        self._av = av
        self._streams: dict[str, Any] = {}
        #: Per track, what all its frames must have.
        self._specs: dict[str, tuple[Any, ...]] = {}
        self._samples = 0
        self._frames = 0
        # A file's header names all its tracks, so the first track's packets wait for the second track.
        self._waiting: list[Any] | None = [] if self._holds("audio") and self._holds("video") else None
        self._waiting_bytes = 0

    def _holds(self, kind: str) -> bool:
        # Cover pictures of audio files are no video.
        return str(getattr(self._container, f"default_{kind}_codec")) not in ("none", "png", "theora")

    def put(self, frame: Any, rate: Fraction) -> None:
        """Appends an `av.AudioFrame` behind the last one, or an `av.VideoFrame` at its own time.

        Video frames without a time follow each other at `rate` frames per second.
        """
        try:
            if isinstance(frame, self._av.AudioFrame):
                self._put_audio(frame)
            else:
                self._put_video(frame, rate)
        except self._av.error.FFmpegError as error:
            raise NodeError(f"{self._path} cannot be written: {error.strerror}") from error

    def _put_audio(self, frame: Any) -> None:
        av, rate_hz, channels = self._av, frame.sample_rate, frame.layout.nb_channels
        stream = self._stream("audio", (rate_hz, channels), f"{rate_hz} Hz, {channels} channels", frame)
        copy = av.AudioFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name, layout=frame.layout.name)
        if not self._samples and frame.pts is not None and frame.time_base:
            self._samples = max(0, round(frame.pts * frame.time_base * rate_hz))
        copy.sample_rate, copy.time_base, copy.pts = rate_hz, Fraction(1, rate_hz), self._samples
        self._samples += frame.samples
        self._mux(stream.encode(copy))

    def _put_video(self, frame: Any, rate: Fraction) -> None:
        width, height = frame.width, frame.height
        stream = self._stream("video", (width, height), f"{width}x{height}", frame, rate)
        before = frame.pts, frame.time_base, frame.pict_type
        if frame.pts is None or not frame.time_base:
            frame.pts, frame.time_base = self._frames, 1 / rate
        self._frames += 1
        frame.pict_type = 0  # the encoder chooses the kind of its pictures itself
        try:
            self._mux(stream.encode(frame))
        finally:
            # Other nodes may hold it.
            frame.pts, frame.pict_type = before[0], before[2]
            if before[1]:
                frame.time_base = before[1]

    def _stream(self, kind: str, spec: tuple[Any, ...], shown: str, frame: Any, rate: Fraction | None = None) -> Any:
        if kind in self._streams:
            if self._specs[kind][:-1] != spec:
                raise InvalidInputError(
                    f"{self._path}: {kind} changes from {self._specs[kind][-1]} to {shown}; a file holds one: convert before"
                )
            return self._streams[kind]
        if not self._holds(kind):
            raise InvalidInputError(f"{self._path}: {self._target.suffix} files hold no {kind}")
        if self._waiting is None and self._streams:
            raise InvalidInputError(f"{self._path}: {kind} comes too late, the file has begun without it")
        stream = self._new_audio(frame) if rate is None else self._new_video(frame, rate)
        self._streams[kind], self._specs[kind] = stream, (*spec, shown)
        return stream

    def _new_audio(self, frame: Any) -> Any:
        suffix, packed = self._target.suffix.lower(), frame.format.packed.name
        if suffix == ".wav":
            name = _WAV_ENCODERS.get(packed, "pcm_s16le")
        else:
            name = self._encoder(_AUDIO_ENCODERS.get(suffix), self._container.default_audio_codec)
        codec = self._av.codec.Codec(name, "w")
        rate_hz = frame.sample_rate
        if codec.audio_rates and rate_hz not in codec.audio_rates:
            rate_hz = min((rate for rate in codec.audio_rates if rate > rate_hz), default=max(codec.audio_rates))
        formats = {candidate.packed.name: candidate.name for candidate in codec.audio_formats or ()}
        kept = next((formats[name] for name in _KEEPS.get(packed, ()) if name in formats), next(iter(formats.values()), None))
        return self._container.add_stream(name, rate=rate_hz, layout=frame.layout.name, format=kept or frame.format.name)

    def _new_video(self, frame: Any, rate: Fraction) -> Any:
        suffix = self._target.suffix.lower()
        name = self._encoder(_VIDEO_ENCODERS.get(suffix), self._container.default_video_codec)
        formats = [candidate.name for candidate in self._av.codec.Codec(name, "w").video_formats or ()]
        stream = self._container.add_stream(name, rate=rate)
        stream.width, stream.height = frame.width, frame.height
        # Half the colours in each direction is what every player shows, and needs even sizes.
        even = frame.width % 2 == 0 == frame.height % 2
        wanted = ("yuv420p",) if even else ("yuv444p", "yuv420p")
        stream.pix_fmt = next((name for name in wanted if name in formats), formats[0] if formats else "yuv420p")
        timed = frame.pts is not None and frame.time_base
        stream.codec_context.time_base = frame.time_base if timed else 1 / rate
        return stream

    def _encoder(self, preferred: str | None, default: str) -> str:
        return preferred if preferred is not None and preferred in self._av.codec.codecs_available else default

    def _mux(self, packets: list[Any]) -> None:
        if self._waiting is None:
            self._container.mux(packets)
            return
        self._waiting += packets
        self._waiting_bytes += sum(packet.size for packet in packets)
        if len(self._streams) == len(TRACKS) or self._waiting_bytes > _MOST_WAITING_BYTES:
            self._begin()

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting:
            self._container.mux(waiting)

    def commit(self) -> bool:
        """Finishes the file and gives it its name. False, and no file, when nothing was put."""
        if not self._streams:
            self.discard()
            return False
        try:
            for stream in self._streams.values():
                self._mux(stream.encode(None))
            self._begin()
            self._container.close()
            os.replace(self._hidden, self._target)
        except self._av.error.FFmpegError as error:
            raise NodeError(f"{self._path} cannot be written: {error.strerror}") from error
        return True

    def discard(self) -> None:
        """Removes what was written."""
        try:
            self._container.close()
        except self._av.error.FFmpegError:
            pass  # it cannot be finished, and need not be
        self._hidden.unlink(missing_ok=True)
