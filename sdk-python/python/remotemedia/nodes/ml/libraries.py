"""Libraries that are imported when a node needs them."""

from __future__ import annotations

import importlib
from typing import Any

from remotemedia.core.exceptions import NodeError


class MissingLibraryError(NodeError, ImportError):
    """A library that a node needs is not installed. The message says how to install it."""

    remotemedia_kind = "unavailable"


def require(library: str, needed_by: str, install: str) -> Any:
    """The module `library`, for the node `needed_by`; `install` is what `pip install` takes.

    Raises `MissingLibraryError`, with what the import said as its cause: the library may be there and broken.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise MissingLibraryError(f"{needed_by} needs {library} ({error}): pip install {install}") from error
