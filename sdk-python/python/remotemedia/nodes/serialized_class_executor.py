"""Calls methods of objects that come with the data, pickled. Unpickling runs code: use it with your own data only."""

from __future__ import annotations

import base64
from typing import Any

from remotemedia.core.node import Node


class SerializedClassExecutorNode(Node):
    """INSECURE: answers `{"serialized_object", "method_name", "method_args", "method_kwargs"}` with the method's result
    and the object as it is then. Objects are base64 of cloudpickle, which must be installed."""

    def process(self, data: Any) -> dict[str, Any]:
        """`{result, updated_serialized_object, processed_by}`, or a dict with `error`."""
        who = f"SerializedClassExecutorNode[{self.name}]"
        if not isinstance(data, dict):
            return {"error": "Input must be a dictionary", "input": data, "processed_by": who}
        for key in ("serialized_object", "method_name"):
            if key not in data:
                return {"error": f"Input must contain '{key}' key", "input": data, "processed_by": who}
        import cloudpickle

        name = data["method_name"]
        try:
            subject = cloudpickle.loads(base64.b64decode(data["serialized_object"]))
            method = getattr(subject, name)
            result = method(*data.get("method_args") or [], **data.get("method_kwargs") or {})
            updated = base64.b64encode(cloudpickle.dumps(subject)).decode("ascii")
        except Exception as error:
            return {"error": str(error), "error_type": type(error).__name__, "method_name": name, "processed_by": who}
        return {"result": result, "updated_serialized_object": updated, "processed_by": who}
