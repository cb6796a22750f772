"""Nodes on other machines, which this version does not have: making one says what to do instead."""

from __future__ import annotations

from typing import Any

from remotemedia.core.exceptions import RemoteExecutionError
from remotemedia.core.node import Node, RemoteExecutorConfig

__all__ = ["RemoteExecutionNode", "RemoteObjectExecutionNode"]


def refusal(target: Any, config: RemoteExecutorConfig) -> RemoteExecutionError:
    """The error for a node that should run elsewhere."""
    name = target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
    return RemoteExecutionError(
        f"{name} cannot run at {config.host}:{config.port}: this version runs every node in this process. "
        f"Add the node itself to the pipeline, `pipeline.add_node({name}(...))`"
    )


class _Remote(Node):
    def process(self, data: Any) -> Any:
        raise NotImplementedError


class RemoteExecutionNode(_Remote):
    """A node by its name on another machine. Raises `RemoteExecutionError` when it is made."""

    def __init__(
        self,
        node_to_execute: str,
        remote_config: RemoteExecutorConfig,
        node_config: dict[str, Any] | None = None,
        serialization_format: str = "pickle",
        **kwargs: Any,
    ) -> None:
        raise refusal(node_to_execute, remote_config)


class RemoteObjectExecutionNode(_Remote):
    """An object on another machine. Raises `RemoteExecutionError` when it is made."""

    def __init__(
        self,
        obj_to_execute: Any,
        remote_config: RemoteExecutorConfig,
        node_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        raise refusal(obj_to_execute, remote_config)
