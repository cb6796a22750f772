"""What a node was constructed with, and what of it a manifest can say."""

from __future__ import annotations

import inspect
import json
import math
from typing import Any

from remotemedia.core.exceptions import SerializationError

#: Parameters of the base class: part of the node, not of what its type computes.
BASE_PARAMETERS = frozenset({"name", "enable_state", "state_ttl", "max_sessions", "runtime_hint"})


def signature_of(node_class: type) -> inspect.Signature:
    """The signature of a class's constructor, its annotations evaluated where they can be."""
    constructor = node_class.__init__  # type: ignore[misc]
    try:
        signature = inspect.signature(constructor, eval_str=True)
    except (NameError, SyntaxError, TypeError, AttributeError):
        signature = inspect.signature(constructor)
    return signature.replace(parameters=list(signature.parameters.values())[1:], return_annotation=inspect.Signature.empty)


class ConstructorSignature:
    """A class attribute `__signature__` that tells `inspect` what the constructor takes, whatever `__new__` takes."""

    def __get__(self, instance: object | None, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        return signature_of(owner)


def params_of(node_class: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What the constructor was given, by name, defaults that JSON knows included, base parameters not.

    Arguments that went to `*args` are under the name of that parameter, as a list.
    """
    signature = signature_of(node_class)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        # The constructor takes something else than it says: what was named is what is known.
        return {name: value for name, value in kwargs.items() if name not in BASE_PARAMETERS}
    params: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = bound.arguments.get(name, {})
            params.update((key, value) for key, value in extra.items() if key not in BASE_PARAMETERS)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            if bound.arguments.get(name):
                params[name] = list(bound.arguments[name])
        elif name in BASE_PARAMETERS and parameter.default is not parameter.empty:
            continue
        elif name in bound.arguments:
            params[name] = bound.arguments[name]
        elif parameter.default is not None and _is_json(parameter.default):
            params[name] = parameter.default
    return params


def variable_positional(node_class: type, args: tuple[Any, ...]) -> str | None:
    """The name of the `*args` that swallowed arguments, which a manifest cannot pass on."""
    parameters = list(signature_of(node_class).parameters.values())
    for position, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_POSITIONAL and len(args) > position:
            return parameter.name
    return None


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def to_json(value: Any, path: str) -> Any:
    """`value` as JSON has it: tuples become lists, numpy's scalars numbers.

    Raises `SerializationError` that names the path and type of what has no JSON.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        raise SerializationError(f"{path}: JSON has no {value}")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise SerializationError(f"{path}: JSON objects have strings as keys, not {key!r}")
        return {key: to_json(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return to_json(value.item(), path)
    raise SerializationError(f"{path}: a {type(value).__qualname__} cannot be written into a manifest")
