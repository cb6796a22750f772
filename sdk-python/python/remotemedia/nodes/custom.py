"""Nodes with state, as examples."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from remotemedia.core.node import Node


class StatefulCounter(Node):
    """Counts the items of its stream: yields `(n,)` for each, from `initial_value` + 1."""

    is_streaming = True

    def __init__(self, initial_value: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value: int = initial_value

    async def process(self, data: Any) -> AsyncGenerator[tuple[int], None]:
        """`data` is the stream of items."""
        async for _ in data:
            self.value += 1
            yield (self.value,)
