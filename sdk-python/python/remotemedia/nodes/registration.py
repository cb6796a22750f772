"""Names for classes of your own in manifests, where `module:Class` does not reach them or is not wanted."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from remotemedia.core import registry
from remotemedia.core.exceptions import ConfigurationError, UnknownNodeError

__all__ = ["register_node_class", "register_python_node", "streaming_node"]

C = TypeVar("C", bound=type)


def register_node_class(
    cls: type,
    *,
    node_type: str | None = None,
    multi_output: bool = False,
    category: str | None = None,
    description: str | None = None,
    accepts: Sequence[str] | None = None,
    produces: Sequence[str] | None = None,
    inline: bool | None = None,
) -> dict[str, Any]:
    """Lets manifests call a class by its name, or by `node_type`; also classes of notebooks and functions.

    Returns {"node_type", "python_class", "class", "path": "inline", …}. What else is given is kept there: a node may give any
    number of outputs, and runs in this process, whatever it says.
    """
    return registry.register(
        node_type or str(getattr(cls, "__name__", "")),
        cls,
        path="inline",
        file_path=None,
        multi_output=multi_output,
        category=category,
        description=description or cls.__doc__,
        accepts=list(accepts or ()),
        produces=list(produces or ()),
    )


def streaming_node(node_type: str | None = None, **about: Any) -> Callable[[C], C]:
    """`register_node_class` as a decorator."""

    def decorate(cls: C) -> C:
        register_node_class(cls, node_type=node_type, **about)
        return cls

    return decorate


def register_python_node(
    file_path: str | os.PathLike[str],
    *,
    node_type: str | None = None,
    node_class: str | None = None,
    **about: Any,
) -> dict[str, dict[str, Any]]:
    """Runs a Python file and registers the nodes that it defines, or the one called `node_class`; of one node `node_type`
    may be another name. Returns what `register_node_class` does, by node type."""
    path = Path(file_path).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    name = f"_remotemedia_node_{path.stem}_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    found = {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == name and callable(getattr(value, "process", None))
    }
    if node_class is not None and node_class not in found:
        raise UnknownNodeError(f"{path} has no node {node_class!r}; it has {', '.join(found) or 'none'}")
    chosen = list(found.values()) if node_class is None else [found[node_class]]
    if not chosen:
        raise UnknownNodeError(f"{path} has no class with a method `process`")
    registered = {}
    for cls in chosen:
        info = register_node_class(cls, node_type=node_type if len(chosen) == 1 else None, **about)
        registered[info["node_type"]] = {**info, "file_path": str(path)}
    return registered
