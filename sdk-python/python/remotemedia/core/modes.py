"""Which executor runs pipelines: one switch."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from types import ModuleType
from typing import Final

from remotemedia.core.exceptions import ConfigurationError, PipelineError

#: The executor in plain Python.
PYTHON_CPU: Final = "python_cpu"
#: The native engine in this process.
RUST_INPROCESS_FFI: Final = "rust_inprocess_ffi"
#: The native engine as a service. Reserved.
RUST_SERVICE: Final = "rust_service"

NATIVE_MODULE: Final = "remotemedia._remotemedia_runtime"

MODES: Final = (PYTHON_CPU, RUST_INPROCESS_FFI, RUST_SERVICE)
VARIABLE: Final = "REMOTEMEDIA_RUNTIME_MODE"

_warned = False


def checked(mode: str, where: str) -> str:
    """`mode`, when there is such a mode."""
    if mode not in MODES:
        raise ConfigurationError(f"{where} {mode!r} must be one of {', '.join(MODES)}")
    if mode == RUST_SERVICE:
        raise ConfigurationError(
            f"{where} 'rust_service' is reserved for a service that does not exist yet; use 'rust_inprocess_ffi' or "
            "'python_cpu'"
        )
    return mode


def chosen(*wishes: str | None) -> str:
    """The first wish that is one, else what the environment says, else the native engine where it is installed."""
    for wish in wishes:
        if wish is not None:
            return _available(checked(wish, "mode"), "mode")
    said = os.environ.get(VARIABLE)
    if said:
        return _available(checked(said, VARIABLE), VARIABLE)
    if sys.modules.get(NATIVE_MODULE) is not None:
        return RUST_INPROCESS_FFI
    native, why = load()
    if native is not None:
        return RUST_INPROCESS_FFI
    _warn_once(why)
    return PYTHON_CPU


def load() -> tuple[ModuleType | None, str | None]:
    """(the native module, None), or (None, why it cannot be loaded)."""
    try:
        return importlib.import_module(NATIVE_MODULE), None
    except ImportError as error:
        return None, str(error)


def _available(mode: str, where: str) -> str:
    if mode == RUST_INPROCESS_FFI:
        native, why = load()
        if native is None:
            raise PipelineError(f"{where} is 'rust_inprocess_ffi', but the native runtime cannot be loaded: {why}")
    return mode


def _warn_once(why: str | None) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"Rust runtime unavailable ({why}): pipelines run in plain Python. {VARIABLE}={PYTHON_CPU} says that this "
            "is meant.",
            UserWarning,
            stacklevel=5,
        )
