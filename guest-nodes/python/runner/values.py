"""What a packet is in Python, and what a Python value is as a packet: the table of `cpython`, without numpy.

| packet | Python |
|---|---|
| audio | the tuple `(Array[channels, frames] float32, sample_rate)` |
| tensor | `Array` |
| text, bytes | `str`, `bytes` |
| json | plain values |

A value that JSON cannot say faithfully cannot leave the sandbox: there is no object that another node could open.
"""

import json
from array import array

from array_view import CODES, Array
from wit_world.imports import types as wit

_DTYPES = tuple(CODES)
_MOST_NESTED = 100


class CannotLeave(Exception):
    """A value that no packet can carry."""

    remotemedia_plain = True


def to_python(packet):
    """The value of a WIT packet."""
    payload = packet.payload
    value = payload.value
    if isinstance(payload, wit.Payload_Audio):
        return _floats(value), value.sample_rate
    if isinstance(payload, wit.Payload_Json):
        return json.loads(value)
    if isinstance(payload, wit.Payload_Tensor):
        return Array.from_bytes(_DTYPES[value.dtype.value], value.shape, value.data)
    return value


def _floats(audio):
    """Interleaved samples as (channels, frames)."""
    if audio.format == wit.SampleFormat.FLOAT32:
        buffer = memoryview(bytearray(audio.data)).cast("f")
    else:
        code, scale = ("h", 2.0**-15) if audio.format == wit.SampleFormat.INT16 else ("i", 2.0**-31)
        integers = memoryview(audio.data).cast(code).tolist()
        buffer = memoryview(array("f", [integer * scale for integer in integers]))
    channels = audio.channels
    return Array("float32", (channels, len(buffer) // channels), buffer, 0, (1, channels))


def to_output(pts_ns, value):
    """The WIT output of a value."""
    return wit.Output(0, wit.Packet(pts_ns, _payload(value)))


def _payload(value):
    kind = type(value)
    if kind is str:
        return wit.Payload_Text(_sound(value))
    if kind is bytes:
        return wit.Payload_Bytes(value)
    if kind is tuple and (audio := _audio(value)) is not None:
        return wit.Payload_Audio(audio)
    if kind is Array:
        return wit.Payload_Tensor(wit.Tensor(wit.Dtype(_DTYPES.index(value.dtype)), list(value.shape), value.tobytes()))
    _check_json(value, _MOST_NESTED)
    return wit.Payload_Json(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _audio(value):
    """Audio is a pair of a floating-point array and a whole sample rate."""
    if len(value) != 2:
        return None
    samples, rate = value
    if type(samples) is not Array or not samples.dtype.startswith("float") or samples.ndim not in (1, 2):
        return None
    if type(rate) is not int or not 0 <= rate < 2**32:
        return None
    if samples.ndim == 1:
        samples = Array(samples.dtype, (1, samples.shape[0]), samples._buffer, samples._offset, (0, *samples._strides))
    interleaved = samples.T if samples.dtype == "float32" else samples.astype("float32").T
    return wit.Audio(wit.SampleFormat.FLOAT32, rate, samples.shape[0], interleaved.tobytes())


def _sound(text):
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CannotLeave(f"a text with half a surrogate pair cannot leave the sandbox: {error}") from None
    return text


def _check_json(value, depth):
    """Raises unless JSON gives back an equal value of the same types."""
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind is str:
        _sound(value)
    elif kind is int and -(2**63) <= value < 2**63:
        return
    elif kind is float and value - value == 0.0:
        return
    elif kind is list and depth > 0:
        for item in value:
            _check_json(item, depth - 1)
    elif kind is dict and depth > 0 and all(type(key) is str for key in value):
        for key, item in value.items():
            _sound(key)
            _check_json(item, depth - 1)
    else:
        raise CannotLeave(
            f"{_named(value)} cannot leave the sandbox: give audio, an array, text, bytes, or plain JSON values (dicts "
            "with text keys, lists, finite numbers of 64 bits), or run the node with `runtime_hint: cpython`"
        )


def _named(value):
    kind = type(value)
    if kind in (int, float):
        return f"the number {value!r}"[:60]
    module = kind.__module__
    return f"a `{kind.__qualname__}`" if module in ("builtins", "__main__") else f"a `{module}.{kind.__qualname__}`"
