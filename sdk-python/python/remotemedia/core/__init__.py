"""What nodes and pipelines are made of."""

from remotemedia.core.exceptions import InvalidInputError, NodeError, RemoteMediaError, TransientError
from remotemedia.core.node import Node, RemoteExecutorConfig

__all__ = ["InvalidInputError", "Node", "NodeError", "RemoteExecutorConfig", "RemoteMediaError", "TransientError"]
