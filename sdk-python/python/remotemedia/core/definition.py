"""Pipelines as data: manifests (version 1), and the older export format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from os import PathLike
from pathlib import Path
from typing import Any

from remotemedia.core.exceptions import ManifestError
from remotemedia.core.graph import Edge, Graph
from remotemedia.core.lookup import node_of
from remotemedia.core.node import Node
from remotemedia.core.syntax import read_json, read_yaml

MOST_MANIFEST_BYTES = 16 * 2**20


def to_manifest(graph: Graph, name: str, include_capabilities: bool, description: str | None) -> dict[str, Any]:
    """The manifest of `graph`."""
    metadata: dict[str, Any] = {"name": name}
    if description is not None and not isinstance(description, str):
        raise TypeError(f"description must be a string, not a {type(description).__name__}")
    if description is not None:
        metadata["description"] = description
    metadata["created_at"] = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "version": "v1",
        "metadata": metadata,
        "nodes": [
            {"id": node_id, **node.to_manifest(include_capabilities=include_capabilities)}
            for node, node_id in zip(graph.nodes, graph.ids, strict=True)
        ],
        "connections": [
            {
                "from": graph.ids[edge.source],
                "to": graph.ids[edge.target] + (f".{edge.port}" if edge.port is not None else ""),
            }
            for edge in graph.edges
        ],
    }


def read_manifest(source: Mapping[str, Any] | str | PathLike[str]) -> tuple[dict[str, Any], Path | None]:
    """(manifest, its folder) of a dict, a JSON or YAML text, or the path of such a file (YAML by its suffix).

    A text is told from a path by a `{` at its begin, or by the end of a line.
    """
    if isinstance(source, Mapping):
        return dict(source), None
    if isinstance(source, str) and (source.lstrip()[:1] == "{" or "\n" in source):
        return parsed(source, "manifest"), None
    if not isinstance(source, (str, PathLike)):
        raise TypeError(f"a manifest is a path, a JSON or YAML text, or a dict, not a {type(source).__name__}")
    path = Path(source)
    try:
        if path.stat().st_size > MOST_MANIFEST_BYTES:
            raise ManifestError(f"{path}: larger than {MOST_MANIFEST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8: {error}") from error
    read = read_yaml if path.suffix in (".yaml", ".yml") else read_json
    return read(text, str(path)), path.resolve().parent


def parsed(text: str, where: str) -> dict[str, Any]:
    """The manifest in a JSON or YAML text; `where` is what errors call it."""
    is_yaml = text.lstrip()[:1] not in ("{", "[") and "\n" in text
    return read_yaml(text, where) if is_yaml else read_json(text, where)


class Parts:
    """Nodes, ids and edges of a manifest."""

    def __init__(self, manifest: Mapping[str, Any], folder: Path | None) -> None:
        faults: list[str] = []
        if manifest.get("version") != "v1":
            faults.append(f"$.version: must be \"v1\", not {manifest.get('version')!r}")
        metadata = manifest.get("metadata")
        self.name: Any = metadata.get("name") if isinstance(metadata, Mapping) else None
        if not isinstance(self.name, str) or not 1 <= len(self.name) <= 255:
            faults.append("$.metadata.name: must be a string of 1 to 255 characters")
        entries = _entries(manifest, "nodes", faults)
        if not entries:
            faults.append("$.nodes: there must be at least one node")
        self.ids: list[str] = _ids(entries, faults)
        self.edges: list[Edge] = self._edges(_entries(manifest, "connections", faults), faults)
        if faults:
            raise ManifestError("\n".join(faults))
        self.nodes: list[Node] = [node_of(entry, folder) for entry in entries]

    def _edges(self, entries: Sequence[Mapping[str, Any]], faults: list[str]) -> list[Edge]:
        edges = []
        for number, entry in enumerate(entries):
            ends: list[tuple[int, str | None]] = []
            for field in ("from", "to"):
                said = entry.get(field)
                node_id, _, port = said.partition(".") if isinstance(said, str) else ("", "", "")
                if node_id in self.ids:
                    ends.append((self.ids.index(node_id), port or None))
                else:
                    faults.append(f"$.connections[{number}].{field}: there is no node {said!r}")
            if len(ends) == 2:
                edges.append(Edge(ends[0][0], ends[1][0], ends[1][1]))
        return edges


def _entries(manifest: Mapping[str, Any], field: str, faults: list[str]) -> list[Mapping[str, Any]]:
    entries = manifest.get(field)
    if isinstance(entries, list) and all(isinstance(entry, Mapping) for entry in entries):
        return entries
    faults.append(f"$.{field}: must be a list of objects")
    return []


def _ids(entries: Sequence[Mapping[str, Any]], faults: list[str]) -> list[str]:
    ids: list[str] = []
    for number, entry in enumerate(entries):
        node_id, node_type = entry.get("id"), entry.get("node_type")
        if not isinstance(node_id, str) or not node_id.replace("-", "_").replace("_", "a").isalnum():
            faults.append(f"$.nodes[{number}].id: must be letters, digits, `_` and `-`, not {node_id!r}")
        elif node_id in ids:
            faults.append(f"$.nodes[{number}].id: {node_id!r} is the id of another node too")
        if not isinstance(node_type, str):
            faults.append(f"$.nodes[{number}].node_type: must be a string, not {node_type!r}")
        if not isinstance(entry.get("params", {}), Mapping):
            faults.append(f"$.nodes[{number}].params: must be an object")
        ids.append(node_id if isinstance(node_id, str) else f"#{number}")
    return ids


def export(graph: Graph, name: str) -> dict[str, Any]:
    """The definition that `from_definition` reads."""
    nodes = []
    for node, node_id in zip(graph.nodes, graph.ids, strict=True):
        remote = node.remote_config
        nodes.append(
            {
                "node_id": node_id,
                "name": node.name,
                "node_type": type(node).__name__,
                "config": node._extract_params(),
                "is_remote": bool(node.is_remote),
                "remote_endpoint": f"{remote.host}:{remote.port}" if remote is not None else None,
                "is_streaming": bool(node.is_streaming),
                "is_source": bool(node.is_source),
                "is_sink": bool(node.is_sink),
                "module": type(node).__module__,
                "class_name": type(node).__qualname__,
            }
        )
    return {
        "name": name,
        "nodes": nodes,
        "connections": [
            {
                "from_node": graph.ids[edge.source],
                "to_node": graph.ids[edge.target],
                "output_port": "default",
                "input_port": edge.port or "default",
            }
            for edge in graph.edges
        ],
        "metadata": {"created_at": datetime.now(timezone.utc).isoformat(), "version": "v1"},
        "dependencies": sorted({type(node).__module__.partition(".")[0] for node in graph.nodes}),
    }


def manifest_of_export(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest that says what an export says."""
    if not isinstance(definition, Mapping):
        raise TypeError(f"a definition is a dict that export_definition() made, not a {type(definition).__name__}")
    if not isinstance(definition.get("nodes"), list):
        raise ManifestError("a definition is a dict with a list of nodes, as export_definition() makes it")
    nodes = []
    for number, entry in enumerate(definition["nodes"]):
        try:
            module, class_name = entry["module"], entry["class_name"]
            bundled = module.startswith("remotemedia.nodes")
            nodes.append(
                {
                    "id": entry["node_id"],
                    "node_type": class_name if bundled else f"{module}:{class_name}",
                    "params": entry.get("config") or {},
                    "is_streaming": entry.get("is_streaming", False),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"nodes[{number}] of the definition is not one: {error!r}") from error
    connections = []
    for link in definition.get("connections", []):
        port = link.get("input_port", "default")
        to = link["to_node"] if port == "default" else f"{link['to_node']}.{port}"
        connections.append({"from": link["from_node"], "to": to})
    name = definition.get("name") or "Pipeline"
    return {"version": "v1", "metadata": {"name": name}, "nodes": nodes, "connections": connections}


