"""A node's exception as the error of its pipeline."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType

from remotemedia.core.exceptions import NodeError


#: Code that runs nodes and belongs to none.
_MACHINERY = (os.path.dirname(__file__) + os.sep, os.path.dirname(asyncio.__file__) + os.sep)


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame on that is the author's; all of it when there is none."""
    own = frames
    while own is not None and own.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        own = own.tb_next
    return own or frames


def kind_of(error: BaseException) -> str:
    """What kind of failure an exception is, as the host's errors have it."""
    declared = getattr(error, "remotemedia_kind", "")
    if isinstance(declared, str) and declared:
        return declared
    for types, kind in (
        (ImportError, "unavailable"),
        (TimeoutError, "timeout"),
        (MemoryError, "limit_exceeded"),
        (KeyboardInterrupt, "cancelled"),
    ):
        if isinstance(error, types):
            return kind
    return "internal"


def failure_of(error: BaseException, node_id: str, operation: str) -> NodeError:
    """The error to raise from `error`, which gets a note that says the same."""
    try:
        text = str(error)
    except Exception:
        text = "(its text cannot be shown)"
    name = type(error).__qualname__
    where = f"node `{node_id}`, {operation}"
    failure = NodeError(f"{where}: {name}: {text}" if text else f"{where}: {name}", node_id=node_id, operation=operation)
    failure.remotemedia_kind = kind_of(error)
    add_note(error, f"in {where}")
    error.__traceback__ = _own_frames(error.__traceback__)
    return failure


def add_note(error: BaseException, note: str) -> None:
    """`error.add_note(note)`, which Python 3.10 does not have, once."""
    if note in getattr(error, "__notes__", ()):
        return
    if hasattr(error, "add_note"):
        error.add_note(note)
