"""Audio as an author sees it: `f32` samples with full scale ±1.0, whatever the format on the wire.

`samples` is a writable `memoryview` of C floats: index it, slice it (`samples[1::2]` is the second channel of stereo,
and writing to it changes the audio), iterate it. No numpy is needed.
"""

from array import array

FLOAT32, INT16, INT32 = "float32", "int16", "int32"
_CODES = {FLOAT32: "f", INT16: "h", INT32: "i"}
_FULL_SCALE = {INT16: 32_768.0, INT32: 2_147_483_648.0}


class Audio:
    """A block of interleaved audio.

    `sample_rate_hz` and `channels` are never 0; `samples` holds whole frames. `format` is how the samples travel:
    integers are rounded to nearest, ties to even, and saturate; NaN becomes 0. Nothing is converted unless
    `samples` is looked at.
    """

    __slots__ = ("_data", "_samples", "channels", "format", "pts_ns", "sample_rate_hz")

    def __init__(self, sample_rate_hz, channels, samples=(), format=FLOAT32):
        if format not in _CODES:
            raise ValueError(f"format is {format!r}, must be one of {', '.join(_CODES)}")
        if sample_rate_hz <= 0 or channels <= 0:
            raise ValueError(f"{channels} channels at {sample_rate_hz} Hz are no audio")
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self.format = format
        self.pts_ns = 0
        self._data = None
        self._samples = memoryview(array("f", samples))
        if len(self._samples) % channels:
            raise ValueError(f"{len(self._samples)} samples are no whole number of frames of {channels} channels")

    @classmethod
    def from_bytes(cls, sample_rate_hz, channels, format, data):
        """Audio of what crossed the boundary: interleaved, little-endian."""
        audio = cls(sample_rate_hz, channels, (), format)
        if len(data) % (channels * memoryview(array(_CODES[format])).itemsize):
            raise ValueError(f"{len(data)} bytes of {format} are no whole number of frames of {channels} channels")
        audio._data = data
        audio._samples = None
        return audio

    @property
    def samples(self):
        """The interleaved samples, for reading and for changing in place."""
        if self._samples is None:
            self._samples = _to_floats(self.format, self._data)
            self._data = None
        return self._samples

    @samples.setter
    def samples(self, samples):
        samples = memoryview(array("f", samples))
        if len(samples) % self.channels:
            raise ValueError(f"{len(samples)} samples are no whole number of frames of {self.channels} channels")
        self._samples, self._data = samples, None

    @property
    def frames(self):
        """How many frames there are."""
        if self._samples is None:
            return len(self._data) // (self.channels * memoryview(array(_CODES[self.format])).itemsize)
        return len(self._samples) // self.channels

    def channel(self, number):
        """The samples of one channel, counted from 0; writing to them changes the audio."""
        if not 0 <= number < self.channels:
            raise IndexError(f"there is no channel {number}: there are {self.channels}")
        return self.samples[number :: self.channels]

    def map(self, function):
        """Replaces every sample by what `function` makes of it."""
        samples = self.samples
        samples[:] = array("f", list(map(function, samples.tolist())))

    def to_bytes(self):
        """What crosses the boundary."""
        if self._samples is None:
            return bytes(self._data)
        if self.format == FLOAT32:
            return self._samples.tobytes()
        return _to_integers(self.format, self._samples.tolist()).tobytes()


def _to_floats(format, data):
    if format == FLOAT32:
        return memoryview(bytearray(data)).cast("f")
    scale = 1.0 / _FULL_SCALE[format]
    integers = array(_CODES[format])
    integers.frombytes(data)
    return memoryview(array("f", [integer * scale for integer in integers]))


def _to_integers(format, floats):
    scale = _FULL_SCALE[format]
    lowest, highest = -int(scale), int(scale) - 1
    integers = array(_CODES[format])
    try:
        integers.extend([round(sample * scale) for sample in floats])
    except (OverflowError, ValueError):  # beyond the format, infinite, or NaN
        integers = array(_CODES[format], [_saturated(sample * scale, lowest, highest) for sample in floats])
    return integers


def _saturated(value, lowest, highest):
    if value != value:
        return 0
    if value <= lowest:
        return lowest
    return highest if value >= highest else round(value)
