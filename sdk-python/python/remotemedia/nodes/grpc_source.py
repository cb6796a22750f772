"""Streams from gRPC clients, which this version does not serve: making a source says what to do instead."""

from __future__ import annotations

from typing import Any

from remotemedia.core.exceptions import RemoteExecutionError
from remotemedia.core.node import Node

__all__ = ["GRPCStreamManager", "GRPCStreamSource", "get_grpc_stream_manager"]

_INSTEAD = (
    "this version has no gRPC server. What yours receives goes into a pipeline by `DataSourceNode().push(item)`, or as an "
    "asynchronous generator by `pipeline.process(stream)`"
)


class GRPCStreamSource(Node):
    """What a gRPC client sends. Raises `RemoteExecutionError` when it is made."""

    def __init__(self, session_id: str | None = None, **kwargs: Any) -> None:
        raise RemoteExecutionError(f"GRPCStreamSource: {_INSTEAD}")

    def process(self, data: Any) -> Any:
        """Is never called."""
        raise NotImplementedError


class GRPCStreamManager:
    """The sources of a gRPC server. Raises `RemoteExecutionError` when it is made."""

    def __init__(self) -> None:
        raise RemoteExecutionError(f"GRPCStreamManager: {_INSTEAD}")


def get_grpc_stream_manager() -> GRPCStreamManager:
    """Raises `RemoteExecutionError`."""
    return GRPCStreamManager()
