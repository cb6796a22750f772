"""RemoteMedia in Python: write nodes, connect them to pipelines, run those.

The host imports node classes from `remotemedia.nodes` by bare name and from anywhere else as `module:Class`. Importing
this package imports nothing but the base class; everything else comes when it is first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from remotemedia.core.exceptions import NodeError, PipelineError, RemoteExecutionError, RemoteMediaError, WebRTCError
from remotemedia.core.node import Node, RemoteExecutorConfig

if TYPE_CHECKING:
    from remotemedia.core.pipeline import Pipeline
    from remotemedia.nodes.registration import register_node_class, register_python_node
    from remotemedia.runtime_wrapper import execute_pipeline, execute_pipeline_with_input
    from remotemedia.webrtc import WebRTCManager

__version__ = "0.1.0"
__all__ = [
    "Node",
    "NodeError",
    "Pipeline",
    "PipelineError",
    "RemoteExecutionError",
    "RemoteExecutorConfig",
    "RemoteMediaError",
    "WebRTCError",
    "WebRTCManager",
    "__version__",
    "execute_pipeline",
    "execute_pipeline_with_input",
    "get_rust_runtime",
    "is_rust_runtime_available",
    "register_node_class",
    "register_python_node",
    "try_load_rust_runtime",
]

_LATER = {
    "Pipeline": "remotemedia.core.pipeline",
    "WebRTCManager": "remotemedia.webrtc",
    "execute_pipeline": "remotemedia.runtime_wrapper",
    "execute_pipeline_with_input": "remotemedia.runtime_wrapper",
    "register_node_class": "remotemedia.nodes.registration",
    "register_python_node": "remotemedia.nodes.registration",
}

# What was found out about the native module; None is not looked yet.
_rust_runtime: ModuleType | None = None
_rust_runtime_available: bool | None = None


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
        return value
    if name[:1].isupper():
        # Older pipelines import nodes from here.
        nodes = importlib.import_module("remotemedia.nodes")
        if name in nodes.__all__:
            return getattr(nodes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def try_load_rust_runtime() -> tuple[bool, ModuleType | None, str | None]:
    """(True, `remotemedia.runtime`, None), or (False, None, why the native module cannot be loaded)."""
    from remotemedia.core.modes import load

    native, why = load()
    return (False, None, why) if native is None else (True, importlib.import_module("remotemedia.runtime"), None)


def is_rust_runtime_available() -> bool:
    """Can pipelines run natively? Warns once, with the reason, when they cannot."""
    global _rust_runtime, _rust_runtime_available
    if _rust_runtime_available is None:
        _rust_runtime_available, _rust_runtime, why = try_load_rust_runtime()
        if not _rust_runtime_available:
            import warnings

            warnings.warn(f"Rust runtime unavailable ({why}): pipelines run in plain Python", UserWarning, stacklevel=2)
    return _rust_runtime_available


def get_rust_runtime() -> ModuleType | None:
    """`remotemedia.runtime`, or None."""
    return _rust_runtime if is_rust_runtime_available() else None
