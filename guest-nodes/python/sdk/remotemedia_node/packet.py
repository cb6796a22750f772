"""Packets, and where a node puts those it emits.

A packet's payload is an `Audio`, a `str` (text), a `Json`, a `Tensor` or `bytes`.
"""

from dataclasses import dataclass
from typing import Any

from remotemedia_node.audio import Audio

# numpy's names, and the codes that `array` and `memoryview` know them by (they have none for float16).
DTYPES = {
    "bool": "?",
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}


@dataclass
class Json:
    """Any JSON value: None, bool, int, float, str, list, dict."""

    value: Any


@dataclass
class Tensor:
    """A row-major array of little-endian elements; an empty shape is a scalar."""

    dtype: str
    shape: tuple
    data: bytes

    def __post_init__(self):
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}, must be one of {', '.join(DTYPES)}")

    @property
    def elements(self):
        """The elements as a flat, read-only `memoryview`; of `float16`, the bytes."""
        code = DTYPES[self.dtype]
        return memoryview(bytes(self.data)).cast("B" if code == "e" else code)


@dataclass
class Packet:
    """One timestamped value. `pts_ns` is the time of the payload's first sample, in nanoseconds since the start of
    the stream."""

    pts_ns: int
    payload: Any


def kind_of(payload):
    """The name of a payload's kind."""
    if isinstance(payload, Audio):
        return "audio"
    if isinstance(payload, str):
        return "text"
    if isinstance(payload, Json):
        return "json"
    if isinstance(payload, Tensor):
        return "tensor"
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return "bytes"
    raise TypeError(f"a payload is Audio, str, Json, Tensor or bytes, not {type(payload).__name__}: wrap plain values as Json(value)")


class Outputs:
    """Where a node puts the packets it emits."""

    def __init__(self, ports=("out",)):
        self._ports = list(ports)
        self.emitted = []

    def push(self, packet):
        """Emits a packet on the first output port."""
        self.push_to(0, packet)

    def push_to(self, port, packet):
        """Emits a packet on the output port of that name or number."""
        if isinstance(port, str):
            if port not in self._ports:
                raise ValueError(f"there is no output port `{port}`, there is: {', '.join(self._ports)}")
            port = self._ports.index(port)
        kind_of(packet.payload)
        self.emitted.append((port, packet))

    def take(self):
        """Everything that was emitted, as (port, packet); empties this."""
        emitted, self.emitted = self.emitted, []
        return emitted
