"""The decorators by which classes get names for manifests. Their nodes run in this process, as all do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from remotemedia.core import registry
from remotemedia.core.exceptions import UnknownNodeError

__all__ = ["get_node_class", "get_node_requirements", "list_registered_nodes", "python_requires", "register_node"]

C = TypeVar("C", bound=type)


def register_node(node_type: str) -> Callable[[C], C]:
    """A decorator: manifests may call the class `node_type`."""

    def decorate(node_class: C) -> C:
        registry.register(node_type, node_class)
        return node_class

    return decorate


def python_requires(deps: Sequence[str]) -> Callable[[C], C]:
    """A decorator that notes which packages a class needs, as pip has them. Nothing is installed."""

    def decorate(node_class: C) -> C:
        node_class.__python_requires__ = list(deps)  # type: ignore[attr-defined]
        return node_class

    return decorate


def get_node_class(node_type: str) -> type:
    """The class registered under that name. Raises `UnknownNodeError`, a `KeyError`."""
    found = registry.class_of(node_type)
    if found is None:
        raise UnknownNodeError(f"no node type {node_type!r} is registered")
    return found


def list_registered_nodes() -> list[str]:
    """The registered names, sorted."""
    return sorted(registry.registered())


def get_node_requirements(node_type: str) -> list[str]:
    """The packages that a registered class was noted to need."""
    return list(getattr(get_node_class(node_type), "__python_requires__", []))


def __getattr__(name: str) -> Any:
    if name == "MultiprocessNode":
        raise ImportError(
            "there are no nodes in processes of their own in this version: derive from remotemedia.Node; its `process` takes "
            "values as they are, audio as (samples, sample_rate)"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
