"""Words for people: exceptions with the author's own frames, and objects as JSON. It raises nothing."""

import math
import os
import traceback

_MACHINERY = os.path.dirname(traceback.__file__) + os.sep + "asyncio" + os.sep


def _is_machinery(frame):
    return frame.filename.startswith(("<remotemedia", _MACHINERY))


def _strip(report):
    """Drops the frames of the host's own driving code from an exception and from what caused it."""
    seen = set()
    while report is not None and id(report) not in seen:
        seen.add(id(report))
        own = [frame for frame in report.stack if not _is_machinery(frame)]
        report.stack = traceback.StackSummary.from_list(own)
        report = report.__cause__ or report.__context__


def type_name(value):
    """`tuple`, `numpy.float32`, `features.Event`."""
    kind = type(value)
    module = getattr(kind, "__module__", "builtins")
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def explain(error, frames):
    """(message, traceback, kind the author gave it or "") of an exception raised through `frames`."""
    error.__traceback__ = frames
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be shown)"
    if getattr(error, "remotemedia_plain", False):  # one of the host's own: the message is all, its cause the trace
        return text, _trace(error.__cause__), ""
    name = type(error).__qualname__
    kind = getattr(error, "remotemedia_kind", "")
    return f"{name}: {text}" if text else name, _trace(error), kind if isinstance(kind, str) else ""


def _trace(error):
    if error is None:
        return ""
    try:
        report = traceback.TracebackException.from_exception(error)
        _strip(report)
        return "".join(report.format())
    except Exception:
        return ""


def to_json(value, depth=64):
    """The nearest JSON value: tuples and sets as lists, arrays by their elements, non-finite floats and everything
    else as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    try:
        if depth > 0:
            if isinstance(value, dict):
                return {str(key): to_json(item, depth - 1) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return [to_json(item, depth - 1) for item in value]
            if isinstance(value, (set, frozenset)):
                return sorted((to_json(item, depth - 1) for item in value), key=repr)
            if hasattr(value, "dtype") and hasattr(value, "tolist"):
                return to_json(value.tolist(), depth - 1)
        return repr(value)
    except Exception:
        return f"<{type_name(value)}>"
