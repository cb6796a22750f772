"""Reads what a node class says about itself: params from the signature of its constructor, ports from its class
attributes. It creates no instance."""

import inspect
import json
import types
import typing


class Unfit(Exception):
    """A class that cannot be a node, and why."""

    remotemedia_plain = True


_KINDS = ("audio", "text", "json", "tensor", "bytes", "any")
_SIMPLE = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    dict: {"type": "object"},
    type(None): {"type": "null"},
}


def _schema(annotation):
    """The JSON Schema of an annotation; {} (anything) where JSON has no word for it."""
    if isinstance(annotation, type) and annotation in _SIMPLE:
        return dict(_SIMPLE[annotation])
    if annotation is None:
        return {"type": "null"}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is typing.Annotated:
        return _schema(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return _either([_schema(argument) for argument in arguments])
    if origin is list and arguments:
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict and len(arguments) == 2:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    return dict(_SIMPLE.get(origin, {}))


def _either(schemas):
    if {} in schemas:
        return {}
    names = [schema.get("type") for schema in schemas]
    if all(len(schema) == 1 for schema in schemas) and all(isinstance(name, str) for name in names):
        return {"type": names}
    return {"anyOf": schemas}


def _is_json(value):
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _signature(cls):
    try:
        return inspect.signature(cls, eval_str=True)
    except (NameError, SyntaxError, TypeError, AttributeError):
        return inspect.signature(cls)


def _params_schema(cls):
    properties, required, open_ended = {}, [], False
    for parameter in _signature(cls).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            open_ended = True
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            if parameter.default is parameter.empty:
                raise Unfit(f"{cls.__qualname__} takes `{parameter.name}` by position only; params are named")
            continue
        schema = {} if parameter.annotation is parameter.empty else _schema(parameter.annotation)
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif _is_json(parameter.default):
            if parameter.default is None and schema and "null" not in schema.get("type", ()):
                schema = _either([schema, {"type": "null"}])
            schema = {**schema, "default": parameter.default}
        properties[parameter.name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": open_ended,
    }


def _ports(cls, attribute, fallback):
    ports = getattr(cls, attribute, None)
    if ports is None:
        return [[fallback, "any"]]
    if not isinstance(ports, dict) or not all(isinstance(name, str) and kind in _KINDS for name, kind in ports.items()):
        raise Unfit(f"{cls.__qualname__}.{attribute} must map port names to one of {', '.join(_KINDS)}: {ports!r}")
    return [[name, kind] for name, kind in ports.items()]


def describe(cls):
    """Everything a descriptor holds but the node type."""
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise Unfit(f"{cls.__qualname__} is abstract: it does not define {missing}")
    outputs = _ports(cls, "remotemedia_outputs", "out")
    if len(outputs) > 1:
        raise Unfit(f"{cls.__qualname__}.remotemedia_outputs: a Python node has one output port")
    module = inspect.getmodule(cls)
    doc = (inspect.getdoc(cls) or "").strip()
    return {
        "version": str(getattr(module, "__version__", "0")),
        "summary": doc.splitlines()[0] if doc else "",
        "inputs": _ports(cls, "remotemedia_inputs", "in"),
        "outputs": outputs,
        "params_schema": _params_schema(cls),
        "stateless": getattr(cls, "remotemedia_stateless", False) is True,
        "heavy": getattr(cls, "remotemedia_heavy", False) is True,
    }
