"""Libraries that are imported when a node needs them."""

from __future__ import annotations

import importlib
from typing import Any

from remotemedia.core.exceptions import NodeError


class MissingLibraryError(NodeError, ImportError):
    """A library that a node needs is not installed. The message says how to install it."""

    remotemedia_kind = "unavailable"


class ModelError(NodeError):
    """A model cannot be loaded. The message names it; the cause is what its library said."""

    remotemedia_kind = "unavailable"


def require(library: str, needed_by: str, install: str) -> Any:
    """The module `library`, for the node `needed_by`; `install` is what `pip install` takes.

    Raises `MissingLibraryError`, with what the import said as its cause: the library may be there and broken.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise MissingLibraryError(f"{needed_by} needs {library} ({error}): pip install {install}") from error


def load_pipeline(needed_by: str, install: str, **arguments: Any) -> Any:
    """`transformers.pipeline(**arguments)`, for the node `needed_by`; `install` is what `pip install` takes for transformers.

    Raises `ModelError` for a model that is neither here nor to be had.
    """
    transformers = require("transformers", needed_by, install)
    try:
        return transformers.pipeline(**arguments)
    except OSError as error:
        raise ModelError(f"{needed_by} cannot load the model {arguments.get('model')!r}: {error}") from error
