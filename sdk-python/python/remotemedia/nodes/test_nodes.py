"""Small nodes that give several outputs, or none, or fail: for trying out pipelines. They need no numpy.

Where a dict is meant its key "value" is. The names are what manifests call them: they are no tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from remotemedia.core.node import Node

__all__ = [
    "BatcherNode",
    "ChainedTransformNode",
    "ConditionalExpanderNode",
    "CounterNode",
    "ErrorProneNode",
    "ExpanderNode",
    "FilterNode",
    "RangeGeneratorNode",
    "TransformAndExpandNode",
]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


class ExpanderNode(Node):
    """Gives `expansion_factor` outputs per item: of {"value": v} the dicts {"value": v + i, "index": i}, of a number v the
    numbers v + i, of anything else the texts "item_i"; i counts from 0."""

    def __init__(self, expansion_factor: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.expansion_factor = expansion_factor

    def process(self, data: Any) -> Iterator[Any]:
        """Yields the outputs."""
        for index in range(self.expansion_factor):
            if isinstance(data, dict) and "value" in data:
                yield {"value": data["value"] + index, "index": index}
            else:
                yield data + index if _is_number(data) else f"{data}_{index}"


class FilterNode(Node):
    """Passes numbers, and dicts whose value is one, that are at least `min_value`; drops everything else."""

    def __init__(self, min_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_value = min_value

    def process(self, data: Any) -> Any:
        """`data` or None."""
        value = data.get("value", 0) if isinstance(data, dict) else data
        return data if _is_number(value) and value >= self.min_value else None


class BatcherNode(Node):
    """Gives {"batch": a list of `batch_size` items, "size": its length}; what is left at the end is a smaller batch."""

    def __init__(self, batch_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size} must be at least 1")
        self.batch_size = batch_size
        self.buffer: list[Any] = []

    def process(self, data: Any) -> dict[str, Any] | None:
        """The batch that `data` completes, or None."""
        self.buffer.append(data)
        return self.flush() if len(self.buffer) >= self.batch_size else None

    def reset(self) -> None:
        """Forgets what waits."""
        self.buffer = []

    def flush(self) -> dict[str, Any] | None:
        """What is left."""
        batch, self.buffer = self.buffer, []
        return {"batch": batch, "size": len(batch)} if batch else None


class RangeGeneratorNode(Node):
    """Gives {"value": n} for every n of a range: {"start": 0, "end": 10, "step": 1} with these defaults, or the end."""

    def process(self, data: Any) -> Iterator[dict[str, int]]:
        """Yields the dicts."""
        if isinstance(data, dict):
            numbers = range(data.get("start", 0), data.get("end", 10), data.get("step", 1))
        else:
            numbers = range(int(data))
        for number in numbers:
            yield {"value": number}


_TRANSFORMS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "reverse": lambda text: text[::-1],
    "double": lambda text: text * 2,
}


class TransformAndExpandNode(Node):
    """Gives {"text", "transform"} for each of `transforms`: "upper", "lower" and "reverse" by default; there is "double"."""

    def __init__(self, transforms: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transforms: list[str] = list(transforms or ("upper", "lower", "reverse"))
        for name in self.transforms:
            if name not in _TRANSFORMS:
                raise ValueError(f"transforms: {name!r} must be one of {', '.join(_TRANSFORMS)}")

    def process(self, data: Any) -> Iterator[dict[str, str]]:
        """Yields what becomes of the text of `data`."""
        for name in self.transforms:
            yield {"text": _TRANSFORMS[name](str(data)), "transform": name}


class CounterNode(Node):
    """Gives {"count", "input"} per item; the count goes on from `initial_count`."""

    def __init__(self, initial_count: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count: int = initial_count

    def process(self, data: Any) -> dict[str, Any]:
        """The number of this item, and the item."""
        self.count += 1
        return {"count": self.count, "input": data}


class ConditionalExpanderNode(Node):
    """Gives as many {"original", "index", "count"} as the value of the item says: its whole part without sign, at most 10;
    none for what is no number."""

    def process(self, data: Any) -> Iterator[dict[str, Any]]:
        """Yields the dicts."""
        value = data.get("value", 0) if isinstance(data, dict) else data if _is_number(data) else 0
        count = int(min(abs(value), 10))
        for index in range(count):
            yield {"original": value, "index": index, "count": count}


class ChainedTransformNode(Node):
    """Gives the stages of (2·value + 10)²: {"stage": 1, "value": 2·value}, {"stage": 2, …} and {"stage": 3, …, "final": True};
    only the last one with `emit_intermediates=False`. What is no number counts as 0."""

    def __init__(self, emit_intermediates: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.emit_intermediates = emit_intermediates

    def process(self, data: Any) -> Iterator[dict[str, Any]]:
        """Yields the stages."""
        value = data.get("value", 0) if isinstance(data, dict) else data if _is_number(data) else 0
        doubled = value * 2
        if self.emit_intermediates:
            yield {"stage": 1, "value": doubled}
            yield {"stage": 2, "value": doubled + 10}
        yield {"stage": 3, "value": (doubled + 10) ** 2, "final": True}


class ErrorProneNode(Node):
    """Raises `ValueError` for the value `error_on_value`, and gives {"value", "status": "ok"} for every other one."""

    def __init__(self, error_on_value: float = -1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_on_value = error_on_value

    def process(self, data: Any) -> dict[str, Any]:
        """The value and its status."""
        value = data.get("value", 0) if isinstance(data, dict) else data
        if value == self.error_on_value:
            raise ValueError(f"Error triggered by value: {value}")
        return {"value": value, "status": "ok"}
