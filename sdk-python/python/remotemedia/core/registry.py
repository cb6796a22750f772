"""Node types that a program names itself, for manifests: `@register_node("Denoiser")`. It knows classes, and makes none."""

from __future__ import annotations

from typing import Any

from remotemedia.core.exceptions import ConfigurationError

_registered: dict[str, dict[str, Any]] = {}


def register(node_type: str, node_class: type, **about: Any) -> dict[str, Any]:
    """Lets manifests call `node_class` by `node_type`, and returns what is known about it.

    A name may be registered again, as notebooks do. A name of `remotemedia.nodes` raises `ConfigurationError`.
    """
    if not isinstance(node_class, type) or not callable(getattr(node_class, "process", None)):
        raise TypeError(f"node type {node_type!r}: a node is a class with a method `process`, not {node_class!r}")
    if not isinstance(node_type, str) or not node_type or ":" in node_type:
        raise ConfigurationError(f"node type {node_type!r} must be a name without `:`")
    from remotemedia import nodes

    if node_type in nodes.__all__:
        raise ConfigurationError(f"node type {node_type!r} is that of a class in remotemedia.nodes; choose another name")
    python_class = f"{node_class.__module__}.{node_class.__qualname__}"
    info = {"node_type": node_type, "python_class": python_class, "class": node_class, **about}
    _registered[node_type] = info
    return dict(info)


def registered() -> dict[str, dict[str, Any]]:
    """What is known about every registered type, by its name."""
    return {node_type: dict(info) for node_type, info in _registered.items()}


def class_of(node_type: str) -> type | None:
    """The class that was registered, or None."""
    info = _registered.get(node_type)
    return None if info is None else info["class"]


def forget(node_type: str) -> bool:
    """Takes the name back. False when it was not registered."""
    return _registered.pop(node_type, None) is not None
