"""Nodes that the native engine makes by itself. They run in mode `rust_inprocess_ffi` only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from remotemedia.core.arguments import to_json
from remotemedia.core.exceptions import PipelineError
from remotemedia.core.node import Node


class NativeNode(Node):
    """A native node by the type that manifests call it, with its params.

    `remotemedia nodes list` shows the types, `remotemedia nodes describe TYPE` the params. What enters it is converted:
    `(samples, rate)` becomes audio (float32), other arrays tensors, texts, bytes, and what JSON can say. A value that is
    none of these is an error that names its type.
    """

    def __init__(self, node_type: str, /, *, name: str | None = None, **params: Any) -> None:
        if not isinstance(node_type, str) or not node_type:
            raise TypeError(f"node_type must be a string that is not empty, got {node_type!r}")
        super().__init__(name=name or node_type)
        self.node_type = node_type
        self.params = params
        #: Further fields of the manifest's entry: permissions, limits, timeout_ms, fallback.
        self.options: dict[str, Any] = {}

    def _extract_params(self) -> dict[str, Any]:
        return dict(self.params)

    def _native_entry(self) -> dict[str, Any] | None:
        params = to_json(self.params, f"{self.name}.params")
        return {"node_type": self.node_type, "params": params, "runtime_hint": "native", **self.options}

    def to_manifest(self, include_capabilities: bool = True) -> dict[str, Any]:
        """The manifest's entry of the native node."""
        return self._native_entry() or {}

    def initialize(self) -> Any:
        """Refuses: only the engine can run it."""
        raise PipelineError(f"{self.node_type} is native: it needs mode 'rust_inprocess_ffi'")

    def process(self, data: Any) -> Any:
        """Refuses too."""
        return self.initialize()


class WasmNode(NativeNode):
    """A WebAssembly component with its params, sandboxed: `WasmNode("tremolo.wasm", rate_hz=5)`.

    Its node type is the name of the file unless `node_type` says another; with `sha256` any other content of the file is
    refused. It may use what the operator's policy grants.
    """

    def __init__(
        self,
        component: str | os.PathLike[str],
        /,
        *,
        node_type: str | None = None,
        sha256: str | None = None,
        name: str | None = None,
        **params: Any,
    ) -> None:
        if not isinstance(component, (str, os.PathLike)):
            raise TypeError(f"component must be the path of a file, not a {type(component).__name__}")
        path = Path(component)
        super().__init__(node_type or path.stem, name=name, **params)
        if not path.is_file():
            raise FileNotFoundError(f"there is no component {path}")
        self.component: Path = path.resolve()
        self.sha256 = sha256

    def _native_entry(self) -> dict[str, Any] | None:
        params = to_json(self.params, f"{self.name}.params")
        path = str(self.component)
        component = path if self.sha256 is None else {"path": path, "sha256": self.sha256}
        return {"node_type": self.node_type, "component": component, "params": params, **self.options}
