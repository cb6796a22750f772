"""A calculator."""

from __future__ import annotations

from typing import Any, Literal

from remotemedia.core.exceptions import InvalidInputError
from remotemedia.core.node import Node

Operation = Literal["add", "subtract", "multiply", "divide", "power", "modulo"]


class CalculatorNode(Node):
    """Computes what its input asks for.

    A number (or a list of numbers) is computed with the params: `operation` with the number on the left and `operand` on
    the right; what cannot be computed raises. A dict `{"operation", "args"}`, or `{"operation", "operands"}`, is computed
    from left to right and answered with a dict that has `result`, or `error` where there is none.
    """

    remotemedia_stateless = True

    def __init__(self, operation: Operation = "add", operand: float = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operation = operation
        self.operand = operand
        if operation not in self.get_supported_operations():
            raise ValueError(f"operation {operation!r} must be one of {', '.join(self.get_supported_operations())}")

    def get_supported_operations(self) -> list[str]:
        """The names of operations."""
        return ["add", "subtract", "multiply", "divide", "power", "modulo"]

    def process(self, data: Any) -> Any:
        """A number for a number, a list for a list, a dict for a dict."""
        if isinstance(data, dict):
            return self._answer(data)
        if isinstance(data, list):
            return [self._number(item) for item in data]
        return self._number(data)

    def _number(self, value: Any) -> Any:
        if not isinstance(value, (int, float)):
            raise InvalidInputError(f"takes numbers, lists of them, or dicts, got {type(value).__name__}")
        return _compute(self.operation, value, self.operand)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        who = f"CalculatorNode[{self.name}]"
        name = next((name for name in ("args", "operands") if name in request), None)
        if name is None or "operation" not in request:
            error = "Input must contain 'operation' and 'args' (or 'operands') keys"
            return {"error": error, "input": request, "processed_by": who}
        operation, numbers = request["operation"], request[name]
        answer = {"operation": operation, name: numbers, "processed_by": who}
        try:
            if not isinstance(numbers, (list, tuple)) or len(numbers) < 2:
                raise ValueError(f"Operation '{operation}' requires at least 2 arguments")
            result = numbers[0]
            for number in numbers[1:]:
                result = _compute(operation, result, number)
        except (ValueError, TypeError, ArithmeticError) as error:
            return {"error": str(error), **answer}
        return {**answer, "result": result, "node_config": self.config}


def _compute(operation: str, left: Any, right: Any) -> Any:
    if operation == "add":
        return left + right
    if operation == "subtract":
        return left - right
    if operation == "multiply":
        return left * right
    if operation == "power":
        return left**right
    if operation == "divide":
        if right == 0:
            raise ValueError("Division by zero")
        return left / right
    if operation == "modulo":
        if right == 0:
            raise ValueError("Modulo by zero")
        return left % right
    raise ValueError(f"Unknown operation: {operation}")
