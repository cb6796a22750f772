"""Exceptions by which a node tells the host what kind of failure it is. Any other exception is an internal fault of
the node."""


class RemoteMediaError(Exception):
    """The root of this package's exceptions."""


class NodeError(RemoteMediaError):
    """A node failed. `remotemedia_kind` is what the host's error says; set it on any exception class of your own."""

    remotemedia_kind = "internal"


class InvalidInputError(NodeError):
    """The packet is not what the node takes."""

    remotemedia_kind = "invalid_input"


class TransientError(NodeError):
    """Failed now, may work again. Raising it promises that the node's state is as it was before the call."""

    remotemedia_kind = "transient"
