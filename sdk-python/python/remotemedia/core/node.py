"""The base class of nodes."""

from abc import ABC, abstractmethod
from typing import Any


class Node(ABC):
    """One node of a pipeline. Subclasses define `process`; everything else is optional.

    Every method may be a plain function or a coroutine function. `process` may also be a generator or an asynchronous
    generator: each value it yields is one output. What it returns is one output; None is no output.

    Audio arrives as the tuple `(samples, sample_rate)`, with `samples` a float32 array of shape (channels, frames)
    that points into the host's memory: it is read-only (`samples.flags.writeable`) while other nodes use it too, so
    copy it before changing it in place.

    A subclass may define `flush()`, which is called once after the last packet, and set the class attributes
    `is_streaming` (`process` then takes one asynchronous generator of all inputs), `remotemedia_inputs` and
    `remotemedia_outputs` (port name to "audio", "text", "json", "tensor", "bytes" or "any").
    """

    is_streaming = False

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        self.name = name or type(self).__name__
        self.config = kwargs

    def initialize(self) -> Any:
        """Called once before the first packet: load models here."""

    @abstractmethod
    def process(self, data: Any) -> Any:
        """Takes one packet's value and gives what becomes of it."""

    def cleanup(self) -> Any:
        """Called last, also after an error."""
