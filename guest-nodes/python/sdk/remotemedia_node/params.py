"""A node's params as a dataclass: the JSON Schema that users see is derived from its fields, and the JSON object of a
manifest is checked against them."""

import dataclasses
import json
import math
import types
import typing

from remotemedia_node.errors import NodeError

_BOUNDS = {"minimum": "minimum", "maximum": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"}
_SIMPLE = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def param(default=dataclasses.MISSING, *, description="", minimum=None, maximum=None, above=None, below=None):
    """A field of a params dataclass; without a default the manifest must give it. The bounds are for numbers:
    `minimum` and `maximum` may be reached, `above` and `below` may not."""
    bounds = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    metadata = {"description": description, "bounds": {name: at for name, at in bounds.items() if at is not None}}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def schema(params):
    """The JSON Schema (2020-12) of a params dataclass; of None, of a node without params."""
    if params is None:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    hints, properties, required = typing.get_type_hints(params), {}, []
    for field in dataclasses.fields(params):
        described = _schema(hints[field.name])
        for name, at in field.metadata.get("bounds", {}).items():
            described[_BOUNDS[name]] = at
        if field.metadata.get("description"):
            described["description"] = field.metadata["description"]
        if field.default is not dataclasses.MISSING:
            described["default"] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            described["default"] = field.default_factory()
        else:
            required.append(field.name)
        properties[field.name] = described
    described = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    json.dumps(described, allow_nan=False)
    return described


def _schema(kind):
    if kind in _SIMPLE:
        return {"type": _SIMPLE[kind]}
    if kind is type(None):
        return {"type": "null"}
    if dataclasses.is_dataclass(kind):
        return schema(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(argument) for argument in arguments]}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if kind is typing.Any:
        return {}
    raise TypeError(f"a param cannot be of type {kind}: use bool, int, float, str, list, dict, Literal, Optional or a dataclass")


def parse(params, text):
    """The params object of a manifest's JSON.

    Raises `NodeError` (invalid params) that names the field.
    """
    given = json.loads(text)
    if not isinstance(given, dict):
        raise NodeError.invalid_params(f"params are {_shown(given)}, must be an object")
    if params is None:
        if given:
            raise NodeError.invalid_params(f"params: unknown field `{next(iter(given))}`, this node has no params")
        return None
    return _dataclass(params, given, "params")


def _dataclass(params, given, where):
    fields = {field.name: field for field in dataclasses.fields(params) if field.init}
    hints = typing.get_type_hints(params)
    for name in given:
        if name not in fields:
            there_is = ", ".join(f"`{known}`" for known in fields) or "none"
            raise NodeError.invalid_params(f"{where}: unknown field `{name}`, there is: {there_is}")
    values = {}
    for name, field in fields.items():
        if name in given:
            values[name] = _value(hints[name], given[name], name)
            _check_bounds(name, values[name], field.metadata.get("bounds", {}))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise NodeError.invalid_params(f"{where}: missing field `{name}`")
    return params(**values)


def _check_bounds(name, value, bounds):
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not bounds:
        return
    fits = (
        value >= bounds.get("minimum", -math.inf)
        and value <= bounds.get("maximum", math.inf)
        and value > bounds.get("above", -math.inf)
        and value < bounds.get("below", math.inf)
    )
    if not fits:
        raise NodeError.invalid_params(f"{name} is {value:g}, must be {_range(bounds)}")


def _range(bounds):
    if set(bounds) == {"minimum", "maximum"}:
        return f"from {bounds['minimum']:g} to {bounds['maximum']:g}"
    words = {"minimum": "at least", "maximum": "at most", "above": "above", "below": "below"}
    return " and ".join(f"{words[name]} {at:g}" for name, at in bounds.items())


def _value(kind, value, where):
    """`value`, proven to be of `kind`; whole numbers pass as floats and become floats."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is typing.Any:
        return value
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind in _SIMPLE and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind is type(None) and value is None:
        return None
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _dataclass(kind, value, where)
    if origin is typing.Literal and any(value == known and type(value) is type(known) for known in arguments):
        return value
    if origin is list and isinstance(value, list):
        return [_value(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: _value(arguments[1], item, f"{where}.{name}") for name, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            try:
                return _value(argument, value, where)
            except NodeError:
                continue
    raise NodeError.invalid_params(f"{where} is {_shown(value)}, must be {_wanted(kind)}")


def _wanted(kind):
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(json.dumps(known) for known in arguments)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_wanted(argument) for argument in arguments)
    if kind is type(None):
        return "null"
    return names.get(kind) or names.get(typing.get_origin(kind)) or "an object"


def _shown(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
