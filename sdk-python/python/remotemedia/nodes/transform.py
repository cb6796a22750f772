"""Transformations that are given as functions, and two nodes that leave data as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from remotemedia.core.node import Node


class DataTransform(Node):
    """Gives back what it gets: a place for a subclass's `process`."""

    remotemedia_stateless = True

    def process(self, data: Any) -> Any:
        """`data` itself."""
        return data


class FormatConverter(Node):
    """Gives back what it gets; `target_format` is kept for subclasses. For sample formats use `FormatConverterNode`."""

    remotemedia_stateless = True
    # The bare name is the native node's that converts sample formats.
    remotemedia_type: ClassVar[str | None] = "remotemedia.nodes.transform:FormatConverter"

    def __init__(self, target_format: str = "json", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_format = target_format

    def process(self, data: Any) -> Any:
        """`data` itself."""
        return data


class TextTransformNode(Node):
    """Puts a text, or the text at the start of a tuple, through a function. Other data passes as it is."""

    def __init__(self, transform_func: Callable[[str], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not callable(transform_func):
            raise TypeError(f"transform_func must be a function of a text, not a {type(transform_func).__name__}")
        self.transform_func = transform_func

    def process(self, data: Any) -> Any:
        """What the function makes of the text."""
        if isinstance(data, str):
            return self.transform_func(data)
        if isinstance(data, tuple) and data and isinstance(data[0], str):
            return (self.transform_func(data[0]), *data[1:])
        return data
