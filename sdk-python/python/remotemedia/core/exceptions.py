"""What goes wrong, as exceptions.

A node raises `NodeError` or one of its subclasses to tell the host what kind of failure it is; any other exception is an
internal fault of the node. A pipeline raises `NodeError` for a node that failed, with the node's own exception as
`__cause__`, and the other classes for what is wrong with the pipeline itself.
"""

from __future__ import annotations


class RemoteMediaError(Exception):
    """The root of this package's exceptions."""


class PipelineError(RemoteMediaError):
    """A pipeline was used in a way that makes no sense: run while it is empty, changed while it is running."""


class ConfigurationError(RemoteMediaError, ValueError):
    """A setting that cannot be: an unknown mode, a port out of range."""


class ManifestError(ConfigurationError):
    """A manifest or a graph that is not sound: an unknown version, a cycle, two nodes of one id."""


class UnknownNodeError(RemoteMediaError, KeyError):
    """There is no node of that type, or none of that name in the pipeline."""

    def __str__(self) -> str:
        # KeyError would show the text as a quoted key.
        return str(self.args[0]) if self.args else ""


class SerializationError(RemoteMediaError, TypeError):
    """A value that cannot be written down or carried to where it should go."""


class NodeError(RemoteMediaError, RuntimeError):
    """A node failed.

    `remotemedia_kind` is what the host's error says; set it on any exception class of your own. On the error that a
    pipeline raises, `node_id` and `operation` say where, and `__cause__` is the exception that the node raised.
    """

    remotemedia_kind = "internal"

    def __init__(self, *args: object, node_id: str | None = None, operation: str | None = None) -> None:
        super().__init__(*args)
        self.node_id = node_id
        self.operation = operation


class InvalidInputError(NodeError):
    """The packet is not what the node takes."""

    remotemedia_kind = "invalid_input"


class UnacceptableValueError(InvalidInputError, SerializationError):
    """A value came to a native node or a component that cannot take it: a `TypeError` that names place and type."""


class TransientError(NodeError):
    """Failed now, may work again. Raising it promises that the node's state is as it was before the call."""

    remotemedia_kind = "transient"


class RemoteExecutionError(NodeError):
    """Something failed on another machine. `remote_traceback` is what that machine says about it."""

    remotemedia_kind = "unavailable"

    def __init__(self, message: str, remote_traceback: str | None = None) -> None:
        super().__init__(message)
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n\nOn the other machine:\n{self.remote_traceback}" if self.remote_traceback else message


class WebRTCError(RemoteMediaError):
    """A WebRTC connection failed."""
