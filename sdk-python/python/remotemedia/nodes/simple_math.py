"""Arithmetic with a constant. Integers stay integers when the constant is one."""

from __future__ import annotations

from typing import Any

from remotemedia.core.node import Node


class MultiplyNode(Node):
    """Multiplies a number, or every number of a list, by `factor`."""

    remotemedia_stateless = True

    def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def process(self, data: Any) -> Any:
        """The product."""
        return [item * self.factor for item in data] if isinstance(data, list) else data * self.factor


class AddNode(Node):
    """Adds `addend` to a number, or to every number of a list."""

    remotemedia_stateless = True

    def __init__(self, addend: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.addend = addend

    def process(self, data: Any) -> Any:
        """The sum."""
        return [item + self.addend for item in data] if isinstance(data, list) else data + self.addend
