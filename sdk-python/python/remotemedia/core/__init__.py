"""What nodes are made of."""

from remotemedia.core.exceptions import InvalidInputError, NodeError, RemoteMediaError, TransientError
from remotemedia.core.node import Node

__all__ = ["InvalidInputError", "Node", "NodeError", "RemoteMediaError", "TransientError"]
