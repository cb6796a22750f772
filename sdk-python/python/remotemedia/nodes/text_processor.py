"""Simple operations on text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remotemedia.core.node import Node

_OPERATIONS: dict[str, Callable[[str], Any]] = {
    "uppercase": str.upper,
    "lowercase": str.lower,
    "reverse": lambda text: text[::-1],
    "word_count": lambda text: len(text.split()),
    "char_count": len,
    "title_case": str.title,
    "remove_spaces": lambda text: text.replace(" ", ""),
    "first_word": lambda text: (text.split() or [""])[0],
    "last_word": lambda text: (text.split() or [""])[-1],
}


class TextProcessorNode(Node):
    """Answers `{"text", "operations": [names]}` with a dict that has each operation's result under `results`.

    An operation that there is not has `"Unknown operation: …"` as its result.
    """

    remotemedia_stateless = True

    def get_supported_operations(self) -> list[str]:
        """The names of operations."""
        return list(_OPERATIONS)

    def process(self, data: Any) -> dict[str, Any]:
        """`{original_text, operations, results, processed_by, node_config}`, or a dict with `error`."""
        who = f"TextProcessorNode[{self.name}]"
        if not isinstance(data, dict):
            return {"error": "Input must be a dictionary", "input": data, "processed_by": who}
        text, operations = data.get("text"), data.get("operations")
        if not isinstance(text, str) or not isinstance(operations, list):
            return {
                "error": "Input must contain 'text' (a string) and 'operations' (a list)",
                "input": data,
                "processed_by": who,
            }
        results = {
            str(name): _OPERATIONS[name](text) if name in _OPERATIONS else f"Unknown operation: {name}"
            for name in operations
        }
        return {
            "original_text": text,
            "operations": operations,
            "results": results,
            "processed_by": who,
            "node_config": self.config,
        }
