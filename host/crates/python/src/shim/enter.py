"""What an object has for a node that is not Python's, and in words why it has nothing. It raises nothing of its own."""

import json
import math
import sys

#: The devices of DLPack whose memory numpy can read: CPU, and memory of the host or managed that a GPU shares.
_READABLE = (1, 3, 11, 13)

_AUDIO = "audio is the tuple (array of floats, sample rate), of shape (channels, frames) or (frames,)"
_DEPTH = 100


def _name(value):
    kind = type(value)
    module = getattr(kind, "__module__", "builtins")
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def _a(value):
    name = _name(value)
    return f"an {name}" if name[:1] in "aeiou" else f"a {name}"


def _taken(value):
    """(array, None), (None, why not), or (None, None) for what is no array at all."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        if isinstance(value, numpy.ma.MaskedArray):
            return None, f"is {_a(value)}, whose mask would be lost; use its method filled()"
        array = value.view(numpy.ndarray)
    elif hasattr(type(value), "__dlpack__") and hasattr(type(value), "__dlpack_device__"):
        import numpy

        try:
            device = int(value.__dlpack_device__()[0])
            if device not in _READABLE:
                where = getattr(value, "device", f"the device of DLPack type {device}")
                return None, f"is {_a(value)} on {where}; move it to the CPU, for torch with its method cpu()"
            array = numpy.from_dlpack(value)
        except Exception as error:
            return None, f"is {_a(value)} that numpy cannot read: {error}"
    else:
        return None, None
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array, None


def array_of(value):
    """`value` as an array over its own memory where that can be, or None."""
    return _taken(value)[0]


def bytes_of(value):
    """The bytes of a bytearray or a memoryview, or None."""
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else None


def _stranger(value, path="value", depth=_DEPTH):
    """(place, what is there) of the first part of `value` that JSON has not, or None."""
    kind = type(value)
    if value is None or kind is bool:
        return None
    if kind is int:
        return None if -(2**63) <= value < 2**63 else (path, "is an int of more than 64 bits")
    if kind is float:
        return None if math.isfinite(value) else (path, f"is the float {value!r}")
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return path, "is a str with a lone surrogate"
        return None
    if kind in (list, dict) and depth == 0:
        return path, f"is {_a(value)} nested deeper than {_DEPTH} levels"
    if kind is list:
        parts = ((f"{path}[{index}]", item) for index, item in enumerate(value))
    elif kind is dict:
        for key in value:
            if type(key) is not str:
                return path, f"is a dict with a key that is {_a(key)}"
        parts = ((f"{path}[{json.dumps(key, ensure_ascii=False)}]", item) for key, item in value.items())
    else:
        return path, f"is {_a(value)}"
    for place, item in parts:
        if (found := _stranger(item, place, depth - 1)) is not None:
            return found
    return None


def _no_audio(pair):
    """The same for a pair that may have been meant as audio."""
    samples, rate = pair
    array, why = _taken(samples)
    if array is None:
        return "value[0]", why or f"is {_a(samples)}"
    if array.dtype.kind != "f":
        return "value[0]", f"is {_a(samples)} of {array.dtype}; convert it to floats with full scale 1"
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 0 < array.shape[0] < 2**16):
        return "value[0]", f"is {_a(samples)} of shape {array.shape}"
    return "value[1]", f"is {_a(rate)}: {rate!r}" if type(rate) in (int, float, bool) else f"is {_a(rate)}"


def why_not(value, wanted):
    """A sentence on why `value` has nothing for a node that wants `wanted`."""
    is_pair = type(value) is tuple and len(value) == 2 and wanted in ("audio", "any")
    if is_pair and any(part is not None for part in _taken(value[0])):
        place, what = _no_audio(value)
        return f"{place} {what}; {_AUDIO}"
    _, why = _taken(value)
    if why:
        return f"value {why}"
    place, what = _stranger(value) or ("value", f"is {_a(value)}")
    advice = {
        "audio": _AUDIO,
        "text": "it wants a str",
        "tensor": "it wants an array of numbers",
        "bytes": "it wants bytes",
    }.get(wanted, "give it None, bool, int, float, str, and lists and dicts of these")
    return f"{place} {what}, which a native or WebAssembly node cannot take; {advice}"
