"""Words that the rest of the package shares."""

from __future__ import annotations

from typing import Any, Final, TypeAlias


class _Sentinel:
    """The only value of its type."""

    def __repr__(self) -> str:
        return "<end of stream>"

    def __reduce__(self) -> str:
        return "_SENTINEL"


#: Marks the end of a stream where None is a value.
_SENTINEL: Final = _Sentinel()

#: A manifest as JSON has it.
Manifest: TypeAlias = dict[str, Any]

#: What `runtime_hint` may say; the second line are other names of the first.
RUNTIME_HINTS: Final = (
    "auto", "native", "wasm", "cpython", "cpython_wasm",
    "rust", "python", "rustpython", "rust_python",
)  # fmt: skip

#: The hints with which a node that there is natively too runs natively.
NATIVE_HINTS: Final = ("auto", "native", "rust")
