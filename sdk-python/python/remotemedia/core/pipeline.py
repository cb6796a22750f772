"""Pipelines: nodes, how they are connected, and how they run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from os import PathLike
from types import TracebackType
from typing import Any

from remotemedia.core import definition, modes
from remotemedia.core.exceptions import ManifestError, PipelineError, UnknownNodeError
from remotemedia.core.graph import Edge, Graph
from remotemedia.core.metrics import Counters
from remotemedia.core.node import Node, id_of
from remotemedia.core.progress import Progress
from remotemedia.core.running import Running, session_of

After = Node | str | Iterable[Node | str] | Mapping[str, "After"]


class Pipeline:
    """Nodes that data flows through.

        result = await Pipeline([Resample(), Transcribe()]).run(audio)

    Nodes are added in a row, or with `after=` in any acyclic graph. `run` takes a list of items, or one item, and gives
    back None for no result, the bare result when there is one, else a list; where several nodes feed nothing, a dict of
    that by node id. A node that fails ends the run with `NodeError`; results of other items are then not returned.
    """

    def __init__(
        self,
        nodes: Iterable[Node] | None = None,
        name: str | None = None,
        enable_metrics: bool = False,
        *,
        mode: str | None = None,
    ) -> None:
        """`mode` is "python_cpu", "rust_inprocess_ffi", or None for what REMOTEMEDIA_RUNTIME_MODE says."""
        if name is not None and (not isinstance(name, str) or not 1 <= len(name) <= 255):
            raise TypeError(f"name must be a string of 1 to 255 characters, got {name!r}")
        if mode is not None:
            modes.checked(mode, "mode")
        if nodes is not None and (isinstance(nodes, (str, bytes)) or not isinstance(nodes, Iterable)):
            raise TypeError(f"nodes must be a list of nodes, not a {type(nodes).__name__}")
        self.name: str = name or "Pipeline"
        self.enable_metrics = enable_metrics
        self.mode = mode
        self._nodes: list[Node] = []
        self._present: set[int] = set()
        self._ids: dict[int, str] = {}
        self._edges: list[Edge] = []
        self._running: Running | None = None
        #: What runs without having been initialized before; several may at a time.
        self._at_work: list[Running] = []
        self._idle: Running | None = None
        self._counters: Counters | None = None
        for node in nodes or ():
            self.add_node(node)

    # Building

    def add_node(self, node: Node, *, after: After | None = None) -> Pipeline:
        """Adds `node` behind the node that was added last, or behind `after`, and returns the pipeline.

        `after` is a node or its name, several of them (what they give arrives in the order in which they were added),
        an empty list for a node that nothing feeds, or, for a node with several inputs, a dict from input to nodes.
        """
        if not isinstance(node, Node):
            raise PipelineError(f"add_node takes an instance of remotemedia.Node, not a {type(node).__name__}: {node!r}")
        if self._running is not None:
            raise PipelineError(f"node {node.name!r} cannot be added: the pipeline is initialized; call cleanup() first")
        if id(node) in self._present:
            raise PipelineError(f"node {node.name!r} is in this pipeline already; make another instance")
        position = len(self._nodes)
        edges = []
        for port, feeder in self._feeders(after):
            edge = Edge(feeder, position, port)
            if edge not in edges:
                edges.append(edge)
        self._idle = None
        self._nodes.append(node)
        self._present.add(id(node))
        self._edges += edges
        return self

    def _feeders(self, after: After | None) -> Iterator[tuple[str | None, int]]:
        if after is None:
            if self._nodes:
                yield None, len(self._nodes) - 1
        elif isinstance(after, Mapping):
            for port, feeders in after.items():
                for _, feeder in self._feeders(feeders):
                    yield port, feeder
        elif isinstance(after, (Node, str)):
            yield None, self._position(after)
        elif isinstance(after, Iterable):
            for position in sorted({self._position(feeder) for feeder in after}):
                yield None, position
        else:
            raise TypeError(f"after must be a node, a name, or several of them, not a {type(after).__name__}")

    def _position(self, wanted: Node | str) -> int:
        if isinstance(wanted, Node):
            found = [index for index, node in enumerate(self._nodes) if node is wanted]
        elif isinstance(wanted, str):
            found = [index for index, node in enumerate(self._nodes) if wanted in (node.name, self._id(index))]
        else:
            raise TypeError(f"after must name nodes, not a {type(wanted).__name__}")
        if not found:
            name = wanted.name if isinstance(wanted, Node) else wanted
            raise UnknownNodeError(f"node {name!r} is not in this pipeline; add it first")
        if len(found) > 1:
            raise PipelineError(f"{len(found)} nodes are called {wanted!r}; pass the node itself")
        return found[0]

    def remove_node(self, name: str) -> bool:
        """Takes out the first node of that name; what fed it then feeds what it fed. False when there is none."""
        _checked_name(name)
        if self._running is not None:
            raise PipelineError(f"node {name!r} cannot be removed: the pipeline is initialized; call cleanup() first")
        gone = next((index for index, node in enumerate(self._nodes) if node.name == name), None)
        if gone is None:
            return False
        feeders = [edge.source for edge in self._edges if edge.target == gone]
        edges: list[Edge] = []
        for edge in self._edges:
            if edge.target == gone:
                continue
            sources = feeders if edge.source == gone else [edge.source]
            edges += [joined for source in sources if (joined := edge._replace(source=source)) not in edges]
        self._idle = None
        self._present.remove(id(self._nodes.pop(gone)))
        self._ids = {_less(index, gone): node_id for index, node_id in self._ids.items() if index != gone}
        self._edges = [Edge(_less(edge.source, gone), _less(edge.target, gone), edge.port) for edge in edges]
        return True

    def get_node(self, name: str) -> Node | None:
        """The first node of that name, or None."""
        _checked_name(name)
        return next((node for node in self._nodes if node.name == name), None)

    @property
    def nodes(self) -> list[Node]:
        """The nodes in the order in which they were added. Changing the list changes nothing."""
        return list(self._nodes)

    @property
    def node_count(self) -> int:
        """How many nodes there are."""
        return len(self._nodes)

    @property
    def remote_node_count(self) -> int:
        """How many of them are marked to run elsewhere."""
        return sum(bool(node.is_remote) for node in self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes))

    def _id(self, index: int) -> str:
        return self._ids.get(index) or id_of(self._nodes[index].name, index)

    def _graph(self) -> Graph:
        return Graph.of(self._nodes, [self._id(index) for index in range(len(self._nodes))], self._edges)

    # Running

    async def run(
        self,
        input_data: Any = None,
        use_rust: bool = True,
        *,
        mode: str | None = None,
        progress: bool | Progress = False,
    ) -> Any:
        """Runs the pipeline over `input_data`: a list is a list of items, None is no input, anything else one item.

        Without input the first nodes are sources: see `Node.is_source`. `use_rust=False` is `mode="python_cpu"`.
        `progress=True` draws a bar with rich or tqdm where one is installed; a function is called with (done, total).
        Cancelling the task ends the nodes in bounded time, and cleans them up.
        """
        if self._running is not None:
            return await self._running.run(input_data, progress)
        running = self._start(use_rust, mode)
        self._at_work.append(running)
        try:
            result = await running.run_once(input_data, progress)
        finally:
            self._at_work.remove(running)
        self._idle = running
        return result

    def run_sync(
        self,
        input_data: Any = None,
        use_rust: bool = True,
        *,
        mode: str | None = None,
        progress: bool | Progress = False,
    ) -> Any:
        """As `run`, for scripts without asyncio: everything runs on the calling thread."""
        if asyncio._get_running_loop() is not None:
            raise PipelineError("run_sync() cannot be used where an event loop is running: use `await pipeline.run(...)`")
        if self._running is not None:
            raise PipelineError("the pipeline is initialized for asyncio: use `await pipeline.run(...)`, or cleanup() first")
        running = self._start(use_rust, mode)
        self._at_work.append(running)
        try:
            result = running.run_sync(input_data, progress)
        finally:
            self._at_work.remove(running)
        self._idle = running
        return result

    def interrupt(self) -> None:
        """Forgets what was fed so far, and goes on with what comes next: what a voice assistant does that is interrupted.

        Everything that is on its way, or was not taken yet, is discarded: results that `run` has collected, and those
        that `process` has not given. A call of a node that is running finishes, but a generator ends at its next value. Before
        the next item the node's `reset()` is called, where there is one; a streaming node gets a new stream. At the
        end of the stream nodes are flushed as always.

        May be called from any thread, and from any task. Does nothing while nothing runs.
        """
        for running in [*self._at_work, self._running]:
            if running is not None:
                running.interrupt()

    def _start(self, use_rust: bool, mode: str | None) -> Running:
        if not self._nodes:
            raise PipelineError("the pipeline is empty: add a node first")
        chosen = modes.chosen(mode, None if use_rust else modes.PYTHON_CPU, self.mode)
        idle, self._idle = self._idle, None
        counters = self._counting() if self.enable_metrics else None
        # Planning costs more than a short run: what ran well is used again, while it is what would be planned.
        planned = (chosen, [(node.name, node.is_streaming, node._native_entry() or node._native_kernel()) for node in self._nodes])
        if idle is not None and idle.planned == planned and idle.counters is counters:
            return idle
        running = Running(self._graph(), self.name, counters, chosen)
        running.planned = planned
        return running

    def _counting(self) -> Counters:
        if self._counters is None:
            self._counters = Counters(self.name)
        return self._counters

    async def initialize(self) -> None:
        """Initializes every node. `run` and `process` then use them as they are, until `cleanup`."""
        if self._running is not None:
            return
        running = self._start(True, None)
        await running.initialize()
        self._running = running

    async def cleanup(self) -> None:
        """Cleans up every node, last one first. Does nothing when the pipeline is not initialized."""
        running, self._running = self._running, None
        if running is not None:
            await running.cleanup()

    @property
    def is_initialized(self) -> bool:
        """True between `initialize` and `cleanup`."""
        return self._running is not None

    def process(self, stream: AsyncIterable[Any] | None = None) -> AsyncGenerator[Any, None]:
        """What becomes of the items of `stream`, as they come. The pipeline must be initialized.

        The stream is asked for its next item only when everything that came of the last one was taken. Without a stream
        the first nodes are sources. Where several nodes feed nothing, each result is a pair (node id, value).
        """
        if self._running is None:
            raise PipelineError(
                "the pipeline is not initialized: use `async with pipeline:` or `await pipeline.initialize()`"
            )
        if stream is not None and not isinstance(stream, AsyncIterable):
            raise TypeError(f"stream must be an asynchronous iterable, not a {type(stream).__name__}; run() takes lists")
        return self._running.process(stream)

    @asynccontextmanager
    async def managed_execution(self) -> AsyncIterator[Pipeline]:
        """`async with pipeline.managed_execution():` initializes, and cleans up at the end."""
        await self.initialize()
        try:
            yield self
        finally:
            await self.cleanup()

    async def __aenter__(self) -> Pipeline:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        await self.cleanup()

    # Describing

    def get_metrics(self) -> dict[str, Any] | None:
        """What was counted in all runs so far, or None without `enable_metrics`.

        {"schema_version", "pipeline_id", "total_executions", "total_duration_us", "total_duration_ms", "peak_memory_bytes",
        "peak_memory_mb", "node_metrics": [{"node_id", "execution_count", "success_count", "error_count",
        "success_rate", "total_duration_us", "avg_duration_us", "min_duration_us", "max_duration_us", …}],
        "metrics_overhead_us", …}; all fields are those of `remotemedia.core.metrics.PipelineMetrics`.
        """
        if not self.enable_metrics:
            return None
        return dict(self._counting().snapshot())

    def get_config(self) -> dict[str, Any]:
        """Name, counts and every node's config."""
        return {
            "name": self.name,
            "node_count": self.node_count,
            "remote_node_count": self.remote_node_count,
            "is_initialized": self.is_initialized,
            "nodes": [node.get_config() for node in self._nodes],
        }

    def plan(self, *, mode: str | None = None) -> list[dict[str, str]]:
        """Which runtime would run each node, and why: [{"node_id", "node_type", "runtime", "reason"}]."""
        chosen = modes.chosen(mode, self.mode)
        graph = self._graph()
        planned = session_of(graph, None, chosen).planned()
        return [
            {"node_id": node_id, "node_type": node_type, "runtime": runtime, "reason": reason}
            for node_id, node_type, runtime, reason in planned
        ]

    def to_manifest(self, include_capabilities: bool = True, description: str | None = None) -> dict[str, Any]:
        """The pipeline as a manifest (version 1). Raises `SerializationError` when an argument of a node has no JSON."""
        return definition.to_manifest(self._graph(), self.name, include_capabilities, description)

    def serialize(self, include_capabilities: bool = True, description: str | None = None) -> str:
        """`to_manifest` as a JSON text."""
        return json.dumps(self.to_manifest(include_capabilities, description), indent=2, ensure_ascii=False)

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any] | str | PathLike[str], **options: Any) -> Pipeline:
        """The pipeline of a manifest: a dict, a JSON or YAML text, or the path of such a file. YAML needs PyYAML.

        Python classes are looked up in the manifest's folder first; they may, but need not, derive from `Node`. `options`
        are those of the constructor. Raises `ManifestError` with everything that is wrong, `UnknownNodeError` for a node
        type that there is not.
        """
        read, folder = definition.read_manifest(manifest)
        return cls._of(definition.Parts(read, folder), options)

    @classmethod
    def _of(cls, parts: definition.Parts, options: dict[str, Any]) -> Pipeline:
        pipeline = cls(**{"name": parts.name, **options})
        pipeline._nodes = parts.nodes
        pipeline._present = {id(node) for node in parts.nodes}
        pipeline._edges = parts.edges
        for index, (node, node_id) in enumerate(zip(parts.nodes, parts.ids, strict=True)):
            name, _, position = node_id.rpartition("_")
            if name and position == str(index):
                node.name = name
            else:
                node.name = node_id
                pipeline._ids[index] = node_id
        pipeline._graph()
        return pipeline

    def export_definition(self) -> dict[str, Any]:
        """The pipeline as a dict that `from_definition` turns into a pipeline again."""
        return definition.export(self._graph(), self.name)

    @classmethod
    async def from_definition(cls, exported: Mapping[str, Any]) -> Pipeline:
        """The pipeline of a dict that `export_definition` made."""
        pipeline = cls._of(definition.Parts(definition.manifest_of_export(exported), None), {})
        for node, entry in zip(pipeline._nodes, exported["nodes"], strict=True):
            node.name = entry.get("name") or node.name
        return pipeline

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r}, nodes={[node.name for node in self._nodes]})"

    def _repr_html_(self) -> str:
        """The graph as a picture, for notebooks."""
        from remotemedia.core.diagram import svg

        try:
            return svg(self._graph(), self.name)
        except ManifestError as error:
            from html import escape

            return f"<pre>{escape(str(error))}</pre>"


def _checked_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, not a {type(name).__name__}")


def _less(index: int, gone: int) -> int:
    return index - 1 if index > gone else index
