"""The texts of manifests: JSON, and YAML where PyYAML is installed. Both are read as the host reads them: strictly (no field
twice, no number that JSON has not), and in bounded work."""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

from remotemedia.core.exceptions import ManifestError

#: Most values of a manifest, counted where aliases of YAML repeat them.
_MOST_VALUES = 1_000_000


def read_json(text: str, where: str) -> dict[str, Any]:
    """The object in a JSON text; `where` is what errors call it."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON: {error}") from error
    return _checked(value, where)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} appears twice in one object")
    return fields


def _no_number(text: str) -> float:
    raise ValueError(f"JSON has no {text}")


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """The object in a YAML text, by YAML 1.2: `yes` and dates are texts. Raises `ImportError` without PyYAML."""
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        raise ImportError(f"{where} is YAML, which needs PyYAML: pip install pyyaml, or write JSON ({error})") from error
    try:
        value = _copied(yaml.load(text, Loader=_loader()), _Budget())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not YAML: {error}") from error
    return _checked(value, where)


def _checked(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ManifestError(f"{where}: a manifest is an object, not a {type(value).__name__}")
    return value


class _Budget:
    def __init__(self) -> None:
        self.values = 0

    def take(self) -> None:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES} values in one manifest")


def _copied(value: Any, budget: _Budget) -> Any:
    """`value` with a copy in the place of each alias."""
    budget.take()
    if isinstance(value, dict):
        return {key: _copied(item, budget) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, budget) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"JSON has no {type(value).__name__}")


@functools.cache
def _loader() -> Any:
    """PyYAML's safe loader, with the plain scalars of YAML 1.2 in the place of those of 1.1."""
    yaml: Any = importlib.import_module("yaml")
    tag = "tag:yaml.org,2002:"

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, Any] = {}

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            return super().construct_object(node, deep=True)

    def fields(loader: Any, node: Any) -> Iterator[dict[str, Any]]:
        mapping: dict[str, Any] = {}
        yield mapping  # an alias inside it means itself
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"line {key.start_mark.line + 1}: the name of a field is a text")
            if key.value in mapping:
                raise ValueError(f"line {key.start_mark.line + 1}: the field {key.value!r} appears twice in one object")
            mapping[key.value] = loader.construct_object(item)

    def integer(_: Any, node: Any) -> int:
        text = node.value
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)

    def real(_: Any, node: Any) -> float:
        if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", node.value):
            raise ValueError(f"JSON has no {node.value}")
        return float(node.value)

    for name, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
        (
            "float",
            r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
            list("-+0123456789."),
        ),
    ):
        Loader.add_implicit_resolver(tag + name, re.compile(rf"(?:{pattern})\Z"), first)
    Loader.add_constructor(tag + "map", fields)
    Loader.add_constructor(tag + "int", integer)
    Loader.add_constructor(tag + "float", real)
    return Loader
