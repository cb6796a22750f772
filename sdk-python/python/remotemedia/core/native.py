"""The native module, if it is installed."""

from __future__ import annotations

import importlib
from types import ModuleType


def load() -> tuple[ModuleType | None, str | None]:
    """(module, None), or (None, why not)."""
    try:
        return importlib.import_module("remotemedia._remotemedia_runtime"), None
    except ImportError as error:
        return None, str(error)
