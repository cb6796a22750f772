"""Runs Python code that comes with the data. The code may do whatever this process may: use it with your own code only."""

from __future__ import annotations

import builtins
import importlib
from typing import Any

from remotemedia.core.node import Node

_BUILTINS = (
    "abs bool chr dict enumerate float getattr hasattr int isinstance len list max min ord print range reversed round "
    "set setattr sorted str sum tuple zip"
).split()


class CodeExecutorNode(Node):
    """INSECURE: executes `{"code", "input"}` and answers with the value that the code gave the variable `result`.

    The code sees `input_data`, few builtins, and modules as they are allowed. That keeps mistakes away, not attackers.
    """

    def __init__(
        self,
        code: str | None = None,
        input_data: Any = None,
        enable_safe_imports: bool = False,
        enable_pickle: bool = False,
        enable_cloudpickle: bool = False,
        allowed_modules: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """`code` and `input_data` are used where the input has none. `enable_safe_imports` gives math, json and base64,
        and what the three parameters after it add."""
        super().__init__(**kwargs)
        self.default_code = code
        self.default_input_data = input_data
        self.enable_safe_imports = enable_safe_imports
        self.enable_pickle = enable_pickle
        self.enable_cloudpickle = enable_cloudpickle
        self.allowed_modules: list[str] = list(allowed_modules or [])

    def process(self, data: Any) -> dict[str, Any]:
        """`{executed_code, input, result, processed_by, node_config}`, or a dict with `error`."""
        who = f"CodeExecutorNode[{self.name}]"
        if data is not None and not isinstance(data, dict):
            return {"error": "Input must be a dictionary or None", "input": data, "processed_by": who}
        request = data or {}
        code, value = request.get("code", self.default_code), request.get("input", self.default_input_data)
        if code is None:
            error = "Input must contain 'code' key or have default code configured"
            return {"error": error, "input": data, "processed_by": who}
        try:
            result = self._execute(code, value)
        except Exception as error:
            return {"error": str(error), "code": code, "input": value, "processed_by": who}
        return {
            "executed_code": code,
            "input": value,
            "result": result,
            "processed_by": who,
            "node_config": self.config,
        }

    def _execute(self, code: str, value: Any) -> Any:
        allowed = {name: getattr(builtins, name) for name in _BUILTINS}
        # One namespace: functions of the code see each other.
        names = {"__builtins__": allowed, **self._modules(), "input_data": value}
        exec(code, names)
        return names.get("result", "No result variable set")

    def _modules(self) -> dict[str, Any]:
        if not self.enable_safe_imports:
            return {}
        wanted = ["math", "json", "base64", *self.allowed_modules]
        wanted += ["pickle"] if self.enable_pickle else []
        wanted += ["cloudpickle"] if self.enable_cloudpickle else []
        return {name: importlib.import_module(name) for name in wanted}

    def get_security_info(self) -> dict[str, Any]:
        """What the code may use."""
        return {
            "security_level": "MINIMAL - INSECURE",
            "safe_imports_enabled": self.enable_safe_imports,
            "pickle_enabled": self.enable_pickle,
            "cloudpickle_enabled": self.enable_cloudpickle,
            "allowed_modules": self.allowed_modules,
            "warning": "This node executes arbitrary code and is NOT SECURE!",
        }
