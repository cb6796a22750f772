"""The error that a node reports. Any other exception is an internal fault of the node, shown with its traceback."""

KINDS = ("invalid_params", "invalid_input", "transient", "internal")


class NodeError(Exception):
    """A call that failed, with a message for people. Raise what the four constructors give."""

    def __init__(self, kind, message):
        if kind not in KINDS:
            raise ValueError(f"an error's kind is one of {', '.join(KINDS)}, not {kind!r}")
        super().__init__(message)
        self.kind = kind
        self.message = message

    @classmethod
    def invalid_params(cls, message):
        """The params do not describe a working node."""
        return cls("invalid_params", message)

    @classmethod
    def invalid_input(cls, message):
        """The packet is not what the node takes."""
        return cls("invalid_input", message)

    @classmethod
    def transient(cls, message):
        """Failed now, may work again; the node's state is as it was before the call."""
        return cls("transient", message)

    @classmethod
    def internal(cls, message):
        """A fault of the node."""
        return cls("internal", message)
