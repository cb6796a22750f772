"""What nodes and pipelines are made of."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from remotemedia.core.exceptions import (
    InvalidInputError,
    NodeError,
    PipelineError,
    RemoteExecutionError,
    RemoteMediaError,
    TransientError,
    WebRTCError,
)
from remotemedia.core.node import Node, RemoteExecutorConfig

if TYPE_CHECKING:
    from remotemedia.core.pipeline import Pipeline

__all__ = [
    "InvalidInputError",
    "Node",
    "NodeError",
    "Pipeline",
    "PipelineError",
    "RemoteExecutionError",
    "RemoteExecutorConfig",
    "RemoteMediaError",
    "TransientError",
    "WebRTCError",
]


def __getattr__(name: str) -> Any:
    if name == "Pipeline":
        return importlib.import_module("remotemedia.core.pipeline").Pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
